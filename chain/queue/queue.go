package queue

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Store is an ordered map of raw bytes. It may be one that is undone when an operation returns an error: no operation
// of this package leaves a half of its writes behind otherwise than by an error of the store itself.
type Store interface {
	// Get returns nil where there is no entry.
	Get(key []byte) ([]byte, error)
	Set(key, value []byte) error
	Delete(key []byte) error
	// Ascend visits the keys in [start, end) in order until visit returns false. visit does not change the store.
	Ascend(start, end []byte, visit func(key []byte) bool) error
}

// ErrCorrupt says that the store holds what this package never writes.
var ErrCorrupt = errors.New("queue store is damaged")

// Queue is the message queue in a store. Make it with [Over].
type Queue struct {
	store Store
}

// Over returns the queue in a store.
func Over(store Store) Queue { return Queue{store} }

// Appended is what became of a message.
type Appended struct {
	Index  uint64 // its place in the topic, from 0
	Digest wire.Hash
	Head   wire.Head // after it
}

// Append adds a message to its topic. retention is how many blocks its body stays at least. It returns an error where
// a field is over its bound.
func (q Queue) Append(m *wire.Message, retention uint64) (Appended, error) {
	body, err := scale.Marshal(m)
	if err != nil {
		return Appended{}, fmt.Errorf("message: %w", err)
	}
	head, err := q.Head(m.Topic)
	if err != nil {
		return Appended{}, err
	}
	topic := m.Topic.Bytes()
	digest := wire.Hash(sha256.Sum256(body))
	next := head.Next(digest)
	entry := binary.BigEndian.AppendUint64(append([]byte(nil), digest[:]...), m.Height)
	if err := q.store.Set(indexed(prefixMessage, topic, head.Count), body); err != nil {
		return Appended{}, err
	}
	if err := q.store.Set(indexed(prefixDigest, topic, head.Count), entry); err != nil {
		return Appended{}, err
	}
	if err := q.store.Set([]byte(wire.KeyHead(m.Topic).Key), scale.MustMarshal(&next)); err != nil {
		return Appended{}, err
	}
	if err := q.shelve(m.Topic, m.Height, retention); err != nil {
		return Appended{}, err
	}
	return Appended{head.Count, digest, next}, nil
}

// Head returns the running head of a topic, the zero Head of an empty one.
func (q Queue) Head(topic wire.Topic) (wire.Head, error) {
	var head wire.Head
	_, err := q.load([]byte(wire.KeyHead(topic).Key), &head)
	return head, err
}

// Sequence returns how far an enclave's messages have been accepted, the zero Sequence of an unknown enclave.
func (q Queue) Sequence(pk sr25519.PublicKey) (wire.Sequence, error) {
	var s wire.Sequence
	_, err := q.load([]byte(wire.KeySequence(pk).Key), &s)
	return s, err
}

// load reads a record and reports whether it is there.
func (q Queue) load(key []byte, r scale.Record) (bool, error) {
	raw, err := q.store.Get(key)
	if err != nil || raw == nil {
		return false, err
	}
	if err := scale.Unmarshal(raw, r); err != nil {
		return false, fmt.Errorf("%w: key %x: %w", ErrCorrupt, key, err)
	}
	return true, nil
}

// The first bytes of keys that only this package reads; heads and sequences have theirs from wire.
const (
	prefixMessage = "message/"
	prefixDigest  = "digest/"
	prefixShelf   = "shelf/"
	prefixDue     = "due/"
)

func indexed(prefix string, topic []byte, index uint64) []byte {
	key := make([]byte, 0, len(prefix)+len(topic)+8)
	key = append(key, prefix...)
	key = append(key, topic...)
	return binary.BigEndian.AppendUint64(key, index)
}
