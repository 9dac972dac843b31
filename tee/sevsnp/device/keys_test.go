package device_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sealing/sealingtest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device/devicetest"
)

func sealer(t *testing.T, g *devicetest.Guest, vmpl uint32) tee.Sealer {
	t.Helper()
	keys, err := device.NewKeys(context.Background(), g, g, vmpl, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sealing.New(keys, device.Label, rand.Reader)
}

// Each thing that the host may change at the next start has its own answer.
func TestSealing(t *testing.T) {
	g := guest(t)
	changed := func(change func(*devicetest.Guest)) tee.Sealer {
		other := *g
		change(&other)
		return sealer(t, &other, other.VMPL)
	}
	sealingtest.Run(t, func() tee.Sealer { return sealer(t, g, 0) },
		sealingtest.Elsewhere{Name: "another chip", Want: tee.ErrOtherMachine,
			Sealer: changed(func(g *devicetest.Guest) { g.Secret[0] ^= 1 })},
		sealingtest.Elsewhere{Name: "older firmware", Want: device.ErrOlderFirmware,
			Sealer: changed(func(g *devicetest.Guest) { g.Committed = tcb(3, 0, 7, 115) })},
		sealingtest.Elsewhere{Name: "another measurement", Want: tee.ErrOtherMeasurement,
			Sealer: changed(func(g *devicetest.Guest) { g.Measurement[47] ^= 1 })},
		sealingtest.Elsewhere{Name: "debug allowed", Want: tee.ErrOtherMeasurement,
			Sealer: changed(func(g *devicetest.Guest) { g.Policy |= 1 << 19 })},
		sealingtest.Elsewhere{Name: "migration allowed", Want: tee.ErrOtherMeasurement,
			Sealer: changed(func(g *devicetest.Guest) { g.Policy |= 1 << 18 })},
		sealingtest.Elsewhere{Name: "another privilege level", Want: tee.ErrOtherMeasurement,
			Sealer: changed(func(g *devicetest.Guest) { g.VMPL = 2 })},
	)
}

// What must open, opens: after an update of the firmware, of a provider's key, of the ID block.
func TestSealingSurvives(t *testing.T) {
	g := guest(t)
	sealed, err := sealer(t, g, 0).Seal(context.Background(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*devicetest.Guest){
		"nothing":        func(*devicetest.Guest) {},
		"newer firmware": func(g *devicetest.Guest) { g.Committed = tcb(4, 0, 9, 213) },
		"a VLEK":         func(g *devicetest.Guest) { g.ByVLEK = true },
		"an ID block":    func(g *devicetest.Guest) { g.GuestSVN = 7 },
	} {
		other := *g
		change(&other)
		if back, err := sealer(t, &other, 0).Unseal(context.Background(), sealed, nil); err != nil || string(back) != "secret" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What newer firmware sealed stays closed when the host puts the older one back, and opens again under the newer one:
// nothing was spoilt.
func TestRollback(t *testing.T) {
	old, updated := guest(t), *guest(t)
	updated.Committed = tcb(3, 0, 9, 115)
	sealed, err := sealer(t, &updated, 0).Seal(context.Background(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer(t, old, 0).Unseal(context.Background(), sealed, nil); !errors.Is(err, device.ErrOlderFirmware) {
		t.Fatal(err)
	}
	if _, err := sealer(t, &updated, 0).Unseal(context.Background(), sealed, nil); err != nil {
		t.Fatal(err)
	}
}

// Firmware from before VLEKs seals too, and what it sealed opens after the update that brings them, if they are not used.
func TestOldFirmware(t *testing.T) {
	g := guest(t)
	g.NoKeySelect = true
	open := func() tee.Sealer { return sealer(t, g, 0) }
	updated := *g
	updated.NoKeySelect = false
	provider := updated
	provider.ByVLEK = true
	sealingtest.Run(t, open,
		sealingtest.Elsewhere{Name: "a provider's key is in use now", Sealer: sealer(t, &provider, 0), Want: tee.ErrOtherMachine})
	sealed, err := open().Seal(context.Background(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer(t, &updated, 0).Unseal(context.Background(), sealed, nil); err != nil {
		t.Fatal(err)
	}
}

// The keys of a provider's machines must differ: where the firmware offers only the provider's key there is no sealing.
func TestProvidersKey(t *testing.T) {
	g := guest(t)
	g.ByVLEK, g.NoVCEK = true, true
	var refused *device.FirmwareError
	if _, err := device.NewKeys(context.Background(), g, g, 0, rand.Reader); !errors.As(err, &refused) {
		t.Fatal(err)
	}
	// With the VCEK as root the two machines of a provider are told apart.
	g.NoVCEK = false
	other := *g
	other.Secret[0] ^= 1
	sealed, err := sealer(t, g, 0).Seal(context.Background(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer(t, &other, 0).Unseal(context.Background(), sealed, nil); !errors.Is(err, tee.ErrOtherMachine) {
		t.Fatal(err)
	}
}

// A guest cannot ask for a level above its own.
func TestPrivilege(t *testing.T) {
	g := guest(t)
	g.VMPL = 2
	var refused *device.FirmwareError
	if _, err := device.NewKeys(context.Background(), g, g, 0, rand.Reader); !errors.As(err, &refused) {
		t.Fatal(err)
	}
}
