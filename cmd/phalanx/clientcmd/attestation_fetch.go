package clientcmd

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// fetchFlags are the flags of attestation fetch.
type fetchFlags struct {
	*options
	services collateral.Flags
	to       string
}

func attestationFetchCommand(o *options) *cobra.Command {
	f := &fetchFlags{options: o}
	cmd := &cobra.Command{
		Use: "fetch FILE --to FILE", Short: "Fetch what the verification of a quote or report needs", Args: cobra.ExactArgs(1),
		Long: `Fetch the collateral of an Intel SGX or TDX quote or an AMD SEV-SNP report from its maker's service, or from a PCCS, and write it
to a file that attestation verify reads with --collateral: JSON for quotes, PEM for reports. The file may be used for as long as
it holds, without a network; the command says until when. Nitro documents need none.

What comes is not verified here: attestation verify does that.`,
		Example: "  phalanx attestation fetch quote.bin --to collateral.json\n" +
			"  phalanx attestation fetch quote.bin --to collateral.json --intel https://pccs.example.org:8081 --ca pccs.pem\n" +
			"  phalanx attestation verify quote.bin --collateral collateral.json",
		RunE: o.run(f.fetch),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "file to write (required)")
	f.services.AddTo(flags, "")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (f *fetchFlags) fetch(ctx context.Context, _ *session, args []string) (result, error) {
	file, err := readBounded(args[0])
	if err != nil {
		return nil, usage("%v", err)
	}
	found, err := attestation.Detect(file)
	if err != nil {
		return nil, usage("%s: %v", args[0], err)
	}
	if found.Kind == tee.KindNitro {
		return nil, usage("%s is a Nitro document, which needs no collateral", args[0])
	}
	source, err := sourceOf(&f.services)
	if err != nil {
		return nil, err
	}
	evidence, expiry, err := source.Complete(ctx, tee.Evidence{Kind: found.Kind, Data: found.Data})
	if err != nil {
		return nil, err
	}
	out := evidence.Collateral
	if found.Kind == tee.KindSEVSNP {
		if out, err = reportPEM(evidence.Collateral); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(f.to, out, 0o644); err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	return fetched{Kind: found.Kind.String(), File: f.to, Bytes: len(out), Until: expiry.Until.UTC(), Evaluation: expiry.Evaluation}, nil
}

// sourceOf asks the services that flags name.
func sourceOf(f *collateral.Flags) (*collateral.Source, error) {
	cfg, err := f.Resolve()
	if err != nil {
		return nil, usage("%v", err)
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	source, err := collateral.New(cfg)
	if errors.Is(err, collateral.ErrConfig) {
		return nil, usage("%v", err)
	}
	return source, err
}

// reportPEM writes certificates and lists as people keep them.
func reportPEM(record []byte) ([]byte, error) {
	var c sevsnp.Collateral
	if err := scale.Unmarshal(record, &c); err != nil {
		return nil, fmt.Errorf("collateral: %w", err)
	}
	var out []byte
	for _, der := range [][]byte{c.EndorsementKey, c.Intermediate} {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	for _, der := range c.CRLs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return out, nil
}

// fetched is what was written.
type fetched struct {
	Kind       string    `json:"kind"`
	File       string    `json:"file"`
	Bytes      int       `json:"bytes"`
	Until      time.Time `json:"until"`
	Evaluation uint32    `json:"evaluation,omitempty"`
}

func (r fetched) text(w io.Writer) {
	fmt.Fprintf(w, "%s: collateral for %s, %d bytes, holds until %s\n", r.File, r.Kind, r.Bytes, r.Until.Format(time.RFC3339))
}
