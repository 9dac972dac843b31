// Package handover moves an identity's keys from one release of pRuntime to the next (docs/spec/handover.md).
//
// [New] makes a [Custody]. The new release's side is [Custody.Prepare], which asks, and [Custody.Accept], which takes; the old
// release's is a role that [Custody.Watch] puts around its own: it waits in the identity's own topic for the chain's word that
// a new release has asked, and then gives every key away. dispatch is told by the Custody whether the keys are here.
//
// What is promised: keys are given only on the chain's own message in the identity's topic, which names this identity and the
// operator of its record, and only to a program that a record proven at the newest verified header shows to be allowed, after
// the delay that the network's parameters ask for. They are taken only from the identity that was asked for, by a release whose
// program is proven to be allowed still, at a header above the message's. At every instant one of the two holds them: see
// package keys.
package handover

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// Errors that the one who drives the handover can act on.
var (
	// ErrNotReady says that a header or a record is not proven yet: its relay brings it, then ask again.
	ErrNotReady = errors.New("handover: the chain's records are not proven yet; ask again when the relay has brought them")
	// ErrNoIdentity says that the chain has no record of the identity whose keys are asked for.
	ErrNoIdentity = errors.New("handover: the chain has no worker of this identity")
	// ErrOperator says that another account is the identity's operator.
	ErrOperator = errors.New("handover: another account is the operator of this identity")
	// ErrNotAllowed says that the chain does not allow the new release's program, or not for long enough.
	ErrNotAllowed = errors.New("handover: the chain does not allow the new release's program now")
)

// Keys is what a handover needs of the enclave's keys; *keys.Keyring is one.
type Keys interface {
	Identity() sr25519.PublicKey
	Standing() keys.Standing
	PrepareHandover(ctx context.Context) (ecdh.PublicKey, error)
	HandOver(ctx context.Context, request *wire.HandoverRequest, program wire.Hash, height uint64) error
	Handed() ([]byte, error)
	CheckOffer(raw []byte) (*wire.SignedHandoverOffer, error)
	Receive(ctx context.Context, raw []byte) error
}

// View is what the new release's side reads of the chain; *dispatch.Dispatcher is one.
type View interface {
	OwnRecord() (self wire.WorkerState, present, known bool, err error)
	Params() (wire.NetworkParams, bool)
	Proven(key wire.RecordKey) (dispatch.Fact, bool)
}

// Config is what a [Custody] is made of. Every field is needed.
type Config struct {
	UID      wire.ChainUID
	Keys     Keys
	Attester tee.Attester
	Software string // the release's version
	// Header is the newest verified header of this incarnation.
	Header func() (light.Header, bool)
	// View is set with [Custody.See], before the first request: the dispatcher is made with the Custody.
}

// Custody says whose hands the identity's keys are in, and moves them. Its methods are safe for concurrent use.
type Custody struct {
	cfg Config

	mu      sync.Mutex
	view    View
	program *wire.RecordKey // of the offer that waits for its proof
}

// New returns the custody of a keyring's keys.
func New(cfg Config) *Custody { return &Custody{cfg: cfg} }

// See gives the view of the chain. It is called once, before Prepare and Accept.
func (c *Custody) See(v View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view = v
}

// Away implements dispatch's Custody.
func (c *Custody) Away() string {
	if s := c.cfg.Keys.Standing(); s != keys.Holding {
		return s.String()
	}
	return ""
}

// Step implements dispatch's Custody: it keeps the record wanted that Accept waits for.
func (c *Custody) Step(_ context.Context, chain dispatch.Chain) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.program != nil {
		chain.Record(*c.program)
	}
	return nil
}

// Request is a [wire.HandoverRequest] and the evidence for it, in SCALE.
type Request struct {
	Request  []byte
	Evidence []byte
}

// Prepare makes the new release's request for the newest verified header, to be brought to the chain by the operator. It may be
// called again: the request is then for a newer header, and the same one-time key.
func (c *Custody) Prepare(ctx context.Context, operator wire.Account) (Request, error) {
	if c.cfg.Keys.Standing() != keys.Receiving {
		return Request{}, keys.ErrNotReceiver
	}
	h, ok := c.cfg.Header()
	if !ok {
		return Request{}, ErrNotReady
	}
	record, err := c.record()
	if err != nil {
		return Request{}, err
	}
	if record.Operator != operator {
		return Request{}, ErrOperator
	}
	oneTime, err := c.cfg.Keys.PrepareHandover(ctx)
	if err != nil {
		return Request{}, err
	}
	return c.attest(ctx, wire.HandoverRequest{
		Version:      wire.HandoverVersion,
		UID:          c.cfg.UID,
		Identity:     c.cfg.Keys.Identity(),
		OneTime:      oneTime,
		HeaderHeight: h.Height,
		HeaderHash:   h.Hash,
		Operator:     operator,
		Software:     c.cfg.Software,
	})
}

// record returns the identity's record, which is the old release's.
func (c *Custody) record() (wire.WorkerState, error) {
	record, present, known, err := c.view.OwnRecord()
	if err != nil {
		return record, err
	}
	if _, ok := c.view.Params(); !known || !ok {
		return record, ErrNotReady
	}
	if !present {
		return record, ErrNoIdentity
	}
	return record, nil
}

func (c *Custody) attest(ctx context.Context, r wire.HandoverRequest) (Request, error) {
	body, err := scale.Marshal(&r)
	if err != nil {
		return Request{}, fmt.Errorf("handover request: %w", err)
	}
	data, err := r.ReportData()
	if err != nil {
		return Request{}, fmt.Errorf("handover request: %w", err)
	}
	ev, err := c.cfg.Attester.Attest(ctx, data)
	if err != nil {
		return Request{}, fmt.Errorf("attestation: %w", err)
	}
	evidence, err := scale.Marshal(&ev)
	if err != nil {
		return Request{}, fmt.Errorf("evidence: %w", err)
	}
	return Request{Request: body, Evidence: evidence}, nil
}

// Handed returns the SCALE of the signed offer once the keys were handed over.
func (c *Custody) Handed() ([]byte, error) { return c.cfg.Keys.Handed() }

// Accept takes the keys of an offer that answers this release's request. It fails with [ErrNotReady] until this release has
// itself proven, above the message's height, that its program is allowed; then the caller asks again.
func (c *Custody) Accept(ctx context.Context, offer []byte) error {
	if c.cfg.Keys.Standing() == keys.Holding {
		return c.cfg.Keys.Receive(ctx, offer) // the same again changes nothing, another is refused
	}
	o, err := c.cfg.Keys.CheckOffer(offer)
	if err != nil {
		return err
	}
	h, ok := c.cfg.Header()
	if !ok || h.Height <= o.Offer.Height {
		return fmt.Errorf("%w: the message is at height %d, the newest verified header is %d", ErrNotReady, o.Offer.Height, h.Height)
	}
	if _, err := c.record(); err != nil {
		return err
	}
	params, _ := c.view.Params() // known, since record was
	key := wire.KeyProgram(o.Offer.Program)
	c.mu.Lock()
	c.program = &key
	c.mu.Unlock()
	f, known := c.view.Proven(key)
	if !known {
		return ErrNotReady
	}
	if err := allowed(f, params, f.Header); err != nil {
		return err
	}
	return c.cfg.Keys.Receive(ctx, offer)
}

// allowed judges the record of a program: it must have been in force by a height, and decided long enough before that, which
// is what gives the network's people the time to see a decision that was forced.
func allowed(f dispatch.Fact, params wire.NetworkParams, by uint64) error {
	if f.Value == nil {
		return ErrNotAllowed
	}
	var p wire.ProgramRecord
	if err := scale.Unmarshal(f.Value, &p); err != nil {
		return fmt.Errorf("program record: %w", err)
	}
	if p.Since > by {
		return fmt.Errorf("%w: it is from height %d on", ErrNotAllowed, p.Since)
	}
	genesis := p.Decided == 0 && p.Since == 0
	if !genesis && (p.Since < p.Decided || p.Since-p.Decided < params.Delay) {
		return fmt.Errorf("%w: decided at height %d, in force at %d, without the delay of %d blocks", ErrNotAllowed, p.Decided, p.Since, params.Delay)
	}
	return nil
}
