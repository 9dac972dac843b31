package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Keys is what a worker needs of the enclave's keys; *keys.Keyring is one.
type Keys interface {
	Identity() sr25519.PublicKey
	Incarnation() wire.Incarnation
	Sign(kind string, body []byte) (sr25519.Signature, error)
	NewOneTime() (*keys.OneTime, error)
	OpenRequest(e *envelope.Envelope) (plaintext []byte, r *keys.Request, err error)
	SealReply(to ecdh.PublicKey, plaintext []byte) (*envelope.Envelope, error)
	LocalKey(kind string) ([]byte, error)
}

// Config is what a [Role] is made of. Every field but one is needed.
type Config struct {
	UID    wire.ChainUID
	Keys   Keys
	Rand   io.Reader // the operating system's CSPRNG outside tests; safe for concurrent use
	Engine *contract.Engine
	// Extension is what contracts reach beyond the engine; the one field that may be nil.
	Extension contract.Extension
	Dir       string // each cluster's state has a directory in it
	// Header is the newest verified header, and how long ago it was verified.
	Header func() (h light.Header, age time.Duration, ok bool)
}

// Role is the worker's role. Step, Places, Deliver and Stop are dispatch's; the other methods are the doors', and safe
// for concurrent use beside them.
type Role struct {
	cfg     Config
	queries chan struct{} // a slot for each query or receipt that may be worked on at a time
	waiters chan struct{} // a slot for each that may wait for the worker to catch up
	away    away          // the queries that wait for servers

	mu       sync.RWMutex
	clusters map[wire.ClusterID]*cluster
	stopped  bool

	entity      *dispatch.Place
	gatekeepers wire.Gatekeepers
}

// New returns the role.
func New(cfg Config) *Role {
	return &Role{
		cfg:      cfg,
		queries:  make(chan struct{}, 4*runtime.GOMAXPROCS(0)),
		waiters:  make(chan struct{}, maxWaiters),
		clusters: map[wire.ClusterID]*cluster{},
	}
}

// Stop closes every cluster and erases its keys. A Step or Deliver that comes later fails with [ErrStopped].
func (r *Role) Stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.leave(nil)
}

// Suspend closes every cluster and erases its keys; Step begins again.
func (r *Role) Suspend() {
	r.leave(nil)
	r.entity = nil
}

// Step follows the own record's list of clusters and lets each do what its records call for.
func (r *Role) Step(_ context.Context, c dispatch.Chain) error {
	if err := r.stepEntity(c); err != nil {
		return err
	}
	self := c.Self()
	r.leave(self.Clusters)
	var errs error
	for _, id := range self.Clusters {
		cl, err := r.join(id)
		if err != nil {
			return err
		}
		if err := cl.step(c); err != nil {
			errs = errors.Join(errs, fmt.Errorf("cluster %s: %w", id, err))
		}
	}
	return errs
}

// stepEntity takes the place in the own topic, at its proven head: older grants are to keys that no longer exist. It
// also learns who the gatekeepers are.
func (r *Role) stepEntity(c dispatch.Chain) error {
	topic := wire.EntityTopic(r.cfg.Keys.Identity())
	if r.entity == nil {
		f, known := c.Record(wire.KeyHead(topic))
		if !known {
			return nil
		}
		place := dispatch.Place{Topic: topic}
		if f.Value != nil {
			if err := scale.Unmarshal(f.Value, &place.Head); err != nil {
				return fmt.Errorf("head of the own topic: %w", err)
			}
		}
		r.entity = &place
	}
	f, known := c.Record(wire.KeyGatekeepers())
	if !known || f.Value == nil {
		return nil
	}
	var g wire.Gatekeepers
	if err := scale.Unmarshal(f.Value, &g); err != nil {
		return fmt.Errorf("gatekeepers record: %w", err)
	}
	r.gatekeepers = g
	return nil
}

// join returns the cluster of an id, new if need be.
func (r *Role) join(id wire.ClusterID) (*cluster, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, ErrStopped
	}
	cl, ok := r.clusters[id]
	if !ok {
		cl = newCluster(id, r.cfg)
		r.clusters[id] = cl
	}
	return cl, nil
}

func (r *Role) find(id wire.ClusterID) (*cluster, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	cl, ok := r.clusters[id]
	return cl, ok
}

// leave stops the clusters that are not in the list. The doors do not wait for that: they find none of them any more.
func (r *Role) leave(member []wire.ClusterID) {
	var left []*cluster
	r.mu.Lock()
	for id, cl := range r.clusters {
		if !slices.Contains(member, id) {
			left = append(left, cl)
			delete(r.clusters, id)
		}
	}
	r.mu.Unlock()
	for _, cl := range left {
		cl.stop()
	}
}

// sorted returns the clusters in the order of their ids.
func (r *Role) sorted() []*cluster {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*cluster, 0, len(r.clusters))
	for _, cl := range r.clusters {
		list = append(list, cl)
	}
	slices.SortFunc(list, func(a, b *cluster) int { return cmp.Compare(a.id.String(), b.id.String()) })
	return list
}

// Places returns the places in the own topic and in those of the clusters that run.
func (r *Role) Places() []dispatch.Place {
	var places []dispatch.Place
	if r.entity != nil {
		places = append(places, *r.entity)
	}
	for _, cl := range r.sorted() {
		if p, ok := cl.place(); ok {
			places = append(places, p)
		}
	}
	return places
}

// Deliver takes messages of the own topic or of a cluster's.
func (r *Role) Deliver(ctx context.Context, c dispatch.Chain, d dispatch.Delivery) error {
	if d.Place.Topic.Variant == wire.TopicEntity {
		r.grants(d.Messages)
		head := d.Head
		if d.Pruned > d.Place.Head.Count {
			head = d.Proven // a grant that is gone is asked for again
		}
		r.entity = &dispatch.Place{Topic: d.Place.Topic, Head: head}
		return r.Step(ctx, c)
	}
	cl, ok := r.find(d.Place.Topic.Cluster)
	if !ok {
		return nil
	}
	return cl.deliver(c, d)
}

// grants hands key grants to their clusters. The sender is whom the chain says; only a gatekeeper's counts.
func (r *Role) grants(messages []wire.Message) {
	for i := range messages {
		m := &messages[i]
		var b wire.Body
		if m.Sender.Variant != wire.SenderEnclave || !r.gatekeepers.Has(m.Sender.Enclave) ||
			scale.Unmarshal(m.Payload, &b) != nil || b.KeyGrant == nil {
			continue
		}
		if cl, ok := r.find(b.KeyGrant.Cluster); ok {
			cl.grant(b.KeyGrant)
		}
	}
}

// Status returns where each cluster stands, in the order of their ids.
func (r *Role) Status() []ClusterStatus {
	list := r.sorted()
	out := make([]ClusterStatus, len(list))
	for i, cl := range list {
		out[i] = *cl.status.Load()
	}
	return out
}
