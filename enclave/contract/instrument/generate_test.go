package instrument

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// generator makes a valid module from bytes: each decision takes one, and decides for what is simplest when none is
// left. The same bytes make the same module, in two forms: as a contract, and as the reference, which makes NaNs
// canonical and counts what its instructions weigh by code of its own, so that it says in a bare runtime what the
// contract must do and cost behind the pass.
type generator struct {
	choices   []byte
	reference bool
	budget    int // instructions left before only simple ones are made
	labels    int // blocks without result that statements may leave
	funcs     []signature
	types     []uint32
}

// signature of a generated function, in the letters of package asm.
type signature struct{ param, result byte }

const letters = "ilfd"

// countExport is the reference's global with what its instructions weigh.
const countExport = "count"

// Indices that all generated modules share.
const (
	importFee     = 0 // host function l -> i
	helperF32     = 1 // canonical NaN, in the reference
	helperF64     = 2
	firstFunction = 3
	typedGlobals  = 0 // one of each letter
	fuelGlobal    = 4 // i32; bounds loops and calls
	countGlobal   = 5 // i64; the reference's count
	localsPerType = 2
	tableSize     = 8
)

func (g *generator) pick(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := int(g.choices[0])
	g.choices = g.choices[1:]
	return c % n
}

func (g *generator) letter() byte { return letters[g.pick(4)] }

// number takes eight bytes.
func (g *generator) number() uint64 {
	var b [8]byte
	g.choices = g.choices[copy(b[:], g.choices):]
	return binary.LittleEndian.Uint64(b[:])
}

// count is the reference's code for instructions of this weight.
func (g *generator) count(weight uint64) []byte {
	g.budget--
	if !g.reference || weight == 0 {
		return nil
	}
	return asm.Cat(asm.Op(0x23, countGlobal), asm.I64(int64(weight)), []byte{0x7c}, asm.Op(0x24, countGlobal))
}

// plain is code of n instructions of weight Plain.
func (g *generator) plain(n uint64, code ...[]byte) []byte {
	return asm.Cat(g.count(n*Weights.Plain), asm.Cat(code...))
}

// op is a numeric instruction by its table entry.
func (g *generator) op(op byte, immediate ...byte) []byte {
	n := &numerics[op]
	code := asm.Cat(g.count(n.weight), []byte{op}, immediate)
	return g.canonical(n, code)
}

func (g *generator) canonical(n *numeric, code []byte) []byte {
	switch {
	case !n.nan || !g.reference:
		return code
	case n.result == 'f':
		return append(code, asm.Call(helperF32)...)
	}
	return append(code, asm.Call(helperF64)...)
}

// local gives one of the letter's locals; the parameter is local 0, whatever its type, and stays unused but for tests
// of passing it.
func (g *generator) local(t byte) uint32 {
	return 1 + uint32(bytes.IndexByte([]byte(letters), t))*localsPerType + uint32(g.pick(localsPerType))
}

func (g *generator) global(t byte) uint32 {
	return typedGlobals + uint32(bytes.IndexByte([]byte(letters), t))
}

var edges = []uint64{0, 1, 1 << 31, 1 << 63, 1<<31 - 1, 1<<63 - 1, math.MaxUint64}

// constant is often an edge case, and a NaN with a payload for floats.
func (g *generator) constant(t byte) []byte {
	v := edges[g.pick(len(edges))]
	switch g.pick(3) {
	case 1:
		v = g.number()
	case 2:
		v = uint64(g.pick(100))
	}
	switch t {
	case 'i':
		return g.plain(1, asm.I32(int32(v)))
	case 'l':
		return g.plain(1, asm.I64(int64(v)))
	case 'f':
		bits := []uint32{uint32(v), math.Float32bits(float32(v)), 0x7fa00001, 0xffc00000, 0x7f800000}[g.pick(5)]
		return g.plain(1, asm.F32(bits))
	}
	bits := []uint64{v, math.Float64bits(float64(v)), 0x7ff4000000000001, 0xfff8000000000000, 0x7ff0000000000000}[g.pick(5)]
	return g.plain(1, asm.F64(math.Float64frombits(bits)))
}

// byResult lists the numeric instructions without memory that give a letter, and the loads.
var byResult, loadsOf = func() (ops, loads map[byte][]byte) {
	ops, loads = map[byte][]byte{}, map[byte][]byte{}
	for op := range numerics {
		switch n := &numerics[op]; {
		case n.weight == 0 || n.result == 0:
		case n.align >= 0:
			loads[n.result] = append(loads[n.result], byte(op))
		default:
			ops[n.result] = append(ops[n.result], byte(op))
		}
	}
	return ops, loads
}()

// stores lists the store instructions.
var stores = func() (ops []byte) {
	for op := range numerics {
		if n := &numerics[op]; n.weight != 0 && n.result == 0 {
			ops = append(ops, byte(op))
		}
	}
	return ops
}()

// expression pushes one value of a type.
func (g *generator) expression(t byte, depth int) []byte {
	if depth > 4 || g.budget <= 0 {
		return g.plain(1, asm.Get(g.local(t)))
	}
	switch g.pick(14) {
	case 0, 1:
		return g.plain(1, asm.Get(g.local(t)))
	case 2:
		return g.constant(t)
	case 3:
		return asm.Cat(g.count(Weights.Global), asm.Op(0x23, g.global(t)))
	case 4, 5, 6:
		return g.operation(t, depth)
	case 7:
		load := loadsOf[t][g.pick(len(loadsOf[t]))]
		return asm.Cat(g.address(depth), g.op(load, byte(g.pick(int(numerics[load].align)+1)), byte(g.pick(128))))
	case 8:
		return asm.Cat(g.expression('i', depth+1), g.count(Weights.BranchIf), []byte{0x04, code(t)}, g.expression(t, depth+1),
			asm.Else, g.expression(t, depth+1), asm.End)
	case 9:
		return asm.Cat([]byte{0x02, code(t)}, g.expression(t, depth+1), g.expression('i', depth+1), g.count(Weights.BranchIf),
			asm.BrIf(0), g.plain(1, asm.Drop), g.expression(t, depth+1), asm.End)
	case 10:
		return asm.Cat(g.expression(t, depth+1), g.expression(t, depth+1), g.expression('i', depth+1), g.plain(1, asm.Select))
	case 11:
		return asm.Cat(g.expression(t, depth+1), g.plain(1, asm.Tee(g.local(t))))
	case 12:
		return g.saturate(t, depth)
	default:
		return g.call(t, depth)
	}
}

func (g *generator) operation(t byte, depth int) (code []byte) {
	op := byResult[t][g.pick(len(byResult[t]))]
	for _, p := range []byte(numerics[op].params) {
		code = append(code, g.expression(p, depth+1)...)
	}
	return append(code, g.op(op)...)
}

// saturate is a conversion that cannot trap.
func (g *generator) saturate(t byte, depth int) []byte {
	sub := g.pick(len(saturating))
	n := &saturating[sub]
	code := asm.Cat(g.expression(n.params[0], depth+1), g.count(n.weight), []byte{0xfc, byte(sub)})
	if n.result == t {
		return code
	}
	return asm.Cat(code, g.plain(1, asm.Drop), g.expression(t, depth+1))
}

// call pushes what a function gives, or the host, through the table or not. The callee is any, and its result is
// dropped when it is of another type.
func (g *generator) call(t byte, depth int) []byte {
	i := g.pick(len(g.funcs) + 1)
	if i == len(g.funcs) {
		code := asm.Cat(g.expression('l', depth+1), g.count(Weights.Call), asm.Call(importFee))
		return asm.Cat(code, g.plain(1, asm.Drop), g.expression(t, depth+1))
	}
	sig := g.funcs[i]
	code := g.expression(sig.param, depth+1)
	if g.pick(3) == 0 {
		// An entry that may be empty or of another type: a trap.
		code = asm.Cat(code, g.plain(1, asm.I32(int32(g.pick(tableSize+1)))), g.count(Weights.CallIndirect), asm.CallIndirect(g.types[i]))
	} else {
		code = asm.Cat(code, g.count(Weights.Call), asm.Call(firstFunction+uint32(i)))
	}
	if sig.result == t {
		return code
	}
	return asm.Cat(code, g.plain(1, asm.Drop), g.expression(t, depth+1))
}

// address is mostly within the first page.
func (g *generator) address(depth int) []byte {
	code := g.expression('i', depth+2)
	if g.pick(6) == 5 {
		return code
	}
	return asm.Cat(code, g.plain(1, asm.I32(0x7ff8)), g.op(0x71))
}

// burn traps when the fuel is used up.
func (g *generator) burn() []byte {
	w := &Weights
	return asm.Cat(g.count(w.Global+2*w.Plain+w.Global), asm.Op(0x23, fuelGlobal), asm.I32(1), asm.I32Sub, asm.Op(0x24, fuelGlobal),
		g.count(w.Global+w.Plain+w.BranchIf), asm.Op(0x23, fuelGlobal), asm.I32Eqz, asm.If(g.plain(1, asm.Unreachable)))
}

// statements gives code that leaves the stack as it was.
func (g *generator) statements(depth int) (code []byte) {
	for range g.pick(5) + 1 {
		code = append(code, g.statement(depth)...)
	}
	return code
}

// inside gives statements within one more block.
func (g *generator) inside(depth int) []byte {
	g.labels++
	defer func() { g.labels-- }()
	return g.statements(depth + 1)
}

func (g *generator) statement(depth int) []byte {
	kinds := 16
	if depth > 5 || g.budget <= 0 {
		kinds = 3
	}
	switch g.pick(kinds) {
	case 0, 1:
		t := g.letter()
		return asm.Cat(g.expression(t, 0), g.plain(1, asm.Set(g.local(t))))
	case 2:
		t := g.letter()
		return asm.Cat(g.expression(t, 2), g.count(Weights.Global), asm.Op(0x24, g.global(t)))
	case 3, 4:
		op := stores[g.pick(len(stores))]
		n := &numerics[op]
		return asm.Cat(g.address(1), g.expression(n.params[1], 1), g.op(op, byte(g.pick(int(n.align)+1)), byte(g.pick(128))))
	case 5, 6:
		return asm.Cat(g.expression('i', 1), g.count(Weights.BranchIf), asm.BrIf(g.target()))
	case 7, 8:
		return asm.Block(g.inside(depth))
	case 9, 10:
		return asm.Loop(g.count(Weights.Loop), g.burn(), g.inside(depth))
	case 11:
		return asm.Cat(g.expression('i', 1), g.count(Weights.BranchIf), []byte{0x04, 0x40}, g.inside(depth), asm.Else, g.inside(depth), asm.End)
	case 12:
		return asm.Cat(g.expression('i', 1), g.count(Weights.BranchIf), []byte{0x04, 0x40}, g.inside(depth), asm.End)
	case 13:
		return g.jump()
	case 14:
		return g.memory()
	default:
		return asm.Cat(g.expression('i', 1), g.plain(1, asm.Drop), asm.Nop)
	}
}

func (g *generator) target() uint32 { return uint32(g.pick(g.labels)) }

// jump leaves for good, out of a block that ends with dead code.
func (g *generator) jump() []byte {
	g.labels++
	defer func() { g.labels-- }()
	dead := asm.Cat(asm.I32Add, asm.Drop, asm.Block(asm.I64(1), asm.Drop), asm.Nop)
	switch g.pick(6) {
	case 0:
		return asm.Block(g.count(Weights.Branch), asm.Br(g.target()), dead)
	case 1:
		return asm.Cat(g.expression('i', 1), g.count(Weights.BranchIf), asm.If(g.result(), g.count(Weights.Branch), asm.Return, dead))
	case 2:
		return asm.Cat(g.expression('i', 1), g.count(Weights.BranchIf), asm.If(g.plain(1, asm.Unreachable), dead))
	case 3, 4:
		// Arms of which each may be left; behind both there is code that validation takes for live.
		arm := func() []byte {
			if g.pick(2) == 0 {
				return g.statements(5)
			}
			return asm.Cat(g.count(Weights.Branch), asm.Br(g.target()), dead)
		}
		return asm.Cat(g.expression('i', 1), g.count(Weights.BranchIf), []byte{0x04, 0x40}, arm(), asm.Else, arm(), asm.End)
	}
	table := asm.Cat(g.expression('i', 1), g.count(Weights.BranchTable), []byte{0x0e}, asm.U32(3))
	for range 4 {
		table = append(table, asm.U32(g.target())...)
	}
	return asm.Block(table, dead)
}

// memory grows, copies or fills.
func (g *generator) memory() []byte {
	w := &Weights
	n := g.pick(64)
	switch g.pick(4) {
	case 0:
		return asm.Cat(g.count(w.Memory), asm.MemorySize, g.plain(1, asm.Drop))
	case 1:
		n %= 3
		return asm.Cat(g.plain(1, asm.I32(int32(n))), g.count(w.Grow+uint64(n)*w.GrowPage), asm.MemoryGrow, g.plain(1, asm.Drop))
	case 2:
		return asm.Cat(g.address(2), g.address(2), g.plain(1, asm.I32(int32(n))), g.count(w.Bulk+uint64(n)>>bulkShift), asm.MemoryCopy)
	}
	return asm.Cat(g.address(2), g.expression('i', 2), g.plain(1, asm.I32(int32(n))), g.count(w.Bulk+uint64(n)>>bulkShift), asm.MemoryFill)
}

func (g *generator) result() []byte {
	return g.plain(1, asm.Get(g.local(g.funcs[len(g.funcs)-1].result)))
}

func code(letter byte) byte {
	return map[byte]byte{'i': 0x7f, 'l': 0x7e, 'f': 0x7d, 'd': 0x7c}[letter]
}

// generate makes a contract from bytes, or its reference.
func generate(choices []byte, reference bool) []byte {
	g := &generator{choices: choices, reference: reference, budget: 1500}
	m := new(asm.Module)
	m.Memory(1, 4)
	m.Import("seal0", "fee", "l", "i")
	canonical := func(letter string, eq byte, nan []byte) {
		m.Func(letter, letter, "", asm.Get(0), nan, asm.Get(0), asm.Get(0), []byte{eq}, asm.Select)
	}
	canonical("f", 0x5b, asm.F32(0x7fc00000))
	canonical("d", 0x61, asm.F64(math.Float64frombits(0x7ff8000000000000)))
	for _, t := range []byte(letters) {
		zero := map[byte][]byte{'i': asm.I32(-3), 'l': asm.I64(1 << 40), 'f': asm.F32(0x3fc00000), 'd': asm.F64(-2.5)}
		m.Global(t, true, zero[t])
	}
	m.Global('i', true, asm.I32(150))
	m.Global('l', true, asm.I64(0))
	m.Table(tableSize)
	n := g.pick(4) + 1
	all := make([]signature, n)
	for i := range all {
		all[i] = signature{g.letter(), g.letter()}
		g.types = append(g.types, m.Type(string(all[i].param), string(all[i].result)))
	}
	for i := range all {
		m.Elem(int32(i), firstFunction+uint32(i))
		g.funcs, g.labels = all[:i+1], 1
		m.RawFunc(g.types[i], g.function())
	}
	if reference {
		m.Export(countExport, 3, countGlobal)
	}
	f := m.Func("", "", "", g.entry(all[n-1]))
	m.Entry(f, f)
	return m.Bytes()
}

// function is a body: locals, the fuel, and statements in a block whose label carries nothing. Functions call only
// those before them and themselves directly, and any of a type they know through the table.
func (g *generator) function() []byte {
	locals := asm.U32(uint32(len(letters)))
	for _, t := range []byte(letters) {
		locals = append(append(locals, localsPerType), code(t))
	}
	entry := g.count(Weights.Entry + uint64(len(letters)*localsPerType))
	body := asm.Cat(locals, entry, g.burn())
	for _, t := range []byte("fd") {
		body = asm.Cat(body, g.constant(t), g.plain(1, asm.Set(g.local(t))))
	}
	body = asm.Cat(body, asm.Block(g.statements(0)))
	// What the locals came to is seen in the globals, NaNs made here among it.
	for i, add := range []byte{0x6a, 0x7c, 0x92, 0xa0} {
		t := letters[i]
		body = asm.Cat(body, g.plain(1, asm.Get(g.local(t))), g.plain(1, asm.Get(g.local(t))), g.op(add),
			g.count(Weights.Global), asm.Op(0x24, g.global(t)))
	}
	return asm.Cat(body, g.result(), asm.End)
}

// entry calls the last function and stores the globals in memory, where they are seen.
func (g *generator) entry(s signature) []byte {
	w := &Weights
	g.funcs = []signature{s}
	zero := map[byte][]byte{'i': asm.I32(5), 'l': asm.I64(5), 'f': asm.F32(0x40a00000), 'd': asm.F64(5)}
	out := asm.Cat(g.count(w.Entry), g.plain(1, zero[s.param]), g.count(w.Call), asm.Call(firstFunction+uint32(len(g.types)-1)), g.plain(1, asm.Drop))
	for i, t := range []byte(letters) {
		store := map[byte]byte{'i': 0x36, 'l': 0x37, 'f': 0x38, 'd': 0x39}[t]
		out = asm.Cat(out, g.plain(1, asm.I32(int32(8*i))), g.count(w.Global), asm.Op(0x23, uint32(i)), g.op(store, 2, 0))
	}
	return out
}
