package instrument

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// generator draws structured programs: functions that take and give an i32, over eight i32 locals, the memory and a
// fuel global that bounds every loop and call.
type generator struct {
	t     *rapid.T
	fuel  uint32 // global
	funcs uint32 // how many functions may be called
}

const localsOfFunction = 8

func (g *generator) pick(n int, what string) int { return rapid.IntRange(0, n-1).Draw(g.t, what) }

func (g *generator) local() uint32 { return uint32(g.pick(localsOfFunction+1, "local")) }

// expression pushes one i32.
func (g *generator) expression(depth int) []byte {
	switch g.pick(9, "expression") {
	case 0, 1:
		return asm.Get(g.local())
	case 2:
		return asm.I32(rapid.Int32().Draw(g.t, "constant"))
	case 3:
		return asm.Cat(asm.Get(g.local()), asm.I32(60), []byte{0x71}, asm.Load(4))
	case 4:
		if depth > 3 {
			return asm.I32(1)
		}
		return asm.Cat(g.expression(depth+1), g.expression(depth+1), []byte{byte(0x6a + g.pick(15, "op"))})
	case 5:
		if depth > 3 {
			return asm.MemorySize
		}
		return asm.Cat(g.expression(depth+1), []byte{0x04, 0x7f}, g.expression(depth+1), asm.Else, g.expression(depth+1), asm.End)
	case 6:
		return asm.Cat(asm.Get(g.local()), asm.Call(uint32(g.pick(int(g.funcs), "callee"))))
	case 7:
		return asm.Cat(asm.Get(g.local()), asm.I32(3), []byte{0x71}, asm.Set(0), asm.Get(g.local()), asm.Get(0), asm.CallIndirect(0))
	default:
		if depth > 3 {
			return asm.I32(2)
		}
		return asm.Cat([]byte{0x02, 0x7f}, g.expression(depth+1), g.expression(depth+1), asm.BrIf(0), asm.End)
	}
}

// burn traps when the fuel is used up.
func (g *generator) burn() []byte {
	return asm.Cat(asm.Op(0x23, g.fuel), asm.I32(1), asm.I32Sub, asm.Op(0x24, g.fuel),
		asm.Op(0x23, g.fuel), asm.I32Eqz, asm.If(asm.Unreachable))
}

// statements gives code with an unchanged stack; labels is the number of blocks around it, the function included.
func (g *generator) statements(depth, labels int) (code []byte) {
	for range g.pick(4, "statements") + 1 {
		code = append(code, g.statement(depth, labels)...)
	}
	return code
}

func (g *generator) statement(depth, labels int) []byte {
	kinds := 11
	if depth > 4 {
		kinds = 5
	}
	// Branches to the function's own label carry its result, so they go one less deep.
	target := func() uint32 { return uint32(g.pick(labels, "label")) }
	switch g.pick(kinds, "statement") {
	case 0, 1:
		return asm.Cat(g.expression(0), asm.Set(g.local()))
	case 2:
		return asm.Cat(asm.Get(g.local()), asm.I32(60), []byte{0x71}, g.expression(0), asm.Store(4))
	case 3:
		if labels == 0 {
			return asm.Nop
		}
		return asm.Cat(g.expression(0), asm.BrIf(target()))
	case 4:
		return asm.Cat(g.expression(2), asm.I32(7), []byte{0x71}, asm.I32Eqz, asm.If(g.expression(2), asm.Return))
	case 5, 6:
		return asm.Block(g.statements(depth+1, labels+1))
	case 7:
		return asm.Loop(g.burn(), g.statements(depth+1, labels+1))
	case 8:
		return asm.Cat(g.expression(0), []byte{0x04, 0x40}, g.statements(depth+1, labels+1), asm.Else,
			g.statements(depth+1, labels+1), asm.End)
	case 9:
		if labels == 0 {
			return asm.Nop
		}
		table := asm.Cat(g.expression(0), []byte{0x0e}, asm.U32(3))
		for range 4 {
			table = append(table, asm.U32(target()+1)...)
		}
		return asm.Block(table, asm.I32Add, asm.Drop) // dead code behind it
	default:
		return asm.Cat(asm.I32(64), asm.I32(4), g.expression(2), asm.I32(31), []byte{0x71}, asm.MemoryCopy)
	}
}

func drawModule(t *rapid.T) []byte {
	m := new(asm.Module)
	m.Memory(1, 16)
	g := &generator{t: t, funcs: uint32(rapid.IntRange(1, 4).Draw(t, "functions"))}
	typ := m.Type("i", "i")
	g.fuel = m.Global('i', true, asm.I32(200))
	m.Table(4)
	for i := range g.funcs {
		m.Elem(int32(i), i)
		body := []byte{1, localsOfFunction, byte(I32)}
		body = append(body, g.burn()...)
		// A block without result around it all: every label that statements use carries nothing.
		body = append(body, asm.Block(g.statements(0, 1))...)
		body = append(body, asm.Cat(g.expression(0), asm.End)...)
		m.RawFunc(typ, body)
	}
	f := m.Func("", "", "", asm.I32(0), asm.I32(5), asm.Call(0), asm.Store(0))
	m.Entry(f, f)
	return m.Bytes()
}

// observe runs call and gives the memory and how it ended.
func observe(t testing.TB, code []byte, config wazero.RuntimeConfig, gas uint64) (memory []byte, end string, left int64) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	global, ok := m.ExportedGlobal(GasExport).(api.MutableGlobal)
	if ok {
		global.Set(gas)
	}
	_, err = m.ExportedFunction(CallExport).Call(ctx)
	if err != nil {
		end, _, _ = strings.Cut(err.Error(), "\n")
	}
	if ok {
		left = int64(global.Get())
		if used := uint32(m.ExportedGlobal(StackExport).Get()); err == nil && used != 0 {
			t.Fatalf("%d stack slots held at the end", used)
		}
	}
	memory, _ = m.Memory().Read(0, PageBytes)
	return bytes.Clone(memory), end, left
}

// TestMeaningIsKept: instrumented code does what the original does, ends as it does, leaves the stack count at zero and
// uses the same gas on both engines, which is exactly enough: one gas less runs out.
func TestMeaningIsKept(t *testing.T) {
	const plenty = 1 << 40
	ended := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		code := drawModule(rt)
		out, _, err := Instrument(code, config())
		if err != nil {
			rt.Fatal(err)
		}
		memory, end, _ := observe(t, code, wazero.NewRuntimeConfigInterpreter(), 0)
		ended[end]++
		mem, e, left := observe(t, out, wazero.NewRuntimeConfigInterpreter(), plenty)
		if e != end || !bytes.Equal(mem, memory) {
			rt.Fatalf("interpreter: %q, original %q, memory equal %v", e, end, bytes.Equal(mem, memory))
		}
		mem2, e2, left2 := observe(t, out, wazero.NewRuntimeConfigCompiler(), plenty)
		if e2 != end || left2 != left || !bytes.Equal(mem2, memory) {
			rt.Fatalf("compiler: %q with %d left, interpreter %q with %d", e2, left2, e, left)
		}
		used := uint64(plenty - left)
		if _, _, rest := observe(t, out, wazero.NewRuntimeConfigCompiler(), used); rest != 0 {
			rt.Fatalf("with exactly %d gas %d are left", used, rest)
		}
		if _, _, rest := observe(t, out, wazero.NewRuntimeConfigCompiler(), used-1); rest >= 0 {
			rt.Fatalf("with one gas less %d are left", rest)
		}
	})
	if ended[""] == 0 {
		t.Fatalf("no drawn program returns: %v", ended)
	}
	t.Log(ended)
}

// TestGasByHand computes the gas of small programs from the price list.
func TestGasByHand(t *testing.T) {
	w := &Weights
	cases := map[string]struct {
		locals string
		code   []byte
		want   uint64
	}{
		"nothing":        {"", nil, w.Entry},
		"locals":         {"il", nil, w.Entry + 2},
		"structure":      {"", asm.Block(asm.Nop, asm.Block()), w.Entry},
		"taken if":       {"", asm.Cat(asm.I32(1), asm.If(asm.I32(2), asm.Drop)), w.Entry + 1 + w.BranchIf + 2},
		"not taken if":   {"", asm.Cat(asm.I32(0), asm.If(asm.I32(2), asm.Drop)), w.Entry + 1 + w.BranchIf},
		"else":           {"", asm.Cat(asm.I32(0), []byte{4, 0x40}, asm.I32(1), asm.Drop, asm.Else, asm.Repeat(3, asm.I32(1), asm.Drop), asm.End), w.Entry + 1 + w.BranchIf + 6},
		"jump over":      {"", asm.Block(asm.Br(0), asm.I32(1), asm.Drop), w.Entry + w.Branch + 2}, // dead code is in the run
		"jump over rest": {"", asm.Block(asm.I32(1), asm.BrIf(0), asm.Repeat(9, asm.I32(1), asm.Drop)), w.Entry + 1 + w.BranchIf},
		"loop of 10": {"i", asm.Cat(asm.I32(10), asm.Set(0), asm.Loop(asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0))),
			w.Entry + 1 + 2 + 10*(w.Loop+4+w.BranchIf)},
		"return":    {"", asm.Cat(asm.Return, asm.I32(1), asm.Drop), w.Entry + w.Branch + 2},
		"division":  {"", asm.Cat(asm.I32(9), asm.I32(3), asm.I32DivU, asm.Drop), w.Entry + 3 + w.Divide},
		"grow by 2": {"", asm.Cat(asm.I32(2), asm.MemoryGrow, asm.Drop), w.Entry + 2 + w.Grow + 2*w.GrowPage},
		"fill 1000": {"", asm.Cat(asm.I32(0), asm.I32(0), asm.I32(1000), asm.MemoryFill), w.Entry + 3 + w.Bulk + 1000>>bulkShift},
		"add":       {"", asm.Cat(asm.F64(1), asm.F64(2), []byte{0xa0}, asm.Drop), w.Entry + 3 + w.Float},
		"sqrt":      {"", asm.Cat(asm.F64(2), []byte{0x9f}, asm.Drop), w.Entry + 2 + w.FloatDivide},
	}
	for name, c := range cases {
		m := new(asm.Module)
		m.Memory(1, 16)
		f := m.Func("", "", c.locals, c.code)
		m.Entry(f, f)
		out, _, err := Instrument(m.Bytes(), config())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		const plenty = 1 << 30
		_, end, left := observe(t, out, wazero.NewRuntimeConfigCompiler(), plenty)
		if used := uint64(plenty - left); end != "" || used != c.want {
			t.Errorf("%s: %d gas, want %d (%s)", name, used, c.want, end)
		}
	}
}
