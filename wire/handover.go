package wire

import (
	"crypto/sha256"
	"crypto/sha512"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// HandoverVersion is the version of [HandoverRequest] that this code writes and accepts.
const HandoverVersion = 1

// Bounds of a handover, in bytes.
const (
	MaxHandoverRequest  = 512
	MaxHandoverEnvelope = 16 << 10
	MaxMeasurement      = 64
)

// HandoverRequest is what a new release says of itself when it asks for an identity's keys, and what its evidence vouches
// for. Nobody signs it: the new release has no key yet that anybody knows, so its evidence alone speaks for OneTime.
type HandoverRequest struct {
	Version      uint16
	UID          ChainUID
	Identity     sr25519.PublicKey // whose keys are asked for
	OneTime      ecdh.PublicKey    // sealed by the new release before the request leaves it
	HeaderHeight uint64            // a header that the new release verified
	HeaderHash   Hash
	Operator     Account // whose transaction brings it; the one that the identity's record names
	Software     string  // the new release's version, at most 64 bytes
}

// Scale visits the fields in order.
func (r *HandoverRequest) Scale(c *scale.Codec) {
	c.U16(&r.Version)
	r.UID.Scale(c)
	r.Identity.Scale(c)
	r.OneTime.Scale(c)
	c.U64(&r.HeaderHeight)
	r.HeaderHash.Scale(c)
	r.Operator.Scale(c)
	c.Text(&r.Software, 64)
}

// Hash returns the SHA-256 of the request's SCALE bytes.
func (r *HandoverRequest) Hash() (Hash, error) {
	b, err := scale.Marshal(r)
	return sha256.Sum256(b), err
}

// ReportData returns the 64 bytes that the evidence must carry: SHA-512 of the signing text of kind "handover-request".
func (r *HandoverRequest) ReportData() ([64]byte, error) {
	body, err := scale.Marshal(r)
	if err != nil {
		return [64]byte{}, err
	}
	return sha512.Sum512(SigningText(KindHandoverRequest, r.UID, body)), nil
}

// Handover is the chain's word to an identity that a new release asks for its keys: the chain has verified the request's
// evidence, under the policy in force at the message's height, and that the identity's operator brought it.
type Handover struct {
	Request     HandoverRequest
	Kind        uint8  // of the evidence
	Measurement []byte // of the new release, at most [MaxMeasurement] bytes
	Confidence  uint8
	Program     Hash // the policy's program that the evidence satisfies; its record stands under [KeyProgram]
}

// Scale visits the fields in order.
func (h *Handover) Scale(c *scale.Codec) {
	h.Request.Scale(c)
	c.U8(&h.Kind)
	c.Bytes(&h.Measurement, MaxMeasurement)
	c.U8(&h.Confidence)
	h.Program.Scale(c)
}

// HandoverOffer is what the old release signs, with kind "handover-offer", when it gives its keys away. Beside it travels
// an envelope of purpose 5 from OneTime to the request's one-time key.
type HandoverOffer struct {
	Identity sr25519.PublicKey
	Request  Hash           // of the [HandoverRequest] that it answers
	OneTime  ecdh.PublicKey // the sender's; it was erased when the envelope was finished
	Envelope Hash           // SHA-256 of the envelope's bytes
	Program  Hash           // as the chain's message named it
	Height   uint64         // of the chain's message
}

// Scale visits the fields in order.
func (o *HandoverOffer) Scale(c *scale.Codec) {
	o.Identity.Scale(c)
	o.Request.Scale(c)
	o.OneTime.Scale(c)
	o.Envelope.Scale(c)
	o.Program.Scale(c)
	c.U64(&o.Height)
}

// SignedHandoverOffer is a [HandoverOffer] with the signature of its identity and all that the new release needs.
type SignedHandoverOffer struct {
	Offer     HandoverOffer
	Signature sr25519.Signature
	Request   HandoverRequest
	Envelope  []byte // SCALE of the envelope, at most [MaxHandoverEnvelope] bytes
}

// Scale visits the fields in order.
func (o *SignedHandoverOffer) Scale(c *scale.Codec) {
	o.Offer.Scale(c)
	o.Signature.Scale(c)
	o.Request.Scale(c)
	c.Bytes(&o.Envelope, MaxHandoverEnvelope)
}
