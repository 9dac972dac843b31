package wire

import (
	"crypto/sha512"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// RegistrationVersion is the version of [Registration] that this code writes and accepts.
const RegistrationVersion = 1

// Registration is what an enclave says of itself when it starts, and what its evidence vouches for.
type Registration struct {
	Version      uint16
	Identity     sr25519.PublicKey
	Ecdh         ecdh.PublicKey
	UID          ChainUID
	Incarnation  Incarnation
	HeaderHeight uint64 // a header that the enclave verified
	HeaderHash   Hash
	Operator     Account // whose transaction brings it
	Software     string  // the release's version, at most 64 bytes
	Features     uint64  // bits; none is assigned yet
}

// Scale visits the fields in order.
func (r *Registration) Scale(c *scale.Codec) {
	c.U16(&r.Version)
	r.Identity.Scale(c)
	r.Ecdh.Scale(c)
	r.UID.Scale(c)
	r.Incarnation.Scale(c)
	c.U64(&r.HeaderHeight)
	r.HeaderHash.Scale(c)
	r.Operator.Scale(c)
	c.Text(&r.Software, 64)
	c.U64(&r.Features)
}

// ReportData returns the 64 bytes that the evidence must carry: SHA-512 of the signing text of kind "registration".
func (r *Registration) ReportData() ([64]byte, error) {
	text, err := r.SigningText()
	if err != nil {
		return [64]byte{}, err
	}
	return sha512.Sum512(text), nil
}

// SigningText returns what the IdentityKey signs.
func (r *Registration) SigningText() ([]byte, error) {
	body, err := scale.Marshal(r)
	if err != nil {
		return nil, err
	}
	return SigningText(KindRegistration, r.UID, body), nil
}

// WorkerStatus says whether a worker may act.
type WorkerStatus uint8

// Worker statuses.
const (
	WorkerActive    WorkerStatus = 0
	WorkerExpired   WorkerStatus = 1 // its registration is too old; it must register afresh
	WorkerSuspended WorkerStatus = 2 // it signed what contradicts the finalized results
)

// String returns the status's name.
func (s WorkerStatus) String() string {
	names := [...]string{"active", "expired", "suspended"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Bounds of a worker's record.
const (
	MaxEndpoints      = 8
	MaxEndpointLength = 256
	MaxWorkerClusters = 64
)

// EcdhEpoch is one EcdhKey of an entity and the epoch in which it is the current one. Epochs count from 0 and stay
// below 2³¹.
type EcdhEpoch struct {
	Key   ecdh.PublicKey
	Epoch uint32
	Since uint64 // the height at which it took effect
}

// Scale visits the fields in order.
func (e *EcdhEpoch) Scale(c *scale.Codec) {
	e.Key.Scale(c)
	c.U32(&e.Epoch)
	c.U64(&e.Since)
}

// WorkerInfo is what clients need to reach a worker.
type WorkerInfo struct {
	Endpoints []string // URLs of its client port, at most [MaxEndpoints]
	PeerURLs  []string // URLs of its relay's door for other relays, at most [MaxEndpoints]
	Software  string
	Features  uint64
}

// Scale visits the fields in order.
func (w *WorkerInfo) Scale(c *scale.Codec) {
	text := func(s *string) { c.Text(s, MaxEndpointLength) }
	scale.Slice(c, &w.Endpoints, MaxEndpoints, text)
	scale.Slice(c, &w.PeerURLs, MaxEndpoints, text)
	c.Text(&w.Software, 64)
	c.U64(&w.Features)
}

// WorkerState is what the chain knows of a worker or gatekeeper.
type WorkerState struct {
	Identity     sr25519.PublicKey
	Ecdh         EcdhEpoch
	PreviousEcdh *EcdhEpoch
	Info         WorkerInfo
	Operator     Account
	Incarnation  Incarnation
	EvidenceKind uint8
	Confidence   uint8 // confidence level, 1 (best) to 5; 0 for the simulated platform, which deserves none
	Measurement  []byte
	AttestedAt   uint64 // the height of the registration
	AttestedTime uint64 // its block time in Unix milliseconds
	HeaderHeight uint64 // the header height that the registration named
	Status       WorkerStatus
	Clusters     []ClusterID
}

// Scale visits the fields in order.
func (w *WorkerState) Scale(c *scale.Codec) {
	w.Identity.Scale(c)
	w.Ecdh.Scale(c)
	scale.Option(c, &w.PreviousEcdh, func(e *EcdhEpoch) { e.Scale(c) })
	w.Info.Scale(c)
	w.Operator.Scale(c)
	w.Incarnation.Scale(c)
	c.U8(&w.EvidenceKind)
	c.U8(&w.Confidence)
	c.Bytes(&w.Measurement, 64)
	c.U64(&w.AttestedAt)
	c.U64(&w.AttestedTime)
	c.U64(&w.HeaderHeight)
	c.Variant((*uint8)(&w.Status), 3)
	scale.Slice(c, &w.Clusters, MaxWorkerClusters, func(id *ClusterID) { id.Scale(c) })
}

// MaxGatekeepers is the most gatekeepers a network names.
const MaxGatekeepers = 31

// Gatekeepers is the registry's list of gatekeepers, in the order in which they were named.
type Gatekeepers struct {
	Since   uint64 // the height from which the list is in force
	Members []sr25519.PublicKey
}

// Scale visits the fields in order.
func (g *Gatekeepers) Scale(c *scale.Codec) {
	c.U64(&g.Since)
	scale.Slice(c, &g.Members, MaxGatekeepers, func(pk *sr25519.PublicKey) { pk.Scale(c) })
}

// Has reports whether pk is a gatekeeper.
func (g *Gatekeepers) Has(pk sr25519.PublicKey) bool {
	for _, m := range g.Members {
		if m == pk {
			return true
		}
	}
	return false
}
