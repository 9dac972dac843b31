package worker_test

import (
	"encoding/binary"
	"slices"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// A puppet is a contract that does what its input says, in its constructor too: a list of steps, each of
//
//	what: u8 ‖ length of data: u16 ‖ x: u8 ‖ a: [32] ‖ b: [16] ‖ data
//
// An input without steps returns nothing.
const (
	stepSet    = iota + 1 // entry x = data
	stepGet               // return entry x, or nothing
	stepFill              // set b[0] entries, numbered from 1, to b[1] zeros each
	stepLog               // debug_message(data)
	stepEvent             // deposit_event(data)
	stepCall              // call a with value b and input data
	stepMake              // instantiate code a with value b, input data and salt x
	stepEnd               // terminate for beneficiary a
	stepCode              // set_code_hash(a)
	stepPay               // transfer b to a
	stepReturn            // return data
	stepRevert            // return data with the REVERT flag
	stepTrap              // unreachable
)

const stepHeader = 52

// step is one step of a puppet.
type step struct {
	what byte
	x    byte
	a    [32]byte
	b    uint64
	size uint32 // the second half of b, for stepFill
	data []byte
}

// play is the input that has a puppet do steps.
func play(steps ...step) []byte {
	var out []byte
	for _, s := range steps {
		out = binary.LittleEndian.AppendUint16(append(out, s.what), uint16(len(s.data)))
		out = append(append(out, s.x), s.a[:]...)
		b := binary.LittleEndian.AppendUint64(nil, s.b)
		if s.what == stepFill {
			binary.LittleEndian.PutUint32(b[4:], s.size)
		}
		out = append(append(append(out, b...), make([]byte, 8)...), s.data...)
	}
	return out
}

func set(key byte, value string) step     { return step{what: stepSet, x: key, data: []byte(value)} }
func get(key byte) step                   { return step{what: stepGet, x: key} }
func fill(n uint32, size uint32) step     { return step{what: stepFill, b: uint64(n), size: size} }
func logged(text string) step             { return step{what: stepLog, data: []byte(text)} }
func event(data string) step              { return step{what: stepEvent, data: []byte(data)} }
func end(to [32]byte) step                { return step{what: stepEnd, a: to} }
func upgrade(code wire.CodeHash) step     { return step{what: stepCode, a: code} }
func pay(to [32]byte, amount uint64) step { return step{what: stepPay, a: to, b: amount} }
func revert() step                        { return step{what: stepRevert, data: []byte("no")} }
func trap() step                          { return step{what: stepTrap} }

func call(to wire.ContractID, value uint64, steps ...step) step {
	return step{what: stepCall, a: to, b: value, data: play(steps...)}
}

// birth makes a puppet of a code with a salt of one byte.
func birth(code wire.CodeHash, salt byte, value uint64, steps ...step) step {
	return step{what: stepMake, x: salt, a: code, b: value, data: play(steps...)}
}

// childOf is the id of what such a birth makes.
func childOf(w *enclavetest.World, parent wire.ContractID, code wire.CodeHash, salt byte, steps ...step) wire.ContractID {
	return wire.NewChildContractID(w.Cluster.ID, parent, code, play(steps...), []byte{salt})
}

// puppet assembles the contract; tag makes it another code with the same behaviour. Its memory: length of the input at
// 0, of a value at 8, key of fill at 16, input at 1024, value from 32768 on, where else there are zeros.
func puppet(tag byte) []byte {
	const lenAt, sizeAt, keyAt, input, buffer = 0, 8, 16, 1024, 40960
	// Locals: 0 the step, 1 the end of the input, 2 the length of its data, 3 what fill has left to do.
	at := func(offset int32) []byte { return slices.Concat([]byte{0x20, 0}, i32(offset), []byte{0x6a}) }
	a, b, data, length := at(4), at(36), at(stepHeader), []byte{0x20, 2}
	load := func(address []byte) []byte { return append(slices.Clone(address), 0x28, 2, 0) }
	when := func(what int32, code ...[]byte) []byte {
		return slices.Concat([]byte{0x20, 0, 0x2d, 0, 0}, i32(what), []byte{0x46, 0x04, 0x40}, slices.Concat(code...), []byte{0x0b})
	}
	host := func(f byte, args ...[]byte) []byte { return append(slices.Concat(args...), 0x10, f) }
	drop, nothing, allGas := []byte{0x1a}, []byte{0x41, 0x7f}, []byte{0x42, 0} // nothing is the address of no output
	body := slices.Concat([]byte{1, 4, 0x7f},
		i32(lenAt), i32(39000), []byte{0x36, 2, 0}, host(0, i32(input), i32(lenAt)),
		i32(input), []byte{0x21, 0}, i32(input), load(i32(lenAt)), []byte{0x6a, 0x21, 1},
		[]byte{0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x20, 1, 0x4f, 0x0d, 1}, // until the step is past the end
		[]byte{0x20, 0, 0x2f, 0, 1, 0x21, 2},                            // length = the u16 at 1
		when(stepSet, host(2, at(3), i32(1), data, length), drop),
		when(stepGet, i32(sizeAt), i32(16<<10), []byte{0x36, 2, 0},
			host(3, at(3), i32(1), i32(buffer), i32(sizeAt)),
			[]byte{0x04, 0x40}, host(1, i32(0), i32(buffer), i32(0)), []byte{0x0b},
			host(1, i32(0), i32(buffer), load(i32(sizeAt)))),
		when(stepFill, load(b), []byte{0x21, 3, 0x03, 0x40}, i32(keyAt), []byte{0x20, 3, 0x36, 2, 0},
			host(2, i32(keyAt), i32(4), i32(buffer), load(at(40))), drop,
			[]byte{0x20, 3}, i32(1), []byte{0x6b, 0x22, 3, 0x0d, 0, 0x0b}),
		when(stepLog, host(4, data, length), drop),
		when(stepEvent, host(5, i32(0), i32(0), data, length)),
		when(stepCall, host(6, i32(8), a, allGas, b, data, length, nothing, i32(0)), drop),
		when(stepMake, host(7, a, allGas, b, data, length, nothing, i32(0), nothing, i32(0), at(3), i32(1)), drop),
		when(stepEnd, host(8, a)),
		when(stepCode, host(9, a), drop),
		when(stepPay, host(10, a, i32(32), b, i32(16)), drop),
		when(stepReturn, host(1, i32(0), data, length)),
		when(stepRevert, host(1, i32(1), data, length)),
		when(stepTrap, []byte{0x00}),
		when(int32(tag)+64, []byte{0x00}), // never; it makes the code another
		data, length, []byte{0x6a, 0x21, 0, 0x0c, 0, 0x0b, 0x0b, 0x0b})
	return puppetModule(body)
}

// puppetModule is a module with the puppet's imports and one function as both entries.
func puppetModule(body []byte) []byte {
	const i, l = 0x7f, 0x7e
	types := [][]byte{}
	var imports [][]byte
	add := func(module, field string, result bool, params ...byte) {
		t := slices.Concat([]byte{0x60}, leb(uint32(len(params))), params, []byte{0})
		if result {
			t = append(t[:len(t)-1], 1, i)
		}
		imports = append(imports, slices.Concat(name(module), name(field), []byte{0, byte(len(types))}))
		types = append(types, t)
	}
	add("seal0", "input", false, i, i)
	add("seal0", "seal_return", false, i, i, i)
	add("seal2", "set_storage", true, i, i, i, i)
	add("seal1", "get_storage", true, i, i, i, i)
	add("seal0", "debug_message", true, i, i)
	add("seal0", "deposit_event", false, i, i, i, i)
	add("seal1", "call", true, i, i, l, i, i, i, i, i)
	add("seal1", "instantiate", true, i, l, i, i, i, i, i, i, i, i, i)
	add("seal1", "terminate", false, i)
	add("seal0", "set_code_hash", true, i)
	add("seal0", "transfer", true, i, i, i, i)
	entry := byte(len(types))
	types = append(types, []byte{0x60, 0, 0})
	imports = append(imports, slices.Concat(name("env"), name("memory"), []byte{2, 1, 1, 16}))
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types...), section(2, imports...),
		section(3, []byte{entry}), section(7, append(name("call"), 0, entry), append(name("deploy"), 0, entry)),
		section(10, append(leb(uint32(len(body))), body...)))
}

// puppets is a stage with two puppets of one code, made by Alice and by Bob, each of whom has money, as they have.
type puppets struct {
	*stage
	alice, bob  *enclavetest.Client
	code, other wire.CodeHash
	hers, his   wire.ContractID
	first       uint64 // the message that made hers
}

func newPuppets(s *stage) *puppets {
	s.Helper()
	p := &puppets{stage: s, alice: enclavetest.NewClient(s.World), bob: enclavetest.NewClient(s.World)}
	p.code, p.other = p.alice.Upload(puppet(0), 3000), p.alice.Upload(puppet(1), 3000)
	var at uint64
	p.hers, p.first = p.alice.Instantiate(p.code, 1, nil)
	p.his, at = p.bob.Instantiate(p.code, 1, nil)
	for _, who := range []wire.Identity{p.alice.Identity(), p.bob.Identity()} {
		s.Deposit(who, 1000)
	}
	s.sync()
	s.want(p.alice, p.first, wire.StatusDone)
	s.want(p.bob, at, wire.StatusDone)
	return p
}

// do sends steps to a puppet and returns the message's index.
func (p *puppets) do(c *enclavetest.Client, id wire.ContractID, steps ...step) uint64 {
	return c.Call(id, play(steps...))
}

// must sends steps that have to end well.
func (p *puppets) must(c *enclavetest.Client, id wire.ContractID, steps ...step) wire.Outcome {
	p.Helper()
	at := p.do(c, id, steps...)
	p.sync()
	return p.want(c, at, wire.StatusDone)
}

// entry asks every worker for an entry of a puppet.
func (p *puppets) entry(id wire.ContractID, key byte) string {
	p.Helper()
	first := ""
	for i, x := range p.workers {
		r, err := p.alice.Query(x, id, play(get(key)))
		if err != nil {
			p.Fatal(err)
		}
		if r.Outcome.Status != wire.StatusDone {
			p.Fatalf("worker %d: %s", i, r.Outcome.Fault)
		}
		if v := string(r.Outcome.Output); i == 0 {
			first = v
		} else if v != first {
			p.Fatalf("worker %d has %q, worker 0 %q", i, v, first)
		}
	}
	return first
}
