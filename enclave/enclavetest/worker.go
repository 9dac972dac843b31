package enclavetest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

// Worker is a worker's enclave in one process with its World. Sync, Step and Restart are for one goroutine; the role's
// doors may be used beside them.
type Worker struct {
	World  *World
	Dir    string
	Keys   *keys.Keyring
	Engine *contract.Engine
	Role   *worker.Role
	Acts   []wire.Act // everything it has said to the chain in this life
	// Split, if set, says how many of n messages the next delivery brings, from 1 to n.
	Split func(n int) int
	// Withhold keeps grants back: requests for keys stay unanswered.
	Withhold bool
	// Pruned is what the relay says is no longer kept of the cluster's topic.
	Pruned uint64

	header   atomic.Pointer[seen]
	answered int // acts that were looked at
	entity   []wire.Message
	entities []wire.Head
	stopped  bool
	node     *Node // whose dispatcher shows the worker its headers, if any
}

type seen struct {
	header light.Header
	at     time.Time
}

// NewWorker starts a worker with a fresh identity whose disk is below dir. It is not a member of the cluster yet.
func NewWorker(w *World, dir string) *Worker {
	x := &Worker{World: w, Dir: dir}
	x.start()
	return x
}

func (x *Worker) start() {
	ctx := context.Background()
	if err := os.MkdirAll(x.Dir, 0o700); err != nil {
		panic(err)
	}
	machine := Must(device.Open(x.Dir, device.Options{
		Measurement: simulated.Measurement("enclavetest"), Rand: rand.Reader, Now: time.Now,
	}))
	x.Keys = Must(keys.Open(ctx, filepath.Join(x.Dir, "keys"), machine, x.World.UID, "pruntime", rand.Reader))
	x.Engine = Must(contract.NewEngine(ctx, contract.DefaultLimits()))
	x.Acts, x.answered, x.stopped = nil, 0, false
	x.entity, x.entities = nil, []wire.Head{{}}
	x.Role = worker.New(worker.Config{
		UID: x.World.UID, Keys: x.Keys, Rand: rand.Reader, Engine: x.Engine,
		Dir: filepath.Join(x.Dir, "clusters"), Header: x.seen,
	})
	x.header.Store(&seen{x.World.Header(), time.Now()})
	x.World.Lives[x.Keys.Identity()] = x.Self()
}

func (x *Worker) seen() (light.Header, time.Duration, bool) {
	if x.node != nil {
		return x.node.Dispatcher.Header()
	}
	s := x.header.Load()
	return s.header, time.Since(s.at), true
}

// Age makes the newest header look as if it had come so long ago.
func (x *Worker) Age(d time.Duration) {
	x.header.Store(&seen{x.header.Load().header, time.Now().Add(-d)})
}

// Stop ends the worker's life, as a program that ends in order does.
func (x *Worker) Stop() {
	if x.stopped {
		return
	}
	x.stopped = true
	x.Role.Stop()
	if err := errors.Join(x.Engine.Close(context.Background()), x.Keys.Close()); err != nil {
		panic(err)
	}
}

// Restart ends the worker's life and begins another on the same disk.
func (x *Worker) Restart() {
	x.Stop()
	x.start()
}

// chain is what the worker believes.
type chain struct{ x *Worker }

func (c chain) UID() wire.ChainUID         { return c.x.World.UID }
func (c chain) Header() light.Header       { return c.x.header.Load().header }
func (c chain) Self() wire.WorkerState     { return c.x.Self() }
func (c chain) Params() wire.NetworkParams { return c.x.World.Params }

func (c chain) Record(k wire.RecordKey) (dispatch.Fact, bool) {
	value := c.x.World.record(k)
	if k == wire.KeyHead(wire.EntityTopic(c.x.Keys.Identity())) {
		value = Must(scale.Marshal(&c.x.entities[len(c.x.entities)-1]))
	}
	return dispatch.Fact{Header: c.x.World.Height, Value: value}, true
}

func (c chain) Act(a wire.Act) error {
	c.x.Acts = append(c.x.Acts, a)
	return nil
}

// Self is the chain's record of the worker.
func (x *Worker) Self() wire.WorkerState {
	key, epoch, err := x.Keys.EcdhKey()
	if err != nil {
		panic(err)
	}
	s := wire.WorkerState{
		Identity: x.Keys.Identity(), Ecdh: wire.EcdhEpoch{Key: key, Epoch: epoch}, Incarnation: x.Keys.Incarnation(),
		Status: wire.WorkerActive,
	}
	if _, member := x.World.Cluster.Member(s.Identity); member {
		s.Clusters = []wire.ClusterID{x.World.Cluster.ID}
	}
	return s
}

// Chain is the worker's view of the chain, for tests that drive the role themselves.
func (x *Worker) Chain() dispatch.Chain { return chain{x} }

// Step shows the worker the newest header and records.
func (x *Worker) Step() error {
	x.header.Store(&seen{x.World.Header(), time.Now()})
	return x.Role.Step(context.Background(), chain{x})
}

// Sync brings the worker everything that is new, until it takes no more.
func (x *Worker) Sync() error {
	for {
		if err := x.Step(); err != nil {
			return err
		}
		x.grant()
		moved := false
		for _, p := range x.Role.Places() {
			m, err := x.deliver(p)
			if err != nil {
				return err
			}
			moved = moved || m
		}
		if !moved {
			return x.Step()
		}
	}
}

func (x *Worker) deliver(p dispatch.Place) (moved bool, err error) {
	messages, heads := x.World.messages, x.World.heads
	var pruned uint64
	if p.Topic.Variant == wire.TopicEntity {
		messages, heads = x.entity, x.entities
	} else {
		pruned = x.Pruned
	}
	from := p.Head.Count
	n := len(messages) - int(from)
	if n == 0 {
		return false, nil
	}
	if x.Split != nil {
		n = x.Split(n)
	}
	d := dispatch.Delivery{
		Place: p, Messages: messages[from:][:n], Digests: digests(messages[from:][:n]), Head: heads[from+uint64(n)], Proven: heads[len(heads)-1], Pruned: pruned,
	}
	if pruned > from {
		d.Messages, d.Digests, d.Head = nil, nil, p.Head
	}
	if err := x.Role.Deliver(context.Background(), chain{x}, d); err != nil {
		return false, err
	}
	for _, q := range x.Role.Places() {
		if q.Topic == p.Topic {
			return q.Head != p.Head, nil
		}
	}
	return true, nil
}

func digests(messages []wire.Message) []wire.Hash {
	out := make([]wire.Hash, len(messages))
	for i := range messages {
		out[i] = Must(messages[i].Digest())
	}
	return out
}

// grant answers, as the gatekeeper, the requests for keys that the worker has made.
func (x *Worker) grant() {
	for ; x.answered < len(x.Acts) && !x.Withhold; x.answered++ {
		post := x.Acts[x.answered].Post
		var b wire.Body
		if post == nil || scale.Unmarshal(post.Payload, &b) != nil || b.KeyRequest == nil {
			continue
		}
		x.Grant(x.World.Gatekeeper, x.World.Grant(b.KeyRequest))
	}
}

// Grant posts a grant in the worker's own topic.
func (x *Worker) Grant(from sr25519.PublicKey, g *wire.KeyGrant) {
	m := wire.Message{
		Height: x.World.Height, Time: x.World.Millis(), Topic: wire.EntityTopic(x.Keys.Identity()),
		Sender:  wire.Sender{Variant: wire.SenderEnclave, Enclave: from},
		Payload: Must(scale.Marshal(&wire.Body{Kind: wire.BodyKeyGrant, KeyGrant: g})),
	}
	x.entity = append(x.entity, m)
	x.entities = append(x.entities, x.entities[len(x.entities)-1].Next(Must(m.Digest())))
}

// Grant makes the gatekeeper's answer to a request, whoever made it.
func (w *World) Grant(q *wire.KeyRequest) *wire.KeyGrant {
	var granted wire.GrantedKeys
	for epoch := q.First; epoch <= q.Last; epoch++ {
		granted.Keys = append(granted.Keys, wire.GrantedKey{Epoch: epoch, Key: [32]byte(w.Key(epoch).ExposeBytes())})
	}
	e := Must(envelope.Seal(rand.Reader, w.UID, Must(ecdh.Generate(rand.Reader)), q.OneTime, 0, commkey.KeyDistribution,
		scale.MustMarshal(&granted)))
	return &wire.KeyGrant{Cluster: q.Cluster, Envelope: e.Marshal()}
}

// Checkpoints are the worker's reports of marks in this life, in the order in which they were made.
func (x *Worker) Checkpoints() []wire.Checkpoint {
	var out []wire.Checkpoint
	for _, a := range x.Acts {
		if a.Checkpoint != nil {
			out = append(out, *a.Checkpoint)
		}
	}
	return out
}

// Status is where the worker stands in the cluster.
func (x *Worker) Status() worker.ClusterStatus {
	for _, s := range x.Role.Status() {
		if s.Cluster == x.World.Cluster.ID {
			return s
		}
	}
	return worker.ClusterStatus{}
}
