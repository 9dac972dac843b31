package worker

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of transfers.
const (
	maxExports   = 4   // at a time, of one cluster
	exportExpiry = 200 // blocks
	requestLag   = 200 // blocks that a request's header may be behind
)

// ErrTransfer says that a request, offer or chunk of a state transfer is not what it should be.
var ErrTransfer = errors.New("state transfer is malformed, not for this worker, or not signed by a member")

// exporting is a snapshot on its way to another member.
type exporting struct {
	request wire.StateRequest
	since   uint64
	granted bool
	refused bool
	offer   []byte
	own     *keys.OneTime
	next    func() ([]byte, bool)
	end     func()
	index   uint32
	last    []byte // the chunk of index, in its envelope, for a relay that asks again
}

func (e *exporting) stop() {
	if e.end != nil {
		e.end()
	}
	if e.own != nil {
		e.own.Zero()
	}
}

// ExportState answers another member's signed request for the cluster's state: with chunk 0 come the offer and the
// first chunk, the others follow in order. It answers [ErrNotYet] until the chain's records have shown who asks, and
// while no finalized mark is at hand.
func (r *Role) ExportState(_ context.Context, raw []byte, chunk uint32) (offer, sealedChunk []byte, err error) {
	var signed wire.SignedStateRequest
	if scale.Unmarshal(raw, &signed) != nil || signed.Request.From != r.cfg.Keys.Identity() {
		return nil, nil, ErrTransfer
	}
	text := wire.SigningText(wire.KindStateRequest, r.cfg.UID, scale.MustMarshal(&signed.Request))
	if sr25519.Verify(signed.Request.Identity, text, signed.Signature) != nil {
		return nil, nil, ErrTransfer
	}
	cl, ok := r.find(signed.Request.Cluster)
	if !ok {
		return nil, nil, ErrUnknownCluster
	}
	return cl.export(signed.Request, chunk)
}

func (cl *cluster) export(q wire.StateRequest, chunk uint32) (offer, sealedChunk []byte, err error) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	h, _, ok := cl.cfg.Header()
	if !ok || cl.phase != phaseRunning || cl.record == nil {
		return nil, nil, ErrNotRunning
	}
	if _, ok := cl.record.Member(q.Identity); !ok || q.Height+requestLag < h.Height || q.Identity == cl.cfg.Keys.Identity() {
		return nil, nil, ErrTransfer
	}
	e, ok := cl.exports[q.Identity]
	if !ok || e.request != q {
		return nil, nil, cl.enlist(q, e, h.Height)
	}
	if e.refused {
		return nil, nil, ErrTransfer
	}
	if !e.granted {
		return nil, nil, ErrNotYet
	}
	if e.offer == nil {
		if err := cl.begin(e); err != nil {
			return nil, nil, err
		}
	}
	if sealedChunk, err = e.chunk(chunk); err != nil {
		return nil, nil, err
	}
	return e.offer, sealedChunk, nil
}

// enlist takes up a request, in place of the same member's before, if it made one. It answers ErrNotYet: the requester's
// record is to be proven first.
func (cl *cluster) enlist(q wire.StateRequest, before *exporting, height uint64) error {
	switch {
	case before == nil && len(cl.exports) >= maxExports:
		return ErrBusy
	case before != nil && q.Height < before.request.Height:
		return fmt.Errorf("%w: it has made a newer request", ErrTransfer)
	case before != nil:
		before.stop()
	}
	cl.exports[q.Identity] = &exporting{request: q, since: height}
	return ErrNotYet
}

// stepExports asks for the records of those who ask for the state, and judges them, at each header anew.
func (cl *cluster) stepExports(c dispatch.Chain) error {
	for pk, e := range cl.exports {
		if c.Header().Height > e.since+exportExpiry {
			e.stop()
			delete(cl.exports, pk)
			continue
		}
		if e.refused {
			continue
		}
		f, known := c.Record(wire.KeyWorker(e.request.Identity))
		if !known {
			continue
		}
		var w wire.WorkerState
		if f.Value != nil {
			if err := scale.Unmarshal(f.Value, &w); err != nil {
				return fmt.Errorf("worker record: %w", err)
			}
		}
		_, member := cl.record.Member(e.request.Identity)
		e.granted = f.Value != nil && member && w.Status == wire.WorkerActive && w.Incarnation == e.request.Incarnation
		if e.refused = !e.granted; e.refused {
			e.stop()
		}
	}
	return nil
}

// begin signs the offer of the newest finalized mark whose view is at hand.
func (cl *cluster) begin(e *exporting) error {
	f := cl.record.Finalized
	if f == nil {
		return ErrNotYet
	}
	var view *state.View
	for _, v := range cl.marks {
		if v.Count() == f.Count && v.Root() == f.StateRoot && v.RootEpoch() == f.KeyEpoch {
			view = v
		}
	}
	if view == nil {
		return ErrNotYet
	}
	own, err := cl.cfg.Keys.NewOneTime()
	if err != nil {
		return fmt.Errorf("one-time key: %w", err)
	}
	offer := wire.SignedStateOffer{Offer: wire.StateOffer{
		Request: e.request.Hash(), Cluster: cl.id, Identity: cl.cfg.Keys.Identity(), OneTime: own.Public(),
		Mark: f.Mark, Count: f.Count, KeyEpoch: f.KeyEpoch, StateRoot: f.StateRoot,
		Chunks: uint32(state.ChunkCount(view)),
	}}
	if offer.Signature, err = cl.cfg.Keys.Sign(wire.KindStateOffer, scale.MustMarshal(&offer.Offer)); err != nil {
		own.Zero()
		return fmt.Errorf("state offer: %w", err)
	}
	e.own = own
	e.offer = scale.MustMarshal(&offer)
	e.next, e.end = iter.Pull(state.Export(view))
	return nil
}

// chunk returns the envelope of a chunk: the one after the last, or the last again.
func (e *exporting) chunk(index uint32) ([]byte, error) {
	if e.last != nil && index == e.index {
		return e.last, nil
	}
	if e.last == nil && index != 0 || e.last != nil && index != e.index+1 {
		return nil, fmt.Errorf("%w: chunks come in order", ErrTransfer)
	}
	data, ok := e.next()
	if !ok {
		return nil, fmt.Errorf("%w: no such chunk", ErrTransfer)
	}
	plain, err := scale.Marshal(&wire.StateChunk{Request: e.request.Hash(), Index: index, Data: data})
	if err != nil {
		return nil, err
	}
	env, err := e.own.Seal(e.request.OneTime, commkey.StateTransfer, plain)
	clear(plain)
	clear(data)
	if err != nil {
		return nil, fmt.Errorf("state chunk: %w", err)
	}
	e.index, e.last = index, env.Marshal()
	return e.last, nil
}

// importing is a snapshot on its way here.
type importing struct {
	request  wire.StateRequest
	member   sr25519.PublicKey
	oneTime  *keys.OneTime
	offer    *wire.StateOffer
	sender   ecdh.PublicKey
	importer *state.Importer
	next     uint32
}

func (i *importing) zero() {
	if i != nil {
		i.oneTime.Zero()
	}
}

// RequestState returns a signed request for the cluster's state, to another member. It replaces an earlier one.
func (r *Role) RequestState(id wire.ClusterID, member sr25519.PublicKey) ([]byte, error) {
	cl, ok := r.find(id)
	if !ok {
		return nil, ErrUnknownCluster
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	h, _, ok := cl.cfg.Header()
	if !ok || cl.phase != phaseState {
		return nil, ErrNotYet
	}
	oneTime, err := cl.cfg.Keys.NewOneTime()
	if err != nil {
		return nil, fmt.Errorf("one-time key: %w", err)
	}
	q := wire.StateRequest{
		Cluster: id, Identity: cl.cfg.Keys.Identity(), Incarnation: cl.cfg.Keys.Incarnation(),
		From: member, OneTime: oneTime.Public(), Height: h.Height,
	}
	sig, err := cl.cfg.Keys.Sign(wire.KindStateRequest, scale.MustMarshal(&q))
	if err != nil {
		oneTime.Zero()
		return nil, fmt.Errorf("state request: %w", err)
	}
	cl.imp.zero()
	cl.imp = &importing{request: q, member: member, oneTime: oneTime}
	return scale.Marshal(&wire.SignedStateRequest{Request: q, Signature: sig})
}

// ImportState takes a chunk of the answer to the last RequestState. With the last one it checks the whole against the
// finalized root that the chain has proven, and only then is anything of it kept. [ErrNotYet] says that this worker or
// the other is a mark behind: the relay brings the same again after the next header. After any other error it begins
// anew with RequestState.
func (r *Role) ImportState(_ context.Context, offer []byte, index uint32, chunk []byte) (done bool, err error) {
	var signed wire.SignedStateOffer
	if scale.Unmarshal(offer, &signed) != nil {
		return false, ErrTransfer
	}
	cl, ok := r.find(signed.Offer.Cluster)
	if !ok {
		return false, ErrUnknownCluster
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.phase != phaseState || cl.imp == nil {
		return false, ErrNotYet
	}
	done, err = cl.take(&signed, index, chunk)
	if done || err != nil && !errors.Is(err, ErrNotYet) {
		cl.imp.zero()
		cl.imp = nil
	}
	cl.publishStatus()
	return done, err
}

func (cl *cluster) take(signed *wire.SignedStateOffer, index uint32, chunk []byte) (bool, error) {
	i := cl.imp
	if i.offer == nil {
		if err := cl.accept(signed); err != nil {
			return false, err
		}
	}
	if signed.Offer != *i.offer || index != i.next || index >= i.offer.Chunks {
		return false, ErrTransfer
	}
	e, err := envelope.Parse(chunk)
	if err != nil || e.Sender != i.sender {
		return false, ErrTransfer
	}
	plain, err := i.oneTime.Open(e, commkey.StateTransfer)
	if err != nil {
		return false, ErrTransfer
	}
	defer clear(plain)
	var c wire.StateChunk
	if scale.Unmarshal(plain, &c) != nil || c.Request != i.offer.Request || c.Index != index {
		return false, ErrTransfer
	}
	if err := i.importer.Add(c.Data); err != nil {
		return false, fmt.Errorf("%w: %w", ErrTransfer, err)
	}
	if i.next++; i.next < i.offer.Chunks {
		return false, nil
	}
	return true, cl.finish(i)
}

// accept checks an offer: signed by the member that was asked, for this request, of the finalized state that the chain
// has proven.
func (cl *cluster) accept(signed *wire.SignedStateOffer) error {
	i, o := cl.imp, signed.Offer
	text := wire.SigningText(wire.KindStateOffer, cl.cfg.UID, scale.MustMarshal(&o))
	if o.Identity != i.member || o.Request != i.request.Hash() || sr25519.Verify(o.Identity, text, signed.Signature) != nil {
		return ErrTransfer
	}
	f := cl.record.Finalized
	if f == nil || f.Mark < o.Mark {
		return ErrNotYet
	}
	if f.Mark != o.Mark || f.Count != o.Count || f.StateRoot != o.StateRoot || f.KeyEpoch != o.KeyEpoch || o.Chunks == 0 {
		return fmt.Errorf("%w: the offer is not of the finalized state", ErrTransfer)
	}
	i.offer, i.sender = &o, o.OneTime
	i.importer = state.NewImporter(state.Limits{}, maxStateBytes+maxStateBytes/4)
	return nil
}

func (cl *cluster) finish(i *importing) error {
	root, ok := cl.keys.rootKey(i.offer.KeyEpoch)
	if !ok {
		return errMissingKey
	}
	tree, err := i.importer.Finish(cl.ctx, i.offer.Count, i.offer.KeyEpoch, root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTransfer, err)
	}
	if tree.View().Root() != [32]byte(i.offer.StateRoot) {
		return fmt.Errorf("%w: the state has another root than the finalized one", ErrTransfer)
	}
	if err := cl.store.Replace(tree, nil); err != nil {
		return cl.fail(err)
	}
	if err := cl.adopt(); err != nil {
		return cl.fail(err)
	}
	cl.phase = phaseRunning
	return nil
}
