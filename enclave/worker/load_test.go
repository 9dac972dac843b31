package worker_test

import (
	"testing"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// TestCodeIsPaidInEachCall: whoever calls more code than fits into memory by turns has it loaded each time; so a command
// costs by the size of the code that it begins with, also where that code is in memory.
func TestCodeIsPaidInEachCall(t *testing.T) {
	s := newStage(t, 2)
	client := enclavetest.NewClient(s.World)
	code := puppet(0)
	id := s.deploy(client, code, nil)
	const base, load = 150_000, 20
	least := uint64(base + load*len(code))
	send := func(gas uint64) uint64 {
		inv := client.New(wire.ActionCommand, id, play())
		inv.GasLimit = gas
		return client.Send(inv)
	}
	short, bare, enough := send(least-1), send(least), send(1<<25)
	s.sync()
	for _, at := range []uint64{short, bare} {
		s.want(client, at, wire.StatusOutOfGas)
	}
	if used := s.want(client, enough, wire.StatusDone).GasUsed; used < least {
		t.Errorf("a call of %d bytes of code used %d gas", len(code), used)
	}
}
