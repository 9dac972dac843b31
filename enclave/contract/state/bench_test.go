package state

import (
	"context"
	"fmt"
	"testing"
)

func benchStore(b *testing.B) (*Store, string, Options) {
	b.Helper()
	dir := b.TempDir()
	opts := testOptions(OS{})
	opts.inline, opts.Floor = false, 1<<40
	s, err := Open(context.Background(), dir, testRand(1), opts)
	if err != nil {
		b.Fatal(err)
	}
	return s, dir, opts
}

func fill(b *testing.B, s *Store, n int) {
	b.Helper()
	const each = 50_000
	for from := 0; from < n; from += each {
		o := NewOverlay(s.View())
		for i := from; i < min(n, from+each); i++ {
			if err := o.Set(contractOf(0), fmt.Appendf(nil, "%08d", i), make([]byte, 64)); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Append(s.View().Count()+1, o.WriteSet(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// One entry of 100,000 is overwritten: overlay, both leaves, copy on write, and the new root.
func BenchmarkSetAndRoot(b *testing.B) {
	tree := manyEntries(b, 100_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o := NewOverlay(tree.View())
		if err := o.Set(contractOf(0), fmt.Appendf(nil, "%08d", i%100_000), fmt.Appendf(nil, "%064d", i)); err != nil {
			b.Fatal(err)
		}
		if err := tree.Apply(uint64(i+2), o.WriteSet()); err != nil {
			b.Fatal(err)
		}
	}
}

// The same, 100 entries in a batch; the figure is for the batch.
func BenchmarkSetAndRoot100(b *testing.B) {
	tree := manyEntries(b, 100_000)
	for i := 0; b.Loop(); i++ {
		o := NewOverlay(tree.View())
		for k := range 100 {
			if err := o.Set(contractOf(0), fmt.Appendf(nil, "%08d", (i*100+k*977)%100_000), fmt.Appendf(nil, "%064d", i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := tree.Apply(uint64(i+2), o.WriteSet()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeaf(b *testing.B) {
	h := newHasher(1, testKey(1))
	var sum lattice
	path := pathOf(contractOf(1), []byte("12345678"))
	b.ReportAllocs()
	for b.Loop() {
		sum.add(h.of(path, "sixty-four bytes of value, more or less, as a balance would have"))
	}
}

func BenchmarkGet1M(b *testing.B) {
	tree := manyEntries(b, 1_000_000)
	v := tree.View()
	keys := make([][]byte, 1<<12)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "%08d", i*7919%1_000_000)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := v.Get(contractOf(0), keys[i%len(keys)]); !ok {
			b.Fatal("entry is missing")
		}
	}
}

func BenchmarkAppendSync(b *testing.B) {
	s, _, _ := benchStore(b)
	for i := 0; b.Loop(); i++ {
		o := NewOverlay(s.View())
		if err := o.Set(contractOf(0), fmt.Appendf(nil, "%08d", i), make([]byte, 64)); err != nil {
			b.Fatal(err)
		}
		if err := s.Append(uint64(i+1), o.WriteSet(), nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// Opening 100,000 entries: read, decrypt, verify whole, and write the new snapshot.
func BenchmarkRecover100k(b *testing.B) {
	s, dir, opts := benchStore(b)
	fill(b, s, 100_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	seed := uint64(2)
	for b.Loop() {
		s, err := Open(context.Background(), dir, testRand(seed), opts)
		if err != nil {
			b.Fatal(err)
		}
		if s.View().Len() != 100_000 {
			b.Fatal("entries are missing")
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		seed++
	}
}

func BenchmarkExport100k(b *testing.B) {
	v := manyEntries(b, 100_000).View()
	for b.Loop() {
		for range Export(v) {
		}
	}
}
