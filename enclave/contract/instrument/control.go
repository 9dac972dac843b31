package instrument

// open starts a block.
func (f *function) open(op byte) {
	bt := f.byte()
	var result ValueType
	if bt != blockEmpty {
		if result = ValueType(bt); !result.valid() {
			f.fail("block type %#x is not supported", bt)
		}
	}
	if op == opIf {
		f.charge(Weights.BranchIf)
		f.expect(I32)
	}
	if len(f.blocks) > f.m.cfg.Limits.Nesting {
		f.fail("blocks nest deeper than %d", f.m.cfg.Limits.Nesting)
	}
	lost := f.blocks[len(f.blocks)-1].lost
	f.blocks = append(f.blocks, control{op: op, result: result, height: len(f.stack), lost: lost, skipped: lost,
		run: f.current, reach: len(f.blocks)})
	f.put(op, bt)
	f.edges++
	switch op {
	case opLoop:
		f.run(Weights.Loop, true)
	case opIf:
		f.edges++
		f.run(0, false)
	}
}

// leave pops the innermost block, checking that it leaves exactly its result.
func (f *function) leave() control {
	c := f.blocks[len(f.blocks)-1]
	f.expectResult(c.result)
	if len(f.stack) != c.height {
		f.fail("%d operands left over at the end of a block", len(f.stack)-c.height)
	}
	f.blocks = f.blocks[:len(f.blocks)-1]
	if outer := len(f.blocks) - 1; outer >= 0 {
		f.blocks[outer].reach = min(f.blocks[outer].reach, c.reach)
	}
	return c
}

func (f *function) otherwise() {
	c := f.leave()
	if c.op != opIf {
		f.fail("else without if")
		return
	}
	f.blocks = append(f.blocks, control{op: opElse, result: c.result, height: c.height, lost: c.skipped, skipped: c.skipped,
		thenLost: c.lost, targeted: c.targeted, run: c.run, reach: c.reach})
	f.put(opElse)
	f.run(0, false)
}

func (f *function) close() {
	c := f.leave()
	if f.err != nil {
		return
	}
	if c.op == opCall {
		return // the final end is put by emit
	}
	if c.op == opIf && c.result != 0 {
		f.fail("if with a result lacks else")
		return
	}
	f.put(opEnd)
	f.pushResult(c.result)
	f.blocks[len(f.blocks)-1].lost = c.endLost()
	switch {
	case c.reach >= len(f.blocks): // no branch leaves it: control that enters gets here, so the run goes on
		f.current = c.run
	case c.op != opBlock || c.targeted:
		f.run(0, false)
	}
}

// endLost tells whether control does not get behind the block's end.
func (c *control) endLost() bool {
	switch c.op {
	case opLoop:
		return c.lost
	case opIf:
		return c.skipped
	case opElse:
		return c.lost && c.thenLost && !c.targeted
	default:
		return c.lost && !c.targeted
	}
}

func (f *function) branch(op byte) {
	switch op {
	case opBr:
		f.charge(Weights.Branch)
		depth := f.u32()
		f.expectResult(f.label(depth))
		f.putIndex(opBr, depth)
		f.die()
	case opBrIf:
		f.charge(Weights.BranchIf)
		depth := f.u32()
		t := f.label(depth)
		f.expect(I32)
		f.expectResult(t)
		f.pushResult(t)
		f.putIndex(opBrIf, depth)
		f.run(0, false)
	case opBrTable:
		f.branchTable()
	case opReturn:
		// The body becomes a block inside the function, so that what is put behind it always runs.
		f.charge(Weights.Branch)
		depth := uint32(len(f.blocks) - 1)
		f.expectResult(f.label(depth))
		f.putIndex(opBr, depth)
		f.die()
	}
}

func (f *function) branchTable() {
	f.charge(Weights.BranchTable)
	f.expect(I32)
	n := f.count(f.m.cfg.Limits.BranchTargets, "branch targets")
	f.putIndex(opBrTable, uint32(n))
	var carried ValueType
	for i := 0; i <= n && f.err == nil; i++ {
		depth := f.u32()
		t := f.label(depth)
		if i > 0 && t != carried {
			f.fail("branch targets of different types")
		}
		carried = t
		f.body.code = appendU32(f.body.code, depth)
	}
	f.expectResult(carried)
	f.die()
}

func (f *function) call(op byte) {
	f.body.calls = true
	var sig Signature
	if op == opCall {
		f.charge(Weights.Call)
		i := f.u32()
		sig = f.m.signature(f.reader, i)
		f.putIndex(opCall, i)
	} else {
		f.charge(Weights.CallIndirect)
		t := f.m.typeIndex(f.reader)
		if f.u32() != 0 || !f.m.hasTable {
			f.fail("indirect call through a table that does not exist")
		}
		if f.err != nil {
			return
		}
		sig = f.m.types[t]
		f.expect(I32)
		f.putIndex(opCallIndirect, t)
		f.put(0)
	}
	for i := len(sig.Params) - 1; i >= 0; i-- {
		f.expect(sig.Params[i])
	}
	f.pushResult(sig.Result)
}
