package contract

import (
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// leaveTraces builds a contract that returns four bytes of its data segment and its global, and then changes both, and
// memory elsewhere, in the way that the input's first byte says.
func leaveTraces() []byte {
	m := new(asm.Module)
	m.ImportMemory(1, 16)
	input := m.Import("seal0", "input", "ii", "")
	ret := m.Import("seal0", "seal_return", "iii", "")
	set := asm.Op(0x24, 0)
	get := asm.Op(0x23, 0)
	m.Global('i', true, asm.I32(41))
	m.Data(100, []byte("data"))
	m.Data(256, []byte{64, 0, 0, 0})
	store := func(at, v int32) []byte { return asm.Cat(asm.I32(at), asm.I32(v), asm.Store(0)) }
	is := func(v int32, then ...[]byte) []byte {
		return asm.Cat(asm.I32(300), asm.Load(0), asm.I32(v), asm.I32Ne, asm.I32Eqz, asm.If(then...))
	}
	f := m.Func("", "", "",
		asm.I32(300), asm.I32(256), asm.Call(input),
		// What the last call left would show here: data, global, and the words that are changed below.
		asm.I32(0), asm.I32(100), asm.Load(0), asm.Store(0),
		asm.I32(4), get, asm.Store(0),
		asm.I32(8), asm.I32(60000), asm.Load(0), asm.Store(0),
		asm.I32(12), asm.MemorySize, asm.Store(0),
		store(100, 7), store(60000, 7), asm.I32(99), set,
		is(1, asm.Unreachable),
		is(2, asm.Loop(asm.Br(0))),
		is(3, asm.I32(2), asm.MemoryGrow, asm.Drop),
		is(4, asm.I32(1), asm.I32(0), asm.I32(16), asm.Call(ret)),
		asm.I32(0), asm.I32(0), asm.I32(16), asm.Call(ret))
	m.Entry(f, f)
	return m.Bytes()
}

// TestInstanceIsFresh: however a call ends, the next one of the same code finds memory and globals as the module
// says, and it does get the instance of the one before where that has not grown.
func TestInstanceIsFresh(t *testing.T) {
	fresh := []byte{'d', 'a', 't', 'a', 41, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}
	for _, kind := range engines {
		e := startEngine(t, DefaultLimits(), kind.config())
		m := prepare(t, e, leaveTraces())
		execute := func(how byte) Outcome {
			t.Helper()
			call := sampleCall(1 << 20)
			call.Input = []byte{how, 0, 0, 0}
			out, err := e.Execute(t.Context(), m, call, newStorage())
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		for how, want := range []Status{Done, Unreachable, OutOfGas, Done, Reverted} {
			requireEqual(t, "status", execute(byte(how)).Status, want)
			kept := 1
			if how == 3 {
				kept = 0 // it has grown
			}
			requireEqual(t, "instances that wait", len(m.idle), kept)
			for _, i := range m.idle {
				requireEqual(t, "budget", i.lease.budget, (*budget)(nil))
				requireEqual(t, "memory", i.lease.view()[60000:60004], make([]byte, 4))
			}
			out := execute(0)
			requireEqual(t, "status", out.Status, Done)
			requireEqual(t, kind.name+": what the next call finds", out.Output, fresh)
		}
	}
}

// TestIdleInstancesAreBounded: they are given up with their module, and where they take too much.
func TestIdleInstancesAreBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.CachedModules, limits.IdleBytes = 2, 1<<16
	e := startEngine(t, limits, wazero.NewRuntimeConfig())
	call := func(m *Module) {
		t.Helper()
		if _, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage()); err != nil {
			t.Fatal(err)
		}
	}
	one := prepare(t, e, leaveTraces())
	call(one)
	requireEqual(t, "idle bytes", e.idleBytes, 1<<16)
	two := prepare(t, e, asm.Contract("", func(*asm.Module) [][]byte { return nil }))
	call(two)
	requireEqual(t, "instances of the second", len(two.idle), 0)
	prepare(t, e, asm.Contract("i", func(*asm.Module) [][]byte { return nil }))
	requireEqual(t, "instances of the first, out of the cache", len(one.idle), 0)
	requireEqual(t, "idle bytes", e.idleBytes, 0)
	call(one) // it is in the cache again
	requireEqual(t, "idle bytes", e.idleBytes, 1<<16)
}
