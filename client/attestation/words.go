package attestation

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// pcrName names a register of a Nitro document.
func pcrName(i int) string { return fmt.Sprintf("pcr%d", i) }

// kindWords says each kind in words.
var kindWords = map[string]string{
	tee.KindSGX.String(): "Intel SGX quote", tee.KindTDX.String(): "Intel TDX quote",
	tee.KindSimulated.String(): "of the SIMULATED platform, which proves nothing",
	tee.KindSEVSNP.String():    "AMD SEV-SNP attestation report", tee.KindNitro.String(): "AWS Nitro Enclaves attestation document",
}

// wordOf is the word for a refusal of package dcap: the same, but that there is one for what has ended and what has not
// begun, as there is for other kinds. The detail says which.
func wordOf(r dcap.Refusal) reason.Word {
	if r == dcap.ErrNotYetValid {
		return reason.Expired
	}
	return reason.Word(r)
}

// levelWords says what each level of confidence means.
var levelWords = [...]string{
	tee.ConfidenceNone: "NONE: no hardware protects the program", tee.ConfidenceBest: "the best: genuine hardware, up to date, no advisory open",
	2: "genuine hardware; programs must be hardened against an advisory", 3: "genuine hardware whose configuration must be changed",
	4: "genuine hardware that needs another configuration and hardened programs", tee.ConfidenceWorst: "the worst: genuine hardware with known, open weaknesses",
}

// Text writes the report for people. Registers that are zero are left out.
func (r *Report) Text(w io.Writer) {
	what, ok := kindWords[r.Kind]
	if !ok {
		what = "of no kind that is known"
	}
	fmt.Fprintf(w, "evidence     %s, version %d\n", what, r.Version)
	if r.TCBStatus != "" {
		r.claims(w)
	}
	fmt.Fprintf(w, "verdict      %s", r.Verdict)
	switch r.Verdict {
	case Accepted:
	case Simulated:
		fmt.Fprint(w, ": everything holds that can, and it proves nothing")
	default:
		// A detail may quote names of certificates. On one line they cannot pass for lines of this report.
		fmt.Fprintf(w, " (%s): %s", r.Reason, strings.Join(strings.Fields(r.Detail), " "))
	}
	fmt.Fprintln(w)
}

// claims writes what the evidence says.
func (r *Report) claims(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(r.Measurements)) {
		if value := r.Measurements[name]; strings.Trim(value, "0") != "" || name == measurement {
			fmt.Fprintf(w, "%-12s %s\n", name, value)
		}
	}
	fmt.Fprintf(w, "report data  %s\n", r.ReportData)
	advisories := "no advisory open"
	if len(r.Advisories) > 0 {
		advisories = "advisories open: " + strings.Join(r.Advisories, ", ")
	}
	fmt.Fprintf(w, "platform     %s, %s\n", r.TCBStatus, advisories)
	debug := "off: the host cannot read the program's memory"
	if r.Debug {
		debug = "ON: the host can read the program's memory or console"
	}
	if r.Kind == tee.KindSimulated.String() {
		debug = "the host can read the program's memory: nothing protects it"
	}
	fmt.Fprintf(w, "debug        %s\n", debug)
	if int(r.Confidence) < len(levelWords) {
		fmt.Fprintf(w, "confidence   %d, %s\n", r.Confidence, levelWords[r.Confidence])
	}
	if r.ValidUntil != "" {
		fmt.Fprintf(w, "good until   %s, when the first certificate or list that it rests on ends\n", r.ValidUntil)
	}
	if r.IssuedAt != "" {
		fmt.Fprintf(w, "made at      %s\n", r.IssuedAt)
	}
}
