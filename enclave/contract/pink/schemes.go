package pink

import (
	stded25519 "crypto/ed25519"
	"errors"
	"io"

	secp "github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"golang.org/x/crypto/blake2b"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// scheme is a signature scheme as Substrate has it. Keys come from contracts, so any bytes may come.
type scheme struct {
	public, signature int // lengths in bytes
	// publicOf gives the public key of a secret, or errKey.
	publicOf func(secret []byte) ([]byte, error)
	// sign signs a message; random is read by sr25519 only.
	sign func(secret, message []byte, random io.Reader) ([]byte, error)
	// verify is given a public key and a signature of the right lengths.
	verify func(public, message, signature []byte) bool
}

// errKey says that bytes are no secret key of the scheme.
var errKey = errors.New("invalid key")

// schemes are indexed by SigType.
var schemes = [...]scheme{
	{32, 64, ed25519Public, ed25519Sign, ed25519Verify},
	{32, 64, sr25519Public, sr25519Sign, sr25519Verify},
	{33, 65, ecdsaPublic, ecdsaSign, ecdsaVerify},
}

func ed25519Public(secret []byte) ([]byte, error) {
	if len(secret) != stded25519.SeedSize {
		return nil, errKey
	}
	key := stded25519.NewKeyFromSeed(secret)
	defer clear(key)
	return append([]byte(nil), key[32:]...), nil
}

func ed25519Sign(secret, message []byte, _ io.Reader) ([]byte, error) {
	if len(secret) != stded25519.SeedSize {
		return nil, errKey
	}
	key := stded25519.NewKeyFromSeed(secret)
	defer clear(key)
	return stded25519.Sign(key, message), nil
}

// ed25519Verify follows ZIP 215, as Substrate does: the standard library would refuse some odd keys and signatures that
// contracts were told are good.
func ed25519Verify(public, message, signature []byte) bool {
	return ed25519.VerifyWithOptions(public, message, signature, &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215})
}

// sr25519Key takes a mini-secret or an expanded secret.
func sr25519Key(secret []byte) (*sr25519.PrivateKey, error) {
	read := sr25519.FromExpandedSecret
	if len(secret) == sr25519.MiniSecretSize {
		read = sr25519.FromMiniSecret
	}
	key, err := read(secret)
	if err != nil {
		return nil, errKey
	}
	return key, nil
}

func sr25519Public(secret []byte) ([]byte, error) {
	key, err := sr25519Key(secret)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return key.Public().Bytes(), nil
}

func sr25519Sign(secret, message []byte, random io.Reader) ([]byte, error) {
	key, err := sr25519Key(secret)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	signature, err := key.Sign(random, message)
	return signature[:], err
}

func sr25519Verify(public, message, signature []byte) bool {
	key, err := sr25519.ParsePublicKey(public)
	return err == nil && sr25519.Verify(key, message, sr25519.Signature(signature)) == nil
}

// ecdsaKey reads a scalar of secp256k1, which is neither zero nor above the order.
func ecdsaKey(secret []byte) (*secp.PrivateKey, error) {
	var s secp.ModNScalar
	defer s.Zero()
	if len(secret) != secp.PrivKeyBytesLen || s.SetByteSlice(secret) || s.IsZero() {
		return nil, errKey
	}
	return secp.NewPrivateKey(&s), nil
}

func ecdsaPublic(secret []byte) ([]byte, error) {
	key, err := ecdsaKey(secret)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return key.PubKey().SerializeCompressed(), nil
}

func ecdsaSign(secret, message []byte, _ io.Reader) ([]byte, error) {
	return ecdsaSignHash(secret, blake2b.Sum256(message))
}

func ecdsaVerify(public, message, signature []byte) bool {
	return ecdsaVerifyHash(public, blake2b.Sum256(message), signature)
}

// compactCompressed is what the library adds to the recovery id, for a compressed key, in the byte before r and s.
const compactCompressed = 31

// ecdsaSignHash gives r ‖ s ‖ recovery id, with the nonce of RFC 6979 and s in the lower half.
func ecdsaSignHash(secret []byte, hash [32]byte) ([]byte, error) {
	key, err := ecdsaKey(secret)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	compact := ecdsa.SignCompact(key, hash[:], true)
	return append(compact[1:65:65], compact[0]-compactCompressed), nil
}

// ecdsaVerifyHash recovers the key and compares. As in Substrate s may be in the upper half, and the recovery id counts:
// it is 0 to 3.
func ecdsaVerifyHash(public []byte, hash [32]byte, signature []byte) bool {
	if signature[64] > 3 {
		return false
	}
	compact := append([]byte{signature[64] + compactCompressed}, signature[:64]...)
	key, _, err := ecdsa.RecoverCompact(compact, hash[:])
	return err == nil && string(key.SerializeCompressed()) == string(public)
}
