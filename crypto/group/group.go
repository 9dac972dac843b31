// Package group is the prime-order group ristretto255 (RFC 9496) as the MasterKey needs it: secret scalars, checked
// public elements, and hashing to the group.
//
// Start with [RandomScalar] or [ParseScalar] and [HashToGroup]; [Scalar.Mul] is a partial evaluation. An [Element]
// enters through [ParseElement], UnmarshalText or Scale, which refuse the identity and non-canonical bytes; no
// operation returns the identity. A [Scalar] is a secret: it cannot be printed, marshalled or compared with ==.
package group

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/h2c"

	"github.com/phalanx-network/phalanx/crypto/internal/keypair"
	"github.com/phalanx-network/phalanx/crypto/internal/point"
	"github.com/phalanx-network/phalanx/crypto/internal/secret"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Sizes in bytes.
const (
	ScalarSize  = scalar.ScalarSize
	ElementSize = point.Size
)

// maxDST is the longest domain separation tag that RFC 9380 takes without hashing it first.
const maxDST = 255

// Errors of this package.
var (
	// ErrScalar says that bytes are no canonical scalar, or are zero.
	ErrScalar = errors.New("group: not a canonical, nonzero scalar of 32 bytes")
	// ErrErased says that the scalar was erased.
	ErrErased = errors.New("group: the scalar was erased")
	// ErrRandom says that the source of randomness is missing or failed.
	ErrRandom = keypair.ErrRandom
	// ErrIdentity says that an element is the identity.
	ErrIdentity = point.ErrIdentity
	// ErrEncoding says that bytes are no canonical encoding of an element.
	ErrEncoding = point.ErrEncoding
	// ErrElementSize says that an element is not 32 bytes.
	ErrElementSize = point.ErrSize
	// ErrTag says that a domain separation tag is empty or over 255 bytes.
	ErrTag = errors.New("group: a domain separation tag has 1 to 255 bytes")
)

// Element is an element of the group other than the identity. It is comparable; the zero value is none.
type Element struct {
	b [ElementSize]byte
}

// ParseElement checks 32 bytes and returns the element.
func ParseElement(b []byte) (Element, error) {
	p, err := point.Parse(b)
	if err != nil {
		return Element{}, fmt.Errorf("group: element: %w", err)
	}
	return Element{p}, nil
}

// Bytes returns a copy of the 32 bytes.
func (e Element) Bytes() []byte { return append([]byte(nil), e.b[:]...) }

// Array returns the 32 bytes.
func (e Element) Array() [ElementSize]byte { return e.b }

// IsZero reports whether e is the zero value, which is no element.
func (e Element) IsZero() bool { return e == Element{} }

// String returns 0x and 64 hexadecimal digits.
func (e Element) String() string { return point.Text(&e.b) }

// MarshalText returns what String does, or an error for the zero value.
func (e Element) MarshalText() ([]byte, error) {
	if e.IsZero() {
		return nil, fmt.Errorf("group: element: %w", ErrIdentity)
	}
	return []byte(e.String()), nil
}

// UnmarshalText parses what MarshalText returns, checking the element as [ParseElement] does.
func (e *Element) UnmarshalText(text []byte) error {
	p, err := point.ParseText(text)
	if err != nil {
		return fmt.Errorf("group: element: %w", err)
	}
	e.b = p
	return nil
}

// Scale visits the 32 bytes. Decoding checks them as [ParseElement] does; encoding the zero value fails.
func (e *Element) Scale(c *scale.Codec) { point.Scale(c, &e.b) }

// HashToGroup is RFC 9380's ristretto255_XMD:SHA-512_R255MAP_RO_ (appendix B) with the domain separation tag dst, which
// has 1 to 255 bytes ([ErrTag]).
func HashToGroup(dst, msg []byte) (Element, error) {
	if len(dst) == 0 || len(dst) > maxDST {
		return Element{}, ErrTag
	}
	p, err := h2c.Ristretto255_XMD_R255MAP_RO(crypto.SHA512, dst, msg)
	if err != nil {
		return Element{}, fmt.Errorf("group: hash to the group: %w", err)
	}
	b, err := point.Encode(p)
	if err != nil {
		return Element{}, fmt.Errorf("group: hash to the group: %w", err)
	}
	return Element{b}, nil
}

// opaque keeps the embedded name unexported while its methods are promoted.
type opaque = secret.Opaque

// Scalar is a secret integer, not zero, modulo the group's order. Copies share one secret. Its methods may be called at
// the same time.
type Scalar struct {
	opaque
	s secret.Box[scalarState]
}

type scalarState struct {
	mu     sync.RWMutex
	v      scalar.Scalar
	erased bool
}

// RandomScalar draws a uniform scalar: 64 bytes of rand, little-endian, modulo the order.
func RandomScalar(rand io.Reader) (*Scalar, error) {
	var wide [scalar.ScalarWideSize]byte
	defer clear(wide[:])
	if err := keypair.Fill(rand, wide[:]); err != nil {
		return nil, fmt.Errorf("group: random scalar: %w", err)
	}
	s := new(scalarState)
	if _, err := s.v.SetBytesModOrderWide(wide[:]); err != nil {
		return nil, fmt.Errorf("group: random scalar: %w", err)
	}
	return checked(s)
}

// ParseScalar takes 32 bytes, little-endian, below the order and not zero, or fails with [ErrScalar]. It copies b.
func ParseScalar(b []byte) (*Scalar, error) {
	if len(b) != ScalarSize {
		return nil, ErrScalar
	}
	s := new(scalarState)
	if _, err := s.v.SetCanonicalBytes(b); err != nil {
		return nil, ErrScalar
	}
	return checked(s)
}

func checked(s *scalarState) (*Scalar, error) {
	if s.v.Equal(scalar.New()) == 1 {
		return nil, ErrScalar
	}
	return &Scalar{s: secret.NewBox(s)}, nil
}

// ExposeBytes returns a copy of the 32 bytes that ParseScalar takes, or nil after Zero. It is for sealing only.
func (k *Scalar) ExposeBytes() []byte {
	s := k.s.Get()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.erased {
		return nil
	}
	b := make([]byte, ScalarSize)
	if err := s.v.ToBytes(b); err != nil {
		return nil // only for a buffer of another length
	}
	return b
}

// Zero overwrites the scalar. Later multiplications fail with [ErrErased].
func (k *Scalar) Zero() {
	s := k.s.Get()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v.Zero()
	s.erased = true
}

// Mul returns k·e, in constant time. It fails for the zero Element ([ErrIdentity]) and an erased k ([ErrErased]).
func (k *Scalar) Mul(e Element) (Element, error) {
	p, err := point.Decode(&e.b)
	if err != nil {
		return Element{}, fmt.Errorf("group: multiply: %w", err)
	}
	return k.product(func(v *scalar.Scalar) *curve.RistrettoPoint { return p.Mul(p, v) })
}

// MulBase returns k·G, the public key of k, in constant time. It fails for an erased k ([ErrErased]).
func (k *Scalar) MulBase() (Element, error) {
	return k.product(func(v *scalar.Scalar) *curve.RistrettoPoint {
		return curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, v)
	})
}

func (k *Scalar) product(mul func(*scalar.Scalar) *curve.RistrettoPoint) (Element, error) {
	s := k.s.Get()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.erased {
		return Element{}, ErrErased
	}
	b, err := point.Encode(mul(&s.v))
	if err != nil {
		return Element{}, fmt.Errorf("group: multiply: %w", err)
	}
	return Element{b}, nil
}
