package dcap_test

import (
	"crypto/elliptic"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// subject is evidence that verifies, for a test to damage.
type subject struct {
	name       string
	quote      []byte
	collateral []byte // JSON
	options    dcap.Options
	want       *dcap.Result
}

// subjects returns synthetic evidence of every form, and what is recorded.
func subjects(tb testing.TB) []subject {
	tb.Helper()
	var all []subject
	for _, f := range forms {
		w := f.world()
		w.Seed, w.Padding = f.name, 16 // keys of its own, so that no quote fits another's collateral
		ev := build(tb, w)
		text, err := ev.Collateral.MarshalJSON()
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, subject{name: f.name, quote: ev.Quote, collateral: text, options: dcap.Options{Roots: ev.Roots, Now: w.Now}})
	}
	for _, r := range recordings {
		if quote, text, err := r.read(); err == nil {
			all = append(all, subject{name: r.name, quote: quote, collateral: text, options: dcap.Options{Now: r.now}})
		}
	}
	for i := range all {
		s := &all[i]
		var err error
		if s.want, err = s.verify(s.quote, s.collateral); err != nil {
			tb.Fatalf("%s: %v", s.name, err)
		}
	}
	return all
}

func (s *subject) verify(quote, collateral []byte) (*dcap.Result, error) {
	c, err := dcap.ParseCollateral(collateral)
	if err != nil {
		return nil, err
	}
	return dcap.Verify(quote, c, s.options)
}

// check fails unless the outcome is a refusal with a reason, or the very same result: damage may be to what means
// nothing, never to what is said.
func (s *subject) check(t *testing.T, r *dcap.Result, err error, what string, args ...any) {
	t.Helper()
	if err != nil {
		if dcap.Reason(err) == "" || r != nil {
			t.Fatalf("%s: "+what+": %v has no reason, or a result %v", append(append([]any{s.name}, args...), err, r)...)
		}
		return
	}
	same := *r
	same.TrimmedQuote = s.want.TrimmedQuote
	if !reflect.DeepEqual(&same, s.want) {
		t.Fatalf("%s: "+what+" gave another result", append([]any{s.name}, args...)...)
	}
}

// TestEveryFlippedByte changes bytes of a quote, one at a time. None is without meaning: each change is refused.
func TestEveryFlippedByte(t *testing.T) {
	for i, s := range subjects(t) {
		c, err := dcap.ParseCollateral(s.collateral)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if i != 0 || testing.Short() {
			step = 31
		}
		for at := 0; at < len(s.quote); at += step {
			for _, mask := range []byte{0x01, 0x20, 0xff} {
				changed := append([]byte{}, s.quote...)
				changed[at] ^= mask
				r, err := dcap.Verify(changed, c, s.options)
				if err == nil || r != nil || dcap.Reason(err) == "" {
					t.Fatalf("%s: byte %d of %d, mask %#x: %v", s.name, at, len(changed), mask, err)
				}
				if trailing := dcap.Reason(err) == "trailing"; at >= s.want.TrimmedQuote && !trailing {
					t.Fatalf("%s: byte %d is padding, but: %v", s.name, at, err)
				}
			}
		}
	}
}

// TestTruncated cuts a quote short at every length: refused, until nothing but padding is gone.
func TestTruncated(t *testing.T) {
	for _, s := range subjects(t) {
		c, err := dcap.ParseCollateral(s.collateral)
		if err != nil {
			t.Fatal(err)
		}
		for n := range s.quote {
			_, err := dcap.Verify(s.quote[:n:n], c, s.options)
			if whole := n >= s.want.TrimmedQuote; whole != (err == nil) {
				t.Fatalf("%s: %d of %d bytes: %v", s.name, n, s.want.TrimmedQuote, err)
			}
		}
	}
}

// TestCollateralFlipped changes bytes of the collateral: each change is refused or says the same.
func TestCollateralFlipped(t *testing.T) {
	for _, s := range subjects(t) {
		for at := 0; at < len(s.collateral); at += 61 {
			for _, mask := range []byte{0x01, 0x20, 0x80} {
				changed := append([]byte{}, s.collateral...)
				changed[at] ^= mask
				r, err := s.verify(s.quote, changed)
				s.check(t, r, err, "byte %d, mask %#x", at, mask)
			}
		}
	}
}

// TestMutations damages quotes and collateral at random, the same way each time.
func TestMutations(t *testing.T) {
	rng := rand.New(rand.NewPCG(0x0dca9, 1))
	all := subjects(t)
	for n := range 4000 {
		s := &all[n%len(all)]
		quote, collateral := append([]byte{}, s.quote...), append([]byte{}, s.collateral...)
		if n%3 == 0 {
			collateral = mutate(rng, collateral)
		} else {
			quote = mutate(rng, quote)
		}
		r, err := s.verify(quote, collateral)
		s.check(t, r, err, "mutation %d", n)
	}
}

// mutate changes a few things of the kinds that trip parsers.
func mutate(rng *rand.Rand, b []byte) []byte {
	for range 1 + rng.IntN(3) {
		if len(b) < 8 {
			return b
		}
		at := rng.IntN(len(b) - 4)
		switch rng.IntN(7) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b = b[:at]
		case 2:
			b = append(b[:at:at], b[at+rng.IntN(len(b)-at):]...)
		case 3:
			binary.LittleEndian.PutUint32(b[at:], rng.Uint32())
		case 4:
			binary.LittleEndian.PutUint16(b[at:], uint16(1<<rng.IntN(16)-rng.IntN(2)))
		case 5:
			part := append([]byte{}, b[at:min(len(b), at+rng.IntN(200))]...)
			b = append(b[:at:at], append(part, b[at:]...)...)
		case 6:
			b = append(b, make([]byte, rng.IntN(300))...)
		}
	}
	return b
}

// TestSignatureMalleability shows why nothing may be keyed on a quote's bytes: (r, n−s) signs as well as (r, s), and the
// result is the same.
func TestSignatureMalleability(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	ev := build(t, w)
	want, err := verify(t, w, ev)
	if err != nil {
		t.Fatal(err)
	}
	negate(ev.Quote[48+584+4+32:][:32])
	got, err := verify(t, w, ev)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %+v", err, got)
	}
}

// negate replaces s by n−s.
func negate(s []byte) {
	n := elliptic.P256().Params().N
	new(big.Int).Sub(n, new(big.Int).SetBytes(s)).FillBytes(s)
}
