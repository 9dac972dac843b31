package dcap_test

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	tdxtesting "github.com/google/go-tdx-guest/testing"
	"github.com/google/go-tdx-guest/testing/testdata"
	oracle "github.com/google/go-tdx-guest/verify"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// service answers go-tdx-guest's requests as Intel's service would, from collateral.
type service struct{ *dcap.Collateral }

func (s service) Get(address string) (map[string][]string, []byte, error) {
	header := func(name string, chain []byte) map[string][]string {
		return map[string][]string{name: {url.QueryEscape(string(chain))}}
	}
	document := func(name string, data []byte, sig [64]byte) []byte {
		return fmt.Appendf(nil, `{%q:%s,"signature":"%x"}`, name, data, sig)
	}
	switch {
	case strings.Contains(address, "/pckcrl?"):
		return header("Sgx-Pck-Crl-Issuer-Chain", s.PCKCRLChain), s.PCKCRL, nil
	case strings.Contains(address, "/tcb?fmspc="):
		return header("Tcb-Info-Issuer-Chain", s.TCBInfoChain), document("tcbInfo", s.TCBInfo, s.TCBInfoSignature), nil
	case strings.HasSuffix(address, "/qe/identity"):
		return header("Sgx-Enclave-Identity-Issuer-Chain", s.QEIdentityChain),
			document("enclaveIdentity", s.QEIdentity, s.QEIdentitySignature), nil
	case strings.HasSuffix(address, "IntelSGXRootCA.der"):
		return nil, s.RootCRL, nil
	}
	return nil, nil, fmt.Errorf("no such page: %s", address)
}

// ask returns go-tdx-guest's verdict; a panic of its is an error here.
func ask(quote []byte, c *dcap.Collateral, roots []*x509.Certificate, now time.Time) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	o := &oracle.Options{CheckRevocations: true, GetCollateral: true, Getter: service{c}, Now: now}
	if roots != nil {
		o.TrustedRoots = x509.NewCertPool()
		for _, r := range roots {
			o.TrustedRoots.AddCert(r)
		}
	}
	return oracle.RawTdxQuote(quote, o)
}

// Why the oracle and this package may disagree.
const (
	agree       = ""
	statusFails = "go-tdx-guest makes every status but UpToDate an error; here it is data"
	fmspcCase   = "go-tdx-guest compares the FMSPC as text; Intel writes it in either case"
	trailing    = "go-tdx-guest takes any bytes behind the signature; only zeros mean nothing"
	caName      = "go-tdx-guest takes the Platform CA alone in a quote"
	attrBits    = "go-tdx-guest does not ask for module attributes of zero where the mask leaves bits out, as Intel's library does"
	dateLimit   = "go-tdx-guest does not look at the dates from which lists and documents are valid"
	version5    = "go-tdx-guest does not know quote version 5"
	idCase      = "go-tdx-guest writes a TDX module's version in lower case, Intel in upper case"
	pemText     = "go-tdx-guest passes over text between certificates, which nothing signs"
	moduleID    = "go-tdx-guest judges the signer of a module of version 1 or above by the entry for version 0"
	crlNarrow   = "go-tdx-guest does not look at a list's critical extensions, which may narrow what it says"
)

// oracleCase is evidence and what is said of it here and there.
type oracleCase struct {
	name  string
	here  string // reason, "" if taken
	there bool   // taken
	why   string
	world func(*dcaptest.World)
	after func(*dcaptest.Evidence)
}

var oracleCases = []oracleCase{{"all is well", "", true, agree, nil, nil},
	{"zeros behind", "", true, agree, func(w *dcaptest.World) { w.Padding = 100 }, nil},
	{"something behind", "trailing", true, trailing, nil, func(ev *dcaptest.Evidence) { ev.Quote = append(ev.Quote, 1) }},
	{"FMSPC in upper case", "", false, fmspcCase, func(w *dcaptest.World) { w.TCBInfo.FMSPC = strings.ToUpper(w.TCBInfo.FMSPC) }, nil},
	{"Processor CA", "", false, caName, func(w *dcaptest.World) { w.Processor = true }, nil},
	{"version 5", "", false, version5, func(w *dcaptest.World) { w.Version = 5 }, nil},
	{"platform out of date", "", false, statusFails, func(w *dcaptest.World) { w.Components[0]-- }, nil},
	{"hardening needed", "", false, statusFails, func(w *dcaptest.World) { w.TCBInfo.Levels[0].Status = "SWHardeningNeeded" }, nil},
	{"platform revoked", "", false, statusFails, func(w *dcaptest.World) { w.TCBInfo.Levels[0].Status = "Revoked" }, nil},
	{"QE out of date", "", false, statusFails, func(w *dcaptest.World) { w.QE.ISVSVN = 6 }, nil},
	{"module out of date", "", false, statusFails, func(w *dcaptest.World) { w.TD.TEETCBSVN[0] = 3 }, nil},
	{"module of version 10", "", false, idCase, func(w *dcaptest.World) {
		w.TD.TEETCBSVN[1], w.TCBInfo.Modules[0].ID = 10, "TDX_0A"
	}, nil},
	{"module of another signer, which the version 0 entry names", "module", true, moduleID, func(w *dcaptest.World) {
		w.TD.MRSIGNERSEAM[0] = 1
		w.TCBInfo.Module.MRSIGNER = "01" + w.TCBInfo.Module.MRSIGNER[2:]
	}, nil},
	{"module attribute that the mask leaves out", "module", true, attrBits, func(w *dcaptest.World) {
		w.TD.SEAMAttributes[0] = 1
		w.TCBInfo.Module.AttributesMask, w.TCBInfo.Modules[0].AttributesMask = "FEFFFFFFFFFFFFFF", "FEFFFFFFFFFFFFFF"
	}, nil},
	{"PCK revoked", "revoked", false, agree, revoke(dcaptest.PCK), nil},
	{"PCK CA revoked", "revoked", false, agree, revoke(dcaptest.PlatformCA), nil},
	{"TCB signing revoked", "revoked", false, agree, revoke(dcaptest.TCBSigning), nil},
	{"PCK ended", "expired", false, agree, certificate(dcaptest.PCK, ended), nil},
	{"TCB info ended", "expired", false, agree, func(w *dcaptest.World) { w.TCBInfo.NextUpdate = w.Now.Add(-time.Hour) }, nil},
	{"TCB info not begun", "not yet valid", true, dateLimit, func(w *dcaptest.World) { w.TCBInfo.IssueDate = w.Now.Add(time.Hour) }, nil},
	{"QE identity ended", "expired", false, agree, func(w *dcaptest.World) { w.QEIdentity.NextUpdate = w.Now.Add(-time.Hour) }, nil},
	{"QE identity not begun", "not yet valid", true, dateLimit, func(w *dcaptest.World) { w.QEIdentity.IssueDate = w.Now.Add(time.Hour) }, nil},
	{"PCK CRL ended", "expired", false, agree, list(dcaptest.PlatformCA, func(w *dcaptest.World, l *x509.RevocationList) {
		l.NextUpdate = w.Now.Add(-time.Hour)
	}), nil},
	{"PCK CRL not begun", "not yet valid", true, dateLimit, list(dcaptest.PlatformCA, func(w *dcaptest.World, l *x509.RevocationList) {
		l.ThisUpdate = w.Now.Add(time.Hour)
	}), nil},
	{"PCK CRL narrowed", "crl", true, crlNarrow, list(dcaptest.PlatformCA, func(_ *dcaptest.World, l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, critical)
	}), nil},
	{"another PCEID", "pceid", false, agree, func(w *dcaptest.World) { w.TCBInfo.PCEID = "0001" }, nil},
	{"another FMSPC", "fmspc", false, agree, func(w *dcaptest.World) { w.TCBInfo.FMSPC = "00a06d08cc11" }, nil},
	{"QE of another signer", "qe", false, agree, func(w *dcaptest.World) { w.QE.MRSIGNER[0] ^= 1 }, nil},
	{"platform below every level", "tcb", false, agree, func(w *dcaptest.World) { w.PCESVN = 1 }, nil},
	{"unknown module", "module", false, agree, func(w *dcaptest.World) { w.TD.TEETCBSVN[1] = 3 }, nil},
	{"TCB info signature", "signature", false, agree, nil, func(ev *dcaptest.Evidence) { ev.Collateral.TCBInfoSignature[0] ^= 1 }},
	{"quote signature", "signature", false, agree, nil, func(ev *dcaptest.Evidence) { ev.Quote[640] ^= 1 }},
	{"report data", "signature", false, agree, nil, func(ev *dcaptest.Evidence) { ev.Quote[600] ^= 1 }},
	{"untrusted root", "chain", false, agree, nil, func(ev *dcaptest.Evidence) { ev.Roots = nil }},
	{"text before a certificate", "format", true, pemText, nil, func(ev *dcaptest.Evidence) {
		ev.Collateral.TCBInfoChain = append([]byte("hello\n"), ev.Collateral.TCBInfoChain...)
	}},
}

// TestOracle shows go-tdx-guest the same evidence. Where the two disagree, the table says why.
func TestOracle(t *testing.T) {
	for _, c := range oracleCases {
		t.Run(c.name, func(t *testing.T) {
			w := dcaptest.New(tee.KindTDX, 4)
			w.TCBInfo.FMSPC = hex.EncodeToString(w.FMSPC[:])
			if c.world != nil {
				c.world(w)
			}
			ev := build(t, w)
			if c.after != nil {
				c.after(ev)
			}
			_, here := verify(t, w, ev)
			there := ask(ev.Quote, ev.Collateral, ev.Roots, w.Now)
			if dcap.Reason(here) != c.here || (there == nil) != c.there {
				t.Errorf("here: %v\nthere: %v", here, there)
			}
			if disagree := (here == nil) != (there == nil); disagree != (c.why != agree) {
				t.Errorf("disagree: %v, but the table says %q", disagree, c.why)
			}
		})
	}
}

// oracleEvidence returns the quote and collateral in go-tdx-guest's testdata.
func oracleEvidence(tb testing.TB) (quote []byte, c *dcap.Collateral, now time.Time) {
	tb.Helper()
	page := func(name string) ([]byte, map[string][]string) {
		for address, r := range tdxtesting.TestGetter.Responses {
			if strings.Contains(address, name) {
				return r.Body, r.Header
			}
		}
		tb.Fatalf("no page %s", name)
		return nil, nil
	}
	chain := func(header map[string][]string) []byte {
		for _, v := range header {
			text, err := url.QueryUnescape(v[0])
			if err != nil {
				tb.Fatal(err)
			}
			return []byte(text)
		}
		return nil
	}
	c = new(dcap.Collateral)
	var header map[string][]string
	c.RootCRL, _ = page("IntelSGXRootCA")
	c.PCKCRL, header = page("pckcrl")
	c.PCKCRLChain = chain(header)
	var signed struct {
		TCBInfo         json.RawMessage `json:"tcbInfo"`
		EnclaveIdentity json.RawMessage `json:"enclaveIdentity"`
		Signature       string          `json:"signature"`
	}
	read := func(name string, sig *[64]byte) []byte {
		var body []byte
		body, header = page(name)
		if err := json.Unmarshal(body, &signed); err != nil {
			tb.Fatal(err)
		}
		if _, err := hex.Decode(sig[:], []byte(signed.Signature)); err != nil {
			tb.Fatal(err)
		}
		return chain(header)
	}
	c.TCBInfoChain = read("/tcb?", &c.TCBInfoSignature)
	c.TCBInfo = signed.TCBInfo
	c.QEIdentityChain = read("/qe/identity", &c.QEIdentitySignature)
	c.QEIdentity = signed.EnclaveIdentity
	return bytes.Clone(testdata.RawQuote), c, time.Date(2023, 7, 1, 1, 0, 0, 0, time.UTC)
}

// TestOracleEvidence takes real evidence that needs no recording. Its platform lies below every level of the TCB info
// beside it, as its authors know, which is the last thing that is looked at: so "tcb" says that all the rest holds. A
// line of text is behind the quote, also of theirs.
func TestOracleEvidence(t *testing.T) {
	quote, c, now := oracleEvidence(t)
	refused := func(q []byte, at time.Time, want dcap.Refusal) {
		t.Helper()
		if r, err := dcap.Verify(q, c, dcap.Options{Now: at}); r != nil || !errors.Is(err, want) {
			t.Errorf("at %s: %v, want %q", at, err, want)
		}
	}
	refused(quote, now, dcap.ErrTrailing)
	text := bytes.Index(quote, []byte("\nextra bytes"))
	if text < 0 {
		t.Fatal("no text behind the quote")
	}
	quote = quote[:text]
	refused(quote, now, dcap.ErrTCB)
	refused(append(bytes.Clone(quote), 0, 0, 0), now, dcap.ErrTCB)
	if err := ask(quote, c, nil, now); err == nil || !strings.Contains(err.Error(), "no matching TCB level") {
		t.Errorf("the oracle: %v", err)
	}
	refused(quote, now.AddDate(0, 1, 0), dcap.ErrExpired)
	refused(quote, now.AddDate(0, -1, 0), dcap.ErrNotYetValid)
	refused(quote, time.Time{}, dcap.ErrNotYetValid)
	for at := 0; at < len(quote); at += 29 {
		changed := bytes.Clone(quote)
		changed[at] ^= 0x10
		_, err := dcap.Verify(changed, c, dcap.Options{Now: now})
		if reason := dcap.Reason(err); reason == "" || reason == "tcb" {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

// TestOracleOnRecordings: the recordings are genuine for both, but for the case of an FMSPC.
func TestOracleOnRecordings(t *testing.T) {
	for _, r := range recordings {
		if r.name == "sgx-v3" {
			continue // go-tdx-guest reads no SGX
		}
		t.Run(r.name, func(t *testing.T) {
			quote, text := r.load(t)
			c, err := dcap.ParseCollateral(text)
			if err != nil {
				t.Fatal(err)
			}
			there := ask(quote, c, nil, r.now)
			upper := bytes.Contains(c.TCBInfo, []byte(strings.ToUpper(r.fmspc))) && strings.ToUpper(r.fmspc) != r.fmspc
			if upper != (there != nil) {
				t.Errorf("FMSPC in upper case: %v, the oracle: %v", upper, there)
			}
		})
	}
}
