package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/tee/hardware"
)

// TestMain runs the program itself where a test asks for it.
func TestMain(m *testing.M) {
	if args := os.Getenv("PRUNTIME_ARGS"); args != "" {
		os.Args = append(os.Args[:1], strings.Split(args, "\n")...)
		main()
		return
	}
	os.Exit(m.Run())
}

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "PRUNTIME_ARGS="+strings.Join(args, "\n"))
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
		code, stdout, stderr := run(t, append(good, c.more...)...)
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
		code, _, stderr := run(t, c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d; %s", what, code, c.code, stderr)
		}
	}
}
