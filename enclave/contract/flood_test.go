package contract

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// repeat does a script n times.
func repeat(n int, s *script) *script {
	return (&script{b: slices.Clone(s.b)}).operation(opRepeat, n, len(s.b))
}

// TestFloods: what a tree of calls does without end is stopped by gas or by a bound, costs what it is given and no more,
// and hurts only the call that does it: the caller goes on.
func TestFloods(t *testing.T) {
	const million = 1_000_000
	w := newWorld(t)
	sampleStorage(w.storage, alice, bob)
	hash := w.code
	// The salt is the counter of the repetition, which lies right behind the record.
	births := func(child *script) *script {
		one := new(script).host("seal1", "instantiate", hash, 0, uint128.Zero, child.b, len(child.b), sentinel, 0, sentinel, 0, at(0), 8)
		counter := scriptAt + len(one.b) + 8
		one = new(script).host("seal1", "instantiate", hash, 0, uint128.Zero, child.b, len(child.b), sentinel, 0, sentinel, 0, at(counter), 8)
		return repeat(million, one)
	}
	self := func(flags int) *script { // calls with its own input, for ever
		return new(script).host("seal1", "call", flagAllowReentry|flags, bob, 0, uint128.Zero, 0, 0, sentinel, 0)
	}
	cases := map[string]*script{
		"ten million calls of the host": repeat(10*million, new(script).host("seal0", "caller", outAt, sized(32))),
		"ten million calls of nobody":   repeat(10*million, new(script).call(0, nobody, 0, new(script))),
		"ten million calls":             repeat(10*million, new(script).call(0, parrot, 0, new(script))),
		"a trap in each":                repeat(10*million, new(script).call(0, carol, 0, new(script).operation(opTrap))),
		"a recursion in each":           repeat(10*million, new(script).call(0, carol, 0, new(script).operation(opRecurse, 1<<20))),
		"contracts without end":         births(new(script)),
		"contracts that make contracts": births(births(new(script))),
		"contracts that fail":           births(new(script).give(1, "")),
		"itself, twice at each depth":   repeat(million, self(flagCloneInput)),
		"events of callees":             repeat(million, new(script).call(0, carol, 0, new(script).event(strings.Repeat("e", 1000))).event("x")),
		"events rolled back":            repeat(million, new(script).call(0, carol, 0, new(script).event(strings.Repeat("e", 1000)).give(1, ""))),
		"transient storage of callees": repeat(million, new(script).keep("x", "y").keep("x", "z").
			call(0, carol, 0, new(script).keep("k", strings.Repeat("e", 8000)).keep("k", ""))),
		"debug messages of callees": repeat(million, new(script).call(0, carol, 0, new(script).host("seal0", "debug_message", "hello", 5))),
		"memory of callees":         repeat(million, new(script).call(0, carol, 0, new(script).operation(opGrow, 14))),
		"16 MiB returned":           new(script).host("seal0", "seal_return", 0, at(0), 16<<20),
		"all gas":                   new(script).operation(opSpin),
	}
	start := w.storage
	for name, flood := range cases {
		t.Run(name, func(t *testing.T) {
			w.t, w.storage = t, start.Clone()
			const given = 20_000_000
			s := new(script).event("before").
				host("seal1", "call", 0, bob, given, uint128.Zero, flood.b, len(flood.b), sentinel, 0).event("after")
			out := w.done(s.results())
			requireEqual(t, "code", words(out.Output), []int32{codeCalleeTrapped})
			requireEqual(t, "events", eventData(out), []string{"before", "after"})
			if out.GasUsed > given+1_000_000 {
				t.Fatalf("gas used %d", out.GasUsed)
			}
			requireEqual(t, "ledger", w.storage.ledger, start.ledger)
		})
	}
}

// TestMutualRecursion: contracts that call each other, each in the depth of its own recursion, end at a bound and not
// in an overflow of the host's stack; nothing is left of it.
func TestMutualRecursion(t *testing.T) {
	limits := DefaultLimits()
	limits.CallDepth = 200 // so that the stack's bound is met first
	w := newWorldOf(t, limits)
	s := new(script).set("bottom", "")
	for i := range 150 {
		s = new(script).operation(opRecurse, 500).call(flagAllowReentry, [][32]byte{alice, bob}[i%2], 0, s).results()
	}
	w.done(s)
	if reached(w, "vbottom") {
		t.Fatal("75,000 calls were under way at once")
	}
	for _, e := range w.engines {
		requireZero(t, e)
	}
}

// TestHugeMinimumInACallee: code whose least memory is all that there may be runs or does not, by what is left.
func TestHugeMinimumInACallee(t *testing.T) {
	m := new(asm.Module)
	m.ImportMemory(256, 256)
	f := m.Func("", "", "")
	m.Entry(f, f)
	for pages, want := range map[int]int32{257: codeCalleeTrapped, 258: codeSuccess} {
		limits := DefaultLimits()
		limits.TreeBytes = pages << 16
		w := newWorldOf(t, limits)
		place(w.storage, carol, m.Bytes())
		requireEqual(t, fmt.Sprint(pages), w.codes(new(script).call(0, carol, 0, new(script))), []int32{want})
	}
}

// TestConcurrentTrees: trees of several goroutines on one engine do not meet, whatever ends they come to.
func TestConcurrentTrees(t *testing.T) {
	limits := DefaultLimits()
	limits.CachedModules = 1 // each tree displaces the other's module
	for _, kind := range engines {
		e := startEngine(t, limits, kind.config())
		storage := newStorage()
		for _, id := range [][32]byte{alice, bob} {
			place(storage, id, scripted())
		}
		place(storage, parrot, echo())
		var all sync.WaitGroup
		for worker := range 4 {
			text := strings.Repeat(string(rune('a'+worker)), 100)
			inner := new(script).keep("k", text).host("seal1", "call", 0, parrot, 0, uint128.Zero, text, 100, outAt, sized(100)).
				create(codeHash(scripted()), 0, new(script).set("k", text).call(0, parrot, 0, new(script)), "").
				host("seal0", "seal_return", worker%2, outAt+32, 68)
			s := new(script).call(0, bob, 0, new(script).operation(opTrap)).
				host("seal1", "call", flagTailCall, bob, 0, uint128.Zero, inner.b, len(inner.b), sentinel, 0)
			all.Go(func() {
				for range 20 {
					own, call := storage.Clone(), sampleCall(1<<30)
					call.Input = s.b
					m, err := e.Prepare(t.Context(), scripted())
					if err != nil {
						t.Error(err)
						return
					}
					out, err := e.Execute(t.Context(), m, call, own)
					want := Done
					if worker%2 == 1 {
						want = Reverted
					}
					if err != nil || out.Status != want || !bytes.Equal(out.Output, []byte(text[:68])) {
						t.Errorf("worker %d: %s: %s: %q, %v", worker, out.Status, out.Reason, out.Output, err)
						return
					}
				}
			})
		}
		all.Wait()
		requireZero(t, e)
	}
}

// TestFreshInstances: a call of code that ran before, or that waits further out in the same tree, finds memory and
// globals as at the start, however the other call ended; and the one that waits finds its own as it left them.
func TestFreshInstances(t *testing.T) {
	w := newWorld(t)
	const allow = flagAllowReentry
	w.call.GasLimit = 1 << 25
	dirty := func() *script { return new(script).operation(opCopy, outAt, strings.Repeat("secret", 10), 60) }
	look := new(script).host("seal2", "set_storage", "seen", 4, outAt, 60).note("results")
	ends := map[string]*script{
		"done": new(script), "reverts": new(script).give(1, ""), "traps": new(script).operation(opTrap),
		"recursion": new(script).operation(opRecurse, 1<<20), "grown": new(script).operation(opGrow, 3),
		"bad call": new(script).give(2, ""),
	}
	for name, end := range ends {
		inner := dirty()
		inner.b = append(inner.b, end.b...)
		s := dirty().call(allow, alice, 0, inner).call(allow, alice, 0, look).
			call(allow, bob, 0, inner).call(allow, bob, 0, look).
			host("seal2", "set_storage", "own", 3, outAt, 60)
		for range 2 { // the second time everything has run before
			w.storage.values = map[string]string{}
			w.done(s)
			for _, id := range [][32]byte{alice, bob} {
				seen, _ := w.value(id, "seen")
				results, _ := w.value(id, "results")
				requireEqual(t, name, []any{seen, words([]byte(results))}, []any{string(make([]byte, 60)), []int32{-1}})
			}
			own, _ := w.value(alice, "own")
			requireEqual(t, name, own, strings.Repeat("secret", 10))
			w.run(inner) // ends as it ends
		}
		w.done(look)
		seen, _ := w.value(alice, "seen")
		requireEqual(t, name, seen, string(make([]byte, 60)))
	}
}

// TestCodeIsPaidOnce: contracts that call more code than the cache holds make nobody compile again and again what they
// do not pay for: each code costs its size the first time in a tree, cached or not, and is compiled once at most; how
// much code a tree may call is bounded.
func TestCodeIsPaidOnce(t *testing.T) {
	limits := DefaultLimits()
	limits.CachedModules = 2
	code := func(n byte) []byte { return numbered(n) }
	size := len(code(0))
	limits.TreeCodeBytes = 6 * size
	w := newWorldOf(t, limits)
	var ids [][32]byte
	for n := range byte(7) {
		ids = append(ids, [32]byte{9, n})
		place(w.storage, ids[n], code(n))
	}
	once := new(script)
	for _, id := range ids[:6] {
		once.call(0, id, 0, new(script))
	}
	first := w.done(once).GasUsed
	requireEqual(t, "again, whatever is cached", w.done(once).GasUsed, first)
	twice := new(script)
	for _, id := range append(ids[:6:6], ids[:6]...) {
		twice.call(0, id, 0, new(script))
	}
	both := w.done(twice).GasUsed
	least := 6 * priceLoad * uint64(size)
	if first < least || both-first > first-least+1_000_000 || both-first < 6*priceCall.base {
		t.Fatalf("once %d gas, twice %d, the code %d", first, both, least)
	}
	for _, e := range w.engines {
		loads := countingStorage{w.storage.Clone(), map[[32]byte]int{}}
		call := w.call
		call.Input = twice.b
		if out, err := e.Execute(t.Context(), prepare(t, e, scripted()), call, loads); err != nil || out.Status != Done {
			t.Fatal(out, err)
		}
		requireEqual(t, "codes loaded", len(loads.of), 6)
		for hash, n := range loads.of {
			if n != 1 {
				t.Fatalf("code %x is loaded %d times", hash[:4], n)
			}
		}
		for _, el := range e.entries {
			requireEqual(t, "users", el.Value.(*Module).users, 0)
		}
	}
	over := new(script)
	for _, id := range ids {
		over.call(0, id, 0, new(script))
	}
	requireEqual(t, "more code than there may be", w.run(over).Status, LimitExceeded)
	requireEqual(t, "own code is free", w.codes(new(script).call(flagAllowReentry, alice, 0, new(script))), []int32{0})
	poor := new(script).host("seal1", "call", 0, parrot, 0, uint128.Zero, "", 0, sentinel, 0)
	s := new(script).host("seal1", "call", 0, bob, uint64(100_000)+priceStart.base, uint128.Zero, poor.b, len(poor.b), sentinel, 0)
	requireEqual(t, "paid before it is compiled", w.codes(s), []int32{codeCalleeTrapped})
}

// countingStorage counts how often each code is asked for.
type countingStorage struct {
	*MapStorage
	of map[[32]byte]int
}

func (s countingStorage) Code(hash [32]byte) []byte {
	s.of[hash]++
	return s.MapStorage.Code(hash)
}
