package clientcmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/cmd/phalanx/clientcmd"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// phalanx runs the client's commands in this process and returns what they write, and the code that they end with.
func phalanx(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	t.Setenv("PHALANX_HOME", t.TempDir())
	var stdout bytes.Buffer
	root := &cobra.Command{Use: "phalanx", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(clientcmd.Commands()...)
	root.SetOut(&stdout)
	root.SetErr(&stdout)
	root.SetArgs(args)
	err = root.ExecuteContext(context.Background())
	return stdout.String(), clientcmd.ExitCode(err), err
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func serveCollateral(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// TestFetchThenVerify fetches what a quote and a report need, and has the files judged.
func TestFetchThenVerify(t *testing.T) {
	dir := t.TempDir()
	w := dcaptest.New(tee.KindTDX, 4)
	w.Now = time.Now().UTC().Truncate(time.Second)
	w.TCBInfo.IssueDate, w.TCBInfo.NextUpdate = w.Now.Add(-time.Hour), w.Now.Add(720*time.Hour)
	w.QEIdentity.IssueDate, w.QEIdentity.NextUpdate = w.TCBInfo.IssueDate, w.TCBInfo.NextUpdate
	quote, err := w.Build()
	if err != nil {
		t.Fatal(err)
	}
	intel, err := dcaptest.Handler(quote.Quote, quote.Collateral)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := sevsnptest.New(sevsnptest.Setup{TCB: sevsnp.TCB{SNP: 8}, ChipID: [64]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	report, err := machine.Report(nil)
	if err != nil {
		t.Fatal(err)
	}
	urls := []string{"--intel", serveCollateral(t, intel), "--amd", serveCollateral(t, sevsnptest.Handler(machine, time.Now))}
	for _, x := range []struct {
		kind           tee.Kind
		evidence, root []byte
	}{{tee.KindTDX, quote.Quote, quote.Roots[0].Raw}, {tee.KindSEVSNP, report, machine.Root()}} {
		evidence := write(t, dir, x.kind.String(), x.evidence)
		policy := write(t, dir, x.kind.String()+".policy", policyFile(t, x.kind, x.root))
		to := filepath.Join(dir, x.kind.String()+".collateral")
		out, code, err := phalanx(t, append([]string{"attestation", "fetch", evidence, "--to", to, "-o", "json"}, urls...)...)
		if code != 0 {
			t.Fatalf("%s: %v", x.kind, err)
		}
		var said struct {
			Kind  string
			Bytes int64
			Until time.Time
		}
		info, statErr := os.Stat(to)
		if err := json.Unmarshal([]byte(out), &said); err != nil || statErr != nil {
			t.Fatalf("%q: %v, %v", out, err, statErr)
		}
		if said.Kind != x.kind.String() || said.Bytes != info.Size() || !said.Until.After(time.Now()) {
			t.Errorf("%+v", said)
		}
		if out, code, err := phalanx(t, "attestation", "verify", evidence, "--collateral", to, "--policy", policy); code != 0 {
			t.Errorf("%s: code %d, %v\n%s", x.kind, code, err, out)
		}
	}
}

// TestFetchRefuses says what is the matter, and writes nothing.
func TestFetchRefuses(t *testing.T) {
	dir := t.TempDir()
	w := dcaptest.New(tee.KindTDX, 4)
	quote, err := w.Build()
	if err != nil {
		t.Fatal(err)
	}
	evidence := write(t, dir, "quote", quote.Quote)
	url := serveCollateral(t, http.NotFoundHandler())
	to := filepath.Join(dir, "out")
	write(t, dir, "out.pem", []byte("no certificate"))
	for name, x := range map[string]struct {
		args []string
		text string
	}{
		"not known":     {[]string{evidence, "--to", to, "--intel", url}, "404"},
		"no file":       {[]string{filepath.Join(dir, "none"), "--to", to}, "none"},
		"no evidence":   {[]string{write(t, dir, "text", []byte("hello, world")), "--to", to}, "begins like no"},
		"document":      {[]string{write(t, dir, "nitro", []byte("\x84\x44\xa1\x01\x38\x22\xa0\x59")), "--to", to}, "needs no collateral"},
		"not https":     {[]string{evidence, "--to", to, "--intel", "http://pccs.example.org"}, "https"},
		"no authority":  {[]string{evidence, "--to", to, "--intel", url, "--ca", to + ".pem"}, "no certificate in PEM"},
		"no ca":         {[]string{evidence, "--to", to, "--intel", url, "--ca", filepath.Join(dir, "none")}, "--ca"},
		"nowhere to go": {[]string{evidence}, "to"},
	} {
		_, code, err := phalanx(t, append([]string{"attestation", "fetch"}, x.args...)...)
		if code == 0 || err == nil || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%s: code %d, %v", name, code, err)
		}
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("something was written")
	}
}
