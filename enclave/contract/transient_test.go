package contract

import (
	"slices"
	"strings"
	"testing"
)

func (s *script) keep(key, value string) *script {
	return s.host("seal0", "set_transient_storage", key, len(key), value, len(value))
}

func (s *script) kept(key string) *script {
	return s.host("seal0", "contains_transient_storage", key, len(key))
}

// TestTransientStorage walks through the functions: sizes that they give, empty values and keys, buffers.
func TestTransientStorage(t *testing.T) {
	w := newWorld(t)
	s := new(script).
		kept("k").                                                          // none
		host("seal0", "get_transient_storage", "k", 1, outAt, sized(9)).    // not found
		host("seal0", "take_transient_storage", "k", 1, outAt, sized(9)).   // not found
		host("seal0", "clear_transient_storage", "k", 1).                   // none
		keep("k", "value").                                                 // replaces none
		keep("k", "value").                                                 // the same
		keep("k", "v").                                                     // replaces 5
		keep("", "").                                                       // the empty key, an empty value
		kept("").                                                           // 0, not none
		host("seal0", "get_transient_storage", "", 0, outAt, sized(0)).     // found
		host("seal0", "get_transient_storage", "k", 1, outAt, sized(9)).    //
		host("seal2", "set_storage", "got", 3, outAt, 1).                   //
		host("seal0", "clear_transient_storage", "", 0).                    // had 0
		host("seal0", "take_transient_storage", "k", 1, outAt+8, sized(1)). //
		kept("k").                                                          // none
		host("seal1", "contains_storage", "k", 1)                           // persistent storage is another
	requireEqual(t, "results", w.codes(s), []int32{-1, 3, 3, -1, -1, 5, 5, -1, 0, 0, 0, -1, 0, 0, -1, -1})
	got, _ := w.value(alice, "got")
	requireEqual(t, "value", got, "v")
	requireEqual(t, "next call", w.codes(new(script).kept("k")), []int32{-1})

	for name, c := range map[string]struct {
		want   Status
		script *script
	}{
		"short buffer": {Trapped, new(script).keep("k", "value").host("seal0", "get_transient_storage", "k", 1, outAt, sized(4))},
		"short take":   {Trapped, new(script).keep("k", "value").host("seal0", "take_transient_storage", "k", 1, outAt, sized(4))},
		"long key":     {LimitExceeded, new(script).keep(strings.Repeat("k", 129), "v")},
		"longest key":  {Done, new(script).keep(strings.Repeat("k", 128), "v")},
		"longest":      {Done, new(script).keep("k", strings.Repeat("v", 16<<10))},
	} {
		requireEqual(t, name, w.run(c.script).Status, c.want)
	}
}

// TestTransientInTheTree: entries belong to an account, last for the tree, and go with what is rolled back.
func TestTransientInTheTree(t *testing.T) {
	w := newWorld(t)
	const allow = flagAllowReentry
	s := new(script).keep("k", "four").keep("gone", "x").
		call(allow, bob, 0, new(script).kept("k").keep("k", "b").note("bob").
				call(0, alice, 0, new(script).kept("k").keep("k", "seven77").note("again"))).
		kept("k"). // what the inner call left
		call(allow, alice, 0, new(script).keep("k", "").keep("new", "y").host("seal0", "clear_transient_storage", "gone", 4).give(1, "")).
		call(allow, alice, 0, new(script).host("seal0", "take_transient_storage", "gone", 4, outAt, sized(1)).operation(opTrap)).
		kept("k").kept("new").kept("gone").
		delegate(0, w.code, new(script).kept("k").keep("by delegate", "z").note("delegate")).
		kept("by delegate").
		call(0, bob, 0, new(script).kept("k").note("bob later"))
	requireEqual(t, "Alice", w.codes(s), []int32{-1, -1, 0, 7, 2, 1, 7, -1, 1, 0, 1, 0})
	for _, c := range []struct {
		of   [32]byte
		key  string
		want []int32
	}{{bob, "bob", []int32{-1, -1}}, {alice, "again", []int32{4, 4}}, {alice, "delegate", []int32{7, -1}}, {bob, "bob later", []int32{1}}} {
		got, _ := w.value(c.of, c.key)
		requireEqual(t, c.key, words([]byte(got)), c.want)
	}
}

// TestTransientFlood: what a tree writes is bounded, also where it writes over the same key or clears; what is rolled
// back is free again, and the bound is the tree's, not the contract's.
func TestTransientFlood(t *testing.T) {
	limits := DefaultLimits()
	limits.TransientBytes = 1000
	long := strings.Repeat("v", 300) // about 400 with key and journal
	over := func(end *script) *script {
		s := new(script).keep("a", long).keep("b", long)
		s.b = append(s.b, end.b...)
		return s
	}
	cases := map[string]struct {
		want   Status
		codes  []int32
		script *script
	}{
		"two":              {Done, []int32{-1, -1}, new(script).keep("a", long).keep("b", long)},
		"three":            {LimitExceeded, nil, new(script).keep("a", long).keep("b", long).keep("c", long)},
		"same key":         {LimitExceeded, nil, new(script).keep("a", long).keep("a", long[1:]).keep("a", long)},
		"cleared":          {LimitExceeded, nil, new(script).keep("a", long).host("seal0", "clear_transient_storage", "a", 1).keep("b", long).keep("c", long)},
		"shared":           {Done, []int32{-1, codeCalleeTrapped, -1}, new(script).keep("a", long).call(0, bob, 0, over(new(script))).keep("b", long)},
		"rolled back":      {Done, []int32{codeCalleeReverted, -1, -1}, new(script).call(0, bob, 0, over(new(script).give(1, ""))).keep("a", long).keep("b", long)},
		"kept by a callee": {LimitExceeded, nil, new(script).call(0, bob, 0, over(new(script))).keep("a", long)},
	}
	for name, c := range cases {
		w := newWorldOf(t, limits)
		out := w.run(c.script.results())
		requireEqual(t, name, []any{out.Status, words(out.Output)}, []any{c.want, c.codes})
	}
	// The default bound, in a loop that would write 160 MB.
	w := newWorld(t)
	w.call.GasLimit = 1 << 32
	one := new(script).keep("k", strings.Repeat("a", 16<<10)).keep("k", strings.Repeat("b", 16<<10))
	s := &script{b: slices.Clone(one.b)}
	s.operation(opRepeat, 10_000, len(one.b))
	requireEqual(t, "flood", w.run(s).Status, LimitExceeded)
}
