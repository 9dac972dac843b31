package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
)

// run is a scripted life of a store: what was acknowledged, what was tried, and the content at every count.
type run struct {
	models map[uint64]model
	acked  uint64
	tried  uint64
}

func newRun() *run { return &run{models: map[uint64]model{0: {}}} }

// live opens the store on a disk and appends batches until one fails.
func (x *run) live(t testing.TB, d *disk, seed uint64, batches int) error {
	opts := testOptions(d)
	opts.Floor = 3000
	s, err := Open(context.Background(), "d", testRand(seed), opts)
	if err != nil {
		return err
	}
	x.check(t, s)
	r := rand.New(rand.NewPCG(seed, 7))
	for range batches {
		before := s.View()
		count := before.Count()
		m := x.models[count].clone()
		o := NewOverlay(before)
		step(t, r, o, m, 900)
		x.tried = count + 1
		x.models[x.tried] = m
		if err := s.Append(x.tried, o.WriteSet(), fmt.Appendf(nil, "meta %d", x.tried)); err != nil {
			x.checkStuck(t, s, before, err)
			return err
		}
		x.acked = x.tried
	}
	return s.Close()
}

// check fails unless the store stands at what was acknowledged, or at the batch that was in flight, whole.
func (x *run) check(t testing.TB, s *Store) {
	t.Helper()
	v := s.View()
	if v.Count() != x.acked && v.Count() != x.tried {
		t.Fatalf("recovered count %d, acknowledged %d, tried %d", v.Count(), x.acked, x.tried)
	}
	sameAs(t, v, x.models[v.Count()])
	if want := fmt.Sprintf("meta %d", v.Count()); v.Count() > 0 && string(s.Meta()) != want {
		t.Fatalf("meta %q, want %q", s.Meta(), want)
	}
	x.acked, x.tried = v.Count(), v.Count()
}

// checkStuck fails if memory is ahead of what was acknowledged or if a failed store takes more.
func (x *run) checkStuck(t testing.TB, s *Store, before *View, err error) {
	t.Helper()
	if s.View() != before {
		t.Fatalf("memory moved on although the batch failed")
	}
	if again := s.Append(before.Count()+1, WriteSet{}, nil); again == nil || again.Error() != err.Error() {
		t.Fatalf("the error does not stick: %v after %v", again, err)
	}
	if s.Snapshot() == nil {
		t.Fatal("a failed store makes a snapshot")
	}
	if !errors.Is(s.Close(), nil) && !errors.Is(err, errPower) {
		t.Fatal("close fails")
	}
}

func stepsOf(t testing.TB, batches int) int {
	d := newDisk()
	if err := newRun().live(t, d, 1, batches); err != nil {
		t.Fatal(err)
	}
	return d.steps
}

// Power fails at every step of a life with compactions, and again during recovery; the disk afterwards is any that the
// file system allows.
func TestCrashAtEveryStep(t *testing.T) {
	const batches = 14
	total := stepsOf(t, batches)
	if total < 60 {
		t.Fatalf("only %d steps: no compaction was reached", total)
	}
	for at := 1; at <= total; at++ {
		for variant := range uint64(4) {
			r := rand.New(rand.NewPCG(uint64(at), variant))
			x, d := newRun(), newDisk()
			d.faultAt = at
			if err := x.live(t, d, 1, batches); !errors.Is(err, errPower) {
				t.Fatalf("step %d: %v", at, err)
			}
			d = d.afterCrash(r)
			d.faultAt = 1 + r.IntN(14) // most of them within recovery
			if err := x.live(t, d, 2, 3); err != nil && !errors.Is(err, errPower) {
				t.Fatalf("step %d.%d: after a crash: %v", at, variant, err)
			}
			d = d.afterCrash(r)
			for life := range uint64(2) {
				if err := x.live(t, d, 3+life, 2); err != nil {
					t.Fatalf("step %d.%d: life %d: %v", at, variant, life, err)
				}
			}
		}
	}
}

// Every step fails once, or finds the disk full; the process starts again on the same running machine, or after a crash.
func TestFaultAtEveryStep(t *testing.T) {
	const batches = 14
	total := stepsOf(t, batches)
	wants := map[fault]error{faultFull: syscall.ENOSPC, faultShort: io.ErrShortWrite, faultError: syscall.EIO}
	for kind, want := range wants {
		failed := 0
		for at := 1; at <= total; at++ {
			x, d := newRun(), newDisk()
			d.faultAt, d.fault = at, kind
			err := x.live(t, d, 1, batches)
			if err != nil && !errors.Is(err, want) {
				t.Fatalf("fault %d at step %d: %v", kind, at, err)
			}
			if err != nil {
				failed++
			}
			d.faultAt, d.full = 0, false
			lost := d.afterCrash(rand.New(rand.NewPCG(uint64(at), 9)))
			y := &run{models: x.models, acked: x.acked, tried: x.tried}
			for _, again := range []struct {
				x *run
				d *disk
			}{{x, d}, {y, lost}} {
				if err := again.x.live(t, again.d, 2, 2); err != nil {
					t.Fatalf("fault %d at step %d: next start: %v", kind, at, err)
				}
			}
		}
		if failed < total/4 {
			t.Errorf("fault %d: %d of %d steps failed", kind, failed, total)
		}
	}
}
