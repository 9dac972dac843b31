package ss58_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"pgregory.net/rapid"
)

// Addresses of Substrate's development accounts as its tools print them (`subkey inspect //Alice` and others).
var published = []struct {
	account string
	prefix  uint16
	text    string
}{
	{"d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d", 42, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"},
	{"8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48", 42, "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"},
	{"d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d", 0, "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"},
	{"d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d", 2, "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F"},
}

func account(t *testing.T, text string) (a [32]byte) {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		t.Fatalf("bad account in the table: %q", text)
	}
	copy(a[:], b)
	return a
}

func TestPublishedAddresses(t *testing.T) {
	for _, c := range published {
		want := account(t, c.account)
		text, err := ss58.Encode(want, c.prefix)
		if err != nil || text != c.text {
			t.Errorf("Encode(%s, %d) = %q, %v; want %q", c.account, c.prefix, text, err, c.text)
		}
		got, prefix, err := ss58.Decode(c.text)
		if err != nil || got != want || prefix != c.prefix {
			t.Errorf("Decode(%q) = %x, %d, %v", c.text, got, prefix, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a [32]byte
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "account"))
		p := rapid.Uint16Range(0, ss58.MaxPrefix).Draw(t, "prefix")
		text, err := ss58.Encode(a, p)
		if p == 46 || p == 47 {
			if !errors.Is(err, ss58.ErrPrefix) {
				t.Fatalf("reserved prefix %d: %v", p, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got, prefix, err := ss58.Decode(text)
		if err != nil || got != a || prefix != p {
			t.Fatalf("Decode(%q) = %x, %d, %v; want %x, %d", text, got, prefix, err, a, p)
		}
	})
}

// Every single wrong character must be found, or money goes to nobody.
func TestMistypedAddress(t *testing.T) {
	good := published[0].text
	missed := 0
	for i := range len(good) {
		for _, c := range "123ABCxyz" {
			bad := good[:i] + string(c) + good[i+1:]
			if bad == good {
				continue
			}
			if _, _, err := ss58.Decode(bad); err == nil {
				missed++
			}
		}
	}
	// A checksum of 16 bits misses one in 65,536; these are a few hundred.
	if missed != 0 {
		t.Errorf("%d mistyped addresses were accepted", missed)
	}
}

func TestRefused(t *testing.T) {
	cases := map[string]string{
		"empty":             "",
		"not base58":        "0OIl",
		"short":             published[0].text[:40],
		"long":              published[0].text + "1",
		"leading one":       "1" + published[0].text,
		"very long":         strings.Repeat("z", 1<<20),
		"only ones":         strings.Repeat("1", 35),
		"space at the end":  published[0].text + " ",
		"not ASCII":         "5Grwvaé",
		"hex is not base58": "0x" + published[0].account,
	}
	for name, text := range cases {
		if _, _, err := ss58.Decode(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ss58.Encode([32]byte{}, ss58.MaxPrefix+1); !errors.Is(err, ss58.ErrPrefix) {
		t.Errorf("prefix over the maximum: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range published {
		f.Add(c.text)
	}
	f.Add("")
	f.Add(strings.Repeat("1", 50))
	f.Fuzz(func(t *testing.T, text string) {
		a, prefix, err := ss58.Decode(text)
		if err != nil {
			return
		}
		again, err := ss58.Encode(a, prefix)
		if err != nil || !bytes.Equal([]byte(again), []byte(text)) {
			t.Fatalf("%q decodes, but encodes to %q, %v", text, again, err)
		}
	})
}
