package collateral

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"
)

// maxAuthorities is the size of the file of certificates that flags name, in bytes.
const maxAuthorities = 1 << 20

// Flags are a [Config] by a command's flags: which services are asked, and whom they are believed by.
type Flags struct {
	Config
	prefix, authorities string
}

// AddTo defines the flags, whose names begin with prefix.
func (f *Flags) AddTo(flags *pflag.FlagSet, prefix string) {
	f.prefix = prefix
	flags.StringVar(&f.Intel, prefix+"intel", DefaultIntel, "base URL of Intel's service for SGX and TDX, or of a PCCS; https, or http on this machine")
	flags.StringVar(&f.RootCRL, prefix+"root-crl", "", "URL of the revocation list of Intel's root (default Intel's, or the PCCS's)")
	flags.StringVar(&f.Update, prefix+"update", "standard", "TCB info and QE identity of Intel: standard, or early for those of the day of an announcement")
	flags.StringVar(&f.AMD, prefix+"amd", DefaultAMD, "base URL of AMD's service for SEV-SNP, or of a cache of it; https, or http on this machine")
	flags.StringVar(&f.authorities, prefix+"ca", "", "file with the certificates (PEM) that are trusted for these URLs beside the system's, for a PCCS that has signed its own")
}

// Resolve returns the configuration, with the certificates of the file that a flag names. Its error names the flag.
func (f *Flags) Resolve() (Config, error) {
	cfg := f.Config
	if f.authorities == "" {
		return cfg, nil
	}
	fail := func(err error) (Config, error) { return cfg, fmt.Errorf("--%sca: %w", f.prefix, err) }
	file, err := os.Open(f.authorities)
	if err != nil {
		return fail(err)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxAuthorities+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return fail(err)
	}
	if len(raw) > maxAuthorities {
		return fail(fmt.Errorf("%s has over %d bytes", f.authorities, maxAuthorities))
	}
	if cfg.Authorities, err = x509.SystemCertPool(); err != nil {
		return fail(fmt.Errorf("the system's certificates: %w", err))
	}
	if !cfg.Authorities.AppendCertsFromPEM(raw) {
		return fail(fmt.Errorf("%s has no certificate in PEM", f.authorities))
	}
	return cfg, nil
}
