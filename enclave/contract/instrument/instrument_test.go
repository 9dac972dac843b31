package instrument

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

func config() Config {
	return Config{
		Limits: DefaultLimits(),
		Imports: map[Import]Signature{
			{"seal0", "input"}: {Params: []ValueType{I32, I32}},
			{"seal0", "fee"}:   {Params: []ValueType{I64}, Result: I32},
		},
	}
}

// sample uses most of what is accepted.
func sample() *asm.Module {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	input := m.Import("seal0", "input", "ii", "")
	fee := m.Import("seal0", "fee", "l", "i")
	m.Table(3)
	g := m.Global('i', true, asm.I32(-7))
	m.Global('l', false, asm.I64(1<<40))
	m.Global('f', true, asm.F32(0x7fc00001))
	m.Global('d', true, asm.F64(2.5))
	add := m.Func("ii", "i", "", asm.Get(0), asm.Get(1), asm.I32Add)
	deploy := m.Func("", "", "ifd",
		asm.I32(0), asm.I32(4), asm.Call(input), asm.I64(5), asm.Call(fee), asm.Set(0),
		asm.Block(asm.Loop(asm.Get(0), asm.I32Eqz, asm.BrIf(1), asm.Get(0), asm.I32(1), asm.I32Sub, asm.Set(0), asm.Br(0))),
		asm.Get(1), asm.Get(1), []byte{0x92}, asm.Set(1), asm.Get(2), []byte{0x9f}, asm.Set(2))
	call := m.Func("", "", "l",
		asm.Op(0x23, g), asm.If(asm.Return),
		asm.Get(0), []byte{0xa7}, asm.Cat([]byte{0x04, 0x7f}, asm.I32(1), asm.Else, asm.I32(2), asm.End), asm.Drop,
		asm.Block(asm.Block(asm.I32(1), []byte{0x0e}, asm.U32(2), asm.U32(0), asm.U32(1), asm.U32(0)), asm.Nop),
		asm.I32(1), asm.I32(2), asm.I32(0), asm.CallIndirect(2), asm.MemoryGrow, asm.Drop,
		asm.I32(0), asm.I32(8), asm.I32(16), asm.MemoryCopy, asm.I32(0), asm.I32(0), asm.I32(9), asm.MemoryFill,
		asm.MemorySize, asm.MemoryGrow, asm.I32(3), asm.I32(4), asm.Select, asm.Op(0x24, g))
	m.Elem(1, add, call)
	m.Data(16, []byte("some data"))
	m.Entry(deploy, call)
	m.Export("memory", 2, 0)
	m.Export("g", 3, g)
	return m
}

// requireValid demands that an engine accepts an instrumented module and that it has the shape the host relies on.
func requireValid(t testing.TB, out []byte) {
	t.Helper()
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	defer r.Close(t.Context())
	m, err := r.CompileModule(t.Context(), out)
	if err != nil {
		t.Fatalf("engine refuses what was accepted: %v", err)
	}
	if len(m.ImportedMemories()) != 0 || len(m.ExportedMemories()) != 0 {
		t.Fatal("memory is imported or exported")
	}
	for name, f := range m.ExportedFunctions() {
		if (name != DeployExport && name != CallExport) || len(f.ParamTypes())+len(f.ResultTypes()) != 0 {
			t.Fatalf("export %q", name)
		}
	}
}

func TestSample(t *testing.T) {
	code := sample().Bytes()
	out, info, err := Instrument(code, config())
	if err != nil {
		t.Fatal(err)
	}
	requireValid(t, out)
	work := info.Work
	info.Work = 0
	if want := (Info{MinPages: 2, MaxPages: 16, TableEntries: 3, DataBytes: 9, Functions: 3, Globals: 4}); info != want || work == 0 {
		t.Fatalf("info %+v, work %d, want %+v", info, work, want)
	}
	again, _, err := Instrument(code, config())
	if err != nil || !bytes.Equal(out, again) {
		t.Fatal("not deterministic")
	}
}

// TestFrozen freezes the rewriting of execution version 1, of the sample and of the example contracts. DO NOT CHANGE
// the hash of an output whose input is the same without a new execution version: workers that disagree about one byte
// of it disagree about gas.
func TestFrozen(t *testing.T) {
	for name, c := range map[string]struct {
		code    []byte
		in, out string
	}{
		"sample":  {sample().Bytes(), "346cfb13c0da78b1b66ca472ccf4e58d", "f422d096870f41bd7ad2402bdca9ce48"},
		"counter": {example(t, "counter"), "6a970ce62a82e6b75c38d6b3c5f0cf09", "5319b139e9865454a3f12f91366aa42d"},
		"auction": {example(t, "auction"), "db7a101443403dcdf085d47d024a0e3c", "34b0a5740234429dc81d6b4baab474a6"},
	} {
		cfg := config()
		cfg.Imports = imported(t, c.code)
		out, _, err := Instrument(c.code, cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		requireValid(t, out)
		switch in, out := sum(c.code), sum(out); {
		case in != c.in:
			t.Errorf("%s is another module now, of hash %s; its output has hash %s", name, in, out)
		case out != c.out:
			t.Errorf("%s is rewritten otherwise: hash %s", name, out)
		}
	}
}

// sum is the start of a hash, enough to notice a change.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:16])
}

// example is the code of a built contract of the repository.
func example(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", name, name+".contract"))
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct{ Source struct{ Wasm string } }
	if err := json.Unmarshal(file, &bundle); err != nil {
		t.Fatal(err)
	}
	code, err := hex.DecodeString(strings.TrimPrefix(bundle.Source.Wasm, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// imported offers everything that a module imports.
func imported(t testing.TB, code []byte) map[Import]Signature {
	t.Helper()
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	defer r.Close(t.Context())
	m, err := r.CompileModule(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	offer := map[Import]Signature{}
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		if sig, ok := single(f); ok {
			offer[Import{module, name}] = sig
		}
	}
	return offer
}

// TestCustomSectionsAreDropped, wherever they stand and whatever they say.
func TestCustomSectionsAreDropped(t *testing.T) {
	code := sample().Bytes()
	custom := []byte{0, 6, 4, 'n', 'a', 'm', 'e', 0xff}
	withCustom := append(append(append([]byte{}, code[:8]...), custom...), append(code[8:], custom...)...)
	want, _, err := Instrument(code, config())
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := Instrument(withCustom, config())
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("custom sections change the result: %v", err)
	}
}

// TestRefuses has one module for everything that is malformed, invalid or not allowed.
func TestRefuses(t *testing.T) {
	body := func(locals string, code ...[]byte) func(*asm.Module) {
		return func(m *asm.Module) { m.Func("", "", locals, code...) }
	}
	raw := func(b ...byte) func(*asm.Module) {
		return func(m *asm.Module) { m.RawFunc(m.Type("", ""), b) }
	}
	many := func(n int, f func(*asm.Module)) func(*asm.Module) {
		return func(m *asm.Module) {
			for range n {
				f(m)
			}
		}
	}
	cases := map[string]struct {
		reason string
		add    func(m *asm.Module)
	}{
		"gas global":            {"global 0 does not exist", body("", asm.Op(0x23, 0), asm.Drop)},
		"set the gas":           {"global 0 does not exist", body("", asm.I64(1), asm.Op(0x24, 0))},
		"call the helper":       {"function 2 does not exist", body("", asm.I32(0), asm.Call(2), asm.Drop)},
		"scratch local":         {"local 0 does not exist", body("", asm.F32(0), asm.F32(0), []byte{0x92}, asm.Drop, asm.Get(0), asm.Drop)},
		"helper's type":         {"type 9 does not exist", body("", asm.I32(0), asm.Op(0x11, 9, 0))},
		"branch out":            {"branch depth 1", body("", asm.Br(1))},
		"constant global":       {"global 0 is constant", func(m *asm.Module) { m.Global('i', false, asm.I32(1)); body("", asm.I32(1), asm.Op(0x24, 0))(m) }},
		"empty stack":           {"operand stack is empty", body("", asm.Drop)},
		"wrong operand":         {"operand of type i64, want i32", body("", asm.I64(1), asm.I32Eqz, asm.Drop)},
		"left over":             {"operands left over", body("", asm.I32(1))},
		"block steals":          {"operand stack is empty", body("", asm.I32(1), asm.Block(asm.Drop))},
		"if without else":       {"lacks else", body("", asm.I32(1), []byte{0x04, 0x7f}, asm.I32(1), asm.End, asm.Drop)},
		"else without if":       {"else without if", body("", asm.Else)},
		"select mixes":          {"select between", body("", asm.I32(1), asm.I64(1), asm.I32(1), asm.Select, asm.Drop)},
		"table mixes":           {"different types", body("", []byte{0x02, 0x7f}, asm.I32(1), asm.I32(1), []byte{0x0e, 1, 0, 1}, asm.End, asm.Drop)},
		"no table":              {"table that does not exist", body("", asm.I32(0), asm.CallIndirect(0))},
		"alignment":             {"alignment", body("", asm.I32(0), asm.Op(0x28, 3, 0), asm.Drop)},
		"SIMD":                  {"0xfd", body("", []byte{0xfd, 0x0c})},
		"atomics":               {"0xfe", body("", []byte{0xfe, 0})},
		"tail call":             {"0x12", body("", []byte{0x12, 0})},
		"ref.null":              {"0xd0", body("", []byte{0xd0, 0x70, 0x1a})},
		"typed select":          {"0x1c", body("", []byte{0x1c, 1, 0x7f})},
		"memory.init":           {"0xfc 8", body("", []byte{0xfc, 8, 0, 0})},
		"table.grow":            {"0xfc 15", body("", []byte{0xfc, 15, 0})},
		"try":                   {"0x6", body("", []byte{0x06, 0x40})},
		"second memory's size":  {"memory that does not exist", body("", []byte{0x3f, 1}, asm.Drop)},
		"block type index":      {"block type", body("", []byte{0x02, 0x00, 0x0b})},
		"block type v128":       {"block type", body("", []byte{0x02, 0x7b, 0x0b})},
		"no end":                {"unexpected end", raw(0, 0x01)},
		"code behind the end":   {"left over in function body", raw(0, 0x0b, 0x01)},
		"long number":           {"exceeds 32 bits", raw(0, 0x41, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x1a, 0x0b)},
		"overlong number":       {"exceeds 32 bits", raw(0, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b)},
		"long i64":              {"exceeds 64 bits", raw(0, 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0x1a, 0x0b)},
		"four billion locals":   {"locals exceed", raw(1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b)},
		"two times half":        {"locals exceed", raw(2, 0x80, 0x80, 0x80, 0x80, 0x08, 0x7f, 0x80, 0x80, 0x80, 0x80, 0x08, 0x7f, 0x0b)},
		"v128 local":            {"value type 0x7b", raw(1, 1, 0x7b, 0x0b)},
		"many locals":           {"exceed", body(strings.Repeat("i", 1025))},
		"deep nesting":          {"nest deeper", body("", asm.Repeat(513, []byte{0x02, 0x40}), asm.Repeat(513, asm.End))},
		"high stack":            {"operand stack exceeds", body("", asm.Repeat(1025, asm.I32(0)), asm.Repeat(1025, asm.Drop))},
		"many branch targets":   {"branch targets exceed", body("", asm.I32(0), []byte{0x0e}, asm.U32(2049), make([]byte, 2050))},
		"long function":         {"function body of", body("", bytes.Repeat([]byte{1}, 1<<17))},
		"many functions":        {"8193 functions exceed 8192", many(8192, func(m *asm.Module) { m.RawFunc(0, []byte{0, 0x0b}) })},
		"many globals":          {"exceed 1024", many(1025, func(m *asm.Module) { m.Global('i', true, asm.I32(0)) })},
		"two results":           {"2 results exceed 1", func(m *asm.Module) { m.Type("", "ii") }},
		"many parameters":       {"129 parameters exceed", func(m *asm.Module) { m.Type(strings.Repeat("i", 129), "") }},
		"externref parameter":   {"value type 0x70", func(m *asm.Module) { m.Type("r", "") }},
		"two memories":          {"second memory", func(m *asm.Module) { m.Memory(1, 2) }},
		"two imported memories": {"second memory", func(m *asm.Module) { m.ImportMemory(1, 2) }},
		"table maximum":         {"maximum below", func(m *asm.Module) { m.RawTable(0x70, 1, 2, 1) }},
		"memory maximum":        {"address space", func(m *asm.Module) { *m = asm.Module{}; m.ImportMemory(1, 1<<16+1) }},
		"memory above all":      {"address space", func(m *asm.Module) { *m = asm.Module{}; m.ImportMemory(1, 1<<32-1) }},
		"memory minimum":        {"memory pages of 257", func(m *asm.Module) { *m = asm.Module{}; m.ImportMemory(257, 1000) }},
		"shared memory":         {"limits 0x3", func(m *asm.Module) { *m = asm.Module{}; m.RawImport("env", "memory", 2, 3, 1, 2) }},
		"64-bit memory":         {"limits 0x4", func(m *asm.Module) { *m = asm.Module{}; m.RawImport("env", "memory", 2, 4, 1) }},
		"other memory":          {`import "env" "mem"`, func(m *asm.Module) { m.RawImport("env", "mem", 2, 0, 1) }},
		"imported table":        {`import "env" "t"`, func(m *asm.Module) { m.RawImport("env", "t", 1, 0x70, 0, 1) }},
		"two tables":            {"2 tables exceed 1", many(2, func(m *asm.Module) { m.Table(1) })},
		"huge table":            {"table of 8193", func(m *asm.Module) { m.Table(8193) }},
		"elements beyond":       {"elements beyond", func(m *asm.Module) { m.Table(2); m.Elem(1, 0, 0) }},
		"elements wrap":         {"elements beyond", func(m *asm.Module) { m.Table(2); m.Elem(-1, 0) }},
		"elements, no table":    {"without a table", func(m *asm.Module) { m.Elem(0, 0) }},
		"element of nothing":    {"function 77", func(m *asm.Module) { m.Table(1); m.Elem(0, 77) }},
		"data beyond":           {"data beyond", func(m *asm.Module) { m.Data(2<<16-2, []byte("abc")) }},
		"data wraps":            {"data beyond", func(m *asm.Module) { m.Data(-1, []byte("abc")) }},
		"global by type":        {"initial value of type i64", func(m *asm.Module) { m.Global('i', true, asm.I64(1)) }},
		"global by global":      {"initial value by instruction 0x23", func(m *asm.Module) { m.Global('i', true, asm.Op(0x23, 0)) }},
		"global by sum":         {"not a single constant", func(m *asm.Module) { m.Global('i', true, asm.Cat(asm.I32(1), asm.I32(1), asm.I32Add)) }},
		"repeated export":       {"is repeated", func(m *asm.Module) { m.Export("call", 0, 0) }},
		"export of nothing":     {"does not exist", func(m *asm.Module) { m.Export("x", 3, 0) }},
		"start":                 {"start function", func(m *asm.Module) { m.Start = new(uint32) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := new(asm.Module)
			m.ImportMemory(2, 16)
			f := m.Func("", "", "")
			m.Entry(f, f)
			c.add(m)
			refused(t, m.Bytes(), c.reason)
		})
	}
}

func refused(t *testing.T, code []byte, reason string) {
	t.Helper()
	out, _, err := Instrument(code, config())
	if out != nil || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), reason) {
		t.Fatalf("got %v, want %q", err, reason)
	}
}

// TestEntryPoints: both are demanded, as functions without parameters and results.
func TestEntryPoints(t *testing.T) {
	for reason, build := range map[string]func(m *asm.Module, plain, odd uint32){
		`"deploy" is not exported`: func(m *asm.Module, plain, _ uint32) { m.Export("call", 0, plain) },
		`"call" is not exported`:   func(m *asm.Module, plain, _ uint32) { m.Export("deploy", 0, plain) },
		`"call" has parameters`:    func(m *asm.Module, plain, odd uint32) { m.Entry(plain, odd) },
		`"deploy" is not a func`:   func(m *asm.Module, plain, _ uint32) { m.Export("deploy", 2, 0) },
	} {
		m := new(asm.Module)
		m.ImportMemory(2, 16)
		build(m, m.Func("", "", ""), m.Func("i", "", ""))
		refused(t, m.Bytes(), reason)
	}
	m := new(asm.Module)
	f := m.Func("", "", "")
	m.Entry(f, f)
	refused(t, m.Bytes(), "no memory")
}

// TestTruncatedAndFlipped: of all prefixes of a module only the one that lacks just the data section is a module, and no flipped bit breaks pass or engine.
func TestTruncatedAndFlipped(t *testing.T) {
	code := sample().Bytes()
	dataSection := bytes.LastIndex(code, []byte{secData, 15, 1, 0, opI32Const, 16})
	for n := range code {
		if _, _, err := Instrument(code[:n], config()); (n != dataSection) != errors.Is(err, ErrRefused) {
			t.Fatalf("prefix of %d bytes: %v", n, err)
		}
	}
	for bit := range len(code) * 8 {
		flipped := bytes.Clone(code)
		flipped[bit/8] ^= 1 << (bit % 8)
		if out, _, err := Instrument(flipped, config()); err == nil {
			requireValid(t, out)
		} else if !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	}
}

// FuzzParse: no input makes the pass panic or write much more than it read, what it accepts every engine accepts, and
// it is deterministic.
func FuzzParse(f *testing.F) {
	f.Add(sample().Bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00"))
	m := new(asm.Module)
	m.ImportMemory(0, 0)
	fn := m.Func("", "", "d", asm.Block(asm.Unreachable, asm.Drop, []byte{0xa0}, asm.Set(0)), asm.Return, asm.I32Add, asm.Drop)
	m.Entry(fn, fn)
	f.Add(m.Bytes())
	f.Add(generate(generated(1)[:400], false))
	f.Fuzz(func(t *testing.T, code []byte) {
		out, _, err := Instrument(code, config())
		again, _, err2 := Instrument(code, config())
		if !bytes.Equal(out, again) || (err == nil) != (err2 == nil) {
			t.Fatal("not deterministic")
		}
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			return
		}
		if len(out) > 32*len(code)+1024 {
			t.Fatalf("%d bytes became %d", len(code), len(out))
		}
		requireValid(t, out)
	})
}
