package instrument

import (
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// smallLoop is arithmetic with a load, a store and a branch: the worst there is for metering, for its runs are short
// and everything else is in registers.
func smallLoop(turns int32) []byte {
	m := new(asm.Module)
	m.Memory(1, 1)
	f := m.Func("", "", "ii", asm.I32(turns), asm.Set(0), asm.Loop(
		asm.I32(64), asm.I32(64), asm.Load(0), asm.Get(0), asm.I32Add, asm.Store(0),
		asm.Get(1), asm.Get(0), []byte{0x6c}, asm.I32(7), asm.I32Add, asm.Set(1),
		asm.Block(asm.Get(1), asm.I32(3), []byte{0x71}, asm.BrIf(0), asm.Get(1), asm.I32(5), []byte{0x73}, asm.Set(1)),
		asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0)))
	m.Entry(f, f)
	return m.Bytes()
}

// interpreterLoop does what a language's interpreter in a contract does: it fetches an instruction from memory,
// dispatches through a table of branches, and works on a stack of tagged values in memory, with calls for what is not
// done in place.
func interpreterLoop(turns int32) []byte {
	const counter, code, stack, slot = 16, 64, 1024, 16
	m := new(asm.Module)
	m.Memory(1, 1)
	m.Table(2)
	and, mul, xor, eq := []byte{0x71}, []byte{0x6c}, []byte{0x73}, []byte{0x46}
	// Pushing and popping check the tag, as interpreters do before they take the fast way.
	push := m.Func("ii", "i", "", asm.Get(0), asm.Get(1), asm.Store(0), asm.Get(0), asm.I32(1), asm.Store(8), asm.Get(0), asm.I32(slot), asm.I32Add)
	slow := m.Func("i", "i", "", asm.Get(0), asm.Load(8), asm.I32(1), asm.I32Ne, asm.If(asm.Unreachable), asm.Get(0), asm.Load(0))
	add := m.Func("ii", "i", "", asm.Get(0), asm.Get(1), asm.Call(slow), asm.Get(0), asm.Call(slow), asm.I32Add, asm.Call(push), asm.I32(slot), asm.I32Sub)
	less := m.Func("ii", "i", "", asm.Get(0), asm.Get(1), asm.Call(slow), asm.Get(0), asm.Call(slow), mul, asm.I32(9), xor, asm.Call(push), asm.I32(slot), asm.I32Sub)
	m.Elem(0, add, less)
	pair := m.Type("ii", "i")
	const sp, pc, op = 0, 1, 2
	top := asm.Cat(asm.Get(sp), asm.I32(slot), asm.I32Sub)
	second := asm.Cat(asm.Get(sp), asm.I32(2*slot), asm.I32Sub)
	integers := asm.Cat(second, asm.Load(8), top, asm.Load(8), and, asm.I32(1), eq)
	binary := func(fast []byte, entry int32) []byte {
		return asm.Cat(integers, []byte{0x04, 0x40}, second, second, asm.Load(0), top, asm.Load(0), fast, asm.Store(0),
			asm.Else, second, top, asm.I32(entry), asm.CallIndirect(pair), asm.Drop, asm.End, top, asm.Set(sp))
	}
	indirect := func(entry int32) []byte {
		return asm.Cat(second, top, asm.I32(entry), asm.CallIndirect(pair), asm.Drop, top, asm.Set(sp))
	}
	handlers := [][]byte{
		asm.Cat(asm.Get(sp), asm.Get(op), asm.I32(counter), asm.Load(0), asm.I32Add, asm.Call(push), asm.Set(sp)), // push
		binary(asm.I32Add, 0), // add
		indirect(1),           // mix
		asm.Cat(top, asm.Set(sp), asm.I32(0), asm.Get(sp), asm.Load(0), asm.Store(0)), // store
		asm.Cat(asm.I32(counter), asm.I32(counter), asm.Load(0), asm.I32(1), asm.I32Sub, asm.Store(0),
			asm.I32(counter), asm.Load(0), asm.I32Eqz, asm.If(asm.Return), asm.I32(code), asm.Set(pc)), // next turn
	}
	// Blocks around the table: the branch to i ends the i-th inner block, behind which stands handler i.
	body := asm.Cat(asm.Get(op), []byte{0x0e}, asm.U32(uint32(len(handlers)-1)))
	for i := range handlers {
		body = append(body, asm.U32(uint32(i))...)
	}
	for i, h := range handlers {
		body = asm.Cat(asm.Block(body), h, asm.Br(uint32(len(handlers)-1-i)))
	}
	fetch := asm.Cat(asm.Get(pc), asm.Op(0x2d, 0, 0), asm.Set(op), asm.Get(pc), asm.I32(1), asm.I32Add, asm.Set(pc))
	f := m.Func("", "", "iii", asm.I32(counter), asm.I32(turns), asm.Store(0), asm.I32(stack), asm.Set(sp), asm.I32(code), asm.Set(pc),
		asm.Loop(fetch, body))
	m.Entry(f, f)
	m.Data(code, []byte{0, 0, 1, 0, 1, 0, 2, 0, 1, 3, 4})
	return m.Bytes()
}

// BenchmarkPass reports how many times longer loops take behind the pass than without it, in alternating runs.
func BenchmarkPass(b *testing.B) {
	for _, c := range []struct {
		name string
		code []byte
	}{{"small loop", smallLoop(20_000)}, {"interpreter", interpreterLoop(1_000)}} {
		b.Run(c.name, func(b *testing.B) {
			call := func(d door) func() time.Duration {
				cfg := config()
				cfg.door = d
				out, _, err := Instrument(c.code, cfg)
				if err != nil {
					b.Fatal(err)
				}
				r := wazero.NewRuntime(b.Context())
				b.Cleanup(func() { _ = r.Close(b.Context()) })
				m, err := r.Instantiate(b.Context(), out)
				if err != nil {
					b.Fatal(err)
				}
				f, gas := m.ExportedFunction(CallExport), m.ExportedGlobal(GasExport).(api.MutableGlobal)
				return func() time.Duration {
					gas.Set(1 << 60)
					start := time.Now()
					if err := f.CallWithStack(b.Context(), nil); err != nil {
						b.Fatal(err)
					}
					return time.Since(start)
				}
			}
			plain, pass := call(door{plain: true}), call(door{})
			var p, q []time.Duration
			for b.Loop() {
				p, q = append(p, plain()), append(q, pass())
			}
			b.ReportMetric(quick(q)/quick(p), "ratio")
			b.ReportMetric(quick(p), "plain-ns")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// quick is the time that a tenth of the runs stay below: what else the machine does hardly moves it.
func quick(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/10])
}
