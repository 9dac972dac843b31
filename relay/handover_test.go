package relay

import "testing"

// TestIdlesAfterHandover: the relay of a pRuntime whose keys a new release has brings it nothing and sends nothing for it, and it
// goes on where a failed enclave would be asked again and again.
func TestIdlesAfterHandover(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, sender := testSession(c, e)
	bring(t, s, 9)
	e.role, e.needsReg = "handed over", true
	e.outbox = [][]byte{{1}}
	advances, sent := e.advances, len(sender.msgs)
	c.post(3)
	for range 2 * registerAgain {
		bring(t, s, c.block())
	}
	if e.advances != advances || len(sender.msgs) != sent || e.registrations != 0 {
		t.Fatalf("%d requests to the enclave, %d transactions, %d registrations", e.advances-advances, len(sender.msgs)-sent, e.registrations)
	}
	wantExecuted(t, e, 0)
}

// TestFollowsForAReceiver: the relay of a pRuntime that waits for keys follows the chain and registers nothing.
func TestFollowsForAReceiver(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	e.role = "receiving"
	s, sender := testSession(c, e)
	bring(t, s, 9)
	bring(t, s, c.block())
	if e.height != 10 || len(sender.msgs) != 0 {
		t.Fatalf("at %d, %d transactions", e.height, len(sender.msgs))
	}
}
