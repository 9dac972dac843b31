package worker

import (
	"encoding/binary"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// systemID is the contract id under which the cluster keeps what is its own. No contract has it: a contract's id is a
// hash.
var systemID [32]byte

// systemEntry is the key of the [system] record.
const systemEntry = "system"

// maxFixed is how many fixed key epochs the system remembers. Older ones are past their grace period.
const maxFixed = 8

// system is what a cluster remembers between messages beside its ledgers. Copies share what its slices and pointers
// point to, which therefore never changes: whoever changes something puts a new one in its place.
type system struct {
	Head        wire.Head // over every message that was taken
	Execution   uint32    // execution version
	Members     []wire.Member
	Fixed       []wire.FixedKey // oldest first; the last one is in force
	NextRoot    *nextRoot
	Marks       uint64 // number of the last mark
	MarkEnd     uint64 // topic count after it
	Noops       uint64
	Contracts   uint64
	Withdrawals uint64   // numbers given out
	Oldest      uint64   // no receipt has a lower topic index
	Leaves      frontier // of the receipts since the last mark
}

// nextRoot is a change of the RootKey that was announced by a fixed key.
type nextRoot struct {
	Epoch uint32
	Marks uint8 // marks since the fix
}

// Scale visits the fields in order.
func (s *system) Scale(c *scale.Codec) {
	s.Head.Scale(c)
	c.U32(&s.Execution)
	scale.Slice(c, &s.Members, wire.MaxMembers, func(m *wire.Member) { m.Scale(c) })
	scale.Slice(c, &s.Fixed, maxFixed, func(f *wire.FixedKey) { f.Scale(c) })
	scale.Option(c, &s.NextRoot, func(n *nextRoot) {
		c.U32(&n.Epoch)
		c.U8(&n.Marks)
	})
	for _, v := range []*uint64{&s.Marks, &s.MarkEnd, &s.Noops, &s.Contracts, &s.Withdrawals, &s.Oldest} {
		c.U64(v)
	}
	s.Leaves.Scale(c)
}

// inForce returns the newest fixed key.
func (s *system) inForce() (wire.FixedKey, bool) {
	if len(s.Fixed) == 0 {
		return wire.FixedKey{}, false
	}
	return s.Fixed[len(s.Fixed)-1], true
}

// accepts reports whether a message at a height may be encrypted to a key of an epoch: the one in force, or one that
// was replaced at most [wire.KeyEpochGrace] blocks before.
func (s *system) accepts(key ecdh.PublicKey, epoch uint32, height uint64) bool {
	for i, f := range s.Fixed {
		if f.Epoch != epoch || f.Key != key {
			continue
		}
		return i == len(s.Fixed)-1 || height <= s.Fixed[i+1].Height+wire.KeyEpochGrace
	}
	return false
}

// store is a key-value space of the state: a view or an overlay.
type reader interface {
	Get(contract [32]byte, key []byte) ([]byte, bool)
}

// systemKey joins a prefix and its parts.
func systemKey(prefix string, parts ...[]byte) []byte {
	key := []byte(prefix)
	for _, p := range parts {
		key = append(key, p...)
	}
	return key
}

func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
func be16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

// load decodes the system entry at key into r; false where there is none.
func load(s reader, key []byte, r scale.Record) (bool, error) {
	b, ok := s.Get(systemID, key)
	if !ok {
		return false, nil
	}
	if err := scale.Unmarshal(b, r); err != nil {
		return false, fmt.Errorf("state entry %q: %w", key[:min(2, len(key))], err)
	}
	return true, nil
}

// save writes a system entry.
func save(o *state.Overlay, key []byte, r scale.Record) error {
	b, err := scale.Marshal(r)
	if err != nil {
		return err
	}
	return o.Set(systemID, key, b)
}

// amount is a balance as a record.
type amount struct{ uint128.Uint128 }

func (a *amount) Scale(c *scale.Codec) { c.U128(&a.Uint128) }

// contractEntry is a contract of the cluster, or what stays of one that ended its existence: then CodeHash is zero.
type contractEntry struct {
	CodeHash wire.CodeHash
	Born     wire.CodeHash // the code that it was made of
	Owner    wire.Identity // who signed its instantiation, or owns the contract that made it
	Index    uint64        // in the topic, of the message that made it
	Deployer *[32]byte     // the contract that made it; nil where a client did
	Secret   [32]byte      // of the contract alone; it never changes, whatever keys rotate
}

// Scale visits the fields in order.
func (e *contractEntry) Scale(c *scale.Codec) {
	e.CodeHash.Scale(c)
	e.Born.Scale(c)
	e.Owner.Scale(c)
	c.U64(&e.Index)
	scale.Option(c, &e.Deployer, func(d *[32]byte) { c.Fixed(d[:]) })
	c.Fixed(e.Secret[:])
}

// identityKey is an identity's SCALE bytes, 33 of them.
func identityKey(i wire.Identity) []byte { return scale.MustMarshal(&i) }

// codeOf returns the hash of a contract's code, false where there is no such contract. It reads the first field of the
// [contractEntry] alone: to decode the owner's key costs more than a small call.
func codeOf(s reader, id [32]byte) (code wire.CodeHash, ok bool) {
	b, ok := s.Get(systemID, systemKey("c/", id[:]))
	if !ok || len(b) < len(code) {
		return code, false
	}
	code = wire.CodeHash(b[:len(code)])
	return code, code != wire.CodeHash{}
}
