package account

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cosmos/cosmos-sdk/types/bech32"
	"github.com/cosmos/go-bip39"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

const (
	abandon  = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	substrat = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
)

// TestVectors checks published vectors: Substrate's development phrase (subkey inspect, sr25519 and ed25519),
// Cosmos's address of the all-zero entropy, and substrate-bip39's list.
func TestVectors(t *testing.T) {
	a, err := FromMnemonic("  " + strings.ReplaceAll(substrat, " ", "\n\t ") + " ")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(a.mini), "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"; got != want {
		t.Errorf("mini-secret %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(a.PublicIdentity().Bytes()), "46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a"; got != want {
		t.Errorf("sr25519 %s, want %s", got, want)
	}
	ed, err := a.Ed25519()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(ed[32:]), "345071da55e5dccefaaa440339415ef9f2663338a38f7da0df21be5ab4e055ef"; got != want {
		t.Errorf("ed25519 %s, want %s", got, want)
	}
	b, err := FromMnemonic(abandon)
	if err != nil {
		t.Fatal(err)
	}
	address := b.Address()
	cosmos, err := bech32.ConvertAndEncode("cosmos", address[:])
	if err != nil || cosmos != "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4" {
		t.Errorf("chain account %s, %v", cosmos, err)
	}
	if back, err := ParseBech32(b.Bech32()); err != nil || back != address || !strings.HasPrefix(b.Bech32(), "phx1") {
		t.Errorf("bech32 %s: %v, %v", b.Bech32(), back, err)
	}
	mini, err := miniSecret(make([]byte, 16), "Substrate")
	if err != nil || hex.EncodeToString(mini) != "44e9d125f037ac1d51f0a7d3649689d422c2af8b1ec8e00d71db4d7bf6d127e3" {
		t.Errorf("substrate-bip39: %x, %v", mini, err)
	}
}

func TestEntropyOfEveryLength(t *testing.T) {
	for size := 16; size <= 32; size += 4 {
		entropy := make([]byte, size)
		rand.Read(entropy)
		words := newMnemonic(t, entropy)
		got, err := entropyOf(words)
		if err != nil || !bytes.Equal(got, entropy) {
			t.Errorf("%d bytes: %x, %v", size, got, err)
		}
	}
}

func TestBadMnemonics(t *testing.T) {
	for name, words := range map[string]string{
		"empty":    "",
		"checksum": strings.Replace(abandon, "about", "abandon", 1),
		"word":     strings.Replace(abandon, "about", "phalanx", 1),
		"short":    strings.Replace(abandon, " about", "", 1),
		"long":     strings.Repeat("abandon ", 100),
	} {
		a, err := FromMnemonic(words)
		if !errors.Is(err, ErrMnemonic) || a != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "phalanx") {
			t.Errorf("%s: the error repeats a word", name)
		}
	}
}

func TestSignatures(t *testing.T) {
	a := generate(t)
	text := []byte("text")
	sig, err := a.SignIdentity(text)
	if err != nil || sr25519.Verify(a.PublicIdentity(), text, sig) != nil {
		t.Fatalf("identity: %v", err)
	}
	tx, err := a.SignChain(text)
	if err != nil || !a.PublicKey().VerifySignature(text, tx) || a.PublicKey().VerifySignature([]byte("other"), tx) {
		t.Fatalf("chain account: %v", err)
	}
	a.Zero()
	if _, err := a.SignChain(text); !errors.Is(err, ErrErased) {
		t.Errorf("chain account after Zero: %v", err)
	}
	if _, err := a.SignIdentity(text); err == nil {
		t.Error("the identity signs after Zero")
	}
	if _, err := a.Ed25519(); !errors.Is(err, ErrErased) {
		t.Errorf("ed25519 after Zero: %v", err)
	}
}

// TestNothingPrints shows every way in which an account could be printed by mistake.
func TestNothingPrints(t *testing.T) {
	a := generate(t)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb, a)
		fmt.Fprintf(&out, verb, struct{ A *Account }{a})
	}
	if _, err := json.Marshal(a); !errors.Is(err, ErrSecret) {
		t.Errorf("JSON: %v", err)
	}
	for _, secret := range []string{string(a.mnemonic), hex.EncodeToString(a.chain), hex.EncodeToString(a.mini)} {
		if strings.Contains(strings.ToLower(out.String()), secret) {
			t.Error("a secret was printed")
		}
	}
}

func TestStore(t *testing.T) {
	home := t.TempDir()
	s := Open(home)
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Fatalf("empty store: %v, %v", list, err)
	}
	if _, err := s.Get("alice", nil); !errors.Is(err, ErrUnknown) {
		t.Fatalf("unknown: %v", err)
	}
	a, b := generate(t), generate(t)
	pass := []byte("correct horse")
	put(t, s, "alice", a, nil)
	put(t, s, "bob", b, pass)
	if err := s.Put("alice", b, nil, rand.Reader); !errors.Is(err, ErrExists) {
		t.Errorf("overwritten: %v", err)
	}
	list, err := s.List()
	if err != nil || len(list) != 2 || list[0].Protected || !list[1].Protected || list[1].Address != b.Bech32() {
		t.Fatalf("list: %+v, %v", list, err)
	}
	if got, err := s.Get("alice", nil); err != nil || got.Address() != a.Address() {
		t.Errorf("alice: %v", err)
	}
	if got, err := s.Get("bob", pass); err != nil || got.ExposeMnemonic() != b.ExposeMnemonic() {
		t.Errorf("bob: %v", err)
	}
	if _, err := s.Get("bob", nil); !errors.Is(err, ErrPassphraseNeeded) {
		t.Errorf("bob without passphrase: %v", err)
	}
	if _, err := s.Get("bob", []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("bob with a wrong passphrase: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(s.Dir(), "bob.json"))
	if err != nil || bytes.Contains(raw, []byte(strings.Fields(b.ExposeMnemonic())[0]+" ")) {
		t.Errorf("protected file: %v", err)
	}
	for _, name := range []string{"alice.json", "bob.json"} {
		info, err := os.Stat(filepath.Join(s.Dir(), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := s.Remove("alice"); err != nil {
		t.Error(err)
	}
	if err := s.Remove("alice"); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed twice: %v", err)
	}
	left, err := os.ReadDir(s.Dir())
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", "-a", "a b", "ä", strings.Repeat("a", 65), "a\x00"} {
		if err := Open(t.TempDir()).Put(name, generate(t), nil, rand.Reader); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestChangedFiles changes every field of a protected file: each change must be an error, never another account.
func TestChangedFiles(t *testing.T) {
	s := Open(t.TempDir())
	pass := []byte("p")
	put(t, s, "carol", generate(t), pass)
	path := filepath.Join(s.Dir(), "carol.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := generate(t)
	for name, change := range map[string]func(*keyFile){
		"version":    func(k *keyFile) { k.Version = 2 },
		"name":       func(k *keyFile) { k.Name = "alice" },
		"address":    func(k *keyFile) { k.Address = other.Bech32() },
		"identity":   func(k *keyFile) { k.Identity = other.PublicIdentity().String() },
		"protection": func(k *keyFile) { k.Protection = "none" },
		"downgrade":  func(k *keyFile) { k.Protection, k.Mnemonic = protectionNone, other.ExposeMnemonic() },
		"cost":       func(k *keyFile) { k.N = 1 << 30 },
		"weak cost":  func(k *keyFile) { k.N = 2 },
		"salt":       func(k *keyFile) { k.Salt[0]++ },
		"nonce":      func(k *keyFile) { k.Nonce[0]++ },
		"short salt": func(k *keyFile) { k.Salt = k.Salt[:3] },
		"text":       func(k *keyFile) { k.Ciphertext[0]++ },
		"truncated":  func(k *keyFile) { k.Ciphertext = k.Ciphertext[:5] },
	} {
		var k keyFile
		if err := json.Unmarshal(raw, &k); err != nil {
			t.Fatal(err)
		}
		change(&k)
		changed, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get("carol", pass); !errors.Is(err, ErrPassphrase) && !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("carol", pass); !errors.Is(err, ErrFile) {
		t.Errorf("oversized: %v", err)
	}
}

func FuzzDecodeFile(f *testing.F) {
	a, err := FromMnemonic(abandon)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := encodeFile("a", a, nil, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := decodeFile(raw)
		if err == nil && k.Protection == protectionNone {
			k.open(nil)
		}
	})
}

func generate(t *testing.T) *Account {
	t.Helper()
	a, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func put(t *testing.T, s *Store, name string, a *Account, pass []byte) {
	t.Helper()
	if err := s.Put(name, a, pass, rand.Reader); err != nil {
		t.Fatal(err)
	}
}

func newMnemonic(t *testing.T, entropy []byte) string {
	t.Helper()
	words, err := bip39.NewMnemonic(entropy)
	if err != nil {
		t.Fatal(err)
	}
	return words
}
