package clientcmd_test

import (
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// writeEvidence makes the evidence of the scripts anew:
//
//	go test ./cmd/phalanx/clientcmd -run TestWriteEvidence -write-evidence
var writeEvidence = flag.Bool("write-evidence", false, "write testdata/evidence anew")

const evidenceDir = "testdata/evidence"

// made is when the evidence was made. The enclave's certificates hold for three hours from then on.
var made = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// TestWriteEvidence checks that the evidence of the scripts is there, or writes it. All of it is under test roots.
func TestWriteEvidence(t *testing.T) {
	if !*writeEvidence {
		names, err := os.ReadDir(evidenceDir)
		if err != nil || len(names) < 10 {
			t.Fatalf("%d files in %s, %v: run with -write-evidence", len(names), evidenceDir, err)
		}
		return
	}
	files := map[string][]byte{}
	writeSNP(t, files)
	writeNitro(t, files)
	writeTDX(t, files)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(evidenceDir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// policyFile is a policy that trusts one root for a kind.
func policyFile(t *testing.T, kind tee.Kind, root []byte) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"roots": map[string]string{kind.String(): string(inPEM("CERTIFICATE", root))}})
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func writeSNP(t *testing.T, files map[string][]byte) {
	t.Helper()
	m, err := sevsnptest.New(sevsnptest.Setup{TCB: sevsnp.TCB{BootLoader: 4, SNP: 23, Microcode: 213}, ChipID: [64]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func([]byte){
		"snp.bin":       func(raw []byte) { copy(raw[sevsnptest.OffsetReportData:], "bound to this") },
		"snp-debug.bin": func(raw []byte) { raw[sevsnptest.OffsetPolicy+2] |= sevsnptest.PolicyDebug >> 16 },
	} {
		if files[name], err = m.Report(edit); err != nil {
			t.Fatal(err)
		}
	}
	c := m.Collateral()
	files["snp-vcek.pem"] = inPEM("CERTIFICATE", c.EndorsementKey)
	files["snp-ask.pem"] = inPEM("CERTIFICATE", c.Intermediate)
	crl, err := m.CRL(made.AddDate(0, 0, -1), sevsnptest.SerialASK)
	if err != nil {
		t.Fatal(err)
	}
	files["snp-revoked.pem"] = inPEM("X509 CRL", crl)
	files["snp-policy.json"] = policyFile(t, tee.KindSEVSNP, m.Root())
}

func writeNitro(t *testing.T, files map[string][]byte) {
	t.Helper()
	a, err := nitrotest.New(made)
	if err != nil {
		t.Fatal(err)
	}
	if files["nitro.cbor"], err = a.Document(made.Add(time.Minute), []byte("bound to this"), false); err != nil {
		t.Fatal(err)
	}
	if files["nitro-debug.cbor"], err = a.Document(made.Add(time.Minute), nil, true); err != nil {
		t.Fatal(err)
	}
	files["nitro-policy.json"] = policyFile(t, tee.KindNitro, a.Root())
}

// writeTDX writes a quote of version 4, in hexadecimal, and its collateral.
func writeTDX(t *testing.T, files map[string][]byte) {
	t.Helper()
	w := dcaptest.New(tee.KindTDX, 4)
	ev, err := w.Build()
	if err != nil {
		t.Fatal(err)
	}
	files["tdx.hex"] = append([]byte(hex.EncodeToString(ev.Quote)), '\n')
	files["tdx-policy.json"] = policyFile(t, tee.KindTDX, ev.Roots[0].Raw)
	files["tdx.json"], err = json.Marshal(ev.Collateral)
	if err != nil {
		t.Fatal(err)
	}
}
