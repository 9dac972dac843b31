package contract

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// requireEqual demands deep equality.
func requireEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// TestEnds has one contract for every way to end.
func TestEnds(t *testing.T) {
	plain := func(code ...[]byte) func(*asm.Module) [][]byte {
		return func(*asm.Module) [][]byte { return code }
	}
	cases := []struct {
		name  string
		want  Status
		build func(m *asm.Module) [][]byte
	}{
		{"falls off the end", Done, plain()},
		{"returns", Done, func(m *asm.Module) [][]byte { return [][]byte{returning(m)(0, 0, 4)} }},
		{"reverts", Reverted, func(m *asm.Module) [][]byte { return [][]byte{returning(m)(1, 0, 4)} }},
		{"unknown flags", Trapped, func(m *asm.Module) [][]byte { return [][]byte{returning(m)(2, 0, 4)} }},
		{"unreachable", Unreachable, plain(asm.Unreachable)},
		{"division by zero", DivisionByZero, plain(asm.I32(1), asm.I32(0), asm.I32DivU, asm.Drop)},
		{"division overflow", IntegerOverflow, plain(asm.I32(-1<<31), asm.I32(-1), asm.I32DivS, asm.Drop)},
		{"NaN to integer", IntegerOverflow, plain(asm.F32(0x7fc00000), asm.I32TruncF32, asm.Drop)},
		{"load out of bounds", BadMemoryAccess, plain(asm.I32(-1), asm.Load(0), asm.Drop)},
		{"store at the last byte", BadMemoryAccess, plain(asm.I32(2<<16-1), asm.I32(1), asm.Store(0))},
		{"address plus offset wraps", BadMemoryAccess, plain(asm.I32(-4), asm.Load(8), asm.Drop)},
		{"endless loop", OutOfGas, plain(asm.Loop(asm.Br(0)))},
		{"endless recursion", DepthExceeded, plain(asm.Call(0))},
		{"empty table entry", BadIndirectCall, func(m *asm.Module) [][]byte {
			m.Table(4)
			return [][]byte{asm.I32(1), asm.CallIndirect(m.Type("", ""))}
		}},
		{"no table entry", BadIndirectCall, func(m *asm.Module) [][]byte {
			m.Table(4)
			return [][]byte{asm.I32(4), asm.CallIndirect(m.Type("", ""))}
		}},
		{"table entry of another type", BadIndirectCall, func(m *asm.Module) [][]byte {
			m.Table(1)
			m.Elem(0, 0)
			return [][]byte{asm.I32(7), asm.I32(0), asm.CallIndirect(m.Type("i", ""))}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := run(t, asm.Contract("", c.build), newStorage())
			requireEqual(t, "status", out.Status, c.want)
			if (out.Status == OutOfGas) != (out.GasUsed == plenty) {
				t.Fatalf("gas used %d", out.GasUsed)
			}
		})
	}
}

// TestDeployAndCall checks that the entry point follows the call.
func TestDeployAndCall(t *testing.T) {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	ret := returning(m)
	m.Data(0, []byte("deploycall"))
	m.Entry(m.Func("", "", "", ret(0, 0, 6)), m.Func("", "", "", ret(0, 6, 4)))
	for deploy, want := range map[bool]string{true: "deploy", false: "call"} {
		call := sampleCall(plenty)
		call.Deploy = deploy
		out := runBoth(t, DefaultLimits(), m.Bytes(), call, newStorage())
		requireEqual(t, "output", string(out.Output), want)
	}
}

// TestExactGas finds the least gas that a call needs: it is what a call with plenty reports, one less runs out.
func TestExactGas(t *testing.T) {
	code := asm.Contract("i", func(m *asm.Module) [][]byte {
		ret := returning(m)
		return [][]byte{
			asm.I32(1000), asm.Set(0),
			asm.Loop(asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0)),
			asm.I32(0), asm.I32(7), asm.I32(5000), asm.MemoryFill,
			asm.I32(1), asm.MemoryGrow, asm.Drop,
			ret(0, 0, 8),
		}
	})
	full := run(t, code, newStorage())
	requireEqual(t, "status", full.Status, Done)
	requireEqual(t, "output", full.Output, []byte{7, 7, 7, 7, 7, 7, 7, 7})
	for _, gas := range []uint64{0, 1, full.GasUsed / 2, full.GasUsed - 1, full.GasUsed} {
		out := runBoth(t, DefaultLimits(), code, sampleCall(gas), newStorage())
		want := Outcome{Status: OutOfGas, GasUsed: gas}
		if gas == full.GasUsed {
			want = full
		}
		requireEqual(t, "outcome", out, want)
	}
}

// TestOverdraftWithoutCheck: a contract that returns before the next check, having overdrawn, has run out all the same.
func TestOverdraftWithoutCheck(t *testing.T) {
	long := asm.Repeat(5000, asm.I32(1), asm.Drop)
	for name, tail := range map[string][]byte{"return": nil, "trap": asm.Unreachable} {
		code := asm.Contract("", func(*asm.Module) [][]byte {
			return [][]byte{asm.Block(asm.I32(1), asm.BrIf(0)), long, tail}
		})
		used := run(t, code, newStorage()).GasUsed
		out := runBoth(t, DefaultLimits(), code, sampleCall(used-1), newStorage())
		requireEqual(t, name, out.Status, OutOfGas)
	}
}

func TestHighGasLimits(t *testing.T) {
	code := asm.Contract("", func(*asm.Module) [][]byte { return nil })
	for _, gas := range []uint64{MaxGas - 1, MaxGas, 1 << 63, ^uint64(0)} {
		out := runBoth(t, DefaultLimits(), code, sampleCall(gas), newStorage())
		requireEqual(t, "status", out.Status, Done)
		if out.GasUsed > 100_000 {
			t.Fatalf("gas used %d", out.GasUsed)
		}
	}
}

// TestRefused checks what the engine refuses and that the reason names it.
func TestRefused(t *testing.T) {
	e := startEngine(t, DefaultLimits(), engines[0].config())
	cases := map[string]struct {
		reason string
		build  func(m *asm.Module) [][]byte
	}{
		"unknown function": {`"seal0" "instantiate_nothing" is not offered`, func(m *asm.Module) [][]byte {
			m.Import("seal0", "instantiate_nothing", "", "")
			return nil
		}},
		"chain extension": {`"seal1" "call_chain_extension" is not offered`, func(m *asm.Module) [][]byte {
			m.Import("seal1", "call_chain_extension", "iiiii", "i")
			return nil
		}},
		"another module": {`"wasi_snapshot_preview1" "fd_write" is not offered`, func(m *asm.Module) [][]byte {
			m.Import("wasi_snapshot_preview1", "fd_write", "iiii", "i")
			return nil
		}},
		"another type": {`"seal0" "caller" is imported with another type`, func(m *asm.Module) [][]byte {
			m.Import("seal0", "caller", "i", "")
			return nil
		}},
		"imported global": {`import "env" "g"`, func(m *asm.Module) [][]byte {
			m.RawImport("env", "g", 3, 0x7f, 0)
			return nil
		}},
		"start function": {"start function", func(m *asm.Module) [][]byte {
			m.Start = new(uint32)
			return nil
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := e.Prepare(t.Context(), asm.Contract("", c.build))
			if !errors.Is(err, ErrBadModule) || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
		})
	}
	if _, err := e.Prepare(t.Context(), make([]byte, 1<<20+1)); !errors.Is(err, ErrBadModule) {
		t.Fatalf("code over a mebibyte: %v", err)
	}
}

func TestStatusStrings(t *testing.T) {
	seen := map[string]bool{}
	for s := Done; s <= Unsupported; s++ {
		if seen[s.String()] || strings.HasPrefix(s.String(), "status") {
			t.Errorf("status %d: %q", uint8(s), s)
		}
		seen[s.String()] = true
	}
	requireEqual(t, "unknown", Status(200).String(), "status 200")
}
