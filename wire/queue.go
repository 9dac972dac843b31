package wire

import (
	"crypto/sha256"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// MaxPayload is the most bytes of one message's payload.
const MaxPayload = 512 << 10

// Variants of [Sender] and [Topic].
const (
	SenderChain   uint8 = 0 // reserved for the chain itself
	SenderAccount uint8 = 1
	SenderEnclave uint8 = 2

	TopicCluster     uint8 = 0
	TopicEntity      uint8 = 1
	TopicGatekeepers uint8 = 2
)

// Sender is who posted a message: the chain, an account, or an enclave by its IdentityKey. It is comparable.
type Sender struct {
	Variant uint8
	Account Account           // SenderAccount
	Enclave sr25519.PublicKey // SenderEnclave
}

// Scale visits the variant's index and its field.
func (s *Sender) Scale(c *scale.Codec) {
	c.Variant(&s.Variant, 3)
	if c.Err() != nil {
		return
	}
	switch s.Variant {
	case SenderAccount:
		s.Account.Scale(c)
	case SenderEnclave:
		s.Enclave.Scale(c)
	}
}

// Topic is where a message goes: a cluster, an entity by its IdentityKey, or the gatekeepers. It is comparable.
type Topic struct {
	Variant uint8
	Cluster ClusterID         // TopicCluster
	Entity  sr25519.PublicKey // TopicEntity
}

// ClusterTopic, EntityTopic and GatekeepersTopic make topics.
func ClusterTopic(id ClusterID) Topic        { return Topic{Variant: TopicCluster, Cluster: id} }
func EntityTopic(pk sr25519.PublicKey) Topic { return Topic{Variant: TopicEntity, Entity: pk} }
func GatekeepersTopic() Topic                { return Topic{Variant: TopicGatekeepers} }

// Scale visits the variant's index and its field.
func (t *Topic) Scale(c *scale.Codec) {
	c.Variant(&t.Variant, 3)
	if c.Err() != nil {
		return
	}
	switch t.Variant {
	case TopicCluster:
		t.Cluster.Scale(c)
	case TopicEntity:
		t.Entity.Scale(c)
	}
}

// Bytes returns the topic's SCALE bytes.
func (t Topic) Bytes() []byte { return scale.MustMarshal(&t) }

// Message is one entry of a topic. Its payload is the SCALE of a [Body], though nobody checks that before the
// message is in the topic.
type Message struct {
	Height  uint64
	Time    uint64 // the block's time in Unix milliseconds
	Sender  Sender
	Topic   Topic
	Payload []byte // at most [MaxPayload] bytes
}

// Scale visits the fields in order.
func (m *Message) Scale(c *scale.Codec) {
	c.U64(&m.Height)
	c.U64(&m.Time)
	m.Sender.Scale(c)
	m.Topic.Scale(c)
	c.Bytes(&m.Payload, MaxPayload)
}

// Digest returns the SHA-256 of the message's SCALE bytes. The running head is over digests, so that whoever holds
// the digests of messages to come can check a first part of them against a head that lies beyond it.
func (m *Message) Digest() (Hash, error) {
	b, err := scale.Marshal(m)
	if err != nil {
		return Hash{}, err
	}
	return sha256.Sum256(b), nil
}

// Head is a topic's running head: how many messages it has ever had, and the hash over them all.
type Head struct {
	Count uint64
	Hash  Hash
}

// Scale visits the fields in order.
func (h *Head) Scale(c *scale.Codec) {
	c.U64(&h.Count)
	h.Hash.Scale(c)
}

// Next returns the head after one more message of the given digest: hash_n = SHA-256(hash_{n-1} ‖ digest). The head of
// an empty topic is the zero Head.
func (h Head) Next(digest Hash) Head {
	var b [64]byte
	copy(b[:32], h.Hash[:])
	copy(b[32:], digest[:])
	return Head{Count: h.Count + 1, Hash: sha256.Sum256(b[:])}
}

// Sequence is how far an enclave's signed messages have been accepted.
type Sequence struct {
	Incarnation Incarnation
	Next        uint64 // the sequence that is accepted next; 0 in a new incarnation
}

// Scale visits the fields in order.
func (s *Sequence) Scale(c *scale.Codec) {
	s.Incarnation.Scale(c)
	c.U64(&s.Next)
}
