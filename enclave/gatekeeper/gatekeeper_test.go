package gatekeeper_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/gatekeeper"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

var uid = wire.ChainUID{4}

// chain plays the chain towards the gatekeeper.
type chain struct {
	*testing.T
	role    *gatekeeper.Role
	ring    *keys.Keyring
	height  uint64
	records map[wire.RecordKey][]byte
	unknown map[wire.RecordKey]bool
	acts    []wire.Act
	head    wire.Head
}

func (c *chain) UID() wire.ChainUID         { return uid }
func (c *chain) Header() light.Header       { return light.Header{Height: c.height} }
func (c *chain) Self() wire.WorkerState     { return wire.WorkerState{} }
func (c *chain) Params() wire.NetworkParams { return wire.NetworkParams{} }
func (c *chain) Act(a wire.Act) error       { c.acts = append(c.acts, a); return nil }
func (c *chain) Record(k wire.RecordKey) (dispatch.Fact, bool) {
	return dispatch.Fact{Header: c.height, Value: c.records[k]}, !c.unknown[k]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func openRing(t *testing.T, dir string) *keys.Keyring {
	t.Helper()
	machine := must(device.Open(dir, device.Options{Measurement: simulated.Measurement("test"), Rand: rand.Reader, Now: time.Now}))
	ring := must(keys.Open(t.Context(), dir+"/keys", machine, uid, "pruntime", rand.Reader))
	t.Cleanup(func() { ring.Close() })
	return ring
}

func newChain(t *testing.T) *chain {
	t.Helper()
	ring := openRing(t, t.TempDir())
	c := &chain{T: t, role: gatekeeper.New(ring), ring: ring, height: 10, records: map[wire.RecordKey][]byte{}, unknown: map[wire.RecordKey]bool{}}
	c.put(wire.KeyGatekeepers(), &wire.Gatekeepers{Members: []sr25519.PublicKey{ring.Identity()}})
	return c
}

func (c *chain) put(k wire.RecordKey, r scale.Record) { c.records[k] = must(scale.Marshal(r)) }

func (c *chain) step() {
	c.Helper()
	if err := c.role.Step(c.Context(), c); err != nil {
		c.Fatal(err)
	}
}

// ready is a chain whose MasterKey is the gatekeeper's.
func ready(t *testing.T) *chain {
	c := newChain(t)
	c.step()
	if len(c.acts) != 1 || c.acts[0].MasterKey == nil {
		t.Fatalf("%+v", c.acts)
	}
	c.put(wire.KeyMasterKey(), &wire.MasterKeyRecord{Threshold: 1, Key: c.acts[0].MasterKey.Key})
	c.acts = nil
	c.step()
	return c
}

// asker is a worker that asks for keys.
type asker struct {
	state   wire.WorkerState
	oneTime *ecdh.PrivateKey
}

func (c *chain) newAsker() *asker {
	a := &asker{oneTime: must(ecdh.Generate(rand.Reader))}
	a.state = wire.WorkerState{
		Identity: must(sr25519.Generate(rand.Reader)).Public(), Ecdh: wire.EcdhEpoch{Key: must(ecdh.Generate(rand.Reader)).Public()},
		Incarnation: wire.Incarnation{1}, AttestedAt: 5,
	}
	c.put(wire.KeyWorker(a.state.Identity), &a.state)
	return a
}

func (c *chain) deliver(messages ...wire.Message) error {
	c.Helper()
	d := dispatch.Delivery{Place: dispatch.Place{Topic: wire.GatekeepersTopic(), Head: c.head}, Messages: messages, Head: c.head}
	for i := range messages {
		digest := must(messages[i].Digest())
		d.Digests = append(d.Digests, digest)
		d.Head = d.Head.Next(digest)
	}
	d.Proven = d.Head
	err := c.role.Deliver(c.Context(), c, d)
	if err == nil {
		c.head = d.Head
	}
	return err
}

func (c *chain) ask(a *asker, cluster wire.ClusterID, first, last uint32) wire.Message {
	q := &wire.KeyRequest{Cluster: cluster, First: first, Last: last, OneTime: a.oneTime.Public()}
	return wire.Message{
		Height: c.height, Topic: wire.GatekeepersTopic(), Sender: wire.Sender{Variant: wire.SenderEnclave, Enclave: a.state.Identity},
		Payload: must(scale.Marshal(&wire.Body{Kind: wire.BodyKeyRequest, KeyRequest: q})),
	}
}

// granted opens the answers to an asker.
func (c *chain) granted(a *asker) []wire.GrantedKey {
	c.Helper()
	var out []wire.GrantedKey
	for _, act := range c.acts {
		if act.Post == nil || act.Post.Topic != wire.EntityTopic(a.state.Identity) {
			continue
		}
		var b wire.Body
		if err := scale.Unmarshal(act.Post.Payload, &b); err != nil {
			c.Fatal(err)
		}
		e := must(envelope.Parse(b.KeyGrant.Envelope))
		if e.Purpose != commkey.KeyDistribution {
			c.Fatalf("purpose %s", e.Purpose)
		}
		plain, err := e.Open(uid, a.oneTime)
		if err != nil {
			c.Fatal(err)
		}
		var keys wire.GrantedKeys
		if err := scale.Unmarshal(plain, &keys); err != nil {
			c.Fatal(err)
		}
		out = append(out, keys.Keys...)
	}
	return out
}

// Keys go only to those who the proven records say may have them.
func TestGrants(t *testing.T) {
	cluster := wire.ClusterID{1}
	for what, test := range map[string]struct {
		change      func(c *chain, a *asker, x *wire.Cluster)
		first, last uint32
		want        int
	}{
		"a member":                  {nil, 0, 2, 3},
		"one epoch":                 {nil, 2, 2, 1},
		"no member":                 {func(_ *chain, _ *asker, x *wire.Cluster) { x.Members = nil }, 0, 2, 0},
		"an epoch before its time":  {func(_ *chain, _ *asker, x *wire.Cluster) { x.Members[0].SinceEpoch = 1 }, 0, 2, 0},
		"from its time on":          {func(_ *chain, _ *asker, x *wire.Cluster) { x.Members[0].SinceEpoch = 1 }, 1, 2, 2},
		"an epoch to come":          {nil, 0, 3, 0},
		"epochs the wrong way":      {nil, 2, 1, 0},
		"all epochs there could be": {nil, 0, ^uint32(0), 0},
		"too many":                  {func(_ *chain, _ *asker, x *wire.Cluster) { x.KeyEpoch = 1000 }, 0, wire.MaxKeyEpochs, 0},
		"as many as may be":         {func(_ *chain, _ *asker, x *wire.Cluster) { x.KeyEpoch = 1000 }, 1, wire.MaxKeyEpochs, wire.MaxKeyEpochs},
		"suspended": {func(c *chain, a *asker, _ *wire.Cluster) {
			a.state.Status = wire.WorkerSuspended
			c.put(wire.KeyWorker(a.state.Identity), &a.state)
		}, 0, 2, 0},
		"expired": {func(c *chain, a *asker, _ *wire.Cluster) {
			a.state.Status = wire.WorkerExpired
			c.put(wire.KeyWorker(a.state.Identity), &a.state)
		}, 0, 2, 0},
		"a life that has ended": {func(c *chain, a *asker, _ *wire.Cluster) {
			a.state.AttestedAt = c.height
			c.put(wire.KeyWorker(a.state.Identity), &a.state)
		}, 0, 2, 0},
		"not registered": {func(c *chain, a *asker, _ *wire.Cluster) { delete(c.records, wire.KeyWorker(a.state.Identity)) }, 0, 2, 0},
	} {
		c := ready(t)
		a := c.newAsker()
		x := &wire.Cluster{ID: cluster, KeyEpoch: 2, Members: []wire.Member{{Identity: a.state.Identity}}}
		if test.change != nil {
			test.change(c, a, x)
		}
		c.put(wire.KeyCluster(cluster), x)
		if err := c.deliver(c.ask(a, cluster, test.first, test.last)); err != nil {
			t.Fatal(err)
		}
		c.step()
		got := c.granted(a)
		if len(got) != test.want {
			t.Errorf("%s: %d keys, want %d", what, len(got), test.want)
		}
		for i, k := range got {
			want := must(c.ring.ClusterKey(cluster, test.first+uint32(i))).ExposeBytes()
			if k.Epoch != test.first+uint32(i) || string(k.Key[:]) != string(want) {
				t.Errorf("%s: key %d is another", what, i)
			}
		}
		before := len(c.acts)
		c.step()
		if len(c.acts) != before {
			t.Errorf("%s: answered twice", what)
		}
	}
}

// What is no request of an enclave is nothing; what is not proven waits, for a while.
func TestRequests(t *testing.T) {
	c := ready(t)
	cluster := wire.ClusterID{1}
	a := c.newAsker()
	c.put(wire.KeyCluster(cluster), &wire.Cluster{ID: cluster, Members: []wire.Member{{Identity: a.state.Identity}}})
	byAccount := c.ask(a, cluster, 0, 0)
	byAccount.Sender = wire.Sender{Variant: wire.SenderAccount}
	byChain := c.ask(a, cluster, 0, 0)
	byChain.Sender = wire.Sender{Variant: wire.SenderChain}
	junk := c.ask(a, cluster, 0, 0)
	junk.Payload = []byte("junk")
	if err := c.deliver(byAccount, byChain, junk); err != nil {
		t.Fatal(err)
	}
	c.step()
	if len(c.acts) != 0 {
		t.Fatalf("%+v", c.acts)
	}
	c.unknown[wire.KeyWorker(a.state.Identity)] = true
	if err := c.deliver(c.ask(a, cluster, 0, 0)); err != nil {
		t.Fatal(err)
	}
	c.step()
	if len(c.acts) != 0 {
		t.Fatal("granted without a proof")
	}
	again := must(ecdh.Generate(rand.Reader))
	a.oneTime = again
	if err := c.deliver(c.ask(a, cluster, 0, 0)); err != nil {
		t.Fatal(err)
	}
	c.unknown = map[wire.RecordKey]bool{}
	c.step()
	if got := c.granted(a); len(got) != 1 {
		t.Fatalf("%d keys to the newest one-time key", len(got))
	}
	// A flood is bounded, and ends when the records are proven or its time is over.
	var flood []wire.Message
	for range 400 {
		b := c.newAsker()
		c.unknown[wire.KeyWorker(b.state.Identity)] = true
		flood = append(flood, c.ask(b, cluster, 0, 0))
	}
	if err := c.deliver(flood...); err != nil {
		t.Fatal(err)
	}
	c.step()
	if err := c.deliver(flood[0]); !errors.Is(err, gatekeeper.ErrBusy) {
		t.Fatalf("after a flood: %v", err)
	}
	c.height += 50
	c.step()
	c.acts = nil
	if err := c.deliver(c.ask(a, cluster, 0, 0)); err != nil {
		t.Fatal(err)
	}
	c.step()
	if got := c.granted(a); len(got) != 1 {
		t.Fatal("no answer after a flood")
	}
}

// The MasterKey is made once, by the first gatekeeper, sealed before it is announced; a lost one is named.
func TestMasterKey(t *testing.T) {
	dir := t.TempDir()
	ring := openRing(t, dir)
	c := &chain{T: t, role: gatekeeper.New(ring), ring: ring, height: 10, records: map[wire.RecordKey][]byte{}, unknown: map[wire.RecordKey]bool{}}
	c.unknown[wire.KeyMasterKey()] = true
	c.put(wire.KeyGatekeepers(), &wire.Gatekeepers{Members: []sr25519.PublicKey{ring.Identity()}})
	c.step()
	if _, made := ring.MasterPublic(); made || len(c.acts) != 0 {
		t.Fatal("made before the chain was proven to have none")
	}
	c.unknown = map[wire.RecordKey]bool{}
	c.put(wire.KeyGatekeepers(), &wire.Gatekeepers{Members: []sr25519.PublicKey{must(sr25519.Generate(rand.Reader)).Public(), ring.Identity()}})
	c.step()
	if _, made := ring.MasterPublic(); made || len(c.acts) != 0 {
		t.Fatal("made by the second gatekeeper")
	}
	c.put(wire.KeyGatekeepers(), &wire.Gatekeepers{Members: []sr25519.PublicKey{ring.Identity()}})
	c.step()
	if len(c.acts) != 1 {
		t.Fatal("not announced")
	}
	announced := c.acts[0].MasterKey.Key
	c.step()
	if len(c.acts) != 1 {
		t.Fatal("announced twice at once")
	}
	c.height += 10
	c.step()
	if len(c.acts) != 2 || c.acts[1].MasterKey.Key != announced {
		t.Fatal("not announced again")
	}
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	ring = openRing(t, dir)
	if held, ok := ring.MasterPublic(); !ok || held != announced {
		t.Fatal("what was announced is not sealed")
	}
	c.role = gatekeeper.New(ring)
	c.acts = nil
	c.step()
	if len(c.acts) != 1 || c.acts[0].MasterKey.Key != announced {
		t.Fatal("after a start another key is announced")
	}
	lost := newChain(t)
	lost.put(wire.KeyMasterKey(), &wire.MasterKeyRecord{Threshold: 1, Key: announced})
	if err := lost.role.Step(t.Context(), lost); !errors.Is(err, gatekeeper.ErrLostMasterKey) {
		t.Fatal(err)
	}
	if _, made := lost.ring.MasterPublic(); made {
		t.Fatal("a second master key was made")
	}
	a := lost.newAsker()
	if err := lost.deliver(lost.ask(a, wire.ClusterID{1}, 0, 0)); err != nil {
		t.Fatal(err)
	}
	_ = lost.role.Step(t.Context(), lost)
	if len(lost.acts) != 0 {
		t.Fatal("granted under another master key")
	}
}
