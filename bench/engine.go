package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/examples"
)

const plenty = 1 << 40 // gas

// engineRows compares a contract's call with the same module in a bare runtime, metered code with unmetered code, and
// the memory that a call allocates with a fresh one.
func engineRows(ctx context.Context, b *bench) (err error) {
	engine, err := contract.NewEngine(ctx, contract.DefaultLimits())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.Background())) }()
	bare := newBare(ctx)
	defer func() { err = errors.Join(err, bare.runtime.Close(context.Background())) }()
	flip, err := bare.prepare(ctx, flipper(true), nil)
	if err != nil {
		return err
	}
	call, err := prepared(ctx, engine, flipper(false), make([]byte, 4))
	if err != nil {
		return err
	}
	if err := b.pair(ctx, "engine_call", step{"engine call", call}, step{"bare call", flip}); err != nil {
		return err
	}
	if err := inkRow(ctx, b, engine, bare); err != nil {
		return err
	}
	if err := meteringRow(ctx, b, engine, bare); err != nil {
		return err
	}
	return poolRow(b, call)
}

func meteringRow(ctx context.Context, b *bench, engine *contract.Engine, bare *bare) error {
	const turns = 20_000
	metered, err := prepared(ctx, engine, loop(false, turns), nil)
	if err != nil {
		return err
	}
	plain, err := bare.prepare(ctx, loop(true, turns), nil)
	if err != nil {
		return err
	}
	if err := b.pair(ctx, "metering", step{"metered loop", metered}, step{"bare loop", plain}); err != nil {
		return err
	}
	if !b.wants("quickjs_loop") {
		return nil
	}
	return scriptRow(ctx, b, engine, bare)
}

// inkRow compares a whole call of an ink! contract that reads and returns one value, which is all that a flipper does,
// with the same module in a bare runtime.
func inkRow(ctx context.Context, b *bench, engine *contract.Engine, bare *bare) error {
	code, err := enclavetest.ParseContract(examples.Counter)
	if err != nil {
		return err
	}
	call, err := prepared(ctx, engine, code.Wasm, code.Input("default"), code.Input("get"))
	if err != nil {
		return err
	}
	own, err := ownMemory(code.Wasm)
	if err != nil {
		return err
	}
	plain, err := bare.prepare(ctx, own, code.Input("get"))
	if err != nil {
		return err
	}
	return b.pair(ctx, "ink_call", step{"engine call", call}, step{"bare call", plain})
}

// scriptLoop is JavaScript with arithmetic, properties and calls, about a tenth of a second of it.
const scriptLoop = `
	var o = {sum: 0, step: 3};
	function add(x) { o.sum = (o.sum + x * o.step) % 1000003; return o.sum; }
	for (var i = 0; i < 300000; i++) { add(i); }
	o.sum`

// scriptRow compares a loop in QuickJS, itself a contract, with the same module in a bare runtime: what gas, depth and
// canonical NaNs cost a large program.
func scriptRow(ctx context.Context, b *bench, engine *contract.Engine, bare *bare) error {
	code, err := enclavetest.ReadContract(filepath.Join("tests", "contracts", "script", "script.contract"))
	if err != nil {
		return err
	}
	text := []byte(scriptLoop)
	input := code.Input("eval", scale.AppendCompact(nil, uint64(len(text))), text)
	metered, err := prepared(ctx, engine, code.Wasm, code.Input("new"), input)
	if err != nil {
		return err
	}
	own, err := ownMemory(code.Wasm)
	if err != nil {
		return err
	}
	plain, err := bare.prepare(ctx, own, input)
	if err != nil {
		return err
	}
	d, err := medians(ctx, b.samples(30), step{"metered script", metered}, step{"bare script", plain})
	if err != nil {
		return err
	}
	b.add("quickjs_loop", millis(d[0]), "ms", millis(d[1]))
	return nil
}

// pair times something beside its reference, in turns, and adds the row.
func (b *bench) pair(ctx context.Context, name string, measured, reference step) error {
	d, err := medians(ctx, b.samples(2000), measured, reference)
	if err != nil {
		return err
	}
	b.add(name, micros(d[0]), "µs", micros(d[1]))
	return nil
}

// poolRow counts everything that a call allocates, on Go's heap. Linear memory is a part of that, so a figure below one
// memory says that none was allocated.
func poolRow(b *bench, call func(int) error) error {
	calls := b.samples(1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range calls {
		if err := call(i); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	b.add("pool", float64(after.TotalAlloc-before.TotalAlloc)/float64(calls), "B", pages*page)
	return nil
}

// prepared deploys a contract on a storage of its own and returns a call of it. The first input is the constructor's
// where there are two.
func prepared(ctx context.Context, engine *contract.Engine, code []byte, inputs ...[]byte) (func(int) error, error) {
	m, err := engine.Prepare(ctx, code)
	if err != nil {
		return nil, err
	}
	storage := contract.NewMapStorage()
	do := func(deploy bool, input []byte) error {
		return done(engine.Execute(ctx, m, contract.Call{Deploy: deploy, Input: input, GasLimit: plenty}, storage))
	}
	if err := do(true, inputs[0]); err != nil {
		return nil, err
	}
	message := inputs[len(inputs)-1]
	return func(int) error { return do(false, message) }, nil
}

// done makes an error of a call that did not end well.
func done(out contract.Outcome, err error) error {
	if err == nil && out.Status != contract.Done {
		err = fmt.Errorf("%w: %s %s", errWrong, out.Status, out.Reason)
	}
	return err
}
