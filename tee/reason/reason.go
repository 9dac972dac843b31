// Package reason gives refusals of evidence a stable word beside the [tee.Refusal] that they wrap. A chain acts on the
// refusal's code; a person or a tool that looks at one quote, report or document wants to know which check failed.
//
//	err := reason.New(reason.Revoked, "intermediate has serial %s", serial)
//	reason.Of(err)                 // "revoked"
//	errors.Is(err, tee.ErrChain)   // true
//
// Words are part of the interface of tools: a word is added, never changed.
package reason

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/tee"
)

// Word names the check that failed.
type Word string

// The words of verifiers.
const (
	Format    Word = "format"    // bytes that cannot be parsed, reserved fields that are set, bounds that are passed
	Trailing  Word = "trailing"  // bytes after the end
	Version   Word = "version"   // a layout that the verifier does not know
	Product   Word = "product"   // hardware that the verifier does not know, or two products in one piece of evidence
	Algorithm Word = "algorithm" // a signature algorithm that the format does not allow
	Unsigned  Word = "unsigned"  // the platform was told not to sign
	Missing   Word = "missing"   // collateral without which nothing can be said
	Chain     Word = "chain"     // no trusted root vouches for the key that signed
	Expired   Word = "expired"   // a certificate, list or document that does not hold at the time given: ended, or not begun
	Revoked   Word = "revoked"   // a certificate on the path is on its issuer's list
	CRL       Word = "crl"       // a revocation list that its issuer did not sign, or of somebody else
	Machine   Word = "machine"   // the certificate belongs to another chip or another TCB
	Signature Word = "signature" // the evidence's own signature is wrong
)

// The words about collateral of Intel's, which says what platforms are worth.
const (
	Mismatch   Word = "mismatch"   // collateral of another technology than the evidence's
	FMSPC      Word = "fmspc"      // collateral of another family of processors
	PCEID      Word = "pceid"      // collateral of another provisioning enclave
	Evaluation Word = "evaluation" // collateral of an older evaluation than is asked for
	QE         Word = "qe"         // a quoting enclave that is not Intel's
	Module     Word = "module"     // a TDX module that is not Intel's, or not known
	TCB        Word = "tcb"        // no level reaches down to the platform, the QE or the TDX module
)

// The words of policies.
const (
	Kind        Word = "kind"
	ReportData  Word = "report_data"
	Measurement Word = "measurement"
	Debug       Word = "debug"
	Status      Word = "status"
	Age         Word = "age"
	Simulated   Word = "simulated" // no hardware stands behind the evidence
)

// refusals maps each word to the reason that a chain records.
var refusals = map[Word]*tee.Refusal{
	Format: tee.ErrFormat, Trailing: tee.ErrFormat, Version: tee.ErrFormat, Product: tee.ErrChain, Algorithm: tee.ErrFormat,
	Unsigned: tee.ErrSignature, Missing: tee.ErrFormat, Chain: tee.ErrChain, Expired: tee.ErrChain, Revoked: tee.ErrChain,
	CRL: tee.ErrChain, Machine: tee.ErrChain, Signature: tee.ErrSignature,
	Mismatch: tee.ErrStatus, FMSPC: tee.ErrStatus, PCEID: tee.ErrStatus, Evaluation: tee.ErrStatus, QE: tee.ErrChain,
	Module: tee.ErrStatus, TCB: tee.ErrStatus,
	Kind: tee.ErrKind, ReportData: tee.ErrReportData, Measurement: tee.ErrMeasurement, Debug: tee.ErrDebug,
	Status: tee.ErrStatus, Age: tee.ErrAge, Simulated: tee.ErrKind,
}

// Known reports whether a word is one of those above.
func (w Word) Known() bool { _, ok := refusals[w]; return ok }

// Error is a refusal with its word.
type Error struct {
	Word   Word
	Detail string // for people, without secrets
}

// New returns an [Error] whose detail is formatted as by fmt.Sprintf.
func New(w Word, format string, args ...any) error {
	return &Error{Word: w, Detail: fmt.Sprintf(format, args...)}
}

// Error returns word and detail.
func (e *Error) Error() string { return string(e.Word) + ": " + e.Detail }

// Unwrap returns the [tee.Refusal] that the word belongs to; [tee.ErrFormat] for a word that is not above.
func (e *Error) Unwrap() error {
	if r, ok := refusals[e.Word]; ok {
		return r
	}
	return tee.ErrFormat
}

// Of returns the word of the first [Error] in err's chain, and "" if there is none.
func Of(err error) Word {
	var e *Error
	if errors.As(err, &e) {
		return e.Word
	}
	return ""
}
