package wire

import (
	"errors"
	"fmt"
	"io"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// BodyKind is the index of [Body] in SCALE.
type BodyKind uint8

// Bodies of messages. The comment says in whose topic each belongs and who posts it; anywhere else, or from anyone
// else, it is a counted no-op.
const (
	BodyCommand    BodyKind = 0  // cluster, by an account
	BodyDeposit    BodyKind = 1  // cluster, by the chain
	BodyMembers    BodyKind = 2  // cluster, by the chain
	BodyKeyEpoch   BodyKind = 3  // cluster, by the chain
	BodyKeyFixed   BodyKind = 4  // cluster, by the chain
	BodyMark       BodyKind = 5  // cluster, by the chain
	BodyPaid       BodyKind = 6  // cluster, by the chain
	BodyParams     BodyKind = 7  // cluster, by the chain
	BodyKeyRequest BodyKind = 8  // gatekeepers, by a worker's enclave
	BodyKeyGrant   BodyKind = 9  // entity, by a gatekeeper's enclave
	BodyHandover   BodyKind = 10 // entity, by the chain
)

// Bounds of bodies.
const (
	MaxEnvelope    = MaxPayload - 64
	MaxBeneficiary = 2 << 10
	MaxMembers     = 64
	MaxKeyEpochs   = 64 // of one key request
	MaxGasLog2     = 40
)

// Body is the payload of a message: one kind and the record of that kind, the others nil.
type Body struct {
	Kind       BodyKind
	Command    *Command
	Deposit    *Deposit
	Members    *Members
	KeyEpoch   *KeyEpoch
	KeyFixed   *KeyFixed
	Mark       *Mark
	Paid       *Paid
	Params     *ClusterParams
	KeyRequest *KeyRequest
	KeyGrant   *KeyGrant
	Handover   *Handover
}

// Scale visits the kind's index and its record.
func (b *Body) Scale(c *scale.Codec) {
	c.Variant((*uint8)(&b.Kind), 11)
	if c.Err() != nil {
		return
	}
	switch b.Kind {
	case BodyCommand:
		part(c, &b.Command)
	case BodyDeposit:
		part(c, &b.Deposit)
	case BodyMembers:
		part(c, &b.Members)
	case BodyKeyEpoch:
		part(c, &b.KeyEpoch)
	case BodyKeyFixed:
		part(c, &b.KeyFixed)
	case BodyMark:
		part(c, &b.Mark)
	case BodyPaid:
		part(c, &b.Paid)
	case BodyParams:
		part(c, &b.Params)
	case BodyKeyRequest:
		part(c, &b.KeyRequest)
	case BodyKeyGrant:
		part(c, &b.KeyGrant)
	case BodyHandover:
		part(c, &b.Handover)
	}
}

// part visits the record that an enum's index has chosen: it is made when decoding and must be there when encoding.
func part[T any, P interface {
	*T
	scale.Record
}](c *scale.Codec, p **T) {
	if c.Decoding() {
		*p = new(T)
	}
	if *p == nil {
		c.Fail(scale.ErrVariant)
		return
	}
	P(*p).Scale(c)
}

// Command carries an invocation to a cluster. The gas that it prepays is public: 2^GasLog2.
type Command struct {
	GasLog2  uint8  // at most [MaxGasLog2]
	Envelope []byte // SCALE of an envelope of purpose 0 to the cluster's EcdhKey
}

// Scale visits the fields in order.
func (m *Command) Scale(c *scale.Codec) {
	c.Variant(&m.GasLog2, MaxGasLog2+1)
	c.Bytes(&m.Envelope, MaxEnvelope)
}

// Gas returns the prepaid gas.
func (m *Command) Gas() uint64 { return 1 << m.GasLog2 }

// Deposit funds the ledger of a cluster. Beneficiary is an envelope of purpose 0 to the cluster's EcdhKey whose
// plaintext is the SCALE of an [Identity]; one that does not open becomes a withdrawal to the depositor.
type Deposit struct {
	Depositor   Account
	Amount      uint128.Uint128
	Beneficiary []byte
}

// Scale visits the fields in order.
func (m *Deposit) Scale(c *scale.Codec) {
	m.Depositor.Scale(c)
	c.U128(&m.Amount)
	c.Bytes(&m.Beneficiary, MaxBeneficiary)
}

// Members says who the cluster's members are from this message on.
type Members struct {
	Members []Member
}

// Scale visits the members.
func (m *Members) Scale(c *scale.Codec) {
	scale.Slice(c, &m.Members, MaxMembers, func(x *Member) { x.Scale(c) })
}

// KeyEpoch says that a new key epoch of the cluster has started; the one in force stays so until KeyFixed.
type KeyEpoch struct {
	Epoch uint32
}

// Scale visits the epoch.
func (m *KeyEpoch) Scale(c *scale.Codec) { c.U32(&m.Epoch) }

// KeyFixed says that the cluster's public key of an epoch is fixed and in force from this message on.
type KeyFixed struct {
	Epoch uint32
	Key   ecdh.PublicKey
}

// Scale visits the fields in order.
func (m *KeyFixed) Scale(c *scale.Codec) {
	c.U32(&m.Epoch)
	m.Key.Scale(c)
}

// Mark is a checkpoint mark: members report the results of everything up to and with this message.
type Mark struct {
	Number uint64 // from 1
}

// Scale visits the number.
func (m *Mark) Scale(c *scale.Codec) { c.U64(&m.Number) }

// Paid says that the chain has paid a withdrawal.
type Paid struct {
	Number uint64
}

// Scale visits the number.
func (m *Paid) Scale(c *scale.Codec) { c.U64(&m.Number) }

// ClusterParams are what execution in a cluster depends on beside its code.
type ClusterParams struct {
	ExecutionVersion uint32
}

// Scale visits the version.
func (m *ClusterParams) Scale(c *scale.Codec) { c.U32(&m.ExecutionVersion) }

// KeyRequest asks the gatekeepers for a cluster's keys of the epochs First to Last, at most [MaxKeyEpochs].
type KeyRequest struct {
	Cluster ClusterID
	First   uint32
	Last    uint32
	OneTime ecdh.PublicKey // lives in the requester's memory only
}

// Scale visits the fields in order.
func (m *KeyRequest) Scale(c *scale.Codec) {
	m.Cluster.Scale(c)
	c.U32(&m.First)
	c.U32(&m.Last)
	m.OneTime.Scale(c)
}

// KeyGrant answers a [KeyRequest]: an envelope of purpose 3, from a fresh one-time key to the request's, whose
// plaintext is the SCALE of [GrantedKeys].
type KeyGrant struct {
	Cluster  ClusterID
	Request  Hash   // the digest of the request's message in the gatekeepers' topic
	Envelope []byte // at most 16 KiB
}

// Scale visits the fields in order.
func (m *KeyGrant) Scale(c *scale.Codec) {
	m.Cluster.Scale(c)
	m.Request.Scale(c)
	c.Bytes(&m.Envelope, 16<<10)
}

// GrantedKey is one ClusterKey. It is a secret: it exists only inside an enclave and inside a purpose 3 envelope.
type GrantedKey struct {
	Epoch uint32
	Key   [32]byte
}

// GrantedKeys is the plaintext of a [KeyGrant].
type GrantedKeys struct {
	Keys []GrantedKey
}

// Scale visits the keys.
func (m *GrantedKeys) Scale(c *scale.Codec) {
	scale.Slice(c, &m.Keys, MaxKeyEpochs, func(k *GrantedKey) {
		c.U32(&k.Epoch)
		c.Fixed(k.Key[:])
	})
}

// errSecret is why a secret is not marshalled.
var errSecret = errors.New("wire: granted keys are marshalled by SCALE only, inside an enclave")

// Format hides the keys from every verb of package fmt.
func (m GrantedKeys) Format(f fmt.State, _ rune) { io.WriteString(f, "GrantedKeys(redacted)") }

// MarshalText fails, and with it every text and JSON encoding.
func (m GrantedKeys) MarshalText() ([]byte, error) { return nil, errSecret }

// Format hides the key from every verb of package fmt.
func (k GrantedKey) Format(f fmt.State, _ rune) { io.WriteString(f, "GrantedKey(redacted)") }

// MarshalText fails, and with it every text and JSON encoding.
func (k GrantedKey) MarshalText() ([]byte, error) { return nil, errSecret }

// Zero erases the keys.
func (m *GrantedKeys) Zero() {
	for i := range m.Keys {
		clear(m.Keys[i].Key[:])
	}
}

// Member is a worker of a cluster.
type Member struct {
	Identity   sr25519.PublicKey
	SinceEpoch uint32 // the first key epoch that it may have
}

// Scale visits the fields in order.
func (m *Member) Scale(c *scale.Codec) {
	m.Identity.Scale(c)
	c.U32(&m.SinceEpoch)
}
