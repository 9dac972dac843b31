package tee

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"time"
)

// Refusal is a reason for which evidence is not believed. [Verify] and every [Verifier] wrap exactly one of the values
// below; match them with errors.Is, or take the code with errors.As.
type Refusal struct {
	// Code is stable and above 0, for error codes on chain.
	Code uint8
	text string
}

// Error returns the reason.
func (r *Refusal) Error() string { return "tee: " + r.text }

// The reasons, in the order in which [Verify] looks for them.
var (
	// ErrKind says that no verifier or no policy rule exists for the kind.
	ErrKind = &Refusal{1, "evidence kind is not accepted"}
	// ErrFormat says that the evidence or its collateral cannot be parsed, is over its bounds or is not canonical.
	ErrFormat = &Refusal{2, "evidence is malformed"}
	// ErrChain says that no trusted root vouches for the key that signed, or that a certificate on the way does not
	// hold at this time.
	ErrChain = &Refusal{3, "evidence does not chain to a trusted root"}
	// ErrSignature says that the report's own signature is wrong.
	ErrSignature = &Refusal{4, "evidence signature is wrong"}
	// ErrReportData says that the evidence was made for something else.
	ErrReportData = &Refusal{5, "report data is not the expected one"}
	// ErrMeasurement says that the policy does not name the program.
	ErrMeasurement = &Refusal{6, "measurement is not allowed"}
	// ErrDebug says that the host could read the program's memory.
	ErrDebug = &Refusal{7, "debug mode is not allowed"}
	// ErrStatus says that the policy does not take the platform's TCB status.
	ErrStatus = &Refusal{8, "TCB status is not accepted"}
	// ErrConfidence says that the platform's level is weaker than the policy's weakest.
	ErrConfidence = &Refusal{9, "confidence is too low"}
	// ErrAge says that the evidence is too old, lies in the future, or has no time where the policy wants one.
	ErrAge = &Refusal{10, "evidence is too old or from the future"}
)

// Verifiers is a table of verifiers, one a kind. The caller that builds it decides which providers are linked.
type Verifiers []Verifier

// Of returns the first verifier of a kind, or nil.
func (vs Verifiers) Of(k Kind) Verifier {
	for _, v := range vs {
		if v.Kind() == k {
			return v
		}
	}
	return nil
}

// Verify checks evidence against roots and policy at a time that the caller gives (a chain: the block's), and that it
// carries reportData. It returns claims only if all of it holds; otherwise the error wraps one [Refusal]. A policy or
// roots that do not validate give [ErrPolicy], which is the caller's fault, not the evidence's.
func Verify(vs Verifiers, ev Evidence, reportData [ReportDataSize]byte, policy Policy, roots Roots, now time.Time) (Claims, error) {
	if err := policy.Validate(); err != nil {
		return Claims{}, err
	}
	if err := roots.Validate(); err != nil {
		return Claims{}, err
	}
	rule, verifier := policy.rule(ev.Kind), vs.Of(ev.Kind)
	if rule == nil || verifier == nil {
		return Claims{}, fmt.Errorf("%w: %s", ErrKind, ev.Kind)
	}
	if len(ev.Data) > MaxData || len(ev.Collateral) > MaxCollateral {
		return Claims{}, fmt.Errorf("%w: %d bytes of data, %d of collateral", ErrFormat, len(ev.Data), len(ev.Collateral))
	}
	claims, err := verifier.Verify(ev, roots, now)
	if err != nil {
		return Claims{}, err
	}
	if claims.Kind != ev.Kind {
		return Claims{}, fmt.Errorf("%w: verifier of %s returned claims of %s", ErrKind, ev.Kind, claims.Kind)
	}
	if err := judge(&claims, reportData, &policy, rule, now); err != nil {
		return Claims{}, err
	}
	return claims, nil
}

// judge applies policy to claims that a verifier has established.
func judge(cl *Claims, reportData [ReportDataSize]byte, p *Policy, rule *Acceptance, now time.Time) error {
	if subtle.ConstantTimeCompare(cl.ReportData[:], reportData[:]) != 1 {
		return ErrReportData
	}
	if !rule.allows(cl.Measurement) {
		return fmt.Errorf("%w: %x", ErrMeasurement, cl.Measurement)
	}
	if cl.Debug && !p.AllowDebug {
		return ErrDebug
	}
	if !slices.Contains(p.Statuses, cl.TCBStatus) {
		return fmt.Errorf("%w: %s", ErrStatus, cl.TCBStatus)
	}
	if !levelFits(cl.Kind, cl.Confidence) || !ConfidenceAtLeast(cl.Confidence, p.MinConfidence) {
		return fmt.Errorf("%w: level %d, at least %d is asked", ErrConfidence, cl.Confidence, p.MinConfidence)
	}
	return judgeAge(cl.IssuedAt, rule, now.Unix())
}

// levelFits keeps a simulated platform from claiming a level of hardware, and hardware from claiming none.
func levelFits(k Kind, level uint8) bool {
	if k == KindSimulated {
		return level == ConfidenceNone
	}
	return level >= ConfidenceBest && level <= ConfidenceWorst
}

// judgeAge compares without subtracting from signed input, so that no value overflows.
func judgeAge(issued int64, rule *Acceptance, now int64) error {
	if rule.MaxAge == 0 {
		return nil
	}
	if issued <= 0 {
		return fmt.Errorf("%w: it has no time", ErrAge)
	}
	if issued < now-int64(rule.MaxAge) {
		return fmt.Errorf("%w: over %d s old", ErrAge, rule.MaxAge)
	}
	if issued > now+int64(rule.MaxAhead) {
		return fmt.Errorf("%w: over %d s ahead", ErrAge, rule.MaxAhead)
	}
	return nil
}
