package worker

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/wire"
)

// keep makes a store of compiled code under a state key.
func keep(dir string, cluster wire.ClusterID, key []byte) *compiledCode {
	return &compiledCode{
		dir: filepath.Join(dir, "code"), cluster: cluster, rand: rand.Reader,
		key: func() ([]byte, bool) { return bytes.Clone(key), key != nil },
	}
}

// TestCompiledCode: what was saved is found under the same cluster, key and code, and nowhere else.
func TestCompiledCode(t *testing.T) {
	dir, key, machine := t.TempDir(), bytes.Repeat([]byte{7}, 32), []byte("machine code")
	c := keep(dir, wire.ClusterID{1}, key)
	if err := c.Save([32]byte{9}, machine); err != nil {
		t.Fatal(err)
	}
	if got, ok := keep(dir, wire.ClusterID{1}, key).Load([32]byte{9}); !ok || !bytes.Equal(got, machine) {
		t.Fatalf("got %q, %v", got, ok)
	}
	path := c.path(key, [32]byte{9})
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, machine) {
		t.Fatalf("the file shows the code: %v", err)
	}
	if err := c.Save([32]byte{9}, machine); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(path)
	if err != nil || bytes.Equal(again, raw) {
		t.Fatalf("the same key encrypted twice: %v", err)
	}
	others := map[string]*compiledCode{
		"another cluster": keep(dir, wire.ClusterID{2}, key),
		"another key":     keep(dir, wire.ClusterID{1}, bytes.Repeat([]byte{8}, 32)),
		"no key":          keep(dir, wire.ClusterID{1}, nil),
	}
	for name, other := range others {
		if other.key != nil { // the host gives it the file under the name that it looks for
			if k, ok := other.key(); ok {
				write(t, other.path(k, [32]byte{9}), again)
			}
		}
		if _, ok := other.Load([32]byte{9}); ok {
			t.Errorf("%s: found", name)
		}
	}
	write(t, c.path(key, [32]byte{10}), again)
	if _, ok := c.Load([32]byte{10}); ok {
		t.Error("found as other code")
	}
	if keep(dir, wire.ClusterID{1}, nil).Save([32]byte{9}, machine) == nil {
		t.Error("saved without a key")
	}
}

// TestCompiledCodeDamaged changes and cuts each part of a file: none is taken.
func TestCompiledCodeDamaged(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	c := keep(t.TempDir(), wire.ClusterID{1}, key)
	if err := c.Save([32]byte{9}, []byte("machine code")); err != nil {
		t.Fatal(err)
	}
	path := c.path(key, [32]byte{9})
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		write(t, path, bad)
		if _, ok := c.Load([32]byte{9}); ok {
			t.Fatalf("byte %d changed: taken", i)
		}
		write(t, path, raw[:i])
		if _, ok := c.Load([32]byte{9}); ok {
			t.Fatalf("cut at %d: taken", i)
		}
	}
}

// TestCompiledCodeIsBounded: the oldest files go, and what a crash left goes too.
func TestCompiledCodeIsBounded(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	c := keep(t.TempDir(), wire.ClusterID{1}, key)
	if err := c.Save([32]byte{}, []byte("first")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(c.path(key, [32]byte{}), old, old); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(c.dir, "left.compiled.new"), []byte("half"))
	// Sparse files count as what they say they are.
	for i := range byte(5) {
		path := c.path(key, [32]byte{1, i})
		write(t, path, nil)
		if err := os.Truncate(path, maxCompiledBytes/4); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Save([32]byte{2}, []byte("last")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > maxCompiledBytes || len(entries) != 4 {
		t.Fatalf("%d files of %d bytes", len(entries), total)
	}
	if _, ok := c.Load([32]byte{}); ok {
		t.Error("the oldest is still there")
	}
	if _, ok := c.Load([32]byte{2}); !ok {
		t.Error("the newest is gone")
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// local is a keyring of which only the local key is asked for.
type local struct {
	Keys
	key byte
}

func (l local) LocalKey(string) ([]byte, error) { return bytes.Repeat([]byte{l.key}, 32), nil }

// TestCompiledCodeOfAnotherMember: who has broken into one member of a cluster knows the cluster's keys; the host of
// another member must get no machine code of his to run.
func TestCompiledCodeOfAnotherMember(t *testing.T) {
	raw := [32]byte{5}
	member := func(key byte) *compiledCode {
		keys := newClusterKeys()
		if err := keys.add(0, raw); err != nil {
			t.Fatal(err)
		}
		return newCompiledCode(wire.ClusterID{1}, Config{Dir: t.TempDir(), Rand: rand.Reader, Keys: local{key: key}}, keys)
	}
	broken, honest, again := member(1), member(2), member(2)
	if err := broken.Save([32]byte{9}, []byte("foreign")); err != nil {
		t.Fatal(err)
	}
	k, _ := broken.key()
	file, err := os.ReadFile(broken.path(k, [32]byte{9}))
	if err != nil {
		t.Fatal(err)
	}
	if err := honest.Save([32]byte{9}, []byte("own")); err != nil {
		t.Fatal(err)
	}
	own, _ := honest.key()
	write(t, honest.path(own, [32]byte{9}), file)
	if _, ok := honest.Load([32]byte{9}); ok {
		t.Fatal("machine code of another member is taken")
	}
	if err := honest.Save([32]byte{9}, []byte("own")); err != nil {
		t.Fatal(err)
	}
	again.dir = honest.dir
	if got, ok := again.Load([32]byte{9}); !ok || string(got) != "own" {
		t.Fatal("the own code is not found after a restart")
	}
}
