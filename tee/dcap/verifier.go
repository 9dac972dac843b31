package dcap

import (
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/phalanx-network/phalanx/tee"
)

// Verifier is a [tee.Verifier] for one kind. Evidence is a quote; its collateral is what [ParseCollateral] reads; its
// roots are certificates in DER. It trusts the roots that it is given and no other: [IntelRoot] must be among them
// where production platforms shall be believed. The least evaluation number is policy's: see [tee.Acceptance].
type Verifier struct {
	Of tee.Kind // KindSGX or KindTDX
}

var _ tee.Verifier = Verifier{}

// Kind returns v.Of.
func (v Verifier) Kind() tee.Kind { return v.Of }

// Verify returns the claims of a quote. The measurement of an enclave is MRENCLAVE; that of a trust domain is
// [TDReport.Measurement]. IssuedAt is 0, for a quote has no time.
func (v Verifier) Verify(ev tee.Evidence, roots tee.Roots, now time.Time) (tee.Claims, error) {
	if ev.Kind != v.Of {
		return tee.Claims{}, fmt.Errorf("%w: %s", tee.ErrKind, ev.Kind)
	}
	trusted := []*x509.Certificate{}
	for _, der := range roots.Of(v.Of) {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return tee.Claims{}, fmt.Errorf("%w: a root is no certificate: %w", tee.ErrChain, err)
		}
		trusted = append(trusted, root)
	}
	collateral, err := ParseCollateral(ev.Collateral)
	if err != nil {
		return tee.Claims{}, refusal(err)
	}
	r, err := Verify(ev.Data, collateral, Options{Roots: trusted, Now: now})
	if err != nil {
		return tee.Claims{}, refusal(err)
	}
	if r.Kind != v.Of {
		return tee.Claims{}, fmt.Errorf("%w: the quote is of %s", tee.ErrFormat, r.Kind)
	}
	return r.claims(), nil
}

// Measurement is SHA-384 of MRTD ‖ RTMR0 ‖ RTMR1 ‖ RTMR2 ‖ RTMR3: the domain's first memory and all that was measured
// after it.
func (r *TDReport) Measurement() [48]byte {
	all := append(make([]byte, 0, 5*48), r.MRTD[:]...)
	for i := range r.RTMR {
		all = append(all, r.RTMR[i][:]...)
	}
	return sha512.Sum384(all)
}

func (r *Result) claims() tee.Claims {
	c := tee.Claims{
		Kind: r.Kind, ReportData: r.ReportData, TCBStatus: r.Status, Advisories: r.Advisories, Debug: r.Debug,
		Confidence: Confidence(r.Status, len(r.Advisories) > 0), Registers: r.Measurements(),
		Expires: r.Expires.Unix(), Evaluation: min(r.TCBEvaluation, r.QEEvaluation), CRLChecked: true,
	}
	if r.Enclave != nil {
		c.Measurement = r.Enclave.MRENCLAVE[:]
	} else {
		m := r.TD.Measurement()
		c.Measurement = m[:]
	}
	c.Registers = append(c.Registers, tee.Register{Name: tee.RegisterMeasurement, Value: c.Measurement})
	tee.SortRegisters(c.Registers)
	return c
}

// confidences are the levels of each status, in the order of [tee.TCBStatus].
var confidences = [...]uint8{1, 2, 3, 4, 5, 5, 5}

// Confidence returns the level of a status, from 1, the best, to 5. A platform that is up to date but has an advisory
// open is no better than one that needs hardening.
func Confidence(s tee.TCBStatus, advisories bool) uint8 {
	if int(s) >= len(confidences) {
		return tee.ConfidenceWorst
	}
	if s == tee.TCBUpToDate && advisories {
		return confidences[tee.TCBSWHardeningNeeded]
	}
	return confidences[s]
}

// refusals map reasons to those of package tee.
var refusals = map[Refusal]*tee.Refusal{
	ErrFormat: tee.ErrFormat, ErrTrailing: tee.ErrFormat,
	ErrChain: tee.ErrChain, ErrCRL: tee.ErrChain, ErrRevoked: tee.ErrChain, ErrExpired: tee.ErrChain,
	ErrNotYetValid: tee.ErrChain, ErrSignature: tee.ErrSignature,
	ErrMismatch: tee.ErrStatus, ErrFMSPC: tee.ErrStatus, ErrPCEID: tee.ErrStatus, ErrEvaluation: tee.ErrStatus,
	ErrQE: tee.ErrChain, ErrModule: tee.ErrStatus, ErrTCB: tee.ErrStatus,
}

// refusal wraps the tee.Refusal that fits beside the reason of this package.
func refusal(err error) error {
	if r, ok := errors.AsType[Refusal](err); ok {
		return fmt.Errorf("%w: %w", refusals[r], err)
	}
	return fmt.Errorf("%w: %w", tee.ErrFormat, err)
}
