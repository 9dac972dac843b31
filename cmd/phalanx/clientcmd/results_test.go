package clientcmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/wire"
)

// ledger returns a session that remembers the metadata of one contract, of a version of ink!, as that of id.
func ledger(t *testing.T, version string, id wire.ContractID) *session {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "client", "abi", "testdata", "ink"+version+".json"))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{options: &options{home: t.TempDir()}}
	if err := s.remember(id, raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEventsByMetadata reads the events of a call by the metadata of the contract that emitted them, in each version of
// ink!, and shows those of contracts that are not known here raw, with their id.
func TestEventsByMetadata(t *testing.T) {
	called, callee, stranger := wire.ContractID{1}, wire.ContractID{2}, wire.ContractID{3}
	signature := bytes.Repeat([]byte{0x70}, 32)
	paid := append(append([]byte{0}, make([]byte, 32)...), append([]byte{70}, make([]byte, 15)...)...)
	const fields = `{"from":null,"to":"5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM","value":"70"}`
	for version, data := range map[string][]byte{"3": append([]byte{0}, paid...), "4": append([]byte{0}, paid...), "5": paid} {
		s := ledger(t, version, callee)
		c, err := s.metadata(callee, "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Message("deposit")
		if err != nil {
			t.Fatal(err)
		}
		event := func(id wire.ContractID) wire.Event {
			return wire.Event{Contract: id, Topics: [][]byte{signature, {1}}, Data: data}
		}
		garbled := wire.Event{Contract: called, Data: []byte{9, 9}}
		o := wire.Outcome{Events: []wire.Event{event(called), event(callee), event(stranger), garbled}}
		got := executionOf(called, s.knowing(called, c), m, o)
		for i, want := range []eventView{
			{Contract: called, Name: "Paid", Fields: []byte(fields)},
			{Contract: callee, Name: "Paid", Fields: []byte(fields)},
			{Contract: stranger, Data: "0x"}, {Contract: called, Data: "0x0909"},
		} {
			e := got.Events[i]
			if e.Contract != want.Contract || e.Name != want.Name || string(e.Fields) != string(want.Fields) || !strings.HasPrefix(e.Data, want.Data) {
				t.Errorf("ink! %s, event %d: %+v; want %+v", version, i, e, want)
			}
		}
		var text bytes.Buffer
		got.text(&text)
		for _, line := range []string{
			"event     Paid " + fields + "\n",
			"event     Paid " + fields + " of contract " + callee.String() + "\n",
			"event     0x" + strings.Repeat("70", 32) + " 0x01 " + got.Events[2].Data + " of contract " + stranger.String() + "\n",
			"event     0x0909\n",
		} {
			if !strings.Contains(text.String(), line) {
				t.Errorf("ink! %s: no %q in\n%s", version, line, text.String())
			}
		}
	}
}
