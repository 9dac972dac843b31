package contract

import (
	"strings"
	"testing"

	"lukechampine.com/uint128"
)

// TestCallVersions: each version of call moves input, value and output, with and without its optional parts.
func TestCallVersions(t *testing.T) {
	value := uint128.From64(7)
	for name, s := range map[string]*script{
		"seal0": new(script).host("seal0", "call", parrot, 32, 0, value, 16, "hello", 5, outAt, sized(5)),
		"seal1": new(script).host("seal1", "call", 0, parrot, 0, value, "hello", 5, outAt, sized(9)),
		"seal2": new(script).host("seal2", "call", 0, parrot, 0, 0, sentinel, value, "hello", 5, outAt, sized(5)),
		"limit": new(script).host("seal2", "call", 0, parrot, 0, 5, uint128.Zero, value, "hello", 5, outAt, sized(5)),
	} {
		w := newWorld(t)
		w.rich(10, alice)
		s.host("seal2", "set_storage", "k", 1, outAt, 5)
		requireEqual(t, name, w.codes(s), []int32{0, -1})
		kept, _ := w.value(alice, "k")
		requireEqual(t, name, kept, "hello")
		requireEqual(t, "money", []any{w.storage.balances[alice], w.storage.balances[parrot]}, []any{uint128.From64(3), value})
	}
}

// TestCallFacts: what the callee learns of the call.
func TestCallFacts(t *testing.T) {
	w := newWorld(t)
	w.rich(10, alice)
	facts := new(script).host("seal0", "caller", outAt, sized(32)).host("seal0", "address", outAt+32, sized(32)).
		host("seal0", "value_transferred", outAt+64, sized(16)).host("seal0", "balance", outAt+80, sized(16)).
		host("seal2", "set_storage", "facts", 5, outAt, 96).
		host("seal0", "caller_is_origin").host("seal0", "reentrance_count").
		host("seal0", "account_reentrance_count", alice).note("words")
	requireEqual(t, "codes", w.codes(new(script).call(0, bob, 4, facts)), []int32{0})
	got, _ := w.value(bob, "facts")
	requireEqual(t, "facts", got, string(alice[:])+string(bob[:])+string(u128Bytes(uint128.From64(4)))+
		string(u128Bytes(uint128.From64(4))))
	got, _ = w.value(bob, "words")
	requireEqual(t, "words", words([]byte(got)), []int32{-1, 0, 0, 1})
}

// TestCallCodes: what the caller learns of how the callee ended; it goes on in any case.
func TestCallCodes(t *testing.T) {
	cases := map[string]struct {
		want   int32
		callee [32]byte
		value  uint64
		input  *script
	}{
		"done":            {codeSuccess, bob, 10, new(script)},
		"returns":         {codeSuccess, bob, 0, new(script).give(0, "x")},
		"reverts":         {codeCalleeReverted, bob, 1, new(script).give(1, "x")},
		"traps":           {codeCalleeTrapped, bob, 1, new(script).operation(opTrap)},
		"bad flags":       {codeCalleeTrapped, bob, 1, new(script).give(2, "x")},
		"runs out of gas": {codeCalleeTrapped, bob, 1, new(script).operation(opSpin)},
		"bad pointer":     {codeCalleeTrapped, bob, 1, new(script).host("seal0", "is_contract", at(0xffffffff))},
		"recursion":       {codeCalleeTrapped, bob, 1, new(script).operation(opRecurse, 1<<20)},
		"no contract":     {codeNotCallable, nobody, 1, new(script)},
		"too little":      {codeTransferFailed, bob, 11, new(script)},
		"poor nobody":     {codeNotCallable, nobody, 11, new(script)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rich(10, alice)
			s := new(script).host("seal1", "call", 0, c.callee, 1<<24, uint128.From64(c.value), c.input.b, len(c.input.b), sentinel, 0)
			requireEqual(t, "code", w.codes(s.set("on", "")), []int32{c.want, -1})
			sent := uint64(0)
			if c.want == codeSuccess {
				sent = c.value
			}
			requireEqual(t, "money", w.storage.balances[alice], uint128.From64(10-sent))
		})
	}
}

// TestCallMistakes end the caller, whatever the callee is.
func TestCallMistakes(t *testing.T) {
	none, one := uint128.Zero, uint128.From64(1)
	call := func(flags int, value uint128.Uint128, out ...any) *script {
		return new(script).host("seal1", "call", append([]any{flags, parrot, 0, value, "hello", 5}, out...)...)
	}
	forward := func() *script { return call(flagForwardInput, none, sentinel, 0) }
	cases := map[string]struct {
		want   Status
		reason string
		script *script
	}{
		"unknown flag":    {Trapped, "unknown flags", call(32, none, sentinel, 0)},
		"high flag":       {Trapped, "unknown flags", call(-1<<31, none, sentinel, 0)},
		"short buffer":    {Trapped, "too short", call(0, none, outAt, sized(4))},
		"money read-only": {Trapped, "may not change", call(flagReadOnly, one, sentinel, 0)},
		"self":            {Trapped, "again", new(script).call(0, alice, 0, new(script))},
		"forwarded twice": {Trapped, "handed on", forward().call(flagForwardInput, parrot, 0, new(script))},
		"cloned after":    {Trapped, "handed on", forward().call(flagCloneInput, parrot, 0, new(script))},
		"read after":      {Trapped, "handed on", forward().host("seal0", "input", outAt, sized(1<<14))},
		"forwarded to nobody": {Trapped, "handed on", new(script).call(flagForwardInput, nobody, 0, new(script)).
			host("seal0", "input", outAt, sized(1<<14))},
		"forwarded by another": {Trapped, "handed on", new(script).delegate(flagForwardInput, codeHash(echo()), new(script)).call(flagForwardInput, parrot, 0, new(script))},
		"huge input":           {LimitExceeded, "input", new(script).host("seal1", "call", 0, parrot, 0, none, at(0), 256<<10+1, sentinel, 0)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rich(10, alice)
			out := w.run(c.script.results())
			if out.Status != c.want || !strings.Contains(out.Reason, c.reason) {
				t.Fatalf("%s: %s", out.Status, out.Reason)
			}
		})
	}
}

// TestInputFlags: a clone leaves the input, also beside FORWARD, and both hand on the whole of it.
func TestInputFlags(t *testing.T) {
	for _, flags := range []int{flagCloneInput, flagCloneInput | flagForwardInput, flagForwardInput} {
		w := newWorld(t)
		s := new(script).host("seal1", "call", flags, parrot, 0, uint128.Zero, 0, 0, outAt, sized(1<<14))
		if flags != flagForwardInput {
			s.host("seal1", "call", flags, parrot, 0, uint128.Zero, 0, 0, outAt, sized(1<<14)).
				host("seal0", "input", outAt, sized(1<<14))
		}
		n := len(s.b)
		s.host("seal2", "set_storage", "k", 1, outAt, n).results()
		w.done(s)
		got, _ := w.value(alice, "k")
		requireEqual(t, "input", got, string(s.b[:n]))
	}
}

// TestTailCall: the callee's output and flags become the caller's, but where the callee failed the caller goes on.
func TestTailCall(t *testing.T) {
	tail := func(value uint64, callee [32]byte, input *script) *script {
		return new(script).set("before", "").call(flagTailCall, callee, value, input).set("after", "").results()
	}
	for name, c := range map[string]struct {
		script *script
		want   Status
		output string
	}{
		"done":     {tail(0, bob, new(script).give(0, "bye")), Done, "bye"},
		"empty":    {tail(0, bob, new(script)), Done, ""},
		"reverts":  {tail(0, bob, new(script).give(1, "no")), Reverted, "no"},
		"traps":    {tail(0, bob, new(script).operation(opTrap)), Done, "\xff\xff\xff\xff\x01\x00\x00\x00\xff\xff\xff\xff"},
		"nobody":   {tail(0, nobody, new(script)), Done, "\xff\xff\xff\xff\x08\x00\x00\x00\xff\xff\xff\xff"},
		"poor":     {tail(1, bob, new(script)), Done, "\xff\xff\xff\xff\x05\x00\x00\x00\xff\xff\xff\xff"},
		"delegate": {new(script).delegate(flagTailCall, codeHash(echo()), &script{b: []byte("hi")}).operation(opTrap), Done, "hi"},
	} {
		w := newWorld(t)
		out := w.run(c.script)
		requireEqual(t, name, []any{out.Status, string(out.Output)}, []any{c.want, c.output})
	}
}

// TestRollback: whatever way a callee fails, all that it and its own callees did is undone, but for logs.
func TestRollback(t *testing.T) {
	ends := map[string]*script{
		"done": new(script), "reverts": new(script).give(1, ""), "traps": new(script).operation(opTrap),
		"out of gas": new(script).operation(opSpin),
	}
	for name, end := range ends {
		w := newWorld(t)
		w.rich(100, alice, bob)
		w.storage.codes[codeHash(idle())] = idle()
		ran := 0
		w.call.Extension = extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
			env.AfterCommit(func() { ran++ })
			env.Log(1, "told")
			return 0, nil, nil
		})
		below := new(script).set("k", "carol").event("carol").host("seal1", "terminate", nobody)
		act := new(script).set("k", "new").event("bob").
			host("seal0", "transfer", nobody, 32, uint128.From64(5), 16).
			host("seal0", "set_transient_storage", "t", 1, "v", 1).
			host("seal0", "call_chain_extension", 0, 0, 0, outAt, sized(0)).
			host("seal0", "debug_message", "hey", 3).
			call(0, carol, 1, below).create(codeHash(echo()), 2, new(script), "").
			host("seal0", "set_code_hash", codeHash(idle()))
		act.b = append(act.b, end.b...)
		// The end was assembled for another place, but none of them has data that it needs.
		w.storage.Set(bob, []byte("vk"), []byte("old"))
		before := w.storage.Clone()
		s := new(script).event("first").
			host("seal1", "call", 0, bob, 1<<23, uint128.From64(9), act.b, len(act.b), sentinel, 0).event("last")
		out := w.done(s.results())
		requireEqual(t, "logs", len(out.Logs), 2)
		requireEqual(t, "debug", string(out.Debug), "hey")
		for _, f := range out.AfterCommit {
			f()
		}
		if name == "done" {
			requireEqual(t, "code", words(out.Output), []int32{0})
			requireEqual(t, "events", eventData(out), []string{"first", "bob", "carol", "last"})
			requireEqual(t, "made", len(out.Created), 1)
			requireEqual(t, "after commit", ran, 1)
			requireEqual(t, "money", []uint128.Uint128{w.storage.balances[alice], w.storage.balances[bob], w.storage.balances[nobody]},
				[]uint128.Uint128{uint128.From64(91), uint128.From64(101), uint128.From64(6)})
			requireEqual(t, "code of Bob", w.storage.contracts[bob], codeHash(idle()))
			continue
		}
		requireEqual(t, name, eventData(out), []string{"first", "last"})
		requireEqual(t, "made, after commit", []int{len(out.Created), ran}, []int{0, 0})
		requireEqual(t, "ledger", w.storage.ledger, before.ledger)
	}
}

func eventData(out Outcome) (list []string) {
	for _, e := range out.Events {
		list = append(list, string(e.Data))
	}
	return list
}

// TestReentrance: a contract is called again while it waits only if every waiting call of it allowed that.
func TestReentrance(t *testing.T) {
	const allow = flagAllowReentry
	self := func(flags int) *script {
		return new(script).call(flags, alice, 0, new(script).set("again", "")).results()
	}
	around := func(first, second int) *script { // Alice, Bob, Alice
		return new(script).call(first, bob, 0, new(script).call(second, alice, 0, new(script).set("again", "")).results()).results()
	}
	w := newWorld(t)
	delegated := func(outer, inner int) *script { // Alice delegates, which calls Alice
		return new(script).delegate(outer, w.code, self(inner)).results()
	}
	again := new(script).set("again", "").b
	old := new(script).host("seal0", "call", alice, 32, 0, uint128.Zero, 16, again, len(again), sentinel, 0)
	for name, c := range map[string]struct {
		script *script
		again  bool
		want   Status
	}{
		"self, allowed":               {self(allow), true, Done},
		"self, denied":                {self(0), false, Trapped},
		"around, allowed":             {around(allow, 0), true, Done},
		"around, denied":              {around(0, 0), false, Done}, // Bob traps, Alice goes on
		"around, allowed by Bob only": {around(0, allow), false, Done},
		"self by delegate":            {delegated(0, allow), true, Done},
		"self by delegate, denied":    {delegated(0, 0), false, Done},
		"twice":                       {new(script).call(allow, alice, 0, self(allow)).results(), true, Done},
		"twice, denied by the first":  {new(script).call(0, bob, 0, self(allow)).results(), false, Done},
		"again after a denied one":    {new(script).call(0, parrot, 0, new(script)).call(allow, alice, 0, new(script).set("again", "")), true, Done},
		"old version allows":          {old, true, Done},
		"not a contract, denied":      {new(script).call(0, nobody, 0, new(script)).results(), false, Done},
		"Bob again from Carol, denied": {new(script).call(allow, bob, 0, new(script).
			call(0, carol, 0, new(script).call(0, bob, 0, new(script)).operation(opTrap)).note("again")).results(), false, Done},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			requireEqual(t, "status", w.run(c.script).Status, c.want)
			_, again := w.value(alice, "again")
			requireEqual(t, "called again", again, c.again)
		})
	}
}

// TestReentranceCounts: frames of an account, delegated ones not among them.
func TestReentranceCounts(t *testing.T) {
	w := newWorld(t)
	count := func() *script {
		return new(script).host("seal0", "reentrance_count").host("seal0", "account_reentrance_count", alice).
			host("seal0", "account_reentrance_count", bob)
	}
	s := count()
	s.note("first").call(flagAllowReentry, bob, 0, new(script).
		call(0, alice, 0, count().note("second").delegate(0, w.code, count().note("third"))))
	w.done(s)
	for key, want := range map[string][]int32{"first": {0, 1, 0}, "second": {1, 2, 1}, "third": {1, 2, 1}} {
		got, _ := w.value(alice, key)
		requireEqual(t, key, words([]byte(got)), want)
	}
}
