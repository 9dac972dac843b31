package clientcmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/wire"
)

// contractFlags are the flags of commands that concern one contract.
type contractFlags struct {
	*options
	from, payer string
	file, abi   string
	value       string
	gas         uint64
	worker      string
	dryRun      bool
	final       bool
	constructor string
	salt        string
}

func contractCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{Use: "contract", Short: "Deploy, call and query confidential contracts", Args: cobra.NoArgs}
	cmd.AddCommand(logsCommand(o))
	o.addTo(cmd)
	cmd.AddCommand(deployCommand(o), uploadCommand(o), callCommand(o), queryCommand(o), contractShowCommand(o),
		contractListCommand(o), contractABICommand(o), contractLintCommand(o))
	return cmd
}

const argumentsHelp = `Arguments are JSON in the form that the contract's metadata gives: 7, true, '[1, 2]', '{"x": 1}'; text, hex, addresses
and the names of variants need no quotes. Put -- before arguments that begin with a dash and are no whole number.`

func deployCommand(o *options) *cobra.Command {
	f := &contractFlags{options: o}
	cmd := &cobra.Command{
		Use: "deploy FILE.contract [ARGS…]", Short: "Upload a contract's code, encrypted, and make a contract of it",
		Long: `Upload the code of a .contract file, encrypted and in parts, to the cluster, and make a contract of it by calling its
constructor. Code that a contract of the cluster has already is not sent again.

` + argumentsHelp + `

The file is remembered in HOME/contracts, so that call and query know the contract's messages.`,
		Example: "  phalanx contract deploy counter.contract 5 --from alice\n" +
			"  phalanx contract deploy auction.contract --constructor new 10 'A painting' --from alice -o json",
		Args: cobra.MinimumNArgs(1),
		RunE: o.online(f.deploy),
	}
	f.addSigner(cmd)
	f.addValue(cmd)
	cmd.Flags().StringVar(&f.constructor, "constructor", "", "the constructor (default: the contract's default one, or new)")
	cmd.Flags().StringVar(&f.salt, "salt", "", "up to 32 bytes of hex that tell contracts of the same code and caller apart (default: random)")
	return cmd
}

func callCommand(o *options) *cobra.Command {
	f := &contractFlags{options: o}
	cmd := &cobra.Command{
		Use: "call CONTRACT MESSAGE [ARGS…]", Short: "Send a command to a contract and wait for its receipt",
		Long: `Send a message of a contract as a command, and wait for the receipt.

` + argumentsHelp + `

What posting shows: everybody sees which account posts and pays (phx1…), to which cluster, when, how much gas is prepaid
(a power of two) and about how long the message is. Nobody sees who signed it (--from signs inside the envelope with
another key than the account's), which contract is called, with what message, arguments or value, or what comes of it.
Where the posting account is known to be yours, let another one post: --payer.`,
		Example: "  phalanx contract call 0x4f1c… inc_by 3 --from alice\n" +
			"  phalanx contract call 0x4f1c… bid 70 --from alice --payer relayer -o json\n" +
			"  phalanx contract call 0x4f1c… bid 70 --from alice --dry-run",
		Args: cobra.MinimumNArgs(2),
		RunE: o.online(f.call),
	}
	f.addSigner(cmd)
	f.addValue(cmd)
	f.addFile(cmd)
	f.addABI(cmd)
	f.addWorker(cmd)
	cmd.Flags().Lookup("worker").Usage += "; with --dry-run"
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "run it as a query: show gas, output and events, change nothing")
	cmd.Flags().BoolVar(&f.final, "final", false, "wait also until a finalized checkpoint covers the receipt, and verify that")
	return cmd
}

func queryCommand(o *options) *cobra.Command {
	f := &contractFlags{options: o}
	cmd := &cobra.Command{
		Use: "query CONTRACT MESSAGE [ARGS…]", Short: "Ask a worker for what a message of a contract returns",
		Long: `Ask a worker what a message of a contract returns. Nothing is posted, nothing changes, nothing is paid; the worker's
host sees that somebody asks, not who, what or whom.

` + argumentsHelp,
		Example: "  phalanx contract query 0x4f1c… get --from bob\n" +
			"  phalanx contract query 0x4f1c… winner --from bob --worker 0x52aa… -o json",
		Args: cobra.MinimumNArgs(2),
		RunE: o.online(f.query),
	}
	f.addFrom(cmd)
	f.addFile(cmd)
	f.addABI(cmd)
	f.addWorker(cmd)
	cmd.Flags().Uint64Var(&f.gas, "gas", 0, "gas limit (default: as much as a worker gives)")
	return cmd
}

func (f *contractFlags) addFrom(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.from, "from", "", "key that signs; the contract sees its identity as the caller")
	required(cmd, "from")
}

// required makes a flag one that must be given. It panics on a flag that the command does not have.
func required(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil {
		panic(err)
	}
}

func (f *contractFlags) addSigner(cmd *cobra.Command) {
	f.addFrom(cmd)
	cmd.Flags().StringVar(&f.payer, "payer", "", "key whose account posts and pays, in public (default: that of --from)")
}

func (f *contractFlags) addValue(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.value, "value", "0", "what to pay the contract from the balance in the cluster: 5, 5uphx or 0.5phx")
	cmd.Flags().Uint64Var(&f.gas, "gas", 0, fmt.Sprintf("gas limit; prepaid in public, rounded up to a power of two (default %d)", uint64(client.DefaultGas)))
}

func (f *contractFlags) addFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "contract-file", "", "the contract's .contract or metadata file, remembered if it is of the code that the contract has now (default: the one that is remembered)")
}

// addABI adds the flag for the messages of another contract than the called one.
func (f *contractFlags) addABI(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.abi, "abi", "", "a .contract or metadata file whose messages to use, whatever code the contract has: for one that hands them on")
	cmd.MarkFlagsMutuallyExclusive("abi", "contract-file")
}

func (f *contractFlags) addWorker(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.worker, "worker", "", "the worker to ask: its identity, or its id in the devnet (default: any of the cluster)")
}

func (f *contractFlags) deploy(ctx context.Context, s *session, args []string) (result, error) {
	raw, c, err := readContract(args[0])
	if err != nil {
		return nil, err
	}
	if len(c.Wasm()) == 0 {
		return nil, usage("%s holds no code", args[0])
	}
	constructor, err := c.Constructor(f.constructor)
	if err != nil {
		return nil, err
	}
	input, err := c.EncodeCall(constructor, args[1:])
	if err != nil {
		return nil, badArguments(err)
	}
	d := client.Deployment{Cluster: s.net.Cluster, Code: c.Wasm(), Input: input, GasLimit: f.gas}
	if d.Salt, err = parseSalt(f.salt); err != nil {
		return nil, err
	}
	if d.Value, err = parseAmount(f.value); err != nil {
		return nil, usage("--value: %v", err)
	}
	if err := s.needCluster(); err != nil {
		return nil, err
	}
	w, err := s.signer(f.from, f.payer)
	if err != nil {
		return nil, err
	}
	d.From = client.Of(w.from)
	made, err := s.client.Deploy(ctx, w.payer, d)
	if made == nil {
		return nil, err
	}
	out := deployed{callResult: s.receipt(made.Contract, c, constructor, made.Receipt), CodeHash: made.CodeHash, Uploaded: made.Uploaded}
	out.Payer = w.named
	if err != nil {
		return out, outcome(c, constructor, made.Receipt.Outcome(), err)
	}
	return out, s.remember(made.Contract, raw)
}

func (f *contractFlags) call(ctx context.Context, s *session, args []string) (result, error) {
	t, err := f.target(ctx, s, args)
	if err != nil {
		return nil, err
	}
	value, err := parseAmount(f.value)
	if err != nil {
		return nil, usage("--value: %v", err)
	}
	if f.dryRun {
		return f.ask(ctx, s, t, value)
	}
	if !t.message.Mutates {
		s.note(yellow, "%s changes nothing of its contract; `phalanx contract query` asks for it at no cost.", t.message.Label)
	}
	w, err := s.signer(f.from, f.payer)
	if err != nil {
		return nil, err
	}
	r, err := s.client.Command(ctx, w.payer, client.Request{
		Cluster: t.cluster, From: client.Of(w.from), To: t.id, Input: t.input, Value: value, GasLimit: f.gas,
	})
	if err != nil {
		return nil, err
	}
	out := s.receipt(t.id, t.contract, t.message, r)
	out.Payer = w.named
	if f.final {
		final, err := s.client.WaitFinal(ctx, r)
		if err != nil {
			return out, err
		}
		out.Final = finalOf(final)
	}
	return out, outcome(t.contract, t.message, r.Outcome(), client.Check(r.Outcome()))
}

func (f *contractFlags) query(ctx context.Context, s *session, args []string) (result, error) {
	t, err := f.target(ctx, s, args)
	if err != nil {
		return nil, err
	}
	if t.message.Mutates {
		s.note(yellow, "%s changes state; what this query changes is dropped. `phalanx contract call` sends it.", t.message.Label)
	}
	return f.ask(ctx, s, t, uint128.Zero)
}

// ask runs a message as a query.
func (f *contractFlags) ask(ctx context.Context, s *session, t target, value uint128.Uint128) (result, error) {
	from, err := s.account(f.from, "from")
	if err != nil {
		return nil, err
	}
	worker, err := s.worker(ctx, f.worker)
	if err != nil {
		return nil, err
	}
	a, err := s.client.Query(ctx, client.Query{
		Cluster: t.cluster, Worker: worker, From: client.Of(from), To: t.id, Input: t.input, Value: value, GasLimit: f.gas,
	})
	if err != nil {
		return nil, err
	}
	return s.answer(t, a), outcome(t.contract, t.message, a.Outcome, client.Check(a.Outcome))
}

// outcome returns the error that a message's end deserves: a contract's own Err, which is a revert on the network, or
// what kept it from ending well.
func outcome(c *abi.Contract, m *abi.Message, o wire.Outcome, failed error) error {
	if o.Status != wire.StatusDone && o.Status != wire.StatusReverted {
		return failed
	}
	value, isErr, err := c.DecodeOutput(m, o.Output)
	if err != nil && o.Status == wire.StatusDone && len(o.Output) == 0 {
		return nil // it ended itself, which leaves nobody to answer
	}
	switch {
	case err == nil && isErr:
		return fmt.Errorf("%w: %s: %s", errContract, m.Label, printable(value))
	case failed != nil:
		return failed
	}
	return err
}

func badArguments(err error) error { return usageOf(err) }

// usageOf makes an error one of usage, keeping what it is.
func usageOf(err error) error { return fmt.Errorf("%w%w", err, &usageError{}) }

func parseSalt(text string) (salt [32]byte, err error) {
	if text == "" {
		return randomSalt()
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(raw) > len(salt) {
		return salt, usage("--salt is up to 32 bytes of hex")
	}
	copy(salt[:], raw)
	return salt, nil
}
