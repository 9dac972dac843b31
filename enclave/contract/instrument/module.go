package instrument

import (
	"slices"
)

// none marks an index that is not set; real indices are far below it.
const none = ^uint32(0)

// Section ids of the binary format.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
)

// External kinds of imports and exports.
const (
	kindFunction = 0
	kindTable    = 1
	kindMemory   = 2
	kindGlobal   = 3
)

type funcImport struct {
	Import
	typ uint32
}

type global struct {
	typ     ValueType
	mutable bool
	init    []byte // constant instruction with its operand
}

type element struct {
	offset uint32
	funcs  []uint32
}

type data struct {
	offset uint32
	bytes  []byte
}

type export struct {
	name  string
	kind  byte
	index uint32
}

// module is what was parsed, ready to be emitted.
type module struct {
	cfg       Config
	types     []Signature
	imports   []funcImport
	funcs     []uint32 // type index of every defined function
	bodies    []body
	globals   []global
	elements  []element
	data      []data
	hasMemory bool
	minPages  uint32
	maxPages  uint32
	hasTable  bool
	table     uint32
	exports   []export // kept only behind an open door
	start     uint32   // the same
	deploy    uint32
	call      uint32
	work      int    // estimate of compiling
	dataCount uint32 // announced number of data segments, or none
}

// sectionParsers in the order in which sections must stand.
var sectionParsers = []struct {
	id    byte
	parse func(*module, *reader)
}{
	{secType, (*module).typeSection},
	{secImport, (*module).importSection},
	{secFunction, (*module).functionSection},
	{secTable, (*module).tableSection},
	{secMemory, (*module).memorySection},
	{secGlobal, (*module).globalSection},
	{secExport, (*module).exportSection},
	{secStart, (*module).startSection},
	{secElement, (*module).elementSection},
	{secDataCount, (*module).dataCountSection},
	{secCode, (*module).codeSection},
	{secData, (*module).dataSection},
}

// parse reads and validates a module.
func parse(code []byte, cfg Config) (*module, error) {
	m := &module{cfg: cfg, start: none, deploy: none, call: none}
	r := &reader{buf: code}
	m.sections(r)
	return m, r.err
}

func (m *module) sections(r *reader) {
	m.dataCount = none
	if string(r.bytes(8)) != "\x00asm\x01\x00\x00\x00" {
		r.fail("not a WebAssembly 1 module")
	}
	next := 0
	for !r.done() {
		id := r.byte()
		s := r.sub(r.u32())
		if id == secCustom {
			s.name()
			s.pos = len(s.buf)
			r.join(s, "custom section")
			continue
		}
		for next < len(sectionParsers) && sectionParsers[next].id != id {
			next++
		}
		if next == len(sectionParsers) {
			r.fail("section %d is unknown, repeated or out of order", id)
			return
		}
		sectionParsers[next].parse(m, s)
		r.join(s, "section")
		next++
	}
	m.complete(r)
}

// complete checks what only the whole module shows.
func (m *module) complete(r *reader) {
	switch {
	case len(m.bodies) != len(m.funcs):
		r.fail("%d functions declared, %d defined", len(m.funcs), len(m.bodies))
	case m.dataCount != none && int(m.dataCount) != len(m.data):
		r.fail("%d data segments announced, %d present", m.dataCount, len(m.data))
	case m.cfg.door.exports:
	case !m.hasMemory:
		r.fail("the module has no memory")
	case m.deploy == none:
		r.fail("function %q is not exported", DeployExport)
	case m.call == none:
		r.fail("function %q is not exported", CallExport)
	}
}

func (m *module) info() Info {
	i := Info{
		MinPages: m.minPages, MaxPages: m.maxPages, TableEntries: m.table,
		Functions: uint32(len(m.funcs)), Globals: uint32(len(m.globals)), Work: m.work,
	}
	for _, d := range m.data {
		i.DataBytes += uint32(len(d.bytes))
	}
	return i
}

func (m *module) typeSection(r *reader) {
	lim := &m.cfg.Limits
	for n := r.count(lim.Types, "types"); n > 0 && r.err == nil; n-- {
		if r.byte() != 0x60 {
			r.fail("not a function type")
		}
		var sig Signature
		for p := r.count(lim.Params, "parameters"); p > 0 && r.err == nil; p-- {
			sig.Params = append(sig.Params, r.valueType())
		}
		if r.count(1, "results") == 1 {
			sig.Result = r.valueType()
		}
		m.types = append(m.types, sig)
	}
}

func (m *module) typeIndex(r *reader) uint32 {
	t := r.u32()
	if r.err == nil && uint64(t) >= uint64(len(m.types)) {
		r.fail("type %d does not exist", t)
		return 0
	}
	return t
}

func (m *module) importSection(r *reader) {
	for n := r.count(m.cfg.Limits.Imports, "imports"); n > 0 && r.err == nil; n-- {
		imp := Import{r.name(), r.name()}
		switch kind := r.byte(); {
		case r.err != nil:
		case kind == kindFunction:
			m.importFunction(r, imp)
		case kind == kindMemory && (imp == Import{"env", "memory"} || m.cfg.door.exports):
			m.memory(r)
		default:
			r.fail("import %q %q of kind %d is not offered", imp.Module, imp.Name, kind)
		}
	}
}

func (m *module) importFunction(r *reader, imp Import) {
	t := m.typeIndex(r)
	want, known := m.cfg.Imports[imp]
	switch {
	case r.err != nil:
	case !known:
		r.fail("host function %q %q is not offered", imp.Module, imp.Name)
	case !m.types[t].equal(want):
		r.fail("host function %q %q is imported with another type", imp.Module, imp.Name)
	}
	m.imports = append(m.imports, funcImport{imp, t})
}

func (s Signature) equal(o Signature) bool {
	return s.Result == o.Result && slices.Equal(s.Params, o.Params)
}

func (m *module) functionSection(r *reader) {
	for n := r.count(m.cfg.Limits.Functions, "functions"); n > 0 && r.err == nil; n-- {
		m.funcs = append(m.funcs, m.typeIndex(r))
	}
}

// signature returns the type of function i in the index space of imports and functions.
func (m *module) signature(r *reader, i uint32) Signature {
	switch all := uint64(len(m.imports) + len(m.funcs)); {
	case r.err != nil:
	case uint64(i) >= all:
		r.fail("function %d does not exist", i)
	case int(i) < len(m.imports):
		return m.types[m.imports[i].typ]
	default:
		return m.types[m.funcs[int(i)-len(m.imports)]]
	}
	return Signature{}
}

// absent is the maximum of limits that state none.
const absent = uint64(1) << 32

// limits reads a minimum, at most ceiling, and an optional maximum, which is not below it.
func (m *module) limits(r *reader, ceiling uint32, what string) (least uint32, most uint64) {
	flags := r.byte()
	least, most = r.u32(), absent
	if flags == 1 {
		most = uint64(r.u32())
	}
	switch {
	case r.err != nil:
	case flags > 1:
		r.fail("%s limits %#x are not supported", what, flags)
	case least > ceiling:
		r.fail("%s of %d exceeds %d", what, least, ceiling)
	case most < uint64(least):
		r.fail("%s has a maximum below its minimum", what)
	}
	return least, most
}

func (m *module) tableSection(r *reader) {
	if r.count(1, "tables") == 0 {
		return
	}
	if r.byte() != 0x70 {
		r.fail("table type is not supported")
	}
	// Nothing can grow a table, so the declared maximum has no effect.
	m.hasTable = true
	m.table, _ = m.limits(r, m.cfg.Limits.TableEntries, "table")
}

func (m *module) memorySection(r *reader) {
	if r.count(1, "memories") == 1 {
		m.memory(r)
	}
}

func (m *module) memory(r *reader) {
	lim := &m.cfg.Limits
	least, most := m.limits(r, lim.MaxPages, "memory pages")
	switch {
	case m.hasMemory:
		r.fail("a second memory")
	case most == absent:
		most = uint64(max(least, lim.DefaultPages))
	case most > 1<<16:
		r.fail("memory maximum of %d pages exceeds the address space", most)
	}
	m.hasMemory, m.minPages, m.maxPages = true, least, uint32(min(most, uint64(lim.MaxPages)))
}

// constant reads a constant expression of type t and returns it without its end.
func (m *module) constant(r *reader, t ValueType) ([]byte, int64) {
	start := r.pos
	var v int64
	var got ValueType
	switch op := r.byte(); op {
	case opI32Const:
		got, v = I32, r.signed(32)
	case opI64Const:
		got, v = I64, r.signed(64)
	case opF32Const:
		got = F32
		r.bytes(4)
	case opF64Const:
		got = F64
		r.bytes(8)
	default:
		r.fail("initial value by instruction %#x is not supported", op)
	}
	if got != t {
		r.fail("initial value of type %s, want %s", got, t)
	}
	end := r.pos
	if r.byte() != opEnd {
		r.fail("initial value is not a single constant")
	}
	if r.err != nil {
		return nil, 0
	}
	return r.buf[start:end], v
}

func (m *module) globalSection(r *reader) {
	for n := r.count(m.cfg.Limits.Globals, "globals"); n > 0 && r.err == nil; n-- {
		g := global{typ: r.valueType()}
		switch mut := r.byte(); mut {
		case 0, 1:
			g.mutable = mut == 1
		default:
			r.fail("mutability %d is not 0 or 1", mut)
		}
		g.init, _ = m.constant(r, g.typ)
		m.globals = append(m.globals, g)
	}
}

func (m *module) exportSection(r *reader) {
	seen := make(map[string]bool)
	for n := r.count(m.cfg.Limits.Exports, "exports"); n > 0 && r.err == nil; n-- {
		name := r.name()
		if seen[name] {
			r.fail("export %q is repeated", name)
		}
		seen[name] = true
		m.export(r, name)
	}
}

func (m *module) export(r *reader, name string) {
	kind, index := r.byte(), r.u32()
	entry := (name == DeployExport || name == CallExport) && !m.cfg.door.exports
	exists := false
	switch kind {
	case kindFunction:
		sig := m.signature(r, index)
		exists = true
		if entry && (len(sig.Params) != 0 || sig.Result != 0) {
			r.fail("%q has parameters or results", name)
		}
	case kindTable:
		exists = index == 0 && m.hasTable
	case kindMemory:
		exists = index == 0 && m.hasMemory
	case kindGlobal:
		exists = uint64(index) < uint64(len(m.globals))
	}
	switch {
	case !exists:
		r.fail("export %q of something that does not exist", name)
	case entry && kind != kindFunction:
		r.fail("%q is not a function", name)
	case m.cfg.door.exports:
		m.exports = append(m.exports, export{name, kind, index})
	case name == DeployExport:
		m.deploy = index
	case name == CallExport:
		m.call = index
	}
}

func (m *module) startSection(r *reader) {
	if !m.cfg.door.exports {
		r.fail("a start function is not allowed")
	}
	m.start = r.u32()
	if sig := m.signature(r, m.start); len(sig.Params) != 0 || sig.Result != 0 {
		r.fail("start function has parameters or results")
	}
}

func (m *module) elementSection(r *reader) {
	lim := &m.cfg.Limits
	var total uint64
	for n := r.count(lim.DataSegments, "element segments"); n > 0 && r.err == nil; n-- {
		flags := r.u32()
		switch {
		case flags == 2 && r.u32() == 0: // names the table, and the kind of element below
		case flags != 0:
			r.fail("element segment kind %d is not supported", flags)
		}
		_, offset := m.constant(r, I32)
		if flags == 2 && r.byte() != 0 {
			r.fail("element kind is not supported")
		}
		e := element{offset: uint32(offset)}
		for k := r.count(int(lim.TableEntries), "elements"); k > 0 && r.err == nil; k-- {
			f := r.u32()
			m.signature(r, f)
			e.funcs = append(e.funcs, f)
		}
		total += uint64(len(e.funcs))
		switch {
		case !m.hasTable:
			r.fail("elements without a table")
		case uint64(e.offset)+uint64(len(e.funcs)) > uint64(m.table):
			r.fail("elements beyond the table")
		case total > uint64(lim.TableEntries):
			r.fail("%d elements exceed %d", total, lim.TableEntries)
		}
		m.elements = append(m.elements, e)
	}
}

func (m *module) dataCountSection(r *reader) { m.dataCount = r.u32() }

func (m *module) dataSection(r *reader) {
	for n := r.count(m.cfg.Limits.DataSegments, "data segments"); n > 0 && r.err == nil; n-- {
		if flags := r.u32(); flags != 0 {
			r.fail("data segment kind %d is not supported", flags)
		}
		_, offset := m.constant(r, I32)
		d := data{offset: uint32(offset), bytes: r.bytes(r.u32())}
		switch {
		case !m.hasMemory:
			r.fail("data without a memory")
		case uint64(d.offset)+uint64(len(d.bytes)) > uint64(m.minPages)*PageBytes:
			r.fail("data beyond the initial memory")
		}
		m.data = append(m.data, d)
	}
}

func (m *module) codeSection(r *reader) {
	n := r.count(m.cfg.Limits.Functions, "function bodies")
	if n != len(m.funcs) {
		r.fail("%d functions declared, %d defined", len(m.funcs), n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		size := r.u32()
		if uint64(size) > uint64(m.cfg.Limits.FunctionBytes) {
			r.fail("function body of %d bytes exceeds %d", size, m.cfg.Limits.FunctionBytes)
		}
		s := r.sub(size)
		m.bodies = append(m.bodies, m.function(s, m.types[m.funcs[i]]))
		r.join(s, "function body")
	}
}
