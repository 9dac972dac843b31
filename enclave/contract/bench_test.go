package contract

import (
	"context"
	"runtime"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// flipper does what ink!'s flipper does for get: read the input, load its storage cell, return a byte of it.
func flipper() []byte { return flipperWith((*asm.Module).ImportMemory) }

func flipperWith(memory func(m *asm.Module, least, most uint32)) []byte {
	m := new(asm.Module)
	memory(m, 2, 16)
	input := m.Import("seal0", "input", "ii", "")
	get := m.Import("seal1", "get_storage", "iiii", "i")
	set := m.Import("seal2", "set_storage", "iiii", "i")
	ret := returning(m)
	size := asm.Cat(asm.I32(512), asm.I32(16384), asm.Store(0))
	deploy := m.Func("", "", "", asm.I32(0), asm.I32(4), asm.I32(100), asm.I32(1), asm.Call(set), asm.Drop)
	call := m.Func("", "", "", size, asm.I32(1024), asm.I32(512), asm.Call(input),
		size, asm.I32(0), asm.I32(4), asm.I32(1024), asm.I32(512), asm.Call(get), asm.If(asm.Unreachable),
		ret(0, 1024, 1))
	m.Entry(deploy, call)
	return m.Bytes()
}

func deployed(b testing.TB, e *Engine, m *Module) *MapStorage {
	b.Helper()
	storage := newStorage()
	call := sampleCall(plenty)
	call.Deploy = true
	if out, err := e.Execute(b.Context(), m, call, storage); err != nil || out.Status != Done {
		b.Fatal(out, err)
	}
	return storage
}

// BenchmarkCall is a whole flipper call.
func BenchmarkCall(b *testing.B) {
	e := startEngine(b, DefaultLimits(), wazero.NewRuntimeConfig())
	m := prepare(b, e, flipper())
	storage := deployed(b, e, m)
	call := sampleCall(plenty)
	call.Input = make([]byte, 4)
	b.ReportAllocs()
	for b.Loop() {
		if out, err := e.Execute(b.Context(), m, call, storage); err != nil || out.Status != Done {
			b.Fatal(out, err)
		}
	}
}

// BenchmarkBareCall is the same module, not instrumented, in wazero alone: compiled once, fresh instance and memory
// for each call, host functions that do nothing but what the contract needs.
func BenchmarkBareCall(b *testing.B) {
	ctx := b.Context()
	r := wazero.NewRuntime(ctx)
	defer r.Close(context.Background())
	i32 := api.ValueTypeI32
	host := func(module, name string, params int, result bool, f api.GoModuleFunc) {
		var p, q []api.ValueType
		for range params {
			p = append(p, i32)
		}
		if result {
			q = []api.ValueType{i32}
		}
		if _, err := r.NewHostModuleBuilder(module).NewFunctionBuilder().WithGoModuleFunction(f, p, q).Export(name).
			Instantiate(ctx); err != nil {
			b.Fatal(err)
		}
	}
	none := func(context.Context, api.Module, []uint64) {}
	host("seal2", "set_storage", 4, true, none)
	host("seal1", "get_storage", 4, true, func(_ context.Context, m api.Module, s []uint64) {
		m.Memory().WriteByte(uint32(s[2]), 1)
		s[0] = 0
	})
	nop := func(builder wazero.HostModuleBuilder, name string, params ...api.ValueType) wazero.HostModuleBuilder {
		return builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(none), params, nil).Export(name)
	}
	seal0 := nop(nop(r.NewHostModuleBuilder("seal0"), "input", i32, i32), "seal_return", i32, i32, i32)
	if _, err := seal0.Instantiate(ctx); err != nil {
		b.Fatal(err)
	}
	code := flipperWith((*asm.Module).Memory)
	compiled, err := r.CompileModule(ctx, code)
	if err != nil {
		b.Fatal(err)
	}
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	b.ReportAllocs()
	for b.Loop() {
		m, err := r.InstantiateModule(ctx, compiled, config)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.ExportedFunction("call").CallWithStack(ctx, nil); err != nil {
			b.Fatal(err)
		}
		if err := m.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCallAllocatesNoWasmMemory is the "pool" property: after the first call, calls take their memory from the pool.
func TestCallAllocatesNoWasmMemory(t *testing.T) {
	e := startEngine(t, DefaultLimits(), wazero.NewRuntimeConfig())
	m := prepare(t, e, flipper())
	storage := deployed(t, e, m)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const calls = 200
	for range calls {
		if out, err := e.Execute(t.Context(), m, sampleCall(plenty), storage); err != nil || out.Status != Done {
			t.Fatal(out, err)
		}
	}
	runtime.ReadMemStats(&after)
	if e.pool.made != 1 {
		t.Fatalf("%d slabs for calls in sequence", e.pool.made)
	}
	if each := (after.TotalAlloc - before.TotalAlloc) / calls; each > instrument.PageBytes {
		t.Fatalf("a call allocates %d bytes, more than a memory page", each)
	}
}

// BenchmarkHostCall is one of many host calls within a call.
func BenchmarkHostCall(b *testing.B) {
	e := startEngine(b, DefaultLimits(), wazero.NewRuntimeConfig())
	const calls = 10_000
	m := prepare(b, e, asm.Contract("i", func(m *asm.Module) [][]byte {
		return [][]byte{asm.I32(calls), asm.Set(0), asm.Loop(asm.Cat(hostCall(m, "seal0", "caller_is_origin")...),
			asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0))}
	}))
	benchmarkInner(b, e, m, calls)
}

func benchmarkInner(b *testing.B, e *Engine, m *Module, inner float64) {
	storage, call := newStorage(), sampleCall(1<<40)
	var gas float64
	for b.Loop() {
		out, err := e.Execute(b.Context(), m, call, storage)
		if err != nil || out.Status != Done {
			b.Fatal(out, err)
		}
		gas = float64(out.GasUsed)
	}
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(each/inner, "ns/inner")
	b.ReportMetric(each/gas, "ns/gas")
}

// BenchmarkGas measures how long a gas lasts in loops of different instructions: the price list is fair if the figures
// are near each other, and none may be far above the others.
func BenchmarkGas(b *testing.B) {
	const turns = 100_000
	loop := func(body ...[]byte) []byte {
		return asm.Cat(asm.I32(turns), asm.Set(0), asm.Loop(asm.Cat(body...),
			asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0)))
	}
	op := func(o byte) []byte { return []byte{o} }
	f64 := func(o byte) []byte {
		return loop(asm.Get(2), asm.F64(1.5), op(o), asm.Get(2), op(o), asm.Set(2))
	}
	cases := []struct {
		name string
		code []byte
	}{
		{"empty", loop()},
		{"add", loop(asm.Repeat(20, asm.Get(1), asm.Get(0), asm.I32Add, asm.Set(1)))},
		{"multiply", loop(asm.Repeat(20, asm.Get(1), asm.Get(0), op(0x6c), asm.Set(1)))},
		{"div32", loop(asm.Repeat(20, asm.I32(-1), asm.Get(0), op(0x6e), asm.Set(1)))},
		{"div64", loop(asm.Repeat(20, asm.I64(-1), asm.Get(0), op(0xad), op(0x80), op(0xa7), asm.Set(1)))},
		{"load", loop(asm.Repeat(20, asm.Get(1), asm.Load(0), asm.Set(1)))},
		{"store", loop(asm.Repeat(20, asm.I32(64), asm.Get(0), asm.Store(0)))},
		{"branches", loop(asm.Repeat(20, asm.Block(asm.Get(0), asm.I32(3), op(0x71), asm.BrIf(0), asm.Get(0), asm.Set(1))))},
		{"f64 add", f64(0xa0)}, {"f64 div", f64(0xa3)}, {"f64 max", f64(0xa5)},
		{"f64 sqrt", loop(asm.Repeat(5, asm.Get(2), op(0x9f), asm.Set(2)))},
		{"f64 nearest", loop(asm.Repeat(5, asm.Get(2), op(0x9e), asm.Set(2)))},
		{"f64 to u64", loop(asm.Repeat(5, asm.Get(2), []byte{0xfc, 7}, op(0xa7), asm.Set(1)))},
		{"leaf call", loop(asm.Repeat(5, asm.Call(0)))},
		{"calling call", loop(asm.Repeat(5, asm.Call(1)))},
		{"indirect call", loop(asm.Repeat(5, asm.I32(0), asm.CallIndirect(0)))},
		{"fill 8", loop(asm.Repeat(5, asm.I32(0), asm.I32(1), asm.I32(8), asm.MemoryFill))},
		{"copy 8", loop(asm.Repeat(5, asm.I32(0), asm.I32(64), asm.I32(8), asm.MemoryCopy))},
		{"fill 1000", loop(asm.I32(0), asm.I32(1), asm.I32(1000), asm.MemoryFill)},
		{"copy 32k", asm.Cat(asm.I32(0), loop(asm.I32(0), asm.I32(65000), asm.I32(32768), asm.MemoryCopy), asm.Drop)},
		{"global", loop(asm.Repeat(10, asm.Op(0x23, 0), asm.Op(0x24, 0)))},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			m := new(asm.Module)
			m.ImportMemory(2, 16)
			m.Table(1)
			m.Elem(0, 0)
			m.Global('i', true, asm.I32(0))
			leaf := m.Func("", "", "")
			m.Func("", "", "", asm.Call(leaf))
			f := m.Func("", "", "iid", asm.F64(1.25), asm.Set(2), c.code)
			m.Entry(f, f)
			e := startEngine(b, DefaultLimits(), wazero.NewRuntimeConfig())
			benchmarkInner(b, e, prepare(b, e, m.Bytes()), turns)
		})
	}
	b.Run("memory.grow", func(b *testing.B) {
		m := new(asm.Module)
		m.ImportMemory(2, 256)
		f := m.Func("", "", "", asm.Loop(asm.I32(1), asm.MemoryGrow, asm.I32(-1), asm.I32Ne, asm.BrIf(0)))
		m.Entry(f, f)
		e := startEngine(b, DefaultLimits(), wazero.NewRuntimeConfig())
		benchmarkInner(b, e, prepare(b, e, m.Bytes()), 254)
	})
}

// BenchmarkDepthTrap is the cheapest way to make the engine unwind its deepest stack.
func BenchmarkDepthTrap(b *testing.B) {
	e := startEngine(b, DefaultLimits(), wazero.NewRuntimeConfig())
	m := prepare(b, e, asm.Contract("", func(*asm.Module) [][]byte { return [][]byte{asm.Call(0)} }))
	for b.Loop() {
		if out, err := e.Execute(b.Context(), m, sampleCall(plenty), newStorage()); err != nil || out.Status != DepthExceeded {
			b.Fatal(out, err)
		}
	}
}
