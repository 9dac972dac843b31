package program_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/enclave"
	"github.com/phalanx-network/phalanx/enclave/program"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
)

const hash = "0x1111111111111111111111111111111111111111111111111111111111111111"

// testProgram runs on the simulated platform below home.
func testProgram() program.Program {
	return program.Program{Name: "pruntime-test", Version: "v1", Banner: "BANNER", Flags: func(fs *flag.FlagSet) {
		fs.Func("tee", "platform", func(v string) error {
			if v != "auto" {
				return errors.New("want auto")
			}
			return nil
		})
	}, Help: "\nHELP\n", Open: func(_ context.Context, home string, log *slog.Logger) (enclave.Platform, error) {
		log.Info("platform found")
		if strings.Contains(home, "no-platform") {
			return enclave.Platform{}, errors.New("no TEE here")
		}
		if err := os.MkdirAll(home, 0o700); err != nil {
			return enclave.Platform{}, err
		}
		d, err := device.Open(home, device.Options{Measurement: simulated.Measurement("test"), Rand: rand.Reader, Now: time.Now})
		return enclave.Platform{Attester: d, Sealer: d}, err
	}}
}

// TestMain runs the program itself where a test asks for it.
func TestMain(m *testing.M) {
	if args := os.Getenv("PROGRAM_ARGS"); args != "" {
		os.Exit(testProgram().Main(strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// start runs the program as a process.
func start(t *testing.T, args ...string) (cmd *exec.Cmd, stdout io.Reader, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), "PROGRAM_ARGS="+strings.Join(args, "\n"))
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, pipe, stderr
}

// run runs it to its end.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd, pipe, errs := start(t, args...)
	out, err := io.ReadAll(pipe)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out), errs.String()
}

func TestUsage(t *testing.T) {
	home := t.TempDir()
	good := []string{"--home", home, "--chain-id", "c", "--chain-uid", hash}
	with := func(more ...string) []string { return append(append([]string(nil), good...), more...) }
	for what, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":              {[]string{"--help"}, 0, "pruntime-test --home DIR"},
		"platform's help":   {[]string{"--help"}, 0, "HELP"},
		"bad platform flag": {with("--tee", "toaster"), 2, "want auto"},
		"no arguments":      {[]string{"--log-level", "info"}, 2, "required"},
		"unknown flag":      {with("--nonsense"), 2, "nonsense"},
		"an argument":       {with("more"), 2, "more"},
		"bad uid":           {[]string{"--home", home, "--chain-id", "c", "--chain-uid", "0x12"}, 2, "--chain-uid"},
		"bad level":         {with("--log-level", "loud"), 2, "--log-level"},
		"half a trust root": {with("--trust-height", "5"), 2, "go together"},
		"bad trust hash":    {with("--trust-height", "5", "--trust-hash", "xyz"), 2, "--trust-hash"},
		"bad port":          {with("--listen", "127.0.0.1:99999"), 1, "client port"},
		"no platform":       {[]string{"--home", filepath.Join(home, "no-platform"), "--chain-id", "c", "--chain-uid", hash}, 1, "no TEE here"},
		"zero period":       {with("--trusting-period", "0s"), 1, "trusting period"},
	} {
		code, stdout, stderr := run(t, c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) || stdout != "" {
			t.Errorf("%s: exit code %d, want %d; stdout %q, stderr %q", what, code, c.code, stdout, stderr)
		}
	}
	if code, stdout, _ := run(t, "--version"); code != 0 || stdout != "pruntime-test v1\n" {
		t.Errorf("version: %d %q", code, stdout)
	}
}

// The program says where its doors are, serves them, has one process in a home, and ends in order.
func TestRun(t *testing.T) {
	home := t.TempDir()
	args := []string{"--home", home, "--chain-id", "c", "--chain-uid", hash, "--listen", "127.0.0.1:0"}
	for range 2 { // the second start is on the first one's disk
		cmd, stdout, stderr := start(t, args...)
		var doors struct {
			enclave.Doors
			Platform string
		}
		if err := json.NewDecoder(stdout).Decode(&doors); err != nil {
			t.Fatal(err, stderr)
		}
		if doors.Platform != "simulated" || doors.Identity == "" {
			t.Fatalf("ready line: %+v", doors)
		}
		resp, err := http.Post(doors.Endpoint+"/phalanx.enclave.v1.ClientService/Info", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		var info struct{ Identity, Platform string }
		if err := json.NewDecoder(resp.Body).Decode(&info); err != nil || info.Platform == "" {
			t.Fatal(err, info)
		}
		resp.Body.Close()
		if s, err := os.Stat(doors.Socket); err != nil || s.Mode().Perm() != 0o600 {
			t.Fatal(err, s)
		}
		if code, _, other := run(t, args...); code != 1 || !strings.Contains(other, "another process") {
			t.Fatalf("a second one in the same home: %d %s", code, other)
		}
		if dumpable(t, cmd.Process.Pid) {
			t.Error("others may read its memory")
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err, stderr)
		}
		if !strings.Contains(stderr.String(), "BANNER") || !strings.Contains(stderr.String(), "platform found") {
			t.Error("no banner or platform in", stderr)
		}
	}
	// Another network's keys are refused, and left as they are.
	args[5] = strings.Replace(hash, "1", "2", 1)
	if code, _, stderr := run(t, args...); code != 1 || !strings.Contains(stderr, "another network") {
		t.Fatalf("another network: %d %s", code, stderr)
	}
}

// dumpable reports whether the kernel lets the process's user read its memory: then its files in /proc are his.
func dumpable(t *testing.T, pid int) bool {
	t.Helper()
	if os.Getuid() == 0 {
		limits, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "limits"))
		if err != nil {
			needs(t, "Linux's /proc: "+err.Error())
		}
		for line := range strings.Lines(string(limits)) {
			if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") {
				return f[4] != "0" || f[5] != "0"
			}
		}
		return true
	}
	s, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "mem"))
	if err != nil {
		needs(t, "Linux's /proc: "+err.Error())
	}
	return s.Sys().(*syscall.Stat_t).Uid == uint32(os.Getuid())
}

// needs skips a test that this machine cannot run, by name; under CI=true it fails instead.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}
