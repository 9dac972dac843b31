package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"
)

// TestLocalKey: it is the enclave's own, for one use on one chain, and the same after a restart.
func TestLocalKey(t *testing.T) {
	dir := t.TempDir()
	sealer := machine(t, t.TempDir(), "release 1")
	start := func(dir string) *Keyring {
		t.Helper()
		k, err := Open(ctx, dir, sealer, uidOne, testKind, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	derive := func(k *Keyring, kind string) []byte {
		t.Helper()
		key, err := k.LocalKey(kind)
		if err != nil || len(key) != 32 {
			t.Fatalf("%d bytes, %v", len(key), err)
		}
		return key
	}
	k := start(dir)
	key := derive(k, "one")
	if bytes.Equal(key, derive(k, "two")) {
		t.Error("two uses have one key")
	}
	if _, err := k.LocalKey("One"); !errors.Is(err, ErrKind) {
		t.Error(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := k.LocalKey("one"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	k = start(dir)
	defer k.Close()
	if !bytes.Equal(key, derive(k, "one")) {
		t.Error("another key after a restart")
	}
	other := start(t.TempDir())
	defer other.Close()
	if bytes.Equal(key, derive(other, "one")) {
		t.Error("two enclaves have one key")
	}
	k.binding.uid = uidTwo
	if bytes.Equal(key, derive(k, "one")) {
		t.Error("two chains have one key")
	}
}

// TestExtract: it is the standard's step, whatever it does with its buffers.
func TestExtract(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, secretSize)
	if got, want := extract(secret), must(hkdf.Extract(sha256.New, secret, nil))(t); !bytes.Equal(got, want) {
		t.Fatalf("%x, want %x", got, want)
	}
}
