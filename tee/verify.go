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

// The reasons. Up to ErrAge they are in the order in which [Verify] looks for them; ErrRevocation comes before ErrStatus.
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
	// ErrDebug says that the host could read the program's memory, by a debugger or by migrating it.
	ErrDebug = &Refusal{7, "debug mode is not allowed"}
	// ErrStatus says that the policy does not take the platform's TCB status.
	ErrStatus = &Refusal{8, "TCB status is not accepted"}
	// ErrConfidence says that the platform's level is weaker than the policy's weakest.
	ErrConfidence = &Refusal{9, "confidence is too low"}
	// ErrAge says that the evidence is too old, lies in the future, or has no time where the policy wants one.
	ErrAge = &Refusal{10, "evidence is too old or from the future"}
	// ErrRevocation says that the policy asks for a revocation list and none of the root's is there.
	ErrRevocation = &Refusal{11, "revocation list is missing"}
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

// Question is what a caller asks of evidence, beside the policy.
type Question struct {
	// ReportData is what the evidence must have been made for.
	ReportData [ReportDataSize]byte
	// Bound is the time of the newest thing that ReportData names and nobody could know before, a block's header say:
	// the evidence is no older. It stands for the evidence's own time where the kind signs none. Zero: nothing is named.
	Bound time.Time
	// Now is the time at which all must hold; a chain's is the block's.
	Now time.Time
}

// Verify checks evidence against roots and policy at a time that the caller gives, and that it was made for what the
// question says. It returns claims only if all of it holds; otherwise the error wraps one [Refusal]. A policy or roots
// that do not validate give [ErrPolicy], which is the caller's fault, not the evidence's.
func Verify(vs Verifiers, ev Evidence, q Question, policy Policy, roots Roots) (Claims, error) {
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
	claims, err := verifier.Verify(ev, roots, q.Now)
	if err != nil {
		return Claims{}, err
	}
	if claims.Kind != ev.Kind {
		return Claims{}, fmt.Errorf("%w: verifier of %s returned claims of %s", ErrKind, ev.Kind, claims.Kind)
	}
	if err := judge(&claims, &q, &policy, rule); err != nil {
		return Claims{}, err
	}
	return claims, nil
}

// judge applies policy to claims that a verifier has established, and enters in them what only policy can say: the
// program, and that a platform is below its floor.
func judge(cl *Claims, q *Question, p *Policy, rule *Acceptance) error {
	if subtle.ConstantTimeCompare(cl.ReportData[:], q.ReportData[:]) != 1 {
		return ErrReportData
	}
	program := rule.program(cl)
	if program == nil {
		return fmt.Errorf("%w: %x", ErrMeasurement, cl.Measurement)
	}
	cl.Program = program.ID(cl.Kind)
	if cl.Debug && !p.AllowDebug {
		return ErrDebug
	}
	if err := judgePlatform(cl, p, rule); err != nil {
		return err
	}
	if !levelFits(cl.Kind, cl.Confidence) || !ConfidenceAtLeast(cl.Confidence, p.MinConfidence) {
		return fmt.Errorf("%w: level %d, at least %d is asked", ErrConfidence, cl.Confidence, p.MinConfidence)
	}
	return judgeAge(cl, q, rule)
}

// judgePlatform looks at the maker's verdict, and at what policy knows better than the maker says.
func judgePlatform(cl *Claims, p *Policy, rule *Acceptance) error {
	if rule.RequireCRL && !cl.CRLChecked {
		return ErrRevocation
	}
	if cl.Evaluation < rule.MinEvaluation {
		return fmt.Errorf("%w: collateral of evaluation %d, at least %d is asked", ErrStatus, cl.Evaluation, rule.MinEvaluation)
	}
	if rule.belowFloor(cl.Product, cl.Levels) {
		cl.TCBStatus, cl.Confidence = max(cl.TCBStatus, TCBOutOfDate), ConfidenceWorst
	}
	if !slices.Contains(p.Statuses, cl.TCBStatus) {
		return fmt.Errorf("%w: %s", ErrStatus, cl.TCBStatus)
	}
	return nil
}

// levelFits keeps a simulated platform from claiming a level of hardware, and hardware from claiming none.
func levelFits(k Kind, level uint8) bool {
	if k == KindSimulated {
		return level == ConfidenceNone
	}
	return level >= ConfidenceBest && level <= ConfidenceWorst
}

// signsTime are the kinds whose evidence has a time of its own. For these no bound stands in: a time of 0 is a bad one.
var signsTime = map[Kind]bool{KindSimulated: true, KindNitro: true}

// judgeAge compares without subtracting from signed input, so that no value overflows.
func judgeAge(cl *Claims, q *Question, rule *Acceptance) error {
	if rule.MaxAge == 0 {
		return nil
	}
	issued, now := cl.IssuedAt, q.Now.Unix()
	if issued == 0 && !signsTime[cl.Kind] && !q.Bound.IsZero() {
		issued = q.Bound.Unix()
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
