// Package commkey derives the CommKey of a channel: the symmetric key for one purpose, one direction and one epoch
// between two ECDH keys (protocol section 2).
//
//	shared  = compressed ristretto255 point, 32 bytes (crypto/ecdh)
//	seed    = SHA-512(shared ‖ min(PkA, PkB) ‖ max(PkA, PkB))
//	(k, c)  = HMAC-SHA512(key = "phalanx commkey v1", data = seed)
//	CommKey = m / purpose' / direction' / epoch'          (SLIP-0010, ed25519 variant: all children hardened)
//
// The sender calls [Send], the recipient [Receive] with the same purpose and epoch; both get the same [Key]. Keys are
// ordered by their 32 bytes; direction is 0 from the smaller to the larger, so that a message reflected to its sender
// does not open. Two purposes, directions or epochs never share a key. Every intermediate value is cleared.
package commkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"errors"
	"fmt"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/internal/secret"
)

// Label is the HMAC key of the master node.
const Label = "phalanx commkey v1"

// KeySize is the length of a CommKey in bytes: AES-256.
const KeySize = 32

// MaxEpoch is the largest epoch.
const MaxEpoch = hardened - 1

// Errors of this package.
var (
	// ErrPurpose says that a purpose is none of the protocol's.
	ErrPurpose = errors.New("commkey: unknown purpose")
	// ErrErased says that the key was erased.
	ErrErased = errors.New("commkey: the key was erased")
)

// Purpose separates the keys of one pair by what they protect (protocol section 2).
type Purpose uint8

// The purposes. Their numbers are part of the derivation.
const (
	OnChain         Purpose = iota // a message on chain
	Query                          // an off-chain query
	Reply                          // an off-chain reply
	KeyDistribution                // keys from gatekeepers
	StateTransfer                  // a snapshot for a joining worker
	Handover                       // an enclave's keys for its next release
	ContractLog                    // what a contract logs, for its owner
)

// Purposes is the number of purposes; all are below it.
const Purposes = uint8(ContractLog) + 1

// Valid reports whether p is one of the protocol's purposes.
func (p Purpose) Valid() bool { return uint8(p) < Purposes }

var purposeNames = [Purposes]string{"on-chain", "query", "reply", "key-distribution", "state-transfer", "handover",
	"contract-log",
}

// String returns the purpose's name.
func (p Purpose) String() string {
	if !p.Valid() {
		return fmt.Sprintf("purpose(%d)", uint8(p))
	}
	return purposeNames[p]
}

// Key is a CommKey. Copies share one secret. Its methods may be called at the same time.
type Key struct {
	opaque
	s secret.Box[keyState]
}

type keyState struct {
	mu     sync.RWMutex
	b      [KeySize]byte
	erased bool
}

// AEAD returns AES-256-GCM under the key, or [ErrErased]. A nonce has 12 bytes and is never used twice; random ones
// are for at most 2³² messages. The expanded AES key lives in the result until the garbage collector reuses it, so
// take one for each use.
func (k *Key) AEAD() (cipher.AEAD, error) {
	s := k.s.Get()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.erased {
		return nil, ErrErased
	}
	block, err := aes.NewCipher(s.b[:])
	if err != nil {
		return nil, fmt.Errorf("commkey: %w", err)
	}
	return cipher.NewGCM(block)
}

// Zero overwrites the key.
func (k *Key) Zero() {
	s := k.s.Get()
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.b[:])
	s.erased = true
}

// Send derives the key for messages from own to peer. epoch is that of the recipient's key, 0 for a client's, and
// below 2³¹ ([ErrIndex]). The errors of ecdh's Shared pass through.
func Send(own *ecdh.PrivateKey, peer ecdh.PublicKey, p Purpose, epoch uint32) (*Key, error) {
	return derive(own, peer, p, direction(own.Public(), peer), epoch)
}

// Receive derives the key for messages from peer to own: what Send gives the peer.
func Receive(own *ecdh.PrivateKey, peer ecdh.PublicKey, p Purpose, epoch uint32) (*Key, error) {
	return derive(own, peer, p, direction(peer, own.Public()), epoch)
}

func direction(from, to ecdh.PublicKey) uint32 {
	if from.Less(to) {
		return 0
	}
	return 1
}

func derive(own *ecdh.PrivateKey, peer ecdh.PublicKey, p Purpose, direction, epoch uint32) (*Key, error) {
	if err := check(p, epoch); err != nil {
		return nil, err
	}
	node, err := master(own, peer)
	if err != nil {
		return nil, err
	}
	defer node.Zero()
	return child(node, p, direction, epoch)
}

func check(p Purpose, epoch uint32) error {
	if !p.Valid() {
		return fmt.Errorf("%w: %d", ErrPurpose, uint8(p))
	}
	if epoch > MaxEpoch {
		return fmt.Errorf("%w: epoch %d", ErrIndex, epoch)
	}
	return nil
}

// child derives m / purpose' / direction' / epoch' and leaves the master as it is.
func child(master *Node, p Purpose, direction, epoch uint32) (*Key, error) {
	node := master
	for _, index := range []uint32{uint32(p), direction, epoch} {
		next, err := node.Child(index)
		if node != master {
			node.Zero()
		}
		if err != nil {
			return nil, err
		}
		node = next
	}
	s := &keyState{b: [KeySize]byte(node.b.Get()[:KeySize])}
	node.Zero()
	return &Key{s: secret.NewBox(s)}, nil
}

func master(own *ecdh.PrivateKey, peer ecdh.PublicKey) (*Node, error) {
	shared, err := own.Shared(peer)
	if err != nil {
		return nil, err
	}
	least, most := own.Public().Array(), peer.Array()
	if peer.Less(own.Public()) {
		least, most = most, least
	}
	var data [ecdh.SharedSize + 2*ecdh.PublicKeySize]byte
	copy(data[:], shared)
	copy(data[ecdh.SharedSize:], least[:])
	copy(data[ecdh.SharedSize+ecdh.PublicKeySize:], most[:])
	seed := sha512.Sum512(data[:])
	clear(shared)
	clear(data[:])
	node := NewNode(Label, seed[:])
	clear(seed[:])
	return node, nil
}
