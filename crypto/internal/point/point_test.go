package point

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// bad are RFC 9496 appendix A.2's invalid encodings, a choice of each kind.
var bad = map[string]string{
	"not below p":             "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"p itself":                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"p-1 is negative":         "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"negative":                "0100000000000000000000000000000000000000000000000000000000000000",
	"negative, high bit set":  "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"x² is no square":         "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
	"xy is negative":          "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
	"s = -1, which gives y=0": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestParseRefuses(t *testing.T) {
	if _, err := Parse(make([]byte, Size)); !errors.Is(err, ErrIdentity) {
		t.Errorf("identity: %v", err)
	}
	for name, text := range bad {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(b); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
		var p [Size]byte
		if err := scale.Unmarshal(b, record{&p}); !errors.Is(err, ErrEncoding) || p != [Size]byte{} {
			t.Errorf("%s: scale: %v, left %x", name, err, p)
		}
		if _, err := ParseText([]byte("0x" + text)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: text: %v", name, err)
		}
	}
	for _, n := range []int{0, 1, 31, 33, 64} {
		if _, err := Parse(make([]byte, n)); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestText(t *testing.T) {
	p := [Size]byte(curve.RISTRETTO_BASEPOINT_COMPRESSED[:])
	text := Text(&p)
	got, err := ParseText([]byte(text))
	if err != nil || got != p {
		t.Fatalf("%x, %v", got, err)
	}
	digits := text[2:]
	for _, bad := range []string{"", "0x", digits, "0X" + digits, text + "0", text[:65], "0x" + strings.Repeat("g", 64), " " + text} {
		if _, err := ParseText([]byte(bad)); !errors.Is(err, ErrText) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := ParseText([]byte("0x" + strings.Repeat("0", 64))); !errors.Is(err, ErrIdentity) {
		t.Errorf("identity: %v", err)
	}
}

func TestEncodeRefusesIdentity(t *testing.T) {
	if _, err := Encode(curve.NewRistrettoPoint()); !errors.Is(err, ErrIdentity) {
		t.Error(err)
	}
	var zero [Size]byte
	if _, err := scale.Marshal(record{&zero}); !errors.Is(err, ErrIdentity) {
		t.Error(err)
	}
}

type record struct{ p *[Size]byte }

func (r record) Scale(c *scale.Codec) { Scale(c, r.p) }

func FuzzParse(f *testing.F) {
	f.Add(curve.RISTRETTO_BASEPOINT_COMPRESSED[:])
	f.Add(make([]byte, Size))
	for _, text := range bad {
		b, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		d, err := Decode(&p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Encode(d)
		if err != nil || !bytes.Equal(again[:], b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}
