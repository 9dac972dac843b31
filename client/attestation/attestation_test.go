package attestation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// must unwraps what cannot fail in a test's set-up.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// policy reads a policy that trusts a root for a kind; more is further members of the JSON.
func policy(t *testing.T, kind tee.Kind, root []byte, more string) *Policy {
	t.Helper()
	text := must(json.Marshal(string(inPEM("CERTIFICATE", root))))
	p, err := ParsePolicy(fmt.Appendf(nil, `{"roots":{%q:%s}%s}`, kind, text, more))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDetect(t *testing.T) {
	tests := []struct {
		name    string
		file    []byte
		kind    tee.Kind
		version int
		want    reason.Word
	}{
		{"SNP 2", []byte{2, 0, 0, 0, 0, 0, 0, 0}, tee.KindSEVSNP, 2, ""},
		{"SNP 5", []byte{5, 0, 0, 0, 0, 0, 0, 0}, tee.KindSEVSNP, 5, ""},
		{"SGX 3", []byte{3, 0, 2, 0, 0, 0, 0, 0}, tee.KindSGX, 3, ""},
		{"TDX 4", []byte{4, 0, 2, 0, 0x81, 0, 0, 0}, tee.KindTDX, 4, ""},
		{"TDX 5 in hexadecimal", []byte("0x0500 0200\n8100 0000\n"), tee.KindTDX, 5, ""},
		{"Nitro", []byte{0x84, 0x44, 0xa1, 1, 0x38, 0x22, 0xa0, 0}, tee.KindNitro, 1, ""},
		{"Nitro with a tag", []byte{0xd2, 0x84, 0x44, 0xa1, 1, 0x38, 0x22, 0xa0}, tee.KindNitro, 1, ""},
		{"nothing", nil, 0, 0, reason.Format},
		{"text", []byte("attestation"), 0, 0, reason.Format},
		{"zeros", make([]byte, 1184), 0, 0, reason.Format},
		{"huge", append([]byte{2}, make([]byte, tee.MaxData)...), 0, 0, reason.Format},
		{"PEM", []byte("-----BEGIN CERTIFICATE-----"), 0, 0, reason.Format},
	}
	for _, tt := range tests {
		e, err := Detect(tt.file)
		if reason.Of(err) != tt.want || (err == nil && (e.Kind != tt.kind || e.Version != tt.version)) {
			t.Errorf("%s: %+v, %v", tt.name, e, err)
		}
	}
}

func TestJudgeSNP(t *testing.T) {
	levels := sevsnp.TCB{BootLoader: 4, SNP: 23, Microcode: 213}
	m := must(sevsnptest.New(sevsnptest.Setup{TCB: levels}))
	report := must(m.Report(func(raw []byte) { raw[sevsnptest.OffsetReportData] = 7 }))
	debug := must(m.Report(func(raw []byte) { raw[sevsnptest.OffsetPolicy+2] |= sevsnptest.PolicyDebug >> 16 }))
	vlek := must(m.Report(func(raw []byte) { raw[sevsnptest.OffsetSigner] = sevsnptest.SignerVLEK }))
	certs := func(c *sevsnp.Collateral) [][]byte {
		return [][]byte{inPEM("CERTIFICATE", c.EndorsementKey), inPEM("CERTIFICATE", c.Intermediate)}
	}
	files := certs(m.Collateral())
	a5 := strings.Repeat("a5", 48)
	tests := []struct {
		name   string
		file   []byte
		files  [][]byte
		policy string
		data   []byte
		want   Verdict
		reason reason.Word
	}{
		{"as it is", report, files, "", nil, Accepted, ""},
		{"in hexadecimal", []byte(hex.EncodeToString(report)), files, "", nil, Accepted, ""},
		{"one file", report, [][]byte{bytes.Join(files, nil)}, "", nil, Accepted, ""},
		{"with the root", report, append([][]byte{inPEM("CERTIFICATE", m.Root())}, files...), "", nil, Accepted, ""},
		{"in DER", report, [][]byte{m.Collateral().EndorsementKey, m.Collateral().Intermediate}, "", nil, Accepted, ""},
		{"twice the same", report, append(slices.Clone(files), files...), "", nil, Accepted, ""},
		{"VLEK", vlek, certs(m.CollateralVLEK()), "", nil, Accepted, ""},
		{"a list in DER", report, append(slices.Clone(files), must(m.CRL(now))), `,"require_crl":true`, nil, Accepted, ""},
		{"bound", report, files, "", []byte{7}, Accepted, ""},
		{"bound to another", report, files, "", []byte{7, 1}, Refused, reason.ReportData},
		{"named", report, files, `,"accept":[{"kind":"sev-snp","measurements":["` + a5 + `"]}]`, nil, Accepted, ""},
		{"named in capitals", report, files, `,"accept":[{"kind":"sev-snp","measurements":["00",{"measurement":"0x` + strings.ToUpper(a5) + `"}]}]`, nil, Accepted, ""},
		{"another program", report, files, `,"accept":[{"kind":"sev-snp","measurements":["` + strings.Repeat("a6", 48) + `"]}]`, nil, Refused, reason.Measurement},
		{"a register too many", report, files, `,"accept":[{"kind":"sev-snp","measurements":[{"measurement":"` + a5 + `","mrtd":"00"}]}]`, nil, Refused, reason.Measurement},
		{"no program", report, files, `,"accept":[{"kind":"sev-snp","measurements":[]}]`, nil, Refused, reason.Measurement},
		{"another kind", report, files, `,"accept":[{"kind":"nitro"}]`, nil, Refused, reason.Kind},
		{"no kind", report, files, `,"accept":[]`, nil, Refused, reason.Kind},
		{"debug", debug, files, "", nil, Refused, reason.Debug},
		{"debug allowed", debug, files, `,"allow_debug":true`, nil, Accepted, ""},
		{"level reached", report, files, `,"min_tcb":{"snp":23,"microcode":213}`, nil, Accepted, ""},
		{"level not reached", report, files, `,"min_tcb":{"snp":24}`, nil, Refused, reason.Status},
		{"out of date allowed", report, files, `,"min_tcb":{"snp":24},"statuses":["UpToDate","OutOfDate"]`, nil, Accepted, ""},
		{"no status", report, files, `,"statuses":[]`, nil, Refused, reason.Status},
		{"age", report, files, `,"accept":[{"kind":"sev-snp","max_age":60}]`, nil, Refused, reason.Age},
		{"no collateral", report, nil, "", nil, Undecided, reason.Missing},
		{"intermediate alone", report, files[1:], "", nil, Undecided, reason.Missing},
		{"no list", report, files, `,"require_crl":true`, nil, Undecided, reason.Missing},
		{"other collateral", report, [][]byte{[]byte("{}")}, "", nil, Undecided, reason.Format},
		{"two keys", report, append(certs(m.CollateralVLEK()), files...), "", nil, Undecided, reason.Format},
		{"cut", report[:1183], files, "", nil, Refused, reason.Format},
		{"trailing", append(slices.Clone(report), 0), files, "", nil, Refused, reason.Trailing},
		{"garbage", []byte("no evidence at all"), files, "", nil, Undecided, reason.Format},
	}
	for _, tt := range tests {
		p := policy(t, tee.KindSEVSNP, m.Root(), tt.policy)
		r := Judge(tt.file, tt.files, p, Question{Now: now, ReportData: tt.data})
		if r.Verdict != tt.want || r.Reason != string(tt.reason) {
			t.Errorf("%s: %s (%s: %s)", tt.name, r.Verdict, r.Reason, r.Detail)
		}
	}
	if r := Judge(report, files, DefaultPolicy(), Question{Now: now}); r.Verdict != Refused || r.Reason != "chain" || len(r.Measurements) != 0 {
		t.Errorf("under AMD's roots: %+v", r)
	}
}

func TestJudgeNitro(t *testing.T) {
	a := must(nitrotest.New(now))
	document := must(a.Document(now.Add(time.Minute), []byte{7}, false))
	tests := []struct {
		name   string
		policy string
		at     time.Duration
		data   []byte
		want   Verdict
		reason reason.Word
	}{
		{"as it is", "", time.Hour, nil, Accepted, ""},
		{"bound", "", time.Hour, []byte{7}, Accepted, ""},
		{"padded", "", time.Hour, []byte{7, 0}, Refused, reason.ReportData},
		{"registers", `,"accept":[{"kind":"nitro","measurements":[{"pcr1":"` + strings.Repeat("c1", 48) + `","pcr8":"` + strings.Repeat("c8", 48) + `"}]}]`, time.Hour, nil, Accepted, ""},
		{"another PCR8", `,"accept":[{"kind":"nitro","measurements":[{"pcr1":"` + strings.Repeat("c1", 48) + `","pcr8":"` + strings.Repeat("c9", 48) + `"}]}]`, time.Hour, nil, Refused, reason.Measurement},
		{"young enough", `,"accept":[{"kind":"nitro","max_age":60}]`, 2 * time.Minute, nil, Accepted, ""},
		{"too old", `,"accept":[{"kind":"nitro","max_age":60}]`, 2*time.Minute + time.Second, nil, Refused, reason.Age},
		{"from the future", `,"accept":[{"kind":"nitro","max_age":60,"max_ahead":59}]`, 0, nil, Refused, reason.Age},
		{"a little ahead", `,"accept":[{"kind":"nitro","max_age":60,"max_ahead":60}]`, 0, nil, Accepted, ""},
		{"expired", "", 4 * time.Hour, nil, Refused, reason.Expired},
	}
	for _, tt := range tests {
		r := Judge(document, nil, policy(t, tee.KindNitro, a.Root(), tt.policy), Question{Now: now.Add(tt.at), ReportData: tt.data})
		if r.Verdict != tt.want || r.Reason != string(tt.reason) {
			t.Errorf("%s: %s (%s: %s)", tt.name, r.Verdict, r.Reason, r.Detail)
		}
	}
}

func TestJudgeQuotes(t *testing.T) {
	for _, kind := range []tee.Kind{tee.KindSGX, tee.KindTDX} {
		w := dcaptest.New(kind, map[tee.Kind]int{tee.KindSGX: 3, tee.KindTDX: 5}[kind])
		ev := must(w.Build())
		collateral := must(json.Marshal(ev.Collateral))
		p := policy(t, kind, ev.Roots[0].Raw, "")
		q := Question{Now: w.Now}
		r := Judge(ev.Quote, [][]byte{collateral}, p, q)
		if r.Verdict != Accepted || r.Kind != kind.String() || r.TCBStatus != "UpToDate" || len(r.Measurements[measurement]) < 64 {
			t.Errorf("%s: %+v", kind, r)
		}
		for name, tt := range map[string]struct {
			quote  []byte
			files  [][]byte
			policy *Policy
			want   Verdict
			reason string
		}{
			"no collateral":  {ev.Quote, nil, p, Undecided, "missing"},
			"two files":      {ev.Quote, [][]byte{collateral, collateral}, p, Undecided, "missing"},
			"other files":    {ev.Quote, [][]byte{inPEM("CERTIFICATE", ev.Roots[0].Raw)}, p, Undecided, "format"},
			"Intel's root":   {ev.Quote, [][]byte{collateral}, DefaultPolicy(), Refused, "chain"},
			"trailing":       {append(slices.Clone(ev.Quote), 1), [][]byte{collateral}, p, Refused, "trailing"},
			"evaluation":     {ev.Quote, [][]byte{collateral}, policy(t, kind, ev.Roots[0].Raw, `,"min_evaluation":99999`), Refused, "evaluation"},
			"status unasked": {ev.Quote, [][]byte{collateral}, policy(t, kind, ev.Roots[0].Raw, `,"statuses":["OutOfDate"]`), Refused, "status"},
		} {
			if r := Judge(tt.quote, tt.files, tt.policy, q); r.Verdict != tt.want || r.Reason != tt.reason {
				t.Errorf("%s, %s: %s (%s: %s)", kind, name, r.Verdict, r.Reason, r.Detail)
			}
		}
	}
}

// TestOneVocabulary checks that what a report gives as its reason is a word of package reason, whose verifier ever it is.
func TestOneVocabulary(t *testing.T) {
	for _, r := range []dcap.Refusal{
		dcap.ErrFormat, dcap.ErrTrailing, dcap.ErrChain, dcap.ErrCRL, dcap.ErrRevoked, dcap.ErrExpired, dcap.ErrNotYetValid,
		dcap.ErrSignature, dcap.ErrMismatch, dcap.ErrFMSPC, dcap.ErrPCEID, dcap.ErrEvaluation, dcap.ErrQE, dcap.ErrModule, dcap.ErrTCB,
	} {
		if word := wordOf(r); !word.Known() {
			t.Errorf("%q of %v is no word of the table", word, r)
		}
	}
	w := dcaptest.New(tee.KindTDX, 4)
	ev := must(w.Build())
	r := Judge(ev.Quote, [][]byte{must(json.Marshal(ev.Collateral))}, policy(t, tee.KindTDX, ev.Roots[0].Raw, ""), Question{Now: w.Now.AddDate(0, 0, -20)})
	if r.Reason != "expired" || !strings.Contains(r.Detail, "not yet valid") || !strings.Contains(r.Detail, "valid from") {
		t.Errorf("before it begins: %s: %s", r.Reason, r.Detail)
	}
}

// recorded is evidence of each kind as a chain takes it, under test roots, made for the report data 7.
func recorded(t *testing.T) map[tee.Kind]struct {
	ev tee.Evidence
	p  *Policy
	at time.Time
} {
	t.Helper()
	m := must(sevsnptest.New(sevsnptest.Setup{}))
	report := must(m.Report(func(raw []byte) { raw[sevsnptest.OffsetReportData] = 7 }))
	a := must(nitrotest.New(now))
	data := make([]byte, tee.ReportDataSize)
	data[0] = 7
	out := map[tee.Kind]struct {
		ev tee.Evidence
		p  *Policy
		at time.Time
	}{
		tee.KindSEVSNP: {tee.Evidence{Kind: tee.KindSEVSNP, Data: report, Collateral: scale.MustMarshal(m.Collateral())}, policy(t, tee.KindSEVSNP, m.Root(), ""), now},
		tee.KindNitro:  {tee.Evidence{Kind: tee.KindNitro, Data: must(a.Document(now, data, false))}, policy(t, tee.KindNitro, a.Root(), ""), now},
	}
	for kind, version := range map[tee.Kind]int{tee.KindSGX: 3, tee.KindTDX: 4} {
		w := dcaptest.New(kind, version)
		w.Enclave.ReportData[0], w.TD.ReportData[0] = 7, 7
		ev := must(w.Build())
		x := out[kind]
		x.ev = tee.Evidence{Kind: kind, Data: ev.Quote, Collateral: must(json.Marshal(ev.Collateral))}
		x.p, x.at = policy(t, kind, ev.Roots[0].Raw, ""), w.Now
		out[kind] = x
	}
	return out
}

// TestJudgeRecorded judges evidence as chains keep it, and the same under another kind's name, without its collateral, with
// other collateral, and damaged.
func TestJudgeRecorded(t *testing.T) {
	all := recorded(t)
	rng := rand.New(rand.NewPCG(7, 8))
	for kind, x := range all {
		q := Question{Now: x.at, ReportData: append([]byte{7}, make([]byte, 63)...)}
		if r := JudgeRecorded(x.ev, x.p, q); r.Verdict != Accepted || r.Kind != kind.String() || r.Measurement() == "" || r.Confidence != 1 {
			t.Fatalf("%s: %+v", kind, r)
		}
		if r := JudgeRecorded(x.ev, DefaultPolicy(), q); r.Verdict != Refused || r.Reason != "chain" {
			t.Errorf("%s under its maker's root: %s, %s", kind, r.Verdict, r.Reason)
		}
		if r := JudgeRecorded(x.ev, x.p, Question{Now: x.at, ReportData: []byte{8}}); r.Verdict != Refused || r.Reason != "report_data" {
			t.Errorf("%s for another: %s, %s", kind, r.Verdict, r.Reason)
		}
		for other := tee.Kind(0); other <= tee.KindTPM; other++ {
			ev := x.ev
			if ev.Kind = other; other == kind {
				continue
			}
			p := *x.p // with the kind's root for the other kind too
			if p.AllowSimulated = true; other != tee.KindSimulated {
				p.Roots = map[string]string{other.String(): x.p.Roots[kind.String()]}
			}
			if r := JudgeRecorded(ev, &p, q); r.Err() == nil || r.Reason == "" {
				t.Errorf("%s as %s: %+v", kind, other, r)
			}
		}
		for range 300 {
			ev := x.ev
			ev.Data, ev.Collateral = slices.Clone(ev.Data), slices.Clone(ev.Collateral)
			ev.Data[rng.IntN(len(ev.Data))] ^= byte(1 + rng.IntN(255))
			if r := JudgeRecorded(ev, x.p, q); r.Verdict != Refused && r.Verdict != Undecided {
				t.Fatalf("%s: a changed one is %s", kind, r.Verdict)
			}
		}
		ev := x.ev
		ev.Data = make([]byte, tee.MaxData+1)
		if r := JudgeRecorded(ev, x.p, q); r.Verdict != Undecided {
			t.Errorf("%s, huge: %s", kind, r.Verdict)
		}
		ev = x.ev
		ev.Collateral = append(slices.Clone(ev.Collateral), 1)
		if r := JudgeRecorded(ev, x.p, q); r.Verdict != Undecided || r.Reason != "format" {
			t.Errorf("%s, collateral with a byte more: %s, %s", kind, r.Verdict, r.Reason)
		}
	}
}

// TestSimulatedIsNeverAccepted shows evidence that anybody can make.
func TestSimulatedIsNeverAccepted(t *testing.T) {
	forge := func(change func(*simulated.Report)) tee.Evidence {
		key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
		seed := simulated.RootSeed()
		cert := simulated.Certificate{Machine: [32]byte(key.Public().(ed25519.PublicKey))}
		cert.Signature = [64]byte(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), cert.SignedText()))
		r := simulated.Report{Machine: cert.Machine, Measurement: [32]byte{9}, IssuedAt: uint64(now.Unix())}
		change(&r)
		r.Signature = [64]byte(ed25519.Sign(key, r.SignedText()))
		return tee.Evidence{Kind: tee.KindSimulated, Data: scale.MustMarshal(&r), Collateral: scale.MustMarshal(&cert)}
	}
	plain := forge(func(*simulated.Report) {})
	broken := plain
	broken.Data = slices.Clone(plain.Data)
	broken.Data[len(broken.Data)-1] ^= 1
	for name, tt := range map[string]struct {
		ev     tee.Evidence
		policy string
		want   Verdict
		reason reason.Word
	}{
		"by default":      {plain, `{}`, Refused, reason.Simulated},
		"named":           {plain, `{"accept":[{"kind":"simulated"}]}`, Refused, reason.Simulated},
		"allowed":         {plain, `{"allow_simulated":true}`, Simulated, ""},
		"another kind":    {plain, `{"allow_simulated":true,"accept":[{"kind":"tdx"}]}`, Refused, reason.Kind},
		"another program": {plain, `{"allow_simulated":true,"accept":[{"kind":"simulated","measurements":["08"]}]}`, Refused, reason.Measurement},
		"debug":           {forge(func(r *simulated.Report) { r.Debug = true }), `{"allow_simulated":true}`, Refused, reason.Debug},
		"signature":       {broken, `{"allow_simulated":true}`, Refused, reason.Signature},
		"chain":           {tee.Evidence{Kind: tee.KindSimulated, Data: plain.Data, Collateral: make([]byte, 97)}, `{"allow_simulated":true}`, Refused, reason.Format},
		"nothing":         {tee.Evidence{}, `{"allow_simulated":true}`, Refused, reason.Format},
	} {
		r := JudgeRecorded(tt.ev, must(ParsePolicy([]byte(tt.policy))), Question{Now: now})
		if r.Verdict != tt.want || r.Reason != string(tt.reason) || r.Confidence != 0 || (r.Err() == nil) != (tt.want == Simulated) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, err := ParsePolicy([]byte(`{"roots":{"simulated":""}}`)); !errors.Is(err, tee.ErrPolicy) {
		t.Error(err)
	}
	var b strings.Builder
	JudgeRecorded(plain, must(ParsePolicy([]byte(`{"allow_simulated":true}`))), Question{Now: now}).Text(&b)
	if strings.Contains(b.String(), "accepted") || strings.Contains(b.String(), "cannot") || !strings.Contains(b.String(), "NONE") {
		t.Error(b.String())
	}
}

func TestParsePolicy(t *testing.T) {
	for _, bad := range []string{
		``, `[]`, `{} {}`, `{"acept":[]}`, `{"accept":[{"kind":"sgx9"}]}`, `{"accept":[{"kind":"tdx"},{"kind":"tdx"}]}`,
		`{"accept":[{"kind":"tdx","measurements":["zz"]}]}`, `{"accept":[{"kind":"tdx","measurements":[""]}]}`,
		`{"accept":[{"kind":"tdx","measurements":[{}]}]}`, `{"accept":[{"kind":"tdx","measurements":[7]}]}`,
		`{"statuses":["Revoked"]}`, `{"statuses":["uptodate"]}`, `{"roots":{"tdx":"x"}}`, `{"roots":{"td":""}}`,
		`{"min_tcb":{"snp":256}}`, `{"min_tcb":{"spn":1}}`,
	} {
		if p, err := ParsePolicy([]byte(bad)); !errors.Is(err, tee.ErrPolicy) {
			t.Errorf("%s: %+v, %v", bad, p, err)
		}
	}
	p, err := ParsePolicy([]byte(`{}`))
	if err != nil || p.Accept != nil || p.takes("OutOfDate") || !p.takes("UpToDate") {
		t.Errorf("the empty policy: %+v, %v", p, err)
	}
}

// TestText checks that people are told the verdict, and no claim of evidence that does not verify.
func TestText(t *testing.T) {
	a := must(nitrotest.New(now))
	document := must(a.Document(now, []byte{7}, true))
	p := policy(t, tee.KindNitro, a.Root(), "")
	var b strings.Builder
	Judge(document, nil, p, Question{Now: now}).Text(&b)
	for _, want := range []string{"AWS Nitro Enclaves attestation document, version 1\n", "debug        ON: ", "refused (debug): "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	b.Reset()
	Judge(document, nil, DefaultPolicy(), Question{Now: now}).Text(&b)
	if strings.Contains(b.String(), "debug  ") || !strings.Contains(b.String(), "refused (chain)") {
		t.Error(b.String())
	}
}

// TestRealEvidence judges what hardware signed and, with a fixed seed, damages it.
func TestRealEvidence(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "attestation")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the samples beside the repository are absent: %v", err)
	}
	june := time.Date(2025, 6, 21, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		file, collateral string
		at               time.Time
		kind             string
		version          int
		want             Verdict
		status           string
	}{
		{"tdx-v4/quote.bin", "tdx-v4/collateral.json", june, "tdx", 4, Accepted, "UpToDate"},
		{"tdx-v4-near/quote.hex", "tdx-v4-near/collateral.json", time.Date(2025, 9, 4, 7, 41, 59, 0, time.UTC), "tdx", 4, Accepted, "UpToDate"},
		{"sgx-v3/quote.bin", "sgx-v3/collateral.json", june, "sgx-dcap-v3", 3, Refused, "ConfigurationAndSWHardeningNeeded"},
		{"sev-snp/report.bin", "sev-snp/vcek.pem", time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC), "sev-snp", 3, Accepted, "UpToDate"},
		{"nitro/document.cbor", "", time.UnixMilli(1766678659346), "nitro", 1, Accepted, "UpToDate"},
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, tt := range tests {
		file := must(os.ReadFile(filepath.Join(dir, tt.file)))
		var files [][]byte
		if tt.collateral != "" {
			files = append(files, must(os.ReadFile(filepath.Join(dir, tt.collateral))))
		}
		r := Judge(file, files, DefaultPolicy(), Question{Now: tt.at})
		if r.Verdict != tt.want || r.TCBStatus != tt.status || r.Kind != tt.kind || r.Version != tt.version {
			t.Errorf("%s: %+v", tt.file, r)
		}
		for range 200 {
			bad := slices.Clone(unhex(file))
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
			// Zeros behind a quote are not part of it, so a change of one byte is found there as trailing.
			if r := Judge(bad, files, DefaultPolicy(), Question{Now: tt.at}); r.Verdict == Accepted {
				t.Fatalf("%s: a changed one is accepted", tt.file)
			}
		}
	}
}

// FuzzJudge reads any file, collateral and policy. The seeds are no evidence that AMD, AWS or Intel signed.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x41, 0xbf, 0x40}, []byte{}, []byte(`{}`))
	f.Add([]byte{3, 0, 0, 0, 0, 0, 0, 0}, inPEM("CERTIFICATE", []byte{0x30, 0x80}), []byte(`{"accept":[{"kind":"sev-snp","measurements":["00"]}]}`))
	f.Add([]byte{4, 0, 2, 0, 0x81, 0, 0, 0}, []byte(`{"tcb_info":"{}"}`), []byte(`{"statuses":["OutOfDate"],"roots":{"tdx":""}}`))
	f.Add([]byte("0300 0200 0000 0000"), []byte{0x30, 0}, []byte(`{"min_tcb":{"snp":1}}`))
	f.Fuzz(func(t *testing.T, file, collateral, policy []byte) {
		p, err := ParsePolicy(policy)
		if err != nil {
			p = DefaultPolicy()
		}
		r := Judge(file, [][]byte{collateral}, p, Question{Now: now})
		if r.Verdict == Accepted || r.Reason == "" || r.Verdict == "" {
			t.Fatalf("%+v", r)
		}
	})
}
