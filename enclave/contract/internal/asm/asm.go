// Package asm assembles small WebAssembly modules, so that tests of the contract engine can say exactly which bytes a
// hostile contract consists of. It checks nothing: an invalid module is assembled as readily as a valid one.
//
// Types are written as letters: i, l, f, d for i32, i64, f32, f64.
package asm

import (
	"encoding/binary"
	"math"
)

// Opcodes without operands, as code parts.
var (
	Unreachable = []byte{0x00}
	Nop         = []byte{0x01}
	Else        = []byte{0x05}
	End         = []byte{0x0b}
	Return      = []byte{0x0f}
	Drop        = []byte{0x1a}
	Select      = []byte{0x1b}
	MemorySize  = []byte{0x3f, 0}
	MemoryGrow  = []byte{0x40, 0}
	MemoryCopy  = []byte{0xfc, 10, 0, 0}
	MemoryFill  = []byte{0xfc, 11, 0}
	I32Eqz      = []byte{0x45}
	I32Ne       = []byte{0x47}
	I32LtU      = []byte{0x49}
	I32Add      = []byte{0x6a}
	I32Sub      = []byte{0x6b}
	I32DivU     = []byte{0x6e}
	I32DivS     = []byte{0x6d}
	I32TruncF32 = []byte{0xa8}
)

// Module collects sections; Bytes assembles them.
type Module struct {
	types, imports, funcs, tables, memories, globals, exports, elems, codes, data [][]byte
	imported                                                                      uint32
	Start                                                                         *uint32 // start function, if any
}

// Type adds a function type and returns its index.
func (m *Module) Type(params, results string) uint32 {
	b := append([]byte{0x60}, vector(types(params))...)
	m.types = append(m.types, append(b, vector(types(results))...))
	return uint32(len(m.types) - 1)
}

// Import adds a function import and returns its index. All imports precede all functions.
func (m *Module) Import(module, name, params, results string) uint32 {
	t := m.Type(params, results)
	m.imports = append(m.imports, Cat(str(module), str(name), []byte{0}, U32(t)))
	m.imported++
	return m.imported - 1
}

// ImportMemory imports "env" "memory" with a minimum and maximum in pages.
func (m *Module) ImportMemory(least, most uint32) {
	m.imports = append(m.imports, Cat(str("env"), str("memory"), []byte{2, 1}, U32(least), U32(most)))
}

// RawImport adds an import with the given description of its kind.
func (m *Module) RawImport(module, name string, desc ...byte) {
	m.imports = append(m.imports, Cat(str(module), str(name), desc))
}

// Memory defines a memory.
func (m *Module) Memory(least, most uint32) {
	m.memories = append(m.memories, Cat([]byte{1}, U32(least), U32(most)))
}

// Func adds a function whose locals are one group per letter and returns its index. The final end is added.
func (m *Module) Func(params, result, locals string, code ...[]byte) uint32 {
	b := U32(uint32(len(locals)))
	for _, t := range types(locals) {
		b = append(b, 1, t)
	}
	return m.RawFunc(m.Type(params, result), Cat(b, Cat(code...), End))
}

// RawFunc adds a function with its whole body.
func (m *Module) RawFunc(typ uint32, body []byte) uint32 {
	m.funcs = append(m.funcs, U32(typ))
	m.codes = append(m.codes, vector(body))
	return m.imported + uint32(len(m.funcs)) - 1
}

// Global adds a global initialised by a constant instruction.
func (m *Module) Global(typ byte, mutable bool, init []byte) uint32 {
	mut := byte(0)
	if mutable {
		mut = 1
	}
	m.globals = append(m.globals, Cat(types(string(typ)), []byte{mut}, init, End))
	return uint32(len(m.globals) - 1)
}

// Table adds a table of functions.
func (m *Module) Table(n uint32) { m.tables = append(m.tables, Cat([]byte{0x70, 0}, U32(n))) }

// RawTable adds a table by its bytes.
func (m *Module) RawTable(b ...byte) { m.tables = append(m.tables, b) }

// Elem fills the table.
func (m *Module) Elem(offset int32, funcs ...uint32) {
	b := Cat([]byte{0}, I32(offset), End, U32(uint32(len(funcs))))
	for _, f := range funcs {
		b = append(b, U32(f)...)
	}
	m.elems = append(m.elems, b)
}

// Data fills memory.
func (m *Module) Data(offset int32, b []byte) {
	m.data = append(m.data, Cat([]byte{0}, I32(offset), End, vector(b)))
}

// Export exports something of a kind (0 function, 1 table, 2 memory, 3 global).
func (m *Module) Export(name string, kind byte, index uint32) {
	m.exports = append(m.exports, Cat(str(name), []byte{kind}, U32(index)))
}

// Entry exports the functions deploy and call.
func (m *Module) Entry(deploy, call uint32) {
	m.Export("deploy", 0, deploy)
	m.Export("call", 0, call)
}

// Bytes assembles the module.
func (m *Module) Bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = append(append(out, id), vector(Cat(U32(uint32(len(items))), Cat(items...)))...)
		}
	}
	section(1, m.types)
	section(2, m.imports)
	section(3, m.funcs)
	section(4, m.tables)
	section(5, m.memories)
	section(6, m.globals)
	section(7, m.exports)
	if m.Start != nil {
		out = append(append(out, 8), vector(U32(*m.Start))...)
	}
	section(9, m.elems)
	section(10, m.codes)
	section(11, m.data)
	return out
}

// Contract assembles an ink!-like module: 2 to 16 pages of imported memory, the imports that build asks for, and one
// function that is both constructor and message.
func Contract(locals string, build func(m *Module) [][]byte) []byte {
	m := new(Module)
	m.ImportMemory(2, 16)
	code := build(m)
	f := m.Func("", "", locals, code...)
	m.Entry(f, f)
	return m.Bytes()
}

// Cat joins code parts.
func Cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Repeat gives code n times.
func Repeat(n int, code ...[]byte) (b []byte) {
	one := Cat(code...)
	for range n {
		b = append(b, one...)
	}
	return b
}

// Op gives an opcode with index operands.
func Op(op byte, indices ...uint32) []byte {
	b := []byte{op}
	for _, i := range indices {
		b = append(b, U32(i)...)
	}
	return b
}

// Call calls function f.
func Call(f uint32) []byte { return Op(0x10, f) }

// CallIndirect calls through the table with a type.
func CallIndirect(typ uint32) []byte { return Op(0x11, typ, 0) }

// Get, Set and Tee access local i.
func Get(i uint32) []byte { return Op(0x20, i) }

// Set assigns local i.
func Set(i uint32) []byte { return Op(0x21, i) }

// Tee assigns local i and keeps the value.
func Tee(i uint32) []byte { return Op(0x22, i) }

// Br branches to a depth.
func Br(depth uint32) []byte { return Op(0x0c, depth) }

// BrIf branches to a depth on a condition.
func BrIf(depth uint32) []byte { return Op(0x0d, depth) }

// Block, Loop and If wrap code without result.
func Block(code ...[]byte) []byte { return Cat([]byte{0x02, 0x40}, Cat(code...), End) }

// Loop is a loop without result.
func Loop(code ...[]byte) []byte { return Cat([]byte{0x03, 0x40}, Cat(code...), End) }

// If is a condition without else.
func If(code ...[]byte) []byte { return Cat([]byte{0x04, 0x40}, Cat(code...), End) }

// Load and Store are the four-byte accesses at an offset.
func Load(offset uint32) []byte { return Op(0x28, 2, offset) }

// Store stores an i32.
func Store(offset uint32) []byte { return Op(0x36, 2, offset) }

// I32 is i32.const.
func I32(v int32) []byte { return Signed([]byte{0x41}, int64(v)) }

// I64 is i64.const.
func I64(v int64) []byte { return Signed([]byte{0x42}, v) }

// F32 is f32.const with the given bits.
func F32(bits uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{0x43}, bits) }

// F64 is f64.const of a number.
func F64(v float64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0x44}, math.Float64bits(v))
}

// U32 is unsigned LEB128.
func U32(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

// Signed appends signed LEB128.
func Signed(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func vector(b []byte) []byte { return append(U32(uint32(len(b))), b...) }
func str(s string) []byte    { return vector([]byte(s)) }

func types(letters string) (b []byte) {
	codes := map[rune]byte{'i': 0x7f, 'l': 0x7e, 'f': 0x7d, 'd': 0x7c, 'v': 0x7b, 'r': 0x70}
	for _, c := range letters {
		b = append(b, codes[c])
	}
	return b
}
