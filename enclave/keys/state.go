package keys

import (
	"errors"
	"fmt"
	"io"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// MaxTrusted is the most bytes of a trusted header.
const MaxTrusted = 256 << 10

const secretSize = 32

// channel is an EcdhKey and the epoch in which it is, was or is to be the current one. The zero value is none.
type channel struct {
	key   *ecdh.PrivateKey
	epoch uint32
}

func (c channel) held() bool { return c.key != nil }

// is reports whether c is the key that (recipient, epoch) selects.
func (c channel) is(recipient ecdh.PublicKey, epoch uint32) bool {
	return c.held() && c.epoch == epoch && c.key.Public() == recipient
}

// state is everything that is sealed. A value is never changed once it stands in a Keyring: a change makes a copy, which
// shares the keys that stay.
type state struct {
	whose     sr25519.PublicKey   // the identity, also where its private half is not here
	identity  *sr25519.PrivateKey // nil before it was received, and once it was handed over
	current   channel
	previous  channel // in its grace period
	graceEnds uint64  // the last height at which previous opens envelopes
	next      channel // pending: sealed, perhaps announced, not yet current on chain
	master    *hierarchy.MasterKey
	trusted   []byte           // the light client's trusted header, opaque
	blockTime uint64           // Unix milliseconds of the newest verified block
	receive   *ecdh.PrivateKey // one-time key for a handover to here; it may have been asked with
	received  wire.Hash        // of the offer that was accepted, zero for keys that were made here
	given     []byte           // SCALE of the signed offer, once the keys were handed over
}

// standing says whose hands the keys are in.
func (s *state) standing() Standing {
	switch {
	case s.identity != nil:
		return Holding
	case s.given != nil:
		return HandedOver
	}
	return Receiving
}

func newState(rand io.Reader) (*state, error) {
	identity, err := sr25519.Generate(rand)
	if err != nil {
		return nil, fmt.Errorf("keys: identity key: %w", err)
	}
	key, err := ecdh.Generate(rand)
	if err != nil {
		identity.Zero()
		return nil, fmt.Errorf("keys: ecdh key: %w", err)
	}
	return &state{whose: identity.Public(), identity: identity, current: channel{key: key}}, nil
}

// zeroer is a secret that can be erased.
type zeroer interface{ Zero() }

// secrets returns the state's secrets, absent ones left out.
func (s *state) secrets() []zeroer {
	var out []zeroer
	if s.identity != nil {
		out = append(out, s.identity)
	}
	for _, c := range []channel{s.current, s.previous, s.next} {
		if c.held() {
			out = append(out, c.key)
		}
	}
	if s.master != nil {
		out = append(out, s.master)
	}
	if s.receive != nil {
		out = append(out, s.receive)
	}
	return out
}

// eraseExcept erases the secrets of s that kept does not share. kept may be nil.
func (s *state) eraseExcept(kept *state) {
	keep := make(map[zeroer]bool)
	if kept != nil {
		for _, z := range kept.secrets() {
			keep[z] = true
		}
	}
	for _, z := range s.secrets() {
		if !keep[z] {
			z.Zero()
		}
	}
}

// Layout of the plaintext: six secrets of 32 bytes, absent ones zeros, and then the SCALE of sheet. The secrets stand
// apart so that they are written once, into a buffer that is cleared, and never pass through a growing one.
//
//	identity ‖ current ‖ previous ‖ next ‖ master ‖ one-time ‖ SCALE(sheet)
const (
	slotIdentity = iota
	slotCurrent
	slotPrevious
	slotNext
	slotMaster
	slotReceive
	slots
)

// sheet is what is sealed beside the secrets.
type sheet struct {
	Standing      Standing
	CurrentEpoch  uint32
	HasPrevious   bool
	PreviousEpoch uint32
	GraceEnds     uint64
	HasNext       bool
	NextEpoch     uint32
	HasMaster     bool
	BlockTime     uint64
	Trusted       []byte
	Received      wire.Hash         // while holding
	Whose         sr25519.PublicKey // while not
	HasReceive    bool              // while receiving
	Given         []byte            // once handed over
}

// Scale visits the fields in order; those of an absent key, or of another standing, are left out.
func (s *sheet) Scale(c *scale.Codec) {
	c.Variant((*uint8)(&s.Standing), standings)
	c.U64(&s.BlockTime)
	c.Bytes(&s.Trusted, MaxTrusted)
	switch s.Standing {
	case Holding:
		s.scaleHeld(c)
	case Receiving:
		s.Whose.Scale(c)
		c.Bool(&s.HasReceive)
	case HandedOver:
		s.Whose.Scale(c)
		c.Bytes(&s.Given, MaxOffer)
	}
}

func (s *sheet) scaleHeld(c *scale.Codec) {
	s.Received.Scale(c)
	c.U32(&s.CurrentEpoch)
	c.Bool(&s.HasPrevious)
	if s.HasPrevious {
		c.U32(&s.PreviousEpoch)
		c.U64(&s.GraceEnds)
	}
	c.Bool(&s.HasNext)
	if s.HasNext {
		c.U32(&s.NextEpoch)
	}
	c.Bool(&s.HasMaster)
	if c.Err() == nil && max(s.CurrentEpoch, s.PreviousEpoch, s.NextEpoch) > commkey.MaxEpoch {
		c.Fail(ErrEpochs)
	}
}

// marshal returns the plaintext, which the caller clears.
func (s *state) marshal() ([]byte, error) {
	rest, err := scale.Marshal(&sheet{
		Standing:     s.standing(),
		CurrentEpoch: s.current.epoch,
		HasPrevious:  s.previous.held(), PreviousEpoch: s.previous.epoch, GraceEnds: s.graceEnds,
		HasNext: s.next.held(), NextEpoch: s.next.epoch,
		HasMaster: s.master != nil,
		BlockTime: s.blockTime, Trusted: s.trusted,
		Received: s.received, Whose: s.whose, HasReceive: s.receive != nil, Given: s.given,
	})
	if err != nil {
		return nil, fmt.Errorf("keys: encode: %w", err)
	}
	out := make([]byte, slots*secretSize+len(rest))
	copy(out[slots*secretSize:], rest)
	put := func(slot int, secret []byte) {
		copy(out[slot*secretSize:], secret)
		if len(secret) != secretSize {
			err = errors.New("keys: encode: a secret was erased")
		}
		clear(secret)
	}
	if s.identity != nil {
		put(slotIdentity, s.identity.ExposeMiniSecret())
	}
	for i, c := range []channel{s.current, s.previous, s.next} {
		if c.held() {
			put(slotCurrent+i, c.key.ExposeMiniSecret())
		}
	}
	if s.master != nil {
		put(slotMaster, s.master.ExposeBytes())
	}
	if s.receive != nil {
		put(slotReceive, s.receive.ExposeMiniSecret())
	}
	if err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

// unmarshalState reads what marshal wrote. It copies from b, which the caller clears.
func unmarshalState(b []byte) (_ *state, err error) {
	if len(b) < slots*secretSize {
		return nil, fmt.Errorf("%w: %d bytes inside", ErrDamaged, len(b))
	}
	var sh sheet
	if err := scale.Unmarshal(b[slots*secretSize:], &sh); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s := &state{
		whose: sh.Whose, graceEnds: sh.GraceEnds, blockTime: sh.BlockTime, trusted: sh.Trusted, received: sh.Received, given: sh.Given,
	}
	defer func() {
		if err != nil {
			s.eraseExcept(nil)
		}
	}()
	at := func(slot int) []byte { return b[slot*secretSize : (slot+1)*secretSize] }
	holding := sh.Standing == Holding
	if s.identity, err = parseIdentity(at(slotIdentity), holding); err != nil {
		return nil, err
	}
	if holding {
		s.whose = s.identity.Public()
	}
	channels := []struct {
		to    *channel
		slot  int
		held  bool
		epoch uint32
	}{
		{&s.current, slotCurrent, holding, sh.CurrentEpoch},
		{&s.previous, slotPrevious, sh.HasPrevious, sh.PreviousEpoch},
		{&s.next, slotNext, sh.HasNext, sh.NextEpoch},
	}
	for _, c := range channels {
		if *c.to, err = parseChannel(at(c.slot), c.held, c.epoch); err != nil {
			return nil, err
		}
	}
	if s.master, err = parseMaster(at(slotMaster), sh.HasMaster); err != nil {
		return nil, err
	}
	one, err := parseChannel(at(slotReceive), sh.HasReceive, 0)
	if err != nil {
		return nil, err
	}
	s.receive = one.key
	if sh.Standing == HandedOver && len(s.given) == 0 {
		return nil, fmt.Errorf("%w: handed over, and nothing was given", ErrDamaged)
	}
	return s, nil
}

func parseIdentity(secret []byte, held bool) (*sr25519.PrivateKey, error) {
	if !held {
		return nil, mustBeEmpty(secret)
	}
	key, err := sr25519.FromMiniSecret(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: identity key: %w", ErrDamaged, err)
	}
	return key, nil
}

func parseChannel(secret []byte, held bool, epoch uint32) (channel, error) {
	if !held {
		return channel{}, mustBeEmpty(secret)
	}
	key, err := ecdh.FromMiniSecret(secret)
	if err != nil {
		return channel{}, fmt.Errorf("%w: ecdh key: %w", ErrDamaged, err)
	}
	return channel{key, epoch}, nil
}

func parseMaster(secret []byte, held bool) (*hierarchy.MasterKey, error) {
	if !held {
		return nil, mustBeEmpty(secret)
	}
	key, err := hierarchy.ParseMasterKey(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: master key: %w", ErrDamaged, err)
	}
	return key, nil
}

func mustBeEmpty(secret []byte) error {
	if [secretSize]byte(secret) != [secretSize]byte{} {
		return fmt.Errorf("%w: a secret where none is held", ErrDamaged)
	}
	return nil
}
