package instrument

// Opcodes that the validator or the rewriting names.
const (
	opUnreachable  = 0x00
	opNop          = 0x01
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32GtS       = 0x4a
	opI64LtS       = 0x53
	opF32Eq        = 0x5b
	opF64Eq        = 0x61
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64ExtendU   = 0xad
	opPrefix       = 0xfc

	subMemoryCopy = 10
	subMemoryFill = 11
)

const blockEmpty = 0x40

// Weights is the price list of instructions, in gas. One gas is the work of a plain register instruction; the others
// are set from what they cost relative to it in compiled code, rounded up, instrumentation included. It is a constant
// of the execution version.
//
// Every function entry costs Entry plus one per declared local (locals are zeroed), every other instruction that is
// not listed one, and the marks nop, block, end and else nothing.
var Weights = struct {
	Plain, Memory, Global, Branch, BranchIf, BranchTable, Loop, Call, CallIndirect, Entry uint64
	Multiply, Divide, Float, FloatDivide, Convert, Grow, GrowPage, Bulk                   uint64
}{
	Plain: 1, Memory: 2, Global: 2, Branch: 1, BranchIf: 3, BranchTable: 6, Loop: 3, Call: 6, CallIndirect: 14, Entry: 6,
	Multiply: 2, Divide: 20, Float: 5, FloatDivide: 16, Convert: 4, Grow: 300, GrowPage: 32768, Bulk: 60,
}

// bulkShift: memory.copy and memory.fill cost one gas per 1<<bulkShift bytes besides Weights.Bulk.
const bulkShift = 1

// numeric describes an instruction without control flow: what it takes and gives, its weight, how its operand bytes
// read, and whether its result may be a NaN with open bits.
type numeric struct {
	params string // i, l, f, d for i32, i64, f32, f64, in order
	result byte   // one of them, or 0
	weight uint64
	align  int8 // for loads and stores the greatest alignment exponent, otherwise -1
	nan    bool
}

var numerics, saturating = numericTable()

// numericTable lists runs of opcodes with one type each, by first and last opcode.
func numericTable() (plain [256]numeric, prefixed [8]numeric) {
	w := &Weights
	set := func(first, last int, params string, result byte, weight uint64) {
		for op := first; op <= last; op++ {
			plain[op] = numeric{params: params, result: result, weight: weight, align: -1}
		}
	}
	set(0x45, 0x45, "i", 'i', w.Plain)
	set(0x46, 0x4f, "ii", 'i', w.Plain)
	set(0x50, 0x50, "l", 'i', w.Plain)
	set(0x51, 0x5a, "ll", 'i', w.Plain)
	set(0x5b, 0x60, "ff", 'i', w.Convert)
	set(0x61, 0x66, "dd", 'i', w.Convert)
	set(0x67, 0x69, "i", 'i', w.Plain)
	set(0x6a, 0x78, "ii", 'i', w.Plain)
	set(0x6c, 0x6c, "ii", 'i', w.Multiply)
	set(0x6d, 0x70, "ii", 'i', w.Divide)
	set(0x79, 0x7b, "l", 'l', w.Plain)
	set(0x7c, 0x8a, "ll", 'l', w.Plain)
	set(0x7e, 0x7e, "ll", 'l', w.Multiply)
	set(0x7f, 0x82, "ll", 'l', w.Divide)
	for _, f := range []struct {
		first int
		typ   byte
	}{{0x8b, 'f'}, {0x99, 'd'}} {
		one, two := string(f.typ), string([]byte{f.typ, f.typ})
		set(f.first, f.first+6, one, f.typ, w.Float)    // abs neg ceil floor trunc nearest sqrt
		set(f.first+7, f.first+13, two, f.typ, w.Float) // add sub mul div min max copysign
		set(f.first+6, f.first+6, one, f.typ, w.FloatDivide)
		set(f.first+10, f.first+10, two, f.typ, w.FloatDivide)
		for op := f.first + 2; op <= f.first+12; op++ {
			plain[op].nan = true // abs, neg and copysign are exact on NaN bits
		}
	}
	for i, s := range []string{"l>i", "f>i", "f>i", "d>i", "d>i", "i>l", "i>l", "f>l", "f>l", "d>l", "d>l", "i>f", "i>f",
		"l>f", "l>f", "d>f", "i>d", "i>d", "l>d", "l>d", "f>d", "f>i", "d>l", "i>f", "l>d"} {
		set(0xa7+i, 0xa7+i, s[:1], s[2], w.Convert)
	}
	plain[0xb6].nan, plain[0xbb].nan = true, true // demote, promote
	set(0xa7, 0xa7, "l", 'i', w.Plain)
	set(0xac, 0xad, "i", 'l', w.Plain)
	set(0xc0, 0xc1, "i", 'i', w.Plain)
	set(0xc2, 0xc4, "l", 'l', w.Plain)
	memoryTable(&plain)
	for i, s := range []string{"f>i", "f>i", "d>i", "d>i", "f>l", "f>l", "d>l", "d>l"} {
		prefixed[i] = numeric{params: s[:1], result: s[2], weight: w.Convert, align: -1}
	}
	return plain, prefixed
}

func memoryTable(plain *[256]numeric) {
	loads := []struct {
		typ   byte
		align int8
	}{{'i', 2}, {'l', 3}, {'f', 2}, {'d', 3}, {'i', 0}, {'i', 0}, {'i', 1}, {'i', 1}, {'l', 0}, {'l', 0}, {'l', 1}, {'l', 1},
		{'l', 2}, {'l', 2}}
	for i, l := range loads {
		plain[0x28+i] = numeric{params: "i", result: l.typ, weight: Weights.Memory, align: l.align}
	}
	stores := []struct {
		params string
		align  int8
	}{{"ii", 2}, {"il", 3}, {"if", 2}, {"id", 3}, {"ii", 0}, {"ii", 1}, {"il", 0}, {"il", 1}, {"il", 2}}
	for i, s := range stores {
		plain[0x36+i] = numeric{params: s.params, weight: Weights.Memory, align: s.align}
	}
}

// letter gives the type that a letter of numeric stands for.
func letter(c byte) ValueType {
	switch c {
	case 'i':
		return I32
	case 'l':
		return I64
	case 'f':
		return F32
	default:
		return F64
	}
}
