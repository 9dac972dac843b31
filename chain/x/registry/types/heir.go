package types

import (
	"bytes"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Heir is the release that an identity's keys were last asked for.
type Heir struct {
	Identity    sr25519.PublicKey
	Kind        uint8  // of its evidence
	Measurement []byte // at most 64 bytes
	// Bound says that a handover to another release was completed. From then on only the release that the worker's record
	// names, and the one that it is to be handed to, may register: a disk from before the handover opens for its old release,
	// which would have the same identity once more.
	Bound bool
}

// Scale visits the fields in order.
func (h *Heir) Scale(c *scale.Codec) {
	h.Identity.Scale(c)
	c.U8(&h.Kind)
	c.Bytes(&h.Measurement, wire.MaxMeasurement)
	c.Bool(&h.Bound)
}

// Is reports whether a kind of evidence and a measurement are the heir's.
func (h *Heir) Is(kind uint8, measurement []byte) bool {
	return h.Kind == kind && bytes.Equal(h.Measurement, measurement)
}
