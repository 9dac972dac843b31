package commkey

import (
	"sync"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/internal/secret"
)

// Exchange is what two key pairs have agreed on, from which all their CommKeys derive: a request and its reply cost one
// ECDH with it. It is as secret as all of these keys, so it lives no longer than the exchange of the two messages. Its
// methods may be called at the same time.
type Exchange struct {
	opaque
	own, peer ecdh.PublicKey
	s         secret.Box[exchangeState]
}

type exchangeState struct {
	mu     sync.Mutex
	master *Node // nil once erased
}

// NewExchange agrees with a peer. The errors of ecdh's Shared pass through. The caller calls Zero.
func NewExchange(own *ecdh.PrivateKey, peer ecdh.PublicKey) (*Exchange, error) {
	node, err := master(own, peer)
	if err != nil {
		return nil, err
	}
	return &Exchange{own: own.Public(), peer: peer, s: secret.NewBox(&exchangeState{master: node})}, nil
}

// Own returns the own public key.
func (x *Exchange) Own() ecdh.PublicKey { return x.own }

// Peer returns the peer's.
func (x *Exchange) Peer() ecdh.PublicKey { return x.peer }

// Send is [Send] without another ECDH; after Zero it fails with [ErrErased].
func (x *Exchange) Send(p Purpose, epoch uint32) (*Key, error) {
	return x.key(p, direction(x.own, x.peer), epoch)
}

// Receive is [Receive] without another ECDH; after Zero it fails with [ErrErased].
func (x *Exchange) Receive(p Purpose, epoch uint32) (*Key, error) {
	return x.key(p, direction(x.peer, x.own), epoch)
}

func (x *Exchange) key(p Purpose, direction, epoch uint32) (*Key, error) {
	if err := check(p, epoch); err != nil {
		return nil, err
	}
	s := x.s.Get()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return nil, ErrErased
	}
	return child(s.master, p, direction, epoch)
}

// Zero erases what was agreed on.
func (x *Exchange) Zero() {
	s := x.s.Get()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master != nil {
		s.master.Zero()
		s.master = nil
	}
}
