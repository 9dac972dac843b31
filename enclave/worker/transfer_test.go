package worker_test

import (
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// parcel is what one relay carries to another.
type parcel struct {
	offer []byte
	index uint32
	chunk []byte
}

// fetch has one worker ask another for the state and returns what the other gives.
func fetch(s *stage, from, to *enclavetest.Worker) ([]parcel, []byte, error) {
	request, err := to.Role.RequestState(s.Cluster.ID, from.Keys.Identity())
	if err != nil {
		return nil, nil, err
	}
	list, err := export(s, from, request)
	return list, request, err
}

func export(s *stage, from *enclavetest.Worker, request []byte) ([]parcel, error) {
	var list []parcel
	for i, tries := uint32(0), 0; ; {
		offer, chunk, err := from.Role.ExportState(s.Context(), request, i)
		if errors.Is(err, worker.ErrNotYet) && tries < 3 {
			tries++
			if err := from.Step(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, parcel{offer, i, chunk})
		var signed wire.SignedStateOffer
		if err := scale.Unmarshal(offer, &signed); err != nil {
			return nil, err
		}
		if i++; i == signed.Offer.Chunks {
			return list, nil
		}
	}
}

// carry brings the state from one worker to another; change, if given, is the relays' mischief.
func carry(s *stage, from, to *enclavetest.Worker, change func([]parcel) []parcel) error {
	list, _, err := fetch(s, from, to)
	if err != nil {
		return err
	}
	if change != nil {
		list = change(list)
	}
	for _, p := range list {
		done, err := to.Role.ImportState(s.Context(), p.offer, p.index, p.chunk)
		if err != nil {
			return err
		}
		if done {
			return nil
		}
	}
	return errors.New("the transfer is not done")
}

// joinerStage is a cluster with a finalized state of several chunks and a joiner that waits for it.
func joinerStage(t *testing.T) (s *stage, joiner *enclavetest.Worker, check func()) {
	t.Helper()
	s = newStage(t, 2)
	alice := enclavetest.NewClient(s.World)
	code := example(t, "counter")
	id := s.deploy(alice, code.Wasm, code.Input("new", enclavetest.I32(7)))
	big := s.deploy(alice, hostile(), nil)
	full := alice.Call(big, []byte{writeSome})
	s.sync()
	s.want(alice, full, wire.StatusDone)
	joiner = enclavetest.NewWorker(s.World, t.TempDir())
	t.Cleanup(joiner.Stop)
	s.Join(joiner.Keys.Identity(), 0)
	s.agree()
	if err := joiner.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := joiner.Status(); st.Phase != "waiting for state" || len(st.Ask) != 2 {
		t.Fatalf("%+v", st)
	}
	return s, joiner, func() {
		t.Helper()
		alice.Call(id, code.Input("inc"))
		s.workers = append(s.workers, joiner)
		s.sync()
		if got := s.value(alice, id, code); got != 8 {
			t.Fatalf("the counter is %d", got)
		}
		s.agree()
		joiner.Restart()
		s.sync()
		s.agree()
	}
}

// A joiner takes the state from a member and goes on from there; whatever the relays do to it on the way is an error.
func TestTransfer(t *testing.T) {
	s, joiner, check := joinerStage(t)
	from := s.workers[0]
	flip := func(at func(p *parcel) []byte) func([]parcel) []parcel {
		return func(list []parcel) []parcel {
			b := at(&list[len(list)-1])
			b[len(b)-1] ^= 1
			return list
		}
	}
	var earlier []parcel
	for _, c := range []struct {
		what   string
		change func([]parcel) []parcel
	}{
		{"a chunk is changed", flip(func(p *parcel) []byte { return p.chunk })},
		{"the offer's signature is changed", func(l []parcel) []parcel { l[0].offer[len(l[0].offer)-1] ^= 1; return l }},
		{"a later offer is changed", flip(func(p *parcel) []byte {
			p.offer = append([]byte(nil), p.offer[:len(p.offer)-64]...)
			return p.offer
		})},
		{"chunks are swapped", func(l []parcel) []parcel { l[0], l[1] = l[1], l[0]; return l }},
		{"chunks are swapped and renumbered", func(l []parcel) []parcel {
			l[0].chunk, l[1].chunk = l[1].chunk, l[0].chunk
			return l
		}},
		{"a chunk is missing", func(l []parcel) []parcel { return append(l[:1], l[2:]...) }},
		{"a chunk comes twice", func(l []parcel) []parcel { return append(l[:1], l...) }},
		{"an end is missing", func(l []parcel) []parcel { earlier = l; return l[:len(l)-1] }},
		{"an earlier answer", func([]parcel) []parcel { return earlier }},
		{"junk", func(l []parcel) []parcel { l[0].offer = []byte("junk"); return l }},
	} {
		if err := carry(s, from, joiner, c.change); err == nil {
			t.Fatalf("%s: no error", c.what)
		}
		if st := joiner.Status(); st.Phase != "waiting for state" || st.Count != 0 {
			t.Fatalf("%s: %+v", c.what, st)
		}
	}
	// A restart in the middle gives it up; so does a finalized state that is another.
	if err := carry(s, from, joiner, func(l []parcel) []parcel { return l[:1] }); err == nil {
		t.Fatal("done with one chunk")
	}
	joiner.Restart()
	if err := joiner.Sync(); err != nil {
		t.Fatal(err)
	}
	finalized := *s.Cluster.Finalized
	s.Cluster.Finalized.StateRoot[0] ^= 1
	if err := joiner.Step(); err != nil {
		t.Fatal(err)
	}
	s.Cluster.Finalized = &finalized
	if err := carry(s, from, joiner, nil); !errors.Is(err, worker.ErrTransfer) {
		t.Fatalf("another finalized state: %v", err)
	}
	if err := joiner.Step(); err != nil {
		t.Fatal(err)
	}
	if err := carry(s, s.workers[1], joiner, nil); err != nil {
		t.Fatal(err)
	}
	check()
}

// A member that is a mark behind the joiner, or ahead of it, is waited for.
func TestTransferAcrossMarks(t *testing.T) {
	s, joiner, check := joinerStage(t)
	list, _, err := fetch(s, s.workers[0], joiner)
	if err != nil {
		t.Fatal(err)
	}
	p := *s.Cluster.Finalized
	s.Cluster.Finalized = nil
	if err := joiner.Step(); err != nil {
		t.Fatal(err)
	}
	if _, err := joiner.Role.ImportState(t.Context(), list[0].offer, 0, list[0].chunk); !errors.Is(err, worker.ErrNotYet) {
		t.Fatal(err)
	}
	s.Cluster.Finalized = &p
	if err := joiner.Step(); err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if _, err := joiner.Role.ImportState(t.Context(), p.offer, p.index, p.chunk); err != nil {
			t.Fatal(err)
		}
	}
	check()
}

// Only a member that is alive is given the state, and only when it asks itself.
func TestTransferToStrangers(t *testing.T) {
	s, joiner, check := joinerStage(t)
	from := s.workers[0]
	refused := func(what string, request []byte, want error) {
		t.Helper()
		if _, err := export(s, from, request); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, good, err := fetch(s, from, joiner)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if _, _, err := from.Role.ExportState(t.Context(), bad, 0); !errors.Is(err, worker.ErrTransfer) && !errors.Is(err, worker.ErrUnknownCluster) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if _, err := export(s, s.workers[1], good); !errors.Is(err, worker.ErrTransfer) {
		t.Errorf("asked of another: %v", err)
	}
	members := s.Cluster.Members
	s.Cluster.Members = members[:2]
	if err := from.Step(); err != nil {
		t.Fatal(err)
	}
	refused("no member", good, worker.ErrTransfer)
	s.Cluster.Members = members
	life := s.Lives[joiner.Keys.Identity()]
	dead := life
	dead.Incarnation[0] ^= 1
	for what, state := range map[string]wire.WorkerState{"another life": dead, "suspended": {
		Identity: life.Identity, Ecdh: life.Ecdh, Incarnation: life.Incarnation, Status: wire.WorkerSuspended,
	}} {
		s.Blocks(1)
		if err := joiner.Step(); err != nil {
			t.Fatal(err)
		}
		s.Lives[joiner.Keys.Identity()] = state
		request, err := joiner.Role.RequestState(s.Cluster.ID, from.Keys.Identity())
		if err != nil {
			t.Fatal(err)
		}
		refused(what, request, worker.ErrTransfer)
		s.Lives[joiner.Keys.Identity()] = life
	}
	refused("an older request", good, worker.ErrTransfer)
	s.Blocks(1000)
	s.sync()
	refused("a request of long ago", good, worker.ErrTransfer)
	if err := joiner.Step(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 { // one member's many requests leave room for others'
		if _, _, err := fetch(s, from, joiner); err != nil {
			t.Fatal(i, err)
		}
	}
	s.agree()
	if err := joiner.Step(); err != nil {
		t.Fatal(err)
	}
	if err := carry(s, from, joiner, nil); err != nil {
		t.Fatal(err)
	}
	check()
}

// What the chain no longer keeps comes from another member; a relay that lies about it changes nothing.
func TestPruned(t *testing.T) {
	s, alice, id, code := counterStage(t)
	x := s.workers[0]
	s.agree()
	alice.Call(id, code.Input("inc"))
	s.Blocks(1)
	x.Pruned = s.Count()
	if err := x.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := x.Status(); st.Phase != "running" {
		t.Fatalf("a lie has moved it to %q", st.Phase)
	}
	s.workers = s.workers[1:]
	s.agree()
	if err := x.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := x.Status(); st.Phase != "waiting for state" {
		t.Fatalf("it is %q", st.Phase)
	}
	if err := carry(s, s.workers[0], x, nil); err != nil {
		t.Fatal(err)
	}
	s.workers = append(s.workers, x)
	alice.Call(id, code.Input("inc"))
	s.sync()
	if got := s.value(alice, id, code); got != 2 {
		t.Fatalf("the counter is %d", got)
	}
	s.agree()
}
