package dcap

import (
	"slices"
	"time"

	"github.com/phalanx-network/phalanx/tee"
)

// Part is the verdict on one part of the machine.
type Part struct {
	Status     tee.TCBStatus
	TCBDate    time.Time // of the level that was reached
	Advisories []string  // open at that level, as Intel names and orders them
}

// Result is what a quote says whose every signature holds. Whether it is good enough is for policy: a result may
// well be of a revoked platform, or of an enclave under a debugger.
type Result struct {
	Kind    tee.Kind // KindSGX or KindTDX
	Version int      // of the quote's format: 3, 4 or 5
	// Enclave is what SGX measured, TD what TDX measured; one is set, as Kind says.
	Enclave    *EnclaveReport
	TD         *TDReport
	ReportData [64]byte // what the program asked to be bound
	Debug      bool     // the program's memory can be read from outside: by a debugger, or as a domain that is migratable

	Status     tee.TCBStatus // of all parts together, see [Combine]
	Advisories []string      // of all parts, each once: platform's, TDX module's, QE's, each in Intel's order
	TCBDate    time.Time     // the earliest of the parts'
	Platform   Part
	Module     *Part // TDX module; nil for SGX and for modules of version 0, which are judged with the platform
	QE         Part
	// RelaunchAdvised tells that starting the TD again would bring it up to date. Status does not take it into account.
	RelaunchAdvised bool

	FMSPC         [6]byte // family, model, stepping, platform type
	PCEID         [2]byte
	ProcessorCA   bool   // the Processor CA vouches for the platform, not the Platform CA
	TCBEvaluation uint32 // evaluation number of the TCB info
	QEEvaluation  uint32 // evaluation number of the QE identity
	// Expires is the earliest end of the certificates, lists and documents that were relied on, in UTC. The same quote
	// and collateral are refused after it.
	Expires time.Time
	// TrimmedQuote is the number of bytes of the quote without the zeros behind it.
	TrimmedQuote int
}

// Measurements returns the registers that identify a program, and how a domain was started, in a fixed order. Names are
// lower case; attributes and XFAM have their bytes as in the report, bit 0 in the first.
func (r *Result) Measurements() []tee.Register {
	if e := r.Enclave; e != nil {
		return []tee.Register{
			{Name: "mrenclave", Value: e.MRENCLAVE[:]}, {Name: "mrsigner", Value: e.MRSIGNER[:]}, {Name: "configid", Value: e.ConfigID[:]},
		}
	}
	t := r.TD
	out := []tee.Register{
		{Name: "mrtd", Value: t.MRTD[:]},
		{Name: "rtmr0", Value: t.RTMR[0][:]}, {Name: "rtmr1", Value: t.RTMR[1][:]}, {Name: "rtmr2", Value: t.RTMR[2][:]}, {Name: "rtmr3", Value: t.RTMR[3][:]},
		{Name: "mrconfigid", Value: t.MRCONFIGID[:]}, {Name: "mrowner", Value: t.MROWNER[:]}, {Name: "mrownerconfig", Value: t.MROWNERCONFIG[:]},
		{Name: "mrseam", Value: t.MRSEAM[:]}, {Name: "mrsignerseam", Value: t.MRSIGNERSEAM[:]},
		{Name: "td_attributes", Value: t.TDAttributes[:]}, {Name: "xfam", Value: t.XFAM[:]},
	}
	if t.V15 {
		out = append(out, tee.Register{Name: "mrservicetd", Value: t.MRSERVICETD[:]})
	}
	return out
}

// setBody fills in what the report says.
func (r *Result) setBody(q *quote) {
	r.Kind, r.Version, r.TrimmedQuote = q.kind, q.version, q.size
	if q.kind == tee.KindSGX {
		r.Enclave = parseEnclaveReport(q.body)
		r.ReportData, r.Debug = r.Enclave.ReportData, r.Enclave.Debug()
		return
	}
	r.TD = parseTDReport(q.body)
	r.ReportData, r.Debug = r.TD.ReportData, r.TD.Debug() || r.TD.Migratable()
}

func part(v *verdict) Part { return Part{Status: v.status, TCBDate: v.date, Advisories: v.advisories} }

// setStatus combines the parts.
func (r *Result) setStatus(platform *platformLevel, module, qe *isvLevel) {
	r.Platform, r.QE = part(&platform.verdict), part(&qe.verdict)
	r.Status = r.Platform.Status
	parts := []*Part{&r.Platform}
	if module != nil {
		p := part(&module.verdict)
		r.Module = &p
		r.Status = Combine(r.Status, p.Status)
		parts = append(parts, r.Module)
	}
	r.Status = Combine(r.Status, r.QE.Status)
	r.TCBDate = r.Platform.TCBDate
	for _, p := range append(parts, &r.QE) {
		if p.TCBDate.Before(r.TCBDate) {
			r.TCBDate = p.TCBDate
		}
		for _, a := range p.Advisories {
			if !slices.Contains(r.Advisories, a) {
				r.Advisories = append(r.Advisories, a)
			}
		}
	}
}
