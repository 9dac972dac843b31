package attestation

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
)

// pcrName names a register of a Nitro document.
func pcrName(i int) string { return fmt.Sprintf("pcr%d", i) }

// kindWords says each kind in words.
var kindWords = map[string]string{
	tee.KindSGX.String(): "Intel SGX quote", tee.KindTDX.String(): "Intel TDX quote",
	tee.KindSEVSNP.String(): "AMD SEV-SNP attestation report", tee.KindNitro.String(): "AWS Nitro Enclaves attestation document",
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
	if r.Verdict != Accepted {
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
	fmt.Fprintf(w, "debug        %s\n", debug)
	if r.IssuedAt != "" {
		fmt.Fprintf(w, "made at      %s\n", r.IssuedAt)
	}
}
