package instrument

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }

func appendConst32(b []byte, v uint32) []byte {
	return appendSigned(append(b, opI32Const), int64(int32(v)))
}

func appendConst64(b []byte, v int64) []byte { return appendSigned(append(b, opI64Const), v) }

func appendOp(b []byte, op byte, i uint32) []byte { return appendU32(append(b, op), i) }

// helpers are the functions put behind the module's own: they charge by size and give the size back. Nothing in the
// original can name them.
const helpers = 2

func (m *module) helper(i uint32) uint32 { return uint32(len(m.imports)+len(m.funcs)) + i }
func (m *module) gas() uint32            { return uint32(len(m.globals)) }
func (m *module) stack() uint32          { return uint32(len(m.globals)) + 1 }

// emit writes the rewritten module.
func (m *module) emit() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, n int, body []byte) {
		if n == 0 {
			return
		}
		count := appendU32(nil, uint32(n))
		out = append(out, id)
		out = appendU32(out, uint32(len(count)+len(body)))
		out = append(append(out, count...), body...)
	}
	section(secType, len(m.types)+1, m.emitTypes())
	section(secImport, len(m.imports), m.emitImports())
	section(secFunction, len(m.funcs)+helpers, m.emitFunctions())
	if m.hasTable {
		section(secTable, 1, appendU32(appendU32([]byte{0x70, 1}, m.table), m.table))
	}
	section(secMemory, 1, appendU32(appendU32([]byte{1}, m.minPages), m.maxPages))
	section(secGlobal, len(m.globals)+2, m.emitGlobals())
	section(secExport, len(m.exported()), m.emitExports())
	section(secElement, len(m.elements), m.emitElements())
	section(secCode, len(m.bodies)+helpers, m.emitBodies())
	section(secData, len(m.data), m.emitData())
	return out
}

func (m *module) emitTypes() (b []byte) {
	for _, t := range append(m.types[:len(m.types):len(m.types)], Signature{[]ValueType{I32}, I32}) {
		b = appendU32(append(b, 0x60), uint32(len(t.Params)))
		for _, p := range t.Params {
			b = append(b, byte(p))
		}
		if t.Result == 0 {
			b = append(b, 0)
			continue
		}
		b = append(b, 1, byte(t.Result))
	}
	return b
}

func (m *module) emitImports() (b []byte) {
	for _, i := range m.imports {
		b = append(appendName(appendName(b, i.Module), i.Name), kindFunction)
		b = appendU32(b, i.typ)
	}
	return b
}

func (m *module) emitFunctions() (b []byte) {
	for _, t := range m.funcs {
		b = appendU32(b, t)
	}
	for range helpers {
		b = appendU32(b, uint32(len(m.types)))
	}
	return b
}

func (m *module) emitGlobals() (b []byte) {
	for _, g := range m.globals {
		mut := byte(0)
		if g.mutable {
			mut = 1
		}
		b = append(append(b, byte(g.typ), mut), g.init...)
		b = append(b, opEnd)
	}
	b = append(b, byte(I64), 1, opI64Const, 0, opEnd)
	return append(b, byte(I32), 1, opI32Const, 0, opEnd)
}

type export struct {
	name  string
	kind  byte
	index uint32
}

// exported lists what the rewritten module exports: the entry points, the counters, and every global that the code may
// change, so that the host can set it back.
func (m *module) exported() []export {
	list := []export{
		{DeployExport, kindFunction, m.deploy}, {CallExport, kindFunction, m.call},
		{GasExport, kindGlobal, m.gas()}, {StackExport, kindGlobal, m.stack()},
	}
	for i, g := range m.globals {
		if g.mutable {
			list = append(list, export{GlobalExport(uint32(i)), kindGlobal, uint32(i)})
		}
	}
	return list
}

func (m *module) emitExports() (b []byte) {
	for _, e := range m.exported() {
		b = appendU32(append(appendName(b, e.name), e.kind), e.index)
	}
	return b
}

func (m *module) emitElements() (b []byte) {
	for _, e := range m.elements {
		b = append(appendConst32(append(b, 0), e.offset), opEnd)
		b = appendU32(b, uint32(len(e.funcs)))
		for _, f := range e.funcs {
			b = appendU32(b, f)
		}
	}
	return b
}

func (m *module) emitData() (b []byte) {
	for _, d := range m.data {
		b = append(appendConst32(append(b, 0), d.offset), opEnd)
		b = append(appendU32(b, uint32(len(d.bytes))), d.bytes...)
	}
	return b
}

func (m *module) emitBodies() (b []byte) {
	put := func(code []byte) { b = append(appendU32(b, uint32(len(code))), code...) }
	for i := range m.bodies {
		put(m.emitBody(&m.bodies[i]))
	}
	put(m.emitHelper(func(c []byte) []byte {
		c = appendConst64(append(c, opI64ExtendU), int64(Weights.GrowPage))
		return append(c, opI64Mul)
	}))
	put(m.emitHelper(func(c []byte) []byte {
		return append(appendConst32(c, bulkShift), opI32ShrU, opI64ExtendU)
	}))
	return b
}

// emitHelper writes a function that charges scale(its argument) and returns the argument.
func (m *module) emitHelper(scale func([]byte) []byte) []byte {
	b := appendOp([]byte{0}, opGlobalGet, m.gas())
	b = scale(appendOp(b, opLocalGet, 0))
	b = appendOp(append(b, opI64Sub), opGlobalSet, m.gas())
	b = m.emitCheck(b)
	return append(appendOp(b, opLocalGet, 0), opEnd)
}

// emitCharge lowers the gas.
func (m *module) emitCharge(b []byte, weight uint64) []byte {
	b = appendConst64(appendOp(b, opGlobalGet, m.gas()), int64(weight))
	return appendOp(append(b, opI64Sub), opGlobalSet, m.gas())
}

// emitCheck traps when the gas is overdrawn.
func (m *module) emitCheck(b []byte) []byte {
	b = appendConst64(appendOp(b, opGlobalGet, m.gas()), 0)
	return append(b, opI64LtS, opIf, blockEmpty, opUnreachable, opEnd)
}

// emitBody puts charges, the frame's accounting and the scratch locals around and into the instructions.
func (m *module) emitBody(f *body) []byte {
	groups := f.groups[:len(f.groups):len(f.groups)]
	switch {
	case f.scratchF32 != none && f.scratchF64 != none && f.scratchF32 > f.scratchF64:
		groups = append(groups, localGroup{1, F64}, localGroup{1, F32})
	case f.scratchF32 != none && f.scratchF64 != none:
		groups = append(groups, localGroup{1, F32}, localGroup{1, F64})
	case f.scratchF32 != none:
		groups = append(groups, localGroup{1, F32})
	case f.scratchF64 != none:
		groups = append(groups, localGroup{1, F64})
	}
	b := appendU32(nil, uint32(len(groups)))
	for _, g := range groups {
		b = append(appendU32(b, g.count), byte(g.typ))
	}
	if !f.calls {
		return append(m.emitRuns(b, f), opEnd)
	}
	// The entry's charge stands before the frame's: an overdrawn call never grows the stack.
	b = m.emitMark(b, &f.marks[0])
	rest := *f
	rest.marks = f.marks[1:]
	b = m.emitEnter(b, f.frame(m))
	b = append(b, opBlock, blockType(f.result))
	b = append(m.emitRuns(b, &rest), opEnd)
	return append(m.emitLeave(b, f.frame(m)), opEnd)
}

func blockType(result ValueType) byte {
	if result == 0 {
		return blockEmpty
	}
	return byte(result)
}

// frame is the number of slots that a call of f holds: its own, and the base that bounds the depth.
func (f *body) frame(m *module) uint32 {
	return uint32(min(uint64(FrameSlots)+f.slots, uint64(m.cfg.Limits.StackSlots)+1))
}

// FrameSlots is the base of every counted frame.
const FrameSlots = 512

// emitRuns writes the instructions with the charge of each run at its start.
func (m *module) emitRuns(b []byte, f *body) []byte {
	from := 0
	for i := range f.marks {
		b = append(b, f.code[from:f.marks[i].offset]...)
		from = f.marks[i].offset
		b = m.emitMark(b, &f.marks[i])
	}
	return append(b, f.code[from:]...)
}

func (m *module) emitMark(b []byte, k *mark) []byte {
	if k.weight != 0 {
		b = m.emitCharge(b, k.weight)
	}
	if k.check {
		b = m.emitCheck(b)
	}
	return b
}

func (m *module) emitEnter(b []byte, slots uint32) []byte {
	b = appendConst32(appendOp(b, opGlobalGet, m.stack()), slots)
	b = appendOp(append(b, opI32Add), opGlobalSet, m.stack())
	b = appendConst32(appendOp(b, opGlobalGet, m.stack()), m.cfg.Limits.StackSlots)
	return append(b, opI32GtU, opIf, blockEmpty, opUnreachable, opEnd)
}

func (m *module) emitLeave(b []byte, slots uint32) []byte {
	b = appendConst32(appendOp(b, opGlobalGet, m.stack()), slots)
	return appendOp(append(b, opI32Sub), opGlobalSet, m.stack())
}
