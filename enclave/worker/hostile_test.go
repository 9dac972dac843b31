package worker_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// What the hostile contract does, by the first byte of its input.
const (
	answerFour = iota // returns four bytes
	loopForever
	growForever
	returnTooMuch
	recurseForever
	writeForever
	eventsAndOutput // as many events as there may be, then as much output
	eventsForever
	writeOnce
	writeMost // 500 values of 16 KiB
	writeSome // 100 of them
)

func leb(n uint32) []byte {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func section(id byte, parts ...[]byte) []byte {
	body := append(leb(uint32(len(parts))), slices.Concat(parts...)...)
	return slices.Concat([]byte{id}, leb(uint32(len(body))), body)
}

func name(s string) []byte { return append(leb(uint32(len(s))), s...) }

// i32 is i32.const of a number below 2³¹.
func i32(n int32) []byte {
	b := []byte{0x41}
	for n >= 0x40 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

// hostile assembles the contract. Its memory: length buffer at 0, input at 16, key at 64, value from 1024 on.
func hostile() []byte {
	imported := func(module, field string, kind ...byte) []byte {
		return slices.Concat(name(module), name(field), kind)
	}
	when := func(mode int32, code ...[]byte) []byte {
		return slices.Concat([]byte{0x20, 0}, i32(mode), []byte{0x46, 0x04, 0x40}, slices.Concat(code...), []byte{0x0b})
	}
	call := func(f byte, args ...int32) []byte {
		var b []byte
		for _, a := range args {
			b = append(b, i32(a)...)
		}
		return append(b, 0x10, f)
	}
	count := slices.Concat(i32(64), i32(64), []byte{0x28, 2, 0}, i32(1), []byte{0x6a, 0x36, 2, 0}) // key++
	forever := func(code ...[]byte) []byte {
		return slices.Concat([]byte{0x03, 0x40}, slices.Concat(code...), []byte{0x0c, 0, 0x0b})
	}
	times := func(n int32, code ...[]byte) []byte {
		return slices.Concat([]byte{0x03, 0x40}, slices.Concat(code...), count, i32(64), []byte{0x28, 2, 0}, i32(n),
			[]byte{0x49, 0x0d, 0, 0x0b})
	}
	body := slices.Concat(
		[]byte{1, 1, 0x7f}, // one i32 local
		i32(0), i32(32), []byte{0x36, 2, 0},
		call(0, 16, 0),
		i32(16), []byte{0x2d, 0, 0, 0x21, 0}, // local 0 = input[0]
		when(answerFour, call(1, 0, 16, 4)),
		when(loopForever, forever()),
		when(growForever, forever(i32(100), []byte{0x40, 0, 0x1a})),
		when(returnTooMuch, call(1, 0, 0, wire.MaxOutput+1)),
		when(recurseForever, []byte{0x10, 5}),
		when(writeForever, forever(call(2, 64, 1024, 16<<10), count)),
		when(eventsAndOutput, times(8, call(3, 0, 0, 1024, 16<<10)), call(1, 0, 0, wire.MaxOutput)),
		when(eventsForever, forever(call(3, 0, 0, 1024, 10))),
		when(writeOnce, call(2, 64, 1024, 16<<10)),
		when(writeMost, times(500, call(2, 64, 1024, 16<<10))),
		when(writeSome, times(100, call(2, 64, 1024, 16<<10))),
		[]byte{0x0b})
	recursive := slices.Concat([]byte{0}, []byte{0x10, 5}, []byte{0x0b})
	deploy := []byte{0, 0x0b}
	sized := func(b []byte) []byte { return append(leb(uint32(len(b))), b...) }
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{0x60, 0, 0}, []byte{0x60, 2, 0x7f, 0x7f, 0}, []byte{0x60, 3, 0x7f, 0x7f, 0x7f, 0},
			[]byte{0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 0}),
		section(2, imported("seal0", "input", 0, 1), imported("seal0", "seal_return", 0, 2),
			imported("seal0", "set_storage", 0, 2), imported("seal0", "deposit_event", 0, 3),
			imported("env", "memory", 2, 1, 5, 16)),
		section(3, []byte{0}, []byte{0}, []byte{0}),
		section(7, append(name("call"), 0, 4), append(name("deploy"), 0, 6)),
		section(10, sized(body), sized(recursive), sized(deploy)),
	)
}

// A contract may do what it likes: it ends with a receipt that all workers agree on, and the cluster goes on.
func TestHostileContract(t *testing.T) {
	s := newStage(t, 2)
	mallory := enclavetest.NewClient(s.World)
	id := s.deploy(mallory, hostile(), nil)
	for mode, want := range map[byte]wire.Status{
		answerFour: wire.StatusDone, loopForever: wire.StatusOutOfGas, growForever: wire.StatusOutOfGas,
		returnTooMuch: wire.StatusLimit, recurseForever: wire.StatusLimit, writeForever: wire.StatusLimit,
		eventsAndOutput: wire.StatusDone, eventsForever: wire.StatusLimit, writeOnce: wire.StatusDone,
	} {
		send := func(action wire.Action) *wire.Invocation {
			inv := mallory.New(action, id, []byte{mode, 1, 2, 3})
			if inv.GasLimit = 1 << 25; mode == writeForever {
				inv.GasLimit = 1 << 28
			}
			return inv
		}
		at := mallory.Send(send(wire.ActionCommand))
		s.sync()
		before := s.workers[0].Role.Status()
		out := s.outcome(mallory, at)
		if out.Status != want {
			t.Errorf("mode %d: %s (%s), want %s", mode, out.Status, out.Fault, want)
		}
		for _, x := range s.workers {
			reply, err := mallory.Ask(x, send(wire.ActionQuery))
			if err != nil {
				t.Fatalf("mode %d as a query: %v", mode, err)
			}
			if reply.Outcome.Status != want {
				t.Errorf("mode %d as a query: %s, want %s", mode, reply.Outcome.Status, want)
			}
		}
		if after := s.workers[0].Role.Status(); after[0].Root != before[0].Root {
			t.Errorf("mode %d: a query has changed the state", mode)
		}
	}
	s.agree()
}

// One delivery whose effects and receipts are larger than what the state's log takes at a time is split, not refused:
// or everybody who may post could stop the cluster for ever.
func TestManyLargeResults(t *testing.T) {
	s := newStage(t, 1)
	mallory := enclavetest.NewClient(s.World)
	id := s.deploy(mallory, hostile(), nil)
	for range 350 {
		mallory.Call(id, []byte{eventsAndOutput})
	}
	for range 8 {
		mallory.Call(id, []byte{writeMost})
	}
	last := mallory.Call(id, []byte{answerFour})
	s.sync()
	s.want(mallory, last, wire.StatusDone)
	s.want(mallory, last-1, wire.StatusDone)
	s.agree()
}

// Names in a refused module are the sender's own bytes; the receipt that quotes them still is one.
func TestModuleWithOddNames(t *testing.T) {
	s := newStage(t, 2)
	mallory := enclavetest.NewClient(s.World)
	for _, field := range []string{strings.Repeat("é", 300), "x" + strings.Repeat("é", 300), strings.Repeat("a", 100) + "\x00\n", "seal_call"} {
		wasm := slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, []byte{0x60, 0, 0}),
			section(2, slices.Concat(name("seal0"), name(field), []byte{0, 0})))
		hash := mallory.Upload(wasm, len(wasm))
		s.sync()
		out := s.want(mallory, s.Count()-1, wire.StatusRefused)
		if !utf8.ValidString(out.Fault) || out.Fault == "" {
			t.Errorf("fault is %q", out.Fault)
		}
		_, at := mallory.Instantiate(hash, 1, nil)
		s.sync()
		s.want(mallory, at, wire.StatusRefused)
	}
	s.agree()
}
