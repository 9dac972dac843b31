package sevsnp_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-sev-guest/abi"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	oracle "github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/testdata"
	"github.com/google/go-sev-guest/verify/trust"

	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

var now = time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC)

var (
	levels = sevsnp.TCB{BootLoader: 4, TEE: 1, SNP: 23, Microcode: 213}
	chip   = [sevsnp.ChipIDSize]byte{1, 2, 3, 63: 9}
)

// must unwraps what must succeed in a test's set-up.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func machine(s sevsnptest.Setup) *sevsnptest.Machine {
	s.TCB, s.ChipID = levels, chip
	return must(sevsnptest.New(s))
}

func under(m *sevsnptest.Machine) sevsnp.Options {
	return sevsnp.Options{Now: now, Roots: [][]byte{m.Root()}}
}

func refusedFor(t *testing.T, name string, err error, want reason.Word) {
	t.Helper()
	if reason.Of(err) != want {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func TestVerify(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	tests := []struct {
		name       string
		collateral *sevsnp.Collateral
		edit       func(raw []byte)
		check      func(r *sevsnp.Result) bool
	}{
		{"version 3", m.Collateral(), nil, func(r *sevsnp.Result) bool {
			return r.Version == 3 && r.Signer == "VCEK" && r.Product == "Milan" && r.ChipID == chip && !r.Debug() &&
				r.Measurement[47] == 0xa5 && r.Reported == levels && r.Launch == levels && r.UpToDate && r.Policy.SMT
		}},
		{"version 2", m.Collateral(), func(raw []byte) {
			raw[0] = 2
			clear(raw[sevsnptest.OffsetCPU:][:3])
		}, func(r *sevsnp.Result) bool { return r.Version == 2 && r.Product == "Milan" }},
		{"VLEK", m.CollateralVLEK(), func(raw []byte) { raw[sevsnptest.OffsetSigner] = sevsnptest.SignerVLEK },
			func(r *sevsnp.Result) bool { return r.Signer == "VLEK" && r.CSP == "test cloud" }},
		{"chip masked", m.Collateral(), func(raw []byte) { clear(raw[sevsnptest.OffsetChipID:][:64]) },
			func(r *sevsnp.Result) bool { return r.ChipMasked && r.ChipID == [64]byte{} }},
		{"debug", m.Collateral(), func(raw []byte) { raw[sevsnptest.OffsetPolicy+2] |= sevsnptest.PolicyDebug >> 16 },
			func(r *sevsnp.Result) bool { return r.Debug() }},
		{"author key", m.Collateral(), func(raw []byte) { raw[sevsnptest.OffsetSigner] = 1 },
			func(r *sevsnp.Result) bool { return r.Signer == "VCEK" }},
	}
	for _, tt := range tests {
		r, err := sevsnp.Verify(must(m.Report(tt.edit)), tt.collateral, under(m))
		if err != nil || !tt.check(r) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
	genoa := machine(sevsnptest.Setup{Product: "Genoa-B1"})
	if r, err := sevsnp.Verify(must(genoa.Report(nil)), genoa.Collateral(), under(genoa)); err != nil || r.Product != "Genoa" {
		t.Errorf("Genoa: %+v, %v", r, err)
	}
}

func TestStatus(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	report := must(m.Report(nil))
	for _, tt := range []struct {
		min  *sevsnp.TCB
		want string
	}{
		{nil, "UpToDate"},
		{&levels, "UpToDate"},
		{&sevsnp.TCB{BootLoader: 5}, "OutOfDate"},
		{&sevsnp.TCB{TEE: 2}, "OutOfDate"},
		{&sevsnp.TCB{SNP: 24}, "OutOfDate"},
		{&sevsnp.TCB{Microcode: 214}, "OutOfDate"},
	} {
		o := under(m)
		o.MinTCB = tt.min
		r, err := sevsnp.Verify(report, m.Collateral(), o)
		if err != nil || r.Status() != tt.want {
			t.Errorf("at least %v: %v, %v", tt.min, r, err)
		}
	}
}

// TestSignedButRefused shows reports that the platform's key really signed.
func TestSignedButRefused(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	set := func(at int, v byte) func([]byte) { return func(raw []byte) { raw[at] = v } }
	tests := []struct {
		name string
		edit func([]byte)
		want reason.Word
	}{
		{"version 1", set(0, 1), reason.Version},
		{"version 4", set(0, 4), reason.Version},
		{"version 5", set(0, 5), reason.Version},
		{"algorithm", set(sevsnptest.OffsetAlgorithm, 2), reason.Algorithm},
		{"reserved policy bit is 0", set(sevsnptest.OffsetPolicy+2, 0), reason.Format},
		{"reserved policy bit is 1", set(sevsnptest.OffsetPolicy+7, 1), reason.Format},
		{"privilege level", set(sevsnptest.OffsetVMPL, 4), reason.Format},
		{"chip key masked", set(sevsnptest.OffsetSigner, 2), reason.Unsigned},
		{"reserved signer", set(sevsnptest.OffsetSigner, 1<<5), reason.Format},
		{"VLEK said, VCEK shown", set(sevsnptest.OffsetSigner, sevsnptest.SignerVLEK), reason.Chain},
		{"reserved after the signer", set(0x4c, 1), reason.Format},
		{"reserved after the processor", set(0x18b, 1), reason.Format},
		{"reserved after the versions", set(0x1eb, 1), reason.Format},
		{"reserved before the chip", set(0x19f, 1), reason.Format},
		{"mitigations of version 5", set(0x1f8, 1), reason.Format},
		{"reserved at the end", set(0x29f, 1), reason.Format},
		{"high bits of the stepping", set(sevsnptest.OffsetCPU+2, 0x11), reason.Format},
		{"reserved TCB", set(sevsnptest.OffsetCurrentTCB+3, 1), reason.Format},
		{"processor of Genoa", set(sevsnptest.OffsetCPU+1, 0x11), reason.Product},
		{"processor of Turin", set(sevsnptest.OffsetCPU, 0x1a), reason.Product},
		{"another chip", set(sevsnptest.OffsetChipID+40, 1), reason.Machine},
		{"TCB above the certificate's", set(sevsnptest.OffsetReportedTCB+6, 24), reason.Machine},
		{"TCB below the certificate's", set(sevsnptest.OffsetReportedTCB+7, 212), reason.Machine},
	}
	for _, tt := range tests {
		_, err := sevsnp.Verify(must(m.Report(tt.edit)), m.Collateral(), under(m))
		refusedFor(t, tt.name, err, tt.want)
	}
	report := must(m.Report(nil))
	_, err := sevsnp.Verify(append(report, 0), m.Collateral(), under(m))
	refusedFor(t, "one byte more", err, reason.Trailing)
	_, err = sevsnp.Verify(report[:len(report)-1], m.Collateral(), under(m))
	refusedFor(t, "one byte less", err, reason.Format)
	tail := slices.Clone(report)
	tail[sevsnp.ReportSize-1] = 1
	_, err = sevsnp.Verify(tail, m.Collateral(), under(m))
	refusedFor(t, "behind the signature", err, reason.Format)
}

// fields are the parts of a report that the signature covers, with what a change of their lowest bit is refused for.
var fields = []struct {
	name string
	at   int
	want reason.Word
}{
	{"version", 0, reason.Signature}, {"guest SVN", 0x04, reason.Signature}, {"policy", 0x08, reason.Signature},
	{"policy debug", 0x0a, reason.Signature}, {"family", 0x10, reason.Signature}, {"image", 0x20, reason.Signature},
	{"VMPL", 0x30, reason.Signature}, {"current TCB", 0x38, reason.Signature}, {"platform", 0x40, reason.Signature},
	{"signer", 0x48, reason.Signature}, {"report data", 0x50, reason.Signature}, {"measurement", 0x90, reason.Signature},
	{"host data", 0xc0, reason.Signature}, {"ID key", 0xe0, reason.Signature}, {"author key", 0x110, reason.Signature},
	{"report ID", 0x140, reason.Signature}, {"migration report ID", 0x160, reason.Signature},
	{"reported TCB", 0x180, reason.Machine}, {"CPU stepping", 0x18a, reason.Signature}, {"chip", 0x1a0, reason.Machine},
	{"committed TCB", 0x1e0, reason.Signature}, {"build", 0x1e8, reason.Signature}, {"committed build", 0x1ec, reason.Signature},
	{"launch TCB", 0x1f0, reason.Signature}, {"r", 0x2a0, reason.Signature}, {"s", 0x2e8, reason.Signature},
}

// TestMutatedFields flips one bit of each field, of real and of made reports.
func TestMutatedFields(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	made := sample{"made", must(m.Report(nil)), m.Collateral(), under(m)}
	for _, s := range append(samples(t), made) {
		for _, f := range fields {
			bad := slices.Clone(s.report)
			bad[f.at] ^= 1
			want := f.want
			switch {
			case f.name == "version" && bad[0] == 2:
				want = reason.Format // the processor's identity is reserved there
			case f.name == "version":
				want = reason.Product // and is 0 in a report of version 2
			case f.name == "policy debug":
				bad[f.at] ^= 1 ^ sevsnptest.PolicyDebug>>16
			case f.name == "CPU stepping" && bad[0] == 2:
				want = reason.Format
			}
			_, err := sevsnp.Verify(bad, s.collateral, s.options)
			refusedFor(t, s.name+" "+f.name, err, want)
		}
	}
}

func TestChain(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	report := must(m.Report(nil))
	other := machine(sevsnptest.Setup{Product: "Genoa-B1"})
	old := machine(sevsnptest.Setup{EKUntil: now.Add(-time.Hour)})
	tests := []struct {
		name    string
		c       *sevsnp.Collateral
		options sevsnp.Options
		want    reason.Word
	}{
		{"none", nil, under(m), reason.Missing},
		{"no key", &sevsnp.Collateral{}, under(m), reason.Missing},
		{"garbage", &sevsnp.Collateral{EndorsementKey: []byte("x")}, under(m), reason.Format},
		{"trailing byte", &sevsnp.Collateral{EndorsementKey: append(m.Collateral().EndorsementKey, 0)}, under(m), reason.Format},
		{"AMD's roots", m.Collateral(), sevsnp.Options{Now: now}, reason.Chain},
		{"AMD's intermediate", &sevsnp.Collateral{EndorsementKey: m.Collateral().EndorsementKey}, sevsnp.Options{Now: now}, reason.Chain},
		{"no roots", m.Collateral(), sevsnp.Options{Now: now, Roots: [][]byte{}}, reason.Chain},
		{"root of another product", m.Collateral(), under(other), reason.Chain},
		{"intermediate of VLEKs", &sevsnp.Collateral{EndorsementKey: m.Collateral().EndorsementKey, Intermediate: m.CollateralVLEK().Intermediate}, under(m), reason.Product},
		{"the root as intermediate", &sevsnp.Collateral{EndorsementKey: m.Collateral().EndorsementKey, Intermediate: m.Root()}, under(m), reason.Product},
		{"key expired", old.Collateral(), under(old), reason.Expired},
		{"before the root", m.Collateral(), sevsnp.Options{Now: time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC), Roots: under(m).Roots}, reason.Expired},
		{"time not given", m.Collateral(), sevsnp.Options{Roots: under(m).Roots}, reason.Expired},
		{"after all", m.Collateral(), sevsnp.Options{Now: now.AddDate(30, 0, 0), Roots: under(m).Roots}, reason.Expired},
	}
	for _, tt := range tests {
		_, err := sevsnp.Verify(report, tt.c, tt.options)
		refusedFor(t, tt.name, err, tt.want)
	}
}

func TestRevocation(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	report := must(m.Report(nil))
	vlek := must(m.Report(func(raw []byte) { raw[sevsnptest.OffsetSigner] = sevsnptest.SignerVLEK }))
	other := machine(sevsnptest.Setup{Product: "Genoa-B1"})
	day := now.Add(-24 * time.Hour)
	clean := must(m.CRL(day))
	forged := slices.Clone(clean)
	forged[len(forged)-1] ^= 1
	tests := []struct {
		name   string
		report []byte
		c      *sevsnp.Collateral
		crls   [][]byte
		want   reason.Word
	}{
		{"clean", report, m.Collateral(), [][]byte{clean}, ""},
		{"of another serial", report, m.Collateral(), [][]byte{must(m.CRL(day, sevsnptest.SerialASVK))}, ""},
		{"ASK", report, m.Collateral(), [][]byte{must(m.CRL(day, sevsnptest.SerialASK))}, reason.Revoked},
		{"ASVK", vlek, m.CollateralVLEK(), [][]byte{must(m.CRL(day, sevsnptest.SerialASK, sevsnptest.SerialASVK))}, reason.Revoked},
		{"second list", report, m.Collateral(), [][]byte{clean, must(m.CRL(day, sevsnptest.SerialASK))}, reason.Revoked},
		{"old", report, m.Collateral(), [][]byte{must(m.CRL(now.AddDate(0, -2, 0)))}, reason.Expired},
		{"of tomorrow", report, m.Collateral(), [][]byte{must(m.CRL(now.Add(time.Hour)))}, reason.Expired},
		{"of another root", report, m.Collateral(), [][]byte{must(other.CRL(day))}, reason.CRL},
		{"forged", report, m.Collateral(), [][]byte{forged}, reason.CRL},
		{"garbage", report, m.Collateral(), [][]byte{{1}}, reason.Format},
		{"trailing", report, m.Collateral(), [][]byte{append(slices.Clone(clean), 0)}, reason.Format},
		{"three", report, m.Collateral(), [][]byte{clean, clean, clean}, reason.Format},
		{"none", report, m.Collateral(), nil, reason.Missing},
	}
	for _, tt := range tests {
		o := under(m)
		o.RequireCRL = true
		tt.c.CRLs = tt.crls
		_, err := sevsnp.Verify(tt.report, tt.c, o)
		refusedFor(t, tt.name, err, tt.want)
	}
}

// TestRandomMutations changes bytes anywhere with a fixed seed. Nothing may panic, and only a change of what no signature
// covers may pass: there is no such byte.
func TestRandomMutations(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	c := m.Collateral()
	c.CRLs = [][]byte{must(m.CRL(now.Add(-time.Hour)))}
	rng := rand.New(rand.NewPCG(1, 2))
	report := must(m.Report(nil))
	for range 1000 {
		bad := &sevsnp.Collateral{EndorsementKey: c.EndorsementKey, Intermediate: c.Intermediate, CRLs: [][]byte{c.CRLs[0]}}
		r := report
		part := []*[]byte{&r, &bad.EndorsementKey, &bad.Intermediate, &bad.CRLs[0]}[rng.IntN(4)]
		whole := *part
		*part = slices.Clone(whole)
		for range 1 + rng.IntN(3) {
			(*part)[rng.IntN(len(*part))] ^= byte(1 + rng.IntN(255))
		}
		if rng.IntN(8) == 0 {
			*part = (*part)[:rng.IntN(len(*part))]
		}
		if bytes.Equal(*part, whole) {
			continue
		}
		_, err := sevsnp.Verify(r, bad, under(m))
		if reason.Of(err) == "" {
			t.Fatalf("part %d bytes: %v", len(whole), err)
		}
	}
}

// sample is evidence that hardware signed.
type sample struct {
	name       string
	report     []byte
	collateral *sevsnp.Collateral
	options    sevsnp.Options
}

// samples returns go-sev-guest's sample and, where it is there, the one beside the repository.
func samples(t testing.TB) []sample {
	t.Helper()
	all := []sample{{
		"go-sev-guest's sample", testdata.AttestationBytes, &sevsnp.Collateral{EndorsementKey: testdata.VcekBytes},
		sevsnp.Options{Now: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)},
	}}
	dir := filepath.Join("..", "..", "..", "shared", "attestation", "sev-snp")
	report, err := os.ReadFile(filepath.Join(dir, "report.bin"))
	if err != nil {
		t.Logf("the sample of version 3 is absent: %v", err)
		return all
	}
	vcek, _ := pem.Decode(must(os.ReadFile(filepath.Join(dir, "vcek.pem"))))
	ask, _ := pem.Decode(must(os.ReadFile(filepath.Join(dir, "ask.pem"))))
	return append(all, sample{"sample of version 3", report,
		&sevsnp.Collateral{EndorsementKey: vcek.Bytes, Intermediate: ask.Bytes}, sevsnp.Options{Now: now}})
}

func TestSamples(t *testing.T) {
	for _, s := range samples(t) {
		r, err := sevsnp.Verify(s.report, s.collateral, s.options)
		if err != nil || r.Product != "Milan" || r.Signer != "VCEK" {
			t.Fatalf("%s: %+v, %v", s.name, r, err)
		}
		c := *s.collateral
		c.Intermediate = nil
		if _, err := sevsnp.Verify(s.report, &c, s.options); err != nil {
			t.Errorf("%s with the embedded ASK: %v", s.name, err)
		}
		if r.Version == 3 && (!bytes.HasPrefix(r.ReportData[:], []byte("attest-test-fixture-2026")) || r.Debug()) {
			t.Errorf("%s: report data %q", s.name, r.ReportData)
		}
		early := s.options
		early.Now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		_, err = sevsnp.Verify(s.report, &c, early)
		refusedFor(t, s.name+" in 2020", err, reason.Expired)
	}
}

// TestOracle runs go-sev-guest's own verifier beside ours over changed reports. It may only be the laxer one.
func TestOracle(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	c := m.Collateral()
	root := trust.AMDRootCertsProduct("Milan")
	root.ProductCerts = &trust.ProductCerts{Ask: must(x509.ParseCertificate(c.Intermediate)), Ark: must(x509.ParseCertificate(m.Root()))}
	theirs := func(report []byte) error {
		r, err := abi.ReportToProto(report)
		if err != nil {
			return err
		}
		return oracle.SnpAttestation(&spb.Attestation{Report: r, CertificateChain: &spb.CertificateChain{VcekCert: c.EndorsementKey}},
			&oracle.Options{DisableCertFetching: true, Now: now, TrustedRoots: map[string][]*trust.AMDRootCerts{"Milan": {root}}})
	}
	report := must(m.Report(nil))
	laxer := 0
	for bit := range 8 * len(report) {
		bad := slices.Clone(report)
		bad[bit/8] ^= 1 << (bit % 8)
		if bit%28 != 4 && bit/8 != 0x18a { // one bit of most fields, and all of the stepping
			continue
		}
		_, err := sevsnp.Verify(bad, c, under(m))
		if reason.Of(err) == "" {
			t.Fatalf("bit %d of byte %#x: %v", bit%8, bit/8, err)
		}
		if theirs(bad) == nil {
			laxer++
			if bit/8 != 0x18a {
				t.Errorf("the oracle takes a change of byte %#x", bit/8)
			}
		}
	}
	if _, err := sevsnp.Verify(report, c, under(m)); err != nil || theirs(report) != nil {
		t.Fatalf("unchanged: ours %v, theirs %v", err, theirs(report))
	}
	if laxer != 4 {
		t.Errorf("the oracle takes %d changed reports, 4 are explained: the stepping's high bits, which it drops", laxer)
	}
}

// BenchmarkVerify measures the whole, revocation list included, and the bare checks: the same signatures on certificates
// that are parsed beforehand.
func BenchmarkVerify(b *testing.B) {
	m := machine(sevsnptest.Setup{})
	report, c, o := must(m.Report(nil)), m.Collateral(), under(m)
	c.CRLs = [][]byte{must(m.CRL(now.Add(-time.Hour)))}
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			must(sevsnp.Verify(report, c, o))
		}
	})
	for _, s := range samples(b) {
		b.Run("whole, "+s.name, func(b *testing.B) {
			for b.Loop() {
				must(sevsnp.Verify(s.report, s.collateral, s.options))
			}
		})
	}
	check := must(sevsnptest.Bare(report, c, m.Root()))
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := check(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
