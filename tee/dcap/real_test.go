package dcap_test

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// recorded is evidence of real hardware.
type recorded struct {
	name       string
	now        time.Time
	status     tee.TCBStatus
	advisories string
	fmspc      string
}

var recordings = []recorded{
	{
		"sgx-v3", time.Date(2025, 6, 21, 0, 0, 0, 0, time.UTC),
		tee.TCBConfigurationAndHardening, "INTEL-SA-00289,INTEL-SA-00615", "00a067110000",
	},
	{"tdx-v4", time.Date(2025, 6, 21, 0, 0, 0, 0, time.UTC), tee.TCBUpToDate, "", "b0c06f000000"},
	{"tdx-v4-near", time.Date(2025, 9, 4, 7, 41, 59, 0, time.UTC), tee.TCBUpToDate, "", "20a06f000000"},
}

// read returns a recording's quote and collateral.
func (r recorded) read() (quote, collateral []byte, err error) {
	dir := filepath.Join("..", "..", "..", "shared", "attestation", r.name)
	if collateral, err = os.ReadFile(filepath.Join(dir, "collateral.json")); err != nil {
		return nil, nil, err
	}
	if quote, err = os.ReadFile(filepath.Join(dir, "quote.bin")); err == nil {
		return quote, collateral, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "quote.hex"))
	if err != nil {
		return nil, nil, err
	}
	quote, err = hex.DecodeString(strings.TrimSpace(string(text)))
	return quote, collateral, err
}

// load skips the test where the recordings are not.
func (r recorded) load(tb testing.TB) (quote, collateral []byte) {
	tb.Helper()
	quote, collateral, err := r.read()
	if errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("recorded evidence is absent: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return quote, collateral
}

func TestRecordedEvidence(t *testing.T) {
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) {
			quote, text := r.load(t)
			c, err := dcap.ParseCollateral(text)
			if err != nil {
				t.Fatal(err)
			}
			res, err := dcap.Verify(quote, c, dcap.Options{Now: r.now, MinEvaluation: 17})
			if err != nil {
				t.Fatal(err)
			}
			if res.Status != r.status || strings.Join(res.Advisories, ",") != r.advisories {
				t.Errorf("%s %v", res.Status, res.Advisories)
			}
			if got := hex.EncodeToString(res.FMSPC[:]); got != r.fmspc {
				t.Errorf("FMSPC %s, want %s", got, r.fmspc)
			}
			if res.Debug || res.TCBEvaluation != 17 || res.QEEvaluation != 17 {
				t.Errorf("debug %v, evaluations %d and %d", res.Debug, res.TCBEvaluation, res.QEEvaluation)
			}
		})
	}
}
