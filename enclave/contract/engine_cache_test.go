package contract

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/crypto/blake2b"

	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// numbered gives contracts that differ in their code and return their number.
func numbered(n byte) []byte {
	return asm.Contract("", func(m *asm.Module) [][]byte {
		ret := returning(m)
		m.Data(0, []byte{n})
		return [][]byte{ret(0, 0, 1)}
	})
}

// TestCache: the least recently used module goes, is found no more, and still runs where it is held.
func TestCache(t *testing.T) {
	limits := DefaultLimits()
	limits.CachedModules = 2
	e := startEngine(t, limits, engines[0].config())
	var held []*Module
	for n := range byte(3) {
		m := prepare(t, e, numbered(n))
		requireEqual(t, "hash", m.CodeHash(), blake2b.Sum256(numbered(n)))
		held = append(held, m)
		if n == 1 { // use 0, so that 1 is the oldest
			requireEqual(t, "same module", prepare(t, e, numbered(0)) == held[0], true)
		}
	}
	for n, want := range []bool{true, false, true} {
		m, ok := e.Cached(held[n].CodeHash())
		if ok != want || (ok && m != held[n]) {
			t.Fatalf("module %d cached: %v", n, ok)
		}
	}
	if held[1].compiled != nil {
		t.Fatal("evicted module keeps its compiled form")
	}
	for n, m := range held {
		out, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage())
		if err != nil || out.Status != Done || out.Output[0] != byte(n) {
			t.Fatalf("module %d: %+v, %v", n, out, err)
		}
	}
	if e.order.Len() != 2 || len(e.entries) != 2 {
		t.Fatalf("%d modules cached", e.order.Len())
	}
}

// TestCacheBytes: the bound on instrumented code holds too, but never keeps out the module in use.
func TestCacheBytes(t *testing.T) {
	limits := DefaultLimits()
	limits.CachedBytes = 1
	e := startEngine(t, limits, engines[0].config())
	for n := range byte(3) {
		requireStatus(t, e, prepare(t, e, numbered(n)), Done)
		if e.order.Len() != 1 {
			t.Fatalf("%d modules cached", e.order.Len())
		}
	}
}

func TestClosed(t *testing.T) {
	e, err := NewEngine(t.Context(), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	m := prepare(t, e, numbered(1))
	for range 2 {
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Prepare(t.Context(), numbered(1)); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if _, err := e.Execute(t.Context(), m, sampleCall(plenty), newStorage()); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// TestPool: idle memory is bounded, and slabs of one size serve another call of that size.
func TestPool(t *testing.T) {
	p := newPool(256, 3<<20)
	grow := func(sizes ...uint64) {
		l := &lease{pool: p, budget: &budget{64 << 20}}
		for _, size := range sizes {
			b := l.Reallocate(size)
			if uint64(len(b)) != size || uint64(cap(b)) != size {
				t.Fatalf("%d bytes of %d, %d wanted", len(b), cap(b), size)
			}
			for i := range b {
				if i >= l.used-1 && b[i] != 0 {
					t.Fatal("memory is not zero")
				}
				b[i] = 0xff
			}
		}
		if l.Reallocate(17<<20) != nil {
			t.Fatal("grew above the limit")
		}
		l.Free()
		l.Free()
	}
	grow(0)
	grow(1<<16, 1<<17, 3<<16)
	made := p.made
	grow(1<<16, 1<<17, 3<<16)
	requireEqual(t, "slabs", p.made, made)
	grow(2 << 20)
	grow(16 << 20)
	if p.idle > p.limit {
		t.Fatalf("%d bytes idle", p.idle)
	}
	sum := 0
	for class, slabs := range p.free {
		for _, slab := range slabs {
			sum += len(slab)
			if slabClass(uint64(len(slab))) != class {
				t.Fatal("slab in the wrong class")
			}
			for _, b := range slab {
				if b != 0 {
					t.Fatal("idle slab is not zero")
				}
			}
		}
	}
	requireEqual(t, "idle bytes", p.idle, sum)
}

// TestDryRun: Query changes nothing that the contract can see.
func TestDryRun(t *testing.T) {
	code := asm.Contract("", func(m *asm.Module) [][]byte { return hostCall(m, "seal2", "set_storage", 0, 4, 0, 4) })
	call := sampleCall(plenty)
	command, written := runBoth(t, DefaultLimits(), code, call, newStorage()), newStorage()
	call.Query = true
	requireEqual(t, "outcome", runBoth(t, DefaultLimits(), code, call, written), command)
	requireEqual(t, "writes to the overlay", len(written.values), 1)
}
