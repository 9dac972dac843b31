package leak

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

const plenty = 1 << 30

// Layout of the memory of the contracts under test. The input is four bytes of secret and four of a public value.
const (
	atSecret = 0
	atPublic = 4
	atSize   = 512 // u32: room for the input
	atText   = 1024
)

// imports are the host functions that the contracts under test use, in the order of their indices.
type imports struct{ input, set, get, event, result, debug, isContract, origin uint32 }

// leaky assembles a contract whose constructor does nothing and whose message reads its input and runs code.
func leaky(code func(f imports) [][]byte) []byte {
	m := new(asm.Module)
	m.ImportMemory(2, 16)
	f := imports{
		input: m.Import("seal0", "input", "ii", ""), set: m.Import("seal2", "set_storage", "iiii", "i"),
		get: m.Import("seal1", "get_storage", "iiii", "i"), event: m.Import("seal0", "deposit_event", "iiii", ""),
		result: m.Import("seal0", "seal_return", "iii", ""), debug: m.Import("seal0", "debug_message", "ii", "i"),
		isContract: m.Import("seal0", "is_contract", "i", "i"), origin: m.Import("seal0", "caller_is_origin", "", "i"),
	}
	m.Data(atSize, []byte{0, 2, 0, 0})
	m.Data(atText, bytes.Repeat([]byte("t"), 512))
	deploy := m.Func("", "", "")
	read := asm.Cat(asm.I32(atSecret), asm.I32(atSize), asm.Call(f.input))
	call := m.Func("", "", "ii", append([][]byte{read}, code(f)...)...)
	m.Entry(deploy, call)
	return m.Bytes()
}

// byteAt loads the byte at local 0 plus an offset.
func byteAt(offset uint32) []byte { return asm.Op(0x2d, 0, offset) }

// secret gives the first byte of the secret.
func secret() []byte { return asm.Cat(asm.I32(0), byteAt(atSecret)) }

var (
	i32Or  = []byte{0x72}
	i32Xor = []byte{0x73}
)

// store writes n bytes, which code gives, at a key of four bytes.
func (f imports) store(key int32, n []byte) []byte {
	return asm.Cat(asm.I32(key), asm.I32(4), asm.I32(atText), n, asm.Call(f.set), asm.Drop)
}

// forEach runs code for local 0 from 0 below n.
func forEach(n []byte, code ...[]byte) []byte {
	next := asm.Cat(asm.Get(0), asm.I32(1), asm.I32Add, asm.Tee(0), n, asm.I32LtU, asm.BrIf(0))
	return asm.Block(asm.Loop(asm.Cat(code...), next))
}

func sandbox(t *testing.T, code []byte) *Sandbox {
	t.Helper()
	e, err := contract.NewEngine(context.Background(), contract.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	s, err := NewSandbox(context.Background(), e, code, plenty)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func observe(t interface{ Fatal(...any) }, s *Sandbox, calls ...Call) *Observation {
	o, err := s.Observe(context.Background(), append([]Call{{}}, calls...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestLeaks has one contract for each way in which a secret gets out, with the aspects in which two calls must differ,
// and one contract that keeps it.
func TestLeaks(t *testing.T) {
	cases := []struct {
		name  string
		a, b  string // inputs
		query bool
		want  []Aspect
		code  func(f imports) [][]byte
	}{
		{"compares and returns early", "kkkkkkkk", "akkkkkkk", false, []Aspect{Gas}, func(f imports) [][]byte {
			return [][]byte{forEach(asm.I32(4), asm.Get(0), byteAt(atSecret), asm.Get(0), byteAt(atPublic), asm.I32Ne, asm.BrIf(1))}
		}},
		{"loops as often as the secret says", "\x00", "\xff", false, []Aspect{GasClass, Gas}, func(f imports) [][]byte {
			return [][]byte{forEach(secret(), asm.Repeat(400, asm.I32(1), asm.Drop))}
		}},
		{"key is the secret", "aaaakkkk", "bbbbkkkk", false, []Aspect{Accesses}, func(f imports) [][]byte {
			return [][]byte{f.store(atSecret, asm.I32(8))}
		}},
		{"asks for an account that is the secret", strings.Repeat("a", 32), strings.Repeat("b", 32), false, []Aspect{Accesses}, func(f imports) [][]byte {
			return [][]byte{asm.I32(atSecret), asm.Call(f.isContract), asm.Drop}
		}},
		{"writes where the secret is not 0", "\x00", "\x01", false, []Aspect{Gas, HostCalls, Accesses}, func(f imports) [][]byte {
			return [][]byte{secret(), asm.If(f.store(atText, asm.I32(8)))}
		}},
		{"value has the secret's length", "\x01", "\x09", false, []Aspect{Gas, ValueSizes}, func(f imports) [][]byte {
			return [][]byte{f.store(atText, secret())}
		}},
		{"output has the secret's length", "\x01", "\x09", false, []Aspect{Gas, OutputLength}, func(f imports) [][]byte {
			return [][]byte{asm.I32(0), asm.I32(atText), secret(), asm.Call(f.result)}
		}},
		{"output is of another class", "\x01", "\xff", true, []Aspect{Gas, ReplyClass, OutputLength}, func(f imports) [][]byte {
			return [][]byte{asm.I32(0), asm.I32(atText), secret(), asm.Call(f.result)}
		}},
		{"event where the secret is not 0", "\x00", "\x01", false, []Aspect{Gas, HostCalls, Events}, func(f imports) [][]byte {
			return [][]byte{secret(), asm.If(asm.I32(0), asm.I32(0), asm.I32(atText), asm.I32(2), asm.Call(f.event))}
		}},
		{"event has the secret's length", "\x01", "\x09", false, []Aspect{Gas, Events}, func(f imports) [][]byte {
			return [][]byte{asm.I32(0), asm.I32(0), asm.I32(atText), secret(), asm.Call(f.event)}
		}},
		{"log has the secret's length", "\x01", "\x09", false, []Aspect{Gas, Logs}, func(f imports) [][]byte {
			return [][]byte{asm.I32(atText), secret(), asm.Call(f.debug), asm.Drop}
		}},
		{"fails where the secret is not 0", "\x00", "\x01", false, []Aspect{Status, Gas}, func(f imports) [][]byte {
			return [][]byte{secret(), asm.If(asm.Unreachable)}
		}},
		{"is called with the secret's length", "a", strings.Repeat("a", 400), false, []Aspect{CallClass, Gas}, func(f imports) [][]byte {
			return nil
		}},
		{"keeps it", "\x00\x00\x00\x00kkkk", "\xff\xff\xff\xffkkkk", false, nil, constant},
		{"keeps it in a query", "kkkkkkkk", "akkkkkkk", true, nil, constant},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := sandbox(t, leaky(c.code))
			a, b := observe(t, s, Call{Input: []byte(c.a), Query: c.query}), observe(t, s, Call{Input: []byte(c.b), Query: c.query})
			var got []Aspect
			for _, d := range Compare(a, b) {
				got = append(got, d.Aspect)
				if d.A == d.B || d.Aspect.Advice() == "" || d.SeenBy == "" {
					t.Errorf("%+v with advice %q", d, d.Aspect.Advice())
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("differences in %q; want %q\n%+v", got, c.want, Compare(a, b))
			}
			if a.call < 256 || a.reply < 256 {
				t.Errorf("sizes of the call and the reply: %d, %d", a.call, a.reply)
			}
			if again := observe(t, s, Call{Input: []byte(c.a), Query: c.query}); !reflect.DeepEqual(a, again) {
				t.Errorf("two observations of one call differ:\n%+v\n%+v", a, again)
			}
		})
	}
}

// constant compares without a branch, and writes, emits, logs and returns the result in one length.
func constant(f imports) [][]byte {
	return [][]byte{
		forEach(asm.I32(4), asm.Get(0), byteAt(atSecret), asm.Get(0), byteAt(atPublic), i32Xor, asm.Get(1), i32Or, asm.Set(1)),
		asm.I32(256), asm.Get(1), asm.Store(0),
		asm.Cat(asm.I32(atText), asm.I32(4), asm.I32(256), asm.I32(4), asm.Call(f.set), asm.Drop),
		asm.Cat(asm.I32(0), asm.I32(0), asm.I32(256), asm.I32(4), asm.Call(f.event)),
		asm.Cat(asm.I32(0), asm.I32(256), asm.I32(4), asm.Call(f.result)),
	}
}

// TestConstantContract: whatever the secrets are, the contract that keeps them shows nothing.
func TestConstantContract(t *testing.T) {
	s := sandbox(t, leaky(constant))
	rapid.Check(t, func(t *rapid.T) {
		input := func(label string, public []byte) []byte {
			return slices.Concat(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, label), public)
		}
		public := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "public")
		a, b := observe(t, s, Call{Input: input("a", public)}), observe(t, s, Call{Input: input("b", public)})
		if d := Compare(a, b); len(d) != 0 {
			t.Fatalf("differences: %+v", d)
		}
	})
}

// TestSecretState has a secret that an earlier call stored: the later one, whose input is the same, shows it.
func TestSecretState(t *testing.T) {
	// The first byte of the input chooses: 0 stores the input under a fixed key, else it is read back and what lies there
	// is the key of another entry.
	s := sandbox(t, leaky(func(f imports) [][]byte {
		room := asm.Cat(asm.I32(atSize), asm.I32(512), asm.Store(0))
		load := asm.Cat(room, asm.I32(atText), asm.I32(4), asm.I32(0), asm.I32(atSize), asm.Call(f.get), asm.Drop)
		write := asm.Cat(asm.I32(atText), asm.I32(4), asm.I32(0), asm.I32(8), asm.Call(f.set), asm.Drop)
		return [][]byte{asm.Block(secret(), asm.BrIf(0), write, asm.Return), load, f.store(0, asm.I32(4))}
	}))
	later := Call{Input: []byte("\x01")}
	a := observe(t, s, Call{Input: []byte("\x00aaaaaaa")}, later)
	b := observe(t, s, Call{Input: []byte("\x00bbbbbbb")}, later)
	d := Compare(a, b)
	if len(d) != 1 || d[0].Aspect != Accesses || d[0].Place != 3 || d[0].During != "seal2.set_storage" || d[0].A != "read 0x00616161" || d[0].B != "read 0x00626262" {
		t.Errorf("differences: %+v", d)
	}
	// A query that sets up leaves nothing behind.
	dropped := observe(t, s, Call{Input: []byte("\x00aaaaaaa"), Query: true}, later)
	if d := Compare(a, dropped); len(d) == 0 {
		t.Error("what a query wrote was kept")
	}
}

func TestSetupError(t *testing.T) {
	s := sandbox(t, leaky(func(f imports) [][]byte { return [][]byte{secret(), asm.If(asm.Unreachable)} }))
	bad, good := Call{Input: []byte("\x01")}, Call{Input: []byte("\x00")}
	_, err := s.Observe(context.Background(), []Call{{}, good, bad, good})
	var setup *SetupError
	if !errors.As(err, &setup) || setup.Call != 2 || setup.Status != contract.Unreachable {
		t.Errorf("error %v", err)
	}
	o, err := s.Observe(context.Background(), []Call{{}, good, bad})
	if err != nil || !o.Failed() || o.Why() != "unreachable executed" {
		t.Errorf("observed %+v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Observe(ctx, []Call{{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error of a cancelled context: %v", err)
	}
}

// TestStepsAreBounded has a contract that makes more host calls than are recorded.
func TestStepsAreBounded(t *testing.T) {
	s := sandbox(t, leaky(func(f imports) [][]byte {
		return [][]byte{forEach(asm.I32(MaxSteps+10), asm.Call(f.origin), asm.Drop), f.store(atSecret, asm.I32(4))}
	}))
	a, b := observe(t, s, Call{Input: []byte("aaaakkkk")}), observe(t, s, Call{Input: []byte("bbbbkkkk")})
	var r Report
	r.Add(0, a, b)
	if len(a.steps) != MaxSteps || !r.Cut || len(r.Findings) != 0 {
		t.Errorf("%d steps, cut %t, findings %+v", len(a.steps), r.Cut, r.Findings)
	}
}

// TestReport adds pairs up: each aspect once for pairs of same and of other lengths, in order.
func TestReport(t *testing.T) {
	s := sandbox(t, leaky(func(f imports) [][]byte {
		return [][]byte{f.store(atText, secret()), secret(), asm.If(asm.Unreachable)}
	}))
	at := func(input string) *Observation { return observe(t, s, Call{Input: []byte(input)}) }
	var r Report
	r.Add(0, at("\x00"), at("\x00"))
	r.Add(1, at("\x01"), at("\x02aaa"))
	r.Add(2, at("\x01"), at("\x02"))
	r.Add(3, at("\x00"), at("\x02"))
	type row struct {
		aspect      Aspect
		pair, pairs int
		same        bool
		a, b        string
	}
	var got []row
	for _, f := range r.Findings {
		if f.Aspect == Gas {
			f.A, f.B = "", ""
		}
		got = append(got, row{f.Aspect, f.Pair, f.Pairs, f.SameLength, f.A, f.B})
	}
	entry := "write 0x74747474, "
	want := []row{
		{Status, 3, 1, true, "done", "unreachable executed"},
		{Gas, 2, 2, true, "", ""},
		{ValueSizes, 2, 2, true, entry + "1 bytes", entry + "2 bytes"},
		{Gas, 1, 1, false, "", ""},
		{ValueSizes, 1, 1, false, entry + "1 bytes", entry + "2 bytes"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("findings\n%+v\nwant\n%+v", got, want)
	}
	if r.SameLength != 3 || r.OtherLength != 1 || r.Failed != 2 || r.Cut {
		t.Errorf("%+v", r)
	}
}

// TestSandboxIsShared observes from many goroutines at once.
func TestSandboxIsShared(t *testing.T) {
	s := sandbox(t, leaky(constant))
	want := observe(t, s, Call{Input: []byte("aaaakkkk")})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := s.Observe(context.Background(), []Call{{}, {Input: []byte("aaaakkkk")}})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("observed %+v, %v", got, err)
			}
		})
	}
	all.Wait()
}
