package contract

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"golang.org/x/crypto/blake2b"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// Memory of the scripted contract.
const (
	resultsAt = 0x1000     // a word for each result of a host function, in order
	outAt     = at(0x8000) // free for output buffers
	scriptAt  = 0x10000    // its input
)

// Operations of scripts beside host functions, which go by their index in hostFunctions.
const (
	opTrap    = 1000 + iota // unreachable
	opSpin                  // loop for ever
	opGrow                  // memory.grow by arg 0 pages; the answer is a result
	opRecurse               // go on with the script arg 0 calls deeper
	opRepeat                // go arg 1 bytes back, arg 0 times
	opCopy                  // memory.copy
)

// scripted is a contract whose input is a script: records of a length, an operation and its arguments, done in order.
// Its constructor does the same as its message.
var scripted = sync.OnceValue(func() []byte {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	const pc, results, end = 0, 1, 2 // globals
	get := func(g uint32) []byte { return asm.Op(0x23, g) }
	set := func(g uint32) []byte { return asm.Op(0x24, g) }
	arg := func(i int, typ rune) []byte {
		load := asm.Cat(get(pc), asm.Op(0x29, 0, uint32(8+8*i)))
		if typ == 'i' {
			return append(load, 0xa7) // i32.wrap_i64
		}
		return load
	}
	is := func(op int, code ...[]byte) []byte {
		return asm.Cat(get(pc), asm.Load(4), asm.I32(int32(op)), []byte{0x46}, asm.If(code...))
	}
	keep := func(code ...[]byte) []byte { // stores the word that code leaves
		return asm.Cat(get(results), asm.Cat(code...), asm.Store(0), get(results), asm.I32(4), asm.I32Add, set(results))
	}
	var body []byte
	input := uint32(0)
	for i, h := range hostFunctions {
		result := ""
		if h.result != 0 {
			result = string(h.result)
		}
		f := m.Import(h.module, h.name, h.params, result)
		if h.name == "input" {
			input = f
		}
		var args []byte
		for k, typ := range h.params {
			args = append(args, arg(k, typ)...)
		}
		call := asm.Cat(args, asm.Call(f))
		switch h.result {
		case 'i':
			call = keep(call)
		case 'l':
			call = keep(call, []byte{0xa7})
		}
		body = append(body, is(i, call)...)
	}
	m.Global('i', true, asm.I32(scriptAt))
	m.Global('i', true, asm.I32(resultsAt))
	m.Global('i', true, asm.I32(0))
	next := asm.Cat(get(pc), get(pc), asm.Load(0), asm.I32Add, set(pc))
	first := uint32(len(hostFunctions))
	interpret, deeper := first, first+1
	body = asm.Cat(body,
		is(opTrap, asm.Unreachable),
		is(opSpin, asm.Loop(asm.Br(0))),
		is(opGrow, keep(arg(0, 'i'), asm.MemoryGrow)),
		is(opCopy, arg(0, 'i'), arg(1, 'i'), arg(2, 'i'), asm.MemoryCopy),
		is(opRecurse, arg(0, 'i'), next, asm.Call(deeper), asm.Return),
		is(opRepeat, get(pc), arg(0, 'i'), asm.I32(1), asm.I32Sub, asm.Store(8),
			arg(0, 'i'), asm.If(get(pc), arg(1, 'i'), asm.I32Sub, set(pc), asm.Br(2))),
		next, asm.Br(0),
	)
	m.Func("", "", "", asm.Block(asm.Loop(get(pc), get(end), []byte{0x4f}, asm.BrIf(1), body))) // i32.ge_u
	m.Func("i", "", "", asm.Get(0), asm.If(asm.Get(0), asm.I32(1), asm.I32Sub, asm.Call(deeper), asm.Return),
		asm.Call(interpret))
	f := m.Func("", "", "", asm.I32(resultsAt-4), asm.I32(1<<16), asm.Store(0),
		asm.I32(scriptAt), asm.I32(resultsAt-4), asm.Call(input),
		asm.I32(resultsAt-4), asm.Load(0), asm.I32(scriptAt), asm.I32Add, set(end), asm.Call(interpret))
	m.Entry(f, f)
	return m.Bytes()
})

// echo is a contract that returns its input.
var echo = sync.OnceValue(func() []byte {
	return asm.Contract("", func(m *asm.Module) [][]byte {
		ret := m.Import("seal0", "seal_return", "iii", "")
		input := m.Import("seal0", "input", "ii", "")
		return [][]byte{asm.I32(0), asm.I32(1 << 15), asm.Store(0), asm.I32(64), asm.I32(0), asm.Call(input),
			asm.I32(0), asm.I32(64), asm.I32(0), asm.Load(0), asm.Call(ret)}
	})
})

// script is an input of the scripted contract in the making.
type script struct {
	b []byte
	n int // results so far
}

// at is an argument that is a place in memory.
type at uint32

// operation adds a record. Arguments are numbers, or data whose place in the contract's memory is then the argument.
func (s *script) operation(op int, args ...any) *script {
	record := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(op))
	var data []byte
	place := func(b []byte) uint64 {
		at := scriptAt + len(s.b) + len(record) + 8*len(args) + len(data)
		data = append(data, b...)
		return uint64(at)
	}
	values := make([]uint64, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case int:
			values[i] = uint64(a)
		case at:
			values[i] = uint64(a)
		case uint32:
			values[i] = uint64(a)
		case uint64:
			values[i] = a
		case string:
			values[i] = place([]byte(a))
		case []byte:
			values[i] = place(a)
		case [32]byte:
			values[i] = place(a[:])
		case uint128.Uint128:
			values[i] = place(u128Bytes(a))
		default:
			panic(fmt.Sprintf("argument %T of a script", a))
		}
	}
	for _, v := range values {
		record = binary.LittleEndian.AppendUint64(record, v)
	}
	record = append(record, data...)
	binary.LittleEndian.PutUint32(record, uint32(len(record)))
	s.b = append(s.b, record...)
	return s
}

// host calls a host function.
func (s *script) host(module, name string, args ...any) *script {
	i := hostIndex(module, name)
	if len(hostFunctions[i].params) != len(args) {
		panic(fmt.Sprintf("%s.%s with %d arguments", module, name, len(args)))
	}
	if hostFunctions[i].result != 0 {
		s.n++
	}
	return s.operation(i, args...)
}

func hostIndex(module, name string) int {
	i := slices.IndexFunc(hostFunctions, func(h hostFunction) bool { return h.module == module && h.name == name })
	if i < 0 {
		panic(fmt.Sprintf("no host function %s.%s", module, name))
	}
	return i
}

func codeHash(code []byte) [32]byte { return blake2b.Sum256(code) }

// sized is the word that says how long an output buffer is.
func sized(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func (s *script) set(key, value string) *script {
	return s.host("seal2", "set_storage", key, len(key), value, len(value))
}

func (s *script) event(data string) *script {
	return s.host("seal0", "deposit_event", 0, 0, data, len(data))
}

// call calls a contract with all gas and drops its output.
func (s *script) call(flags int, callee [32]byte, value uint64, input *script) *script {
	return s.host("seal1", "call", flags, callee, 0, uint128.From64(value), input.b, len(input.b), sentinel, 0)
}

func (s *script) delegate(flags int, code [32]byte, input *script) *script {
	return s.host("seal0", "delegate_call", flags, code, input.b, len(input.b), sentinel, 0)
}

// create instantiates code with all gas and stores the id at outAt.
func (s *script) create(code [32]byte, value uint64, input *script, salt string) *script {
	return s.host("seal1", "instantiate", code, 0, uint128.From64(value), input.b, len(input.b), outAt, sized(32), sentinel, 0,
		salt, len(salt))
}

// give ends the contract with a text.
func (s *script) give(flags int, output string) *script {
	return s.host("seal0", "seal_return", flags, output, len(output))
}

// results ends the contract with all results so far.
func (s *script) results() *script { return s.host("seal0", "seal_return", 0, resultsAt, 4*s.n) }

// note stores all results so far.
func (s *script) note(key string) *script {
	return s.host("seal2", "set_storage", key, len(key), resultsAt, 4*s.n)
}

// Accounts of a world. Alice is the contract that is called; all three run scripts.
var (
	alice  = sampleCall(0).Contract
	bob    = [32]byte{0xb0, 0xb}
	carol  = [32]byte{0xca, 0x01}
	parrot = [32]byte{0xec, 0x0} // runs echo
	nobody = [32]byte{0x0b}
)

// world is a cluster with contracts that runs every call on both engines.
type world struct {
	t       *testing.T
	engines []*Engine
	storage *MapStorage
	call    Call
	code    [32]byte // of the scripted contract
}

func newWorld(t *testing.T) *world { return newWorldOf(t, DefaultLimits()) }

func newWorldOf(t *testing.T, limits Limits) *world {
	w := &world{t: t, storage: newStorage(), call: sampleCall(1 << 30)}
	for _, kind := range engines {
		w.engines = append(w.engines, startEngine(t, limits, kind.config()))
	}
	for _, id := range [][32]byte{alice, bob, carol} {
		place(w.storage, id, scripted())
	}
	place(w.storage, parrot, echo())
	w.code = w.storage.contracts[alice]
	return w
}

// run executes a script as Alice on both engines, demands equal outcomes, and keeps what it changed only if it is done.
func (w *world) run(s *script) Outcome {
	w.t.Helper()
	w.call.Input = s.b
	var first Outcome
	var trace []string
	var written *MapStorage
	for i, e := range w.engines {
		storage := w.storage.Clone()
		call := w.call
		var told []string
		call.Trace = func(contract [32]byte, function string) {
			told = append(told, fmt.Sprintf("%x %s", contract[0], function))
		}
		out, err := e.Execute(w.t.Context(), prepare(w.t, e, scripted()), call, storage)
		if err != nil {
			w.t.Fatalf("%s: %v", engines[i].name, err)
		}
		if len(storage.open) != 0 {
			w.t.Fatalf("%d transactions are left open", len(storage.open))
		}
		if i == 0 {
			first, written, trace = out, storage, told
			continue
		}
		requireEqual(w.t, "after commit", len(out.AfterCommit), len(first.AfterCommit))
		same := out
		same.AfterCommit = first.AfterCommit
		if len(same.AfterCommit) > 0 { // functions are never deeply equal
			same.AfterCommit, out.AfterCommit = nil, nil
			plain := first
			plain.AfterCommit = nil
			requireEqual(w.t, "outcomes", out, plain)
		} else {
			requireEqual(w.t, "outcomes", same, first)
		}
		requireEqual(w.t, "storage", storage, written)
		requireEqual(w.t, "trace", told, trace)
	}
	if first.Status == Done {
		written.open = nil
		w.storage = written
	}
	return first
}

// done runs a script that must end well.
func (w *world) done(s *script) Outcome {
	w.t.Helper()
	out := w.run(s)
	if out.Status != Done {
		w.t.Fatalf("%s: %s", out.Status, out.Reason)
	}
	return out
}

// codes runs a script that ends well with all results of its host functions.
func (w *world) codes(s *script) []int32 {
	w.t.Helper()
	return words(w.done(s.results()).Output)
}

// words decodes results.
func words(b []byte) (list []int32) {
	for ; len(b) >= 4; b = b[4:] {
		list = append(list, int32(binary.LittleEndian.Uint32(b)))
	}
	return list
}

// rich gives accounts money.
func (w *world) rich(amount uint64, accounts ...[32]byte) {
	for _, a := range accounts {
		w.storage.balances[a] = uint128.From64(amount)
	}
}

// value reads what a contract has under a key.
func (w *world) value(contract [32]byte, key string) (string, bool) {
	v, ok := w.storage.values[string(contract[:])+"v"+key]
	return v, ok
}
