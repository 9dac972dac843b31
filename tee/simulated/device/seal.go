package device

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/phalanx-network/phalanx/tee"
)

// Layout of sealed data: version u8 ‖ machine tag [16] ‖ measurement [32] ‖ salt [32] ‖ AES-256-GCM ciphertext and tag.
// Everything before the ciphertext is authenticated with the caller's associated data.
const (
	sealVersion = 1
	tagSize     = 16
	saltSize    = 32
	sealHeader  = 1 + tagSize + 32 + saltSize
	gcmTag      = 16
)

// Seal encrypts plaintext under a key of this machine, this measurement and a fresh salt.
func (d *Device) Seal(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(plaintext) > tee.MaxSealed {
		return nil, fmt.Errorf("%w: %d bytes over %d", tee.ErrSealSize, len(plaintext), tee.MaxSealed)
	}
	tag, err := d.machineTag()
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, sealHeader+len(plaintext)+gcmTag)
	out = append(out, sealVersion)
	out = append(out, tag...)
	out = append(out, d.o.Measurement[:]...)
	out = out[:sealHeader]
	if _, err := io.ReadFull(d.o.Rand, out[sealHeader-saltSize:]); err != nil {
		return nil, fmt.Errorf("device: randomness: %w", err)
	}
	aead, err := d.sealingCipher(out[sealHeader-saltSize:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, zeroNonce[:], plaintext, boundData(out, aad)), nil
}

// Unseal opens what Seal returned, with the same associated data.
func (d *Device) Unseal(ctx context.Context, sealed, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(sealed) < sealHeader+gcmTag || len(sealed) > sealHeader+tee.MaxSealed+gcmTag {
		return nil, fmt.Errorf("%w: %d bytes", tee.ErrSealDamaged, len(sealed))
	}
	header, body := sealed[:sealHeader], sealed[sealHeader:]
	if header[0] != sealVersion {
		return nil, fmt.Errorf("%w: version %d, %d is known", tee.ErrSealDamaged, header[0], sealVersion)
	}
	tag, err := d.machineTag()
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(header[1:1+tagSize], tag) != 1 {
		return nil, tee.ErrOtherMachine
	}
	if [32]byte(header[1+tagSize:]) != d.o.Measurement {
		return nil, tee.ErrOtherMeasurement
	}
	aead, err := d.sealingCipher(header[sealHeader-saltSize:])
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, zeroNonce[:], body, boundData(header, aad))
	if err != nil {
		return nil, tee.ErrSealDamaged
	}
	return plaintext, nil
}

// zeroNonce serves because each sealing key has a salt of its own and encrypts once.
var zeroNonce [12]byte

// boundData is header ‖ aad; the header's fixed length keeps the two apart.
func boundData(header, aad []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(aad)), header...), aad...)
}

func (d *Device) sealingCipher(salt []byte) (cipher.AEAD, error) {
	info := "phalanx simulated sealing key v1" + string(d.o.Measurement[:])
	key, err := hkdf.Key(sha256.New, d.machine.b[:], salt, info, 32)
	if err != nil {
		return nil, fmt.Errorf("device: derive sealing key: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("device: sealing cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// machineTag names the machine in sealed data without telling its secret.
func (d *Device) machineTag() ([]byte, error) {
	tag, err := hkdf.Key(sha256.New, d.machine.b[:], nil, "phalanx simulated machine tag v1", tagSize)
	if err != nil {
		return nil, fmt.Errorf("device: derive machine tag: %w", err)
	}
	return tag, nil
}
