package point

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// multiple is the encoding of n times the base point.
func multiple(t *testing.T, n uint64) [Size]byte {
	t.Helper()
	s := scalar.NewFromUint64(n)
	p, err := Encode(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestKnown: what was remembered changes no answer: not for keys that share a place, nor for bytes that are no key and
// share it.
func TestKnown(t *testing.T) {
	for n := uint64(1); n < 2000; n++ {
		p := multiple(t, n)
		for range 2 {
			got, err := ParsePublic(p[:])
			if err != nil || got != p {
				t.Fatalf("%d times the base point: %x, %v", n, got, err)
			}
		}
		for bit := range 8 {
			bad := p
			bad[Size-1] ^= 1 << bit
			_, want := Parse(bad[:])
			if _, err := ParsePublic(bad[:]); !errors.Is(err, want) {
				t.Fatalf("%x: %v, want %v", bad, err, want)
			}
		}
	}
	var zero [Size]byte
	for _, bad := range [][]byte{nil, zero[:], zero[:31], append(zero[:], 0)} {
		_, want := Parse(bad)
		if _, err := ParsePublic(bad); err == nil || err.Error() != want.Error() {
			t.Errorf("%x: %v, want %v", bad, err, want)
		}
	}
}

// TestKnownIsSafe parses keys that share one place in many goroutines.
func TestKnownIsSafe(t *testing.T) {
	var keys [][Size]byte
	for n := uint64(1); len(keys) < 4; n++ {
		p := multiple(t, n)
		if len(keys) == 0 || binary.LittleEndian.Uint64(p[:])%uint64(len(known)) == binary.LittleEndian.Uint64(keys[0][:])%uint64(len(known)) {
			keys = append(keys, p)
		}
	}
	done := make(chan error, 8)
	for g := range 8 {
		go func() {
			for i := range 200 {
				p := keys[(g+i)%len(keys)]
				if got, err := ParsePublic(p[:]); err != nil || got != p {
					done <- errors.Join(errors.New("another key"), err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
