package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// slow is a server that answers when it is told to.
type slow chan struct{}

func (s slow) Do(ctx context.Context, _ [32]byte, _ fetch.Request) (fetch.Response, error) {
	select {
	case <-s:
		return fetch.Response{Status: 200}, nil
	case <-ctx.Done():
		return fetch.Response{}, ctx.Err()
	}
}

// TestSlowServersKeepNoSlot: every slot is held by a query that waits for a slow server, and one more query still gets a
// slot. Each of them has its own again when it goes on.
func TestSlowServersKeepNoSlot(t *testing.T) {
	r := New(Config{})
	r.queries = make(chan struct{}, maxAsideContract)
	server := make(slow)
	http := Aside(server)
	waiting := make(chan error, cap(r.queries))
	for range cap(r.queries) {
		if err := r.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := http.Do(r.withSlot(t.Context()), [32]byte{}, fetch.Request{})
			waiting <- err
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.begin(ctx); err != nil {
		t.Fatal("no slot beside the waiting queries: ", err)
	}
	r.end()
	close(server)
	for range cap(r.queries) {
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
	}
	if len(r.queries) != cap(r.queries) {
		t.Fatalf("%d slots are held by %d queries", len(r.queries), cap(r.queries))
	}
}

// TestSlotComesBack: also where the request fails, and a caller without a slot gives none back.
func TestSlotComesBack(t *testing.T) {
	r := New(Config{})
	http := Aside(make(slow))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Do(r.withSlot(gone), [32]byte{}, fetch.Request{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(r.queries) != 1 {
		t.Fatalf("%d slots are held", len(r.queries))
	}
	if _, err := http.Do(gone, [32]byte{}, fetch.Request{}); !errors.Is(err, context.Canceled) || len(r.queries) != 1 {
		t.Fatal(err, len(r.queries))
	}
}

// TestBatchGivesBackOneSlot: the requests of one query are made at once, although it has one slot to give back.
func TestBatchGivesBackOneSlot(t *testing.T) {
	r := New(Config{})
	const batch = 5
	server := &gathered{all: batch, let: make(chan struct{})}
	http := Aside(server)
	for range 2 { // the second one keeps its slot
		if err := r.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(r.withSlot(t.Context()), 10*time.Second)
	defer cancel()
	done := make(chan error, batch)
	for range batch {
		go func() {
			_, err := http.Do(ctx, [32]byte{}, fetch.Request{})
			done <- err
		}()
	}
	select {
	case <-server.let: // all of them are under way
	case <-ctx.Done():
		t.Fatal("the requests of a batch wait for each other")
	}
	for range batch {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if server.slots.Load() != 1 || len(r.queries) != 2 {
		t.Fatalf("%d slots are held meanwhile, %d in the end", server.slots.Load(), len(r.queries))
	}
}

// gathered answers once so many requests are under way.
type gathered struct {
	all   int32
	now   atomic.Int32
	slots atomic.Int32 // that are held when the last one comes
	let   chan struct{}
}

func (g *gathered) Do(ctx context.Context, _ [32]byte, _ fetch.Request) (fetch.Response, error) {
	if g.now.Add(1) == g.all {
		g.slots.Store(int32(len(ctx.Value(slotKey{}).(*slot).role.queries)))
		close(g.let)
	}
	select {
	case <-g.let:
		return fetch.Response{Status: 200}, nil
	case <-ctx.Done():
		return fetch.Response{}, ctx.Err()
	}
}

// TestAsideIsBounded: each query that waits for a server keeps its contract's memory, so that not every query may, and
// one contract leaves places to the others.
func TestAsideIsBounded(t *testing.T) {
	r := New(Config{})
	server := make(slow)
	http := Aside(server)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const contracts, queries = 6, maxAsideContract + 2
	done := make(chan error, contracts*queries)
	for i := range byte(contracts) {
		for range queries {
			if err := r.begin(ctx); err != nil {
				t.Fatal("no slot beside the waiting queries: ", err)
			}
			go func() {
				_, err := http.Do(r.withSlot(ctx), [32]byte{i}, fetch.Request{})
				r.end()
				done <- err
			}()
		}
	}
	for range contracts*queries - maxAside {
		if err := <-done; !errors.Is(err, fetch.ErrBusy) {
			t.Fatal(err)
		}
	}
	close(server)
	for range maxAside {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if len(r.queries) != 0 || r.away.all != 0 || len(r.away.of) != 0 {
		t.Fatalf("%d slots are held, %d queries wait", len(r.queries), r.away.all)
	}
}
