package commkey_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
)

// sealed encrypts zeros, which tells keys apart.
func sealed(t *testing.T, k *commkey.Key, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	aead, err := k.AEAD()
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, make([]byte, 12), make([]byte, 32), nil)
}

// An exchange gives the very keys that Send and Receive give, all of them different, and none once it is erased.
func TestExchange(t *testing.T) {
	a, errA := ecdh.Generate(rand.Reader)
	b, errB := ecdh.Generate(rand.Reader)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	x, err := commkey.NewExchange(a, b.Public())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for p := range commkey.Purposes {
		for epoch := range uint32(3) {
			p := commkey.Purpose(p)
			k, err := x.Send(p, epoch)
			got := sealed(t, k, err)
			k, err = commkey.Send(a, b.Public(), p, epoch)
			if !bytes.Equal(got, sealed(t, k, err)) {
				t.Fatal("another key to send with")
			}
			seen[string(got)] = true
			k, err = x.Receive(p, epoch)
			got = sealed(t, k, err)
			k, err = commkey.Receive(a, b.Public(), p, epoch)
			if !bytes.Equal(got, sealed(t, k, err)) {
				t.Fatal("another key to receive with")
			}
			seen[string(got)] = true
		}
	}
	if len(seen) != 2*3*int(commkey.Purposes) {
		t.Fatalf("%d different keys", len(seen))
	}
	if _, err := x.Send(commkey.Purpose(commkey.Purposes), 0); !errors.Is(err, commkey.ErrPurpose) {
		t.Fatal(err)
	}
	if _, err := x.Send(commkey.Query, commkey.MaxEpoch+1); !errors.Is(err, commkey.ErrIndex) {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", x, x, *x, x); bytes.ContainsAny([]byte(s), "0123456789") {
		t.Fatalf("it prints: %s", s)
	}
	x.Zero()
	x.Zero()
	if _, err := x.Receive(commkey.Query, 0); !errors.Is(err, commkey.ErrErased) {
		t.Fatal(err)
	}
	if _, err := commkey.NewExchange(a, a.Public()); !errors.Is(err, ecdh.ErrSelf) {
		t.Fatal(err)
	}
}
