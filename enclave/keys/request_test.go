package keys

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
)

// A request is opened and answered: to the key that it came from, and to another; from the key that it was for.
func TestRequest(t *testing.T) {
	k, err := Open(ctx, t.TempDir(), machine(t, t.TempDir(), "release 1"), uidOne, testKind, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	own, epoch, err := k.EcdhKey()
	if err != nil {
		t.Fatal(err)
	}
	client, errC := ecdh.Generate(rand.Reader)
	other, errO := ecdh.Generate(rand.Reader)
	if err := errors.Join(errC, errO); err != nil {
		t.Fatal(err)
	}
	request := func(p commkey.Purpose) *envelope.Envelope {
		e, err := envelope.Seal(rand.Reader, uidOne, client, own, epoch, p, []byte("question"))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	plain, r, err := k.OpenRequest(request(commkey.Query))
	if err != nil || string(plain) != "question" {
		t.Fatal(err)
	}
	for _, to := range []*ecdh.PrivateKey{client, other} {
		e, err := r.Reply(to.Public(), []byte("answer"))
		if err != nil {
			t.Fatal(err)
		}
		if e.Purpose != commkey.Reply || e.Sender != own || e.Epoch != 0 {
			t.Fatalf("%+v", e)
		}
		if got, err := e.Open(uidOne, to); err != nil || string(got) != "answer" {
			t.Fatal(err)
		}
	}
	r.Zero()
	if _, err := r.Reply(client.Public(), []byte("answer")); !errors.Is(err, commkey.ErrErased) {
		t.Fatalf("after Zero: %v", err)
	}
	if _, _, err := k.OpenRequest(request(commkey.OnChain)); !errors.Is(err, ErrPurpose) {
		t.Fatal(err)
	}
	bad := request(commkey.Query)
	bad.Data[0] ^= 1
	if _, _, err := k.OpenRequest(bad); !errors.Is(err, envelope.ErrOpen) {
		t.Fatal(err)
	}
	bad = request(commkey.Query)
	bad.Epoch++
	if _, _, err := k.OpenRequest(bad); !errors.Is(err, ErrNoKey) {
		t.Fatal(err)
	}
}
