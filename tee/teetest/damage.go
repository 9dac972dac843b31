package teetest

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
)

// stride returns how far apart damaged bytes are.
func (s *suite) stride() int { return max(s.Stride, 1) }

// flipped changes bytes of data and collateral in three ways; none may be believed, whatever the policy and whatever the
// changed evidence says.
func (s *suite) flipped(t *testing.T) {
	ev := s.attest(t, nil)
	for part, field := range []*[]byte{&ev.Data, &ev.Collateral} {
		whole := *field
		for from, mask := range []byte{0x01, 0x80, 0xff} {
			for i := from % s.stride(); i < len(whole); i += s.stride() {
				*field = slices.Clone(whole)
				(*field)[i] ^= mask
				_, err := s.Verifier.Verify(ev, s.Roots, s.now)
				var reason *tee.Refusal
				if !errors.As(err, &reason) {
					t.Fatalf("part %d, byte %d, mask %#x: %v", part, i, mask, err)
				}
			}
		}
		*field = whole
	}
}

func (s *suite) truncated(t *testing.T) {
	ev := s.attest(t, nil)
	for _, field := range []*[]byte{&ev.Data, &ev.Collateral} {
		whole := *field
		for n := 0; n < len(whole); n += s.stride() {
			*field = whole[:n:n]
			s.refusedByVerifier(t, ev, "cut")
		}
		if len(whole) > 0 {
			*field = whole[: len(whole)-1 : len(whole)-1]
			s.refusedByVerifier(t, ev, "cut by one")
		}
		*field = whole
	}
}

func (s *suite) extended(t *testing.T) {
	ev := s.attest(t, nil)
	claims, err := s.Verifier.Verify(ev, s.Roots, s.now)
	if err != nil {
		t.Fatal(err)
	}
	for part, field := range []*[]byte{&ev.Data, &ev.Collateral} {
		whole := *field
		for _, tail := range [][]byte{{1}, {0}, {0, 1}, make([]byte, 100)} {
			*field = append(slices.Clone(whole), tail...)
			if part == 0 && s.ZeroPadding && bytes.Count(tail, []byte{0}) == len(tail) {
				if got, err := s.Verifier.Verify(ev, s.Roots, s.now); err != nil || !reflect.DeepEqual(got, claims) {
					t.Fatalf("with %d zeros: %+v, %v", len(tail), got, err)
				}
				continue
			}
			s.refusedByVerifier(t, ev, "extended")
		}
		*field = whole
	}
	ev.Data = make([]byte, tee.MaxData+1)
	s.refused(t, ev, s.policy(), tee.ErrFormat)
}

// resigned checks that another signature on the same says the same.
func (s *suite) resigned(t *testing.T) {
	if s.Resigned == nil {
		t.Skip("the kind's signatures are unique")
	}
	ev := s.attest(t, nil)
	claims, err := s.Verifier.Verify(ev, s.Roots, s.now)
	if err != nil {
		t.Fatal(err)
	}
	other := s.Resigned(ev)
	if bytes.Equal(other.Data, ev.Data) {
		t.Fatal("the evidence is not resigned")
	}
	if got, err := s.Verifier.Verify(other, s.Roots, s.now); err != nil || !reflect.DeepEqual(got, claims) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func (s *suite) refusedByVerifier(t *testing.T, ev tee.Evidence, what string) {
	t.Helper()
	var reason *tee.Refusal
	if _, err := s.Verifier.Verify(ev, s.Roots, s.now); !errors.As(err, &reason) {
		t.Fatalf("%s to %d and %d bytes: %v", what, len(ev.Data), len(ev.Collateral), err)
	}
}

// spliced shows one machine's report with another's collateral.
func (s *suite) spliced(t *testing.T) {
	one, two := s.attest(t, nil), s.attest(t, func(d *Setup) { d.Machine = "two" })
	if len(one.Collateral)+len(two.Collateral) == 0 {
		t.Skip("the kind has no collateral")
	}
	one.Collateral = two.Collateral
	s.refusedByVerifier(t, one, "spliced")
}
