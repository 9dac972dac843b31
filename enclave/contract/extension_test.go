package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lukechampine.com/uint128"
)

// extend calls the extension.
func (s *script) extend(id int, input string, out uint32) *script {
	return s.host("seal0", "call_chain_extension", id, input, len(input), outAt, sized(out))
}

// TestExtensionCall: id, input, status and output go through, and the environment tells the truth.
func TestExtensionCall(t *testing.T) {
	w := newWorld(t)
	w.rich(9, bob)
	w.storage.heads[bob] = EventHead{Count: 4, Hash: [32]byte{4}}
	var saw []string
	w.call.Extension = extensionFunc(func(env ExtensionEnv, id uint32, input []byte) (uint32, []byte, error) {
		contract, caller, secret := env.Contract(), env.Caller(), env.Secret()
		saw = append(saw, fmt.Sprintf("%x %q %x %x %v %d %d %s %v %v %x %d", id, input, contract[:2], caller[:2], env.Command(), env.Height(),
			env.TimeMillis(), env.Balance(bob), env.HasCode(codeHash(echo())), env.HasCode(nobody), secret[:2], env.EventHead().Count))
		return 0xdeadbeef, []byte("output"), nil
	})
	s := new(script).call(0, bob, 0, new(script).event("e").extend(-1, "in", 6).
		host("seal2", "set_storage", "out", 3, outAt, 6).note("status"))
	w.done(s)
	secret := w.storage.Secret(bob)
	want := fmt.Sprintf("ffffffff \"in\" b00b c0c0 true 77 1700000000123 9 true false %x 5", secret[:2])
	requireEqual(t, "environment", saw, []string{want, want})
	got, _ := w.value(bob, "out")
	requireEqual(t, "output", got, "output")
	got, _ = w.value(bob, "status")
	requireEqual(t, "status", words([]byte(got))[0], int32(-0x21524111))
}

// TestExtensionEnds: the ways in which an extension ends a contract, which ends alone.
func TestExtensionEnds(t *testing.T) {
	refuse := func(s Status) extensionFunc {
		return func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) {
			return 0, nil, fmt.Errorf("wrapped: %w", &ExtensionError{Status: s, Reason: "not so"})
		}
	}
	cases := map[string]struct {
		extension Extension
		want      Status
		reason    string
	}{
		"none":         {nil, Unsupported, "no chain extension"},
		"unsupported":  {refuse(Unsupported), Unsupported, "not so"},
		"trapped":      {refuse(Trapped), Trapped, "not so"},
		"limit":        {refuse(LimitExceeded), LimitExceeded, "not so"},
		"short buffer": {extensionFunc(func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) { return 0, []byte("12345"), nil }), Trapped, "too short"},
		"exact buffer": {extensionFunc(func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) { return 0, []byte("1234"), nil }), Done, ""},
		"charges all": {extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
			env.Charge(^uint64(0))
			panic("reached")
		}), OutOfGas, ""},
		"charges": {extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
			env.Charge(1 << 23)
			return 0, nil, nil
		}), Done, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.call.GasLimit = plenty
			w.call.Extension = c.extension
			out := w.run(new(script).extend(1, "in", 4))
			if out.Status != c.want || !strings.Contains(out.Reason, c.reason) {
				t.Fatalf("%s: %s", out.Status, out.Reason)
			}
			if name == "charges" && out.GasUsed < 1<<23 {
				t.Fatalf("gas used %d", out.GasUsed)
			}
			code := int32(codeCalleeTrapped)
			if c.want == Done {
				code = codeSuccess
			}
			nested := new(script).extend(1, "in", 4)
			s := new(script).host("seal1", "call", 0, bob, 1<<23+1<<22, uint128.Zero, nested.b, len(nested.b), sentinel, 0)
			requireEqual(t, "nested", w.codes(s), []int32{code})
		})
	}
	w := newWorld(t)
	w.call.Extension = refuse(Trapped)
	huge := new(script).host("seal0", "call_chain_extension", 0, at(0), 16<<20+1, outAt, sized(0))
	requireEqual(t, "input beyond the memory", w.run(huge).Status, BadMemoryAccess)
}

// TestExtensionFaults: what an extension must not do is a fault of the host, in a nested call too, never a result.
func TestExtensionFaults(t *testing.T) {
	cases := map[string]extensionFunc{
		"error": func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) { return 0, nil, errors.New("unreachable") },
		"panic": func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) { panic("broken") },
		"nil":   func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) { panic(new(ExtensionError)) },
	}
	for _, s := range []Status{Done, Reverted, OutOfGas, BadModule, Unreachable, 99} {
		cases["status "+s.String()] = func(ExtensionEnv, uint32, []byte) (uint32, []byte, error) {
			return 0, nil, &ExtensionError{Status: s}
		}
	}
	direct := new(script).extend(1, "", 0)
	for name, extension := range cases {
		for _, s := range []*script{direct, new(script).call(0, bob, 0, direct), new(script).create(codeHash(scripted()), 0, direct, ""),
			new(script).call(0, bob, 0, new(script).delegate(0, codeHash(scripted()), direct))} {
			t.Run(name, func(t *testing.T) { requireFault(t, newWorld(t), s, extension, nil) })
		}
	}
}

// TestCancelledContext: an extension sees the context of Execute's caller; the contract does not.
func TestCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := startEngine(t, DefaultLimits(), engines[0].config())
	call := sampleCall(plenty)
	call.Input = new(script).extend(0, "", 0).set("k", "v").b
	call.Extension = contextExtension(func(ctx context.Context) error {
		cancel()
		return context.Cause(ctx)
	})
	if _, err := e.Execute(ctx, prepare(t, e, scripted()), call, newStorage()); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	call.Extension = contextExtension(func(context.Context) error { return nil })
	if out, err := e.Execute(ctx, prepare(t, e, scripted()), call, newStorage()); err != nil || out.Status != Done {
		t.Fatalf("%+v, %v", out, err)
	}
}

type contextExtension func(ctx context.Context) error

func (f contextExtension) Call(ctx context.Context, _ ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
	return 0, nil, f(ctx)
}

// TestAfterCommitOfAQuery: a query leaves nothing to be done.
func TestAfterCommitOfAQuery(t *testing.T) {
	w := newWorld(t)
	w.call.Query = true
	w.call.Extension = extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
		env.AfterCommit(func() { t.Error("ran") })
		return uint32(boolean(env.Command())), nil, nil
	})
	out := w.done(new(script).extend(0, "", 0).results())
	requireEqual(t, "command, functions", []any{words(out.Output), len(out.AfterCommit)}, []any{[]int32{0}, 0})
}

// TestEventHead: a contract's head follows its own events alone, in order, and depends on all of each.
func TestEventHead(t *testing.T) {
	w := newWorld(t)
	var heads []EventHead
	w.call.Extension = extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
		heads = append(heads, env.EventHead())
		return 0, nil, nil
	})
	w.done(new(script).event("a").call(0, bob, 0, new(script).event("b")).call(0, bob, 0, new(script).event("gone").give(1, "")).event("c").extend(0, "", 0))
	a, c := Event{Contract: alice, Data: []byte("a")}, Event{Contract: alice, Data: []byte("c")}
	want := EventHead{}.Next(a).Next(c)
	requireEqual(t, "heads", heads, []EventHead{want, want})
	others := []EventHead{EventHead{}.Next(c).Next(a), EventHead{}.Next(a), EventHead{}.Next(Event{Contract: bob, Data: a.Data}).Next(c),
		EventHead{}.Next(Event{Contract: alice, Topics: [][]byte{make([]byte, 32)}, Data: a.Data}).Next(c), EventHead{Count: 1}.Next(c)}
	if slices.Contains(others, want) {
		t.Fatal("different events give one head")
	}
}

// TestEventHeadCosts: asking for the head again and again, with all events that a tree may have, costs what hashing does.
func TestEventHeadCosts(t *testing.T) {
	w := newWorld(t)
	w.call.Extension = extensionFunc(func(env ExtensionEnv, _ uint32, _ []byte) (uint32, []byte, error) {
		env.EventHead()
		return 0, nil, nil
	})
	s := new(script)
	for range 8 {
		s.host("seal0", "deposit_event", 0, 0, at(0), 16<<10)
	}
	before := w.done(s).GasUsed
	if cost := w.done(s.extend(0, "", 0)).GasUsed - before; cost < 8*priceBlake2.byte*(16<<10) {
		t.Fatalf("hashing 128 KiB cost %d gas", cost)
	}
}

// TestLogsAreCut: logs and debug messages are cut between characters, and what is not UTF-8 is mended.
func TestLogsAreCut(t *testing.T) {
	limits := DefaultLimits()
	limits.LogBytes, limits.DebugBytes = 5, 7
	w := newWorldOf(t, limits)
	w.call.Extension = extensionFunc(func(env ExtensionEnv, _ uint32, input []byte) (uint32, []byte, error) {
		env.Log(2, string(input))
		return 0, nil, nil
	})
	long := strings.Repeat("\u00e9", 7_000)
	out := w.done(new(script).host("seal0", "debug_message", long, len(long)).extend(0, long, 0).extend(0, "a\xff\xffb", 0))
	requireEqual(t, "logs", out.Logs, []Log{{alice, 4, "éé"}, {alice, 2, "éé"}, {alice, 2, "a\ufffdb"}})
	requireEqual(t, "debug", string(out.Debug), "ééé")
}
