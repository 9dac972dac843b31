package device_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/tee/teetest"
)

var otherSeed = [32]byte{7}

func otherRoots() tee.Roots {
	return tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSimulated, Keys: [][]byte{
		bytes.Repeat([]byte{1}, 31), // not a key: it is passed over
		ed25519.NewKeyFromSeed(otherSeed[:]).Public().(ed25519.PublicKey),
	}}}}
}

func TestSuite(t *testing.T) {
	root := t.TempDir()
	teetest.Run(t, teetest.Provider{
		Verifier:    simulated.Verifier{},
		Roots:       simulated.Roots(),
		OtherRoots:  otherRoots(),
		HasTime:     true,
		Measurement: func(p string) []byte { m := simulated.Measurement(p); return m[:] },
		Device: func(t *testing.T, s teetest.Setup) teetest.Device {
			t.Helper()
			dir := filepath.Join(root, s.Machine)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			o := options(s.Program)
			o.Debug = s.Debug
			o.Now = func() time.Time { return s.Now }
			if s.OtherRoot {
				o.RootSeed = &otherSeed
			}
			return open(t, dir, o)
		},
	})
}

func options(program string) device.Options {
	return device.Options{Measurement: simulated.Measurement(program), Rand: rand.Reader, Now: time.Now}
}

func open(t *testing.T, dir string, o device.Options) *device.Device {
	t.Helper()
	d, err := device.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStatusReachesThePolicy(t *testing.T) {
	o := options("p")
	o.TCBStatus = tee.TCBOutOfDate
	ev, err := open(t, t.TempDir(), o).Attest(context.Background(), [64]byte{})
	if err != nil {
		t.Fatal(err)
	}
	policy := tee.Policy{
		Accept:   []tee.Acceptance{{Kind: tee.KindSimulated, Programs: []tee.Program{tee.Exactly(o.Measurement[:])}}},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate},
	}
	_, err = tee.Verify(tee.Verifiers{simulated.Verifier{}}, ev, tee.Question{Now: time.Now()}, policy, simulated.Roots())
	if !errors.Is(err, tee.ErrStatus) {
		t.Fatal(err)
	}
}

func TestMachineSecretFile(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, options("p"))
	path := filepath.Join(dir, device.SecretFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Fatalf("files left: %v, %v", files, err)
	}
	for _, damage := range [][]byte{{}, make([]byte, 31), make([]byte, 33)} {
		if err := os.WriteFile(path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := device.Open(dir, options("p")); !errors.Is(err, device.ErrMachine) {
			t.Fatalf("%d bytes: %v", len(damage), err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, damage) {
			t.Fatal("the damaged file was changed")
		}
	}
}

// TestOneMachine opens a new directory many times at once: all must be the same machine.
func TestOneMachine(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	collateral := make([][]byte, 8)
	for i := range collateral {
		wg.Go(func() {
			d, err := device.Open(dir, options("p"))
			if err != nil {
				t.Error(err)
				return
			}
			ev, err := d.Attest(context.Background(), [64]byte{})
			if err != nil {
				t.Error(err)
			}
			collateral[i] = ev.Collateral
		})
	}
	wg.Wait()
	for _, c := range collateral[1:] {
		if !bytes.Equal(c, collateral[0]) {
			t.Fatal("two machines in one directory")
		}
	}
}

func TestNoRandomnessNoMachine(t *testing.T) {
	dir := t.TempDir()
	o := options("p")
	o.Rand = bytes.NewReader(make([]byte, 31))
	if _, err := device.Open(dir, o); err == nil {
		t.Fatal("a machine was made of 31 bytes")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Fatalf("files left: %v, %v", files, err)
	}
	o.Rand = nil
	if _, err := device.Open(dir, o); err == nil {
		t.Fatal("a machine without randomness")
	}
}

func TestDeviceDoesNotPrint(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, options("p"))
	secret, err := os.ReadFile(filepath.Join(dir, device.SecretFile))
	if err != nil {
		t.Fatal(err)
	}
	js, err := json.Marshal(d) //lint:ignore SA9005 that nothing is marshalled is what the test shows
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		fmt.Sprintf("%v %+v %#v %s %x %d", d, d, d, d, d, d), fmt.Sprintf("%v %+v %#v %x", *d, *d, *d, *d), string(js),
	} {
		for _, shown := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprint(secret)[1:20], fmt.Sprintf("%#v", secret)[7:30]} {
			if bytes.Contains([]byte(out), []byte(shown)) {
				t.Fatalf("printed: %s", out)
			}
		}
	}
}
