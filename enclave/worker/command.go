package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/pink"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// What actions cost in gas, beside what the engine counts. One gas is about a nanosecond of one core.
const (
	gasBase        = 150_000 // opening and checking the invocation, storing its receipt
	gasUploadByte  = 200     // storing a byte of code
	gasCompileByte = 5_000   // validating, instrumenting and compiling a byte of code
	// gasLoadByte is charged to a call for each byte of the contract's code, whether or not it has to be loaded: that
	// differs from worker to worker. To load what is kept compiled takes four times as long, and whoever calls more code
	// than fits into memory by turns has it done in each call.
	gasLoadByte = 20
)

// maxStateBytes bounds a cluster's state; beyond it commands that would let it grow fail with status limit.
const maxStateBytes = 4 << 30

// command opens, checks and executes a client's invocation; false means that it is a no-op: it cannot be opened or
// decoded, is not signed, is out of its time, not paid for or repeats a nonce. From the nonce on there is a receipt.
func (x *executor) command(ctx context.Context, o *state.Overlay, m message, p *prepared) (bool, error) {
	if !x.sys.accepts(p.request.Recipient, p.request.Epoch, m.Height) {
		return false, nil
	}
	if p.key == nil {
		x.unseal(p) // its key may have come since
	}
	if p.key == nil {
		return false, errMissingKey
	}
	if p.key.ecdh.Public() != p.request.Recipient {
		return false, errWrongKey
	}
	inv := p.inv
	if inv == nil || !admissible(inv, m.Height, p.body.Command.Gas()) {
		return false, nil
	}
	fresh, err := useNonce(o, inv.From, inv.Nonce, m.Height, m.Time)
	if err != nil || !fresh {
		return false, err
	}
	outcome, err := x.perform(ctx, o, m, inv, p.hash)
	if err != nil {
		return false, err
	}
	return true, x.saveReceipt(o, m, inv, p.hash, outcome)
}

// admissible checks what can be checked without the signature or the state.
func admissible(inv *wire.Invocation, height, gas uint64) bool {
	return inv.Kind.Action != wire.ActionQuery &&
		inv.NotAfter >= height &&
		inv.NotAfter-height <= wire.MaxLifetime &&
		inv.GasLimit <= gas
}

// perform carries out the action in a child of o, which is dropped unless the outcome is done.
func (x *executor) perform(ctx context.Context, o *state.Overlay, m message, inv *wire.Invocation, hash wire.Hash) (wire.Outcome, error) {
	if inv.GasLimit < gasBase {
		return fault(wire.StatusOutOfGas, inv.GasLimit, "gas limit is below the base cost of %d", gasBase), nil
	}
	child := o.Begin()
	contracts, after := len(x.contracts), len(x.after)
	sys := x.sys
	outcome, err := x.act(ctx, child, m, inv, hash)
	if err != nil {
		return wire.Outcome{}, err
	}
	if outcome.Status == wire.StatusDone && child.Size()-x.systemSize > max(maxStateBytes, o.Size()-x.systemSize) {
		outcome = fault(wire.StatusLimit, outcome.GasUsed, "the cluster's state is full")
	}
	if outcome.Status != wire.StatusDone {
		x.contracts, x.after, x.sys = x.contracts[:contracts], x.after[:after], sys
		return outcome, nil
	}
	return outcome, child.Commit()
}

func (x *executor) act(ctx context.Context, o *state.Overlay, m message, inv *wire.Invocation, hash wire.Hash) (wire.Outcome, error) {
	switch inv.Kind.Action {
	case wire.ActionUpload:
		return x.upload(ctx, o, m, inv)
	case wire.ActionInstantiate:
		return x.instantiate(ctx, o, m, inv, hash)
	case wire.ActionCommand:
		return x.call(ctx, o, m, inv, hash)
	case wire.ActionWithdraw:
		return x.withdrawal(o, inv)
	}
	return fault(wire.StatusRefused, gasBase, "unknown action"), nil
}

// fault makes an outcome that is not done. The words must be the same on every worker.
func fault(status wire.Status, gas uint64, format string, args ...any) wire.Outcome {
	return wire.Outcome{Status: status, GasUsed: gas, Fault: words(fmt.Sprintf(format, args...))}
}

// words cuts a text to the bound of an outcome's fault. It stays UTF-8, or the receipt could not be encoded: parts of
// it may be a contract's own.
func words(s string) string { return strings.ToValidUTF8(s[:min(len(s), wire.MaxFault)], "?") }

// withdrawal turns a balance into a withdrawal to an account of the chain.
func (x *executor) withdrawal(o *state.Overlay, inv *wire.Invocation) (wire.Outcome, error) {
	if !inv.Payload.To.IsZero() || len(inv.Payload.Input) != 0 || !inv.Value.IsZero() || inv.Kind.Amount.IsZero() {
		return fault(wire.StatusRefused, gasBase, "a withdrawal has an amount and neither target, input nor value"), nil
	}
	if err := debit(o, inv.From.AccountID(), inv.Kind.Amount); errors.Is(err, errBalance) {
		return fault(wire.StatusRefused, gasBase, "balance is too low"), nil
	} else if err != nil {
		return wire.Outcome{}, err
	}
	if err := withdraw(o, &x.sys, inv.Kind.Account, inv.Kind.Amount); err != nil {
		return wire.Outcome{}, err
	}
	return wire.Outcome{Status: wire.StatusDone, GasUsed: gasBase}, nil
}

// instantiate makes a contract of code that the cluster has, and runs its constructor.
func (x *executor) instantiate(ctx context.Context, o *state.Overlay, m message, inv *wire.Invocation, hash wire.Hash) (wire.Outcome, error) {
	id := wire.NewContractID(x.cluster, inv.From, inv.Kind.CodeHash, inv.Kind.Salt)
	if inv.Payload.To != id {
		return fault(wire.StatusRefused, gasBase, "target is not the id of that code, caller and salt"), nil
	}
	space := x.storage(o, m, hash)
	err := space.create(id, contractEntry{CodeHash: inv.Kind.CodeHash, Owner: inv.From})
	if errors.Is(err, contract.ErrDuplicate) {
		return fault(wire.StatusRefused, gasBase, "contract exists already; use another salt"), nil
	}
	if err != nil {
		return wire.Outcome{}, err
	}
	outcome, err := x.run(ctx, space, m, inv, hash, inv.Kind.CodeHash, true)
	if err != nil || outcome.Status != wire.StatusDone {
		return outcome, err
	}
	x.contracts = append(x.contracts, wire.ContractReport{
		Cluster: x.cluster, Contract: id, CodeHash: inv.Kind.CodeHash, Index: m.index,
	})
	return outcome, nil
}

// storage is the state for one call.
func (x *executor) storage(o *state.Overlay, m message, hash wire.Hash) *storage {
	return &storage{
		cluster: x.cluster, o: o, made: x.sys.Contracts, first: x.sys.Contracts, index: m.index,
		secret: func(id wire.ContractID) (secret [32]byte, err error) {
			err = x.withKey(id, func(k *hierarchy.ContractKey) { secret = k.Secret(hash) })
			return secret, err
		},
	}
}

// call runs a message of a contract.
func (x *executor) call(ctx context.Context, o *state.Overlay, m message, inv *wire.Invocation, hash wire.Hash) (wire.Outcome, error) {
	code, ok := codeOf(o, inv.Payload.To)
	if !ok {
		return fault(wire.StatusRefused, gasBase, "no such contract"), nil
	}
	return x.run(ctx, x.storage(o, m, hash), m, inv, hash, code, false)
}

// run moves the value and executes the contract with what is left of the gas.
func (x *executor) run(ctx context.Context, space *storage, m message, inv *wire.Invocation, hash wire.Hash, code wire.CodeHash, deploy bool) (wire.Outcome, error) {
	size, ok := codeSize(space.o, code)
	if !ok {
		return fault(wire.StatusRefused, gasBase, "no such code; upload it first"), nil
	}
	base := gasBase + gasLoadByte*size
	if inv.GasLimit < base {
		return fault(wire.StatusOutOfGas, inv.GasLimit, "calling a contract of %d bytes costs %d gas", size, base), nil
	}
	module, ok, err := module(ctx, x.engine, space.o, code, x.compiled)
	if err != nil {
		return wire.Outcome{}, err
	}
	if !ok {
		return wire.Outcome{}, fmt.Errorf("code %s has a size and is not there", code)
	}
	err = transfer(space.o, inv.From.AccountID(), inv.Payload.To, inv.Value)
	if errors.Is(err, errBalance) {
		return fault(wire.StatusRefused, base, "balance is too low for the value"), nil
	}
	if err != nil {
		return wire.Outcome{}, err
	}
	call := contract.Call{
		Deploy:     deploy,
		Contract:   inv.Payload.To,
		Caller:     inv.From.AccountID(),
		Input:      inv.Payload.Input,
		Value:      inv.Value,
		GasLimit:   inv.GasLimit - base,
		Height:     m.Height,
		TimeMillis: m.Time,
		Extension:  x.extension,
		Compiled:   x.compiled,
	}
	err = x.withKey(inv.Payload.To, func(k *hierarchy.ContractKey) { call.Seed = k.Seed(hash) })
	if err != nil {
		return wire.Outcome{}, err
	}
	defer clear(call.Seed[:])
	result, err := x.engine.Execute(ctx, module, call, space)
	if err != nil {
		return wire.Outcome{}, fmt.Errorf("contract engine: %w", err)
	}
	if err := x.keepLogs(space, m, hash, result); err != nil {
		return wire.Outcome{}, err
	}
	if result.Status == contract.Done {
		if err := space.link(result.Events); err != nil {
			return wire.Outcome{}, err
		}
		x.sys.Contracts = space.made
		if len(result.AfterCommit) > 0 {
			x.after = append(x.after, result.AfterCommit...)
			x.written += pink.MaxPending // it is kept until the batch is durable
		}
	}
	x.written += space.written
	return outcome(space, result, base), nil
}

// withKey lends the key of a contract under the newest cluster key that was fixed before the message.
func (x *executor) withKey(id wire.ContractID, use func(*hierarchy.ContractKey)) error {
	fixed, ok := x.sys.inForce()
	if !ok {
		return errMissingKey
	}
	k, ok := x.keys.epoch(fixed.Epoch)
	if !ok {
		return errMissingKey
	}
	ck := k.cluster.ContractKey(id)
	defer ck.Zero()
	use(ck)
	return nil
}

// module returns prepared code of the cluster, compiling it if need be; false where the cluster has no such code.
func module(ctx context.Context, engine *contract.Engine, s reader, hash wire.CodeHash, kept contract.CompiledStore) (*contract.Module, bool, error) {
	if !hasCode(s, hash) {
		return nil, false, nil
	}
	if m, ok := engine.Cached(hash); ok {
		return m, true, nil
	}
	code, _ := s.Get(systemID, systemKey("w/", hash[:]))
	m, err := engine.PrepareWith(ctx, code, kept)
	return m, err == nil, err
}

// statuses translates the engine's ends of a call; those that are not named are traps.
var statuses = map[contract.Status]wire.Status{
	contract.Done:          wire.StatusDone,
	contract.Reverted:      wire.StatusReverted,
	contract.OutOfGas:      wire.StatusOutOfGas,
	contract.DepthExceeded: wire.StatusLimit,
	contract.LimitExceeded: wire.StatusLimit,
}

func outcome(s *storage, r contract.Outcome, base uint64) wire.Outcome {
	if s.over() {
		return fault(wire.StatusLimit, saturate(r.GasUsed, base), "one call writes more than %d bytes", maxCallWrites)
	}
	status, ok := statuses[r.Status]
	if !ok {
		status = wire.StatusTrapped
	}
	out := wire.Outcome{Status: status, GasUsed: saturate(r.GasUsed, base), Output: r.Output}
	for _, e := range r.Events {
		out.Events = append(out.Events, wire.Event{Contract: e.Contract, Topics: e.Topics, Data: e.Data})
	}
	if status == wire.StatusDone {
		return out
	}
	out.Fault = r.Status.String()
	if r.Reason != "" {
		out.Fault += ": " + r.Reason
	}
	out.Fault = words(out.Fault)
	return out
}

func saturate(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// receiptEntry is a receipt in the state.
type receiptEntry struct {
	ReplyTo [32]byte // an EcdhKey; it was parsed with the invocation
	Salted  wire.SaltedReceipt
}

// Scale visits the fields in order.
func (r *receiptEntry) Scale(c *scale.Codec) {
	c.Fixed(r.ReplyTo[:])
	r.Salted.Scale(c)
}

// saveReceipt stores the receipt at the message's index, salted under the newest key that was fixed before it.
func (x *executor) saveReceipt(o *state.Overlay, m message, inv *wire.Invocation, hash wire.Hash, out wire.Outcome) error {
	fixed, ok := x.sys.inForce()
	if !ok {
		return errMissingKey
	}
	k, ok := x.keys.epoch(fixed.Epoch)
	if !ok {
		return errMissingKey
	}
	entry := receiptEntry{ReplyTo: inv.ReplyTo.Array(), Salted: wire.SaltedReceipt{
		Salt: k.cluster.ReceiptSalt(m.index),
		Receipt: wire.Receipt{
			Invocation: hash, Cluster: x.cluster, Index: m.index, Height: m.Height, Outcome: out,
		},
	}}
	leaf, err := entry.Salted.Leaf()
	if err != nil {
		return err
	}
	raw, err := scale.Marshal(&entry)
	if err != nil {
		return err
	}
	x.written += len(raw)
	x.sys.Leaves = x.sys.Leaves.add(leaf)
	return o.Set(systemID, systemKey("r/", be64(m.index)), raw)
}
