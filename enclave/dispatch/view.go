package dispatch

import (
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Status is where the enclave stands, for the relay.
type Status struct {
	Header            light.Header
	Seen              bool   // whether a header was verified in this incarnation
	Trusted           uint64 // the height that the next light block is judged from
	NeedsRoot         bool   // whether the block at that height itself is to come first
	NeedsRegistration bool
	Role              string
	Wants             []wire.RecordKey
	Places            []Place
	OutboxFirst       uint64
	OutboxNext        uint64
	Problem           string
}

// Status returns where the enclave stands.
func (d *Dispatcher) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Status{
		Header:            d.header,
		Seen:              d.latest.Load() != nil,
		NeedsRegistration: d.needsReg,
		Role:              d.role,
		Wants:             append([]wire.RecordKey(nil), d.wants...),
		OutboxFirst:       d.outbox.first,
		OutboxNext:        d.outbox.next(),
		Problem:           d.problem,
		Trusted:           d.header.Height,
	}
	if _, ok := d.cfg.Light.Latest(); !ok {
		s.Trusted, s.NeedsRoot = d.cfg.Light.Root().Height, true
	}
	if d.self != nil && d.params != nil {
		if r := d.active(); r != nil {
			s.Places = r.Places()
		}
	}
	return s
}

// Outbox returns the SCALE of the signed messages from a sequence on that are not known to be accepted, at most limit
// bytes of them but at least one.
func (d *Dispatcher) Outbox(from uint64, limit int) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.outbox.from(from, limit)
}

// resetWants begins a new list of wants.
func (d *Dispatcher) resetWants() {
	d.wants = d.wants[:0]
	clear(d.wanted)
}

// wantOwn wants what the first step reads.
func (d *Dispatcher) wantOwn() {
	for _, k := range []wire.RecordKey{wire.KeyChainUID(), wire.KeyNetworkParams(), wire.KeyWorker(d.cfg.Keys.Identity())} {
		d.want(k)
	}
}

func (d *Dispatcher) want(key wire.RecordKey) {
	if d.wanted[key] {
		return
	}
	d.wanted[key] = true
	d.wants = append(d.wants, key)
}

// OwnRecord returns the chain's record of this identity, of whatever incarnation, as proven against the newest header;
// present is false where the chain has none, known is false until either is proven.
func (d *Dispatcher) OwnRecord() (self wire.WorkerState, present, known bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	present, known, err = d.record(wire.KeyWorker(d.cfg.Keys.Identity()), &self)
	return self, present, known, err
}

// Proven returns a record as proven against the newest header, and that header's height; known is false until it is. It
// wants the record, which lasts to the next step.
func (d *Dispatcher) Proven(key wire.RecordKey) (f Fact, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fact(key)
}

// Params returns the network's rules once they are proven.
func (d *Dispatcher) Params() (wire.NetworkParams, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.params == nil {
		return wire.NetworkParams{}, false
	}
	return *d.params, true
}

// fact returns a record proven against the newest header, and wants it in any case, so that it is renewed with the
// next one.
func (d *Dispatcher) fact(key wire.RecordKey) (Fact, bool) {
	d.want(key)
	f, ok := d.facts[key]
	return f, ok
}

// chain is the dispatcher as those see it that run while its lock is held.
type chain struct{ d *Dispatcher }

func (c chain) UID() wire.ChainUID                   { return c.d.cfg.UID }
func (c chain) Header() light.Header                 { return c.d.header }
func (c chain) Self() wire.WorkerState               { return *c.d.self }
func (c chain) Params() wire.NetworkParams           { return *c.d.params }
func (c chain) Record(k wire.RecordKey) (Fact, bool) { return c.d.fact(k) }
func (c chain) Act(act wire.Act) error               { return c.d.act(act) }
