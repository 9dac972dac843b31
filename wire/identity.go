package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// Scheme says how an [Identity] signs. The index is the variant's index in SCALE.
type Scheme uint8

// Schemes. Those after Ed25519 have their index fixed and are refused by this version.
const (
	SchemeSr25519   Scheme = 0 // 32-byte public key
	SchemeEd25519   Scheme = 1 // 32-byte public key
	SchemeSecp256k1 Scheme = 2 // Substrate's form: 33-byte compressed public key (reserved)
	SchemeEthereum  Scheme = 3 // 20-byte address (reserved)
)

// Indices of [UserSignature] in SCALE. Those after SignatureEd25519 are reserved: refused by this version.
const (
	SignatureSr25519          = 0 // 64 bytes
	SignatureEd25519          = 1 // 64 bytes
	SignatureSecp256k1        = 2 // 65 bytes, low s (reserved)
	SignatureEIP712           = 3 // 65 bytes, low s (reserved)
	SignatureSr25519Wrapped   = 4 // over <Bytes>…</Bytes> (reserved)
	SignatureEd25519Wrapped   = 5 // over <Bytes>…</Bytes> (reserved)
	SignatureSecp256k1Wrapped = 6 // over <Bytes>…</Bytes> (reserved)
	SignatureDelegated        = 7 // certificates and a session key's signature (reserved)
)

// Errors about identities and their signatures.
var (
	// ErrScheme says that a signature scheme is reserved for a later version.
	ErrScheme = errors.New("signature scheme is not supported by this version")
	// ErrUserSignature says that a signature does not fit its identity and text.
	ErrUserSignature = errors.New("signature is not valid")
)

// Identity is a client's public identity: a scheme and its key. It is comparable; the zero value is not valid.
type Identity struct {
	scheme Scheme
	key    [32]byte
}

// Sr25519Identity returns the identity of an sr25519 public key.
func Sr25519Identity(pk sr25519.PublicKey) Identity {
	return Identity{SchemeSr25519, pk.Array()}
}

// Ed25519Identity returns the identity of an ed25519 public key of 32 bytes. Points of small order are refused, since
// a signature under them proves nothing.
func Ed25519Identity(pk ed25519.PublicKey) (Identity, error) {
	if len(pk) != ed25519.PublicKeySize {
		return Identity{}, fmt.Errorf("ed25519 public key has %d bytes, want 32", len(pk))
	}
	id := Identity{SchemeEd25519, [32]byte(pk)}
	if err := id.check(); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// Scheme returns the identity's scheme.
func (i Identity) Scheme() Scheme { return i.scheme }

// AccountID returns the 32 bytes that a contract sees as its caller: the public key.
func (i Identity) AccountID() [32]byte { return i.key }

// String returns the scheme and the key in hexadecimal.
func (i Identity) String() string {
	names := [...]string{"sr25519", "ed25519", "secp256k1", "ethereum"}
	return names[i.scheme&3] + ":0x" + hex.EncodeToString(i.key[:])
}

func (i Identity) check() error {
	switch i.scheme {
	case SchemeSr25519:
		_, err := sr25519.ParsePublicKey(i.key[:])
		return err
	case SchemeEd25519:
		return checkEd25519(i.key)
	}
	return ErrScheme
}

// Scale visits the scheme's index and the key. The key is checked where it enters, when it is decoded: an Identity that
// is not zero has been checked, and every signature check encodes one, twice.
func (i *Identity) Scale(c *scale.Codec) {
	c.Variant((*uint8)(&i.scheme), 4)
	if c.Err() != nil {
		return
	}
	if i.scheme > SchemeEd25519 {
		c.Fail(ErrScheme)
		return
	}
	c.Fixed(i.key[:])
	if c.Err() != nil || !c.Decoding() && i.key != [32]byte{} {
		return
	}
	if err := i.check(); err != nil {
		i.key = [32]byte{} // what was refused cannot be encoded either
		c.Fail(err)
	}
}

// UserSignature is a client's signature: the index of its kind and 64 bytes.
type UserSignature struct {
	Kind  uint8
	Bytes [64]byte
}

// Scale visits the kind's index and the bytes.
func (s *UserSignature) Scale(c *scale.Codec) {
	c.Variant(&s.Kind, 8)
	if c.Err() == nil && s.Kind > SignatureEd25519 {
		c.Fail(ErrScheme)
		return
	}
	c.Fixed(s.Bytes[:])
}

// Verify checks that s is a signature of text by the identity i. It returns [ErrUserSignature] or [ErrScheme].
func (s UserSignature) Verify(i Identity, text []byte) error {
	switch {
	case i.scheme == SchemeSr25519 && s.Kind == SignatureSr25519:
		pk, err := sr25519.ParsePublicKey(i.key[:])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUserSignature, err)
		}
		if sr25519.Verify(pk, text, sr25519.Signature(s.Bytes)) != nil {
			return ErrUserSignature
		}
		return nil
	case i.scheme == SchemeEd25519 && s.Kind == SignatureEd25519:
		if !ed25519.Verify(i.key[:], text, s.Bytes[:]) {
			return ErrUserSignature
		}
		return nil
	case s.Kind > SignatureEd25519:
		return ErrScheme
	}
	return fmt.Errorf("%w: its kind is not the identity's", ErrUserSignature)
}
