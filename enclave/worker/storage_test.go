package worker

import (
	"testing"

	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// TestBadEntriesAreErrors: what the worker reads when a call has ended, where no engine catches a panic, comes as an
// error where the state holds no record.
func TestBadEntriesAreErrors(t *testing.T) {
	tree, err := state.NewTree(0, make([]byte, 32), state.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o := state.NewOverlay(tree.View())
	id := [32]byte{1}
	for _, prefix := range []string{"c/", "e/"} {
		if err := o.Set(systemID, systemKey(prefix, id[:]), []byte{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
	}
	s := &storage{o: o}
	if s.link([]contract.Event{{Contract: id}}) == nil {
		t.Error("events are linked to no head")
	}
	said := contract.Outcome{Logs: []contract.Log{{Contract: id, Level: wire.LogDebug, Text: "x"}}}
	if _, err := saidIn(s, said, wire.LogBatch{}); err == nil {
		t.Error("logs of nobody are kept")
	}
	if _, err := debugFor(s, wire.Identity{}, said.Logs); err == nil {
		t.Error("debug messages of nobody are shown")
	}
}
