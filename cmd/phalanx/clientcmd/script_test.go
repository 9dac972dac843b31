package clientcmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/cmd/phalanx/clientcmd"
	"github.com/phalanx-network/phalanx/examples"
)

// TestMain lets the scripts run this test as the program phalanx, with the client's commands alone: its code says how it
// ended, which a script's `! exec` does not, so that `code` runs it and compares.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"phalanx": func() { os.Exit(program()) }})
}

func program() int {
	root := &cobra.Command{Use: "phalanx", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(clientcmd.Commands()...)
	err := root.ExecuteContext(context.Background())
	if err != nil {
		fmt.Fprintf(os.Stderr, "phalanx: %v\n", err)
	}
	return clientcmd.ExitCode(err)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PHALANX_HOME", filepath.Join(e.WorkDir, "home"))
			return errors.Join(
				os.WriteFile(filepath.Join(e.WorkDir, "counter.contract"), examples.Counter, 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "auction.contract"), examples.Auction, 0o600),
				os.CopyFS(filepath.Join(e.WorkDir, "tests"), os.DirFS("../../../tests/contracts")),
				os.CopyFS(filepath.Join(e.WorkDir, "evidence"), os.DirFS(evidenceDir)))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

// code runs a program and checks the code that it ends with: code N phalanx ARGS…
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		got = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
