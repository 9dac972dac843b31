package dcap

import (
	"errors"
	"fmt"
)

// Refusal is why a quote or its collateral is not believed: one stable word. The constants below are errors; match
// them with errors.Is. Words are kept for ever, texts around them are not.
type Refusal string

// Error returns the word with the package's name before it.
func (r Refusal) Error() string { return "dcap: " + string(r) }

// The reasons. Where several hold, the first in the order of [Verify]'s steps is given.
const (
	// ErrFormat says that bytes are not what their format says: a length, a version, a type, PEM, DER or JSON.
	ErrFormat Refusal = "format"
	// ErrTrailing says that a byte other than zero follows the quote.
	ErrTrailing Refusal = "trailing"
	// ErrChain says that certificates do not lead to a root, or that one is not of the kind that its place asks for.
	ErrChain Refusal = "chain"
	// ErrCRL says that a revocation list is not one of the authority that it is asked about.
	ErrCRL Refusal = "crl"
	// ErrRevoked says that an authority took a certificate back.
	ErrRevoked Refusal = "revoked"
	// ErrExpired says that a certificate, list, TCB info or QE identity ended before now.
	ErrExpired Refusal = "expired"
	// ErrNotYetValid says that one of them begins after now.
	ErrNotYetValid Refusal = "not yet valid"
	// ErrSignature says that the signature of a quote, QE report, TCB info or QE identity is wrong, or that the QE's
	// report does not name the attestation key.
	ErrSignature Refusal = "signature"
	// ErrMismatch says that genuine collateral is for another technology than the quote's.
	ErrMismatch Refusal = "mismatch"
	// ErrFMSPC says that the TCB info is for another family of processors than the quote's.
	ErrFMSPC Refusal = "fmspc"
	// ErrPCEID says that the TCB info is for another provisioning enclave than the quote's.
	ErrPCEID Refusal = "pceid"
	// ErrEvaluation says that the TCB info or QE identity is of an older evaluation than the caller asks for.
	ErrEvaluation Refusal = "evaluation"
	// ErrQE says that the quoting enclave is not Intel's.
	ErrQE Refusal = "qe"
	// ErrModule says that the TDX module is not Intel's or not one that the TCB info knows.
	ErrModule Refusal = "module"
	// ErrTCB says that no TCB level reaches down to the platform, QE or TDX module.
	ErrTCB Refusal = "tcb"
)

// Reason returns the word of the refusal that err wraps, or "" if there is none.
func Reason(err error) string {
	if r, ok := errors.AsType[Refusal](err); ok {
		return string(r)
	}
	return ""
}

// refuse says what was wrong with which part. It never prints more of the input than numbers.
func refuse(r Refusal, format string, args ...any) error {
	return fmt.Errorf("%w: %s", r, fmt.Sprintf(format, args...))
}
