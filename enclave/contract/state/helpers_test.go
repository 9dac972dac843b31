package state

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, keySize) }

// testRing holds epochs 1 to 3, each with a key of its own.
func testRing(kind byte) KeyRing {
	return func(epoch uint32) ([]byte, bool) { return testKey(kind + byte(epoch)), epoch >= 1 && epoch <= 3 }
}

// testRand is a deterministic source of file ids; seed it differently for each start.
func testRand(seed uint64) io.Reader {
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	return rand.NewChaCha8(key)
}

func testOptions(fs FS) Options {
	return Options{
		Cluster: [32]byte{'c'}, StateKeys: testRing(0x10), RootKeys: testRing(0x80), Epoch: 1, RootEpoch: 1,
		FS: fs, inline: true,
	}
}

func mustOpen(t testing.TB, fs FS, seed uint64) *Store {
	t.Helper()
	s, err := Open(context.Background(), "d", testRand(seed), testOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// model is the plain content that trees are compared with.
type model map[string]string

func (m model) clone() model { return maps.Clone(m) }

func contractOf(b byte) [32]byte { return [32]byte{b} }

// step makes some random changes to overlay and model alike.
func step(t testing.TB, r *rand.Rand, o *Overlay, m model, big int) {
	t.Helper()
	for range 1 + r.IntN(4) {
		c, key := contractOf(byte(r.IntN(3))), []byte(fmt.Sprintf("k%d", r.IntN(30)))
		if r.IntN(4) == 0 {
			if err := o.Delete(c, key); err != nil {
				t.Fatal(err)
			}
			delete(m, pathOf(c, key))
			continue
		}
		value := make([]byte, r.IntN(big))
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		if err := o.Set(c, key, value); err != nil {
			t.Fatal(err)
		}
		m[pathOf(c, key)] = string(value)
	}
}

// scratch hashes a model from nothing, by the definition and one lane at a time.
func (m model) scratch(epoch uint32) *Tree {
	t, err := NewTree(epoch, testKey(0x80+byte(epoch)), Limits{})
	if err != nil {
		panic(err)
	}
	o := NewOverlay(t.View())
	for _, path := range slices.Sorted(maps.Keys(m)) {
		if err := o.Set([32]byte([]byte(path[:32])), []byte(path[32:]), []byte(m[path])); err != nil {
			panic(err)
		}
	}
	if err := t.Apply(1, o.WriteSet()); err != nil {
		panic(err)
	}
	return t
}

// sameAs fails unless the view's content, size and root are the model's.
func sameAs(t testing.TB, v *View, m model) {
	t.Helper()
	if v.Len() != len(m) {
		t.Fatalf("%d entries, want %d", v.Len(), len(m))
	}
	var size int64
	v.m.Scan(func(path, value string) bool {
		if want, ok := m[path]; !ok || want != value {
			t.Fatalf("entry %x differs", path)
		}
		size += entrySize(path, value)
		return true
	})
	if v.Size() != size {
		t.Fatalf("size %d, want %d", v.Size(), size)
	}
	if want := m.scratch(v.RootEpoch()).View().Root(); v.Root() != want {
		t.Fatalf("root %x, want %x", v.Root(), want)
	}
}
