package snpguest_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device/devicetest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/testnet/e2e/snpguest"
)

// The attester and the sealer of SEV-SNP work over the socket, and a refusal of the firmware arrives as what it is.
func TestDeviceOverASocket(t *testing.T) {
	machine, err := sevsnptest.New(sevsnptest.Setup{ChipID: [sevsnp.ChipIDSize]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "guest.sock"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	guest := &devicetest.Guest{Machine: machine, Secret: [32]byte{2}, Policy: devicetest.PolicyDefault}
	go func() { served <- snpguest.Serve(l, guest) }()
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	d := snpguest.Device{Path: l.Addr().String()}
	data := [64]byte{3, 63: 4}
	e, err := device.NewAttester(d, 0).Attest(t.Context(), data)
	if err != nil || !bytes.Contains(e.Data, data[:]) {
		t.Fatalf("the report does not hold the report data: %v", err)
	}
	keys, err := device.NewKeys(t.Context(), d, d, 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := sealing.New(keys, device.Label, rand.Reader)
	sealed, err := s.Seal(t.Context(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := s.Unseal(t.Context(), sealed, nil); err != nil || string(plain) != "secret" {
		t.Fatalf("unsealed %q, %v", plain, err)
	}
	var refused *device.FirmwareError
	if _, _, err := d.Report(t.Context(), data, 4); !errors.As(err, &refused) || refused.Status != device.StatusInvalidParameter {
		t.Errorf("a privilege level that does not exist: %v", err)
	}
	if _, err := (snpguest.Device{Path: "/nonexistent"}).DeriveKey(t.Context(), device.KeyRequest{}); !errors.Is(err, device.ErrUnavailable) {
		t.Errorf("no device: %v", err)
	}
}
