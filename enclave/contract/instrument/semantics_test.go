package instrument

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// sight is what can be seen of a run.
type sight struct {
	memory []byte
	end    string   // the trap's text, if any
	asked  []uint64 // by calls of the host
	left   int64    // gas
	count  uint64   // of the reference
}

// stage is a compiled module with the host that generated modules import.
type stage struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	asked    []uint64 // of the host in the current run
}

func newStage(t testing.TB, code []byte, config wazero.RuntimeConfig) *stage {
	t.Helper()
	ctx := context.Background()
	s := &stage{runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	t.Cleanup(func() { _ = s.runtime.Close(ctx) })
	fee := func(_ context.Context, stack []uint64) {
		s.asked = append(s.asked, stack[0])
		stack[0] = uint64(uint32(stack[0] * 31))
	}
	i64, i32 := []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI32}
	builder := s.runtime.NewHostModuleBuilder("seal0").NewFunctionBuilder().WithGoFunction(api.GoFunc(fee), i64, i32)
	if _, err := builder.Export("fee").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.compiled, err = s.runtime.CompileModule(ctx, code); err != nil {
		t.Fatal(err)
	}
	return s
}

// observe runs call in a fresh instance.
func (st *stage) observe(t testing.TB, gas uint64) (s sight) {
	t.Helper()
	ctx := context.Background()
	st.asked = nil
	m, err := st.runtime.InstantiateModule(ctx, st.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(ctx)
	global, instrumented := m.ExportedGlobal(GasExport).(api.MutableGlobal)
	if instrumented {
		global.Set(gas)
	}
	if _, err = m.ExportedFunction(CallExport).Call(ctx); err != nil {
		s.end, _, _ = strings.Cut(err.Error(), "\n")
	}
	if instrumented {
		s.left = int64(global.Get())
		if used := uint32(m.ExportedGlobal(StackExport).Get()); err == nil && used != 0 {
			t.Fatalf("%d stack slots held at the end", used)
		}
	} else if count := m.ExportedGlobal(countExport); count != nil {
		s.count = count.Get()
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	s.memory, s.asked = bytes.Clone(memory), st.asked
	return s
}

// sameSight compares what a contract can show.
func sameSight(a, b sight) bool {
	return a.end == b.end && bytes.Equal(a.memory, b.memory) && slices.Equal(a.asked, b.asked)
}

// keepsMeaning demands that the contract made from choices does behind the pass what its reference does: the same
// memory, trap and host calls, on both engines; that it uses the same gas on both, which is what the reference counts
// if it returns, and no less if it traps; that this is exactly enough; and that no stack is held at the end.
func keepsMeaning(t testing.TB, choices []byte) (end string) {
	t.Helper()
	const plenty = 1 << 40
	interpreter, compiler := wazero.NewRuntimeConfigInterpreter(), wazero.NewRuntimeConfigCompiler()
	code := generate(choices, false)
	out, _, err := Instrument(code, config())
	if err != nil {
		t.Fatal(err)
	}
	want := newStage(t, generate(choices, true), interpreter).observe(t, 0)
	compiled := newStage(t, out, compiler)
	a, b := newStage(t, out, interpreter).observe(t, plenty), compiled.observe(t, plenty)
	if !sameSight(a, want) {
		t.Fatalf("interpreter ends with %q, the reference with %q, memory equal %v", a.end, want.end, bytes.Equal(a.memory, want.memory))
	}
	if !sameSight(b, want) || a.left != b.left {
		t.Fatalf("compiler ends with %q and %d left, interpreter with %q and %d", b.end, b.left, a.end, a.left)
	}
	used := uint64(plenty - a.left)
	if used < max(want.count, 1) || (want.end == "" && used != want.count) {
		t.Fatalf("%d gas, counted %d, ends with %q", used, want.count, want.end)
	}
	if s := compiled.observe(t, used); s.left != 0 || !sameSight(s, want) {
		t.Fatalf("with exactly %d gas %d are left", used, s.left)
	}
	if s := compiled.observe(t, used-1); s.left >= 0 {
		t.Fatalf("with one gas less %d are left", s.left)
	}
	if s, most := compiled.observe(t, used/2), overdraft(t, code); s.left < -most {
		t.Fatalf("with half the gas %d are left, and %d may be overdrawn", s.left, most)
	}
	return want.end
}

// overdraft is what a module may take before the next check: all of one body, and the entry of another or the price of
// memory by its size.
func overdraft(t testing.TB, code []byte) int64 {
	t.Helper()
	m, err := parse(code, config())
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	for i := range m.bodies {
		var body uint64
		for _, k := range m.bodies[i].marks {
			body += k.weight
		}
		most = max(most, body)
	}
	return int64(2*most + 2*Weights.GrowPage)
}

// generated gives the choices of the i-th generated module.
func generated(i uint64) []byte {
	r := rand.New(rand.NewPCG(i, 1))
	b := make([]byte, 200+r.IntN(4000))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestMeaningIsKept by generated modules, as many as PHALANX_GENERATED says, or 400.
func TestMeaningIsKept(t *testing.T) {
	n := uint64(400)
	if s := os.Getenv("PHALANX_GENERATED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 32); err != nil {
			t.Fatal(err)
		}
	}
	ended := map[string]int{}
	for i := range n {
		t.Run(strconv.FormatUint(i, 10), func(t *testing.T) { ended[keepsMeaning(t, generated(i))]++ })
	}
	if want := []string{"", "wasm error: unreachable", "wasm error: integer divide by zero", "wasm error: out of bounds memory access",
		"wasm error: invalid table access", "wasm error: indirect call type mismatch", "wasm error: invalid conversion to integer"}; n >= 400 {
		for _, end := range want {
			if ended[end] == 0 {
				t.Errorf("no generated module ends with %q: %v", end, ended)
			}
		}
	}
	t.Log(ended)
}

// FuzzPass lets the fuzzer choose the module.
func FuzzPass(f *testing.F) {
	f.Add([]byte{})
	for i := range uint64(8) {
		f.Add(generated(i)[:200])
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		keepsMeaning(t, choices[:min(len(choices), 1<<13)])
	})
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
		"jump over":      {"", asm.Block(asm.Br(0), asm.I32(1), asm.Drop), w.Entry + w.Branch}, // dead code costs nothing
		"jump over rest": {"", asm.Block(asm.I32(1), asm.BrIf(0), asm.Repeat(9, asm.I32(1), asm.Drop)), w.Entry + 1 + w.BranchIf},
		"loop of 10": {"i", asm.Cat(asm.I32(10), asm.Set(0), asm.Loop(asm.Get(0), asm.I32(1), asm.I32Sub, asm.Tee(0), asm.BrIf(0))),
			w.Entry + 1 + 2 + 10*(w.Loop+4+w.BranchIf)},
		"else leaves": {"", asm.Block(asm.I32(1), []byte{4, 0x40}, asm.I32(1), asm.Drop, asm.Else, asm.Br(1), asm.End, asm.I32(2), asm.Drop),
			w.Entry + 1 + w.BranchIf + 4},
		"if leaves": {"", asm.Block(asm.I32(0), []byte{4, 0x40}, asm.Br(1), asm.Else, asm.I32(1), asm.Drop, asm.End, asm.I32(2), asm.Drop),
			w.Entry + 1 + w.BranchIf + 4},
		"both leave": {"", asm.Block(asm.I32(1), []byte{4, 0x40}, asm.Br(1), asm.Else, asm.Br(1), asm.End, asm.I32(2), asm.Drop),
			w.Entry + 1 + w.BranchIf + w.Branch},
		"block is left": {"", asm.Block(asm.Block(asm.Br(1)), asm.I32(2), asm.Drop), w.Entry + w.Branch},
		"return":        {"", asm.Cat(asm.Return, asm.I32(1), asm.Drop), w.Entry + w.Branch},
		"division":      {"", asm.Cat(asm.I32(9), asm.I32(3), asm.I32DivU, asm.Drop), w.Entry + 3 + w.Divide},
		"grow by 2":     {"", asm.Cat(asm.I32(2), asm.MemoryGrow, asm.Drop), w.Entry + 2 + w.Grow + 2*w.GrowPage},
		"fill 1000":     {"", asm.Cat(asm.I32(0), asm.I32(0), asm.I32(1000), asm.MemoryFill), w.Entry + 3 + w.Bulk + 1000>>bulkShift},
		"add":           {"", asm.Cat(asm.F64(1), asm.F64(2), []byte{0xa0}, asm.Drop), w.Entry + 3 + w.Float},
		"sqrt":          {"", asm.Cat(asm.F64(2), []byte{0x9f}, asm.Drop), w.Entry + 2 + w.FloatDivide},
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
		s := newStage(t, out, wazero.NewRuntimeConfigCompiler()).observe(t, plenty)
		if used := uint64(plenty - s.left); s.end != "" || used != c.want {
			t.Errorf("%s: %d gas, want %d (%s)", name, used, c.want, s.end)
		}
	}
}
