package handover_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/handover"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/rotation"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

const delay = 5

var (
	operator = wire.Account{19: 7}
	program  = wire.Hash{3}
)

// role is a worker's or gatekeeper's; it says whether it follows its own topic, as a worker does.
type role struct {
	follows   bool
	place     *dispatch.Place
	keys      *keys.Keyring
	steps     int
	suspended int
}

func (r *role) Step(_ context.Context, c dispatch.Chain) error {
	r.steps++
	if !r.follows || r.place != nil {
		return nil
	}
	topic := wire.EntityTopic(r.keys.Identity())
	if f, known := c.Record(wire.KeyHead(topic)); known {
		r.place = &dispatch.Place{Topic: topic}
		if f.Value != nil {
			return scale.Unmarshal(f.Value, &r.place.Head)
		}
	}
	return nil
}

func (r *role) Places() []dispatch.Place {
	if r.place == nil {
		return nil
	}
	return []dispatch.Place{*r.place}
}

func (r *role) Deliver(_ context.Context, _ dispatch.Chain, d dispatch.Delivery) error {
	r.place.Head = d.Head
	return nil
}

func (r *role) Suspend() { r.suspended++; r.place = nil }
func (r *role) Stop()    {}

// node is an enclave behind a real dispatcher.
type node struct {
	keys    *keys.Keyring
	chain   *dispatch.Dispatcher
	custody *handover.Custody
	role    *role
	home    string
	sealer  *device.Device
}

// world is a chain whose records and messages the test decides, an old release and a new one.
type world struct {
	*testing.T
	light      *enclavetest.LightChain
	now        time.Time
	height     uint64
	records    map[wire.RecordKey][]byte
	list       []wire.Message
	head       wire.Head
	old, fresh *node
	others     []*node
}

// newWorld has an active worker, or a gatekeeper, of the old release, and a new release that waits for its keys, at a header
// where everything is proven.
func newWorld(t *testing.T, gatekeeper bool) *world {
	t.Helper()
	w := &world{T: t, light: enclavetest.NewLightChain(lighttest.Config{Validators: 3}), height: 10, records: map[wire.RecordKey][]byte{}}
	w.now = w.light.Time(1)
	w.old = w.start("old", t.TempDir(), nil)
	w.old.role.follows = !gatekeeper
	identity := w.old.keys.Identity()
	uid := w.light.UID()
	w.records[wire.KeyChainUID()] = uid[:]
	w.put(wire.KeyNetworkParams(), &wire.NetworkParams{RegistrationExpiry: 100_000, Delay: delay})
	key, _, err := w.old.keys.EcdhKey()
	w.ok(err)
	w.put(wire.KeyWorker(identity), &wire.WorkerState{
		Identity: identity, Incarnation: w.old.keys.Incarnation(), Ecdh: wire.EcdhEpoch{Key: key}, AttestedAt: 1, Operator: operator,
	})
	if gatekeeper {
		w.put(wire.KeyGatekeepers(), &wire.Gatekeepers{Members: append(wire.Gatekeepers{}.Members, identity)})
		_, err := w.old.keys.GenerateMasterKey(t.Context())
		w.ok(err)
	}
	w.allow(&wire.ProgramRecord{})
	w.fresh = w.start("next", t.TempDir(), w.old.keys)
	w.block()
	w.block()
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) want(err, target error) {
	w.Helper()
	if !errors.Is(err, target) {
		w.Fatalf("got %v, want %v", err, target)
	}
}

// start starts a release; of is whose keys it waits for, nil for one with its own.
func (w *world) start(release, home string, of *keys.Keyring) *node {
	w.Helper()
	n := &node{home: home}
	var err error
	n.sealer, err = device.Open(home, device.Options{Measurement: simulated.Measurement(release), Rand: rand.Reader, Now: time.Now, TCBStatus: tee.TCBUpToDate})
	w.ok(err)
	dir := filepath.Join(home, "keys")
	if of == nil {
		n.keys, err = keys.Open(w.Context(), dir, n.sealer, w.light.UID(), "pruntime", rand.Reader)
	} else {
		n.keys, err = keys.OpenReceiver(w.Context(), dir, n.sealer, w.light.UID(), "pruntime", rand.Reader, of.Identity())
	}
	w.ok(err)
	w.Cleanup(func() { w.ok(n.keys.Close()) })
	w.run(n)
	return n
}

// run gives a node a dispatcher, as a start does.
func (w *world) run(n *node) {
	w.Helper()
	n.role = &role{keys: n.keys, follows: n.role == nil || n.role.follows}
	n.custody = handover.New(handover.Config{
		UID: w.light.UID(), Keys: n.keys, Attester: n.sealer, Software: "test",
		Header: func() (light.Header, bool) { h, _, ok := n.chain.Header(); return h, ok },
	})
	client := enclavetest.Must(light.New(w.light.ChainID(), w.light.Root(1), light.Options{TrustingPeriod: 1000 * time.Hour, MaxClockDrift: time.Second}))
	watched := n.custody.Watch(n.role)
	n.chain = dispatch.New(dispatch.Config{
		UID: w.light.UID(), Keys: n.keys, Light: client, Now: func() time.Time { return w.now }, Own: rotation.New(n.keys),
		Worker: watched, Gatekeeper: watched, Custody: n.custody,
	})
	n.custody.See(n.chain)
	w.ok(n.chain.Advance(w.Context(), [][]byte{w.light.Block(1)}, nil, nil))
}

func (w *world) put(k wire.RecordKey, r scale.Record) {
	w.records[k] = enclavetest.Must(scale.Marshal(r))
}

// allow writes the program's record; nil removes it.
func (w *world) allow(p *wire.ProgramRecord) {
	delete(w.records, wire.KeyProgram(program))
	if p != nil {
		w.put(wire.KeyProgram(program), p)
	}
}

// tell appends a message to the old release's topic in the next block.
func (w *world) tell(sender wire.Sender, body *wire.Body) {
	topic := wire.EntityTopic(w.old.keys.Identity())
	m := wire.Message{Height: w.height + 1, Sender: sender, Topic: topic, Payload: enclavetest.Must(scale.Marshal(body))}
	w.list = append(w.list, m)
	w.head = w.head.Next(enclavetest.Must(m.Digest()))
	w.put(wire.KeyHead(topic), &w.head)
}

// word is the chain's of a request, as the new release made it.
func (w *world) word() *wire.Body {
	w.Helper()
	q, err := w.fresh.custody.Prepare(w.Context(), operator)
	w.ok(err)
	var r wire.HandoverRequest
	w.ok(scale.Unmarshal(q.Request, &r))
	return &wire.Body{Kind: wire.BodyHandover, Handover: &wire.Handover{Request: r, Measurement: []byte{1}, Program: program}}
}

// block makes two blocks and brings the second to everybody, with all that is wanted.
func (w *world) block() {
	w.Helper()
	w.height += 2
	w.light.Set(w.height, w.records)
	w.now = w.light.Time(w.height)
	for _, n := range append([]*node{w.old, w.fresh}, w.others...) {
		if n != nil {
			w.bring(n)
		}
	}
}

func (w *world) bring(n *node) {
	w.Helper()
	w.ok(n.chain.Advance(w.Context(), [][]byte{w.light.Block(w.height)}, nil, nil))
	seen := map[wire.RecordKey]bool{}
	for range 10 {
		var proofs []dispatch.Proof
		for _, k := range n.chain.Status().Wants {
			if !seen[k] {
				seen[k] = true
				proofs = append(proofs, w.light.Proof(w.height, k))
			}
		}
		w.ok(n.chain.Advance(w.Context(), nil, proofs, nil))
		batches := w.batches(n)
		if len(proofs) == 0 && len(batches) == 0 {
			return
		}
		w.ok(n.chain.Advance(w.Context(), nil, nil, batches))
	}
	w.Fatal("it wants without end")
}

func (w *world) batches(n *node) []dispatch.Batch {
	var out []dispatch.Batch
	for _, p := range n.chain.Status().Places {
		if uint64(len(w.list)) <= p.Head.Count {
			continue
		}
		b := dispatch.Batch{Topic: p.Topic, From: p.Head.Count}
		for i := range w.list[p.Head.Count:] {
			b.Messages = append(b.Messages, enclavetest.Must(scale.Marshal(&w.list[int(p.Head.Count)+i])))
		}
		out = append(out, b)
	}
	return out
}

// accept asks the new release to take an offer until its relay has brought what it proves.
func (w *world) accept(offer []byte) error {
	w.Helper()
	err := w.fresh.custody.Accept(w.Context(), offer)
	for range 3 {
		if !errors.Is(err, handover.ErrNotReady) {
			return err
		}
		w.block()
		err = w.fresh.custody.Accept(w.Context(), offer)
	}
	return err
}

// blockWithoutOld is block while the old release is brought nothing.
func (w *world) blockWithoutOld() {
	w.Helper()
	old := w.old
	w.old = nil
	w.block()
	w.old = old
}

// otherIdentity is an identity that nobody here has.
func otherIdentity(t *testing.T) sr25519.PublicKey {
	t.Helper()
	return enclavetest.Must(sr25519.Generate(rand.Reader)).Public()
}
