package clientcmd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/tee"
)

// errEvidence says that evidence was judged and refused.
var errEvidence = errors.New("the evidence is refused")

// errUndecided says that evidence could not be judged.
var errUndecided = errors.New("the evidence could not be judged")

// maxEvidenceFile is the size up to which evidence, collateral and policies are read, in bytes: twice that of collateral,
// for hexadecimal digits.
const maxEvidenceFile = 2*tee.MaxCollateral + 4<<10

func attestationCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{Use: "attestation", Short: "Judge attestation evidence", Args: cobra.NoArgs}
	o.addTo(cmd)
	cmd.AddCommand(attestationVerifyCommand(o), attestationFetchCommand(o))
	return cmd
}

// evidenceFlags are the flags of attestation verify.
type evidenceFlags struct {
	*options
	collateral             []string
	at, policy, reportData string
}

func attestationVerifyCommand(o *options) *cobra.Command {
	f := &evidenceFlags{options: o}
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Verify a quote, report or document in a file", Args: cobra.ExactArgs(1),
		Long: `Verify an Intel SGX or TDX quote, an AMD SEV-SNP report or an AWS Nitro document, in bytes or in hexadecimal; the kind is told
by the file. No network is needed: what verification needs is given with --collateral.

  quotes      one file of JSON with Intel's collateral: TCB info, QE identity, their chains and the revocation lists
  reports     the VCEK's or VLEK's certificate, in PEM or DER; the intermediate, if it is not AMD's; revocation lists
  documents   nothing

Without --policy evidence is accepted if the platform is UpToDate and the program is not in debug mode, whatever its
measurement. It ends with 0 for evidence that is accepted, with 1 where it is refused, with 2 where it could not be judged.`,
		Example: "  phalanx attestation verify report.bin --collateral vcek.pem\n" +
			"  phalanx attestation verify quote.bin --collateral collateral.json --at 2026-06-01T00:00:00Z -o json",
		RunE: o.run(f.verify),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.collateral, "collateral", nil, "a file with collateral; may be given several times")
	flags.StringVar(&f.at, "at", "", "the time, as RFC 3339, at which everything must hold (default: now)")
	flags.StringVar(&f.policy, "policy", "", "a file of JSON that says what is accepted")
	flags.StringVar(&f.reportData, "report-data", "", "hexadecimal: what the evidence must be bound to, at most 64 bytes (default: anything)")
	return cmd
}

func (f *evidenceFlags) verify(_ context.Context, _ *session, args []string) (result, error) {
	question, err := f.question()
	if err != nil {
		return nil, err
	}
	policy, err := readPolicy(f.policy)
	if err != nil {
		return nil, err
	}
	evidence, err := readBounded(args[0])
	if err != nil {
		return nil, usage("%v", err)
	}
	var collateral [][]byte
	for _, name := range f.collateral {
		file, err := readBounded(name)
		if err != nil {
			return nil, usage("--collateral: %v", err)
		}
		collateral = append(collateral, file)
	}
	report := judgement{attestation.Judge(evidence, collateral, policy, question)}
	return report, verdictError(report.Report)
}

// readPolicy reads the file of --policy; without one it is the default policy.
func readPolicy(name string) (*attestation.Policy, error) {
	if name == "" {
		return attestation.DefaultPolicy(), nil
	}
	file, err := readBounded(name)
	if err != nil {
		return nil, usage("--policy: %v", err)
	}
	policy, err := attestation.ParsePolicy(file)
	if err != nil {
		return nil, usage("--policy %s: %v", name, err)
	}
	return policy, nil
}

// readTime reads --at; without it the time is now.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage("--at %s: give a time such as 2026-06-01T00:00:00Z", text)
	}
	return at, nil
}

// question reads --at and --report-data.
func (f *evidenceFlags) question() (attestation.Question, error) {
	q := attestation.Question{}
	var err error
	if q.Now, err = readTime(f.at); err != nil {
		return q, err
	}
	if f.reportData != "" {
		q.ReportData, err = hex.DecodeString(strings.TrimPrefix(f.reportData, "0x"))
		if err != nil || len(q.ReportData) > tee.ReportDataSize {
			return q, usage("--report-data: give at most %d bytes in hexadecimal", tee.ReportDataSize)
		}
	}
	return q, nil
}

// readBounded reads a file of at most maxEvidenceFile bytes.
func readBounded(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxEvidenceFile+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxEvidenceFile {
		return nil, fmt.Errorf("%s: over %d bytes", name, maxEvidenceFile)
	}
	return data, nil
}

// judgement is a report as a command's result.
type judgement struct{ *attestation.Report }

func (j judgement) text(w io.Writer) { j.Text(w) }
