package contract

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// callGas calls a contract with some gas, 0 for all that is left.
func (s *script) callGas(gas uint64, callee [32]byte, input *script) *script {
	return s.host("seal1", "call", 0, callee, gas, uint128.Zero, input.b, len(input.b), sentinel, 0)
}

func gasOf(value string) uint64 { return binary.LittleEndian.Uint64([]byte(value)) }

// TestCallGas: the callee gets what it was given, at most what is left, and what it does not use comes back.
func TestCallGas(t *testing.T) {
	note := func(s *script, key string) *script {
		return s.host("seal0", "gas_left", outAt, sized(8)).host("seal2", "set_storage", key, len(key), outAt, 8)
	}
	for name, given := range map[string]uint64{"all": 0, "limited": 5_000_000, "more than left": 1 << 60, "highest": ^uint64(0)} {
		w := newWorld(t)
		s := note(new(script), "before").callGas(given, bob, note(new(script), "left"))
		out := w.done(note(s, "after"))
		before, _ := w.value(alice, "before")
		left, _ := w.value(bob, "left")
		after, _ := w.value(alice, "after")
		most := gasOf(before)
		if given != 0 {
			most = min(most, given)
		}
		if gasOf(left) >= most || most-gasOf(left) > 500_000 {
			t.Fatalf("%s: given %d, left %d", name, most, gasOf(left))
		}
		if used := gasOf(before) - gasOf(after); used > 800_000 {
			t.Fatalf("%s: the call cost %d, what is not used did not come back", name, used)
		}
		if left := w.call.GasLimit - out.GasUsed; left >= gasOf(after) {
			t.Fatalf("%d gas left, more than the contract saw", left)
		}
	}
}

// TestCalleeTakesItsGasOnly: a callee that runs out takes what it was given and no more; given all, the caller goes on
// only with nothing and so ends.
func TestCalleeTakesItsGasOnly(t *testing.T) {
	spin := new(script).operation(opSpin)
	w := newWorld(t)
	out := w.done(new(script).callGas(3_000_000, bob, spin).results())
	requireEqual(t, "code", words(out.Output), []int32{codeCalleeTrapped})
	if out.GasUsed < 3_000_000 || out.GasUsed > 3_500_000 {
		t.Fatalf("gas used %d", out.GasUsed)
	}
	w.call.GasLimit = 1 << 22
	requireEqual(t, "all", w.run(new(script).callGas(0, bob, spin).results()).Status, OutOfGas)
	requireEqual(t, "not enough to start", w.codes(new(script).callGas(1000, bob, new(script))), []int32{codeCalleeTrapped})
}

// TestCallDepth: calls nest as deep as the limit says, delegated ones and constructors among them; one more traps the
// caller of it alone.
func TestCallDepth(t *testing.T) {
	limits := DefaultLimits()
	limits.CallDepth = 4
	w := newWorldOf(t, limits)
	nest := map[string]func(*script) *script{
		"call":        func(s *script) *script { return new(script).call(flagAllowReentry, alice, 0, s).note("r") },
		"delegate":    func(s *script) *script { return new(script).delegate(0, w.code, s).note("r") },
		"instantiate": func(s *script) *script { return new(script).create(w.code, 0, s, "").note("r") },
	}
	for name, deeper := range nest {
		s := new(script).set("bottom", "")
		for range limits.CallDepth - 1 {
			s = deeper(s)
		}
		w.storage.values = map[string]string{}
		w.done(s)
		if !reached(w, "vbottom") {
			t.Fatalf("%s: %d deep is not reached", name, limits.CallDepth)
		}
		w.storage.values = map[string]string{}
		w.done(deeper(s))
		if reached(w, "vbottom") {
			t.Fatalf("%s: deeper than %d", name, limits.CallDepth)
		}
		if first, _ := w.value(alice, "r"); name != "delegate" && name != "call" && words([]byte(first))[0] != codeSuccess {
			t.Fatalf("%s: %v", name, words([]byte(first)))
		}
	}
	out := w.run(nest["delegate"](nest["delegate"](nest["delegate"](new(script).delegate(flagTailCall, w.code, new(script))))))
	requireEqual(t, "only the innermost traps", out.Status, Done)
}

// reached reports whether any contract has the key.
func reached(w *world, key string) bool {
	for path := range w.storage.values {
		if strings.HasSuffix(path, key) {
			return true
		}
	}
	return false
}

// TestTreeMemory: memory is counted over all calls under way. Growing past the bound gives -1, a callee whose minimum
// does not fit is not run, and what a callee had is there again once it ended.
func TestTreeMemory(t *testing.T) {
	limits := DefaultLimits()
	limits.TreeBytes = 10 * instrument.PageBytes
	w := newWorldOf(t, limits)
	grow := func(pages int) *script { return new(script).operation(opGrow, pages) }
	// Alice has 2 pages, Bob 2 and grows to 8: all. The next page is refused.
	inner := grow(6)
	inner.n++
	inner.operation(opGrow, 1).n++
	inner.call(0, carol, 0, new(script)).note("r")
	twice := new(script).call(0, bob, 0, inner).call(0, bob, 0, inner)
	requireEqual(t, "codes", w.codes(twice), []int32{0, 0})
	got, _ := w.value(bob, "r")
	requireEqual(t, "Bob", words([]byte(got)), []int32{2, -1, codeCalleeTrapped})

	for _, e := range w.engines {
		requireZero(t, e)
	}
	// A contract whose least memory exceeds the bound does not run at all, even as the first.
	m := new(asm.Module)
	m.ImportMemory(11, 16)
	f := m.Func("", "", "")
	m.Entry(f, f)
	out := runBoth(t, limits, m.Bytes(), sampleCall(plenty), newStorage())
	requireEqual(t, "status", out.Status, LimitExceeded)
	if out.GasUsed == 0 || out.GasUsed == plenty {
		t.Fatalf("gas used %d", out.GasUsed)
	}
}

// requireZero demands that all idle memory is zero.
func requireZero(t *testing.T, e *Engine) {
	t.Helper()
	for _, slabs := range e.pool.free {
		for _, slab := range slabs {
			if len(bytes.Trim(slab, "\x00")) != 0 {
				t.Fatal("idle memory is not zero")
			}
		}
	}
}

// TestStackCarriesOn: what the stack may hold is counted over all calls under way, so that contracts that call each
// other in the depth of a recursion reach no deeper than one contract alone.
func TestStackCarriesOn(t *testing.T) {
	w := newWorld(t)
	least, most := 1, 1<<20
	for least+1 < most { // how deep Alice alone may recurse
		mid := (least + most) / 2
		if w.run(new(script).operation(opRecurse, mid)).Status == Done {
			least = mid
			continue
		}
		most = mid
	}
	requireEqual(t, "alone", w.run(new(script).operation(opRecurse, most)).Status, DepthExceeded)
	half := func(depth int) *script {
		return new(script).operation(opRecurse, least/2).
			call(0, bob, 0, new(script).operation(opRecurse, depth).set("deep", "")).results()
	}
	requireEqual(t, "together", words(w.done(half(least/2-50)).Output), []int32{codeSuccess})
	requireEqual(t, "one half more", words(w.done(half(least/2+50)).Output), []int32{codeCalleeTrapped})

	// To and fro without end.
	s := new(script)
	for i := range 40 {
		to := [][32]byte{alice, bob}[i%2]
		s = new(script).operation(opRecurse, least/8).call(flagAllowReentry, to, 0, s).results()
	}
	requireEqual(t, "to and fro", w.run(s).Status, Done)
}

// TestTreeBounds: events, their bytes and logs are bounded over the whole tree, and what was rolled back does not count
// but for logs.
func TestTreeBounds(t *testing.T) {
	limits := DefaultLimits()
	limits.Events, limits.AllEventBytes, limits.Logs = 3, 100, 3
	two := new(script).event("1").event("2")
	cases := map[string]struct {
		script *script
		codes  []int32
		events int
	}{
		"within":   {new(script).call(0, bob, 0, two).event("3"), []int32{0}, 3},
		"too many": {new(script).event("0").event("0").call(0, bob, 0, two).event("3"), []int32{1}, 3},
		"reverted": {new(script).call(0, bob, 0, new(script).event("1").event("2").event("3").give(1, "")).event("4").event("5").event("6"), []int32{2}, 3},
		"too many bytes": {new(script).event(strings.Repeat("a", 60)).
			call(0, bob, 0, new(script).event(strings.Repeat("b", 41))).event(strings.Repeat("c", 40)), []int32{1}, 2},
	}
	for name, c := range cases {
		w := newWorldOf(t, limits)
		out := w.done(c.script.results())
		requireEqual(t, name, words(out.Output), c.codes)
		requireEqual(t, name, len(out.Events), c.events)
	}
	w := newWorldOf(t, limits)
	requireEqual(t, "caller", w.run(new(script).call(0, bob, 0, two).event("3").event("4")).Status, LimitExceeded)

	say := func(end *script) *script {
		s := new(script).host("seal0", "debug_message", "b", 1).host("seal0", "debug_message", "b", 1)
		s.b = append(s.b, end.b...)
		return s
	}
	out := w.done(new(script).call(0, bob, 0, say(new(script).operation(opTrap))).call(0, carol, 0, say(new(script))))
	requireEqual(t, "logs", out.Logs, []Log{{bob, 4, "b"}, {bob, 4, "b"}, {carol, 4, "b"}})
	requireEqual(t, "dropped", out.Dropped, 1)
}

// TestRandomOfAnother: a callee can compute no value that its caller gets, whatever subject it asks for, and equal
// subjects give a contract equal values throughout the tree.
func TestRandomOfAnother(t *testing.T) {
	w := newWorld(t)
	ask := func(key string) *script {
		return new(script).host("seal0", "random", "subject", 7, outAt, sized(32)).
			host("seal2", "set_storage", key, 1, outAt, 32)
	}
	own := ask("a")
	own.call(flagAllowReentry, bob, 0, ask("b").call(0, alice, 0, ask("c"))).delegate(0, w.code, ask("d"))
	w.done(own)
	got := map[string]string{}
	for _, key := range []string{"a", "c", "d"} {
		got[key], _ = w.value(alice, key)
	}
	other, _ := w.value(bob, "b")
	if got["a"] != got["c"] || got["a"] != got["d"] || got["a"] == other || len(other) != 32 {
		t.Fatalf("random values %x, Bob's %x", got, other)
	}
	// A subject cannot be made to look like another contract and its subject: both have fixed places.
	for _, subject := range []string{"", string(bob[:]), string(alice[:])[:31], "subject" + string(alice[:])[:25]} {
		w.done(new(script).call(0, bob, 0, new(script).host("seal0", "random", subject, len(subject), outAt, sized(32)).
			host("seal2", "set_storage", "x", 1, outAt, 32)))
		if x, _ := w.value(bob, "x"); x == got["a"] {
			t.Fatalf("Bob found Alice's value with %q", subject)
		}
	}
}

// TestDrawsNeverRepeat: no two draws of a tree are equal, also where what came between was rolled back.
func TestDrawsNeverRepeat(t *testing.T) {
	w := newWorld(t)
	var drawn []string
	w.call.Extension = extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
		b := make([]byte, 40)
		env.Random("tag", b)
		drawn = append(drawn, string(b))
		return 0, nil, nil
	})
	draw := func() *script { return new(script).host("seal0", "call_chain_extension", 0, 0, 0, outAt, sized(0)) }
	s := draw().call(0, bob, 0, draw().give(1, "")).call(0, bob, 0, draw().operation(opTrap)).call(0, bob, 0, draw()).
		delegate(0, w.code, draw())
	w.done(s)
	first, second := drawn[:len(drawn)/2], drawn[len(drawn)/2:] // of the two engines
	requireEqual(t, "draws", first, second)
	slices.Sort(first)
	if n := len(slices.Compact(first)); n != 5 {
		t.Fatalf("%d different draws of 5", n)
	}
}
