package contract

import (
	"slices"
	"strings"
	"testing"

	"lukechampine.com/uint128"
)

// TestInstantiateVersions: each version makes a contract, runs its constructor with the value, and gives id and output.
func TestInstantiateVersions(t *testing.T) {
	value := uint128.From64(3)
	child := new(script).set("born", "yes").event("born").give(0, "out").b
	tail := []any{value, child, len(child), outAt, sized(32), outAt + 32, sized(3), "salt", 4}
	var hash = codeHash(scripted())
	for name, s := range map[string]*script{
		"seal0": new(script).host("seal0", "instantiate", hash, 32, 0, value, 16, child, len(child), outAt, sized(32), outAt+32, sized(3), "salt", 4),
		"seal1": new(script).host("seal1", "instantiate", slices.Concat([]any{hash, 0}, tail)...),
		"seal2": new(script).host("seal2", "instantiate", slices.Concat([]any{hash, 0, 0, sentinel}, tail)...),
		"limit": new(script).host("seal2", "instantiate", slices.Concat([]any{hash, 0, 9, uint128.Zero}, tail)...),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rich(10, alice)
			id := childID(alice, hash, child, []byte("salt"))
			s.host("seal2", "set_storage", "made", 4, outAt, 35).host("seal0", "instantiation_nonce").n--
			out := w.done(s.results())
			requireEqual(t, "codes", words(out.Output), []int32{0, -1})
			got, _ := w.value(alice, "made")
			requireEqual(t, "id and output", got, string(id[:])+"out")
			got, _ = w.value(id, "born")
			requireEqual(t, "constructor", got, "yes")
			requireEqual(t, "money", w.storage.balances[id], value)
			requireEqual(t, "created", out.Created, []Created{{id, hash}})
			requireEqual(t, "events", out.Events, []Event{{Contract: id, Data: []byte("born")}})
			requireEqual(t, "nonce", w.storage.created, 1+uint64(0))
		})
	}
}

// TestInstantiateCodes: how making a contract fails; nothing of it is left.
func TestInstantiateCodes(t *testing.T) {
	none := uint128.Zero
	hash := codeHash(scripted())
	addressed := func(child *script) *script { // has the id and the output written
		return new(script).host("seal1", "instantiate", hash, 0, none, child.b, len(child.b), outAt, sized(32), outAt+64, sized(9), "", 0)
	}
	twice := new(script).create(hash, 0, new(script), "a").create(hash, 0, new(script), "b").create(hash, 0, new(script), "a")
	cases := map[string]struct {
		want   Status
		codes  []int32
		made   int
		script *script
	}{
		"skipped outputs": {Done, []int32{0}, 1, new(script).host("seal1", "instantiate", hash, 0, none, "", 0, sentinel, 0, sentinel, 0, "", 0)},
		"unknown code":    {Done, []int32{codeCodeNotFound}, 0, new(script).create(nobody, 0, new(script), "")},
		"too little":      {Done, []int32{codeTransferFailed}, 0, new(script).create(hash, 11, new(script), "")},
		"traps":           {Done, []int32{codeCalleeTrapped}, 0, new(script).create(hash, 1, new(script).set("k", "").operation(opTrap), "")},
		"reverts":         {Done, []int32{codeCalleeReverted}, 0, new(script).create(hash, 1, new(script).event("e").give(1, "no"), "")},
		"reverts deep":    {Done, []int32{codeCalleeReverted}, 0, new(script).create(hash, 1, new(script).create(hash, 0, new(script), "").give(1, "no"), "")},
		"two salts":       {Done, []int32{0, 0}, 2, new(script).create(hash, 0, new(script), "a").create(hash, 0, new(script), "b")},
		"duplicate":       {Trapped, nil, 0, twice},
		"ends itself":     {Trapped, nil, 0, new(script).create(hash, 0, new(script).host("seal1", "terminate", nobody), "")},
		"short address":   {Trapped, nil, 0, new(script).host("seal1", "instantiate", hash, 0, none, "", 0, outAt, sized(31), sentinel, 0, "", 0)},
		"short output":    {Trapped, nil, 0, addressed(new(script).give(1, "ten bytes!"))},
		"huge salt":       {LimitExceeded, nil, 0, new(script).host("seal1", "instantiate", hash, 0, none, "", 0, sentinel, 0, sentinel, 0, at(0), 256<<10+1)},
		"retried": {Done, []int32{codeCalleeTrapped, codeCalleeTrapped}, 0, new(script).create(hash, 1, new(script).operation(opTrap), "").
			create(hash, 1, new(script).operation(opTrap), "")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rich(10, alice)
			before := w.storage.Clone()
			out := w.run(c.script.results())
			if out.Status != c.want {
				t.Fatalf("%s: %s", out.Status, out.Reason)
			}
			requireEqual(t, "codes", words(out.Output), c.codes)
			requireEqual(t, "made", len(out.Created), c.made)
			if c.made == 0 {
				requireEqual(t, "ledger", w.storage.ledger, before.ledger)
			}
		})
	}
	// A constructor that reverts: its output is written, its id is not.
	w := newWorld(t)
	s := addressed(new(script).give(1, "no")).host("seal2", "set_storage", "out", 3, outAt, 66)
	requireEqual(t, "codes", w.codes(s), []int32{codeCalleeReverted, -1})
	got, _ := w.value(alice, "out")
	requireEqual(t, "output", got, strings.Repeat("\x00", 64)+"no")
}

// TestTooManyContracts: a cluster that is full traps the maker.
func TestTooManyContracts(t *testing.T) {
	w := newWorld(t)
	for i := range 1000 {
		w.storage.contracts[[32]byte{1, byte(i), byte(i >> 8)}] = w.code
	}
	requireEqual(t, "status", w.run(new(script).create(w.code, 0, new(script), "")).Status, Trapped)
}

// TestUnderConstruction: while its constructor runs, a contract is none yet to anybody, itself included, but it may call
// others, and knows its code.
func TestUnderConstruction(t *testing.T) {
	w := newWorld(t)
	ask := func(s *script, id [32]byte) *script {
		return s.call(flagAllowReentry, id, 0, new(script)).host("seal0", "is_contract", id).
			host("seal0", "code_hash", id, outAt, sized(32))
	}
	// The id follows from the input, so the contract asks for its id by a script that does not contain it: it reads the
	// address and calls what it read.
	child := new(script).host("seal0", "address", outAt, sized(32)).
		host("seal1", "call", flagAllowReentry, outAt, 0, uint128.Zero, "", 0, sentinel, 0).
		host("seal0", "is_contract", outAt).host("seal0", "code_hash", outAt, outAt+64, sized(32)).
		host("seal0", "own_code_hash", outAt, sized(32)).note("itself").
		call(flagAllowReentry, bob, 0, new(script).host("seal0", "caller", outAt, sized(32)).
			host("seal1", "call", flagAllowReentry, outAt, 0, uint128.Zero, "", 0, sentinel, 0).
			host("seal0", "is_contract", outAt).note("other"))
	id := childID(alice, w.code, child.b, nil)
	w.done(ask(new(script).create(w.code, 0, child, ""), id).note("after"))
	for _, c := range []struct {
		of   [32]byte
		key  string
		want []int32
	}{
		{id, "itself", []int32{codeNotCallable, 0, codeKeyNotFound}},
		{bob, "other", []int32{codeNotCallable, 0}},
		{alice, "after", []int32{0, 0, 1, 0}},
	} {
		got, _ := w.value(c.of, c.key)
		requireEqual(t, c.key, words([]byte(got)), c.want)
	}
	// The same holds for the constructor that the call itself is.
	w.call.Deploy = true
	requireEqual(t, "outermost", w.codes(ask(new(script), alice)), []int32{codeNotCallable, 0, codeKeyNotFound})
}

// TestTerminate: the contract is gone at once; its money, with what comes later, goes to the beneficiary at the end.
func TestTerminate(t *testing.T) {
	w := newWorld(t)
	w.rich(100, alice, bob)
	end := new(script).set("k", "").host("seal1", "terminate", carol).operation(opTrap)
	s := new(script).call(0, bob, 5, end).
		call(0, bob, 0, new(script)).host("seal0", "is_contract", bob).host("seal0", "code_hash", bob, outAt, sized(32)).
		host("seal0", "transfer", bob, 32, uint128.From64(7), 16).
		call(0, carol, 0, new(script).host("seal0", "balance", outAt, sized(16)).host("seal2", "set_storage", "b", 1, outAt, 16))
	requireEqual(t, "codes", w.codes(s), []int32{0, codeNotCallable, 0, codeKeyNotFound, 0, 0})
	got, _ := w.value(carol, "b")
	requireEqual(t, "before the end", got, string(make([]byte, 16)))
	requireEqual(t, "money", []uint128.Uint128{w.storage.balances[alice], w.storage.balances[bob], w.storage.balances[carol]},
		[]uint128.Uint128{uint128.From64(88), uint128.Zero, uint128.From64(112)})
	requireEqual(t, "storage of Bob", len(w.storage.Stored(bob)), 0)
	requireEqual(t, "afterwards", w.codes(new(script).call(0, bob, 0, new(script))), []int32{codeNotCallable})
}

// TestTerminateAndReturn: what a terminated contract did counts, an id is never used twice, and a revert of the caller
// brings it back.
func TestTerminateAndReturn(t *testing.T) {
	w := newWorld(t)
	w.rich(100, alice, bob)
	end := new(script).host("seal0", "terminate", nobody, 32)
	again := new(script).call(0, carol, 0, new(script).call(0, bob, 0, end).give(1, "")).call(0, bob, 0, new(script).set("k", "v"))
	requireEqual(t, "codes", w.codes(again), []int32{codeCalleeReverted, 0})
	requireEqual(t, "money", w.storage.balances[bob], uint128.From64(100))

	// Alice herself: the call is done, with empty output.
	out := w.done(new(script).event("last words").host("seal1", "terminate", alice))
	requireEqual(t, "outcome", []any{len(out.Output), len(out.Events), w.storage.balances[alice]}, []any{0, 1, uint128.From64(100)})

	w = newWorld(t)
	child := new(script) // its message runs the same input
	id := childID(alice, w.code, child.b, nil)
	made := w.done(new(script).create(w.code, 0, child, "").call(0, id, 0, end).results())
	requireEqual(t, "made and ended", []any{words(made.Output), len(made.Created)}, []any{[]int32{0, 0}, 0})
	requireEqual(t, "the id again", w.run(new(script).create(w.code, 0, child, "")).Status, Trapped)

	// Refused while it is called again, and for the constructor that the call itself is.
	twice := new(script).call(flagAllowReentry, alice, 0, end).results()
	requireEqual(t, "twice", words(w.done(twice).Output), []int32{codeCalleeTrapped})
	w.call.Deploy = true
	requireEqual(t, "constructor", w.run(end).Status, Trapped)
}

// TestDependencies: locking answers as contracts expect; 32 codes at most.
func TestDependencies(t *testing.T) {
	w := newWorld(t)
	lock := func(s *script, hash [32]byte) *script { return s.host("seal0", "lock_delegate_dependency", hash) }
	unlock := func(s *script, hash [32]byte) *script { return s.host("seal0", "unlock_delegate_dependency", hash) }
	var hashes [][32]byte
	for n := range byte(maxDependencies + 1) {
		code := numbered(n)
		hashes = append(hashes, codeHash(code))
		w.storage.codes[codeHash(code)] = code
	}
	all := new(script)
	for _, hash := range hashes[:maxDependencies] {
		all = lock(all, hash)
	}
	w.done(all)
	requireEqual(t, "one too many", w.run(lock(new(script), hashes[maxDependencies])).Status, LimitExceeded)
	requireEqual(t, "twice", w.run(lock(new(script), hashes[0])).Status, Trapped)
	w.done(lock(unlock(new(script), hashes[3]), hashes[maxDependencies]))
	requireEqual(t, "unlocked already", w.run(unlock(new(script), hashes[3])).Status, Trapped)
	requireEqual(t, "own", w.run(lock(new(script), w.code)).Status, Trapped)
	requireEqual(t, "unknown", w.run(lock(new(script), nobody)).Status, Trapped)
	none := new(script)
	for i, hash := range hashes {
		if i != 3 {
			none = unlock(none, hash)
		}
	}
	w.done(none)
	requireEqual(t, "entries left", len(w.storage.Stored(alice)), 0)
}

// TestUnpaidLoadIsUndone: a contract whose gas ends while the code of a contract that it makes is loaded is undone as a
// whole, however little is missing, and its caller's own changes count.
func TestUnpaidLoadIsUndone(t *testing.T) {
	w := newWorld(t)
	start := w.storage
	inner := new(script).set("k", "v").create(codeHash(echo()), 0, new(script), "s")
	seen := map[bool]int{}
	for gas := 60_000; gas < 420_000; gas += 2_000 {
		w.storage = start.Clone()
		outer := new(script).host("seal1", "call", 0, bob, gas, uint128.Zero, inner.b, len(inner.b), sentinel, 0)
		codes := w.codes(outer.set("after", "x"))
		done := codes[0] == codeSuccess
		seen[done]++
		if _, kept := w.value(bob, "k"); kept != done {
			t.Fatalf("with %d gas: code %d, and its change is kept: %v", gas, codes[0], kept)
		}
		if _, kept := w.value(alice, "after"); !kept {
			t.Fatalf("with %d gas the caller's change is lost", gas)
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Fatalf("ends: %v", seen)
	}
}
