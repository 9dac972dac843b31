// Package ecdh is the key agreement of every channel: Diffie-Hellman on ristretto255 with sr25519-shaped key pairs
// (protocol section 2).
//
// Start with [Generate], or [FromMiniSecret] for a secret that was sealed or derived; [PrivateKey.Shared] gives the
// shared point, which only crypto/commkey should turn into keys. The types are distinct from those of crypto/sr25519:
// a signing key is not used for agreement, nor the other way round. The one exception is [FromIdentity], for what is
// encrypted to somebody of whom only the identity is known.
//
// A public key enters through [ParsePublicKey], UnmarshalText or Scale, each of which refuses the identity point and
// non-canonical bytes. A [PrivateKey] cannot be printed, marshalled or compared with ==.
package ecdh

import (
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/phalanx-network/phalanx/crypto/internal/keypair"
	"github.com/phalanx-network/phalanx/crypto/internal/point"
	"github.com/phalanx-network/phalanx/crypto/internal/secret"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// Sizes in bytes.
const (
	MiniSecretSize = keypair.MiniSize
	SharedSize     = point.Size
)

// Errors of this package.
var (
	// ErrSelf says that the peer's key is one's own: a reflected message or a mistaken address.
	ErrSelf = errors.New("ecdh: the peer's key is one's own")
	// ErrMiniSecret says that a mini-secret is not 32 bytes, or is all zeros.
	ErrMiniSecret = keypair.ErrMini
	// ErrErased says that the private key was erased.
	ErrErased = keypair.ErrErased
	// ErrRandom says that the source of randomness is missing or failed.
	ErrRandom = keypair.ErrRandom
)

// opaque keeps the embedded name unexported while its methods are promoted.
type opaque = secret.Opaque

// PrivateKey agrees on secrets. Copies share one secret. Its methods may be called at the same time.
type PrivateKey struct {
	opaque
	pair secret.Box[keypair.Pair]
}

// Generate makes a key pair from 32 bytes of rand, which must be the operating system's CSPRNG outside tests.
func Generate(rand io.Reader) (*PrivateKey, error) {
	pair, err := keypair.Generate(rand)
	if err != nil {
		return nil, fmt.Errorf("ecdh: generate: %w", err)
	}
	return &PrivateKey{pair: secret.NewBox(pair)}, nil
}

// FromMiniSecret expands 32 bytes by schnorrkel's ExpandEd25519, the only expansion the product uses. It copies mini.
// All zeros are refused: they are an erased buffer, never a secret.
func FromMiniSecret(mini []byte) (*PrivateKey, error) {
	pair, err := keypair.FromMini(mini)
	if err != nil {
		return nil, fmt.Errorf("ecdh: %w", err)
	}
	return &PrivateKey{pair: secret.NewBox(pair)}, nil
}

// FromIdentity returns the agreement key of an sr25519 identity: the same scalar and point. It is for opening contract
// logs, which are encrypted to a contract's owner under a sender key of their own and a purpose of their own, so that
// nothing of the agreement touches a signature. It fails with [ErrErased]. The caller zeroes it after use.
func FromIdentity(k *sr25519.PrivateKey) (*PrivateKey, error) {
	mini := k.ExposeMiniSecret()
	if mini == nil {
		return nil, ErrErased
	}
	defer clear(mini)
	return FromMiniSecret(mini)
}

// Public returns the public key. It stays known after Zero.
func (k *PrivateKey) Public() PublicKey { return PublicKey{k.pair.Get().Public()} }

// ExposeMiniSecret returns a copy of the 32 secret bytes, or nil after Zero. It is for sealing only: the caller seals
// the copy and clears it, and hands it nowhere else.
func (k *PrivateKey) ExposeMiniSecret() []byte { return k.pair.Get().Mini() }

// Zero overwrites the secret, waiting for agreements under way. Later calls of Shared fail with [ErrErased].
func (k *PrivateKey) Zero() { k.pair.Get().Erase() }

// Shared returns the compressed point own · peer, 32 bytes, which both ends compute alike. It fails for one's own key
// ([ErrSelf]), for the zero key and for a result that is the identity ([ErrIdentity]). The caller clears the result
// after deriving from it.
func (k *PrivateKey) Shared(peer PublicKey) ([]byte, error) {
	if peer == k.Public() {
		return nil, ErrSelf
	}
	p, err := point.Decode(&peer.b)
	if err != nil {
		return nil, fmt.Errorf("ecdh: peer's key: %w", err)
	}
	out := make([]byte, SharedSize)
	err = k.pair.Get().Use(func(key *scalar.Scalar, _ []byte) error {
		var product curve.RistrettoPoint
		defer product.Identity()
		shared, err := point.Encode(product.Mul(p, key))
		copy(out, shared[:])
		clear(shared[:])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ecdh: %w", err)
	}
	return out, nil
}
