package worker_test

import (
	"bytes"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

func encode(t testing.TB, r scale.Record) []byte {
	t.Helper()
	b, err := scale.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A counter is uploaded, made, called and asked on two workers; both say the same.
func TestCounter(t *testing.T) {
	s, code := newStage(t, 2), example(t, "counter")
	alice := enclavetest.NewClient(s.World)
	id := s.deploy(alice, code.Wasm, code.Input("new", enclavetest.I32(40)))
	at := alice.Call(id, code.Input("inc_by", enclavetest.I32(2)))
	s.sync()
	out := s.want(alice, at, wire.StatusDone)
	if !bytes.Equal(out.Output, append([]byte{0, 0}, enclavetest.I32(42)...)) || len(out.Events) != 1 {
		t.Fatalf("outcome %+v", out)
	}
	p := s.agree()
	for i, x := range s.workers {
		reply, err := alice.Query(x, id, code.Input("get"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(reply.Outcome.Output, append([]byte{0}, enclavetest.I32(42)...)) {
			t.Fatalf("worker %d: %+v", i, reply.Outcome)
		}
		h := s.Header()
		if reply.Count != p.Count || reply.StateRoot != p.StateRoot || reply.Height != h.Height || reply.BlockHash != h.Hash ||
			reply.BlockTime != h.UnixMillis() {
			t.Fatalf("worker %d answers for %+v, want %+v at %+v", i, reply, p, h)
		}
		got, err := x.Role.Receipt(t.Context(), s.Cluster.ID, at, false)
		if err != nil {
			t.Fatal(err)
		}
		r, err := alice.Receipt(x, at)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := r.Leaf()
		if err != nil {
			t.Fatal(err)
		}
		if got.Mark != p.Mark {
			t.Fatalf("receipt is under mark %d, want %d", got.Mark, p.Mark)
		}
		if err := wire.VerifyReceipt(p.ReceiptsRoot, leaf, got.Leaf, got.Leaves, got.Path); err != nil {
			t.Fatal(err)
		}
	}
}
