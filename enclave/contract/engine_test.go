package contract

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// engines are the two of wazero; results must agree on both.
var engines = []struct {
	name   string
	config func() wazero.RuntimeConfig
}{{"compiler", wazero.NewRuntimeConfigCompiler}, {"interpreter", wazero.NewRuntimeConfigInterpreter}}

func startEngine(t testing.TB, limits Limits, config wazero.RuntimeConfig) *Engine {
	t.Helper()
	e, err := newEngine(t.Context(), limits, config, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func prepare(t testing.TB, e *Engine, code []byte) *Module {
	t.Helper()
	m, err := e.Prepare(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sampleCall(gas uint64) Call {
	c := Call{GasLimit: gas, Height: 77, TimeMillis: 1_700_000_000_123, Value: uint128.From64(5)}
	for i := range 32 {
		c.Contract[i], c.Caller[i], c.Seed[i] = 0xc0, byte(i), byte(0x80+i)
	}
	return c
}

// runBoth runs code on both engines from equal storage, twice on each, so that the second call may get the instance of
// the first. It demands equal outcomes and storage, and gives them.
func runBoth(t *testing.T, limits Limits, code []byte, call Call, storage *MapStorage) Outcome {
	t.Helper()
	var first Outcome
	var written *MapStorage
	for i, kind := range engines {
		e := startEngine(t, limits, kind.config())
		m := prepare(t, e, code)
		before := storage.Clone()
		again, err := e.Execute(t.Context(), m, call, before)
		if err != nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
		s := storage.Clone()
		out, err := e.Execute(t.Context(), m, call, s)
		if err != nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
		requireEqual(t, "outcome of the second call", out, again)
		requireEqual(t, "storage of the second call", s, before)
		if i == 0 {
			first, written = out, s
			continue
		}
		requireEqual(t, "outcome on "+kind.name, out, first)
		requireEqual(t, "storage on "+kind.name, s, written)
	}
	*storage = *written
	return first
}

const plenty = 1 << 24

// run is runBoth with the default limits and plenty of gas.
func run(t *testing.T, code []byte, storage *MapStorage) Outcome {
	t.Helper()
	return runBoth(t, DefaultLimits(), code, sampleCall(plenty), storage)
}

// returning calls seal_return(flags, ptr, n).
func returning(m *asm.Module) func(flags, ptr, n int32) []byte {
	f := m.Import("seal0", "seal_return", "iii", "")
	return func(flags, ptr, n int32) []byte {
		return asm.Cat(asm.I32(flags), asm.I32(ptr), asm.I32(n), asm.Call(f))
	}
}
