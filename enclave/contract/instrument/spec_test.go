package instrument

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// specScript is a test script of the WebAssembly specification, as its tools write it in JSON.
type specScript struct {
	Commands []specCommand
}

type specCommand struct {
	Type       string
	Line       int
	Name       string
	Filename   string
	ModuleType string `json:"module_type"`
	As         string
	Action     specAction
	Expected   []specValue
}

type specAction struct {
	Type   string
	Module string
	Field  string
	Args   []specValue
}

type specValue struct {
	Type  string
	Value any
}

// bits gives the value as wazero passes it. Expected NaNs are written as classes and have no bits.
func (v specValue) bits() (b uint64, class bool) {
	s, ok := v.Value.(string)
	if !ok || strings.HasPrefix(s, "nan:") {
		return 0, true
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n, false
	}
	n, _ := strconv.ParseInt(s, 10, 64)
	if strings.HasSuffix(v.Type, "32") {
		return uint64(uint32(n)), false
	}
	return uint64(n), false
}

// specTally counts what was done with the scripts. The totals are expected exactly, so nothing is left out silently.
type specTally struct {
	Modules, Returns, Traps, Exhaustions, Invalid, Malformed, Uninstantiable int
	// Not checked: text that only a parser of the text format reads, modules that cannot be linked, and actions on
	// modules that contracts may not be.
	Text, Unlinkable, Skipped int
	Refused                   map[string]int // modules that contracts may not be, by reason
}

// specWorld is a runtime in which the modules of a script live together: as they are, or rewritten.
type specWorld struct {
	runtime wazero.Runtime
	named   map[string]*specModule
	all     []*specModule
	last    *specModule
}

// specModule is an instance in one world.
type specModule struct {
	api.Module
	shape
}

// shape says what of a module can be compared.
type shape struct {
	globals []string // exported
	memory  bool
}

type specRun struct {
	t       *testing.T
	dir     string
	script  string
	tally   *specTally
	bare    *specWorld
	pass    [2]*specWorld     // compiler, interpreter
	refused bool              // the last module was
	absent  map[string]bool   // names of modules that were, or whose table or memory one of those may have changed
	names   map[string]string // by what a module is registered as
	codes   map[string][]byte // of modules by name
}

// TestSpecification runs the WebAssembly specification's tests, versions 1 and 2, which wazero's module carries, on
// modules as they are and as the pass rewrites them: the same results, traps, memories and globals, up to the bits of
// NaNs that the pass makes canonical; and the same gas and bits on both engines. What the specification calls invalid
// or malformed is refused.
func TestSpecification(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	host, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range specTotals {
		t.Run(version, func(t *testing.T) {
			dir := filepath.Join(root, version, "testdata")
			scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
			if err != nil {
				t.Fatal(err)
			}
			got := specTally{Refused: map[string]int{}}
			for _, path := range scripts {
				name := strings.TrimSuffix(filepath.Base(path), ".json")
				if strings.HasPrefix(name, "simd_") {
					continue // a type that contracts do not have
				}
				t.Run(name, func(t *testing.T) { runSpec(t, dir, name, host, &got) })
			}
			if !got.equal(want) {
				t.Fatalf("totals are\n%#v", got)
			}
		})
	}
}

func (a specTally) equal(b specTally) bool {
	x, y := a.Refused, b.Refused
	a.Refused, b.Refused = nil, nil
	return maps.Equal(x, y) && fmt.Sprint(a) == fmt.Sprint(b)
}

func runSpec(t *testing.T, dir, name string, host []byte, tally *specTally) {
	raw, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var script specScript
	if err := json.Unmarshal(raw, &script); err != nil {
		t.Fatal(err)
	}
	world := func(config wazero.RuntimeConfig) *specWorld {
		r := wazero.NewRuntimeWithConfig(t.Context(), config)
		t.Cleanup(func() { _ = r.Close(context.Background()) })
		if _, err := r.InstantiateWithConfig(t.Context(), host, wazero.NewModuleConfig().WithName("spectest")); err != nil {
			t.Fatal(err)
		}
		return &specWorld{runtime: r, named: map[string]*specModule{}}
	}
	s := &specRun{t: t, dir: dir, script: name, tally: tally, absent: map[string]bool{}, names: map[string]string{}, codes: map[string][]byte{}}
	s.bare = world(wazero.NewRuntimeConfigInterpreter())
	s.pass = [2]*specWorld{world(wazero.NewRuntimeConfigCompiler()), world(wazero.NewRuntimeConfigInterpreter())}
	for i, c := range script.Commands {
		as := ""
		if next := i + 1; next < len(script.Commands) && script.Commands[next].Type == "register" {
			as = script.Commands[next].As
		}
		s.command(&c, as)
	}
}

func (s *specRun) command(c *specCommand, as string) {
	fail := func(format string, args ...any) {
		s.t.Helper()
		s.t.Errorf("line %d, %s %s: %s", c.Line, c.Type, c.Action.Field, fmt.Sprintf(format, args...))
	}
	switch c.Type {
	case "register":
	case "module":
		s.module(c, as, fail)
	case "assert_return", "action", "assert_trap", "assert_exhaustion":
		s.action(c, fail)
	case "assert_invalid", "assert_malformed":
		s.reject(c, fail)
	case "assert_unlinkable":
		s.tally.Unlinkable++
	case "assert_uninstantiable":
		s.uninstantiable(c, fail)
	default:
		fail("unknown command")
	}
}

type failure func(format string, args ...any)

func (s *specRun) read(c *specCommand) []byte {
	code, err := os.ReadFile(filepath.Join(s.dir, c.Filename))
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

// rewrite is the pass behind an open door, with everything on offer that the module imports from modules that exist.
func (s *specRun) rewrite(code []byte) ([]byte, shape, error) {
	cfg := Config{Limits: DefaultLimits(), Imports: map[Import]Signature{}, door: door{exports: true, gas: 1 << 50}}
	cfg.Limits.DefaultPages, cfg.Limits.MaxPages = 1<<16, 1<<16
	if compiled, err := s.bare.runtime.CompileModule(s.t.Context(), code); err == nil {
		for _, f := range compiled.ImportedFunctions() {
			module, name, _ := f.Import()
			if sig, ok := single(f); ok && s.pass[0].runtime.Module(module) != nil {
				cfg.Imports[Import{module, name}] = sig
			}
		}
		if len(compiled.ImportedMemories()) > 0 {
			return nil, shape{}, fmt.Errorf("%w: at byte 0: shares a memory", ErrRefused)
		}
	}
	m, err := parse(code, cfg)
	if err != nil {
		return nil, shape{}, err
	}
	sh := shape{memory: m.hasMemory}
	for _, e := range m.exports {
		if e.kind == kindGlobal {
			sh.globals = append(sh.globals, e.name)
		}
	}
	return m.emit(), sh, nil
}

// single gives the signature of a function with at most one result.
func single(f api.FunctionDefinition) (sig Signature, ok bool) {
	for _, p := range f.ParamTypes() {
		sig.Params = append(sig.Params, ValueType(p))
	}
	switch r := f.ResultTypes(); len(r) {
	case 0:
		return sig, true
	case 1:
		sig.Result = ValueType(r[0])
		return sig, true
	}
	return sig, false
}

func (s *specRun) module(c *specCommand, as string, fail failure) {
	code := s.read(c)
	out, shape, err := s.rewrite(code)
	s.refused = err != nil
	s.absent[c.Name] = s.refused
	if err != nil {
		if !errors.Is(err, ErrRefused) {
			fail("%v", err)
		}
		s.refuse(code, err)
		return
	}
	s.names[as], s.codes[c.Name] = c.Name, code
	s.tally.Modules++
	for i, w := range s.worlds() {
		bytes := out
		if i == 0 {
			bytes = code
		}
		m, err := w.runtime.InstantiateWithConfig(s.t.Context(), bytes, wazero.NewModuleConfig().WithName(as).WithStartFunctions())
		if err != nil {
			fail("world %d: %v", i, err)
			s.refused, s.absent[c.Name] = true, true
			return
		}
		w.last = &specModule{m, shape}
		w.all = append(w.all, w.last)
		w.named[c.Name] = w.last
	}
	s.compare(s.instances(""), fail)
}

// refuse counts a module that no world has, and gives up the modules that it would have been linked with.
func (s *specRun) refuse(code []byte, err error) {
	s.tally.Refused[reason(err)]++
	for as, name := range s.names {
		if as == "" || !bytes.Contains(code, appendName(nil, as)) {
			continue
		}
		s.absent[name] = true
		for user, c := range s.codes {
			s.absent[user] = s.absent[user] || bytes.Contains(c, appendName(nil, as))
		}
	}
}

func (s *specRun) worlds() []*specWorld { return []*specWorld{s.bare, s.pass[0], s.pass[1]} }

var numbers = regexp.MustCompile(`0x[0-9a-f]+|[0-9]+|"[^"]*"`)

// reason is the text of a refusal without what differs from module to module.
func reason(err error) string {
	_, text, _ := strings.Cut(strings.TrimPrefix(err.Error(), ErrRefused.Error()+": at byte "), ": ")
	return numbers.ReplaceAllString(text, "_")
}

// instances gives the same module in all worlds.
func (s *specRun) instances(name string) (m []*specModule) {
	for _, w := range s.worlds() {
		if name == "" {
			m = append(m, w.last)
		} else {
			m = append(m, w.named[name])
		}
	}
	return m
}

func (s *specRun) action(c *specCommand, fail failure) {
	if s.absent[c.Action.Module] || (c.Action.Module == "" && s.refused) {
		s.tally.Skipped++
		return
	}
	m := s.instances(c.Action.Module)
	if c.Action.Type == "get" {
		s.tally.Returns++
		s.compare(m, fail)
		if want, _ := c.Expected[0].bits(); m[1].ExportedGlobal(c.Action.Field).Get() != want {
			fail("not %d", want)
		}
		return
	}
	var args []uint64
	for _, a := range c.Action.Args {
		b, _ := a.bits()
		args = append(args, b)
	}
	var results [3][]uint64
	var ends [3]string
	for i := range m {
		r, err := m[i].ExportedFunction(c.Action.Field).Call(s.t.Context(), args...)
		if err != nil {
			ends[i], _, _ = strings.Cut(err.Error(), "\n")
		}
		results[i] = trim(r, m[i].ExportedFunction(c.Action.Field).Definition().ResultTypes())
	}
	for i, w := range s.pass {
		for _, other := range w.all {
			stack := other.ExportedGlobal(StackExport).(api.MutableGlobal)
			if ends[i+1] == "" && stack.Get() != 0 {
				fail("%d stack slots held at the end", stack.Get())
			}
			stack.Set(0) // a trap leaves it as it was; the engine runs an instance once
		}
	}
	s.judge(c, results, ends, fail)
	s.compare(m, fail)
}

// trim clears the upper halves of 32-bit values, which an engine may leave as it likes.
func trim(values []uint64, types []api.ValueType) []uint64 {
	for i := range values {
		if t := ValueType(types[i]); t == I32 || t == F32 {
			values[i] = uint64(uint32(values[i]))
		}
	}
	return values
}

// judge compares how a call ended with what the script expects and between the worlds.
func (s *specRun) judge(c *specCommand, results [3][]uint64, ends [3]string, fail failure) {
	switch {
	case ends[1] != ends[2]:
		fail("compiler ends with %q, interpreter with %q", ends[1], ends[2])
	case !slices.Equal(results[1], results[2]):
		fail("compiler gives %x, interpreter %x", results[1], results[2])
	}
	switch c.Type {
	case "assert_exhaustion":
		// The pass's own bound is reached before the engine's.
		s.tally.Exhaustions++
		if ends[0] == "" || !strings.Contains(ends[1], "unreachable") {
			fail("ends with %q, bare %q", ends[1], ends[0])
		}
		return
	case "assert_trap":
		s.tally.Traps++
		if ends[0] == "" {
			fail("no trap")
		}
	default:
		s.tally.Returns++
		if ends[0] != "" {
			fail("trap %q", ends[0])
		}
	}
	if ends[1] != ends[0] {
		fail("ends with %q, bare %q", ends[1], ends[0])
	}
	for i, e := range c.Expected {
		if i >= len(results[0]) || i >= len(results[1]) {
			continue // the trap is reported above
		}
		if !same(typeNamed(e.Type), results[0][i], results[1][i]) {
			fail("gives %x, bare %x", results[1][i], results[0][i])
		}
		if want, class := e.bits(); !class && c.Type == "assert_return" && !same(typeNamed(e.Type), want, results[1][i]) {
			fail("gives %x, want %x", results[1][i], want)
		} else if class && results[1][i] != canonicalNaN[typeNamed(e.Type)] {
			fail("gives %x, want the canonical NaN", results[1][i])
		}
	}
}

func typeNamed(s string) ValueType {
	for _, t := range []ValueType{I32, I64, F32, F64} {
		if t.String() == s {
			return t
		}
	}
	return unknown
}

var canonicalNaN = map[ValueType]uint64{F32: 0x7fc00000, F64: 0x7ff8000000000000}

// same tells whether b, made by the pass, is as good as a: the same bits, or the canonical NaN for any NaN.
func same(t ValueType, a, b uint64) bool {
	switch {
	case a == b:
		return true
	case t == F32:
		f := math.Float32frombits(uint32(a))
		return f != f && b == canonicalNaN[F32]
	case t == F64:
		return math.IsNaN(math.Float64frombits(a)) && b == canonicalNaN[F64]
	}
	return false
}

// compare demands equal memories and exported globals in all worlds, and equal gas on both engines.
func (s *specRun) compare(m []*specModule, fail failure) {
	for _, name := range m[0].globals {
		a, b, c := m[0].ExportedGlobal(name), m[1].ExportedGlobal(name), m[2].ExportedGlobal(name)
		if !same(ValueType(a.Type()), a.Get(), b.Get()) || b.Get() != c.Get() {
			fail("global %q is %x, %x, %x", name, a.Get(), b.Get(), c.Get())
		}
	}
	if a, b := m[1].ExportedGlobal(GasExport).Get(), m[2].ExportedGlobal(GasExport).Get(); a != b || int64(a) <= 0 {
		fail("gas %d on the compiler, %d on the interpreter", a, b)
	}
	if !m[0].memory {
		return
	}
	var all [3][]byte
	for i := range m {
		all[i], _ = m[i].Memory().Read(0, m[i].Memory().Size())
	}
	if !bytes.Equal(all[0], all[1]) || !bytes.Equal(all[1], all[2]) {
		fail("memories differ")
	}
}

func (s *specRun) reject(c *specCommand, fail failure) {
	if c.ModuleType == "text" {
		s.tally.Text++
		return
	}
	if c.Type == "assert_invalid" {
		s.tally.Invalid++
	} else {
		s.tally.Malformed++
	}
	if _, _, err := s.rewrite(s.read(c)); !errors.Is(err, ErrRefused) {
		fail("%s: accepted: %v", c.Filename, err)
	}
}

// uninstantiable modules are valid, but their segments do not fit or their start function traps.
func (s *specRun) uninstantiable(c *specCommand, fail failure) {
	code := s.read(c)
	out, _, err := s.rewrite(code)
	if err != nil {
		s.refuse(code, err)
		return
	}
	s.tally.Uninstantiable++
	for _, w := range s.pass {
		if _, err := w.runtime.InstantiateWithConfig(s.t.Context(), out, wazero.NewModuleConfig()); err == nil {
			fail("instantiated")
		}
	}
}
