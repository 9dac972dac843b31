// Command pruntime-sim is pruntime on the simulated platform, which gives no confidentiality: for development and
// tests only. See package enclave/program for its flags.
package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/enclave/program"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/version"
)

func main() {
	os.Exit(program.Program{
		Name:    "pruntime-sim",
		Version: version.Version,
		Banner:  simulated.Banner,
		Open:    open,
	}.Main(os.Args[1:], os.Stdout, os.Stderr))
}

// measured is the name that stands for the measurement: the same for every build, so that a rebuilt binary reads what an
// earlier one sealed. Hardware would not allow that. A build with -ldflags "-X main.measured=NAME" is another program, as a new
// release is.
var measured = "pruntime-sim"

func open(_ context.Context, home string, _ *slog.Logger) (enclave.Platform, error) {
	machine := filepath.Join(home, "machine")
	if err := os.MkdirAll(machine, 0o700); err != nil {
		return enclave.Platform{}, err
	}
	d, err := device.Open(machine, device.Options{
		Measurement: simulated.Measurement(measured),
		Rand:        rand.Reader,
		Now:         time.Now,
		TCBStatus:   tee.TCBUpToDate,
	})
	if err != nil {
		return enclave.Platform{}, err
	}
	return enclave.Platform{Attester: d, Sealer: d}, nil
}
