package relay

import (
	"context"
	"errors"
	"slices"
	"testing"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

func bring(t *testing.T, s *session, height uint64) {
	t.Helper()
	if err := s.block(context.Background(), height); err != nil {
		t.Fatalf("block %d: %v", height, err)
	}
}

func wantExecuted(t *testing.T, e *fakeEnclave, n int) {
	t.Helper()
	if len(e.executed) != n {
		t.Fatalf("%d messages executed, want %d", len(e.executed), n)
	}
	for i, x := range e.executed {
		if x != uint64(i) {
			t.Fatalf("message %d was executed as number %d", x, i)
		}
	}
}

func TestFollowsFromTheRoot(t *testing.T) {
	c, e := newFakeChain(1), newFakeEnclave(t)
	s, _ := testSession(c, e)
	for range 3 {
		bring(t, s, c.height) // headers 1 and 2 have no provable state before them
		c.block()
	}
	bring(t, s, c.height)
	if e.height != 4 || !e.proven[wire.KeyNetworkParams()] {
		t.Fatalf("enclave at %d, proven %v", e.height, e.proven)
	}
	c.post(3)
	bring(t, s, c.height) // the head of this state is in the next header
	wantExecuted(t, e, 0)
	bring(t, s, c.block())
	wantExecuted(t, e, 3)
}

// TestOneRequestPerBlock counts requests and proofs: a block with messages takes one of the enclave's calls.
func TestOneRequestPerBlock(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, _ := testSession(c, e)
	bring(t, s, 9)
	c.post(2)
	before, proofs := e.advances, c.proofs
	bring(t, s, c.block())
	wantExecuted(t, e, 2)
	if e.advances-before != 1 || c.proofs-proofs != len(e.wants) {
		t.Errorf("%d requests, %d proofs of %d records", e.advances-before, c.proofs-proofs, len(e.wants))
	}
}

// TestWantsGrow brings at the same header what an enclave wants only after a first proof.
func TestWantsGrow(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	e.later = []wire.RecordKey{wire.KeyGatekeepers(), wire.KeyMasterKey()}
	s, _ := testSession(c, e)
	bring(t, s, 9)
	for _, k := range e.later {
		if !e.proven[k] {
			t.Errorf("%v is not proven", k)
		}
	}
}

func TestBisects(t *testing.T) {
	c, e := newFakeChain(1000), newFakeEnclave(t)
	e.skip = 100
	c.post(1)
	c.block()
	s, _ := testSession(c, e)
	bring(t, s, 1001)
	wantExecuted(t, e, 1)
	if e.height != 1001 || len(c.blocks) > 64 {
		t.Errorf("at %d after %d light blocks", e.height, len(c.blocks))
	}
}

// TestBisectEnds fails where not even the next header is accepted, instead of asking for ever.
func TestBisectEnds(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, _ := testSession(c, e)
	bring(t, s, 9)
	e.skip = 1
	e.trusted = 3 // as if headers above were refused
	e.height = 3
	c.down = true
	if err := s.block(context.Background(), 9); !errors.Is(err, node.ErrUnreachable) {
		t.Errorf("error %v", err)
	}
}

func TestCatchesUpInPages(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	c.page, c.digests = 3, 4
	c.post(20)
	s, _ := testSession(c, e)
	bring(t, s, c.block())
	wantExecuted(t, e, 20)
}

// TestEnclaveRestarts begins a new incarnation between blocks: everything is proven again, and nothing is executed
// twice.
func TestEnclaveRestarts(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, sender := testSession(c, e)
	e.needsReg = true
	c.post(2)
	bring(t, s, c.block())
	wantExecuted(t, e, 2)
	e.restart()
	c.post(1)
	bring(t, s, c.height) // no new block yet
	if !e.proven[wire.KeyNetworkParams()] || e.height != c.height {
		t.Errorf("after the restart: at %d, proven %v", e.height, e.proven)
	}
	bring(t, s, c.block())
	wantExecuted(t, e, 3)
	var incarnations []byte
	for _, m := range sender.msgs {
		if r, ok := m.(*registrytypes.MsgRegisterWorker); ok {
			incarnations = append(incarnations, r.Registration...)
		}
	}
	if !slices.Equal(incarnations, []byte{1, 2}) {
		t.Errorf("registered incarnations %v", incarnations)
	}
}

func TestRegistersAgainWithoutEffect(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, _ := testSession(c, e)
	e.needsReg = true
	for range 2*registerAgain + 1 {
		bring(t, s, c.height)
		c.block()
	}
	if e.registrations != 3 {
		t.Errorf("%d registrations in %d blocks", e.registrations, 2*registerAgain+1)
	}
}

// TestLyingNode omits, changes and reorders messages. The enclave takes none of it; the relay reports it and goes on
// with an honest node.
func TestLyingNode(t *testing.T) {
	for name, lie := range map[string]func(*mqtypes.QueryMessagesResponse){
		"omits": func(r *mqtypes.QueryMessagesResponse) {
			if len(r.Messages) > 1 {
				r.Messages = slices.Delete(r.Messages, 1, 2)
			}
		},
		"reorders": func(r *mqtypes.QueryMessagesResponse) { slices.Reverse(r.Messages) },
		"repeats":  func(r *mqtypes.QueryMessagesResponse) { r.Messages = append(r.Messages, r.Messages[0]) },
		"changes": func(r *mqtypes.QueryMessagesResponse) {
			r.Messages[0] = slices.Clone(r.Messages[0])
			r.Messages[0][len(r.Messages[0])-1] ^= 1
		},
		"false digests": func(r *mqtypes.QueryMessagesResponse) {
			if n := len(r.Messages); n > 1 {
				r.Messages, r.Digests = r.Messages[:1], make([]byte, 32*(n-1))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, e := newFakeChain(9), newFakeEnclave(t)
			c.post(4)
			c.tamper = lie
			s, _ := testSession(c, e)
			height := c.block()
			if err := s.block(context.Background(), height); err == nil {
				t.Error("no error")
			}
			for _, x := range e.executed {
				if x != 0 { // a first part may be right
					t.Errorf("executed %v", e.executed)
				}
			}
			c.tamper = nil
			honest, _ := testSession(c, e)
			bring(t, honest, c.block())
			wantExecuted(t, e, 4)
		})
	}
}

func TestOutboxIsSentOnceAndAgain(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, sender := testSession(c, e)
	bring(t, s, 9)
	for i := range 150 {
		e.outbox = append(e.outbox, []byte{byte(i)})
	}
	bring(t, s, c.block())
	if n := len(sender.submitted()); n != 150 {
		t.Fatalf("%d messages sent, want 150", n)
	}
	for _, m := range sender.msgs {
		if x := m.(*mqtypes.MsgSubmit); len(x.Messages) > submitMessages {
			t.Errorf("%d messages in one transaction", len(x.Messages))
		}
	}
	for range submitAgain - 1 {
		bring(t, s, c.block())
	}
	if n := len(sender.submitted()); n != 150 {
		t.Fatalf("sent again too early: %d", n)
	}
	bring(t, s, c.block())
	if n := len(sender.submitted()); n != 300 {
		t.Fatalf("%d messages after %d blocks without effect, want 300", n, submitAgain)
	}
	e.outbox, e.outFirst = nil, 150
	for range 3 * submitAgain {
		bring(t, s, c.block())
	}
	if n := len(sender.submitted()); n != 300 {
		t.Errorf("accepted messages were sent again: %d", n)
	}
}

// TestSendFailureIsRetried loses nothing when the node refuses a transaction.
func TestSendFailureIsRetried(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, sender := testSession(c, e)
	bring(t, s, 9)
	e.outbox = [][]byte{{1}}
	sender.err = errors.New("mempool is full")
	if err := s.block(context.Background(), c.block()); err == nil {
		t.Error("no error")
	}
	sender.err = nil
	bring(t, s, c.height)
	if len(sender.submitted()) != 1 {
		t.Errorf("sent %v", sender.submitted())
	}
}

// TestTwoRelays runs two relays for one enclave, taking turns and lagging: everything is executed once.
func TestTwoRelays(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	a, _ := testSession(c, e)
	b, _ := testSession(c, e)
	for i := range 20 {
		c.post(1)
		h := c.block()
		bring(t, a, h)
		bring(t, b, h-uint64(i%3))
		bring(t, b, h)
	}
	wantExecuted(t, e, 20)
}

func TestStalledTopicEndsTheRound(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	e.stalled = true
	c.post(1)
	s, _ := testSession(c, e)
	bring(t, s, c.block())
	before := e.advances
	bring(t, s, c.block())
	if n := e.advances - before; n > 2 {
		t.Errorf("%d requests for messages that the enclave does not take", n)
	}
	e.stalled = false
	bring(t, s, c.block())
	wantExecuted(t, e, 1)
}

func TestPrunedBodies(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	c.post(5)
	c.lowest = 3
	s, _ := testSession(c, e)
	bring(t, s, c.block())
	wantExecuted(t, e, 0)
	if e.pruned != 3 {
		t.Errorf("the enclave was told %d, want 3", e.pruned)
	}
}

func TestPublishesEndpoints(t *testing.T) {
	c, e := newFakeChain(9), newFakeEnclave(t)
	s, sender := testSession(c, e)
	s.cfg.Endpoints, s.peerURLs = []string{"http://127.0.0.1:1"}, []string{"http://127.0.0.1:2"}
	key, err := ecdh.ParsePublicKey(e.key.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	self := wire.WorkerState{Identity: e.key.Public(), Ecdh: wire.EcdhEpoch{Key: key}}
	c.records[wire.KeyWorker(e.key.Public())] = scale.MustMarshal(&self)
	bring(t, s, 9)
	if len(sender.msgs) != 1 {
		t.Fatalf("%d messages", len(sender.msgs))
	}
	m, ok := sender.msgs[0].(*registrytypes.MsgUpdateEndpoints)
	if !ok || !slices.Equal(m.Endpoints, s.cfg.Endpoints) || !slices.Equal(m.PeerUrls, s.peerURLs) {
		t.Fatalf("sent %v", sender.msgs[0])
	}
	self.Info.Endpoints, self.Info.PeerURLs = m.Endpoints, m.PeerUrls
	c.records[wire.KeyWorker(e.key.Public())] = scale.MustMarshal(&self)
	for range 2 * publishAgain {
		bring(t, s, c.block())
	}
	if len(sender.msgs) != 1 {
		t.Errorf("published again: %d messages", len(sender.msgs))
	}
}

func TestRunWithoutConfiguration(t *testing.T) {
	if err := Run(context.Background(), Config{}); err == nil {
		t.Error("no error")
	}
}
