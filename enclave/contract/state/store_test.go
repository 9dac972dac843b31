package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// put appends one batch with one entry and returns its count.
func put(t testing.TB, s *Store, key, value string) uint64 {
	t.Helper()
	o := NewOverlay(s.View())
	if err := o.Set(contractOf(1), []byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
	count := s.View().Count() + 1
	if err := s.Append(count, o.WriteSet(), []byte(key)); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestFileIsRenewedBeforeItsCounterEnds(t *testing.T) {
	d := newDisk()
	opts := testOptions(d)
	opts.frames = 4
	s, err := Open(context.Background(), "d", testRand(1), opts)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[[32]byte]bool{}
	for i := range 20 {
		if s.log.number >= opts.frames {
			t.Fatalf("file has %d frames", s.log.number)
		}
		ids[s.log.cipher.head.id] = true
		put(t, s, fmt.Sprint(i), "v")
	}
	if len(ids) < 5 {
		t.Fatalf("%d files for 20 batches", len(ids))
	}
}

func TestRandomnessIsNeeded(t *testing.T) {
	d := newDisk()
	if _, err := Open(context.Background(), "d", strings.NewReader("short"), testOptions(d)); err == nil {
		t.Fatal("opens without randomness")
	}
}

func TestDiskShowsNoPlaintext(t *testing.T) {
	d := fourBatches(t)
	contract := contractOf(1)
	control := false
	for name, n := range d.names {
		for _, plain := range []string{"secret value", "vvvvvvvv", string(contract[:])} {
			if bytes.Contains(n.data, []byte(plain)) {
				t.Errorf("%s shows %q", name, plain)
			}
		}
		if len(n.data)%sector != 0 {
			t.Errorf("%s tells sizes to the byte", name)
		}
		control = control || bytes.Contains(n.data, []byte(magic))
	}
	if !control {
		t.Fatal("the search finds nothing at all")
	}
}

func TestAppendRefusesWithoutHarm(t *testing.T) {
	s := mustOpen(t, newDisk(), 1)
	stale := NewOverlay(s.View())
	if err := stale.Set(contractOf(1), []byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "b")
	if err := s.Append(2, stale.WriteSet(), nil); !errors.Is(err, ErrStale) {
		t.Errorf("stale: %v", err)
	}
	if err := s.Append(1, WriteSet{}, nil); !errors.Is(err, ErrCount) {
		t.Errorf("count repeats: %v", err)
	}
	if err := s.Append(2, WriteSet{}, make([]byte, MaxMeta+1)); !errors.Is(err, ErrBound) {
		t.Errorf("meta: %v", err)
	}
	o := NewOverlay(s.View())
	value := make([]byte, 1<<20)
	for i := range 65 {
		if err := o.Set(contractOf(1), []byte{byte(i)}, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append(2, o.WriteSet(), nil); !errors.Is(err, ErrBound) {
		t.Errorf("batch: %v", err)
	}
	put(t, s, "c", "d")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(9, WriteSet{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close twice: %v", err)
	}
}

func TestRootEpochSurvives(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, 1)
	put(t, s, "a", "b")
	r, err := s.BeginRehash(2)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "c", "d")
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendRehashed(9, WriteSet{}, nil, r); err != nil {
		t.Fatal(err)
	}
	root := s.View().Root()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, d, 2)
	if s.View().RootEpoch() != 2 || s.View().Root() != root || s.View().Count() != 9 {
		t.Fatalf("epoch %d, count %d", s.View().RootEpoch(), s.View().Count())
	}
	if _, err := s.BeginRehash(7); !errors.Is(err, ErrKey) {
		t.Fatalf("rehash to a key not held: %v", err)
	}
	if err := s.AppendRehashed(10, WriteSet{}, nil, nil); !errors.Is(err, ErrStale) {
		t.Fatalf("no rehash: %v", err)
	}
}

func TestRekeyLeavesNothingUnderTheOldKey(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, 1)
	put(t, s, "a", "b")
	if err := s.Rekey(7); !errors.Is(err, ErrKey) {
		t.Fatalf("key not held: %v", err)
	}
	if err := s.Rekey(2); err != nil {
		t.Fatal(err)
	}
	put(t, s, "c", "d")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opts := testOptions(d)
	opts.Epoch = 2
	opts.StateKeys = func(epoch uint32) ([]byte, bool) { return testKey(0x12), epoch == 2 }
	s, err := Open(context.Background(), "d", testRand(2), opts)
	if err != nil {
		t.Fatal(err)
	}
	if s.View().Count() != 2 {
		t.Fatalf("count %d", s.View().Count())
	}
}

func TestReplace(t *testing.T) {
	total := 0
	for at := 0; at <= total; at++ { // 0 counts the steps, the others crash at each
		d := newDisk()
		s := mustOpen(t, d, 1)
		put(t, s, "a", "b")
		d.steps, d.faultAt = 0, at
		imported := bulky(t)
		root := imported.View().Root()
		err := s.Replace(imported, []byte("imported"))
		if at == 0 {
			if err != nil {
				t.Fatal(err)
			}
			total = d.steps
			put(t, s, "next", "x")
			if err := s.Replace(manyEntries(t, 1), nil); !errors.Is(err, ErrCount) {
				t.Fatalf("replace by an older state: %v", err)
			}
			if got := countOf(t, d); got != 43 {
				t.Fatalf("count %d", got)
			}
			continue
		}
		if !errors.Is(err, errPower) || s.View().Count() != 1 {
			t.Fatalf("step %d: %v, memory at %d", at, err, s.View().Count())
		}
		s = mustOpen(t, d.afterCrash(rand.New(rand.NewPCG(uint64(at), 1))), 2)
		switch s.View().Count() {
		case 1:
		case 42:
			if s.View().Root() != root || string(s.Meta()) != "imported" {
				t.Fatalf("step %d: imported state is not whole", at)
			}
		default:
			t.Fatalf("step %d: count %d", at, s.View().Count())
		}
	}
	if total < 8 {
		t.Fatalf("%d steps", total)
	}
}

// Compaction beside appends and readers, on a real directory.
func TestConcurrentCompaction(t *testing.T) {
	dir := t.TempDir()
	opts := testOptions(OS{})
	opts.inline, opts.Floor = false, 8000
	s, err := Open(context.Background(), dir, testRand(1), opts)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				v := s.View()
				if n := uint64(v.Len()); n != v.Count() {
					t.Errorf("view at %d has %d entries", v.Count(), n)
					return
				}
			}
		}
	})
	for i := range 150 {
		put(t, s, fmt.Sprint(i), strings.Repeat("v", 400))
		if i%40 == 0 {
			if err := s.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	wg.Wait()
	root := s.View().Root()
	if s.gen < 4 {
		t.Errorf("generation %d: no compaction by itself", s.gen)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := OS{}.ReadDir(dir)
	if err != nil || len(found) != 2 {
		t.Fatalf("files left: %v, %v", found, err)
	}
	s, err = Open(context.Background(), dir, testRand(2), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.View().Root() != root || s.View().Count() != 150 {
		t.Fatal("recovered another state")
	}
}

func TestOSFiles(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	for range 2 {
		if err := (OS{}).MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	f, err := OS{}.Create(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := (OS{}).Create(dir + "/a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a file: %v", err)
	}
	if _, _, err := (OS{}).Open(dir + "/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open what is not there: %v", err)
	}
}
