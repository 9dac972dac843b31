package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// MaxOffer is the most bytes of a signed offer.
const MaxOffer = wire.MaxHandoverEnvelope + 2<<10

// Standing says whose hands an identity's keys are in. Its values are sealed and never change.
type Standing uint8

// The standings.
const (
	Holding    Standing = 0 // here
	Receiving  Standing = 1 // not yet here
	HandedOver Standing = 2 // no longer here

	standings = 3
)

// String returns the standing's name as the status shows it.
func (s Standing) String() string {
	names := [standings]string{"holding", "receiving", "handed over"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// held returns nil where the identity's keys are here, or why not.
func (s *state) held() error {
	switch s.standing() {
	case Receiving:
		return ErrReceiving
	case HandedOver:
		return ErrHandedOver
	}
	return nil
}

// OpenReceiver is [Open] for a release that is to take over an identity's keys: a directory without keys waits for them.
// One that has received them is opened as Open would. It fails with [ErrOtherIdentity] where the directory holds, or waits
// for, another identity's keys.
func OpenReceiver(
	ctx context.Context, dir string, sealer tee.Sealer, uid wire.ChainUID, kind string, rand io.Reader, identity sr25519.PublicKey,
) (*Keyring, error) {
	k, err := openDir(ctx, dir, binding{sealer, uid, kind}, rand, waiting(identity))
	if err != nil {
		return nil, err
	}
	if held := k.Identity(); held != identity {
		return nil, errors.Join(fmt.Errorf("%w: %s in %s", ErrOtherIdentity, held, dir), k.Close())
	}
	return k, nil
}

// waiting makes the first state of a receiver.
func waiting(identity sr25519.PublicKey) func(io.Reader) (*state, error) {
	return func(io.Reader) (*state, error) {
		if identity == (sr25519.PublicKey{}) {
			return nil, fmt.Errorf("%w: it is the zero key", ErrOtherIdentity)
		}
		return &state{whose: identity}, nil
	}
}

// Standing says whether the identity's keys are here.
func (k *Keyring) Standing() Standing {
	standing := Holding
	_ = k.look(func(s *state) error { // once closed nobody asks
		standing = s.standing()
		return nil
	})
	return standing
}

// PrepareHandover returns the public half of the one-time key that keys are asked with, sealed. It is the same until they
// have come: a request that is made again names the key that an offer may already be for. It fails with [ErrNotReceiver].
func (k *Keyring) PrepareHandover(ctx context.Context) (ecdh.PublicKey, error) {
	var public ecdh.PublicKey
	err := k.amend(ctx, func(s *state) error {
		if s.standing() != Receiving {
			return ErrNotReceiver
		}
		if s.receive != nil {
			public = s.receive.Public()
			return errUnchanged
		}
		key, err := ecdh.Generate(k.rand)
		if err != nil {
			return fmt.Errorf("keys: one-time key: %w", err)
		}
		s.receive, public = key, key.Public()
		return nil
	})
	if err != nil {
		return ecdh.PublicKey{}, err
	}
	return public, nil
}

// HandOver gives every key to the one-time key of a request, which the caller has judged, and erases them here: one write
// replaces the sealed keys by the finished offer. Afterwards every other method that needs keys fails with [ErrHandedOver],
// as does HandOver for another request; for the same it changes nothing. program and height are those of the chain's message.
func (k *Keyring) HandOver(ctx context.Context, request *wire.HandoverRequest, program wire.Hash, height uint64) error {
	hash, err := request.Hash()
	if err != nil {
		return fmt.Errorf("keys: handover request: %w", err)
	}
	return k.amend(ctx, func(s *state) error {
		if s.standing() == HandedOver {
			return s.sameRequest(hash)
		}
		if err := s.held(); err != nil {
			return err
		}
		if request.UID != k.binding.uid || request.Identity != s.whose {
			return fmt.Errorf("%w: it asks for another identity's keys", ErrOffer)
		}
		given, err := k.offer(s, request, wire.HandoverOffer{Identity: s.whose, Request: hash, Program: program, Height: height})
		if err != nil {
			return err
		}
		*s = state{whose: s.whose, trusted: s.trusted, blockTime: s.blockTime, given: given}
		return nil
	})
}

// sameRequest tells a repeated request from another one, which comes too late.
func (s *state) sameRequest(hash wire.Hash) error {
	var o wire.SignedHandoverOffer
	if err := scale.Unmarshal(s.given, &o); err != nil {
		return fmt.Errorf("%w: offer: %w", ErrDamaged, err)
	}
	if o.Offer.Request != hash {
		return ErrHandedOver
	}
	return errUnchanged
}

// offer seals the state's keys to the request's one-time key, from a fresh one, and signs that it did.
func (k *Keyring) offer(s *state, request *wire.HandoverRequest, o wire.HandoverOffer) ([]byte, error) {
	plain, err := (&state{
		whose: s.whose, identity: s.identity, current: s.current, previous: s.previous, graceEnds: s.graceEnds, next: s.next,
		master: s.master, blockTime: s.blockTime,
	}).marshal()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	own, err := ecdh.Generate(k.rand)
	if err != nil {
		return nil, fmt.Errorf("keys: one-time key: %w", err)
	}
	defer own.Zero()
	env, err := envelope.Seal(k.rand, k.binding.uid, own, request.OneTime, 0, commkey.Handover, plain)
	if err != nil {
		return nil, fmt.Errorf("keys: handover: %w", err)
	}
	signed := wire.SignedHandoverOffer{Offer: o, Request: *request, Envelope: env.Marshal()}
	signed.Offer.OneTime, signed.Offer.Envelope = own.Public(), sha256.Sum256(signed.Envelope)
	text, err := k.offerText(&signed.Offer)
	if err != nil {
		return nil, err
	}
	if signed.Signature, err = s.identity.Sign(k.rand, text); err != nil {
		return nil, fmt.Errorf("keys: handover: %w", err)
	}
	return scale.Marshal(&signed)
}

func (k *Keyring) offerText(o *wire.HandoverOffer) ([]byte, error) {
	body, err := scale.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("keys: handover offer: %w", err)
	}
	return wire.SigningText(wire.KindHandoverOffer, k.binding.uid, body), nil
}

// Handed returns the SCALE of the signed offer once the keys were handed over, as often as it is asked; before that it
// fails with [ErrNotHandedOver].
func (k *Keyring) Handed() (offer []byte, err error) {
	err = k.look(func(s *state) error {
		if s.standing() != HandedOver {
			return ErrNotHandedOver
		}
		offer = slices.Clone(s.given)
		return nil
	})
	return offer, err
}

// CheckOffer returns an offer that answers the request of this release: it fails with [ErrOffer] where the offer is another
// identity's, is for another one-time key, or is not signed by the identity whose keys were asked for.
func (k *Keyring) CheckOffer(raw []byte) (*wire.SignedHandoverOffer, error) {
	var o *wire.SignedHandoverOffer
	err := k.look(func(s *state) (err error) {
		o, err = k.checkOffer(s, raw)
		return err
	})
	return o, err
}

func (k *Keyring) checkOffer(s *state, raw []byte) (*wire.SignedHandoverOffer, error) {
	if s.standing() != Receiving || s.receive == nil {
		return nil, ErrNotReceiver
	}
	if len(raw) > MaxOffer {
		return nil, fmt.Errorf("%w: %d bytes", ErrOffer, len(raw))
	}
	var o wire.SignedHandoverOffer
	if err := scale.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	hash, err := o.Request.Hash()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	text, err := k.offerText(&o.Offer)
	if err != nil {
		return nil, err
	}
	checks := []struct {
		ok  bool
		why string
	}{
		{o.Offer.Identity == s.whose && o.Request.Identity == s.whose, "it is another identity's"},
		{o.Request.UID == k.binding.uid, "it is another network's"},
		{o.Request.OneTime == s.receive.Public(), "it is for another one-time key"},
		{o.Offer.Request == hash, "it answers another request"},
		{o.Offer.Envelope == sha256.Sum256(o.Envelope), "it has another envelope"},
		{sr25519.Verify(s.whose, text, o.Signature) == nil, "the identity has not signed it"},
	}
	for _, c := range checks {
		if !c.ok {
			return nil, fmt.Errorf("%w: %s", ErrOffer, c.why)
		}
	}
	return &o, nil
}

// Receive takes the keys of an offer as its own and erases the one-time key, in one write. The trusted header stays this
// release's, the clock's floor is the later of the two. The offer that was accepted may be given again; any other fails with
// [ErrNotReceiver], and one that is not the answer to this release's request with [ErrOffer].
func (k *Keyring) Receive(ctx context.Context, raw []byte) error {
	digest := wire.Hash(sha256.Sum256(raw))
	return k.amend(ctx, func(s *state) error {
		if s.standing() == Holding && s.received == digest {
			return errUnchanged
		}
		o, err := k.checkOffer(s, raw)
		if err != nil {
			return err
		}
		got, err := k.openOffer(s, o)
		if err != nil {
			return err
		}
		got.trusted, got.blockTime, got.received = s.trusted, max(s.blockTime, got.blockTime), digest
		*s = *got
		return nil
	})
}

func (k *Keyring) openOffer(s *state, o *wire.SignedHandoverOffer) (*state, error) {
	env, err := envelope.Parse(o.Envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if env.Purpose != commkey.Handover || env.Epoch != 0 || env.Sender != o.Offer.OneTime || env.Recipient != s.receive.Public() {
		return nil, fmt.Errorf("%w: its envelope is not the one that was signed", ErrOffer)
	}
	plain, err := env.Open(k.binding.uid, s.receive)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	defer clear(plain)
	got, err := unmarshalState(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if got.standing() != Holding || got.whose != s.whose || got.receive != nil {
		got.eraseExcept(nil)
		return nil, fmt.Errorf("%w: its keys are not the identity's", ErrOffer)
	}
	return got, nil
}
