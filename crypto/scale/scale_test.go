package scale

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"lukechampine.com/uint128"
	"pgregory.net/rapid"
)

// layout is a record made of a function.
type layout func(*Codec)

func (l layout) Scale(c *Codec) { l(c) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPublishedCompact holds the examples of Substrate's documentation and of parity-scale-codec's compact tests.
func TestPublishedCompact(t *testing.T) {
	for _, c := range []struct {
		v    uint64
		want string
	}{
		{0, "00"}, {1, "04"}, {42, "a8"}, {63, "fc"}, {64, "0101"}, {69, "1501"}, {16383, "fdff"}, {16384, "02000100"},
		{65535, "feff0300"}, {1<<30 - 1, "feffffff"}, {1 << 30, "0300000040"}, {1<<32 - 1, "03ffffffff"},
		{1 << 32, "070000000001"}, {1 << 40, "0b000000000001"}, {1<<48 - 1, "0bffffffffffff"},
		{1 << 48, "0f00000000000001"}, {1<<56 - 1, "0fffffffffffffff"}, {1 << 56, "130000000000000001"},
		{math.MaxUint64, "13ffffffffffffffff"}, {100000000000000, "0b00407a10f35a"},
	} {
		v := c.v
		got, err := Marshal(layout(func(x *Codec) { x.Compact(&v) }))
		if err != nil || hex.EncodeToString(got) != c.want || hex.EncodeToString(AppendCompact(nil, v)) != c.want {
			t.Errorf("%d: %x, %v, want %s", c.v, got, err, c.want)
		}
		var back uint64
		if err := Unmarshal(unhex(t, c.want), layout(func(x *Codec) { x.Compact(&back) })); err != nil || back != c.v {
			t.Errorf("%s: %d, %v, want %d", c.want, back, err, c.v)
		}
	}
}

// example is a value with the visits that lay it out.
type example struct {
	name, want string
	record     Record
}

func examples() []example {
	u8, u16, u32, u64 := uint8(69), uint16(42), uint32(16777215), uint64(0x0102030405060708)
	u128 := uint128.New(1, 2)
	yes, no := true, false
	numbers := []uint16{4, 8, 15, 16, 23, 42}
	three, fortyTwo := uint64(3), uint8(42)
	first, second := uint8(0), uint8(1)
	hamlet, war := "Hamlet", "Война и мир"
	raw := []byte{1, 2, 3}
	fixed := [4]byte{9, 8, 7, 6}
	some := &fortyTwo
	var none *uint8
	return []example{
		{"u8", "45", layout(func(c *Codec) { c.U8(&u8) })},
		{"u16", "2a00", layout(func(c *Codec) { c.U16(&u16) })},
		{"u32", "ffffff00", layout(func(c *Codec) { c.U32(&u32) })},
		{"u64", "0807060504030201", layout(func(c *Codec) { c.U64(&u64) })},
		{"u128", "01000000000000000200000000000000", layout(func(c *Codec) { c.U128(&u128) })},
		{"bool", "0100", layout(func(c *Codec) { c.Bool(&yes); c.Bool(&no) })},
		{"vector", "18 0400 0800 0f00 1000 1700 2a00",
			layout(func(c *Codec) { Slice(c, &numbers, 6, func(v *uint16) { c.U16(v) }) })},
		{"tuple", "0c00", layout(func(c *Codec) { c.Compact(&three); c.Bool(&no) })},
		{"Ok(42)", "002a", layout(func(c *Codec) { c.Variant(&first, 2); c.U8(&fortyTwo) })},
		{"Err(false)", "0100", layout(func(c *Codec) { c.Variant(&second, 2); c.Bool(&no) })},
		{"string", "1848616d6c6574", layout(func(c *Codec) { c.Text(&hamlet, 6) })},
		{"cyrillic", "50d092d0bed0b9d0bdd0b020d0b820d0bcd0b8d180", layout(func(c *Codec) { c.Text(&war, 20) })},
		{"bytes", "0c010203", layout(func(c *Codec) { c.Bytes(&raw, 3) })},
		{"array", "09080706", layout(func(c *Codec) { c.Fixed(fixed[:]) })},
		{"Some", "012a", layout(func(c *Codec) { Option(c, &some, func(v *uint8) { c.U8(v) }) })},
		{"None", "00", layout(func(c *Codec) { Option(c, &none, func(v *uint8) { c.U8(v) }) })},
	}
}

// TestPublished encodes each example, decodes the bytes into the same variables and encodes again; every shorter input
// and one longer fail.
func TestPublished(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			want := unhex(t, e.want)
			if got, err := Marshal(e.record); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v, want %x", got, err, want)
			}
			for n := range want {
				if err := Unmarshal(want[:n], e.record); !errors.Is(err, ErrShort) {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
			if err := Unmarshal(append(bytes.Clone(want), 0), e.record); !errors.Is(err, ErrTrailing) {
				t.Errorf("a byte more: %v", err)
			}
			if err := Unmarshal(want, e.record); err != nil {
				t.Fatal(err)
			}
			if again := MustMarshal(e.record); !bytes.Equal(again, want) {
				t.Errorf("%x again", again)
			}
		})
	}
}

func TestNotCanonical(t *testing.T) {
	var v uint64
	for _, s := range []string{
		"0100", "fd00", "02000000", "feff0000", "0300000000", "03ffffff3f", "07ffffff3f00", "070000004000",
		"13ffffffffffffff00", "0fffffffffffff00",
	} {
		if err := Unmarshal(unhex(t, s), layout(func(c *Codec) { c.Compact(&v) })); !errors.Is(err, ErrCanonical) {
			t.Errorf("%s: %d, %v", s, v, err)
		}
	}
	for _, s := range []string{"17000000000000000001", "ff" + strings.Repeat("01", 67)} {
		if err := Unmarshal(unhex(t, s), layout(func(c *Codec) { c.Compact(&v) })); !errors.Is(err, ErrBound) {
			t.Errorf("%s: %v", s, err)
		}
	}
	var b bool
	var p *uint8
	if err := Unmarshal([]byte{2}, layout(func(c *Codec) { c.Bool(&b) })); !errors.Is(err, ErrVariant) {
		t.Errorf("bool: %v", err)
	}
	if err := Unmarshal([]byte{2, 0}, layout(func(c *Codec) { Option(c, &p, c.U8) })); !errors.Is(err, ErrVariant) {
		t.Errorf("option: %v", err)
	}
	i := uint8(1)
	if err := Unmarshal([]byte{3}, layout(func(c *Codec) { c.Variant(&i, 3) })); !errors.Is(err, ErrVariant) || i != 1 {
		t.Errorf("variant: %v, left %d", err, i)
	}
	i = 3
	if _, err := Marshal(layout(func(c *Codec) { c.Variant(&i, 3) })); !errors.Is(err, ErrVariant) {
		t.Errorf("variant: %v", err)
	}
	text := "ok"
	if err := Unmarshal([]byte{4, 0xff}, layout(func(c *Codec) { c.Text(&text, 9) })); !errors.Is(err, ErrCanonical) || text != "ok" {
		t.Errorf("text: %v, left %q", err, text)
	}
	text = "\xff"
	if _, err := Marshal(layout(func(c *Codec) { c.Text(&text, 9) })); !errors.Is(err, ErrCanonical) {
		t.Errorf("text: %v", err)
	}
}

func TestBounds(t *testing.T) {
	b := make([]byte, 4)
	u := make([]uint8, 4)
	s := "abcd"
	for name, r := range map[string]layout{
		"bytes": func(c *Codec) { c.Bytes(&b, 3) },
		"slice": func(c *Codec) { Slice(c, &u, 3, c.U8) },
		"text":  func(c *Codec) { c.Text(&s, 3) },
	} {
		if _, err := Marshal(r); !errors.Is(err, ErrBound) {
			t.Errorf("%s: encode: %v", name, err)
		}
		if err := Unmarshal(unhex(t, "1061626364"), r); !errors.Is(err, ErrBound) {
			t.Errorf("%s: decode: %v", name, err)
		}
	}
	if string(b) != "\x00\x00\x00\x00" || s != "abcd" {
		t.Error("a failed decode changed its field")
	}
}

// TestHugeLength claims lengths far above the input: an error, and no memory for them.
func TestHugeLength(t *testing.T) {
	for _, claim := range []uint64{1 << 20, 1 << 30, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint64} {
		in := append(AppendCompact(nil, claim), 1, 2, 3)
		allocated := testing.AllocsPerRun(1, func() {
			var b []byte
			var xs [][1 << 16]byte
			if Unmarshal(in, layout(func(c *Codec) { c.Bytes(&b, math.MaxInt) })) == nil {
				t.Errorf("%d bytes were read", claim)
			}
			if Unmarshal(in, layout(func(c *Codec) { Slice(c, &xs, math.MaxInt, func(x *[1 << 16]byte) { c.Fixed(x[:]) }) })) == nil {
				t.Errorf("%d elements were read", claim)
			}
		})
		if allocated > 40 {
			t.Errorf("%d: %v allocations", claim, allocated)
		}
	}
}

func TestErrorSticks(t *testing.T) {
	calls := 0
	var u uint32
	xs := []uint8{1, 2, 3}
	own := errors.New("own")
	b, err := Marshal(layout(func(c *Codec) {
		c.U32(&u)
		c.Fail(own)
		c.Fail(errors.New("later"))
		c.U32(&u)
		c.Fixed(make([]byte, 100))
		v := uint64(7)
		c.Compact(&v)
		Slice(c, &xs, 3, func(x *uint8) { calls++; c.U8(x) })
		if len(c.buf) != 4 {
			t.Errorf("%d bytes were written after the error", len(c.buf)-4)
		}
	}))
	if !errors.Is(err, own) || b != nil || calls != 0 {
		t.Errorf("%v, %x, %d calls", err, b, calls)
	}
	if !strings.HasPrefix(err.Error(), "at byte 4: ") {
		t.Errorf("no offset: %v", err)
	}
	calls = 0
	if _, err := Marshal(layout(func(c *Codec) {
		Slice(c, &xs, 3, func(*uint8) { calls++; c.Fail(own) })
	})); !errors.Is(err, own) || calls != 1 {
		t.Errorf("%v, %d calls", err, calls)
	}
}

func TestMustMarshalPanics(t *testing.T) {
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, ErrBound) {
			t.Errorf("%v", err)
		}
	}()
	b := make([]byte, 2)
	MustMarshal(layout(func(c *Codec) { c.Bytes(&b, 1) }))
}

// TestCopies: what was decoded does not change with the input.
func TestCopies(t *testing.T) {
	in := []byte{8, 1, 2}
	var b []byte
	if err := Unmarshal(in, layout(func(c *Codec) { c.Bytes(&b, 2) })); err != nil {
		t.Fatal(err)
	}
	in[1] = 9
	if b[0] != 1 {
		t.Error("the field is a view of the input")
	}
}

// everything has a field of each kind.
type everything struct {
	A uint8
	B uint16
	C uint32
	D uint64
	E uint128.Uint128
	F bool
	G uint8
	H [3]byte
	I []byte
	J string
	K uint64
	L []everythingChild
	M *uint32
}

type everythingChild struct {
	X uint64
	Y *bool
}

func (e *everything) Scale(c *Codec) {
	c.U8(&e.A)
	c.U16(&e.B)
	c.U32(&e.C)
	c.U64(&e.D)
	c.U128(&e.E)
	c.Bool(&e.F)
	c.Variant(&e.G, 5)
	c.Fixed(e.H[:])
	c.Bytes(&e.I, 40)
	c.Text(&e.J, 40)
	c.Compact(&e.K)
	Slice(c, &e.L, 20, func(x *everythingChild) {
		c.Compact(&x.X)
		Option(c, &x.Y, c.Bool)
	})
	Option(c, &e.M, c.U32)
}

func TestRoundTrip(t *testing.T) {
	child := rapid.Custom(func(t *rapid.T) everythingChild {
		return everythingChild{rapid.Uint64().Draw(t, "x"), rapid.Ptr(rapid.Bool(), true).Draw(t, "y")}
	})
	rapid.Check(t, func(t *rapid.T) {
		in := &everything{
			A: rapid.Uint8().Draw(t, "a"), B: rapid.Uint16().Draw(t, "b"), C: rapid.Uint32().Draw(t, "c"),
			D: rapid.Uint64().Draw(t, "d"), E: uint128.New(rapid.Uint64().Draw(t, "lo"), rapid.Uint64().Draw(t, "hi")),
			F: rapid.Bool().Draw(t, "f"), G: rapid.Uint8Range(0, 4).Draw(t, "g"),
			I: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "i"), J: rapid.StringN(0, 10, 40).Draw(t, "j"),
			K: rapid.Uint64().Draw(t, "k"), L: rapid.SliceOfN(child, 0, 20).Draw(t, "l"),
			M: rapid.Ptr(rapid.Uint32(), true).Draw(t, "m"),
		}
		b, err := Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		out := new(everything)
		if err := Unmarshal(b, out); err != nil {
			t.Fatal(err)
		}
		if again := MustMarshal(out); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
		if out.K != in.K || out.J != in.J || len(out.L) != len(in.L) || !bytes.Equal(out.I, in.I) {
			t.Fatal("another value")
		}
	})
}

func FuzzCanonical(f *testing.F) {
	yes, n := true, uint32(7)
	for _, e := range []*everything{
		{},
		{A: 1, B: 2, C: 3, D: 4, F: true, G: 4, I: []byte("bytes"), J: "Война", K: 1 << 40,
			L: []everythingChild{{1 << 30, &yes}, {}}, M: &n},
	} {
		b := MustMarshal(e)
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := new(everything)
		if err := Unmarshal(b, e); err != nil {
			return
		}
		if again := MustMarshal(e); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func FuzzCompact(f *testing.F) {
	for _, v := range []uint64{0, 63, 64, 1 << 14, 1 << 30, 1 << 32, math.MaxUint64} {
		f.Add(AppendCompact(nil, v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v uint64
		if err := Unmarshal(b, layout(func(c *Codec) { c.Compact(&v) })); err != nil {
			return
		}
		if again := AppendCompact(nil, v); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
