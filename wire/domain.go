package wire

import (
	"encoding/hex"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Kinds of signed text. Each is used for one record only.
const (
	KindInvocation   = "invocation"    // by a client: [Invocation]
	KindRegistration = "registration"  // by an enclave, and the tag of its evidence: [Registration]
	KindMessage      = "message"       // by an enclave: [EnclaveMessage]
	KindStateRequest = "state-request" // by an enclave: [StateRequest]
	KindStateOffer   = "state-offer"   // by an enclave: [StateOffer]

	KindHandoverRequest = "handover-request" // tag of an enclave's evidence alone: [HandoverRequest]
	KindHandoverOffer   = "handover-offer"   // by an enclave: [HandoverOffer]
)

// SigningText returns the bytes that a signature of the given kind covers:
//
//	"phalanx/" ‖ kind ‖ "/v1" ‖ chain_uid ‖ body
func SigningText(kind string, uid ChainUID, body []byte) []byte {
	text := make([]byte, 0, len("phalanx//v1")+len(kind)+len(uid)+len(body))
	text = append(text, "phalanx/"...)
	text = append(text, kind...)
	text = append(text, "/v1"...)
	text = append(text, uid[:]...)
	return append(text, body...)
}

// Account is a chain account's address: 20 bytes, the hash of a secp256k1 key as Cosmos SDK forms it.
type Account [20]byte

// Scale visits the 20 bytes.
func (a *Account) Scale(c *scale.Codec) { c.Fixed(a[:]) }

// String returns 0x and 40 hexadecimal digits; the chain's tools print the bech32 form.
func (a Account) String() string { return "0x" + hex.EncodeToString(a[:]) }

// Incarnation is drawn at random at each start of a pRuntime and tells its lives apart.
type Incarnation [16]byte

// Scale visits the 16 bytes.
func (i *Incarnation) Scale(c *scale.Codec) { c.Fixed(i[:]) }

// String returns 32 hexadecimal digits.
func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }
