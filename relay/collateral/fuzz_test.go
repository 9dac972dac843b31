package collateral

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// seeds returns a TCB info as a service gives it, the header with its chain, and a list.
func seeds(tb testing.TB) (body []byte, chain string, crl []byte) {
	tb.Helper()
	w := dcaptest.New(tee.KindTDX, 4)
	ev, err := w.Build()
	if err != nil {
		tb.Fatal(err)
	}
	h, err := dcaptest.Handler(ev.Quote, ev.Collateral)
	if err != nil {
		tb.Fatal(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/tdx/certification/v4/tcb?fmspc=00A06D08CC10", nil))
	return rec.Body.Bytes(), rec.Header().Get(chainsTCB[0]), ev.Collateral.RootCRL
}

func FuzzSplitSigned(f *testing.F) {
	body, chain, _ := seeds(f)
	f.Add(body)
	for _, s := range []string{
		"", "{}", "[]", `{"tcbInfo":{},"signature":""}`, `{"tcbInfo": { "a" : 1 } , "signature":"00"}`, `{"tcbInfo":{},"tcbInfo":{}}`,
		`{"TCBInfo":{}}`, `{"tcbInfo":[],"signature":"` + string(bytes.Repeat([]byte("0"), 128)) + `"}`, `{"tcbInfo":{"a":{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		object, _, err := splitSigned(body, "tcbInfo")
		if err == nil && (!bytes.Contains(body, object) || !json.Valid(object) || object[0] != '{') {
			t.Errorf("%q is not the object as it stands in %q", object, body)
		}
		d, err := parseSigned("tcbInfo", "TDX", "00a06d08cc10")(answer{body, []byte(chain)})
		if err == nil && (!bytes.Contains(body, d.body) || !d.ends.After(d.begins)) {
			t.Errorf("%+v", d)
		}
	})
}

func FuzzParseChain(f *testing.F) {
	_, chain, _ := seeds(f)
	f.Add([]byte(chain))
	for _, s := range []string{"", "%", "%0", "-----BEGIN+CERTIFICATE-----", "-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		chain, ends, err := parseChain(header)
		if err != nil {
			return
		}
		rest, n := chain, 0
		for len(rest) > 0 {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				t.Fatalf("not PEM: %q", chain)
			}
			n++
		}
		if n != chainLength || ends.IsZero() {
			t.Errorf("%d certificates until %s", n, ends)
		}
	})
}

func FuzzParseCRL(f *testing.F) {
	_, _, crl := seeds(f)
	f.Add(crl)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl}))
	f.Add([]byte("3082"))
	f.Add([]byte("-----BEGIN X509 CRL-----"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseCRLAnswer("Intel SGX Root CA", maxCRL, false)(answer{body: body})
		if err == nil && (len(d.body) > maxCRL || !d.ends.After(d.begins)) {
			t.Errorf("%d bytes, from %s until %s", len(d.body), d.begins, d.ends)
		}
	})
}

func FuzzCacheFile(f *testing.F) {
	body, chain, _ := seeds(f)
	f.Add(scale.MustMarshal(&entry{fileVersion, "https://example.org/", 1, answer{body, []byte(chain)}}))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e entry
		if scale.Unmarshal(raw, &e) != nil {
			return
		}
		if again := scale.MustMarshal(&e); !bytes.Equal(again, raw) {
			t.Errorf("%x is another spelling of %x", raw, again)
		}
	})
}

// TestSignedByteForByte keeps white space and order of what was signed.
func TestSignedByteForByte(t *testing.T) {
	signature := string(bytes.Repeat([]byte("ab"), 64))
	for _, object := range []string{`{}`, `{ "b" : 1,	"a":[ ] }`, "{\n\"a\": \"<&>\\u00e9\" }"} {
		got, sig, err := splitSigned([]byte("{ \"x\":null, \"signature\" : \""+signature+"\",\n \"tcbInfo\":  "+object+"  }\n"), "tcbInfo")
		if err != nil || string(got) != object || sig[0] != 0xab || sig[63] != 0xab {
			t.Errorf("%q became %q: %v", object, got, err)
		}
	}
}

// TestSpellingsOfChain reads the spellings that services write.
func TestSpellingsOfChain(t *testing.T) {
	_, chain, _ := seeds(t)
	want, _, err := parseChain([]byte(chain))
	if err != nil {
		t.Fatal(err)
	}
	plain := string(want)
	for name, s := range map[string]string{
		"not escaped":       plain,
		"as in forms":       url.QueryEscape(plain),
		"carriage returns":  string(bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n"))),
		"zero at its end":   plain + "\x00",
		"line feeds at end": plain + "\n\n",
	} {
		got, _, err := parseChain([]byte(s))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]string{"third certificate": plain + plain, "text behind": plain + "x", "too long": plain + string(make([]byte, maxChainHeader))} {
		if _, _, err := parseChain([]byte(s)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSpellingsOfList reads DER, hexadecimal in both cases, and PEM.
func TestSpellingsOfList(t *testing.T) {
	_, _, crl := seeds(t)
	for name, body := range map[string][]byte{
		"DER": crl, "lower": []byte(hex.EncodeToString(crl)), "upper": []byte(strings.ToUpper(hex.EncodeToString(crl)) + "\n"),
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl}),
	} {
		d, err := parseCRLAnswer("Intel SGX Root CA", maxCRL, false)(answer{body: body})
		if err != nil || !bytes.Equal(d.body, crl) || d.number != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseCRLAnswer("Intel SGX Root CA", len(crl)-1, false)(answer{body: crl}); err == nil {
		t.Error("a list over the bound is taken")
	}
}
