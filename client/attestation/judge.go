package attestation

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// Verdict is the outcome of a judgement.
type Verdict string

// The verdicts. Undecided means that something was missing or unreadable, so that nothing is known of the evidence.
// Simulated means that the policy takes the simulated platform and everything else holds: it is what Accepted is for
// hardware, by another name so that nobody takes it for protection.
const (
	Accepted  Verdict = "accepted"
	Simulated Verdict = "simulated"
	Refused   Verdict = "refused"
	Undecided Verdict = "undecided"
)

// The errors of [Report.Err].
var (
	ErrRefused   = errors.New("attestation: the evidence is refused")
	ErrUndecided = errors.New("attestation: the evidence could not be judged")
)

// measurement is the register that a chain's policy names a program by.
const measurement = "measurement"

// Report is a judgement. What the evidence says is there only if its signatures hold, whether or not the policy accepts
// it.
type Report struct {
	Kind         string            `json:"kind"` // as [tee.Kind] prints it; "unknown" where none was recognized
	Version      int               `json:"version"`
	Measurements map[string]string `json:"measurements"` // registers in hexadecimal
	ReportData   string            `json:"report_data"`  // hexadecimal; a Nitro document's user data
	TCBStatus    string            `json:"tcb_status"`
	Advisories   []string          `json:"advisories"`
	Debug        bool              `json:"debug"`
	Verdict      Verdict           `json:"verdict"`
	Reason       string            `json:"reason"` // one word, empty where accepted
	Detail       string            `json:"detail"` // for people
	// IssuedAt is the evidence's own time, RFC 3339; empty for kinds that sign none.
	IssuedAt string `json:"issued_at,omitempty"`
	// Confidence is the level that a chain would record, from 1, the best, to 5; 0 where no hardware vouches.
	Confidence uint8 `json:"confidence"`
	// ValidUntil, RFC 3339, is the earliest end of the certificates, lists and documents that were relied on, after which
	// the same evidence is refused as expired; empty where there is none.
	ValidUntil string `json:"valid_until,omitempty"`

	issued time.Time
}

// Err returns nil where the policy takes the evidence, and otherwise [ErrRefused] or [ErrUndecided] with the reason.
func (r *Report) Err() error {
	switch r.Verdict {
	case Accepted, Simulated:
		return nil
	case Refused:
		return fmt.Errorf("%w (%s): %s", ErrRefused, r.Reason, r.Detail)
	}
	return fmt.Errorf("%w (%s): %s", ErrUndecided, r.Reason, r.Detail)
}

// Question is what is asked about evidence beside the policy.
type Question struct {
	// Now is the time at which everything must hold.
	Now time.Time
	// ReportData is what the evidence must be bound to, at most 64 bytes, behind which the evidence has zeros; of a Nitro
	// document exactly the user data. nil asks for nothing.
	ReportData []byte
}

// Judge judges the evidence in a file with the collateral in others. It depends on its arguments alone.
func Judge(file []byte, collateral [][]byte, p *Policy, q Question) *Report {
	e, err := Detect(file)
	if err != nil {
		return newReport("unknown", 0).end(Undecided, err)
	}
	r := newReport(e.Kind.String(), e.Version)
	return r.of(e.Kind, e.Data, p, q, func() (material, error) { return ofFiles(e.Kind, collateral) })
}

// JudgeRecorded judges evidence in the form in which a chain takes it: its kind is named, and its collateral is in the
// provider's canonical form. The simulated platform's is verified against its public root. It depends on its arguments alone.
func JudgeRecorded(ev tee.Evidence, p *Policy, q Question) *Report {
	r := newReport(ev.Kind.String(), 0)
	if len(ev.Data) > tee.MaxData || len(ev.Collateral) > tee.MaxCollateral {
		return r.end(Undecided, reason.New(reason.Format, "%d bytes of data, %d of collateral", len(ev.Data), len(ev.Collateral)))
	}
	if ev.Kind != tee.KindSimulated {
		return r.of(ev.Kind, ev.Data, p, q, func() (material, error) { return ofRecord(ev) })
	}
	if err := r.ofSimulated(ev, q.Now); err != nil {
		return r.end(Refused, err)
	}
	rule, ok := p.rule(ev.Kind)
	switch {
	case !p.AllowSimulated:
		return r.end(Refused, reason.New(reason.Simulated, "no hardware protects this program, and anybody can make such evidence"))
	case !ok:
		return r.end(Refused, reason.New(reason.Kind, "the policy does not accept %s", ev.Kind))
	}
	if err := r.judge(ev.Kind, rule, p, q); err != nil {
		return r.end(Refused, err)
	}
	r.Verdict = Simulated
	return r
}

func newReport(kind string, version int) *Report {
	return &Report{Kind: kind, Version: version, Measurements: map[string]string{}, Advisories: []string{}}
}

// of judges evidence of a kind that hardware makes. open is asked for its collateral.
func (r *Report) of(kind tee.Kind, data []byte, p *Policy, q Question, open func() (material, error)) *Report {
	rule, ok := p.rule(kind)
	if !ok {
		return r.end(Refused, reason.New(reason.Kind, "the policy does not accept %s", kind))
	}
	m, err := open()
	if err != nil {
		return r.end(Undecided, err)
	}
	verified, err := r.verify(kind, data, m, p, q.Now)
	if err != nil && !verified {
		return r.end(Undecided, err)
	}
	if err == nil {
		err = r.judge(kind, rule, p, q)
	}
	if err != nil {
		return r.end(Refused, err)
	}
	r.Verdict = Accepted
	return r
}

// end gives a verdict with its reason.
func (r *Report) end(v Verdict, err error) *Report {
	r.Verdict, r.Detail = v, err.Error()
	r.Reason = string(reason.Of(err))
	if refusal, ok := errors.AsType[dcap.Refusal](err); ok {
		r.Reason = string(wordOf(refusal))
	}
	var detailed *reason.Error
	if errors.As(err, &detailed) {
		r.Detail = detailed.Detail
	}
	return r
}

// verify fills in what evidence says. It returns false where there was nothing to verify it with.
func (r *Report) verify(kind tee.Kind, data []byte, m material, p *Policy, now time.Time) (bool, error) {
	roots, err := p.rootsOf(kind.String())
	if err != nil {
		return false, err
	}
	var ders [][]byte
	if roots != nil {
		ders = [][]byte{}
	}
	for _, root := range roots {
		ders = append(ders, root.Raw)
	}
	switch kind {
	case tee.KindSEVSNP:
		result, err := sevsnp.Verify(data, m.snp, sevsnp.Options{Now: now, Roots: ders, MinTCB: p.MinTCB, RequireCRL: p.RequireCRL})
		if err != nil {
			return reason.Of(err) != reason.Missing, err
		}
		result.UpToDate = result.UpToDate && p.reaches(result.Product, result.Reported)
		r.ofSNP(result)
	case tee.KindNitro:
		result, err := nitro.Verify(data, nitro.Options{Now: now, Roots: ders})
		if err != nil {
			return true, err
		}
		r.ofNitro(result)
	default:
		result, err := dcap.Verify(data, m.quote, dcap.Options{Roots: roots, Now: now, MinEvaluation: p.evaluation(kind)})
		if err != nil {
			return true, err
		}
		if result.Kind != kind {
			return true, reason.New(reason.Format, "a quote of %s is given as one of %s", result.Kind, kind)
		}
		r.ofQuote(result)
	}
	return true, nil
}

func (r *Report) ofSNP(s *sevsnp.Result) {
	r.Version, r.Debug, r.TCBStatus, r.ReportData = s.Version, s.Debug(), s.Status(), hex.EncodeToString(s.ReportData[:])
	r.Confidence, r.ValidUntil = tee.ConfidenceBest, s.Expires.Format(time.RFC3339)
	if !s.UpToDate {
		r.Confidence = tee.ConfidenceWorst
	}
	for _, m := range s.Registers() {
		r.Measurements[m.Name] = hex.EncodeToString(m.Value)
	}
}

// ofNitro fills in a document. AWS keeps its platform up to date itself and publishes no levels.
func (r *Report) ofNitro(n *nitro.Result) {
	r.Version, r.Debug, r.TCBStatus, r.ReportData = n.Version, n.Debug(), tee.TCBUpToDate.String(), hex.EncodeToString(n.UserData)
	r.Confidence, r.ValidUntil = tee.ConfidenceBest, n.Expires.Format(time.RFC3339)
	r.issued = n.Timestamp
	r.IssuedAt = n.Timestamp.Format(time.RFC3339Nano)
	image := n.Measurement()
	r.Measurements[measurement] = hex.EncodeToString(image[:])
	for i, value := range n.PCRs {
		r.Measurements[pcrName(i)] = hex.EncodeToString(value[:])
	}
}

func (r *Report) ofQuote(d *dcap.Result) {
	r.Version, r.Debug, r.TCBStatus, r.ReportData = d.Version, d.Debug, d.Status.String(), hex.EncodeToString(d.ReportData[:])
	r.Advisories = append(r.Advisories, d.Advisories...)
	r.Confidence, r.ValidUntil = dcap.Confidence(d.Status, len(d.Advisories) > 0), d.Expires.Format(time.RFC3339)
	for _, m := range d.Measurements() {
		r.Measurements[m.Name] = hex.EncodeToString(m.Value)
	}
	if d.TD == nil {
		r.Measurements[measurement] = r.Measurements["mrenclave"]
		return
	}
	all := d.TD.Measurement()
	r.Measurements[measurement] = hex.EncodeToString(all[:])
}

// ofSimulated verifies evidence of the simulated platform and fills in what it says.
func (r *Report) ofSimulated(ev tee.Evidence, now time.Time) error {
	c, err := simulated.Verifier{}.Verify(ev, simulated.Roots(), now)
	switch {
	case errors.Is(err, tee.ErrChain):
		return reason.New(reason.Chain, "%v", err)
	case errors.Is(err, tee.ErrSignature):
		return reason.New(reason.Signature, "%v", err)
	case err != nil:
		return reason.New(reason.Format, "%v", err)
	}
	r.Version, r.Debug, r.TCBStatus, r.ReportData = 1, c.Debug, c.TCBStatus.String(), hex.EncodeToString(c.ReportData[:])
	r.Measurements[measurement] = hex.EncodeToString(c.Measurement)
	r.issued = time.Unix(c.IssuedAt, 0).UTC()
	r.IssuedAt = r.issued.Format(time.RFC3339)
	return nil
}

// judge applies policy and question to evidence whose signatures hold, in the order of [tee.Verify].
func (r *Report) judge(kind tee.Kind, rule *Rule, p *Policy, q Question) error {
	if q.ReportData != nil && r.ReportData != expected(kind, q.ReportData) {
		return reason.New(reason.ReportData, "the evidence was made for %s", r.ReportData)
	}
	if rule != nil && rule.Measurements != nil && !slices.ContainsFunc(rule.Measurements, func(m Registers) bool { return m.hold(r.Measurements) }) {
		return reason.New(reason.Measurement, "the policy does not name the program %s", r.Measurements[measurement])
	}
	if r.Debug && !p.AllowDebug {
		return reason.New(reason.Debug, "the host can read the program's memory or console")
	}
	if !p.takes(r.TCBStatus) {
		return reason.New(reason.Status, "the platform is %s", r.TCBStatus)
	}
	if rule == nil || rule.MaxAge == 0 {
		return nil
	}
	if r.issued.IsZero() {
		return reason.New(reason.Age, "the policy asks for an age, and %s signs no time", kind)
	}
	if age := q.Now.Sub(r.issued); age > time.Duration(rule.MaxAge)*time.Second || -age > time.Duration(rule.MaxAhead)*time.Second {
		return reason.New(reason.Age, "made %s before now", age.Round(time.Second))
	}
	return nil
}

// expected is report data in hexadecimal as evidence of a kind shows it.
func expected(kind tee.Kind, data []byte) string {
	if kind != tee.KindNitro && len(data) < tee.ReportDataSize {
		data = append(slices.Clone(data), make([]byte, tee.ReportDataSize-len(data))...)
	}
	return hex.EncodeToString(data)
}

// Measurement returns the register that a chain's policy names the program by, in hexadecimal; empty where evidence did
// not verify.
func (r *Report) Measurement() string { return r.Measurements[measurement] }

// Refuse turns the verdict into [Refused], for a check of the caller's own: word names it, detail is for people.
func (r *Report) Refuse(word reason.Word, detail string) {
	r.Verdict, r.Reason, r.Detail = Refused, string(word), detail
}
