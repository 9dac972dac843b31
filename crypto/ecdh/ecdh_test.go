package ecdh

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/internal/secrettest"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

func key(t testing.TB, first byte) *PrivateKey {
	t.Helper()
	mini := make([]byte, MiniSecretSize)
	mini[0] = first
	k, err := FromMiniSecret(mini)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSharedIsEqualOnBothSides(t *testing.T) {
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		minis := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 1<<63), 2, 2, rapid.ID[uint64]).Draw(t, "minis")
		var keys [2]*PrivateKey
		for i, m := range minis {
			mini := make([]byte, MiniSecretSize)
			for j := range 8 {
				mini[j] = byte(m >> (8 * j))
			}
			k, err := FromMiniSecret(mini)
			if err != nil {
				t.Fatal(err)
			}
			keys[i] = k
		}
		ab, err := keys[0].Shared(keys[1].Public())
		if err != nil {
			t.Fatal(err)
		}
		ba, err := keys[1].Shared(keys[0].Public())
		if err != nil || !bytes.Equal(ab, ba) || len(ab) != SharedSize {
			t.Fatalf("%x and %x, %v", ab, ba, err)
		}
		seen[string(ab)] = true
	})
	if len(seen) < 10 {
		t.Errorf("only %d different secrets", len(seen))
	}
}

func TestSharedRefuses(t *testing.T) {
	a := key(t, 1)
	if _, err := a.Shared(a.Public()); !errors.Is(err, ErrSelf) {
		t.Errorf("own key: %v", err)
	}
	if _, err := a.Shared(PublicKey{}); !errors.Is(err, ErrIdentity) {
		t.Errorf("the identity: %v", err)
	}
	// The unexported field can be set only here: a key that skipped the parser.
	if _, err := a.Shared(PublicKey{[32]byte{1}}); !errors.Is(err, ErrEncoding) {
		t.Errorf("a negative encoding: %v", err)
	}
}

func TestIdentityRefusedAtEveryDoor(t *testing.T) {
	zero := make([]byte, 32)
	var k PublicKey
	_, parse := ParsePublicKey(zero)
	_, encode := scale.Marshal(&k)
	_, text := k.MarshalText()
	for name, err := range map[string]error{
		"ParsePublicKey": parse,
		"Scale decode":   scale.Unmarshal(zero, &k),
		"Scale encode":   encode,
		"MarshalText":    text,
		"UnmarshalText":  k.UnmarshalText([]byte("0x" + hex.EncodeToString(zero))),
		"json":           json.Unmarshal([]byte(`"0x`+hex.EncodeToString(zero)+`"`), &k),
	} {
		if !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrivateKeyIsOpaque(t *testing.T) {
	k, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secrettest.Check(t, k, k.ExposeMiniSecret())
}

func TestZero(t *testing.T) {
	k := key(t, 1)
	copied := *k
	k.Zero()
	if k.ExposeMiniSecret() != nil || copied.ExposeMiniSecret() != nil {
		t.Error("the mini-secret outlives Zero")
	}
	if _, err := copied.Shared(key(t, 2).Public()); !errors.Is(err, ErrErased) {
		t.Errorf("Shared: %v", err)
	}
}

func TestGenerateWantsRandomness(t *testing.T) {
	if _, err := Generate(nil); !errors.Is(err, ErrRandom) {
		t.Error(err)
	}
	if _, err := Generate(bytes.NewReader(make([]byte, 64))); !errors.Is(err, ErrMiniSecret) {
		t.Errorf("zeros: %v", err)
	}
}

func TestLess(t *testing.T) {
	a, b := PublicKey{[32]byte{1, 255}}, PublicKey{[32]byte{2}}
	if !a.Less(b) || b.Less(a) || a.Less(a) {
		t.Error("not the order of the bytes")
	}
}

func TestPublicKeyText(t *testing.T) {
	k := key(t, 1).Public()
	b, err := json.Marshal(map[PublicKey]PublicKey{k: k})
	if err != nil {
		t.Fatal(err)
	}
	var got map[PublicKey]PublicKey
	if err := json.Unmarshal(b, &got); err != nil || got[k] != k {
		t.Errorf("%s: %v", b, err)
	}
}

func FuzzPublicKey(f *testing.F) {
	f.Add(key(f, 1).Public().Bytes())
	f.Add(make([]byte, 32))
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k PublicKey
		if err := scale.Unmarshal(b, &k); err != nil {
			if !k.IsZero() && !errors.Is(err, scale.ErrTrailing) {
				t.Fatal("a refused key was left")
			}
			return
		}
		if again := scale.MustMarshal(&k); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func BenchmarkShared(b *testing.B) {
	own, peer := key(b, 1), key(b, 2).Public()
	for b.Loop() {
		if _, err := own.Shared(peer); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFromIdentity: what is encrypted to an identity's public key, its private key opens.
func TestFromIdentity(t *testing.T) {
	identity, err := sr25519.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := FromIdentity(identity)
	if err != nil || own.Public().Array() != identity.Public().Array() {
		t.Fatalf("%v, %v", own.Public(), err)
	}
	sender, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, err := own.Shared(sender.Public())
	b, err2 := sender.Shared(own.Public())
	if err != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("%x and %x, %v, %v", a, b, err, err2)
	}
	identity.Zero()
	if _, err := FromIdentity(identity); !errors.Is(err, ErrErased) {
		t.Errorf("of an erased identity: %v", err)
	}
}
