package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fourBatches returns a closed disk with a snapshot of two entries and a log of four batches.
func fourBatches(t testing.TB) *disk {
	t.Helper()
	d := newDisk()
	s := mustOpen(t, d, 1)
	put(t, s, "x", "secret value one")
	put(t, s, "y", "secret value two")
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		put(t, s, fmt.Sprintf("k%d", i), strings.Repeat("v", 300*i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

func names(d *disk) (snapshot, log string) {
	for name := range d.names {
		if strings.HasPrefix(name, logPrefix) {
			log = name
		} else {
			snapshot = name
		}
	}
	return snapshot, log
}

// refuses fails unless opening gives the error and leaves the disk as it is.
func refuses(t testing.TB, what string, d *disk, opts Options, want ...error) {
	t.Helper()
	before := d.clone()
	opts.FS = d
	_, err := Open(context.Background(), "d", testRand(99), opts)
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		t.Fatalf("%s: %v, want one of %v", what, err, want)
	}
	if !d.equal(before) {
		t.Fatalf("%s: the disk was changed", what)
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Fatalf("%s: error tells content: %v", what, err)
	}
}

func countOf(t testing.TB, d *disk) uint64 {
	t.Helper()
	s := mustOpen(t, d, 50)
	defer s.Close()
	return s.View().Count()
}

func TestEveryBitOnDiskIsGuarded(t *testing.T) {
	good := fourBatches(t)
	if countOf(t, good.clone()) != 6 {
		t.Fatal("control does not open")
	}
	for name, n := range good.names {
		for off := range n.data {
			d := good.clone()
			d.names[name].data[off] ^= 1 << (off % 8)
			refuses(t, fmt.Sprintf("%s byte %d", name, off), d, testOptions(nil), ErrDamaged, ErrForeign, ErrVersion, ErrKey)
		}
	}
}

func TestTruncation(t *testing.T) {
	good := fourBatches(t)
	snapshot, log := names(good)
	ends := frameEnds(good.names[log].data)
	for size := 0; size < len(good.names[log].data); size += 13 {
		d := good.clone()
		d.names[log].data = d.names[log].data[:size]
		if size < ends[0] {
			refuses(t, fmt.Sprintf("log of %d bytes", size), d, testOptions(nil), ErrDamaged)
			continue
		}
		want := uint64(2)
		for _, end := range ends[1:] {
			if size >= end {
				want++
			}
		}
		if got := countOf(t, d); got != want {
			t.Fatalf("log of %d bytes: count %d, want %d", size, got, want)
		}
	}
	for size := 0; size < len(good.names[snapshot].data); size += 13 {
		d := good.clone()
		d.names[snapshot].data = d.names[snapshot].data[:size]
		refuses(t, fmt.Sprintf("snapshot of %d bytes", size), d, testOptions(nil), ErrDamaged)
	}
}

// frameEnds returns where the frames of a file end.
func frameEnds(b []byte) []int {
	var ends []int
	for off := sector; off < len(b); {
		n, _ := frameSize(b[off:])
		off += n
		ends = append(ends, off)
	}
	return ends
}

// A sector of zeros is what a crash leaves in the last frame, and damage anywhere else.
func TestZeroedSectors(t *testing.T) {
	good := fourBatches(t)
	for name, n := range good.names {
		ends := frameEnds(n.data)
		last := ends[len(ends)-2]
		for off := 0; off < len(n.data); off += sector {
			d := good.clone()
			clear(d.names[name].data[off : off+sector])
			if strings.HasPrefix(name, logPrefix) && off >= last {
				more := d.clone()
				more.names[name].data = append(more.names[name].data, bytes.Repeat([]byte("junk"), 128)...)
				if got := countOf(t, d); got != 5 {
					t.Fatalf("torn last frame: count %d", got)
				}
				if off > last { // its length is still there, and tells that no append wrote what follows
					refuses(t, "torn frame and more", more, testOptions(nil), ErrDamaged)
				}
				continue
			}
			refuses(t, fmt.Sprintf("%s sector %d", name, off/sector), d, testOptions(nil), ErrDamaged)
		}
	}
}

func TestFramesMoved(t *testing.T) {
	good := fourBatches(t)
	_, log := names(good)
	b := good.names[log].data
	e := frameEnds(b)
	frame := func(i int) []byte { return b[e[i-1]:e[i]] }
	for what, data := range map[string][]byte{
		"missing":    slices.Concat(b[:e[0]], frame(2), frame(3), frame(4)),
		"swapped":    slices.Concat(b[:e[0]], frame(2), frame(1), frame(3), frame(4)),
		"duplicated": slices.Concat(b[:e[1]], b[e[0]:]),
		"repeated":   slices.Concat(b, frame(4)),
		"base again": slices.Concat(b, b[sector:e[0]]),
		"junk":       slices.Concat(b, bytes.Repeat([]byte("junk"), 128)),
	} {
		d := good.clone()
		d.names[log].data = data
		refuses(t, what, d, testOptions(nil), ErrDamaged)
	}
}

func TestFilesMoved(t *testing.T) {
	good := fourBatches(t)
	snapshot, log := names(good)
	other := newDisk()
	s := mustOpen(t, other, 77)
	put(t, s, "other", "history")
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	put(t, s, "other2", "history")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := func(name string) string { return name[:len(name)-1] + string(name[len(name)-1]+1) }
	for what, change := range map[string]func(d *disk){
		"swapped":             func(d *disk) { d.names[snapshot], d.names[log] = d.names[log], d.names[snapshot] },
		"log twice":           func(d *disk) { d.names[next(log)] = d.names[log] },
		"snapshot twice":      func(d *disk) { d.names[next(snapshot)] = d.names[snapshot] },
		"no snapshot":         func(d *disk) { delete(d.names, snapshot) },
		"log of a later gen":  func(d *disk) { d.names[next(log)] = d.names[log]; delete(d.names, log) },
		"log of other past":   func(d *disk) { d.names[log] = other.names[log] },
		"state of other past": func(d *disk) { d.names[snapshot] = other.names[snapshot] },
	} {
		d := good.clone()
		change(d)
		refuses(t, what, d, testOptions(nil), ErrDamaged)
	}
	if len(other.names) != 2 || other.names[log] == nil || other.names[snapshot] == nil {
		t.Fatal("the other past has files of other names: the cases prove nothing")
	}
}

// chain returns a disk on which a crash kept the snapshot between two logs from being, and the same life's disk where
// it is.
func chain(t testing.TB, seed uint64) (crashed, whole *disk) {
	t.Helper()
	d := newDisk()
	s := mustOpen(t, d, 1) // the same first files in every life
	put(t, s, "a", "1")
	put(t, s, "b", strings.Repeat("2", 700))
	crashed = d.clone()
	s.rand = testRand(seed)
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	put(t, s, "c", "3")
	put(t, s, "d", strings.Repeat("4", 700))
	_, log := names(d)
	crashed.names[log] = d.clone().names[log]
	return crashed, d
}

func TestLogsInARow(t *testing.T) {
	crashed, whole := chain(t, 5)
	other, _ := chain(t, 6)
	first, second := fileName(kindLog, 1), fileName(kindLog, 2)
	if len(crashed.names) != 3 || crashed.names[first] == nil || crashed.names[second] == nil {
		t.Fatal("not the disk that this test is about")
	}
	if a, b := countOf(t, crashed.clone()), countOf(t, whole.clone()); a != 4 || b != 4 {
		t.Fatalf("counts %d and %d, want 4", a, b)
	}
	ends := frameEnds(crashed.names[first].data)
	secondEnds := frameEnds(crashed.names[second].data)
	for what, change := range map[string]func(d *disk){
		"first log missing":       func(d *disk) { delete(d.names, first) },
		"first log a frame short": func(d *disk) { d.names[first].data = d.names[first].data[:ends[1]] },
		"first log torn":          func(d *disk) { d.names[first].data = d.names[first].data[:ends[2]-sector] },
		"first log with a hole":   func(d *disk) { clear(d.names[first].data[ends[2]-sector:]) },
		"first log and half a frame": func(d *disk) {
			d.names[first].data = append(d.names[first].data, d.names[first].data[ends[0]:ends[1]-1]...)
		},
		"first log a frame short before an empty one": func(d *disk) {
			d.names[first].data = d.names[first].data[:ends[1]]
			d.names[second].data = d.names[second].data[:secondEnds[0]]
		},
	} {
		d := crashed.clone()
		change(d)
		refuses(t, what, d, testOptions(nil), ErrDamaged)
	}
	d := crashed.clone()
	d.names[second].data = d.names[second].data[:secondEnds[2]-sector]
	if got := countOf(t, d); got != 3 {
		t.Fatalf("torn second log: count %d", got)
	}
	// Two lives that share their past may only differ in file ids; a log of one still follows none of the other.
	d = crashed.clone()
	d.names[second] = other.names[second]
	if got := countOf(t, d); got != 4 {
		t.Fatalf("second log of a twin: count %d", got)
	}
	twin := newDisk()
	s := mustOpen(t, twin, 3) // other first files with the same content
	put(t, s, "a", "1")
	put(t, s, "b", strings.Repeat("2", 700))
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	d = crashed.clone()
	d.names[second] = twin.names[second]
	refuses(t, "second log after another first", d, testOptions(nil), ErrDamaged)
}

func TestForeignFiles(t *testing.T) {
	good := fourBatches(t)
	opts := testOptions(nil)
	opts.Cluster = [32]byte{'o'}
	refuses(t, "another cluster", good.clone(), opts, ErrForeign)

	opts = testOptions(nil)
	opts.StateKeys = testRing(0x40)
	refuses(t, "another key", good.clone(), opts, ErrKey)

	opts.StateKeys = func(epoch uint32) ([]byte, bool) { return testKey(9), epoch == 2 }
	refuses(t, "epoch not held", good.clone(), opts, ErrKey)

	opts = testOptions(nil)
	opts.RootKeys = testRing(0x20)
	refuses(t, "another root key", good.clone(), opts, ErrDamaged)

	opts.RootKeys = nil
	refuses(t, "no root keys", good.clone(), opts, ErrKey)

	d := good.clone()
	snapshot, _ := names(d)
	d.names[snapshot].data[len(magic)] = 2
	refuses(t, "a later version", d, testOptions(nil), ErrVersion)

	// An older file that is not needed any more is removed only if it is ours.
	opts = testOptions(nil)
	opts.Cluster = [32]byte{'o'}
	foreign := newDisk()
	opts.FS = foreign
	s, err := Open(context.Background(), "d", testRand(3), opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	old, _ := names(foreign)
	d = good.clone()
	d.names[old] = foreign.names[old]
	refuses(t, "an older file of another cluster", d, testOptions(nil), ErrForeign)
}

// A host that brings back an older disk is seen by the count, and never makes a key and IV meet twice.
func TestRollback(t *testing.T) {
	ids := map[[32]byte]string{}
	collect := func(d *disk) {
		for name, n := range d.names {
			h, err := decodeHeader(n.data[:sector])
			if err != nil {
				t.Fatal(err)
			}
			content := name + string(n.data[:sector+framePrefix+64])
			if seen, ok := ids[h.id]; ok && seen != content {
				t.Fatalf("id of %s is used twice", name)
			}
			ids[h.id] = content
		}
	}
	old := fourBatches(t)
	for branch := range uint64(3) {
		d := old.clone()
		s := mustOpen(t, d, 100+branch)
		if s.View().Count() != 6 {
			t.Fatalf("count %d", s.View().Count())
		}
		put(t, s, "branch", fmt.Sprint(branch))
		collect(d)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := countOf(t, d); got != 7 {
			t.Fatalf("count %d", got)
		}
	}
	if len(ids) != 6 {
		t.Fatalf("%d file ids, want 6", len(ids))
	}
}

func FuzzOpenLog(f *testing.F) {
	good := fourBatches(f)
	_, log := names(good)
	f.Add(good.names[log].data)
	f.Add(good.names[log].data[:sector])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := good.clone()
		d.names[log].data = b
		s, err := Open(context.Background(), "d", testRand(5), testOptions(d))
		if err != nil {
			return
		}
		defer s.Close()
		if c := s.View().Count(); c < 2 || c > 6 || !bytes.HasPrefix(b, good.names[log].data[:sector]) {
			t.Fatalf("forged log gives count %d", c)
		}
	})
}
