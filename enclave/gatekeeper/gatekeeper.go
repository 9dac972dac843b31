// Package gatekeeper is the role of an enclave that the registry has named a gatekeeper: it holds the MasterKey and
// gives ClusterKeys to the members of clusters.
//
// [New] makes the role; dispatch drives it. The MasterKey has one holder, the first gatekeeper of the list; the
// formats and the derivation are those of n holders.
//
// What is promised: a ClusterKey is given only in an envelope of purpose 3, to the one-time key of a request that is
// in the gatekeepers' topic, and only when records proven against the newest verified header show the requester to be
// active in the incarnation that asked, and a member of the cluster with a right to each epoch asked for. The
// MasterKey is made only when the chain is proven to have none, and is sealed before it is announced.
package gatekeeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	maxPending      = 256 // requests whose records are awaited
	announceAgain   = 10  // blocks after which an announcement without effect is repeated
	requestPatience = 30  // blocks after which an unanswered request is dropped; its worker repeats it after 10
)

// Errors that the status shows.
var (
	// ErrLostMasterKey says that the chain's MasterKey is not the one this enclave holds: its disk is older, or gone.
	ErrLostMasterKey = errors.New("the chain's master key is not held here")
	// ErrBusy says that too many requests wait for their records.
	ErrBusy = errors.New("too many key requests wait for their records")
)

// Keys is what a gatekeeper needs of the enclave's keys.
type Keys interface {
	Identity() sr25519.PublicKey
	// MasterPublic returns the public MasterKey, false where there is none.
	MasterPublic() (group.Element, bool)
	// GenerateMasterKey makes and seals a MasterKey.
	GenerateMasterKey(ctx context.Context) (group.Element, error)
	// ClusterKey derives the ClusterKey of a key epoch.
	ClusterKey(cluster [32]byte, epoch uint32) (*hierarchy.ClusterKey, error)
	// NewOneTime draws the key that a grant comes from.
	NewOneTime() (*keys.OneTime, error)
}

// Role is the gatekeeper's role.
type Role struct {
	keys      Keys
	place     *dispatch.Place
	pending   []request
	announced uint64
	master    bool // whether the chain's MasterKey is the one that is held
}

type request struct {
	body   wire.KeyRequest
	from   sr25519.PublicKey
	digest wire.Hash
	height uint64
}

// New returns the role.
func New(keys Keys) *Role { return &Role{keys: keys} }

// Stop forgets the pending requests.
func (r *Role) Stop() { r.Suspend() }

// Suspend forgets the pending requests and its place.
func (r *Role) Suspend() { r.pending, r.place, r.master = nil, nil, false }

// Places returns the place in the gatekeepers' topic once its head was proven.
func (r *Role) Places() []dispatch.Place {
	if r.place == nil {
		return nil
	}
	return []dispatch.Place{*r.place}
}

// Step makes or checks the MasterKey and answers the requests whose records are proven.
func (r *Role) Step(ctx context.Context, c dispatch.Chain) error {
	if err := r.start(c); err != nil {
		return err
	}
	if err := r.masterKey(ctx, c); err != nil {
		return err
	}
	if !r.master {
		return nil
	}
	var kept []request
	for _, q := range r.pending {
		done, err := r.answer(c, q)
		if err != nil {
			return err
		}
		if !done && q.height+requestPatience > c.Header().Height {
			kept = append(kept, q)
		}
	}
	r.pending = kept
	return nil
}

// start takes its place at the proven head: who asked an earlier incarnation asks again.
func (r *Role) start(c dispatch.Chain) error {
	if r.place != nil {
		return nil
	}
	f, known := c.Record(wire.KeyHead(wire.GatekeepersTopic()))
	if !known {
		return nil
	}
	place := dispatch.Place{Topic: wire.GatekeepersTopic()}
	if f.Value != nil {
		if err := scale.Unmarshal(f.Value, &place.Head); err != nil {
			return fmt.Errorf("head of the gatekeepers' topic: %w", err)
		}
	}
	r.place = &place
	return nil
}

// masterKey compares the chain's MasterKey with the held one. Where the chain is proven to have none, the first
// gatekeeper makes it, seals it and announces it.
func (r *Role) masterKey(ctx context.Context, c dispatch.Chain) error {
	if r.master {
		return nil
	}
	f, known := c.Record(wire.KeyMasterKey())
	if !known {
		return nil
	}
	held, have := r.keys.MasterPublic()
	if f.Value != nil {
		var rec wire.MasterKeyRecord
		if err := scale.Unmarshal(f.Value, &rec); err != nil {
			return fmt.Errorf("master key record: %w", err)
		}
		if !have || held != rec.Key {
			return ErrLostMasterKey
		}
		r.master = true
		return nil
	}
	first, err := r.first(c)
	if err != nil || !first {
		return err
	}
	if r.announced != 0 && r.announced+announceAgain > c.Header().Height {
		return nil
	}
	if !have {
		if held, err = r.keys.GenerateMasterKey(ctx); err != nil {
			return fmt.Errorf("master key: %w", err)
		}
	}
	r.announced = c.Header().Height
	return c.Act(wire.Act{Kind: wire.ActMasterKey, MasterKey: &wire.MasterKeyReport{Key: held}})
}

func (r *Role) first(c dispatch.Chain) (bool, error) {
	f, known := c.Record(wire.KeyGatekeepers())
	if !known || f.Value == nil {
		return false, nil
	}
	var gks wire.Gatekeepers
	if err := scale.Unmarshal(f.Value, &gks); err != nil {
		return false, fmt.Errorf("gatekeepers record: %w", err)
	}
	return len(gks.Members) > 0 && gks.Members[0] == r.keys.Identity(), nil
}

// Deliver takes the requests out of messages; whatever else is in the topic is nothing to this role.
func (r *Role) Deliver(_ context.Context, c dispatch.Chain, d dispatch.Delivery) error {
	if d.Pruned > d.Place.Head.Count {
		r.place = &dispatch.Place{Topic: d.Place.Topic, Head: d.Proven} // whose request is gone asks again
		return nil
	}
	if len(r.pending)+len(d.Messages) > maxPending && len(r.pending) > 0 {
		return ErrBusy
	}
	for i := range d.Messages {
		m := &d.Messages[i]
		var body wire.Body
		if m.Sender.Variant != wire.SenderEnclave || scale.Unmarshal(m.Payload, &body) != nil || body.KeyRequest == nil {
			continue
		}
		r.enqueue(request{*body.KeyRequest, m.Sender.Enclave, d.Digests[i], m.Height})
	}
	r.place = &dispatch.Place{Topic: d.Place.Topic, Head: d.Head}
	return nil
}

// enqueue replaces an older request of the same worker for the same cluster, whose one-time key it has given up.
func (r *Role) enqueue(q request) {
	for i, p := range r.pending {
		if p.from == q.from && p.body.Cluster == q.body.Cluster {
			r.pending[i] = q
			return
		}
	}
	if len(r.pending) < maxPending {
		r.pending = append(r.pending, q)
	}
}

// answer reports whether the request is dealt with: granted, or refused by what is proven.
func (r *Role) answer(c dispatch.Chain, q request) (done bool, err error) {
	w, wKnown := c.Record(wire.KeyWorker(q.from))
	x, xKnown := c.Record(wire.KeyCluster(q.body.Cluster))
	if !wKnown || !xKnown {
		return false, nil
	}
	if w.Value == nil || x.Value == nil {
		return true, nil
	}
	var worker wire.WorkerState
	if err := scale.Unmarshal(w.Value, &worker); err != nil {
		return false, fmt.Errorf("worker record: %w", err)
	}
	var cluster wire.Cluster
	if err := scale.Unmarshal(x.Value, &cluster); err != nil {
		return false, fmt.Errorf("cluster record: %w", err)
	}
	if !entitled(&worker, &cluster, &q) {
		return true, nil
	}
	grant, err := r.grant(q)
	if err != nil {
		return false, err
	}
	payload, err := scale.Marshal(&wire.Body{Kind: wire.BodyKeyGrant, KeyGrant: grant})
	if err != nil {
		return false, fmt.Errorf("key grant: %w", err)
	}
	post := &wire.Post{Topic: wire.EntityTopic(q.from), Payload: payload}
	return true, c.Act(wire.Act{Kind: wire.ActPost, Post: post})
}

// entitled judges a request by the proven records. The chain takes messages from the newest incarnation only, so a
// request above the height of the newest registration is of that incarnation.
func entitled(w *wire.WorkerState, x *wire.Cluster, q *request) bool {
	member, ok := x.Member(q.from)
	return ok &&
		w.Identity == q.from &&
		w.Status == wire.WorkerActive &&
		q.height > w.AttestedAt &&
		q.body.First >= member.SinceEpoch &&
		q.body.First <= q.body.Last &&
		q.body.Last <= x.KeyEpoch &&
		q.body.Last-q.body.First < wire.MaxKeyEpochs
}

func (r *Role) grant(q request) (*wire.KeyGrant, error) {
	var keys wire.GrantedKeys
	defer keys.Zero()
	for epoch := q.body.First; epoch <= q.body.Last; epoch++ {
		key, err := r.keys.ClusterKey(q.body.Cluster, epoch)
		if err != nil {
			return nil, fmt.Errorf("cluster key: %w", err)
		}
		raw := key.ExposeBytes()
		keys.Keys = append(keys.Keys, wire.GrantedKey{Epoch: epoch, Key: [32]byte(raw)})
		clear(raw)
		key.Zero()
	}
	plain, err := scale.Marshal(&keys)
	if err != nil {
		return nil, fmt.Errorf("granted keys: %w", err)
	}
	defer clear(plain)
	own, err := r.keys.NewOneTime()
	if err != nil {
		return nil, fmt.Errorf("one-time key: %w", err)
	}
	defer own.Zero()
	env, err := own.Seal(q.body.OneTime, commkey.KeyDistribution, plain)
	if err != nil {
		return nil, fmt.Errorf("key grant: %w", err)
	}
	return &wire.KeyGrant{Cluster: q.body.Cluster, Request: q.digest, Envelope: env.Marshal()}, nil
}
