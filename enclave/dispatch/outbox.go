package dispatch

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// ErrOutboxFull says that too many acts wait for the chain; the relay is not delivering them.
var ErrOutboxFull = errors.New("too many acts wait for the chain")

// outbox holds the acts of this incarnation that the chain is not proven to have accepted, from the sequence first on.
type outbox struct {
	first    uint64
	messages [][]byte
}

func (o *outbox) next() uint64 { return o.first + uint64(len(o.messages)) }

// accepted drops what lies below the sequence that the chain accepts next.
func (o *outbox) accepted(next uint64) {
	if next <= o.first || next > o.next() {
		return
	}
	o.messages = append([][]byte(nil), o.messages[next-o.first:]...)
	o.first = next
}

func (o *outbox) from(seq uint64, limit int) [][]byte {
	if seq < o.first {
		seq = o.first
	}
	if seq >= o.next() {
		return nil
	}
	var out [][]byte
	size := 0
	for _, m := range o.messages[seq-o.first:] {
		if size += len(m); size > limit && len(out) > 0 {
			break
		}
		out = append(out, m)
	}
	return out
}

// act signs an act as the next of this incarnation and keeps it.
func (d *Dispatcher) act(act wire.Act) error {
	if len(d.outbox.messages) >= maxActs {
		return ErrOutboxFull
	}
	m := wire.SignedMessage{Message: wire.EnclaveMessage{
		Identity:    d.cfg.Keys.Identity(),
		Incarnation: d.cfg.Keys.Incarnation(),
		Sequence:    d.outbox.next(),
		Act:         act,
	}}
	body, err := scale.Marshal(&m.Message)
	if err != nil {
		return fmt.Errorf("act: %w", err)
	}
	if m.Signature, err = d.cfg.Keys.Sign(wire.KindMessage, body); err != nil {
		return fmt.Errorf("act: %w", err)
	}
	raw, err := scale.Marshal(&m)
	if err != nil {
		return fmt.Errorf("act: %w", err)
	}
	d.outbox.messages = append(d.outbox.messages, raw)
	return nil
}
