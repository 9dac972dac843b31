package group

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/internal/secrettest"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

const basepoint = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func scalarOf(t testing.TB, b []byte) *Scalar {
	t.Helper()
	k, err := ParseScalar(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mul(t testing.TB, k *Scalar, e Element) Element {
	t.Helper()
	out, err := k.Mul(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRFC9497 holds RFC 9497's vectors for hashing to the group and multiplying.
func TestRFC9497(t *testing.T) {
	b, err := os.ReadFile("../testdata/rfc9497_ristretto255.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct{ DST, Key, Public, Input, Blind, Blinded, Evaluated string }
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 4 {
		t.Fatalf("%d vectors", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		h, err := HashToGroup(unhex(t, v.DST), unhex(t, v.Input))
		if err != nil {
			t.Fatal(err)
		}
		blinded := mul(t, scalarOf(t, unhex(t, v.Blind)), h)
		if blinded.String() != "0x"+v.Blinded {
			t.Errorf("blinded %v, want %s", blinded, v.Blinded)
		}
		key := scalarOf(t, unhex(t, v.Key))
		if got := mul(t, key, blinded); got.String() != "0x"+v.Evaluated {
			t.Errorf("evaluated %v, want %s", got, v.Evaluated)
		}
		public, err := key.MulBase()
		if err != nil {
			t.Fatal(err)
		}
		if v.Public != "" && public.String() != "0x"+v.Public {
			t.Errorf("public %v, want %s", public, v.Public)
		}
	}
}

// TestSmallMultiples holds RFC 9496 appendix A.1: multiples of the generator.
func TestSmallMultiples(t *testing.T) {
	g, err := ParseElement(unhex(t, basepoint))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[byte]string{
		1:  basepoint,
		2:  "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
		3:  "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
		15: "e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e",
	} {
		k := make([]byte, ScalarSize)
		k[0] = n
		s := scalarOf(t, k)
		base, err := s.MulBase()
		if err != nil {
			t.Fatal(err)
		}
		if got := mul(t, s, g); got.String() != "0x"+want || got != base {
			t.Errorf("%d·G = %v and %v, want %s", n, got, base, want)
		}
	}
}

// TestMulCommutes: a·(b·P) = b·(a·P), for hashed P.
func TestMulCommutes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, err := HashToGroup([]byte("test"), rapid.SliceOf(rapid.Byte()).Draw(rt, "msg"))
		if err != nil {
			rt.Fatal(err)
		}
		a, err := RandomScalar(rand.Reader)
		if err != nil {
			rt.Fatal(err)
		}
		b, err := RandomScalar(rand.Reader)
		if err != nil {
			rt.Fatal(err)
		}
		if mul(t, a, mul(t, b, h)) != mul(t, b, mul(t, a, h)) {
			rt.Fatal("a(bP) is not b(aP)")
		}
	})
}

func TestHashToGroupSeparatesDomains(t *testing.T) {
	seen := map[Element]bool{}
	for _, v := range [][2]string{{"a", "b"}, {"ab", ""}, {"b", "a"}, {"a", ""}, {"a", "bb"}} {
		e, err := HashToGroup([]byte(v[0]), []byte(v[1]))
		if err != nil {
			t.Fatal(err)
		}
		seen[e] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d elements of 5", len(seen))
	}
	for _, n := range []int{0, 256} {
		if _, err := HashToGroup(make([]byte, n), nil); !errors.Is(err, ErrTag) {
			t.Errorf("a tag of %d bytes: %v", n, err)
		}
	}
}

func TestParseScalarRefuses(t *testing.T) {
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	for name, b := range map[string][]byte{
		"zero":      make([]byte, 32),
		"the order": order,
		"all ones":  bytes.Repeat([]byte{0xff}, 32),
		"high bit":  append(bytes.Repeat([]byte{0}, 31), 0x80),
		"31 bytes":  make([]byte, 31),
		"33 bytes":  make([]byte, 33),
		"none":      nil,
	} {
		if k, err := ParseScalar(b); !errors.Is(err, ErrScalar) || k != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	order[0]--
	k := scalarOf(t, order)
	if !bytes.Equal(k.ExposeBytes(), order) {
		t.Error("the largest scalar changed")
	}
}

func TestRandomScalar(t *testing.T) {
	for name, r := range map[string]*bytes.Reader{"short": bytes.NewReader(make([]byte, 63))} {
		if _, err := RandomScalar(r); !errors.Is(err, ErrRandom) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := RandomScalar(nil); !errors.Is(err, ErrRandom) {
		t.Errorf("no source: %v", err)
	}
	if _, err := RandomScalar(bytes.NewReader(make([]byte, 64))); !errors.Is(err, ErrScalar) {
		t.Errorf("zeros: %v", err)
	}
	// The reader, and nothing else, decides: 64 little-endian bytes modulo the order.
	wide := make([]byte, 64)
	wide[0] = 5
	k, err := RandomScalar(bytes.NewReader(wide))
	if err != nil || !bytes.Equal(k.ExposeBytes(), wide[:32]) {
		t.Errorf("%v", err)
	}
}

func TestIdentityRefusedAtEveryDoor(t *testing.T) {
	zero := make([]byte, 32)
	k, err := RandomScalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var e Element
	_, parse := ParseElement(zero)
	_, encode := scale.Marshal(&e)
	_, text := e.MarshalText()
	_, product := k.Mul(e)
	for name, err := range map[string]error{
		"ParseElement":  parse,
		"Scale decode":  scale.Unmarshal(zero, &e),
		"Scale encode":  encode,
		"MarshalText":   text,
		"UnmarshalText": e.UnmarshalText([]byte("0x" + hex.EncodeToString(zero))),
		"Mul":           product,
	} {
		if !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScalarIsOpaque(t *testing.T) {
	k, err := RandomScalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secrettest.Check(t, k, k.ExposeBytes())
}

func TestZero(t *testing.T) {
	k, err := RandomScalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	g, err := k.MulBase()
	if err != nil {
		t.Fatal(err)
	}
	k.Zero()
	if k.ExposeBytes() != nil {
		t.Error("the scalar outlives Zero")
	}
	if _, err := k.MulBase(); !errors.Is(err, ErrErased) {
		t.Errorf("MulBase: %v", err)
	}
	if _, err := k.Mul(g); !errors.Is(err, ErrErased) {
		t.Errorf("Mul: %v", err)
	}
}

func TestElementText(t *testing.T) {
	g, err := ParseElement(unhex(t, basepoint))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(g)
	if err != nil || string(b) != `"0x`+basepoint+`"` {
		t.Fatalf("%s, %v", b, err)
	}
	var got Element
	if err := json.Unmarshal(b, &got); err != nil || got != g || got.Array() != g.Array() {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzElement(f *testing.F) {
	f.Add(unhex(f, basepoint))
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Element
		if err := scale.Unmarshal(b, &e); err != nil {
			return
		}
		if !bytes.Equal(scale.MustMarshal(&e), b) {
			t.Fatal("another encoding")
		}
	})
}

func BenchmarkMul(b *testing.B) {
	k, err := RandomScalar(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	e, err := k.MulBase()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Mul(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHashToGroup(b *testing.B) {
	for b.Loop() {
		if _, err := HashToGroup([]byte("test"), make([]byte, 36)); err != nil {
			b.Fatal(err)
		}
	}
}
