package handover

import (
	"context"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
)

// patience is for how many blocks a request waits for the proof of its program. Its evidence names a header that is at most as
// old.
const patience = 600

// watch is a role beside which the identity's own topic is watched.
type watch struct {
	dispatch.Role // the role itself
	custody       *Custody
	place         *dispatch.Place // in the own topic, where the role does not follow that itself
	asked         *asked
}

// asked is the newest request in the own topic.
type asked struct {
	body   wire.Handover
	height uint64 // of the message
}

// Watch returns a role that is the given one and gives the keys away when the chain says that a new release has asked for them.
// A role that follows the identity's own topic goes on to do so, and gets every message.
func (c *Custody) Watch(role dispatch.Role) dispatch.Role { return &watch{Role: role, custody: c} }

// Suspend implements dispatch.Role.
func (w *watch) Suspend() {
	w.place, w.asked = nil, nil
	w.Role.Suspend()
}

// Step implements dispatch.Role.
func (w *watch) Step(ctx context.Context, c dispatch.Chain) error {
	handed, err := w.answer(ctx, c)
	if handed || err != nil {
		return err
	}
	if err := w.Role.Step(ctx, c); err != nil {
		return err
	}
	return w.start(c)
}

// start takes the place in the own topic at its proven head, as after each start: a request that an earlier incarnation has not
// answered is brought again.
func (w *watch) start(c dispatch.Chain) error {
	if _, ok := w.follows(); ok || w.place != nil {
		return nil
	}
	f, known := c.Record(wire.KeyHead(w.topic()))
	if !known {
		return nil
	}
	place := dispatch.Place{Topic: w.topic()}
	if f.Value != nil {
		if err := scale.Unmarshal(f.Value, &place.Head); err != nil {
			return fmt.Errorf("head of the own topic: %w", err)
		}
	}
	w.place = &place
	return nil
}

func (w *watch) topic() wire.Topic { return wire.EntityTopic(w.custody.cfg.Keys.Identity()) }

// follows returns the role's own place in the own topic.
func (w *watch) follows() (dispatch.Place, bool) {
	topic := w.topic()
	for _, p := range w.Role.Places() {
		if p.Topic == topic {
			return p, true
		}
	}
	return dispatch.Place{}, false
}

// Places implements dispatch.Role.
func (w *watch) Places() []dispatch.Place {
	places := w.Role.Places()
	if _, ok := w.follows(); ok || w.place == nil {
		return places
	}
	return append([]dispatch.Place{*w.place}, places...)
}

// Deliver implements dispatch.Role.
func (w *watch) Deliver(ctx context.Context, c dispatch.Chain, d dispatch.Delivery) error {
	if d.Place.Topic != w.topic() {
		return w.Role.Deliver(ctx, c, d)
	}
	for i := range d.Messages {
		w.read(c, &d.Messages[i])
	}
	if _, ok := w.follows(); ok {
		return w.Role.Deliver(ctx, c, d)
	}
	head := d.Head
	if d.Pruned > d.Place.Head.Count {
		head = d.Proven // a request that is gone is brought again
	}
	w.place = &dispatch.Place{Topic: d.Place.Topic, Head: head}
	return nil
}

// read takes a request out of a message of the own topic. The chain alone posts them; a later one takes an earlier one's place,
// until the keys are given.
func (w *watch) read(c dispatch.Chain, m *wire.Message) {
	var b wire.Body
	if m.Sender.Variant != wire.SenderChain || scale.Unmarshal(m.Payload, &b) != nil || b.Handover == nil {
		return
	}
	r, cfg := &b.Handover.Request, &w.custody.cfg
	if r.Version != wire.HandoverVersion || r.UID != cfg.UID || r.Identity != cfg.Keys.Identity() || r.Operator != c.Self().Operator {
		return
	}
	w.asked = &asked{*b.Handover, m.Height}
}

// answer gives the keys to the newest request whose program is proven to be allowed, and says whether they are gone.
func (w *watch) answer(ctx context.Context, c dispatch.Chain) (handed bool, err error) {
	q := w.asked
	if q == nil {
		return false, nil
	}
	if c.Header().Height > q.height+patience {
		w.asked = nil
		return false, nil
	}
	f, known := c.Record(wire.KeyProgram(q.body.Program))
	if !known {
		return false, nil
	}
	if err := allowed(f, c.Params(), q.height); errors.Is(err, ErrNotAllowed) {
		w.asked = nil
		return false, nil
	} else if err != nil {
		return false, err
	}
	err = w.custody.cfg.Keys.HandOver(ctx, &q.body.Request, q.body.Program, q.height)
	if err != nil && !errors.Is(err, keys.ErrHandedOver) {
		return false, fmt.Errorf("handover: %w", err)
	}
	return true, nil
}
