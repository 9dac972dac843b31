package worker_test

import (
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// Receipts are for their owner, are proven under the root of their mark, and are dropped when their time is over.
func TestReceipts(t *testing.T) {
	s, alice, id, code := counterStage(t)
	bob := enclavetest.NewClient(s.World)
	x := s.workers[0]
	roots := map[uint64]wire.Hash{}
	var posted []uint64
	for i := range 5 {
		for range i {
			posted = append(posted, alice.Call(id, code.Input("inc")))
			s.Post(enclavetest.Account(1), []byte("junk"))
		}
		p := s.agree()
		roots[p.Mark] = p.ReceiptsRoot
	}
	verify := func(at uint64) {
		t.Helper()
		got, err := x.Role.Receipt(t.Context(), s.Cluster.ID, at, false)
		if err != nil {
			t.Fatal(err)
		}
		var theft wire.SaltedReceipt
		if err := bob.Open(got.Envelope, &theft); err == nil {
			t.Fatal("another opens the receipt")
		}
		r, err := alice.Receipt(x, at)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := r.Leaf()
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.VerifyReceipt(roots[got.Mark], leaf, got.Leaf, got.Leaves, got.Path); err != nil {
			t.Fatalf("message %d under mark %d: %v", at, got.Mark, err)
		}
		if r.Receipt.Index != at {
			t.Fatalf("receipt of %d for %d", r.Receipt.Index, at)
		}
	}
	for range 2 { // from the state, and from what is kept of it
		for _, at := range posted {
			verify(at)
		}
	}
	if _, err := x.Role.Receipt(t.Context(), s.Cluster.ID, posted[0]+1, false); !errors.Is(err, worker.ErrNoReceipt) {
		t.Fatalf("of a no-op: %v", err)
	}
	early := alice.Call(id, code.Input("inc"))
	s.sync()
	if got, err := x.Role.Receipt(t.Context(), s.Cluster.ID, early, false); err != nil || got.Mark != 0 || got.Path != nil {
		t.Fatalf("before its mark: %+v %v", got, err)
	}
	x.Restart()
	s.sync()
	for _, at := range posted {
		verify(at)
	}
	s.Blocks(8_000)
	late := alice.Call(id, code.Input("inc"))
	s.agree()
	for _, at := range posted {
		if _, err := x.Role.Receipt(t.Context(), s.Cluster.ID, at, false); !errors.Is(err, worker.ErrNoReceipt) {
			t.Fatalf("message %d after its time: %v", at, err)
		}
	}
	s.want(alice, late, wire.StatusDone)
	// An idle cluster goes on marking when every receipt is dropped.
	s.Blocks(8_000)
	s.agree()
	s.agree()
}
