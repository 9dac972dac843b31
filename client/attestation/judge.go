package attestation

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Verdict is the outcome of a judgement.
type Verdict string

// The verdicts. Undecided means that something was missing or unreadable, so that nothing is known of the evidence.
const (
	Accepted  Verdict = "accepted"
	Refused   Verdict = "refused"
	Undecided Verdict = "undecided"
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

	issued time.Time
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
	r := &Report{Kind: "unknown", Measurements: map[string]string{}, Advisories: []string{}}
	e, err := Detect(file)
	if err != nil {
		return r.end(Undecided, err)
	}
	r.Kind, r.Version = e.Kind.String(), e.Version
	rule, ok := p.rule(e.Kind)
	if !ok {
		return r.end(Refused, reason.New(reason.Kind, "the policy does not accept %s", e.Kind))
	}
	verified, err := r.verify(e, collateral, p, q.Now)
	if err != nil && !verified {
		return r.end(Undecided, err)
	}
	if err == nil {
		err = r.judge(e.Kind, rule, p, q)
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
	if word := dcap.Reason(err); word != "" {
		r.Reason = word
	}
	var detailed *reason.Error
	if errors.As(err, &detailed) {
		r.Detail = detailed.Detail
	}
	return r
}

// verify fills in what evidence says. It returns false where there was nothing to verify it with.
func (r *Report) verify(e *Evidence, files [][]byte, p *Policy, now time.Time) (bool, error) {
	roots, err := p.rootsOf(e.Kind.String())
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
	switch e.Kind {
	case tee.KindSEVSNP:
		c, err := snpCollateral(files)
		if err != nil {
			return false, err
		}
		result, err := sevsnp.Verify(e.Data, c, sevsnp.Options{Now: now, Roots: ders, MinTCB: p.MinTCB, RequireCRL: p.RequireCRL})
		if err != nil {
			return reason.Of(err) != reason.Missing, err
		}
		r.ofSNP(result)
	case tee.KindNitro:
		result, err := nitro.Verify(e.Data, nitro.Options{Now: now, Roots: ders})
		if err != nil {
			return true, err
		}
		r.ofNitro(result)
	default:
		c, err := quoteCollateral(e.Kind, files)
		if err != nil {
			return false, err
		}
		result, err := dcap.Verify(e.Data, c, dcap.Options{Roots: roots, Now: now, MinEvaluation: p.MinEvaluation})
		if err != nil {
			return true, err
		}
		r.ofQuote(result)
	}
	return true, nil
}

func (r *Report) ofSNP(s *sevsnp.Result) {
	r.Version, r.Debug, r.TCBStatus, r.ReportData = s.Version, s.Debug(), s.Status(), hex.EncodeToString(s.ReportData[:])
	for name, value := range map[string][]byte{
		measurement: s.Measurement[:], "host_data": s.HostData[:], "family_id": s.FamilyID[:], "image_id": s.ImageID[:],
		"id_key_digest": s.IDKeyDigest[:], "author_key_digest": s.AuthorKey[:],
	} {
		r.Measurements[name] = hex.EncodeToString(value)
	}
}

// ofNitro fills in a document. AWS keeps its platform up to date itself and publishes no levels.
func (r *Report) ofNitro(n *nitro.Result) {
	r.Version, r.Debug, r.TCBStatus, r.ReportData = n.Version, n.Debug(), tee.TCBUpToDate.String(), hex.EncodeToString(n.UserData)
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
