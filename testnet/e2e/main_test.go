package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/testnet"
)

// The programs, and the folder that all networks of this run are in.
var (
	binaries testnet.Binaries
	scratch  string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "phx-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(shared.net.stop(), wide.net.stop()); err != nil {
		fmt.Fprintln(os.Stderr, "stop the networks:", err)
		code = 1
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "the networks' files and logs are in", scratch)
		return code
	}
	if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// built compiles the programs, once.
var built = sync.OnceValue(func() error {
	if dir := os.Getenv("PHALANX_E2E_BIN"); dir != "" {
		binaries = testnet.Binaries{Phalanx: filepath.Join(dir, "phalanx"), Pruntime: filepath.Join(dir, "pruntime-sim")}
		return nil
	}
	dir := filepath.Join(scratch, "bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	var err error
	binaries, err = testnet.Build(ctx, dir)
	return err
})

// end to end tests need the programs.
func needPrograms(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts networks of real processes; run without -short")
	}
	if err := built(); err != nil {
		t.Fatal(err)
	}
}

// needs skips a test that the machine cannot run, by name; under CI=true it fails instead.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
}

// reachable is the one address of this machine that contracts may reach; others of it, such as the next, they may not.
const reachable, unreachable = "127.0.0.1", "127.0.0.2"

// shared is the network of the tests that leave it as they found it.
var shared struct {
	once sync.Once
	net  *network
	err  error
}

// sharedNetwork has two workers, checkpoint marks and rotations of the EcdhKeys every few seconds, and a chain that
// forgets bodies soon. Contracts may reach one address of this machine.
func sharedNetwork(t *testing.T) *network {
	t.Helper()
	needPrograms(t)
	shared.once.Do(func() {
		shared.net, shared.err = start(testnet.Options{
			Home: filepath.Join(scratch, "shared"), Workers: 2, BlockTime: 100 * time.Millisecond,
			MarkInterval: 40, BodyRetention: 60, RotationInterval: 150, HTTPAllow: []string{reachable + "/32"},
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.net
}
