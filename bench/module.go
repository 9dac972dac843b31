package main

// Two small modules, in WebAssembly's binary format. Each is made in two forms: with memory imported, as contracts have
// it, and with memory of its own, as a bare runtime can run it.

const (
	i32   = 0x7f
	pages = 2
	page  = 64 << 10
)

// flipper does what ink!'s flipper does for get: read the input, load its storage cell, return a byte of it. Its
// constructor writes the cell.
func flipper(own bool) []byte {
	const input, get, set, ret = 0, 1, 2, 3 // imports, in this order
	size := cat(constant(512), constant(16384), op(0x36, 2, 0))
	deploy := cat(constant(0), constant(4), constant(100), constant(1), op(0x10, set), op(0x1a))
	call := cat(size, constant(1024), constant(512), op(0x10, input),
		size, constant(0), constant(4), constant(1024), constant(512), op(0x10, get), op(0x04, 0x40), op(0x00), op(0x0b),
		constant(0), constant(1024), constant(1), op(0x10, ret))
	return module(own, deploy, call)
}

// loop runs turns of arithmetic with a load, a store and a branch, which is about what an interpreter's loop is made of.
func loop(own bool, turns int) []byte {
	body := cat(
		constant(turns), op(0x21, 0), // local 0 counts down
		op(0x03, 0x40), // loop
		constant(64), constant(64), op(0x28, 2, 0), op(0x20, 0), op(0x6a), op(0x36, 2, 0),
		op(0x20, 1), op(0x20, 0), op(0x6c), constant(7), op(0x6a), op(0x21, 1),
		op(0x02, 0x40), op(0x20, 1), constant(3), op(0x71), op(0x0d, 0), op(0x20, 1), constant(5), op(0x73), op(0x21, 1), op(0x0b),
		op(0x20, 0), constant(1), op(0x6b), op(0x22, 0), op(0x0d, 0), op(0x0b),
	)
	return module(own, nil, body)
}

// module has the four imports of flipper and the two entries that contracts export.
func module(own bool, deploy, call []byte) []byte {
	none, two, three, four := []byte{0}, []byte{2, i32, i32}, []byte{3, i32, i32, i32}, []byte{4, i32, i32, i32, i32}
	function := func(params, results []byte) []byte { return cat([]byte{0x60}, params, results) }
	types := list(function(two, none), function(four, []byte{1, i32}), function(three, none), function(none, none))
	imports := [][]byte{
		cat(name("seal0"), name("input"), []byte{0, 0}), cat(name("seal1"), name("get_storage"), []byte{0, 1}),
		cat(name("seal2"), name("set_storage"), []byte{0, 1}), cat(name("seal0"), name("seal_return"), []byte{0, 2}),
	}
	limits := []byte{1, pages, 16}
	if !own {
		imports = append(imports, cat(name("env"), name("memory"), []byte{2}, limits))
	}
	out := cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types), section(2, list(imports...)), section(3, list([]byte{3}, []byte{3})))
	if own {
		out = cat(out, section(5, list(limits)))
	}
	entry := func(code []byte) []byte {
		body := cat([]byte{1, 2, i32}, code, []byte{0x0b}) // two locals
		return cat(number(len(body)), body)
	}
	exports := list(cat(name("deploy"), []byte{0, 4}), cat(name("call"), []byte{0, 5}))
	return cat(out, section(7, exports), section(10, list(entry(deploy), entry(call))))
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func op(code byte, operands ...byte) []byte { return append([]byte{code}, operands...) }

// constant is i32.const.
func constant(v int) []byte {
	out := []byte{0x41}
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 {
			return append(out, low)
		}
		out = append(out, low|0x80)
	}
}

// number is an unsigned LEB128.
func number(v int) []byte {
	var out []byte
	for ; v >= 0x80; v >>= 7 {
		out = append(out, byte(v)|0x80)
	}
	return append(out, byte(v))
}

func name(s string) []byte { return cat(number(len(s)), []byte(s)) }

func list(items ...[]byte) []byte { return cat(append([][]byte{number(len(items))}, items...)...) }

func section(id byte, content []byte) []byte { return cat([]byte{id}, number(len(content)), content) }
