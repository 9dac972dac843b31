package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/phalanx-network/phalanx/enclave/contract"
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
	bare, err := newBare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.runtime.Close(context.Background())) }()
	call, err := prepared(ctx, engine, flipper(false), contract.NewMapStorage())
	if err != nil {
		return err
	}
	plain, err := bare.prepare(ctx, flipper(true))
	if err != nil {
		return err
	}
	d, err := medians(ctx, b.samples(2000), step{"engine call", call}, step{"bare call", plain})
	if err != nil {
		return err
	}
	b.add("engine_call", micros(d[0]), "µs", micros(d[1]))
	if err := meteringRow(ctx, b, engine, bare); err != nil {
		return err
	}
	return poolRow(b, call)
}

func meteringRow(ctx context.Context, b *bench, engine *contract.Engine, bare *bare) error {
	const turns = 20_000
	metered, err := prepared(ctx, engine, loop(false, turns), contract.NewMapStorage())
	if err != nil {
		return err
	}
	plain, err := bare.prepare(ctx, loop(true, turns))
	if err != nil {
		return err
	}
	d, err := medians(ctx, b.samples(1000), step{"metered loop", metered}, step{"bare loop", plain})
	if err != nil {
		return err
	}
	b.add("metering", micros(d[0]), "µs", micros(d[1]))
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

// prepared deploys a contract on a storage and returns a call of it. The module may be without a constructor's work.
func prepared(ctx context.Context, engine *contract.Engine, code []byte, storage contract.Storage) (func(int) error, error) {
	m, err := engine.Prepare(ctx, code)
	if err != nil {
		return nil, err
	}
	do := func(deploy bool) error {
		call := contract.Call{Deploy: deploy, Input: make([]byte, 4), GasLimit: plenty}
		return done(engine.Execute(ctx, m, call, storage))
	}
	if err := do(true); err != nil {
		return nil, err
	}
	return func(int) error { return do(false) }, nil
}

// done makes an error of a call that did not end well.
func done(out contract.Outcome, err error) error {
	if err == nil && out.Status != contract.Done {
		err = fmt.Errorf("%w: %s %s", errWrong, out.Status, out.Reason)
	}
	return err
}

// bare is wazero without anything of ours: the module as it is, a fresh instance for each call whose memory is taken
// from a pool of one, and host functions that do no more than the contract needs.
type bare struct {
	runtime wazero.Runtime
	slab    slab
}

func newBare(ctx context.Context) (*bare, error) {
	b := &bare{runtime: wazero.NewRuntime(ctx), slab: slab{make([]byte, 16*page), 0}}
	params := []api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}
	result := []api.ValueType{api.ValueTypeI32}
	none := func(context.Context, api.Module, []uint64) {}
	get := func(_ context.Context, m api.Module, s []uint64) {
		m.Memory().WriteByte(uint32(s[2]), 1)
		s[0] = 0
	}
	for _, m := range []struct {
		name, function string
		params         int
		result         []api.ValueType
		do             api.GoModuleFunc
	}{{"seal1", "get_storage", 4, result, get}, {"seal2", "set_storage", 4, result, none}} {
		host := b.runtime.NewHostModuleBuilder(m.name).NewFunctionBuilder().WithGoModuleFunction(m.do, params[:m.params], m.result)
		if _, err := host.Export(m.function).Instantiate(ctx); err != nil {
			return nil, err
		}
	}
	host := b.runtime.NewHostModuleBuilder("seal0")
	host = host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(none), params[:2], nil).Export("input")
	host = host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(none), params[:3], nil).Export("seal_return")
	_, err := host.Instantiate(ctx)
	return b, err
}

// prepare compiles a module and returns a call of it.
func (b *bare) prepare(ctx context.Context, code []byte) (func(int) error, error) {
	compiled, err := b.runtime.CompileModule(ctx, code)
	if err != nil {
		return nil, err
	}
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(zeros{})
	ctx = experimental.WithMemoryAllocator(ctx, &b.slab)
	return func(int) error {
		m, err := b.runtime.InstantiateModule(ctx, compiled, config)
		if err != nil {
			return err
		}
		return errors.Join(m.ExportedFunction("call").CallWithStack(ctx, nil), m.Close(ctx))
	}, nil
}

// zeros is read once for each instance, which costs more than it should with the default source.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// slab is the one memory that calls take, one after the other; it is zeroed after each.
type slab struct {
	bytes []byte
	used  int
}

// Allocate implements wazero's allocator.
func (s *slab) Allocate(_, _ uint64) experimental.LinearMemory { return s }

// Reallocate implements wazero's linear memory.
func (s *slab) Reallocate(size uint64) []byte {
	s.used = int(size)
	return s.bytes[:size:size]
}

// Free implements wazero's linear memory.
func (s *slab) Free() {
	clear(s.bytes[:s.used])
	s.used = 0
}
