package clientcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/handover"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/wire"
)

// Exit codes.
const (
	exitDone    = 0
	exitRefused = 1 // a contract's error or trap, or a refusal, of evidence too
	exitUsage   = 2 // wrong usage, nobody was reached, or evidence that could not be judged
)

// errUsage is a command that was given wrongly.
var errUsage = errors.New("usage")

type usageError struct{ words string }

func (e *usageError) Error() string        { return e.words }
func (e *usageError) Is(target error) bool { return target == errUsage }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// errContract says that a message of a contract returned an error.
var errContract = errors.New("the contract returned an error")

// ExitCode returns what a program ends with after an error of these commands: 1 for a contract's error, trap or
// refusal, 2 for everything else, 0 for no error.
func ExitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errUndecided) {
		return exitUsage
	}
	var outcome *client.OutcomeError
	var refused *node.TxError
	if errors.As(err, &outcome) || errors.As(err, &refused) {
		return exitRefused
	}
	for _, refusal := range []error{
		errContract, errLeak, errEvidence, client.ErrWorker, client.ErrNoReceipt, client.ErrReply, client.ErrReceipt, client.ErrTooOld,
		client.ErrUnconfirmed, client.ErrClock, client.ErrNodeLied, client.ErrNotFound, client.ErrNoClusterKey,
	} {
		if errors.Is(err, refusal) {
			return exitRefused
		}
	}
	return exitUsage
}

// advice says what to do about errors that have one usual cause.
var advice = []struct {
	is   error
	todo string
}{
	{client.ErrTrustExpired, "take the height and hash of a recent header from somebody you trust: --trust-height, --trust-hash"},
	{client.ErrNodeLied, "ask another node (--node), and check --chain-uid"},
	{client.ErrNoEvidence, "the node may not keep blocks that old: ask another one (--node), or wait until the worker is attested anew"},
	{client.ErrStaleChain, "is the node running and in step, and this machine's clock right? another node: --node"},
	{client.ErrUnreachable, "is the node running? `phalanx devnet` starts a network; --node names another node"},
	{client.ErrNoClusterKey, "its workers and a gatekeeper must be running; see `phalanx cluster show` and `phalanx status`"},
	{client.ErrNoWorker, "see `phalanx worker list`; a worker of a devnet is started again by `phalanx devnet restart ID`"},
	{client.ErrWorker, "see `phalanx status`; another worker: --worker"},
	{client.ErrNoReceipt, "see `phalanx cluster show` for the cluster's key and send the command again"},
	{client.ErrClock, "set this machine's clock"},
	{client.ErrTooOld, "ask another worker: --worker"},
	{account.ErrUnknown, "see `phalanx keys list`; `phalanx keys add NAME` makes one"},
	{account.ErrPassphraseNeeded, "give it on the terminal or with --passphrase-file"},
	{tx.ErrNoAccount, "or let another account post: --payer"},
	{abi.ErrFile, "give a .contract file, or the metadata .json beside it, as cargo-contract writes them"},
	{abi.ErrUnknown, "`phalanx contract abi FILE` lists the constructors and messages of a file, `phalanx contract show ID` a contract's"},
	{abi.ErrArguments, "`phalanx contract abi FILE` lists the arguments of a file's messages, `phalanx contract show ID` of a contract's"},
	{handover.ErrNotActive, "see `phalanx worker show` and the log of its relay"},
	{handover.ErrOperator, "`phalanx worker show` names the operator; give its key with --account"},
	{context.DeadlineExceeded, "wait longer: --timeout"},
}

// advise adds to an error what to do about it.
func advise(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var ended *client.OutcomeError
	if errors.As(err, &ended) && ended.Status == wire.StatusOutOfGas {
		return fmt.Errorf("%w\n  → give it more: --gas", err)
	}
	for _, a := range advice {
		if errors.Is(err, a.is) {
			return fmt.Errorf("%w\n  → %s", err, a.todo)
		}
	}
	return err
}
