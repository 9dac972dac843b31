package worker_test

import (
	"testing"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// Whatever anybody but the chain posts, the cluster goes on, and what is no good command is a counted no-op.
func FuzzPost(f *testing.F) {
	s := newStage(f, 1)
	alice := enclavetest.NewClient(s.World)
	good := alice.Seal(alice.Sign(alice.New(wire.ActionCommand, wire.ContractID{1}, []byte("input")), alice.Target()), s.Cluster.Fixed.Key, 0)
	f.Add(false, encode(f, &good))
	mark := wire.Body{Kind: wire.BodyMark, Mark: &wire.Mark{Number: 1}}
	f.Add(true, encode(f, &mark))
	f.Add(false, []byte{})
	f.Fuzz(func(t *testing.T, enclave bool, payload []byte) {
		if len(payload) > wire.MaxPayload {
			return
		}
		sender := enclavetest.Account(1)
		if enclave {
			sender = wire.Sender{Variant: wire.SenderEnclave, Enclave: s.Gatekeeper}
		}
		x := s.workers[0]
		before := x.Status()
		at := s.Post(sender, payload)
		s.Blocks(1)
		if err := x.Sync(); err != nil {
			t.Fatal(err)
		}
		after := x.Status()
		if after.Phase != "running" || after.Count != s.Count() {
			t.Fatalf("%+v", after)
		}
		_, err := x.Role.Receipt(t.Context(), s.Cluster.ID, at, false)
		if noop := after.Noops == before.Noops+1; noop != (err != nil) {
			t.Fatalf("a no-op: %v; its receipt: %v", noop, err)
		}
	})
}

// Whatever reaches the client port as a query is answered or refused by name.
func FuzzQuery(f *testing.F) {
	s := newStage(f, 1)
	x, alice := s.workers[0], enclavetest.NewClient(s.World)
	f.Add(alice.SealQuery(x, alice.Sign(alice.New(wire.ActionQuery, wire.ContractID{1}, nil), alice.Life(x))))
	f.Add([]byte{1, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		root := x.Status().Root
		x.Role.Query(t.Context(), s.Cluster.ID, raw)
		x.Role.ExportState(t.Context(), raw, 0)
		x.Role.ImportState(t.Context(), raw, 0, raw)
		if st := x.Status(); st.Phase != "running" || st.Root != root {
			t.Fatalf("%+v", st)
		}
	})
}
