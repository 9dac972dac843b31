package light

import (
	"errors"
	"fmt"
)

// What may be wrong with a light block. Match with errors.Is; the heights are in [*VerifyError].
var (
	// ErrMalformed says that the bytes are no canonical light block or are over a bound.
	ErrMalformed = errors.New("malformed light block")
	// ErrChain says that the header bears another chain id.
	ErrChain = errors.New("header is of another chain")
	// ErrRoot says that the first block is not the trust root.
	ErrRoot = errors.New("first block is not the trust root")
	// ErrNotNewer says that the block lies below the trusted height; the relay is to send a newer one.
	ErrNotNewer = errors.New("header is below the trusted one")
	// ErrNeedIntermediate says that too few of the trusted validators signed; the relay is to send a block between the
	// two heights first (see [VerifyError.Middle]).
	ErrNeedIntermediate = errors.New("an intermediate header is needed")
	// ErrExpired says that the trusted header is past its trusting period: a new trust root is needed, from outside.
	ErrExpired = errors.New("trusting period is over, a new trust root is needed")
	// ErrFuture says that the header's time is ahead of now by more than the allowed drift.
	ErrFuture = errors.New("header is from the future")
	// ErrForged says that the block is not what the chain's validators signed.
	ErrForged = errors.New("forged light block")
	// ErrConflict says that a second, differing block at the trusted height is validly signed too: evidence that
	// validators signed twice. Whoever sees it should keep the bytes.
	ErrConflict = errors.New("two signed headers at one height")
	// ErrState says that bytes given to [Restore] are not a state of this client.
	ErrState = errors.New("light: bad state")
	// ErrProof says that a proof does not show what was asked.
	ErrProof = errors.New("light: bad proof")
)

// VerifyError is a refused light block.
type VerifyError struct {
	// Trusted is the height that the client stands at; 0 before the root.
	Trusted uint64
	// Height is the refused block's, as it states; 0 where it could not be read.
	Height uint64
	// Reason wraps one of the sentinels.
	Reason error
}

// Error names the heights and the reason.
func (e *VerifyError) Error() string {
	return fmt.Sprintf("light: block %d on trusted %d: %v", e.Height, e.Trusted, e.Reason)
}

// Unwrap returns the reason.
func (e *VerifyError) Unwrap() error { return e.Reason }

// Middle is the height to try next after [ErrNeedIntermediate], halfway between the two, at least one above the
// trusted.
func (e *VerifyError) Middle() uint64 {
	if e.Height <= e.Trusted+1 {
		return e.Trusted + 1
	}
	return e.Trusted + (e.Height-e.Trusted)/2
}
