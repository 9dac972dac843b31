// Command pruntime-snp is pruntime in an imitated SEV-SNP guest, for the end-to-end tests alone: its attester and its
// sealer are those of real SEV-SNP, and its device is the socket of package snpguest, behind which a test holds the
// machine. It gives no confidentiality, and `make build` does not build it.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"log/slog"
	"os"

	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/enclave/program"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/testnet/e2e/snpguest"
	"github.com/phalanx-network/phalanx/version"
)

func main() {
	var socket string
	os.Exit(program.Program{
		Name: "pruntime-snp", Version: version.Version, Banner: "IMITATED SEV-SNP GUEST: NO CONFIDENTIALITY. FOR TESTS ONLY.",
		Flags: func(fs *flag.FlagSet) {
			fs.StringVar(&socket, "guest", "", "Unix socket of the imitated guest's device (required)")
		},
		Open: func(ctx context.Context, _ string, _ *slog.Logger) (enclave.Platform, error) {
			if socket == "" {
				return enclave.Platform{}, errors.New("--guest is required")
			}
			return open(ctx, snpguest.Device{Path: socket})
		},
	}.Main(os.Args[1:], os.Stdout, os.Stderr))
}

func open(ctx context.Context, guest snpguest.Device) (enclave.Platform, error) {
	keys, err := device.NewKeys(ctx, guest, guest, 0, rand.Reader)
	if err != nil {
		return enclave.Platform{}, err
	}
	return enclave.Platform{
		Attester: device.NewAttester(guest, 0), Sealer: sealing.New(keys, device.Label, rand.Reader),
	}, nil
}
