package worker

import (
	"context"
	"errors"
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
