package dispatch_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/wire"
)

// fakeRole follows one topic and records what it is given.
type fakeRole struct {
	place     *dispatch.Place
	want      []wire.RecordKey
	facts     map[wire.RecordKey]dispatch.Fact
	taken     []wire.Message
	pruned    uint64
	steps     int
	suspended int
	fail      error
	act       *wire.Act
	during    func() // runs in Deliver
}

func (r *fakeRole) Step(_ context.Context, c dispatch.Chain) error {
	r.steps++
	r.facts = map[wire.RecordKey]dispatch.Fact{}
	for _, k := range r.want {
		if f, ok := c.Record(k); ok {
			r.facts[k] = f
		}
	}
	if r.act != nil {
		return c.Act(*r.act)
	}
	return nil
}

func (r *fakeRole) Places() []dispatch.Place {
	if r.place == nil {
		return nil
	}
	return []dispatch.Place{*r.place}
}

func (r *fakeRole) Deliver(_ context.Context, _ dispatch.Chain, d dispatch.Delivery) error {
	if r.fail != nil {
		return r.fail
	}
	if r.during != nil {
		r.during()
	}
	r.pruned = d.Pruned
	r.taken = append(r.taken, d.Messages...)
	r.place.Head = d.Head
	return nil
}

func (r *fakeRole) Suspend() { r.suspended++ }
func (r *fakeRole) Stop()    {}

type fakeKeys struct {
	key         *sr25519.PrivateKey
	incarnation wire.Incarnation
	uid         wire.ChainUID
	saved       int
}

func (k *fakeKeys) Identity() sr25519.PublicKey   { return k.key.Public() }
func (k *fakeKeys) Incarnation() wire.Incarnation { return k.incarnation }
func (k *fakeKeys) Sign(kind string, body []byte) (sr25519.Signature, error) {
	return k.key.Sign(rand.Reader, wire.SigningText(kind, k.uid, body))
}

func (k *fakeKeys) SaveTrusted(context.Context, []byte, uint64) error {
	k.saved++
	return nil
}

type fakeOwn struct{ err error }

func (o *fakeOwn) Step(context.Context, dispatch.Chain) error { return o.err }

// rig is a dispatcher with a chain whose records the test decides.
type rig struct {
	*testing.T
	chain   *enclavetest.LightChain
	d       *dispatch.Dispatcher
	keys    *fakeKeys
	worker  *fakeRole
	keeper  *fakeRole
	own     *fakeOwn
	now     time.Time
	height  uint64
	self    wire.WorkerState
	records map[wire.RecordKey][]byte
	topic   wire.Topic
	list    []wire.Message
	head    wire.Head
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		T: t, chain: enclavetest.NewLightChain(lighttest.Config{Validators: 3}), worker: &fakeRole{}, keeper: &fakeRole{}, own: &fakeOwn{},
		records: map[wire.RecordKey][]byte{}, topic: wire.ClusterTopic(wire.ClusterID{1}),
	}
	uid := r.chain.UID()
	r.keys = &fakeKeys{key: enclavetest.Must(sr25519.Generate(rand.Reader)), incarnation: wire.Incarnation{7}, uid: uid}
	client := enclavetest.Must(light.New(r.chain.ChainID(), r.chain.Root(1), light.Options{TrustingPeriod: 1000 * time.Hour, MaxClockDrift: time.Second}))
	r.now = r.chain.Time(1)
	r.d = dispatch.New(dispatch.Config{
		UID: uid, Keys: r.keys, Light: client, Now: func() time.Time { return r.now }, Own: r.own, Worker: r.worker, Gatekeeper: r.keeper,
	})
	r.records[wire.KeyChainUID()] = uid[:]
	r.put(wire.KeyNetworkParams(), &wire.NetworkParams{RegistrationExpiry: 1000})
	r.self = wire.WorkerState{Identity: r.keys.Identity(), Incarnation: r.keys.incarnation, Ecdh: someEcdh(), AttestedAt: 1}
	r.put(wire.KeyWorker(r.keys.Identity()), &r.self)
	return r
}

func someEcdh() wire.EcdhEpoch {
	return wire.EcdhEpoch{Key: enclavetest.NewWorld().Public(0)}
}

func (r *rig) put(k wire.RecordKey, v scale.Record) {
	r.records[k] = enclavetest.Must(scale.Marshal(v))
}

// push appends a message to the topic.
func (r *rig) push(payload string) {
	m := wire.Message{Height: r.height, Topic: r.topic, Payload: []byte(payload)}
	r.list = append(r.list, m)
	r.head = r.head.Next(enclavetest.Must(m.Digest()))
	r.put(wire.KeyHead(r.topic), &r.head)
}

// block makes a block with the records as they are, and brings its header.
func (r *rig) block() error {
	r.height = max(r.height, 1) + 1
	r.chain.Set(r.height, r.records)
	r.now = r.chain.Time(r.height)
	if _, _, ok := r.d.Header(); !ok {
		if err := r.d.Advance(r.Context(), [][]byte{r.chain.Block(1)}, nil, nil); err != nil {
			return err
		}
	}
	return r.d.Advance(r.Context(), [][]byte{r.chain.Block(r.height)}, nil, nil)
}

// prove brings proofs of whatever is wanted, until nothing new is.
func (r *rig) prove() error {
	seen := map[wire.RecordKey]bool{}
	for {
		var proofs []dispatch.Proof
		for _, k := range r.d.Status().Wants {
			if !seen[k] {
				seen[k] = true
				proofs = append(proofs, r.chain.Proof(r.height, k))
			}
		}
		if len(proofs) == 0 {
			return nil
		}
		if err := r.d.Advance(r.Context(), nil, proofs, nil); err != nil {
			return err
		}
	}
}

func (r *rig) next() {
	r.Helper()
	if err := r.block(); err != nil {
		r.Fatal(err)
	}
	if err := r.prove(); err != nil {
		r.Fatal(err)
	}
}

// batch is the true one: messages from the role's place up to n, digests of the rest.
func (r *rig) batch(n int) dispatch.Batch {
	from := int(r.worker.place.Head.Count)
	b := dispatch.Batch{Topic: r.topic, From: uint64(from)}
	for i := from; i < len(r.list); i++ {
		if i < n {
			b.Messages = append(b.Messages, enclavetest.Must(scale.Marshal(&r.list[i])))
		} else {
			b.Digests = append(b.Digests, enclavetest.Must(r.list[i].Digest()))
		}
	}
	return b
}

// following is a rig whose role follows a topic of ten messages, at a proven header.
func following(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.worker.place = &dispatch.Place{Topic: r.topic}
	for i := range 10 {
		r.push(strings.Repeat("message ", i))
	}
	r.next()
	return r
}

func (r *rig) bring(b dispatch.Batch) error {
	return r.d.Advance(r.Context(), nil, nil, []dispatch.Batch{b})
}
