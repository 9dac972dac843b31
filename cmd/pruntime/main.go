// Command pruntime is the enclave program of workers and gatekeepers on real TEEs. It finds the platform and what seals
// its keys there (package tee/hardware), and does not start without both. See package enclave/program for its other
// flags.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/enclave/program"
	"github.com/phalanx-network/phalanx/tee/hardware"
	"github.com/phalanx-network/phalanx/version"
)

const help = `
It finds the TEE that it runs in, says which, and does not start without one:
  pruntime … --tee sev-snp                 this one or none
  pruntime … --tee tdx --seal tpm          with keys sealed by the machine's TPM
  pruntime … --seal memory                 with keys that are gone when it ends
`

func main() { os.Exit(run(hardware.Options{Rand: rand.Reader}, os.Args[1:])) }

// run runs the program with devices where o says, and returns the exit code.
func run(o hardware.Options, args []string) int {
	return program.Program{
		Name:    "pruntime",
		Version: version.Version,
		Flags:   func(fs *flag.FlagSet) { flags(fs, &o) },
		Help:    help,
		Open: func(ctx context.Context, _ string, log *slog.Logger) (enclave.Platform, error) {
			return open(ctx, o, log)
		},
	}.Main(args, os.Stdout, os.Stderr)
}

// flags adds the flags of the platform. Names that do not exist are usage errors.
func flags(fs *flag.FlagSet, o *hardware.Options) {
	choice := func(field *string) func(string) error {
		return func(name string) error {
			*field = name
			return o.Check()
		}
	}
	fs.Func("tee", "`platform` that must be here: "+strings.Join(hardware.Platforms(), ", ")+" (default auto)", choice(&o.Want))
	fs.Func("seal", "`what` seals the keys: "+strings.Join(hardware.Sealers(), ", ")+" (default auto: the platform's own)", choice(&o.Seal))
	fs.Func("vmpl", "SEV-SNP: privilege `level` of this guest, 0 to 3 (default 0; an SVSM's guests run below it)", func(text string) error {
		if len(text) != 1 || text[0] < '0' || text[0] > '3' {
			return fmt.Errorf("want 0 to 3, not %q", text)
		}
		o.VMPL = uint32(text[0] - '0')
		return nil
	})
}

// open finds the platform and tells the log which.
func open(ctx context.Context, o hardware.Options, log *slog.Logger) (enclave.Platform, error) {
	found, err := hardware.Find(ctx, o)
	if err != nil {
		return enclave.Platform{}, fmt.Errorf("%w\nFor development, without any confidentiality, run pruntime-sim", err)
	}
	log.Info("platform found", "tee", found.Platform, "sealing", found.Sealing, "words", found.Words)
	for _, w := range found.Warnings {
		log.Warn(w)
	}
	return enclave.Platform{Attester: found.Attester, Sealer: found.Sealer}, nil
}
