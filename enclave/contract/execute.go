package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// execution is the state of one call; host functions find it in their context.
type execution struct {
	call    *Call
	storage Storage
	limits  *Limits
	memory  api.Memory
	gas     api.MutableGlobal

	ended      bool // a host function ended the call, with:
	status     Status
	reason     string
	output     []byte
	events     []Event
	eventBytes int
	debug      []byte
	key        []byte // buffer of the storage key being looked up
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

// charge takes gas and ends the call when it is overdrawn, also by what instrumented code has lazily taken before.
func (x *execution) charge(gas uint64) {
	left := int64(x.gas.Get()) - int64(gas)
	x.gas.Set(uint64(left))
	if left < 0 {
		x.end(OutOfGas, "")
	}
}

// Execute runs a call. Whatever the contract does is in the Outcome; an error is a fault of the host (or of Storage),
// never the contract's doing, and the call must then count as not executed. ctx must not carry a deadline that is
// meant to stop the contract: gas does that.
func (e *Engine) Execute(ctx context.Context, m *Module, call Call, storage Storage) (Outcome, error) {
	if err := e.enter(); err != nil {
		return Outcome{}, err
	}
	defer e.running.RUnlock()
	call.GasLimit = min(call.GasLimit, MaxGas)
	if len(call.Input) > e.limits.InputBytes {
		return Outcome{Status: LimitExceeded, Reason: fmt.Sprintf("input of %d bytes exceeds %d", len(call.Input),
			e.limits.InputBytes)}, nil
	}
	start := startGas(m.info, len(call.Input))
	if start > call.GasLimit {
		return Outcome{Status: OutOfGas, GasUsed: call.GasLimit}, nil
	}
	if err := e.acquire(ctx, m); err != nil {
		return Outcome{}, err
	}
	x := &execution{call: &call, storage: storage, limits: &e.limits}
	out, err := e.run(&callContext{ctx, x}, m, call.GasLimit-start)
	return out, errors.Join(err, e.release(ctx, m))
}

// run executes x in a fresh instance of m.
func (e *Engine) run(ctx *callContext, m *Module, gas uint64) (out Outcome, err error) {
	x := ctx.x
	memory := &lease{pool: e.pool}
	defer memory.Free()
	instance, err := e.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, memory), m.compiled, e.instance)
	if err != nil {
		return Outcome{}, fmt.Errorf("instantiate contract: %w", err)
	}
	defer func() { err = errors.Join(err, instance.Close(ctx)) }()
	x.memory = instance.Memory()
	x.gas = instance.ExportedGlobal(instrument.GasExport).(api.MutableGlobal)
	x.gas.Set(gas)
	entry := instrument.CallExport
	if x.call.Deploy {
		entry = instrument.DeployExport
	}
	fault := instance.ExportedFunction(entry).CallWithStack(ctx, nil)
	stack := uint32(instance.ExportedGlobal(instrument.StackExport).Get())
	return x.outcome(fault, stack)
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

// outcome judges how the call ended.
func (x *execution) outcome(fault error, stack uint32) (Outcome, error) {
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
		case stack > x.limits.Module.StackSlots:
			status = DepthExceeded
		case fault != nil:
			status = trapOf(fault)
		}
	default:
		return Outcome{}, fmt.Errorf("contract engine fault: %w", fault)
	}
	out := Outcome{Status: status, GasUsed: x.call.GasLimit - uint64(max(gas, 0)), Debug: x.debug, Reason: x.reason}
	switch status {
	case Done:
		out.Output, out.Events = x.output, x.events
	case Reverted:
		out.Output = x.output
	}
	return out, nil
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
