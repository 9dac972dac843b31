package sealing

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/phalanx-network/phalanx/tee"
)

// Sizes in bytes of what stands beside a key that [Derived] wrapped.
const (
	MachineSize    = 16
	MaxMeasurement = 128
	MaxParameters  = 64

	saltSize    = 32
	derivedTail = MachineSize + saltSize + KeySize + gcmTag
)

// Derived is the KeySource of a platform that derives keys instead of sealing. It wraps by AES-256-GCM under
// HKDF-SHA256(derived key, fresh salt, "phalanx sealing wrap v1"), and stores in the clear, authenticated, who the program
// and the machine are, so that each failure has its own error:
//
//	measurement length u8 ‖ measurement ‖ parameters length u8 ‖ parameters ‖ machine [16] ‖ salt [32] ‖ AES-256-GCM(data key)
//
// The program is compared first, then the machine, and only then is a key derived.
type Derived struct {
	// Measurement names the program, in at most MaxMeasurement bytes. It is no secret.
	Measurement []byte
	// Parameters are what the platform must be told to derive the same key again, such as the version of its firmware
	// now; at most MaxParameters bytes, no secret. Machine and Derive get those that are stored, which may be damaged:
	// what they cannot use is tee.ErrSealDamaged.
	Parameters []byte
	// Machine names the machine, without a secret.
	Machine func(ctx context.Context, parameters []byte) ([MachineSize]byte, error)
	// Derive returns the key that this program gets on this machine.
	Derive func(ctx context.Context, parameters []byte) ([KeySize]byte, error)
	// Rand makes salts.
	Rand io.Reader
}

var _ KeySource = (*Derived)(nil)

// Wrap encrypts a data key.
func (d *Derived) Wrap(ctx context.Context, dataKey, aad []byte) ([]byte, error) {
	if len(d.Measurement) > MaxMeasurement || len(d.Parameters) > MaxParameters || len(dataKey) != KeySize {
		return nil, fmt.Errorf("sealing: measurement of %d bytes, parameters of %d, data key of %d",
			len(d.Measurement), len(d.Parameters), len(dataKey))
	}
	machine, err := d.Machine(ctx, d.Parameters)
	if err != nil {
		return nil, err
	}
	head := appendSized(appendSized(nil, d.Measurement), d.Parameters)
	head = append(head, machine[:]...)
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(d.Rand, salt); err != nil {
		return nil, fmt.Errorf("sealing: randomness: %w", err)
	}
	head = append(head, salt...)
	key, err := d.wrappingKey(ctx, d.Parameters, salt)
	defer clear(key)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, zeroNonce[:], dataKey, dataBinding(head, aad)), nil
}

// Unwrap decrypts a data key.
func (d *Derived) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	measurement, rest, ok := cutSized(wrapped, MaxMeasurement)
	parameters, rest, ok2 := cutSized(rest, MaxParameters)
	if !ok || !ok2 || len(rest) != derivedTail {
		return nil, fmt.Errorf("%w: a wrapped key of %d bytes", tee.ErrSealDamaged, len(wrapped))
	}
	if !bytes.Equal(measurement, d.Measurement) {
		return nil, tee.ErrOtherMeasurement
	}
	machine, err := d.Machine(ctx, parameters)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(machine[:], rest[:MachineSize]) != 1 {
		return nil, tee.ErrOtherMachine
	}
	key, err := d.wrappingKey(ctx, parameters, rest[MachineSize:MachineSize+saltSize])
	defer clear(key)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	head := wrapped[:len(wrapped)-KeySize-gcmTag]
	dataKey, err := aead.Open(nil, zeroNonce[:], wrapped[len(head):], dataBinding(head, aad))
	if err != nil {
		return nil, tee.ErrSealDamaged
	}
	return dataKey, nil
}

func (d *Derived) wrappingKey(ctx context.Context, parameters, salt []byte) ([]byte, error) {
	derived, err := d.Derive(ctx, parameters)
	defer clear(derived[:])
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, derived[:], salt, "phalanx sealing wrap v1", KeySize)
	if err != nil {
		return nil, fmt.Errorf("sealing: derive: %w", err)
	}
	return key, nil
}

func appendSized(out, b []byte) []byte { return append(append(out, byte(len(b))), b...) }

// cutSized takes a string of at most most bytes off b.
func cutSized(b []byte, most int) (s, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > most || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n:n], b[n:], true
}

// Memory returns a KeySource whose key is in this process's memory alone and is gone with it. What another process
// sealed is of another machine.
func Memory(random io.Reader) (KeySource, error) {
	var secret struct {
		name [MachineSize]byte
		key  [KeySize]byte
	}
	for _, b := range [][]byte{secret.name[:], secret.key[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("sealing: randomness: %w", err)
		}
	}
	return &Derived{
		Machine: func(context.Context, []byte) ([MachineSize]byte, error) { return secret.name, nil },
		Derive:  func(context.Context, []byte) ([KeySize]byte, error) { return secret.key, nil },
		Rand:    random,
	}, nil
}
