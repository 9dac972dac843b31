package contract

import (
	"crypto/sha256"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// hashed charges for and reads the input of a hash function.
func (x *execution) hashed(a []uint64) []byte {
	x.pay(uint32(a[1]))
	return x.view(uint32(a[0]), uint32(a[1]))
}

func (x *execution) hashSha256(a []uint64) uint64 {
	sum := sha256.Sum256(x.hashed(a))
	x.write(uint32(a[2]), sum[:])
	return 0
}

func (x *execution) hashKeccak256(a []uint64) uint64 {
	x.write(uint32(a[2]), keccak256(x.hashed(a)))
	return 0
}

func keccak256(b []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	h.Write(b)
	return h.Sum(nil)
}

func (x *execution) hashBlake256(a []uint64) uint64 {
	sum := blake2b.Sum256(x.hashed(a))
	x.write(uint32(a[2]), sum[:])
	return 0
}

func (x *execution) hashBlake128(a []uint64) uint64 {
	h, err := blake2b.New(16, nil)
	if err != nil {
		panic(err) // 16 bytes without a key are always a valid form
	}
	h.Write(x.hashed(a))
	x.write(uint32(a[2]), h.Sum(nil))
	return 0
}

// ecdsaRecover finds the public key of a signature on a hash. The signature is r ‖ s ‖ v, where v is 0 to 3, or that
// and 27; a high s is taken, as libsecp256k1 does.
func (x *execution) ecdsaRecover(a []uint64) uint64 {
	signature := x.view(uint32(a[0]), 65)
	hash := x.view(uint32(a[1]), 32)
	v := signature[64]
	if v > 26 {
		v -= 27
	}
	if v > 3 {
		return codeEcdsaRecoveryFailed
	}
	// The library wants v first, and 4 added where the key is to be compressed.
	compact := append([]byte{v + 27 + 4}, signature[:64]...)
	key, _, err := ecdsa.RecoverCompact(compact, hash)
	if err != nil {
		return codeEcdsaRecoveryFailed
	}
	x.write(uint32(a[2]), key.SerializeCompressed())
	return codeSuccess
}

// tagCompact stands before the x of a point whose y is the even one; pallet-contracts takes it beside the tags of SEC 1.
const tagCompact = 5

// ecdsaToEthAddress gives the Ethereum address of a compressed public key.
func (x *execution) ecdsaToEthAddress(a []uint64) uint64 {
	compressed := [33]byte(x.view(uint32(a[0]), 33))
	if compressed[0] == tagCompact {
		compressed[0] = secp256k1.PubKeyFormatCompressedEven
	}
	key, err := secp256k1.ParsePubKey(compressed[:])
	if err != nil {
		return codeEcdsaRecoveryFailed
	}
	x.write(uint32(a[1]), keccak256(key.SerializeUncompressed()[1:])[12:])
	return codeSuccess
}

// sr25519Verify takes the message's length before its place, unlike all others.
func (x *execution) sr25519Verify(a []uint64) uint64 {
	x.pay(uint32(a[2]))
	signature := sr25519.Signature(x.view(uint32(a[0]), sr25519.SignatureSize))
	raw := x.view(uint32(a[1]), sr25519.PublicKeySize)
	message := x.view(uint32(a[3]), uint32(a[2]))
	key, err := sr25519.ParsePublicKey(raw)
	if err != nil || sr25519.Verify(key, message, signature) != nil {
		return codeSr25519VerifyFailed
	}
	return codeSuccess
}
