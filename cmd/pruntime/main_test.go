package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/dcap/gramine/graminetest"
	"github.com/phalanx-network/phalanx/tee/hardware"
)

// imitated are enclaves in which the program of a test runs, by name.
var imitated = map[string]func(*graminetest.Enclave){
	"enclave":           func(*graminetest.Enclave) {},
	"another program":   func(e *graminetest.Enclave) { e.World.Enclave.MRENCLAVE[0] ^= 1 },
	"another processor": func(e *graminetest.Enclave) { e.Machine[0] ^= 1 },
}

// TestMain runs the program itself where a test asks for it, in an imitated enclave if it names one.
func TestMain(m *testing.M) {
	args := os.Getenv("PRUNTIME_ARGS")
	if args == "" {
		os.Exit(m.Run())
	}
	o := hardware.Options{Rand: rand.Reader}
	if change := imitated[os.Getenv("PRUNTIME_ENCLAVE")]; change != nil {
		e := graminetest.New()
		change(e)
		o.Gramine = e
	}
	os.Exit(run(o, strings.Split(args, "\n")))
}

// command returns the program as a process.
func command(t *testing.T, enclave string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), "PRUNTIME_ENCLAVE="+enclave, "PRUNTIME_ARGS="+strings.Join(args, "\n"))
	return cmd
}

// finish runs the program to its end.
func finish(t *testing.T, enclave string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, enclave, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// hasTEE reports whether the machine of this test has what the program looks for.
func hasTEE() bool {
	for _, path := range []string{"/dev/attestation/attestation_type", "/sys/kernel/config/tsm/report", "/dev/sev-guest", "/dev/nsm", "/dev/tdx_guest"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// Without a TEE the program does not start, says what it looked for and what a developer runs instead.
func TestNoTEE(t *testing.T) {
	if hasTEE() {
		t.Skip("this machine may have a TEE")
	}
	home := t.TempDir()
	good := []string{"--home", home, "--chain-id", "c", "--chain-uid", "0x" + strings.Repeat("11", 32)}
	for what, c := range map[string]struct {
		more  []string
		says  []string
		never string
	}{
		"auto":       {nil, append([]string{"no supported TEE", "pruntime-sim"}, hardware.Platforms()[1:]...), ""},
		"named auto": {[]string{"--tee", "auto", "--seal", "auto"}, []string{"no supported TEE", "pruntime-sim"}, ""},
		"sev-snp":    {[]string{"--tee", "sev-snp"}, []string{"sev-snp:", "modprobe sev-guest", "pruntime-sim"}, "sgx:"},
		"sgx":        {[]string{"--tee=sgx"}, []string{"sgx:", "gramine-sgx"}, "sev-snp:"},
	} {
		code, stdout, stderr := finish(t, "", append(good, c.more...)...)
		if code != 1 || stdout != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", what, code, stdout, stderr)
		}
		for _, word := range c.says {
			if !strings.Contains(stderr, word) {
				t.Errorf("%s: %q is not in:\n%s", what, word, stderr)
			}
		}
		if c.never != "" && strings.Contains(stderr, c.never) {
			t.Errorf("%s: %q is in:\n%s", what, c.never, stderr)
		}
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("it left %v in its home (%v)", entries, err)
	}
}

func TestUsage(t *testing.T) {
	for what, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":      {[]string{"--help"}, 0, "--tee sev-snp"},
		"platforms": {[]string{"--help"}, 0, strings.Join(hardware.Platforms(), ", ")},
		"sealers":   {[]string{"--help"}, 0, strings.Join(hardware.Sealers(), ", ")},
		"no tee":    {[]string{"--tee", "simulated"}, 2, "unknown platform"},
		"no sealer": {[]string{"--seal", "usb-stick"}, 2, "unknown sealer"},
		"bad vmpl":  {[]string{"--vmpl", "4"}, 2, "0 to 3"},
	} {
		code, _, stderr := finish(t, "", c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d; %s", what, code, c.code, stderr)
		}
	}
}

// In an enclave the program starts, says where, is the same identity after a restart, and is stopped by a sealed file of
// another program or processor, which it leaves as it is.
func TestEnclave(t *testing.T) {
	args := []string{"--home", t.TempDir(), "--chain-id", "c", "--chain-uid", "0x" + strings.Repeat("11", 32)}
	first := start(t, args...)
	for enclave, says := range map[string]string{"another program": "another program", "another processor": "another machine"} {
		if code, _, stderr := finish(t, enclave, args...); code != 1 || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit code %d, %s", enclave, code, stderr)
		}
	}
	if again := start(t, args...); again != first {
		t.Errorf("identity %s, %s after a restart", first, again)
	}
	if code, _, stderr := finish(t, "enclave", append(args, "--tee", "sev-snp")...); code != 1 || !strings.Contains(stderr, "no supported TEE") {
		t.Errorf("another platform is asked for: %d, %s", code, stderr)
	}
}

// start starts the program in an enclave, stops it again when its doors are open, and returns its identity.
func start(t *testing.T, args ...string) string {
	t.Helper()
	cmd := command(t, "enclave", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready struct{ Identity, Platform string }
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil {
		t.Fatal(err, stderr.String())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, stderr.String())
	}
	if ready.Platform != "sgx-dcap-v3" || ready.Identity == "" || !strings.Contains(stderr.String(), "platform found") {
		t.Fatalf("%+v, %s", ready, stderr.String())
	}
	return ready.Identity
}
