// Command pruntime is the enclave program of workers and gatekeepers on real TEEs. See package enclave/program for its
// flags.
package main

import (
	"errors"
	"os"

	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/enclave/program"
	"github.com/phalanx-network/phalanx/version"
)

// errNoPlatform is why it does not start: this release verifies and seals on no hardware platform.
var errNoPlatform = errors.New("no supported TEE: this release has no hardware platform. " +
	"For development, without any confidentiality, run pruntime-sim")

func main() {
	os.Exit(program.Program{
		Name:    "pruntime",
		Version: version.Version,
		Open:    func(string) (enclave.Platform, error) { return enclave.Platform{}, errNoPlatform },
	}.Main(os.Args[1:], os.Stdout, os.Stderr))
}
