package teetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
)

var aad = []byte("bound to this")

func sealed(t *testing.T, d tee.Sealer, plaintext []byte) []byte {
	t.Helper()
	b, err := d.Seal(context.Background(), plaintext, aad)
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return b
}

// damaged reports whether err is one of those that a changed sealed value may give.
func damaged(err error) bool {
	return errors.Is(err, tee.ErrSealDamaged) || errors.Is(err, tee.ErrOtherMachine) ||
		errors.Is(err, tee.ErrOtherMeasurement)
}

func (s *suite) seal(t *testing.T) {
	for _, plaintext := range [][]byte{{}, []byte("s"), bytes.Repeat([]byte("secret"), 1000)} {
		b := sealed(t, s.sealer(t, nil), plaintext)
		if len(plaintext) > 4 && bytes.Contains(b, plaintext[:4]) {
			t.Fatal("the sealed value shows the plaintext")
		}
		// Another device value of the same machine and program: a restart.
		back, err := s.sealer(t, nil).Unseal(context.Background(), b, aad)
		if err != nil || !bytes.Equal(back, plaintext) {
			t.Fatalf("%d bytes: %v", len(plaintext), err)
		}
	}
}

func (s *suite) sealAAD(t *testing.T) {
	d := s.sealer(t, nil)
	b := sealed(t, d, []byte("secret"))
	for _, other := range [][]byte{nil, {}, aad[:len(aad)-1], append(slices.Clone(aad), 0)} {
		plaintext, err := d.Unseal(context.Background(), b, other)
		if !errors.Is(err, tee.ErrSealDamaged) || plaintext != nil {
			t.Fatalf("associated data %q: %v", other, err)
		}
	}
}

func (s *suite) sealDamaged(t *testing.T) {
	d := s.sealer(t, nil)
	b := sealed(t, d, []byte("secret"))
	try := func(what string, i int, changed []byte) {
		t.Helper()
		plaintext, err := d.Unseal(context.Background(), changed, aad)
		if !damaged(err) || plaintext != nil {
			t.Fatalf("%s at %d: %v", what, i, err)
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

func (s *suite) sealElsewhere(t *testing.T) {
	b := sealed(t, s.sealer(t, nil), []byte("secret"))
	tests := []struct {
		change func(*Setup)
		want   error
	}{
		{func(d *Setup) { d.Machine = "two" }, tee.ErrOtherMachine},
		{func(d *Setup) { d.Program = "bad" }, tee.ErrOtherMeasurement},
	}
	for _, tt := range tests {
		plaintext, err := s.sealer(t, tt.change).Unseal(context.Background(), b, aad)
		if !errors.Is(err, tt.want) || plaintext != nil {
			t.Fatalf("got %v, want %v", err, tt.want)
		}
	}
}

func (s *suite) sealFresh(t *testing.T) {
	d := s.sealer(t, nil)
	if bytes.Equal(sealed(t, d, []byte("secret")), sealed(t, d, []byte("secret"))) {
		t.Fatal("sealing twice gave the same bytes")
	}
}

func (s *suite) sealBounds(t *testing.T) {
	d := s.sealer(t, nil)
	if _, err := d.Seal(context.Background(), make([]byte, tee.MaxSealed+1), aad); !errors.Is(err, tee.ErrSealSize) {
		t.Fatalf("over the bound: %v", err)
	}
	b := sealed(t, d, make([]byte, tee.MaxSealed))
	if back, err := d.Unseal(context.Background(), b, aad); err != nil || len(back) != tee.MaxSealed {
		t.Fatalf("at the bound: %v", err)
	}
	if _, err := d.Unseal(context.Background(), make([]byte, 16*tee.MaxSealed), aad); !damaged(err) {
		t.Fatalf("huge sealed value: %v", err)
	}
}
