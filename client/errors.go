package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Errors that a caller can act on. None of them, nor what they wrap, holds a key, an argument or an output.
var (
	// ErrUnreachable says that the node did not answer; another one may.
	ErrUnreachable = errors.New("node is unreachable")
	// ErrNodeLied says that the node gave what the chain's validators never signed: a forged header or proof, or one of
	// another key or height. Use another node.
	ErrNodeLied = errors.New("node lied")
	// ErrStaleChain says that the newest header the node gives is too old to act on: the node withholds blocks, the chain
	// has halted, or one's own clock is wrong.
	ErrStaleChain = errors.New("newest block is too old")
	// ErrTrustExpired says that the trusted header is past the trusting period: a newer trust root is needed, from a
	// source other than the node.
	ErrTrustExpired = errors.New("trusted header has expired; give a newer trust root")
	// ErrNotFound says that the chain is proven to have no such record; see [AbsentError].
	ErrNotFound = errors.New("not found on the chain")
	// ErrNoClusterKey says that the cluster's key is not fixed yet, so that nothing can be encrypted to it.
	ErrNoClusterKey = errors.New("cluster has no key yet; its members are still waiting for theirs")
	// ErrNoWorker says that no worker of the cluster could be reached.
	ErrNoWorker = errors.New("no worker of the cluster answers")
	// ErrNoReceipt says that every worker that answers has no receipt for a command: it was a no-op (expired, its nonce
	// was used, not enough gas prepaid, the cluster's key replaced) or is older than receipts are kept.
	ErrNoReceipt = errors.New("workers hold no receipt for the command; it was not executed")
	// ErrReceipt says that a receipt is not the command's, or not from the worker.
	ErrReceipt = errors.New("receipt is refused")
	// ErrReply says that a reply is not to the query, or not from the worker.
	ErrReply = errors.New("reply is refused")
	// ErrUnconfirmed says that a reply names a block that the own light client does not confirm.
	ErrUnconfirmed = errors.New("reply stands on a block that the chain does not have")
	// ErrTooOld says that a reply stands on an older state than was asked for.
	ErrTooOld = errors.New("reply is older than asked")
	// ErrClock says that a reply's block time is too far from the own clock.
	ErrClock = errors.New("reply's block time is too far from this machine's clock")
	// ErrWorker says that a worker refused; see [WorkerError].
	ErrWorker = errors.New("worker refused")
	// ErrInactive says that a worker's registration has expired or is suspended, so that nothing is sent to it.
	ErrInactive = errors.New("worker is not active")
	// ErrNotAttested says that the policy of [Config.Attested] refuses a worker's evidence, or that it could not be judged.
	ErrNotAttested = errors.New("worker's evidence does not meet the policy")
	// ErrNoEvidence says that a worker's evidence was not to be had: the node no longer keeps the block of its registration,
	// or the block it gave holds none that is the worker's. Another node may.
	ErrNoEvidence = errors.New("the node gives no evidence of the worker")
	// ErrBounds says that an input or code is larger than the network takes.
	ErrBounds = errors.New("too large")
	// ErrLogKey says that a signer cannot read logs: they are encrypted to an sr25519 identity, whose private key must be
	// at hand.
	ErrLogKey = errors.New("logs are read with an sr25519 identity whose private key is here; this signer only signs, or has another scheme")
	// ErrAnswer says that the node's answer to a transaction does not have the form it must have.
	ErrAnswer = errors.New("node's answer makes no sense")
)

// AbsentError is a record that the chain is proven not to have.
type AbsentError struct {
	What   string // such as "worker 0x…"
	Height uint64 // of the header that shows it
}

// Error names the record.
func (e *AbsentError) Error() string {
	return fmt.Sprintf("the chain has no %s (proven at height %d)", e.What, e.Height)
}

// Is makes it [ErrNotFound].
func (e *AbsentError) Is(target error) bool { return target == ErrNotFound }

// WorkerError is a worker's refusal, or what kept it from being asked.
type WorkerError struct {
	Worker sr25519.PublicKey
	Err    error
}

// Error names the worker.
func (e *WorkerError) Error() string { return fmt.Sprintf("worker %s: %v", e.Worker, e.Err) }

// Unwrap returns what happened.
func (e *WorkerError) Unwrap() error { return e.Err }

// AgeError is a reply on too old a state.
type AgeError struct {
	Height uint64 // the reply's
	Least  uint64 // the height that it had to have
}

// Error names both heights.
func (e *AgeError) Error() string {
	return fmt.Sprintf("%v: it stands at height %d, wanted at least %d", ErrTooOld, e.Height, e.Least)
}

// Is makes it [ErrTooOld].
func (e *AgeError) Is(target error) bool { return target == ErrTooOld }

// OutcomeError is a command or query that the cluster executed, or refused to, and that is not done.
type OutcomeError struct {
	Status wire.Status
	Fault  string
}

// Error returns the cluster's words.
func (e *OutcomeError) Error() string {
	status := e.Status.String()
	if e.Fault == "" || e.Fault == status {
		return status
	}
	return status + ": " + strings.TrimPrefix(e.Fault, status+": ")
}

// Check returns an [*OutcomeError] unless the outcome is done.
func Check(o wire.Outcome) error {
	if o.Status == wire.StatusDone {
		return nil
	}
	return &OutcomeError{o.Status, o.Fault}
}
