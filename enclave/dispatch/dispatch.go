package dispatch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of one request of the relay.
const (
	MaxLightBlocks = 64
	MaxProofs      = 1024
	MaxBatches     = 128
	MaxMessages    = 1 << 16 // of one batch
	MaxDigests     = 1 << 17 // of one batch
	maxActs        = 4096    // undelivered acts
	saveEvery      = 100     // heights between two sealings of the trusted header
)

// Errors that the relay can act on.
var (
	// ErrStaleProof says that a proof is not against the newest verified header.
	ErrStaleProof = errors.New("proof is not against the newest verified header")
	// ErrBatch says that messages do not follow the enclave's place or do not lead to the proven head.
	ErrBatch = errors.New("messages do not lead to the proven head")
	// ErrRequest says that a request is over a bound or malformed.
	ErrRequest = errors.New("bad request")
	// ErrNoHeader says that no header has been verified yet.
	ErrNoHeader = errors.New("no header has been verified yet")
	// ErrOtherChain says that the chain records another uid in its state than the enclave was made for.
	ErrOtherChain = errors.New("chain has another uid")
)

// Keys is what dispatch needs of the enclave's keys.
type Keys interface {
	Identity() sr25519.PublicKey
	Incarnation() wire.Incarnation
	Sign(kind string, body []byte) (sr25519.Signature, error)
	SaveTrusted(ctx context.Context, header []byte, blockTime uint64) error
}

// Role names as the status shows them.
const (
	RoleNone       = "none"
	RoleWorker     = "worker"
	RoleGatekeeper = "gatekeeper"
)

// Config is what a [Dispatcher] is made of. Every field is needed.
type Config struct {
	UID        wire.ChainUID
	Keys       Keys
	Light      *light.Client
	Now        func() time.Time // the host's clock
	Floor      time.Time        // the newest block time that was sealed; the enclave's clock starts no earlier
	Own        Own              // what is done with the enclave's own record
	Worker     Role
	Gatekeeper Role
	// Custody says where the identity's keys are; nil for one whose keys are always here.
	Custody Custody
}

// Own keeps the enclave's EcdhKeys in step with its own record on the chain. It is called at each verified header.
type Own interface {
	Step(ctx context.Context, c Chain) error
}

// Dispatcher holds the enclave's view of the chain. Its methods are safe for concurrent use.
type Dispatcher struct {
	cfg Config

	// latest is what Header answers, without the lock: the roles' doors ask for it while Advance executes messages.
	latest atomic.Pointer[sighting]

	mu       sync.Mutex
	header   light.Header
	saved    uint64
	clock    time.Time
	facts    map[wire.RecordKey]Fact
	wants    []wire.RecordKey
	wanted   map[wire.RecordKey]bool
	self     *wire.WorkerState // nil unless the chain has this incarnation
	params   *wire.NetworkParams
	role     string
	problem  string
	outbox   outbox
	needsReg bool
	uidSeen  bool
}

// sighting is a header that was verified in this incarnation.
type sighting struct {
	header light.Header
	at     time.Time // the host's clock with its monotonic reading
}

// New returns a dispatcher that has seen nothing in this incarnation. A header that the light client was restored with
// counts as verified, though not as seen now.
func New(cfg Config) *Dispatcher {
	d := &Dispatcher{cfg: cfg, facts: map[wire.RecordKey]Fact{}, wanted: map[wire.RecordKey]bool{}, role: RoleNone, clock: cfg.Floor}
	if h, ok := cfg.Light.Latest(); ok {
		d.header, d.saved = h, h.Height
	}
	if away := d.away(); away != "" {
		d.role = away
	}
	d.wantOwn()
	return d
}

// Header returns the newest verified header and how long ago it was verified, by the monotonic clock; ok is false
// before the first one of this incarnation. It never waits.
func (d *Dispatcher) Header() (h light.Header, age time.Duration, ok bool) {
	s := d.latest.Load()
	if s == nil {
		return light.Header{}, 0, false
	}
	return s.header, d.cfg.Now().Sub(s.at), true
}

// Now returns the enclave's clock: the host's, or the newest verified block time where that is later; it never goes
// back.
func (d *Dispatcher) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now()
}

func (d *Dispatcher) now() time.Time {
	for _, t := range []time.Time{d.cfg.Now(), d.header.Time} {
		if t.After(d.clock) {
			d.clock = t
		}
	}
	return d.clock
}

// Proof is a record, or its absence, with the proof that the relay brought.
type Proof struct {
	Key    wire.RecordKey
	Header uint64
	Value  []byte
	Absent bool
	Ops    []byte
}

// Batch is messages of a topic as the relay brought them: the SCALE of each, and the digests of all that follow.
type Batch struct {
	Topic    wire.Topic
	From     uint64
	Messages [][]byte
	Digests  []wire.Hash
	Pruned   uint64
}

// Advance believes what can be verified of a request and runs the roles on it. After an error the enclave stands
// where it stood before the part that failed, and the relay may try again. A relay that goes away meanwhile stops
// nothing: what has been believed is carried through.
func (d *Dispatcher) Advance(ctx context.Context, blocks [][]byte, proofs []Proof, batches []Batch) error {
	if len(blocks) > MaxLightBlocks || len(proofs) > MaxProofs || len(batches) > MaxBatches {
		return fmt.Errorf("%w: too many parts", ErrRequest)
	}
	ctx = context.WithoutCancel(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range blocks {
		if err := d.verifyHeader(ctx, b); err != nil {
			return err
		}
	}
	if d.latest.Load() == nil {
		return ErrNoHeader
	}
	for i := range proofs {
		if err := d.learn(&proofs[i]); err != nil {
			return fmt.Errorf("proof %d: %w", i, err)
		}
	}
	if err := d.step(ctx); err != nil {
		return err
	}
	for i := range batches {
		if err := d.deliver(ctx, &batches[i]); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
	}
	if len(batches) == 0 {
		return nil
	}
	return d.step(ctx)
}

// verifyHeader moves to a newer header. A block at the trusted height that is the trusted one again is accepted: it
// shows that the chain's newest header is still that one.
func (d *Dispatcher) verifyHeader(ctx context.Context, block []byte) error {
	h, err := d.cfg.Light.Verify(block, d.now())
	if errors.Is(err, light.ErrNotNewer) {
		return nil // a relay that repeats itself, or that lags behind another
	}
	if err != nil {
		return err
	}
	if h.Height > d.header.Height || d.latest.Load() == nil {
		d.latest.Store(&sighting{h, d.cfg.Now()})
		clear(d.facts)
	}
	d.header = h
	if h.Height < d.saved+saveEvery && d.saved != 0 {
		return nil
	}
	trusted, err := d.cfg.Light.Marshal()
	if err != nil {
		return fmt.Errorf("trusted header: %w", err)
	}
	if err := d.cfg.Keys.SaveTrusted(ctx, trusted, h.UnixMillis()); err != nil {
		return fmt.Errorf("trusted header: %w", err)
	}
	d.saved = h.Height
	return nil
}

// learn believes a proof of a record that is wanted; others are dropped, since nobody would read them.
func (d *Dispatcher) learn(p *Proof) error {
	if !d.wanted[p.Key] {
		return nil
	}
	if p.Header != d.header.Height {
		return fmt.Errorf("%w: it is against %d, the newest is %d", ErrStaleProof, p.Header, d.header.Height)
	}
	if p.Absent {
		if err := light.VerifyAbsence(d.header, p.Key.Store, []byte(p.Key.Key), p.Ops); err != nil {
			return err
		}
		d.facts[p.Key] = Fact{Header: p.Header}
		return nil
	}
	if err := light.VerifyMembership(d.header, p.Key.Store, []byte(p.Key.Key), p.Value, p.Ops); err != nil {
		return err
	}
	d.facts[p.Key] = Fact{Header: p.Header, Value: append([]byte{}, p.Value...)}
	return nil
}

// record decodes a proven record into r; known is false until it is proven, present says whether it exists.
func (d *Dispatcher) record(key wire.RecordKey, r scale.Record) (present, known bool, err error) {
	f, known := d.fact(key)
	if !known || f.Value == nil {
		return false, known, nil
	}
	if err := scale.Unmarshal(f.Value, r); err != nil {
		return false, true, fmt.Errorf("record %s/%q of the chain: %w", key.Store, key.Key, err)
	}
	return true, true, nil
}

// step lets everything that reads the chain look at the facts there are.
func (d *Dispatcher) step(ctx context.Context) error {
	d.resetWants()
	if away := d.away(); away != "" {
		return d.stepAway(ctx, away)
	}
	if err := d.stepOwn(); err != nil {
		d.problem = err.Error()
		return err
	}
	d.suspend()
	if d.self == nil || d.params == nil || !d.uidSeen {
		return nil
	}
	d.problem = ""
	if d.self.Status == wire.WorkerSuspended {
		d.problem = "the chain has suspended this worker"
		return nil
	}
	if err := d.cfg.Own.Step(ctx, chain{d}); err != nil {
		d.problem = err.Error()
		return err
	}
	r := d.active()
	if r == nil {
		return nil
	}
	if err := r.Step(ctx, chain{d}); err != nil {
		d.problem = err.Error()
		return err
	}
	if away := d.away(); away != "" {
		return d.stepAway(ctx, away)
	}
	for _, p := range r.Places() {
		d.want(wire.KeyHead(p.Topic))
	}
	return nil
}

// stepOwn reads what every enclave needs: the chain's uid, its own record, the rules, how far its acts have come and
// which role it has.
func (d *Dispatcher) stepOwn() error {
	if err := d.checkUID(); err != nil {
		return err
	}
	var params wire.NetworkParams
	if present, _, err := d.record(wire.KeyNetworkParams(), &params); err != nil {
		return err
	} else if present {
		d.params = &params
	}
	var self wire.WorkerState
	present, known, err := d.record(wire.KeyWorker(d.cfg.Keys.Identity()), &self)
	if err != nil {
		return err
	}
	if known {
		d.registered(&self, present)
	}
	if d.self == nil {
		return nil
	}
	var seq wire.Sequence
	if present, _, err := d.record(wire.KeySequence(d.cfg.Keys.Identity()), &seq); err != nil {
		return err
	} else if present && seq.Incarnation == d.cfg.Keys.Incarnation() {
		d.outbox.accepted(seq.Next)
	}
	var gks wire.Gatekeepers
	if present, known, err := d.record(wire.KeyGatekeepers(), &gks); err != nil {
		return err
	} else if known {
		d.role = RoleWorker
		if present && gks.Has(d.cfg.Keys.Identity()) {
			d.role = RoleGatekeeper
		}
	}
	return nil
}

// checkUID holds the chain to its name once in each incarnation: the light client's trust root says which chain it
// follows, the record says that this chain knows itself by the uid that every key and signature is bound to.
func (d *Dispatcher) checkUID() error {
	if d.uidSeen {
		return nil
	}
	var uid wire.ChainUID
	present, known, err := d.record(wire.KeyChainUID(), &uid)
	if err != nil || !known {
		return err
	}
	if !present || uid != d.cfg.UID {
		return ErrOtherChain
	}
	d.uidSeen = true
	return nil
}

// registered takes the own record: it counts only if the chain has this incarnation.
func (d *Dispatcher) registered(self *wire.WorkerState, present bool) {
	if !present || self.Incarnation != d.cfg.Keys.Incarnation() {
		d.self, d.needsReg, d.role = nil, true, RoleNone
		return
	}
	d.self = self
	d.needsReg = self.Status == wire.WorkerExpired
	if d.params != nil && self.Status == wire.WorkerActive {
		d.needsReg = self.AttestedAt+d.params.RegistrationExpiry/2 <= d.header.Height
	}
}

// suspend has the roles erase their keys that the enclave may not act in now: an expired or suspended one keeps its
// place in its clusters, but no keys, a superseded incarnation has neither, and a gatekeeper takes no contracts.
func (d *Dispatcher) suspend() {
	active := d.active()
	for _, r := range []Role{d.cfg.Worker, d.cfg.Gatekeeper} {
		if r != active {
			r.Suspend()
		}
	}
}

func (d *Dispatcher) active() Role {
	if d.self == nil || d.self.Status != wire.WorkerActive || d.away() != "" {
		return nil
	}
	switch d.role {
	case RoleWorker:
		return d.cfg.Worker
	case RoleGatekeeper:
		return d.cfg.Gatekeeper
	}
	return nil
}

// deliver verifies that the batch follows a role's place and leads to the proven head, then hands it over.
func (d *Dispatcher) deliver(ctx context.Context, b *Batch) error {
	place, role, ok := d.place(b.Topic)
	if !ok || place.Head.Count != b.From {
		return nil // a repetition, or a topic that is no longer followed
	}
	var proven wire.Head
	_, known, err := d.record(wire.KeyHead(b.Topic), &proven)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w: the topic's head is not proven", ErrBatch)
	}
	delivery := Delivery{Place: place, Head: place.Head, Proven: proven, Pruned: b.Pruned}
	if b.Pruned <= place.Head.Count {
		if delivery.Messages, delivery.Digests, delivery.Head, err = follow(place, b, proven); err != nil {
			return err
		}
	}
	if err := role.Deliver(ctx, chain{d}, delivery); err != nil {
		d.problem = err.Error()
		return err
	}
	return nil
}

func (d *Dispatcher) place(t wire.Topic) (Place, Role, bool) {
	if d.self == nil || d.params == nil {
		return Place{}, nil, false
	}
	r := d.active()
	if r == nil {
		return Place{}, nil, false
	}
	for _, p := range r.Places() {
		if p.Topic == t {
			return p, r, true
		}
	}
	return Place{}, nil, false
}

// follow decodes the batch's messages and checks that they, and the digests behind them, lead from the place exactly
// to the proven head. A message's bytes are canonical, or decoding fails, so its digest is theirs.
func follow(place Place, b *Batch, proven wire.Head) ([]wire.Message, []wire.Hash, wire.Head, error) {
	if len(b.Digests) > MaxDigests || len(b.Messages) > MaxMessages {
		return nil, nil, wire.Head{}, fmt.Errorf("%w: too many messages or digests", ErrRequest)
	}
	head := place.Head
	digests := make([]wire.Hash, len(b.Messages))
	for i, raw := range b.Messages {
		digests[i] = sha256.Sum256(raw)
		head = head.Next(digests[i])
	}
	end := head
	for _, digest := range b.Digests {
		end = end.Next(digest)
	}
	if end != proven {
		return nil, nil, wire.Head{}, fmt.Errorf("%w: they end at %d, the head is at %d", ErrBatch, end.Count, proven.Count)
	}
	messages := make([]wire.Message, len(b.Messages))
	for i, raw := range b.Messages {
		if err := scale.Unmarshal(raw, &messages[i]); err != nil {
			return nil, nil, wire.Head{}, fmt.Errorf("%w: message %d: %w", ErrRequest, i, err)
		}
	}
	return messages, digests, head, nil
}
