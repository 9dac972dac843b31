package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/phalanx-network/phalanx/examples"
	"github.com/phalanx-network/phalanx/testnet"
)

// TestMain lets this test be the program phalanx, for scripts and for the networks that the tests run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"phalanx": main})
}

// binaries returns this test as phalanx, and builds pruntime-sim.
func binaries(t *testing.T) testnet.Binaries {
	t.Helper()
	if testing.Short() {
		t.Skip("a whole network of processes takes too long for -short")
	}
	self, err := exec.LookPath("phalanx")
	if err != nil {
		t.Fatal(err)
	}
	b := testnet.Binaries{Phalanx: self, Pruntime: filepath.Join(t.TempDir(), "pruntime-sim")}
	out, err := exec.Command("go", "build", "-o", b.Pruntime, "../pruntime-sim").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return b
}

// TestNetwork runs the scripts in testdata/network as a user of a devnet.
func TestNetwork(t *testing.T) {
	b := binaries(t)
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var log strings.Builder
	d, err := testnet.Start(ctx, testnet.Options{Home: home, Workers: 2, Binaries: b, Stderr: &log, MarkInterval: 8})
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/network",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PHALANX_HOME", home)
			return errors.Join(
				os.WriteFile(filepath.Join(e.WorkDir, "counter.contract"), examples.Counter, 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "auction.contract"), examples.Auction, 0o600),
				os.CopyFS(filepath.Join(e.WorkDir, "tests"), os.DirFS("../../tests/contracts")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "field": field, "ok": ok},
	})
}

// code runs a program and checks the code that it ends with: code N PROGRAM ARGS…
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// field keeps a field of the JSON object that a program has written: field VARIABLE NAME
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field VARIABLE NAME")
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &object); err != nil {
		ts.Fatalf("stdout is no object: %v", err)
	}
	value, ok := object[args[1]]
	if !ok {
		ts.Fatalf("no field %s", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// ok keeps what a message returned as the Ok of a Result, which a program has written: ok VARIABLE
func ok(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ok VARIABLE")
	}
	var answer struct{ Output struct{ Ok any } }
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &answer); err != nil || answer.Output.Ok == nil {
		ts.Fatalf("stdout is no answer with an Ok: %v", err)
	}
	ts.Setenv(args[0], fmt.Sprint(answer.Output.Ok))
}

// TestDemo is what `make demo` runs.
func TestDemo(t *testing.T) {
	b := binaries(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.Phalanx, "demo", "--pruntime", b.Pruntime, "-v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, said := range []string{
		"Alice bids", "killed by SIGKILL", "worker-0, asked by Alice: Bob has won", "worker-1, asked by Alice: Bob has won",
		"Every answer was right on both workers",
	} {
		if !strings.Contains(string(out), said) {
			t.Errorf("it does not say %q:\n%s", said, out)
		}
	}
}
