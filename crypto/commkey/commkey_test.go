package commkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/internal/secrettest"
)

func pair(t testing.TB, first byte) *ecdh.PrivateKey {
	t.Helper()
	mini := make([]byte, ecdh.MiniSecretSize)
	mini[0] = first
	k, err := ecdh.FromMiniSecret(mini)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// raw returns the bytes of a key, which no exported method gives.
func raw(k *Key) []byte { return k.s.Get().b[:] }

// TestSLIP10 holds SLIP-0010's official vectors for ed25519.
func TestSLIP10(t *testing.T) {
	b, err := os.ReadFile("../testdata/slip10_ed25519.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Seed  string
			Nodes []struct {
				Path      []uint32
				ChainCode string `json:"chain_code"`
				Key       string
			}
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range file.Vectors {
		seed, err := hex.DecodeString(v.Seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range v.Nodes {
			n := NewNode("ed25519 seed", seed)
			for _, i := range want.Path {
				if n, err = n.Child(i); err != nil {
					t.Fatal(err)
				}
			}
			if got := hex.EncodeToString(n.ExposeKey()); got != want.Key {
				t.Errorf("%v: key %s, want %s", want.Path, got, want.Key)
			}
			if got := hex.EncodeToString(n.ExposeChainCode()); got != want.ChainCode {
				t.Errorf("%v: chain code %s, want %s", want.Path, got, want.ChainCode)
			}
			checked++
		}
	}
	if checked != 12 {
		t.Errorf("%d nodes checked, want 12", checked)
	}
}

// TestFormula computes a CommKey a second time from protocol section 2, step by step.
func TestFormula(t *testing.T) {
	mac := func(key []byte, data ...[]byte) (left, right []byte) {
		h := hmac.New(sha512.New, key)
		h.Write(bytes.Join(data, nil))
		sum := h.Sum(nil)
		return sum[:32], sum[32:]
	}
	a, b := pair(t, 1), pair(t, 2)
	from, to := a, b
	if b.Public().Less(a.Public()) {
		from, to = b, a // the smaller sends: direction 0
	}
	shared, err := from.Shared(to.Public())
	if err != nil {
		t.Fatal(err)
	}
	seed := sha512.Sum512(bytes.Join([][]byte{shared, from.Public().Bytes(), to.Public().Bytes()}, nil))
	for direction, ends := range [][2]*ecdh.PrivateKey{{from, to}, {to, from}} {
		k, c := mac([]byte("phalanx commkey v1"), seed[:])
		for _, index := range [][]byte{{0x80, 0, 0, 3}, {0x80, 0, 0, byte(direction)}, {0x81, 2, 3, 4}} {
			k, c = mac(c, []byte{0}, k, index)
		}
		got, err := Send(ends[0], ends[1].Public(), KeyDistribution, 0x01020304)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw(got), k) {
			t.Errorf("direction %d: not the formula's key", direction)
		}
	}
}

func TestChildRefusesIndex(t *testing.T) {
	for _, i := range []uint32{1 << 31, 1<<32 - 1} {
		if _, err := NewNode(Label, nil).Child(i); !errors.Is(err, ErrIndex) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestBothEndsAgree(t *testing.T) {
	a, b := pair(t, 1), pair(t, 2)
	for p := range Purpose(Purposes) {
		for _, epoch := range []uint32{0, 1, MaxEpoch} {
			for _, ends := range [][2]*ecdh.PrivateKey{{a, b}, {b, a}} {
				sent, err := Send(ends[0], ends[1].Public(), p, epoch)
				if err != nil {
					t.Fatal(err)
				}
				got, err := Receive(ends[1], ends[0].Public(), p, epoch)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(raw(sent), raw(got)) {
					t.Errorf("%v, epoch %d: the ends disagree", p, epoch)
				}
			}
		}
	}
}

// TestKeysNeverShared derives every purpose, direction and some epochs and peers, and finds no key twice.
func TestKeysNeverShared(t *testing.T) {
	keys := []*ecdh.PrivateKey{pair(t, 1), pair(t, 2), pair(t, 3)}
	seen := map[string]bool{}
	want := 0
	for i, own := range keys {
		for j, peer := range keys {
			if i == j {
				continue
			}
			for p := range Purpose(Purposes) {
				for _, epoch := range []uint32{0, 1, 2, 5, 255, 256, MaxEpoch} {
					k, err := Send(own, peer.Public(), p, epoch)
					if err != nil {
						t.Fatal(err)
					}
					seen[string(raw(k))] = true
					want++
				}
			}
		}
	}
	if len(seen) != want {
		t.Errorf("%d different keys of %d", len(seen), want)
	}
}

func TestRefuses(t *testing.T) {
	a, b := pair(t, 1), pair(t, 2)
	type derivation func(*ecdh.PrivateKey, ecdh.PublicKey, Purpose, uint32) (*Key, error)
	for name, f := range map[string]derivation{"Send": Send, "Receive": Receive} {
		for _, c := range []struct {
			what  string
			peer  ecdh.PublicKey
			p     Purpose
			epoch uint32
			want  error
		}{
			{"own key", a.Public(), OnChain, 0, ecdh.ErrSelf},
			{"zero key", ecdh.PublicKey{}, OnChain, 0, ecdh.ErrIdentity},
			{"purpose", b.Public(), Purpose(Purposes), 0, ErrPurpose},
			{"purpose 255", b.Public(), 255, 0, ErrPurpose},
			{"epoch", b.Public(), OnChain, MaxEpoch + 1, ErrIndex},
		} {
			if k, err := f(a, c.peer, c.p, c.epoch); !errors.Is(err, c.want) || k != nil {
				t.Errorf("%s, %s: %v", name, c.what, err)
			}
		}
	}
	a.Zero()
	if _, err := Send(a, b.Public(), OnChain, 0); !errors.Is(err, ecdh.ErrErased) {
		t.Errorf("erased: %v", err)
	}
}

func TestSecretsAreOpaque(t *testing.T) {
	k, err := Send(pair(t, 1), pair(t, 2).Public(), OnChain, 0)
	if err != nil {
		t.Fatal(err)
	}
	secrettest.Check(t, k, raw(k))
	n := NewNode(Label, []byte("seed"))
	secrettest.Check(t, n, append(n.ExposeKey(), n.ExposeChainCode()...))
}

func TestZero(t *testing.T) {
	k, err := Send(pair(t, 1), pair(t, 2).Public(), OnChain, 0)
	if err != nil {
		t.Fatal(err)
	}
	if aead, err := k.AEAD(); err != nil || aead.NonceSize() != 12 || aead.Overhead() != 16 {
		t.Fatalf("not AES-GCM: %v", err)
	}
	k.Zero()
	if _, err := k.AEAD(); !errors.Is(err, ErrErased) {
		t.Errorf("AEAD: %v", err)
	}
	if !bytes.Equal(raw(k), make([]byte, KeySize)) {
		t.Error("the key outlives Zero")
	}
	n := NewNode(Label, []byte("seed"))
	n.Zero()
	if !bytes.Equal(n.ExposeKey(), make([]byte, 32)) || !bytes.Equal(n.ExposeChainCode(), make([]byte, 32)) {
		t.Error("the node outlives Zero")
	}
}

func TestPurposeString(t *testing.T) {
	names := map[string]bool{}
	for p := range Purpose(Purposes) {
		names[p.String()] = true
	}
	if len(names) != 7 || Purpose(7).String() != "purpose(7)" {
		t.Errorf("%v", names)
	}
}

func BenchmarkSend(b *testing.B) {
	own, peer := pair(b, 1), pair(b, 2).Public()
	for b.Loop() {
		if _, err := Send(own, peer, OnChain, 1); err != nil {
			b.Fatal(err)
		}
	}
}
