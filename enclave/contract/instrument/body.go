package instrument

// mark is a point of a rewritten body where a run begins: instructions that are executed together or not at all, unless
// one of them traps. What stands between them may be executed by itself, like the arms of an if.
type mark struct {
	offset int    // in body.code
	weight uint64 // of the whole run
	check  bool   // compare the gas with zero here
}

// body is one function, validated, with its instructions rewritten but the gas charges not yet put in.
type body struct {
	groups []localGroup
	code   []byte // instructions without the final end
	marks  []mark
	result ValueType
	locals uint32 // parameters and declared locals; the scratch locals stand behind them
	calls  bool   // calls something, so its frame is counted
	nan    bool   // canonicalises
	slots  uint64
}

// Scratch locals of a rewritten body, counted from the end of its own.
const (
	scratchGas   = iota // i64: gas left, to compare
	scratchStack        // i32: stack slots held before the call, to compare
	scratchF32          // a float that may be a NaN
	scratchF64
)

type localGroup struct {
	count uint32
	typ   ValueType
}

// control is a block that is open while its instructions are read.
type control struct {
	op       byte // opBlock, opLoop, opIf, opElse; opCall for the function itself
	result   ValueType
	height   int  // of the operand stack at its start
	dead     bool // the rest of it, as validation sees it
	lost     bool // control does not get here, which validation need not see
	skipped  bool // control did not get to its start
	thenLost bool // of an else: control does not get to the end of its if
	targeted bool // by a branch that control gets to
	run      int  // that the block began in
	reach    int  // outermost block that such a branch inside goes to, an index of blocks
}

// unknown is the type of an operand popped in dead code.
const unknown ValueType = 0

// function reads and rewrites one body with the standard validation algorithm: a stack of operand types and a stack
// of open blocks.
type function struct {
	*reader
	m       *module
	locals  []ValueType
	stack   []ValueType
	blocks  []control
	highest int
	edges   int // of the control flow graph
	current int // run, an index of body.marks
	body    body
}

func (m *module) function(r *reader, sig Signature) body {
	f := &function{reader: r, m: m}
	f.body.result = sig.Result
	f.declare(sig.Params)
	f.blocks = []control{{op: opCall, result: sig.Result}} // reach is 0: nothing is outside
	f.run(Weights.Entry+uint64(len(f.locals)-len(sig.Params)), true)
	for f.err == nil && len(f.blocks) > 0 {
		f.instruction()
	}
	m.compileWork(r, len(r.buf)+(len(f.locals)+32)*f.edges)
	// A compiler may spill a value of nearly every instruction, so the body's length counts too.
	f.body.slots = uint64(len(f.locals)+scratchF64+1+f.highest) + uint64(len(r.buf)/8)
	return f.body
}

// compileWork adds up what compiling may cost and refuses code built to be slow. Merging the locals at every edge of the
// control flow graph is what dominates an optimizing compiler, and no other bound limits the product of the two.
func (m *module) compileWork(r *reader, work int) {
	m.work += work
	switch lim := &m.cfg.Limits; {
	case work > lim.FunctionWork:
		r.fail("function's branches times locals, %d, exceed %d", work, lim.FunctionWork)
	case m.work > lim.Work:
		r.fail("functions' branches times locals, %d, exceed %d", m.work, lim.Work)
	}
}

// declare reads the local declarations and reserves the scratch locals behind them.
func (f *function) declare(params []ValueType) {
	limit := f.m.cfg.Limits.Locals
	f.locals = append(f.locals, params...)
	if len(params) > limit {
		f.fail("%d parameters exceed %d locals", len(params), limit)
	}
	for n := f.count(limit, "local groups"); n > 0 && f.err == nil; n-- {
		g := localGroup{count: f.u32(), typ: f.valueType()}
		if uint64(g.count)+uint64(len(f.locals)) > uint64(limit) {
			f.fail("locals exceed %d", limit)
			return
		}
		for range g.count {
			f.locals = append(f.locals, g.typ)
		}
		f.body.groups = append(f.body.groups, g)
	}
	f.body.locals = uint32(len(f.locals))
}

// run begins a run of instructions here.
func (f *function) run(weight uint64, check bool) {
	f.current = len(f.body.marks)
	f.body.marks = append(f.body.marks, mark{len(f.body.code), weight, check})
}

// charge adds to the current run, unless nothing gets here.
func (f *function) charge(weight uint64) {
	if !f.blocks[len(f.blocks)-1].lost {
		f.body.marks[f.current].weight += weight
	}
}

func (f *function) put(b ...byte) { f.body.code = append(f.body.code, b...) }

func (f *function) putIndex(op byte, i uint32) { f.body.code = appendU32(append(f.body.code, op), i) }

func (f *function) push(t ValueType) {
	f.stack = append(f.stack, t)
	f.highest = max(f.highest, len(f.stack))
	if len(f.stack) > f.m.cfg.Limits.Operands {
		f.fail("operand stack exceeds %d", f.m.cfg.Limits.Operands)
	}
}

func (f *function) pop() ValueType {
	if f.err != nil {
		return unknown
	}
	top := &f.blocks[len(f.blocks)-1]
	if len(f.stack) > top.height {
		t := f.stack[len(f.stack)-1]
		f.stack = f.stack[:len(f.stack)-1]
		return t
	}
	if !top.dead {
		f.fail("operand stack is empty")
	}
	return unknown
}

func (f *function) expect(want ValueType) {
	if got := f.pop(); got != want && got != unknown {
		f.fail("operand of type %s, want %s", got, want)
	}
}

// expectResult pops a block's or function's result if it has one.
func (f *function) expectResult(t ValueType) {
	if t != 0 {
		f.expect(t)
	}
}

func (f *function) pushResult(t ValueType) {
	if t != 0 {
		f.push(t)
	}
}

// die marks the rest of the current block as unreachable.
func (f *function) die() {
	if f.err != nil {
		return
	}
	top := &f.blocks[len(f.blocks)-1]
	f.stack = f.stack[:top.height]
	top.dead, top.lost = true, true
}

// label resolves a branch depth, marks the block as a target and gives the type that a branch to it carries.
func (f *function) label(depth uint32) ValueType {
	if f.err != nil {
		return 0
	}
	if uint64(depth) >= uint64(len(f.blocks)) {
		f.fail("branch depth %d does not exist", depth)
		return 0
	}
	target := len(f.blocks) - 1 - int(depth)
	c := &f.blocks[target]
	if top := &f.blocks[len(f.blocks)-1]; !top.lost {
		top.reach = min(top.reach, target)
		c.targeted = true
	}
	f.edges++
	if c.op == opLoop {
		return 0
	}
	return c.result
}

func (f *function) instruction() {
	op := f.byte()
	if f.err != nil {
		return
	}
	if n := &numerics[op]; n.weight != 0 {
		f.numeric(op, n)
		return
	}
	switch op {
	case opUnreachable:
		f.charge(Weights.Plain)
		f.put(op)
		f.die()
	case opNop:
	case opBlock, opLoop, opIf:
		f.open(op)
	case opElse:
		f.otherwise()
	case opEnd:
		f.close()
	case opBr, opBrIf, opBrTable, opReturn:
		f.branch(op)
	case opCall, opCallIndirect:
		f.call(op)
	case opLocalGet, opLocalSet, opLocalTee, opGlobalGet, opGlobalSet:
		f.variable(op)
	case opI32Const, opI64Const, opF32Const, opF64Const:
		f.constant(op)
	default:
		f.other(op)
	}
}

func (f *function) other(op byte) {
	switch op {
	case opDrop:
		f.charge(Weights.Plain)
		f.pop()
		f.put(op)
	case opSelect:
		f.charge(Weights.Plain)
		f.expect(I32)
		a, b := f.pop(), f.pop()
		if a != b && a != unknown && b != unknown {
			f.fail("select between %s and %s", b, a)
		}
		f.push(max(a, b)) // the known one
		f.put(op)
	case opMemorySize, opMemoryGrow:
		f.memoryPages(op)
	case opPrefix:
		f.prefixed()
	default:
		f.fail("instruction %#x is not supported", op)
	}
}

func (f *function) variable(op byte) {
	i := f.u32()
	if f.err != nil {
		return
	}
	if op == opGlobalGet || op == opGlobalSet {
		f.globalAccess(op, i)
		return
	}
	if uint64(i) >= uint64(len(f.locals)) {
		f.fail("local %d does not exist", i)
		return
	}
	t := f.locals[i]
	if op != opLocalGet {
		f.expect(t)
	}
	if op != opLocalSet {
		f.push(t)
	}
	f.charge(Weights.Plain)
	f.putIndex(op, i)
}

func (f *function) globalAccess(op byte, i uint32) {
	switch {
	case uint64(i) >= uint64(len(f.m.globals)):
		f.fail("global %d does not exist", i)
		return
	case op == opGlobalGet:
		f.push(f.m.globals[i].typ)
	case !f.m.globals[i].mutable:
		f.fail("global %d is constant", i)
	default:
		f.expect(f.m.globals[i].typ)
	}
	f.charge(Weights.Global)
	f.putIndex(op, i)
}

func (f *function) constant(op byte) {
	start := f.pos
	var t ValueType
	switch op {
	case opI32Const:
		f.signed(32)
		t = I32
	case opI64Const:
		f.signed(64)
		t = I64
	case opF32Const:
		f.bytes(4)
		t = F32
	case opF64Const:
		f.bytes(8)
		t = F64
	}
	f.charge(Weights.Plain)
	f.push(t)
	f.put(op)
	f.put(f.buf[start:f.pos]...)
}

func (f *function) numeric(op byte, n *numeric) {
	f.charge(n.weight)
	f.put(op)
	if n.align >= 0 {
		f.memoryOperand(n.align)
	}
	f.apply(n)
	if n.nan && !f.m.cfg.door.plain {
		f.canonicalise(letter(n.result))
	}
}

func (f *function) apply(n *numeric) {
	for i := len(n.params) - 1; i >= 0; i-- {
		f.expect(letter(n.params[i]))
	}
	if n.result != 0 {
		f.push(letter(n.result))
	}
}

func (f *function) memoryOperand(natural int8) {
	align, offset := f.u32(), f.u32()
	if align > uint32(natural) {
		f.fail("alignment exceeds the access")
	}
	if !f.m.hasMemory {
		f.fail("memory access without a memory")
	}
	f.body.code = appendU32(appendU32(f.body.code, align), offset)
}

// canonicalise replaces a NaN on top of the operand stack by the canonical one: x == x ? x : nan.
func (f *function) canonicalise(t ValueType) {
	scratch, get, eq := uint32(scratchF32), []byte{opF32Const, 0, 0, 0xc0, 0x7f}, byte(opF32Eq)
	if t == F64 {
		scratch, get, eq = scratchF64, []byte{opF64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f}, opF64Eq
	}
	scratch += f.body.locals
	f.body.nan = true
	f.putIndex(opLocalTee, scratch)
	f.put(get...)
	f.putIndex(opLocalGet, scratch)
	f.putIndex(opLocalGet, scratch)
	f.put(eq, opSelect)
}

func (f *function) memoryPages(op byte) {
	if f.byte() != 0 || !f.m.hasMemory {
		f.fail("access to a memory that does not exist")
	}
	if op == opMemoryGrow {
		f.charge(Weights.Grow)
		f.expect(I32)
		f.putIndex(opCall, f.m.helper(0))
	} else {
		f.charge(Weights.Memory)
	}
	f.push(I32)
	f.put(op, 0)
}

func (f *function) prefixed() {
	sub := f.u32()
	switch {
	case f.err != nil:
	case sub < uint32(len(saturating)):
		f.charge(saturating[sub].weight)
		f.apply(&saturating[sub])
		f.putIndex(opPrefix, sub)
	case sub == subMemoryCopy || sub == subMemoryFill:
		f.bulk(sub)
	default:
		f.fail("instruction 0xfc %d is not supported", sub)
	}
}

func (f *function) bulk(sub uint32) {
	operands := 1
	if sub == subMemoryCopy {
		operands = 2
	}
	for range operands {
		if f.byte() != 0 || !f.m.hasMemory {
			f.fail("access to a memory that does not exist")
		}
	}
	f.charge(Weights.Bulk)
	for range 3 {
		f.expect(I32)
	}
	f.putIndex(opCall, f.m.helper(1)) // takes the size and gives it back
	f.putIndex(opPrefix, sub)
	f.put(make([]byte, operands)...)
}
