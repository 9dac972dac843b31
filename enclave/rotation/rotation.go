// Package rotation keeps an enclave's EcdhKey in step with the chain: it replaces the key at the network's interval,
// takes over what the chain has accepted, and has the key before erased when its grace period is over.
//
// [New] makes a [Rotation]; dispatch calls [Rotation.Step] at each verified header, and [Rotation.RegistrationKey]
// says which key a registration names.
//
// What is promised: a key is sealed before it is announced; the one before opens envelopes until the grace period that
// began with the proven change is over, so nothing in flight at the moment of rotation is lost.
package rotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
)

// announceAgain is after how many blocks an announcement without effect is repeated.
const announceAgain = 10

// Keys is what rotation needs of the enclave's keys; *keys.Keyring is one.
type Keys interface {
	EcdhKey() (key ecdh.PublicKey, epoch uint32, err error)
	Pending() (key ecdh.PublicKey, epoch uint32, ok bool)
	AdoptEpoch(ctx context.Context, key ecdh.PublicKey, epoch uint32, graceEnds uint64) error
	ReplaceEcdhKey(ctx context.Context, chainEpoch uint32) (ecdh.PublicKey, uint32, error)
	BeginRotation(ctx context.Context) (ecdh.PublicKey, uint32, error)
	Expire(ctx context.Context, height uint64) error
}

// Rotation is the EcdhKey's life.
type Rotation struct {
	keys      Keys
	announced uint64
	replaced  bool // whether the pending key was made by fresh in this incarnation
}

// New returns the rotation of a keyring's EcdhKey.
func New(keys Keys) *Rotation { return &Rotation{keys: keys} }

// Step takes over the key that the chain names, announces a new one when the current one is old enough, and erases the
// one before when its grace period is over.
func (r *Rotation) Step(ctx context.Context, c dispatch.Chain) error {
	self, params, height := c.Self(), c.Params(), c.Header().Height
	if err := r.keys.AdoptEpoch(ctx, self.Ecdh.Key, self.Ecdh.Epoch, self.Ecdh.Since+params.RotationGrace); err != nil {
		return fmt.Errorf("ecdh key: %w", err)
	}
	if err := r.keys.Expire(ctx, height); err != nil {
		return fmt.Errorf("ecdh key: %w", err)
	}
	if params.RotationInterval == 0 || height < self.Ecdh.Since+params.RotationInterval {
		return nil
	}
	if r.announced != 0 && height < r.announced+announceAgain {
		return nil
	}
	key, epoch, err := r.keys.BeginRotation(ctx)
	if errors.Is(err, keys.ErrGrace) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ecdh key: %w", err)
	}
	r.announced = height
	return c.Act(wire.Act{Kind: wire.ActRotateEcdh, RotateEcdh: &wire.RotateEcdh{Key: key, Epoch: epoch}})
}

// RegistrationKey returns the EcdhKey that a registration names, given the chain's record of this identity, nil where
// it has none. A key of its own that the chain names and this enclave lacks means that its disk was older; it then
// registers a fresh one.
func (r *Rotation) RegistrationKey(ctx context.Context, record *wire.WorkerState, grace uint64) (ecdh.PublicKey, error) {
	if record != nil {
		err := r.keys.AdoptEpoch(ctx, record.Ecdh.Key, record.Ecdh.Epoch, record.Ecdh.Since+grace)
		if errors.Is(err, keys.ErrUnknownOwnKey) {
			return r.fresh(ctx, record.Ecdh.Epoch)
		}
		if err != nil {
			return ecdh.PublicKey{}, fmt.Errorf("ecdh key: %w", err)
		}
	}
	key, _, err := r.keys.EcdhKey()
	return key, err
}

// fresh returns a new key that follows the chain's epoch. A pending key of an older disk may be one that the chain has
// seen come and go, so only one that this incarnation made is used again.
func (r *Rotation) fresh(ctx context.Context, chainEpoch uint32) (ecdh.PublicKey, error) {
	if key, epoch, ok := r.keys.Pending(); ok && r.replaced && epoch == chainEpoch+1 {
		return key, nil
	}
	key, _, err := r.keys.ReplaceEcdhKey(ctx, chainEpoch)
	r.replaced = err == nil
	return key, err
}
