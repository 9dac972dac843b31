package contract

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// execution is one call of a contract in its tree; host functions find it in their context.
type execution struct {
	t      *tree
	limits *Limits

	account    [32]byte // whose storage and money the code acts on
	caller     [32]byte
	value      uint128.Uint128
	input      []byte
	spent      bool // the input was handed on to another contract
	deploy     bool // runs the constructor
	delegated  bool // runs other code than the account's own
	readOnly   bool // may not change anything
	reentrable bool // may be called again while it waits for the contract that it calls

	memory api.Memory
	gas    api.MutableGlobal
	stack  api.MutableGlobal
	host   *hostFunction // that runs
	key    []byte        // buffer of the storage key being looked up

	ended  bool // a host function ended the call, with:
	status Status
	reason string
	output []byte
}

type executionKey struct{}

// callContext carries the execution to host functions.
type callContext struct {
	context.Context
	x *execution
}

func (c *callContext) Value(key any) any {
	if key == (executionKey{}) {
		return c.x
	}
	return c.Context.Value(key)
}

// exit is thrown by host functions to leave the contract. wazero hands an ExitError through as it is, without
// building a stack trace; it carries nothing, so one serves all calls.
var exit = sys.NewExitError(1)

// end leaves the contract for good.
func (x *execution) end(s Status, format string, args ...any) {
	x.ended, x.status = true, s
	if format != "" {
		x.reason = fmt.Sprintf(format, args...)
	}
	panic(exit)
}

// fail gives the whole call tree up for a fault of the host.
func (x *execution) fail(err error) {
	if x.t.fault == nil {
		x.t.fault = err
	}
	panic(exit)
}

// charge takes gas and ends the call when it is overdrawn, also by what instrumented code has lazily taken before.
func (x *execution) charge(gas uint64) {
	left := int64(x.gas.Get()) - int64(min(gas, math.MaxInt64))
	x.gas.Set(uint64(left))
	if left < 0 {
		x.end(OutOfGas, "")
	}
}

// result is how one call of a contract ended.
type result struct {
	status Status
	reason string
	output []byte
	left   uint64 // of the gas
}

// Execute runs a call. Whatever the contract does is in the Outcome; an error is a fault of the host (or of Storage),
// never the contract's doing, and the call must then count as not executed. ctx must not carry a deadline that is
// meant to stop the contract: gas does that.
func (e *Engine) Execute(ctx context.Context, m *Module, call Call, storage Storage) (out Outcome, err error) {
	if err := e.enter(); err != nil {
		return Outcome{}, err
	}
	defer e.running.RUnlock()
	// wazero makes an error of a panic below a contract; Storage is also used where no contract is.
	defer func() {
		if r := recover(); r != nil {
			out, err = Outcome{}, fmt.Errorf("contract engine: panic: %v", r)
		}
	}()
	call.GasLimit = min(call.GasLimit, MaxGas)
	if len(call.Input) > e.limits.InputBytes {
		return Outcome{Status: LimitExceeded, Reason: fmt.Sprintf("input of %d bytes exceeds %d", len(call.Input),
			e.limits.InputBytes)}, nil
	}
	t := &tree{
		engine: e, ctx: ctx, call: &call, storage: storage, limits: &e.limits,
		memory: budget{uint64(e.limits.TreeBytes)}, transient: transient{left: e.limits.TransientBytes},
		first: m, codeLeft: e.limits.TreeCodeBytes,
	}
	defer func() {
		if failed := t.close(); failed != nil {
			out, err = Outcome{}, errors.Join(err, failed)
		}
	}()
	x := &execution{
		account: call.Contract, caller: call.Caller, value: call.Value, input: call.Input, deploy: call.Deploy,
	}
	r, err := t.run(x, m, call.GasLimit)
	if err != nil {
		return Outcome{}, err
	}
	if r.status == Done {
		if err := t.settle(); err != nil {
			return Outcome{}, fmt.Errorf("money of a terminated contract: %w", err)
		}
		if call.Deploy && t.ended(call.Contract) {
			r.status, r.reason = Trapped, endedInConstructor
		}
	}
	return t.outcome(r), nil
}

// outcome puts together what the tree left behind.
func (t *tree) outcome(r result) Outcome {
	out := Outcome{
		Status: r.status, GasUsed: t.call.GasLimit - r.left, Debug: t.debug, Logs: t.logs, Dropped: t.dropped,
		Reason: r.reason,
	}
	switch r.status {
	case Done:
		out.Output, out.Events, out.Created, out.AfterCommit = r.output, t.events, t.alive(), t.after
	case Reverted:
		out.Output = r.output
	}
	return out
}

// run executes x with a module as the innermost call of the tree. An error is a fault of the host.
func (t *tree) run(x *execution, m *Module, gas uint64) (result, error) {
	start := startGas(m.info, len(x.input))
	if start > gas {
		return result{status: OutOfGas}, nil
	}
	least := uint64(m.info.MinPages) * instrument.PageBytes
	if least > t.memory.left {
		return result{status: LimitExceeded, reason: "the calls under way use too much memory", left: gas - start}, nil
	}
	if err := t.engine.acquire(t.ctx, m); err != nil {
		return result{}, err
	}
	x.t, x.limits, x.reentrable = t, t.limits, true
	stack := uint64(0)
	if n := len(t.frames); n > 0 {
		stack = t.frames[n-1].stack.Get()
	}
	t.frames = append(t.frames, x)
	r, err := x.run(m, gas-start, stack)
	t.frames = t.frames[:len(t.frames)-1]
	if t.fault != nil {
		err = t.fault
	}
	return r, errors.Join(err, t.engine.release(t.ctx, m))
}

// run executes x in an instance of m, whose stack begins where the caller's ends.
func (x *execution) run(m *Module, gas, stack uint64) (r result, err error) {
	t := x.t
	instance, err := t.engine.takeInstance(t.ctx, m, &t.memory)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, t.engine.giveInstance(t.ctx, m, instance)) }()
	x.memory, x.gas, x.stack = instance.memory, instance.gas, instance.stack
	x.gas.Set(gas)
	x.stack.Set(stack)
	ctx := &callContext{t.ctx, x}
	entry := instrument.CallExport
	if x.deploy {
		entry = instrument.DeployExport
	}
	fault := instance.wasm.ExportedFunction(entry).CallWithStack(ctx, nil)
	return x.result(fault)
}

// traps names wazero's traps by the text of the innermost error, for their values are internal to it.
var traps = map[string]Status{
	"unreachable":                   Unreachable,
	"integer divide by zero":        DivisionByZero,
	"integer overflow":              IntegerOverflow,
	"invalid conversion to integer": IntegerOverflow,
	"out of bounds memory access":   BadMemoryAccess,
	"invalid table access":          BadIndirectCall,
	"indirect call type mismatch":   BadIndirectCall,
}

// result judges how the call ended.
func (x *execution) result(fault error) (result, error) {
	gas := int64(x.gas.Get())
	status := Done
	switch {
	case x.ended && fault == error(exit):
		status = x.status
	case fault == nil || trapOf(fault) != Done:
		// Gas is taken before the instructions that it pays for, so an overdraft decides even if the call returned or
		// trapped for another reason on the way to the next check.
		switch {
		case gas < 0:
			status = OutOfGas
		case uint32(x.stack.Get()) > x.limits.Module.StackSlots:
			status = DepthExceeded
		case fault != nil:
			status = trapOf(fault)
		}
	default:
		return result{}, fmt.Errorf("contract engine fault: %w", fault)
	}
	r := result{status: status, reason: x.reason, left: uint64(max(gas, 0))}
	if status == Done || status == Reverted {
		r.output = x.output
	}
	return r, nil
}

// trapOf gives the status of a WebAssembly trap, or Done if err is anything else. wazero puts a prefix before traps
// that it does not put before what a host function panics with.
func trapOf(err error) Status {
	inner := errors.Unwrap(err)
	if inner == nil || !strings.HasPrefix(err.Error(), "wasm error: ") {
		return Done
	}
	return traps[inner.Error()]
}
