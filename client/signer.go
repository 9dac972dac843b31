package client

import (
	"crypto/ed25519"
	"errors"
	"io"

	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Signer is an identity that signs invocations. It never gives its key away.
type Signer interface {
	Identity() wire.Identity
	// Sign signs a text that begins with phalanx/invocation/v1.
	Sign(rand io.Reader, text []byte) (wire.UserSignature, error)
}

// LogOpener is a [Signer] that can read what its contracts log: it has the identity's private key at hand, and the
// identity is an sr25519 one. [Sr25519] gives one, and [Of] does for an account of package account.
type LogOpener interface {
	// OpenLog opens an envelope of purpose 6 to the identity, and refuses any other.
	OpenLog(uid wire.ChainUID, e *envelope.Envelope) ([]byte, error)
}

type sr25519Signer struct{ key *sr25519.PrivateKey }

// Sr25519 makes a signer of an sr25519 key, which it uses until the caller erases it.
func Sr25519(key *sr25519.PrivateKey) Signer { return sr25519Signer{key} }

func (s sr25519Signer) Identity() wire.Identity { return wire.Sr25519Identity(s.key.Public()) }

func (s sr25519Signer) Sign(rand io.Reader, text []byte) (wire.UserSignature, error) {
	sig, err := s.key.Sign(rand, text)
	return wire.UserSignature{Kind: wire.SignatureSr25519, Bytes: sig}, err
}

func (s sr25519Signer) OpenLog(uid wire.ChainUID, e *envelope.Envelope) ([]byte, error) {
	return e.OpenLog(uid, s.key)
}

// String hides the key.
func (s sr25519Signer) String() string { return s.Identity().String() }

// GoString hides the key.
func (s sr25519Signer) GoString() string { return s.String() }

// Holder is an account that signs with its sr25519 identity; package account's Account is one. Where it is a [LogOpener]
// too, so is the signer that [Of] makes of it.
type Holder interface {
	Identity() wire.Identity
	SignIdentity(text []byte) (sr25519.Signature, error)
}

type holder struct{ Holder }

// opening is a holder that opens logs.
type opening struct {
	holder
	LogOpener
}

// Of makes a signer of an account.
func Of(h Holder) Signer {
	if o, ok := h.(LogOpener); ok {
		return opening{holder{h}, o}
	}
	return holder{h}
}

func (h holder) Sign(_ io.Reader, text []byte) (wire.UserSignature, error) {
	sig, err := h.SignIdentity(text)
	return wire.UserSignature{Kind: wire.SignatureSr25519, Bytes: sig}, err
}

var errEd25519 = errors.New("client: an ed25519 private key has 64 bytes")

type ed25519Signer struct {
	_   [0]func()
	id  wire.Identity
	key func([]byte) []byte // a closure, so that no formatting verb reaches the key
}

// Ed25519 makes a signer of an ed25519 key of 64 bytes, as Go's crypto/ed25519 has it.
func Ed25519(key ed25519.PrivateKey) (Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errEd25519
	}
	id, err := wire.Ed25519Identity(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &ed25519Signer{id: id, key: func(text []byte) []byte { return ed25519.Sign(key, text) }}, nil
}

func (s *ed25519Signer) Identity() wire.Identity { return s.id }

func (s *ed25519Signer) Sign(_ io.Reader, text []byte) (wire.UserSignature, error) {
	return wire.UserSignature{Kind: wire.SignatureEd25519, Bytes: [64]byte(s.key(text))}, nil
}

// String hides the key.
func (s *ed25519Signer) String() string { return s.id.String() }

// GoString hides the key.
func (s *ed25519Signer) GoString() string { return s.String() }
