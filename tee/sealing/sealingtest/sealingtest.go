// Package sealingtest is what every platform's sealer must pass, without evidence: what it keeps, and what it says of
// data that was changed or comes from elsewhere.
package sealingtest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
)

// Elsewhere is a sealer that must not open what the others sealed, and the error with which it says so.
type Elsewhere struct {
	Name   string
	Sealer tee.Sealer
	Want   error
}

var aad = []byte("bound to this")

// Run checks a sealer. open returns it anew, as after a restart of the program on the same machine.
func Run(t *testing.T, open func() tee.Sealer, elsewhere ...Elsewhere) {
	t.Run("restart", func(t *testing.T) { restart(t, open) })
	t.Run("damage", func(t *testing.T) { damage(t, open()) })
	t.Run("associated data", func(t *testing.T) { associated(t, open()) })
	t.Run("bounds", func(t *testing.T) { bounds(t, open()) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, open()) })
	sealed := seal(t, open(), []byte("secret"))
	for _, e := range elsewhere {
		t.Run(e.Name, func(t *testing.T) {
			plaintext, err := e.Sealer.Unseal(context.Background(), sealed, aad)
			if !errors.Is(err, e.Want) || plaintext != nil {
				t.Fatalf("got %v, want %v", err, e.Want)
			}
			if n := named(err); n != 1 {
				t.Fatalf("%v is %d of the errors of a sealer", err, n)
			}
		})
	}
}

func seal(t *testing.T, s tee.Sealer, plaintext []byte) []byte {
	t.Helper()
	b, err := s.Seal(context.Background(), plaintext, aad)
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return b
}

func restart(t *testing.T, open func() tee.Sealer) {
	for _, plaintext := range [][]byte{{}, []byte("s"), bytes.Repeat([]byte("secret"), 1000)} {
		b := seal(t, open(), plaintext)
		if len(plaintext) > 4 && bytes.Contains(b, plaintext[:4]) {
			t.Fatal("the sealed value shows the plaintext")
		}
		if bytes.Equal(b, seal(t, open(), plaintext)) {
			t.Fatal("sealing twice gave the same bytes")
		}
		back, err := open().Unseal(context.Background(), b, aad)
		if err != nil || !bytes.Equal(back, plaintext) {
			t.Fatalf("%d bytes: %v", len(plaintext), err)
		}
	}
}

// named counts the errors of a sealer that err is.
func named(err error) (n int) {
	for _, one := range []error{tee.ErrOtherMachine, tee.ErrOtherMeasurement, tee.ErrSealDamaged} {
		if errors.Is(err, one) {
			n++
		}
	}
	return n
}

// damage changes every bit, cuts everywhere and appends; each must give one of the three errors.
func damage(t *testing.T, s tee.Sealer) {
	b := seal(t, s, []byte("secret"))
	try := func(what string, at int, changed []byte) {
		t.Helper()
		plaintext, err := s.Unseal(context.Background(), changed, aad)
		if named(err) != 1 || plaintext != nil {
			t.Fatalf("%s at %d of %d: %v", what, at, len(b), err)
		}
	}
	for i := range b {
		try("cut", i, b[:i:i])
		for bit := range 8 {
			changed := slices.Clone(b)
			changed[i] ^= 1 << bit
			try("flipped", i, changed)
		}
	}
	try("extended", len(b), append(slices.Clone(b), 0))
	try("zero", 0, make([]byte, len(b)))
}

func associated(t *testing.T, s tee.Sealer) {
	b := seal(t, s, []byte("secret"))
	for _, other := range [][]byte{nil, {}, aad[:len(aad)-1], append(slices.Clone(aad), 0)} {
		plaintext, err := s.Unseal(context.Background(), b, other)
		if !errors.Is(err, tee.ErrSealDamaged) || plaintext != nil {
			t.Fatalf("associated data %q: %v", other, err)
		}
	}
}

func bounds(t *testing.T, s tee.Sealer) {
	if _, err := s.Seal(context.Background(), make([]byte, tee.MaxSealed+1), aad); !errors.Is(err, tee.ErrSealSize) {
		t.Fatalf("over the bound: %v", err)
	}
	b := seal(t, s, make([]byte, tee.MaxSealed))
	if back, err := s.Unseal(context.Background(), b, aad); err != nil || len(back) != tee.MaxSealed {
		t.Fatalf("at the bound: %v", err)
	}
	if _, err := s.Unseal(context.Background(), append(b, 0), aad); !errors.Is(err, tee.ErrSealDamaged) {
		t.Fatalf("a byte more: %v", err)
	}
}

func cancelled(t *testing.T, s tee.Sealer) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Seal(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("seal: %v", err)
	}
	if _, err := s.Unseal(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("unseal: %v", err)
	}
}
