package tee

import (
	"context"
	"errors"
)

// MaxSealed is the number of bytes of plaintext that every [Sealer] takes.
const MaxSealed = 1 << 20

// Errors of a [Sealer]. Which of them a damaged file gives depends on the byte that was hit; none yields a plaintext.
var (
	// ErrSealDamaged says that the sealed bytes are not what Seal returned, or that the associated data differs.
	ErrSealDamaged = errors.New("tee: sealed data is damaged or bound to something else")
	// ErrOtherMachine says that another machine sealed the data.
	ErrOtherMachine = errors.New("tee: sealed by another machine")
	// ErrOtherMeasurement says that another program sealed the data.
	ErrOtherMeasurement = errors.New("tee: sealed by another program")
	// ErrSealSize says that the plaintext is over MaxSealed bytes.
	ErrSealSize = errors.New("tee: too much to seal")
)

// Attester makes evidence about the program that calls it. Its device access may block, so it takes a context.
type Attester interface {
	Kind() Kind
	Attest(ctx context.Context, reportData [ReportDataSize]byte) (Evidence, error)
}

// Sealer encrypts and authenticates data under a key that only this program on this machine gets from the platform. The
// associated data is not stored; Unseal needs the same. Sealing protects neither against deletion nor against an older
// sealed value put back.
type Sealer interface {
	Seal(ctx context.Context, plaintext, aad []byte) ([]byte, error)
	Unseal(ctx context.Context, sealed, aad []byte) ([]byte, error)
}
