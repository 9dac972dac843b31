package keys

import (
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
)

// OpenEnvelope opens an envelope of purpose OnChain or Query with the EcdhKey that its recipient and epoch select: the
// current, the one before in its grace period, or the pending one. It tries no other. It fails with [ErrNoKey],
// [ErrPurpose] or an error of crypto/envelope. Who the sender is, and whether the message is fresh, is the caller's to
// check.
func (k *Keyring) OpenEnvelope(e *envelope.Envelope) ([]byte, error) {
	if e.Purpose != commkey.OnChain && e.Purpose != commkey.Query {
		return nil, fmt.Errorf("%w: %s", ErrPurpose, e.Purpose)
	}
	var plaintext []byte
	err := k.read(func(s *state) error {
		own, err := s.selected(e.Recipient, e.Epoch)
		if err != nil {
			return err
		}
		plaintext, err = e.Open(k.binding.uid, own)
		return err
	})
	return plaintext, err
}

// SealReply encrypts to a client's key, in epoch 0, with purpose Reply, from the current EcdhKey.
func (k *Keyring) SealReply(to ecdh.PublicKey, plaintext []byte) (*envelope.Envelope, error) {
	return k.seal(to, 0, commkey.Reply, plaintext)
}

// SealReplyTo encrypts to a client's key as [Keyring.SealReply] does, but from the EcdhKey that the request was for, which is
// the one the client knows. So an answer fits its question also when the key rotates between the two.
func (k *Keyring) SealReplyTo(request *envelope.Envelope, to ecdh.PublicKey, plaintext []byte) (*envelope.Envelope, error) {
	var out *envelope.Envelope
	err := k.read(func(s *state) error {
		own, err := s.selected(request.Recipient, request.Epoch)
		if err != nil {
			return err
		}
		out, err = envelope.Seal(k.rand, k.binding.uid, own, to, 0, commkey.Reply, plaintext)
		return err
	})
	return out, err
}

// Request is an envelope of purpose Query that was opened, until it is answered. Its methods may be called at the same
// time.
type Request struct {
	_        [0]func()
	ring     *Keyring
	envelope *envelope.Envelope
	exchange *commkey.Exchange
}

// OpenRequest opens an envelope of purpose Query as [Keyring.OpenEnvelope] does, and keeps what the answer needs. The
// caller calls Zero once it is answered or given up.
func (k *Keyring) OpenRequest(e *envelope.Envelope) (plaintext []byte, r *Request, err error) {
	if e.Purpose != commkey.Query {
		return nil, nil, fmt.Errorf("%w: %s", ErrPurpose, e.Purpose)
	}
	err = k.read(func(s *state) error {
		own, err := s.selected(e.Recipient, e.Epoch)
		if err != nil {
			return err
		}
		r = &Request{ring: k, envelope: e}
		r.exchange, err = commkey.NewExchange(own, e.Sender)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if plaintext, err = e.OpenWith(k.binding.uid, r.exchange); err != nil {
		r.Zero()
		return nil, nil, err
	}
	return plaintext, r, nil
}

// Reply encrypts the answer to a client's key, in epoch 0, from the EcdhKey that the request was for. To the key that the
// request came from it needs no other ECDH.
func (r *Request) Reply(to ecdh.PublicKey, plaintext []byte) (*envelope.Envelope, error) {
	if to == r.envelope.Sender {
		return envelope.SealWith(r.ring.rand, r.ring.binding.uid, r.exchange, 0, commkey.Reply, plaintext)
	}
	return r.ring.SealReplyTo(r.envelope, to, plaintext)
}

// Zero erases what the request's two keys have agreed on. Reply may fail afterwards.
func (r *Request) Zero() { r.exchange.Zero() }

// SealMessage encrypts a message of purpose OnChain to another entity's EcdhKey of an epoch, from the current EcdhKey.
func (k *Keyring) SealMessage(to ecdh.PublicKey, epoch uint32, plaintext []byte) (*envelope.Envelope, error) {
	return k.seal(to, epoch, commkey.OnChain, plaintext)
}

func (k *Keyring) seal(to ecdh.PublicKey, epoch uint32, p commkey.Purpose, plaintext []byte) (*envelope.Envelope, error) {
	var out *envelope.Envelope
	err := k.read(func(s *state) (err error) {
		out, err = envelope.Seal(k.rand, k.binding.uid, s.current.key, to, epoch, p, plaintext)
		return err
	})
	return out, err
}

// selected returns the one key that (recipient, epoch) selects.
func (s *state) selected(recipient ecdh.PublicKey, epoch uint32) (*ecdh.PrivateKey, error) {
	for _, c := range []channel{s.current, s.previous, s.next} {
		if c.is(recipient, epoch) {
			return c.key, nil
		}
	}
	return nil, fmt.Errorf("%w: recipient %s, epoch %d", ErrNoKey, recipient, epoch)
}

// OneTime is a key pair for one exchange of purpose KeyDistribution, StateTransfer or Handover. It lives in memory only.
// Its methods may be called at the same time.
type OneTime struct {
	_    [0]func()
	ring *Keyring
	key  *ecdh.PrivateKey
}

// NewOneTime draws a one-time key. The caller calls Zero once the exchange is done, has failed or is given up.
func (k *Keyring) NewOneTime() (*OneTime, error) {
	key, err := ecdh.Generate(k.rand)
	if err != nil {
		return nil, fmt.Errorf("keys: one-time key: %w", err)
	}
	return &OneTime{ring: k, key: key}, nil
}

// Public returns the public key. It stays known after Zero.
func (o *OneTime) Public() ecdh.PublicKey { return o.key.Public() }

// Open opens an envelope of the given purpose to this key, in epoch 0. It fails with [ErrPurpose], [ErrNoKey] or an error of
// crypto/envelope. That the sender's key is the one that was signed with the request's hash is the caller's to check.
func (o *OneTime) Open(e *envelope.Envelope, p commkey.Purpose) ([]byte, error) {
	if !oneTimePurpose(p) || e.Purpose != p {
		return nil, fmt.Errorf("%w: %s", ErrPurpose, e.Purpose)
	}
	if e.Recipient != o.key.Public() || e.Epoch != 0 {
		return nil, fmt.Errorf("%w: recipient %s, epoch %d", ErrNoKey, e.Recipient, e.Epoch)
	}
	return e.Open(o.ring.binding.uid, o.key)
}

// Seal encrypts to another one-time key, in epoch 0. It fails with [ErrPurpose] or an error of crypto/envelope.
func (o *OneTime) Seal(to ecdh.PublicKey, p commkey.Purpose, plaintext []byte) (*envelope.Envelope, error) {
	if !oneTimePurpose(p) {
		return nil, fmt.Errorf("%w: %s", ErrPurpose, p)
	}
	return envelope.Seal(o.ring.rand, o.ring.binding.uid, o.key, to, 0, p, plaintext)
}

// Zero erases the secret. Open and Seal fail afterwards.
func (o *OneTime) Zero() { o.key.Zero() }

func oneTimePurpose(p commkey.Purpose) bool {
	return p == commkey.KeyDistribution || p == commkey.StateTransfer || p == commkey.Handover
}
