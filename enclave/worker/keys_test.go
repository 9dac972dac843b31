package worker_test

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// lastRequest is the newest request for keys that a worker has made.
func lastRequest(t *testing.T, x *enclavetest.Worker) *wire.KeyRequest {
	t.Helper()
	for i := len(x.Acts) - 1; i >= 0; i-- {
		var b wire.Body
		if p := x.Acts[i].Post; p != nil && scale.Unmarshal(p.Payload, &b) == nil && b.KeyRequest != nil {
			return b.KeyRequest
		}
	}
	t.Fatal("no request for keys")
	return nil
}

// Only a gatekeeper's answer to the newest request brings keys.
func TestGrants(t *testing.T) {
	s := newStage(t, 1)
	x := s.workers[0]
	x.Withhold = true
	s.Cluster.KeyEpoch = 1
	x.Restart()
	waits := func(what string) {
		t.Helper()
		if err := x.Sync(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if st := x.Status(); st.Phase != "waiting for keys" {
			t.Fatalf("%s: the worker is %q", what, st.Phase)
		}
	}
	waits("nothing granted")
	old := lastRequest(t, x)
	if old.First != 0 || old.Last != 1 {
		t.Fatalf("epochs %d to %d are asked for", old.First, old.Last)
	}
	x.Grant(enclavetest.Must(sr25519.Generate(rand.Reader)).Public(), s.Grant(old))
	waits("from no gatekeeper")
	wrong := s.Grant(old)
	wrong.Cluster[0] ^= 1
	x.Grant(s.Gatekeeper, wrong)
	waits("for another cluster")
	damaged := s.Grant(old)
	damaged.Envelope[len(damaged.Envelope)-1] ^= 1
	x.Grant(s.Gatekeeper, damaged)
	waits("damaged")
	x.Grant(s.Gatekeeper, &wire.KeyGrant{Cluster: s.Cluster.ID, Envelope: []byte("junk")})
	waits("junk")
	s.Blocks(11)
	waits("asked again")
	if lastRequest(t, x).OneTime == old.OneTime {
		t.Fatal("the request was not repeated with another one-time key")
	}
	x.Grant(s.Gatekeeper, s.Grant(old))
	waits("to a key that was given up")
	x.Grant(s.Gatekeeper, s.Grant(&wire.KeyRequest{Cluster: s.Cluster.ID, First: 2, Last: 9, OneTime: lastRequest(t, x).OneTime}))
	waits("of epochs that were not asked for")
	x.Grant(s.Gatekeeper, s.Grant(lastRequest(t, x)))
	s.sync()
	x.Restart()
	x.Withhold = false
	s.sync()
}

// A worker that was given another key than the chain has fixed stops, by name, before it contradicts anybody.
func TestWrongKeyGranted(t *testing.T) {
	s := newStage(t, 1)
	x, alice := s.workers[0], enclavetest.NewClient(s.World)
	x.Withhold = true
	s.BeginEpoch()
	s.sync()
	liar := enclavetest.NewWorld()
	liar.Cluster.ID = s.Cluster.ID
	liar.UID = s.UID
	x.Grant(s.Gatekeeper, liar.Grant(lastRequest(t, x)))
	s.sync()
	s.Fix()
	alice.Call(wire.ContractID{1}, nil)
	if err := x.Sync(); err == nil || !strings.Contains(err.Error(), "not the one that the chain has fixed") {
		t.Fatalf("%v", err)
	}
	if st := x.Status(); st.Phase != "failed" || st.Problem == "" {
		t.Fatalf("%+v", st)
	}
}

// A worker that lacks the key of an epoch in force waits at the first message that needs it, and then goes on.
func TestMissingKeyWaits(t *testing.T) {
	s, alice, id, code := counterStage(t)
	late := s.workers[1]
	s.sync()
	late.Withhold = true
	s.BeginEpoch()
	s.sync()
	s.Fix()
	count := s.Count()
	first := alice.Call(id, code.Input("inc"))
	s.Mark()
	s.Mark()
	alice.Call(id, code.Input("inc"))
	s.Blocks(1)
	for range 3 {
		if err := late.Sync(); err != nil {
			t.Fatal(err)
		}
		if st := late.Status(); st.Count != count || st.Phase != "running" {
			t.Fatalf("it is %q at %d, want %d", st.Phase, st.Count, count)
		}
	}
	late.Withhold = false
	s.sync()
	s.want(alice, first, wire.StatusDone)
	if p := s.agree(); p.KeyEpoch != 1 {
		t.Fatalf("the root is of key epoch %d", p.KeyEpoch)
	}
	if got := s.value(alice, id, code); got != 2 {
		t.Fatalf("the counter is %d", got)
	}
}

// The old key is accepted for 100 blocks of message height after a new one is fixed, and not one more.
func TestGraceOfAnEpoch(t *testing.T) {
	s, alice, id, code := counterStage(t)
	s.BeginEpoch()
	s.Fix()
	fixed := s.Height
	old := func() uint64 {
		return s.Push(alice.Seal(alice.Sign(alice.New(wire.ActionCommand, id, code.Input("inc")), alice.Target()), s.Public(0), 0))
	}
	first := old()
	s.Height = fixed + wire.KeyEpochGrace
	last := old()
	s.Height++
	late := old()
	s.sync()
	s.want(alice, first, wire.StatusDone)
	s.want(alice, last, wire.StatusDone)
	if _, err := alice.Receipt(s.workers[0], late); !errors.Is(err, worker.ErrNoReceipt) {
		t.Fatalf("after the grace: %v", err)
	}
	s.agree()
}

// The state root changes to a new epoch's RootKey at the second mark after its key was fixed, and the files with it.
func TestRootAndFilesChangeKeys(t *testing.T) {
	s, alice, id, code := counterStage(t)
	var epochs []uint32
	mark := func() {
		alice.Call(id, code.Input("inc"))
		epochs = append(epochs, s.agree().KeyEpoch)
	}
	mark()
	s.BeginEpoch()
	mark()
	s.Fix()
	mark()
	mark()
	mark()
	s.BeginEpoch()
	s.Fix()
	mark()
	s.workers[1].Restart() // the rehash begins anew
	s.sync()
	s.BeginEpoch()
	s.Fix() // before the change to the epoch before was due
	mark()
	mark()
	mark()
	for i, want := range []uint32{0, 0, 0, 1, 1, 1, 1, 3, 3} {
		if epochs[i] != want {
			t.Fatalf("roots are of epochs %v", epochs)
		}
	}
	for _, x := range s.workers {
		files, err := filepath.Glob(filepath.Join(x.Dir, "clusters", "*", "*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if epoch := binary.LittleEndian.Uint32(b[11:]); epoch != 3 {
				t.Errorf("%s is under the state key of epoch %d", f, epoch)
			}
		}
	}
	s.workers[0].Restart()
	s.sync()
	s.agree()
}

// Who leaves a cluster holds nothing of it: no key, no answer, and its disk opens for nobody.
func TestRemovalAndReturn(t *testing.T) {
	s, alice, id, code := counterStage(t)
	s.agree()
	gone := s.workers[1]
	members := s.Cluster.Members
	s.Cluster.Members = members[:1]
	if err := gone.Sync(); err != nil {
		t.Fatal(err)
	}
	if len(gone.Role.Status()) != 0 {
		t.Fatal("it still has the cluster")
	}
	if _, err := alice.Query(gone, id, code.Input("get")); !errors.Is(err, worker.ErrUnknownCluster) {
		t.Fatal(err)
	}
	if _, err := gone.Role.Receipt(t.Context(), s.Cluster.ID, 1, false); !errors.Is(err, worker.ErrUnknownCluster) {
		t.Fatal(err)
	}
	s.workers = s.workers[:1]
	s.BeginEpoch()
	s.Fix()
	alice.Call(id, code.Input("inc"))
	s.agree()
	s.agree()
	s.agree()
	// Back again with the newest epoch only: its old disk is set aside, and another member has the state.
	s.Join(gone.Keys.Identity(), 1)
	s.sync()
	s.agree()
	if err := gone.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := gone.Status(); st.Phase != "waiting for state" || len(st.Ask) != 1 || st.Ask[0] != s.workers[0].Keys.Identity() {
		t.Fatalf("%+v", st)
	}
	if err := carry(s, s.workers[0], gone, nil); err != nil {
		t.Fatal(err)
	}
	s.workers = append(s.workers, gone)
	s.sync()
	if got := s.value(alice, id, code); got != 1 {
		t.Fatalf("the counter is %d", got)
	}
	s.agree()
}

// A suspended worker holds no keys, and takes up its work when it may act again.
func TestSuspend(t *testing.T) {
	s, alice, id, code := counterStage(t)
	x := s.workers[0]
	x.Role.Suspend()
	if _, err := alice.Query(x, id, code.Input("get")); !errors.Is(err, worker.ErrUnknownCluster) {
		t.Fatal(err)
	}
	if len(x.Role.Places()) != 0 {
		t.Fatal("it still follows topics")
	}
	asked := len(x.Acts)
	s.sync()
	if len(x.Acts) == asked {
		t.Fatal("it has not asked for keys again")
	}
	s.agree()
}
