package keys

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

// needle is a secret to search for. It is kept masked, lest the search find the needle itself.
type needle []byte

const mask = 0x5a

func mark(secret []byte) needle {
	for i := range secret {
		secret[i] ^= mask
	}
	return secret
}

func (n needle) in(hay []byte) bool {
	first := n[0] ^ mask
	for {
		at := bytes.IndexByte(hay, first)
		if at < 0 || len(hay)-at < len(n) {
			return false
		}
		same := true
		for j, b := range n {
			same = same && hay[at+j]^mask == b
		}
		if same {
			return true
		}
		hay = hay[at+1:]
	}
}

// inFile reports whether the secret stands in the file or in its unsealed plaintext.
func (n needle) inFile(t *testing.T, d *memDisk, b binding) bool {
	t.Helper()
	file := must(d.Read(FileName, maxFile))(t)
	body := must(parseFile(file))(t)
	plaintext := must(b.sealer.Unseal(ctx, body.Sealed, b.associated()))(t)
	defer clear(plaintext)
	return n.in(plaintext) || n.in(file)
}

// inMemory reports whether the secret stands anywhere in this process's writable memory: live or garbage, heap or stack.
func (n needle) inMemory(t *testing.T) bool {
	t.Helper()
	runtime.GC()
	maps, err := os.ReadFile("/proc/self/maps")
	if errors.Is(err, os.ErrNotExist) {
		needs(t, "Linux's /proc/self, to read the process's memory")
	}
	check(t, err)
	mem := must(os.Open("/proc/self/mem"))(t)
	defer mem.Close()
	buf := make([]byte, 1<<20)
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to uint64
		var perms string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &perms); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(perms, "rw") && n.inRange(mem, int64(from), int64(to), buf) {
			return true
		}
	}
	return false
}

// inRange searches one mapping in overlapping pieces. The buffer is cleared after each, so that it does not become a
// find itself.
func (n needle) inRange(mem io.ReaderAt, from, to int64, buf []byte) bool {
	step := int64(len(buf) - len(n))
	for ; from < to; from += step {
		got, err := mem.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		found := n.in(buf[:got])
		clear(buf)
		if found || (err != nil && got == 0) { // a mapping that went away since it was listed
			return found
		}
	}
	return false
}

// TestErasure rotates a key out and looks for its secret in all of the process's memory, in the file and in the file's
// plaintext.
func TestErasure(t *testing.T) {
	b, d := testBinding(t), newMemDisk()
	k := openOn(t, d, b)
	old := k.state.current.key
	secret := mark(old.ExposeMiniSecret())
	rotate(t, k, 10)
	if !secret.inMemory(t) || !secret.inFile(t, d, b) {
		t.Fatal("control: the key in its grace period is not found")
	}
	check(t, k.Expire(ctx, 11))
	if secret.inFile(t, d, b) {
		t.Fatal("the erased secret is still in the file")
	}
	if old.ExposeMiniSecret() != nil {
		t.Fatal("the key itself was dropped and not erased")
	}
	check(t, k.SaveTrusted(ctx, []byte("later"), 1))
	if secret.inFile(t, d, b) {
		t.Fatal("a later file holds the erased secret")
	}
	again := openOn(t, d.after(false), b)
	if secret.inMemory(t) {
		t.Fatal("the erased secret is still in memory, or came back with a restart")
	}
	runtime.KeepAlive(again)
	runtime.KeepAlive(k)
}

// TestErasureOfTheRest: what else is dropped is erased too, not left to the garbage collector.
func TestErasureOfTheRest(t *testing.T) {
	k, d := full(t)
	dropped, master := k.state.next.key, k.state.master
	secrets := []needle{mark(dropped.ExposeMiniSecret()), mark(master.ExposeBytes())}
	_, _, err := k.ReplaceEcdhKey(ctx, 5)
	check(t, err)
	check(t, k.ReplaceTrustRoot(ctx, nil, 0))
	if dropped.ExposeMiniSecret() != nil || master.ExposeBytes() != nil {
		t.Fatal("a dropped key was not erased")
	}
	for i, secret := range secrets {
		if secret.inMemory(t) || secret.inFile(t, d, k.binding) {
			t.Fatalf("dropped key %d is still there", i)
		}
	}
	held := k.state
	keys := []interface{ ExposeMiniSecret() []byte }{held.identity, held.current.key, held.previous.key, held.next.key}
	check(t, k.Close())
	for _, key := range keys {
		if key.ExposeMiniSecret() != nil {
			t.Fatal("Close left a secret")
		}
	}
	_, signErr := k.Sign("message", nil)
	_, masterErr := k.GenerateMasterKey(ctx)
	_, _, keyErr := k.EcdhKey()
	for _, err := range []error{signErr, masterErr, keyErr} {
		if !errors.Is(err, ErrClosed) {
			t.Fatalf("after Close: %v", err)
		}
	}
}

// needs skips a test that this machine cannot run, by name; under CI=true it fails instead.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}
