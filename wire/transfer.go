package wire

import (
	"crypto/sha256"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// Bounds of a state transfer.
const (
	MaxTransferChunk  = 512 << 10 // plaintext bytes of one chunk
	MaxTransferChunks = 1 << 16
)

// StateRequest asks a member of a cluster for a snapshot. It is signed with kind "state-request" and carried from
// relay to relay.
type StateRequest struct {
	Cluster     ClusterID
	Identity    sr25519.PublicKey
	Incarnation Incarnation
	From        sr25519.PublicKey // the member that is asked
	OneTime     ecdh.PublicKey    // lives in the requester's memory only
	Height      uint64            // of the requester's newest verified header
}

// Scale visits the fields in order.
func (r *StateRequest) Scale(c *scale.Codec) {
	r.Cluster.Scale(c)
	r.Identity.Scale(c)
	r.Incarnation.Scale(c)
	r.From.Scale(c)
	r.OneTime.Scale(c)
	c.U64(&r.Height)
}

// SignedStateRequest is a [StateRequest] with the signature of its identity.
type SignedStateRequest struct {
	Request   StateRequest
	Signature sr25519.Signature
}

// Scale visits the fields in order.
func (r *SignedStateRequest) Scale(c *scale.Codec) {
	r.Request.Scale(c)
	r.Signature.Scale(c)
}

// Hash returns the SHA-256 of the request's SCALE bytes without the signature.
func (r *StateRequest) Hash() Hash { return sha256.Sum256(scale.MustMarshal(r)) }

// StateOffer opens the answer to a [StateRequest]. It is signed with kind "state-offer". The chunks follow, each in an
// envelope of purpose 4 from OneTime to the request's one-time key, whose plaintext is the SCALE of a [StateChunk].
type StateOffer struct {
	Request   Hash
	Cluster   ClusterID
	Identity  sr25519.PublicKey
	OneTime   ecdh.PublicKey
	Mark      uint64 // the finalized mark that the snapshot stands at
	Count     uint64
	KeyEpoch  uint32
	StateRoot Hash
	Chunks    uint32
}

// Scale visits the fields in order.
func (o *StateOffer) Scale(c *scale.Codec) {
	o.Request.Scale(c)
	o.Cluster.Scale(c)
	o.Identity.Scale(c)
	o.OneTime.Scale(c)
	c.U64(&o.Mark)
	c.U64(&o.Count)
	c.U32(&o.KeyEpoch)
	o.StateRoot.Scale(c)
	c.U32(&o.Chunks)
}

// SignedStateOffer is a [StateOffer] with the signature of its identity.
type SignedStateOffer struct {
	Offer     StateOffer
	Signature sr25519.Signature
}

// Scale visits the fields in order.
func (o *SignedStateOffer) Scale(c *scale.Codec) {
	o.Offer.Scale(c)
	o.Signature.Scale(c)
}

// StateChunk is one part of a snapshot.
type StateChunk struct {
	Request Hash
	Index   uint32
	Data    []byte
}

// Scale visits the fields in order.
func (s *StateChunk) Scale(c *scale.Codec) {
	s.Request.Scale(c)
	c.U32(&s.Index)
	c.Bytes(&s.Data, MaxTransferChunk)
}
