package hardware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine"
	"github.com/phalanx-network/phalanx/tee/dcap/tdx"
	nsm "github.com/phalanx-network/phalanx/tee/nitro/device"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/tpm"
)

// Auto asks for the platform, or the sealer, that is there.
const Auto = "auto"

// Errors of this package.
var (
	// ErrUnknown says that no platform or sealer has the name that was asked for.
	ErrUnknown = errors.New("unknown")
	// ErrNone says that no platform was found; the text lists what was tried.
	ErrNone = errors.New("no supported TEE was found")
	// ErrSealer says that nothing can seal keys as it was asked; the text says why.
	ErrSealer = errors.New("nothing seals keys")
)

// Options say what to look for and where. The zero value, with Rand, means: whatever is there, in its usual place.
type Options struct {
	Want string // a name of Platforms, or Auto; empty is Auto
	Seal string // a name of Sealers, or Auto; empty is Auto
	VMPL uint32 // SEV-SNP: the privilege level of the guest, 0 to 3

	SNP     device.Options
	TDX     tdx.Options
	Nitro   nsm.Options
	TPM     tpm.Options
	Gramine gramine.Files // nil for gramine.DefaultRoot

	Rand io.Reader // of data keys; needed

	deriver device.Deriver // instead of the guest device, in tests
	module  nsm.Module     // instead of the Nitro module's device, in tests
}

// Found is a platform and what seals on it.
type Found struct {
	Platform string // its name of Platforms
	Sealing  string // its name of Sealers
	Attester tee.Attester
	Sealer   tee.Sealer
	Words    string // what was found, for a log
	Warnings []string
}

// platform is how one platform is found. Adding one is adding an entry to platforms.
type platform struct {
	name string
	open func(ctx context.Context, o *Options) (*opened, error)
	// seals are the sealers that serve on it, the one that auto takes first.
	seals []string
}

// opened is a platform that was found, with what its sealers need of it.
type opened struct {
	attester tee.Attester
	words    string
	reports  device.Reports   // SEV-SNP
	enclave  *gramine.Enclave // SGX
}

// sealer is how one sealer is made. Adding one is adding an entry to sealers.
type sealer struct {
	name string
	open func(ctx context.Context, o *Options, p *opened) (tee.Sealer, string, error)
	warn string // what must be said about it; empty for nothing
}

// Platforms returns the names that Options.Want takes.
func Platforms() []string {
	names := []string{Auto}
	for _, p := range platforms {
		names = append(names, p.name)
	}
	return names
}

// Sealers returns the names that Options.Seal takes.
func Sealers() []string {
	names := []string{Auto}
	for _, s := range sealers {
		names = append(names, s.name)
	}
	return names
}

// Check returns an error that wraps ErrUnknown and lists the names if o asks for what does not exist.
func (o Options) Check() error {
	if !known(o.Want, Platforms()) {
		return fmt.Errorf("%w platform %q; there are %s", ErrUnknown, o.Want, strings.Join(Platforms(), ", "))
	}
	if !known(o.Seal, Sealers()) {
		return fmt.Errorf("%w sealer %q; there are %s", ErrUnknown, o.Seal, strings.Join(Sealers(), ", "))
	}
	return nil
}

func known(name string, names []string) bool { return name == "" || slices.Contains(names, name) }

// Find finds the platform and opens its sealer. Errors wrap ErrUnknown, ErrNone or ErrSealer and what the devices said.
func Find(ctx context.Context, o Options) (Found, error) {
	if err := o.Check(); err != nil {
		return Found{}, err
	}
	if o.Rand == nil {
		return Found{}, errors.New("hardware: no source of randomness")
	}
	p, open, err := findPlatform(ctx, &o)
	if err != nil {
		return Found{}, err
	}
	f := Found{Platform: p.name, Attester: open.attester}
	s, err := choose(o.Seal, p)
	if err != nil {
		return Found{}, err
	}
	var how string
	if f.Sealer, how, err = s.open(ctx, &o, open); err != nil {
		return Found{}, fmt.Errorf("%w on %s: %s: %w%s", ErrSealer, p.name, s.name, err, others(p, s))
	}
	f.Sealing = s.name
	f.Words = fmt.Sprintf("%s through %s; keys are sealed by %s", p.name, open.words, how)
	if s.warn != "" {
		f.Warnings = append(f.Warnings, s.warn)
	}
	return f, nil
}

// findPlatform opens the first platform that answers.
func findPlatform(ctx context.Context, o *Options) (platform, *opened, error) {
	var tried []string
	var all []error
	for _, p := range platforms {
		if o.Want != "" && o.Want != Auto && o.Want != p.name {
			continue
		}
		open, err := p.open(ctx, o)
		if err == nil {
			return p, open, nil
		}
		if ctx.Err() != nil {
			return p, nil, ctx.Err()
		}
		tried = append(tried, p.name)
		all = append(all, fmt.Errorf("  %s: %w", p.name, err))
	}
	return platform{}, nil, fmt.Errorf("%w (tried %s)\n%w", ErrNone, strings.Join(tried, ", "), errors.Join(all...))
}

// choose returns the sealer that is asked for, if it serves on the platform.
func choose(name string, p platform) (sealer, error) {
	if name == "" || name == Auto {
		name = p.seals[0]
	}
	if !slices.Contains(p.seals, name) {
		return sealer{}, fmt.Errorf("%w: %s does not serve on %s, where there are %s", ErrSealer, name, p.name, strings.Join(p.seals, ", "))
	}
	i := slices.IndexFunc(sealers, func(s sealer) bool { return s.name == name })
	if i < 0 {
		return sealer{}, fmt.Errorf("%w sealer %q", ErrUnknown, name)
	}
	return sealers[i], nil
}

// others names what else could seal, in an error.
func others(p platform, s sealer) string {
	var names []string
	for _, name := range p.seals {
		if name != s.name {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; read what the others protect from (" + strings.Join(names, ", ") + ") before choosing one"
}
