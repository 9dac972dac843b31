package wire

import (
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/group"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// MaxSignedMessage is the most bytes of a [SignedMessage].
const MaxSignedMessage = MaxPayload + 4<<10

// ActKind is the index of [Act] in SCALE.
type ActKind uint8

// Acts of enclaves.
const (
	ActPost       ActKind = 0 // a message to an entity or the gatekeepers
	ActRotateEcdh ActKind = 1 // a new EcdhKey
	ActMasterKey  ActKind = 2 // the public MasterKey, by a gatekeeper
	ActKeyReport  ActKind = 3 // a cluster's public key, by a member
	ActContract   ActKind = 4 // a contract that a command instantiated, by a member
	ActCheckpoint ActKind = 5 // the results at a checkpoint mark, by a member
)

// Act is what an enclave does on the chain: one kind and the record of that kind, the others nil.
type Act struct {
	Kind       ActKind
	Post       *Post
	RotateEcdh *RotateEcdh
	MasterKey  *MasterKeyReport
	KeyReport  *KeyReport
	Contract   *ContractReport
	Checkpoint *Checkpoint
}

// Scale visits the kind's index and its record.
func (a *Act) Scale(c *scale.Codec) {
	c.Variant((*uint8)(&a.Kind), 6)
	if c.Err() != nil {
		return
	}
	switch a.Kind {
	case ActPost:
		part(c, &a.Post)
	case ActRotateEcdh:
		part(c, &a.RotateEcdh)
	case ActMasterKey:
		part(c, &a.MasterKey)
	case ActKeyReport:
		part(c, &a.KeyReport)
	case ActContract:
		part(c, &a.Contract)
	case ActCheckpoint:
		part(c, &a.Checkpoint)
	}
}

// Post puts a payload in the topic of an entity or of the gatekeepers. A cluster's topic is refused.
type Post struct {
	Topic   Topic
	Payload []byte // the SCALE of a [Body]
}

// Scale visits the fields in order.
func (p *Post) Scale(c *scale.Codec) {
	p.Topic.Scale(c)
	c.Bytes(&p.Payload, MaxPayload)
}

// RotateEcdh makes Key the enclave's EcdhKey of the epoch Epoch, which is the current one's plus one.
type RotateEcdh struct {
	Key   ecdh.PublicKey
	Epoch uint32
}

// Scale visits the fields in order.
func (r *RotateEcdh) Scale(c *scale.Codec) {
	r.Key.Scale(c)
	c.U32(&r.Epoch)
}

// MasterKeyReport announces the MasterKey's public element k·G of a master epoch.
type MasterKeyReport struct {
	Epoch uint32
	Key   group.Element
}

// Scale visits the fields in order.
func (m *MasterKeyReport) Scale(c *scale.Codec) {
	c.U32(&m.Epoch)
	m.Key.Scale(c)
}

// KeyReport says what a cluster's public EcdhKey of a key epoch is.
type KeyReport struct {
	Cluster ClusterID
	Epoch   uint32
	Key     ecdh.PublicKey
}

// Scale visits the fields in order.
func (r *KeyReport) Scale(c *scale.Codec) {
	r.Cluster.Scale(c)
	c.U32(&r.Epoch)
	r.Key.Scale(c)
}

// ContractReport says that the command at index Index of the cluster's topic instantiated a contract.
type ContractReport struct {
	Cluster  ClusterID
	Contract ContractID
	CodeHash CodeHash
	Index    uint64
}

// Scale visits the fields in order.
func (r *ContractReport) Scale(c *scale.Codec) {
	r.Cluster.Scale(c)
	r.Contract.Scale(c)
	r.CodeHash.Scale(c)
	c.U64(&r.Index)
}

// EnclaveMessage is an act in its place in the order of one enclave's acts.
type EnclaveMessage struct {
	Identity    sr25519.PublicKey
	Incarnation Incarnation
	Sequence    uint64 // from 0 in each incarnation, without gaps
	Act         Act
}

// Scale visits the fields in order.
func (m *EnclaveMessage) Scale(c *scale.Codec) {
	m.Identity.Scale(c)
	m.Incarnation.Scale(c)
	c.U64(&m.Sequence)
	m.Act.Scale(c)
}

// SigningText returns what the IdentityKey signs.
func (m *EnclaveMessage) SigningText(uid ChainUID) ([]byte, error) {
	body, err := scale.Marshal(m)
	if err != nil {
		return nil, err
	}
	return SigningText(KindMessage, uid, body), nil
}

// SignedMessage is an [EnclaveMessage] with the signature of its identity.
type SignedMessage struct {
	Message   EnclaveMessage
	Signature sr25519.Signature
}

// Scale visits the fields in order.
func (s *SignedMessage) Scale(c *scale.Codec) {
	s.Message.Scale(c)
	s.Signature.Scale(c)
}

// Verify checks the signature for a chain.
func (s *SignedMessage) Verify(uid ChainUID) error {
	text, err := s.Message.SigningText(uid)
	if err != nil {
		return err
	}
	if err := sr25519.Verify(s.Message.Identity, text, s.Signature); err != nil {
		return fmt.Errorf("enclave message: %w", err)
	}
	return nil
}
