package keys

import (
	"context"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
)

// BeginRotation returns a pending EcdhKey, sealed, with the epoch in which it is to be current: the one after the
// current key's. While one is pending it returns that again, so that a restart announces the same key. It fails with
// [ErrGrace] while the key before is in its grace period: a third key would end that period early.
//
// From here on the pending key opens envelopes of its epoch: the chain may name it before this enclave has seen the
// header.
func (k *Keyring) BeginRotation(ctx context.Context) (ecdh.PublicKey, uint32, error) {
	var next channel
	err := k.change(ctx, func(s *state) error {
		if s.next.held() {
			next = s.next
			return errUnchanged
		}
		if s.previous.held() {
			return ErrGrace
		}
		var err error
		next, err = k.newChannel(s.current.epoch)
		s.next = next
		return err
	})
	if err != nil {
		return ecdh.PublicKey{}, 0, err
	}
	return next.key.Public(), next.epoch, nil
}

// ReplaceEcdhKey is for [ErrUnknownOwnKey]: it returns a fresh pending EcdhKey, sealed, for the next registration.
// chainEpoch is the epoch of the key that the chain names and that was lost. A key that was pending is erased, for it
// may be one that the chain has already seen come and go.
func (k *Keyring) ReplaceEcdhKey(ctx context.Context, chainEpoch uint32) (ecdh.PublicKey, uint32, error) {
	var next channel
	err := k.change(ctx, func(s *state) error {
		if chainEpoch < s.current.epoch {
			return fmt.Errorf("%w: %d, held is %d", ErrOldEpoch, chainEpoch, s.current.epoch)
		}
		var err error
		next, err = k.newChannel(chainEpoch)
		s.next = next
		return err
	})
	if err != nil {
		return ecdh.PublicKey{}, 0, err
	}
	return next.key.Public(), next.epoch, nil
}

// newChannel draws an EcdhKey for the epoch after the given one.
func (k *Keyring) newChannel(after uint32) (channel, error) {
	if after >= commkey.MaxEpoch {
		return channel{}, ErrEpochs
	}
	key, err := ecdh.Generate(k.rand)
	if err != nil {
		return channel{}, fmt.Errorf("keys: ecdh key: %w", err)
	}
	return channel{key, after + 1}, nil
}

// Pending returns the pending EcdhKey's public half and epoch; ok is false if there is none.
func (k *Keyring) Pending() (key ecdh.PublicKey, epoch uint32, ok bool) {
	_ = k.read(func(s *state) error { // once closed there is none
		if s.next.held() {
			key, epoch, ok = s.next.key.Public(), s.next.epoch, true
		}
		return nil
	})
	return key, epoch, ok
}

// AdoptEpoch tells the Keyring which EcdhKey of its own the chain names as current, and in which epoch; the caller has
// it from a proof. graceEnds is the last height of messages that the key before may still open.
//
//   - The current key in its epoch: nothing changes. In a later epoch: the epoch is taken over.
//   - The pending key: it becomes current, the current one enters its grace period until graceEnds, and one that still
//     was in its own is erased.
//   - A key or epoch before the current: [ErrOldEpoch], and nothing changes.
//   - Another key: [ErrUnknownOwnKey]; see ReplaceEcdhKey.
func (k *Keyring) AdoptEpoch(ctx context.Context, key ecdh.PublicKey, epoch uint32, graceEnds uint64) error {
	if epoch > commkey.MaxEpoch {
		return fmt.Errorf("%w: %d", ErrEpochs, epoch)
	}
	return k.change(ctx, func(s *state) error {
		switch {
		case s.next.held() && key == s.next.key.Public():
			return s.promote(epoch, graceEnds)
		case key == s.current.key.Public():
			return s.renumber(epoch)
		case s.previous.held() && key == s.previous.key.Public():
			return fmt.Errorf("%w: the chain names the key before", ErrOldEpoch)
		}
		return fmt.Errorf("%w: %s in epoch %d", ErrUnknownOwnKey, key, epoch)
	})
}

// promote makes the pending key current.
func (s *state) promote(epoch uint32, graceEnds uint64) error {
	if epoch <= s.current.epoch {
		return fmt.Errorf("%w: %d, held is %d", ErrOldEpoch, epoch, s.current.epoch)
	}
	s.previous, s.graceEnds = s.current, graceEnds
	s.current, s.next = channel{s.next.key, epoch}, channel{}
	return nil
}

// renumber gives the current key a later epoch, and a pending one the epoch after it.
func (s *state) renumber(epoch uint32) error {
	if epoch == s.current.epoch {
		return errUnchanged
	}
	if epoch < s.current.epoch {
		return fmt.Errorf("%w: %d, held is %d", ErrOldEpoch, epoch, s.current.epoch)
	}
	s.current.epoch = epoch
	if s.next.held() && s.next.epoch <= epoch {
		if epoch == commkey.MaxEpoch {
			return ErrEpochs
		}
		s.next.epoch = epoch + 1
	}
	return nil
}

// Expire erases the key before the current one, from memory and from the file, if height is past its grace period.
// height is that of the messages that have been handled: messages before it will not come any more. A caller that
// passes the newest header's height while older messages wait would lose those that are in flight.
func (k *Keyring) Expire(ctx context.Context, height uint64) error {
	return k.change(ctx, func(s *state) error {
		if !s.previous.held() || height <= s.graceEnds {
			return errUnchanged
		}
		s.previous, s.graceEnds = channel{}, 0
		return nil
	})
}

// GraceEnds returns the last height at which the key before the current one opens envelopes; ok is false if there is
// none.
func (k *Keyring) GraceEnds() (height uint64, ok bool) {
	_ = k.read(func(s *state) error { // once closed there is none
		height, ok = s.graceEnds, s.previous.held()
		return nil
	})
	return height, ok
}
