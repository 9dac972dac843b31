package contract

import (
	"testing"

	"lukechampine.com/uint128"
)

// TestDelegateCall: foreign code acts as the contract: its storage, money, caller, value and transient storage.
func TestDelegateCall(t *testing.T) {
	w := newWorld(t)
	w.rich(50, alice)
	inner := new(script).host("seal0", "caller", outAt, sized(32)).host("seal0", "address", outAt+32, sized(32)).
		host("seal0", "value_transferred", outAt+64, sized(16)).host("seal0", "own_code_hash", outAt+80, sized(32)).
		host("seal2", "set_storage", "facts", 5, outAt, 112).
		host("seal0", "caller_is_origin").host("seal0", "get_transient_storage", "t", 1, outAt, sized(1)).
		host("seal0", "transfer", nobody, 32, uint128.From64(20), 16).note("inner").event("by delegate").give(0, "bye")
	s := new(script).host("seal0", "set_transient_storage", "t", 1, "v", 1).
		host("seal0", "delegate_call", 0, w.code, inner.b, len(inner.b), outAt, sized(3)).
		host("seal2", "set_storage", "out", 3, outAt, 3)
	out := w.done(s.results())
	requireEqual(t, "codes", words(out.Output), []int32{-1, 0, -1})
	got, _ := w.value(alice, "facts")
	requireEqual(t, "facts", got, string(w.call.Caller[:])+string(alice[:])+string(u128Bytes(w.call.Value))+string(w.code[:]))
	got, _ = w.value(alice, "inner")
	requireEqual(t, "inner", words([]byte(got)), []int32{-1, 1, 0, 0})
	got, _ = w.value(alice, "out")
	requireEqual(t, "output", got, "bye")
	requireEqual(t, "money", w.storage.balances[alice], uint128.From64(30))
	requireEqual(t, "events", out.Events, []Event{{Contract: alice, Data: []byte("by delegate")}})
}

// TestDelegateCallCodes: how delegated code may end, and which flags the call may have.
func TestDelegateCallCodes(t *testing.T) {
	w := newWorld(t)
	w.storage.codes[codeHash(idle())] = idle()
	cases := map[string]struct {
		want   Status
		code   int32
		script *script
	}{
		"unknown code":  {Done, codeCodeNotFound, new(script).delegate(0, nobody, new(script))},
		"own code":      {Done, codeSuccess, new(script).delegate(0, w.code, new(script))},
		"traps":         {Done, codeCalleeTrapped, new(script).delegate(0, w.code, new(script).operation(opTrap))},
		"reverts":       {Done, codeCalleeReverted, new(script).delegate(0, w.code, new(script).set("k", "v").give(1, ""))},
		"another code":  {Done, codeSuccess, new(script).delegate(0, codeHash(idle()), new(script).operation(opTrap))},
		"allow reentry": {Trapped, 0, new(script).delegate(flagAllowReentry, w.code, new(script))},
		"read-only":     {Trapped, 0, new(script).delegate(flagReadOnly, w.code, new(script))},
		"unknown flag":  {Trapped, 0, new(script).delegate(64, w.code, new(script))},
		"terminates":    {Done, codeCalleeTrapped, new(script).delegate(0, w.code, new(script).host("seal1", "terminate", nobody))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w.t = t
			out := w.run(c.script.results())
			requireEqual(t, "status", out.Status, c.want)
			if c.want == Done {
				requireEqual(t, "code", words(out.Output), []int32{c.code})
			}
			if _, kept := w.value(alice, "k"); kept {
				t.Fatal("what reverted delegated code wrote is kept")
			}
		})
	}
}

// TestDelegatedCodeChangesTheContract: set_code_hash in delegated code is the contract's own.
func TestDelegatedCodeChangesTheContract(t *testing.T) {
	w := newWorld(t)
	hash := codeHash(echo())
	w.done(new(script).delegate(0, w.code, new(script).host("seal0", "set_code_hash", hash)))
	requireEqual(t, "code", w.storage.contracts[alice], hash)
}

// TestSetCodeHash: the running call goes on with the old code, later ones in the same tree run the new.
func TestSetCodeHash(t *testing.T) {
	w := newWorld(t)
	hash := codeHash(echo())
	place(w.storage, bob, scripted())
	s := new(script).
		call(0, bob, 0, new(script).host("seal0", "set_code_hash", hash).host("seal0", "set_code_hash", nobody).
			host("seal0", "own_code_hash", outAt, sized(32)).host("seal2", "set_storage", "own", 3, outAt, 32).note("codes")).
		host("seal1", "call", 0, bob, 0, uint128.Zero, "hello", 5, outAt, sized(5)).
		host("seal2", "set_storage", "said", 4, outAt, 5)
	w.done(s)
	got, _ := w.value(bob, "codes")
	requireEqual(t, "codes", words([]byte(got)), []int32{0, codeCodeNotFound, -1})
	got, _ = w.value(bob, "own")
	requireEqual(t, "own code hash", got, string(hash[:]))
	got, _ = w.value(alice, "said")
	requireEqual(t, "new code", got, "hello")
}
