package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// ErrDigest says that a text is not 32 bytes in hexadecimal.
var ErrDigest = errors.New("want 32 bytes in hexadecimal, with or without 0x")

// Digest is 32 bytes with a meaning, which the type parameter keeps apart: a ClusterID is never taken for a
// ContractID. Its text form is 0x and 64 hexadecimal digits.
type Digest[of any] [32]byte

type (
	chainTag    struct{}
	clusterTag  struct{}
	contractTag struct{}
	codeTag     struct{}
	plainTag    struct{}
)

// ChainUID is the hash of a chain's first block header; it stands wherever a chain is named.
type ChainUID = Digest[chainTag]

// ClusterID names a cluster of workers.
type ClusterID = Digest[clusterTag]

// ContractID names a contract, stable through key rotation; see [NewContractID].
type ContractID = Digest[contractTag]

// CodeHash is the BLAKE2b-256 hash of a contract's WebAssembly module.
type CodeHash = Digest[codeTag]

// Hash is any other 32-byte hash: a block's, a state root, a receipt's.
type Hash = Digest[plainTag]

// String returns the text form.
func (d Digest[of]) String() string { return "0x" + hex.EncodeToString(d[:]) }

// IsZero reports whether every byte is zero.
func (d Digest[of]) IsZero() bool { return d == Digest[of]{} }

// MarshalText returns the text form.
func (d Digest[of]) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses the text form; 0x is optional.
func (d *Digest[of]) UnmarshalText(text []byte) error {
	s := strings.TrimPrefix(string(text), "0x")
	if len(s) != 2*len(d) {
		return fmt.Errorf("%w: have %d characters", ErrDigest, len(text))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return fmt.Errorf("%w: %w", ErrDigest, err)
	}
	return nil
}

// Scale visits the 32 bytes.
func (d *Digest[of]) Scale(c *scale.Codec) { c.Fixed(d[:]) }

// ParseDigest parses the text form of the digest type D, such as [ClusterID].
func ParseDigest[D interface {
	~[32]byte
}](text string) (D, error) {
	var d Digest[plainTag]
	err := d.UnmarshalText([]byte(text))
	return D(d), err
}
