package ecdh

import (
	"bytes"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/internal/point"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// PublicKeySize is the length of a public key in bytes.
const PublicKeySize = point.Size

// Errors that a parser of public keys returns, wrapped.
var (
	// ErrIdentity says that the input encodes the identity point.
	ErrIdentity = point.ErrIdentity
	// ErrEncoding says that the input is no canonical ristretto255 encoding (RFC 9496).
	ErrEncoding = point.ErrEncoding
	// ErrKeySize says that the input is not 32 bytes.
	ErrKeySize = point.ErrSize
)

// PublicKey is one end of a channel. It is comparable and may be a map key. Every value but the zero value
// came through a parser and is a valid point; the zero value is no key: it shares nothing and does not encode.
type PublicKey struct {
	b [PublicKeySize]byte
}

// ParsePublicKey checks 32 bytes and returns the key. The identity and non-canonical encodings are errors.
func ParsePublicKey(b []byte) (PublicKey, error) {
	p, err := point.ParsePublic(b)
	if err != nil {
		return PublicKey{}, fmt.Errorf("ecdh: public key: %w", err)
	}
	return PublicKey{p}, nil
}

// Bytes returns a copy of the 32 bytes.
func (k PublicKey) Bytes() []byte { return append([]byte(nil), k.b[:]...) }

// Array returns the 32 bytes.
func (k PublicKey) Array() [PublicKeySize]byte { return k.b }

// IsZero reports whether k is the zero value, which is no key.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// String returns 0x and 64 hexadecimal digits.
func (k PublicKey) String() string { return point.Text(&k.b) }

// MarshalText returns what String does, or an error for the zero value.
func (k PublicKey) MarshalText() ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("ecdh: public key: %w", ErrIdentity)
	}
	return []byte(k.String()), nil
}

// UnmarshalText parses what MarshalText returns, checking the key as [ParsePublicKey] does.
func (k *PublicKey) UnmarshalText(text []byte) error {
	p, err := point.ParseText(text)
	if err != nil {
		return fmt.Errorf("ecdh: public key: %w", err)
	}
	k.b = p
	return nil
}

// Scale visits the 32 bytes. Decoding checks the key as [ParsePublicKey] does; encoding the zero value fails.
func (k *PublicKey) Scale(c *scale.Codec) { point.ScalePublic(c, &k.b) }

// Less orders keys by their 32 bytes, the first byte weighing most: the order of protocol section 2, which gives the
// direction of a CommKey.
func (k PublicKey) Less(other PublicKey) bool { return bytes.Compare(k.b[:], other.b[:]) < 0 }
