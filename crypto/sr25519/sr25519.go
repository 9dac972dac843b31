// Package sr25519 is the signature scheme of every IdentityKey: schnorrkel's Schnorr signatures on ristretto255, in the
// signing context "substrate", bit-compatible with Substrate and Polkadot.
//
// Start with [Generate], or [FromMiniSecret] for a secret that was sealed; [PrivateKey.Sign] signs and [Verify] checks.
// A public key enters through [ParsePublicKey], UnmarshalText or Scale, each of which refuses the identity point and
// non-canonical bytes.
//
// A [PrivateKey] cannot be printed, marshalled or compared with ==. The ways out are [PrivateKey.ExposeMiniSecret], for
// sealing only, and [PrivateKey.ExposeExpandedSecret], for the keys of contracts. What is signed must begin with
// phalanx/<kind>/v1 and the chain's uid, so that no signature holds for two records; composing it is the caller's part.
package sr25519

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/merlin"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/sr25519"

	"github.com/phalanx-network/phalanx/crypto/internal/keypair"
	"github.com/phalanx-network/phalanx/crypto/internal/secret"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Sizes in bytes.
const (
	MiniSecretSize     = keypair.MiniSize
	ExpandedSecretSize = keypair.ExpandedSize
	SignatureSize      = voi.SignatureSize
)

// signingContext is Substrate's, for every message.
const signingContext = "substrate"

// Errors of this package.
var (
	// ErrSignature says that a signature is not that of the key and message. It does not say why.
	ErrSignature = errors.New("sr25519: signature does not verify")
	// ErrMiniSecret says that a mini-secret is not 32 bytes, or is all zeros.
	ErrMiniSecret = keypair.ErrMini
	// ErrExpandedSecret says that an expanded secret is not 64 bytes, or that its scalar is zero or not canonical.
	ErrExpandedSecret = keypair.ErrExpanded
	// ErrErased says that the private key was erased.
	ErrErased = keypair.ErrErased
	// ErrRandom says that the source of randomness is missing or failed.
	ErrRandom = keypair.ErrRandom
)

// opaque keeps the embedded name unexported while its methods are promoted.
type opaque = secret.Opaque

// PrivateKey signs. Copies share one secret. Its methods may be called at the same time.
type PrivateKey struct {
	opaque
	pair secret.Box[keypair.Pair]
}

// Generate makes a key pair from 32 bytes of rand, which must be the operating system's CSPRNG outside tests.
func Generate(rand io.Reader) (*PrivateKey, error) {
	pair, err := keypair.Generate(rand)
	if err != nil {
		return nil, fmt.Errorf("sr25519: generate: %w", err)
	}
	return &PrivateKey{pair: secret.NewBox(pair)}, nil
}

// FromMiniSecret expands 32 bytes by schnorrkel's ExpandEd25519, the only expansion the product uses. It copies mini.
// All zeros are refused: they are an erased buffer, never a secret.
func FromMiniSecret(mini []byte) (*PrivateKey, error) {
	pair, err := keypair.FromMini(mini)
	if err != nil {
		return nil, fmt.Errorf("sr25519: %w", err)
	}
	return &PrivateKey{pair: secret.NewBox(pair)}, nil
}

// FromExpandedSecret takes 64 bytes as schnorrkel writes its SecretKey: the scalar, and the seed of the signing nonce.
// Contracts hold their keys in this form; the product's own keys are mini-secrets. It copies them.
func FromExpandedSecret(expanded []byte) (*PrivateKey, error) {
	pair, err := keypair.FromExpanded(expanded)
	if err != nil {
		return nil, fmt.Errorf("sr25519: %w", err)
	}
	return &PrivateKey{pair: secret.NewBox(pair)}, nil
}

// Public returns the public key. It stays known after Zero.
func (k *PrivateKey) Public() PublicKey { return PublicKey{k.pair.Get().Public()} }

// ExposeMiniSecret returns a copy of the 32 secret bytes, or nil after Zero and where there are none. It is for sealing
// only: the caller seals the copy and clears it, and hands it nowhere else.
func (k *PrivateKey) ExposeMiniSecret() []byte { return k.pair.Get().Mini() }

// ExposeExpandedSecret returns a copy of the 64 bytes that [FromExpandedSecret] takes, or nil after Zero. It is for a
// contract's own key, which is handed to that contract.
func (k *PrivateKey) ExposeExpandedSecret() []byte { return k.pair.Get().Expanded() }

// Zero overwrites the secret, waiting for signatures under way. Later calls of Sign fail with [ErrErased].
func (k *PrivateKey) Zero() { k.pair.Get().Erase() }

// Sign signs msg. The nonce is drawn from the secret, the message and 32 bytes of rand together, so that a weak rand
// alone does not reveal the key (schnorrkel's witness construction).
func (k *PrivateKey) Sign(rand io.Reader, msg []byte) (Signature, error) {
	var sig Signature
	// The library takes a nil source for the operating system's; here randomness is always the caller's decision.
	var entropy [32]byte
	defer clear(entropy[:])
	if err := keypair.Fill(rand, entropy[:]); err != nil {
		return sig, fmt.Errorf("sr25519: sign: %w", err)
	}
	public := k.pair.Get().Public()
	err := k.pair.Get().Use(func(key *scalar.Scalar, nonce []byte) error {
		return sign(&sig, key, nonce, public[:], msg, entropy[:])
	})
	if err != nil {
		return Signature{}, fmt.Errorf("sr25519: sign: %w", err)
	}
	return sig, nil
}

// sign is schnorrkel's sign_simple, written on merlin directly because the library's own key type keeps a copy of the
// scalar that cannot be erased; the tests hold it equal to the library's bytes.
func sign(sig *Signature, key *scalar.Scalar, nonce, public, msg, entropy []byte) error {
	t := merlin.NewTranscript("SigningContext")
	t.AppendMessage("", []byte(signingContext))
	t.AppendMessage("sign-bytes", msg)
	t.AppendMessage("proto-name", []byte("Schnorr-sig"))
	t.AppendMessage("sign:pk", public)

	witness, err := t.BuildRng().RekeyWithWitnessBytes("signing", nonce).Finalize(bytes.NewReader(entropy))
	if err != nil {
		return fmt.Errorf("derive the nonce: %w", err)
	}
	var r scalar.Scalar
	defer r.Zero()
	if _, err := r.SetRandom(witness); err != nil {
		return fmt.Errorf("derive the nonce: %w", err)
	}
	var c curve.CompressedRistretto
	c.SetRistrettoPoint(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &r))
	t.AppendMessage("sign:R", c[:])

	var wide [scalar.ScalarWideSize]byte
	t.ExtractBytes(wide[:], "sign:c")
	var s scalar.Scalar
	if _, err := s.SetBytesModOrderWide(wide[:]); err != nil {
		return fmt.Errorf("derive the challenge: %w", err)
	}
	s.Mul(&s, key)
	s.Add(&s, &r)
	copy(sig[:32], c[:])
	if err := s.ToBytes(sig[32:]); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	sig[63] |= 128 // schnorrkel's marker
	return nil
}

// Signature is R ‖ s, with schnorrkel's marker in the top bit of the last byte.
type Signature [SignatureSize]byte

// Scale visits the 64 bytes. Whether they are a signature at all is for [Verify] to say.
func (s *Signature) Scale(c *scale.Codec) { c.Fixed(s[:]) }

// String returns 0x and 128 hexadecimal digits.
func (s Signature) String() string { return "0x" + hex.EncodeToString(s[:]) }

// Verify returns nil when sig is pk's signature of msg, and [ErrSignature] otherwise: also for the zero key, a missing
// schnorrkel marker and a scalar or point that is not canonical.
func Verify(pk PublicKey, msg []byte, sig Signature) error {
	key, s, ok := parts(pk, sig)
	if !ok || !key.Verify(transcript(msg), s) {
		return ErrSignature
	}
	return nil
}

var context = voi.NewSigningContext([]byte(signingContext))

func transcript(msg []byte) *voi.SigningTranscript { return context.NewTranscriptBytes(msg) }

func parts(pk PublicKey, sig Signature) (*voi.PublicKey, *voi.Signature, bool) {
	if pk.IsZero() {
		return nil, nil, false
	}
	key, err := voi.NewPublicKeyFromBytes(pk.b[:])
	if err != nil {
		return nil, nil, false
	}
	s, err := voi.NewSignatureFromBytes(sig[:])
	return key, s, err == nil
}

// Signed is one entry of [VerifyBatch].
type Signed struct {
	Key       PublicKey
	Message   []byte
	Signature Signature
}

// BatchError says which entries of a batch do not verify. It wraps [ErrSignature].
type BatchError struct {
	Invalid []int // indices of the batch, ascending
}

// Error implements error.
func (e *BatchError) Error() string {
	return fmt.Sprintf("%v: entries %v of the batch", ErrSignature, e.Invalid)
}

// Unwrap returns [ErrSignature].
func (e *BatchError) Unwrap() error { return ErrSignature }

// VerifyBatch returns nil when every entry verifies, and a *[BatchError] that names the others. It accepts what
// [Verify] accepts, but for a chance of 2⁻¹²⁸ over rand, and is faster for more than a few entries that all verify.
// An empty batch verifies.
func VerifyBatch(rand io.Reader, batch []Signed) error {
	if len(batch) == 0 {
		return nil
	}
	var seed [32]byte
	if err := keypair.Fill(rand, seed[:]); err != nil {
		return fmt.Errorf("sr25519: verify a batch: %w", err)
	}
	var invalid []int
	v := voi.NewBatchVerifierWithCapacity(len(batch))
	for i := range batch {
		key, s, ok := parts(batch[i].Key, batch[i].Signature)
		if !ok {
			invalid = append(invalid, i)
			continue
		}
		v.Add(key, transcript(batch[i].Message), s)
	}
	if len(invalid) == 0 && v.VerifyBatchOnly(bytes.NewReader(seed[:])) {
		return nil
	}
	// One by one, so that what is refused is exactly what Verify refuses.
	invalid = invalid[:0]
	for i := range batch {
		if Verify(batch[i].Key, batch[i].Message, batch[i].Signature) != nil {
			invalid = append(invalid, i)
		}
	}
	if len(invalid) == 0 {
		return nil
	}
	return &BatchError{invalid}
}
