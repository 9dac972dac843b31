// Package keypair is what the signing keys and the Diffie-Hellman keys of the product share: a 32-byte mini-secret,
// expanded by schnorrkel's ExpandEd25519, its public point, and erasure.
//
// The two kinds of key are distinct types in crypto/sr25519 and crypto/ecdh, so that one can never be used as the other.
package keypair

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/phalanx-network/phalanx/crypto/internal/point"
)

// Sizes in bytes.
const (
	MiniSize     = 32 // a mini-secret
	ExpandedSize = 64 // an expanded secret: scalar ‖ seed of the signing nonce
)

// Errors of this package.
var (
	// ErrMini says that a mini-secret is not 32 bytes, or is all zeros: an erased or never filled buffer.
	ErrMini = errors.New("a mini-secret has 32 bytes, not all zero")
	// ErrExpanded says that an expanded secret is not 64 bytes, or that its scalar is zero or not canonical.
	ErrExpanded = errors.New("an expanded secret has 64 bytes, a canonical scalar first")
	// ErrErased says that the key was erased.
	ErrErased = errors.New("the private key was erased")
	// ErrRandom says that the source of randomness is missing or failed.
	ErrRandom = errors.New("no randomness")
)

// Pair is a key pair. Its methods may be called at the same time; Erase waits for the uses under way.
type Pair struct {
	mu     sync.RWMutex
	mini   [MiniSize]byte // zeros where the pair came expanded
	key    scalar.Scalar
	nonce  [32]byte
	erased bool
	public [point.Size]byte
}

// FromMini expands a mini-secret: SHA-512, Ed25519's clamping of the first half, division by the cofactor 8; the
// second half is the seed of the signing nonce. It copies mini, which stays the caller's to erase.
func FromMini(mini []byte) (*Pair, error) {
	if len(mini) != MiniSize || [MiniSize]byte(mini) == [MiniSize]byte{} {
		return nil, ErrMini
	}
	h := sha512.Sum512(mini)
	defer clear(h[:])
	h[0] &= 248
	h[31] &= 63
	h[31] |= 64
	// The clamped number is a multiple of 8 below 2²⁵⁵, so the quotient is exact and below 2²⁵², under the group order.
	var low byte
	for i := 31; i >= 0; i-- {
		b := h[i]
		h[i] = b>>3 | low
		low = b << 5
	}
	p := &Pair{mini: [MiniSize]byte(mini), nonce: [32]byte(h[32:])}
	if _, err := p.key.SetCanonicalBytes(h[:32]); err != nil {
		return nil, fmt.Errorf("expand the mini-secret: %w", err)
	}
	if err := p.publish(); err != nil {
		return nil, fmt.Errorf("expand the mini-secret: %w", err)
	}
	return p, nil
}

// FromExpanded takes a secret that is expanded already, as schnorrkel writes its SecretKey. It copies secret, which stays
// the caller's to erase. The pair has no mini-secret.
func FromExpanded(secret []byte) (*Pair, error) {
	if len(secret) != ExpandedSize {
		return nil, ErrExpanded
	}
	p := &Pair{nonce: [32]byte(secret[32:])}
	if _, err := p.key.SetCanonicalBytes(secret[:32]); err != nil {
		return nil, ErrExpanded
	}
	if err := p.publish(); err != nil {
		return nil, ErrExpanded // the public point of the scalar zero is the identity
	}
	return p, nil
}

// publish computes the public point of the scalar.
func (p *Pair) publish() (err error) {
	p.public, err = point.Encode(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &p.key))
	return err
}

// Generate reads a mini-secret from rand and expands it.
func Generate(rand io.Reader) (*Pair, error) {
	var mini [MiniSize]byte
	defer clear(mini[:])
	if err := Fill(rand, mini[:]); err != nil {
		return nil, err
	}
	return FromMini(mini[:])
}

// Fill reads len(b) bytes from rand, or fails with [ErrRandom]; unlike the libraries below, it takes no nil for the
// operating system's source.
func Fill(rand io.Reader, b []byte) error {
	if rand == nil {
		return fmt.Errorf("%w: no source", ErrRandom)
	}
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return nil
}

// Public returns the compressed public point. It stays known after Erase.
func (p *Pair) Public() [point.Size]byte { return p.public }

// Mini returns a copy of the mini-secret, or nil after Erase and where there is none.
func (p *Pair) Mini() []byte {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.erased || p.mini == [MiniSize]byte{} {
		return nil
	}
	return append([]byte(nil), p.mini[:]...)
}

// Expanded returns a copy of the expanded secret, or nil after Erase.
func (p *Pair) Expanded() []byte {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.erased {
		return nil
	}
	b := make([]byte, 0, ExpandedSize)
	var scalarBytes [32]byte
	defer clear(scalarBytes[:])
	if err := p.key.ToBytes(scalarBytes[:]); err != nil {
		return nil
	}
	return append(append(b, scalarBytes[:]...), p.nonce[:]...)
}

// Use calls f with the scalar and the nonce seed, which f must not keep, or fails with [ErrErased].
func (p *Pair) Use(f func(key *scalar.Scalar, nonce []byte) error) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.erased {
		return ErrErased
	}
	return f(&p.key, p.nonce[:])
}

// Erase overwrites the secrets. What the runtime or the curve library left on a stack is beyond its reach.
func (p *Pair) Erase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.mini[:])
	clear(p.nonce[:])
	p.key.Zero()
	p.erased = true
}
