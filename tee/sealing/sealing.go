// Package sealing keeps data so that only this program on this machine reads it again: a [tee.Sealer] over whatever key a
// platform offers ([KeySource]).
//
//	sealer := sealing.New(source, "sev-snp", rand.Reader)
//
// Each Seal makes a data key of its own, encrypts with it and has the platform wrap it. So the platform is asked for 32
// bytes, however much is sealed, and its own key encrypts nothing else. Platforms that seal (a TPM) implement KeySource;
// for those that derive keys (SEV-SNP, SGX) there is [Derived]; [Memory] is for a program that must forget.
//
// # Format
//
//	version u8 = 1 ‖ label length u8 ‖ label ‖ wrapped length u16 ‖ wrapped key ‖ AES-256-GCM(data) with its tag
//
// Numbers are little-endian. The nonce is zero: a data key encrypts once. Associated data of the encryption is
// "phalanx sealed data v1" ‖ everything before the ciphertext ‖ the caller's; of the wrapping "phalanx sealed key v1" ‖
// version ‖ label length ‖ label ‖ the caller's. A byte more or less anywhere is an error, and lengths are checked before
// memory is taken.
//
// # Errors
//
// tee.ErrOtherMachine, tee.ErrOtherMeasurement and tee.ErrSealDamaged are told apart where the platform can; data that
// another kind of platform sealed is of another machine. A changed byte gives one of the three, and never a plaintext. An
// error that is none of them comes from the device, and trying again may help.
//
// Sealing hides neither how long data is nor who made it, and cannot notice that older data was put back.
package sealing

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
)

const (
	version = 1
	gcmTag  = 16

	// KeySize is the size of a data key in bytes.
	KeySize = 32
	// MaxWrapped is the most that a platform may make of a data key, in bytes.
	MaxWrapped = 4 << 10
	// MaxLabel is the length of the longest label.
	MaxLabel = 32
)

const (
	dataDomain = "phalanx sealed data v1"
	keyDomain  = "phalanx sealed key v1"
)

// KeySource is a platform that gives a key to this program on this machine alone.
type KeySource interface {
	// Wrap encrypts a data key of KeySize bytes under the platform, bound to aad; what it returns, at most MaxWrapped
	// bytes, is stored beside the data. It keeps no reference to dataKey.
	Wrap(ctx context.Context, dataKey, aad []byte) ([]byte, error)
	// Unwrap is the inverse, with the same aad. Errors wrap tee.ErrSealDamaged, tee.ErrOtherMachine or
	// tee.ErrOtherMeasurement where the data is to blame.
	Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error)
}

// Sealer is a tee.Sealer over a platform's key. It may be used concurrently if its source may.
type Sealer struct {
	source KeySource
	label  string
	rand   io.Reader
}

var _ tee.Sealer = (*Sealer)(nil)

// New returns a sealer. The label names the platform in what it seals: 1 to MaxLabel of a-z, 0-9 and '-'; New panics on
// another, for it is a constant. rand makes data keys.
func New(source KeySource, label string, rand io.Reader) *Sealer {
	if !validLabel(label) {
		panic("sealing: label " + label)
	}
	return &Sealer{source, label, rand}
}

func validLabel(label string) bool {
	return label != "" && len(label) <= MaxLabel && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Seal encrypts plaintext, at most tee.MaxSealed bytes, under a fresh data key and has the platform wrap that.
func (s *Sealer) Seal(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(plaintext) > tee.MaxSealed {
		return nil, fmt.Errorf("%w: %d bytes over %d", tee.ErrSealSize, len(plaintext), tee.MaxSealed)
	}
	key := make([]byte, KeySize)
	defer clear(key)
	if _, err := io.ReadFull(s.rand, key); err != nil {
		return nil, fmt.Errorf("sealing: randomness: %w", err)
	}
	wrapped, err := s.source.Wrap(ctx, key, s.keyBinding(aad))
	if err != nil {
		return nil, fmt.Errorf("sealing by %s: %w", s.label, err)
	}
	if len(wrapped) > MaxWrapped {
		return nil, fmt.Errorf("sealing by %s: a wrapped key of %d bytes, at most %d are stored", s.label, len(wrapped), MaxWrapped)
	}
	out := make([]byte, 0, s.prefix()+len(wrapped)+len(plaintext)+gcmTag)
	out = append(append(out, version, byte(len(s.label))), s.label...)
	out = append(binary.LittleEndian.AppendUint16(out, uint16(len(wrapped))), wrapped...)
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, zeroNonce[:], plaintext, dataBinding(out, aad)), nil
}

// Unseal opens what Seal returned, with the same associated data.
func (s *Sealer) Unseal(ctx context.Context, sealed, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	header, wrapped, body, err := s.split(sealed)
	if err != nil {
		return nil, err
	}
	key, err := s.source.Unwrap(ctx, wrapped, s.keyBinding(aad))
	defer clear(key)
	if err != nil {
		return nil, fmt.Errorf("unsealing by %s: %w", s.label, err)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("%w: a data key of %d bytes", tee.ErrSealDamaged, len(key))
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, zeroNonce[:], body, dataBinding(header, aad))
	if err != nil {
		return nil, tee.ErrSealDamaged
	}
	return plaintext, nil
}

// prefix is the number of bytes before the wrapped key.
func (s *Sealer) prefix() int { return 2 + len(s.label) + 2 }

// split takes sealed data apart; its parts alias it.
func (s *Sealer) split(sealed []byte) (header, wrapped, body []byte, err error) {
	damaged := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{tee.ErrSealDamaged}, args...)...)
	}
	if len(sealed) < 2 || sealed[0] != version {
		return nil, nil, nil, damaged("not of version %d", version)
	}
	n := int(sealed[1])
	if len(sealed) < 2+n {
		return nil, nil, nil, damaged("%d bytes", len(sealed))
	}
	if label := string(sealed[2 : 2+n]); label != s.label {
		if validLabel(label) {
			return nil, nil, nil, fmt.Errorf("%w: by %s, and this one seals by %s", tee.ErrOtherMachine, label, s.label)
		}
		return nil, nil, nil, damaged("no label")
	}
	if len(sealed) < s.prefix() {
		return nil, nil, nil, damaged("%d bytes", len(sealed))
	}
	size := int(binary.LittleEndian.Uint16(sealed[s.prefix()-2:]))
	end := s.prefix() + size
	if size > MaxWrapped || len(sealed) < end+gcmTag || len(sealed) > end+tee.MaxSealed+gcmTag {
		return nil, nil, nil, damaged("%d bytes, %d of them a wrapped key", len(sealed), size)
	}
	return sealed[:end], sealed[s.prefix():end], sealed[end:], nil
}

// zeroNonce serves because each key that it is used with encrypts once.
var zeroNonce [12]byte

// keyBinding is the associated data of the wrapping.
func (s *Sealer) keyBinding(aad []byte) []byte {
	b := append([]byte(keyDomain), version, byte(len(s.label)))
	return append(append(b, s.label...), aad...)
}

// dataBinding is the associated data of the encryption; the header's lengths keep it and aad apart.
func dataBinding(header, aad []byte) []byte {
	return append(append([]byte(dataDomain), header...), aad...)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing: cipher: %w", err)
	}
	return cipher.NewGCM(block)
}
