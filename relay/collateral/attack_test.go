package collateral_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// replace serves one path by another handler, and the rest as before.
func replace(inner http.Handler, path string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, path) {
			h(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// edited serves a path's answer after a change.
func edited(inner http.Handler, path string, edit func(header http.Header, body []byte) []byte) http.Handler {
	return replace(inner, path, func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		body := edit(rec.Header(), rec.Body.Bytes())
		for name, v := range rec.Header() {
			w.Header()[name] = v
		}
		_, _ = w.Write(body)
	})
}

const chainHeader = "Tcb-Info-Issuer-Chain"

// TestHostileServer has a service answer in every way that it should not.
func TestHostileServer(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	ev, _, s := world(t, w)
	good := *s.handler.Load()
	another := dcaptest.New(tee.KindTDX, 4)
	another.FMSPC[0]++
	another.TCBInfo.FMSPC = "01A06D08CC10"
	otherEvidence := must[*dcaptest.Evidence](t)(another.Build())
	other := must[http.Handler](t)(dcaptest.Handler(otherEvidence.Quote, otherEvidence.Collateral))
	elsewhere := serve(t, good)

	tests := map[string]struct {
		handler http.Handler
		want    error
		text    string
	}{
		"endless body": {replace(good, "/tcb", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(chainHeader, "x")
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
					return
				}
			}
		}), collateral.ErrAnswer, "over 98304 bytes"},
		"drips": {replace(good, "/tcb", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}), collateral.ErrUnavailable, "/tcb"},
		"says nothing": {replace(good, "/tcb", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), collateral.ErrUnavailable, "/tcb"},
		"closes":       {replace(good, "/tcb", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), collateral.ErrUnavailable, "/tcb"},
		"redirects": {replace(good, "/tcb", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.String(), http.StatusFound)
		}), collateral.ErrAnswer, "redirect"},
		"huge header": {edited(good, "/tcb", func(h http.Header, b []byte) []byte {
			h.Set(chainHeader, strings.Repeat("A", 128<<10))
			return b
		}), collateral.ErrUnavailable, "/tcb"},
		"long chain": {edited(good, "/tcb", func(h http.Header, b []byte) []byte {
			h.Set(chainHeader, strings.Repeat("A", 40<<10))
			return b
		}), collateral.ErrAnswer, "over 32768 bytes"},
		"no chain":              {edited(good, "/tcb", func(h http.Header, b []byte) []byte { h.Del(chainHeader); return b }), collateral.ErrAnswer, "no header TCB-Info-Issuer-Chain"},
		"chain escaped wrongly": {edited(good, "/tcb", func(h http.Header, b []byte) []byte { h.Set(chainHeader, "%zz"); return b }), collateral.ErrAnswer, "escaped"},
		"chain of one": {edited(good, "/tcb", func(h http.Header, b []byte) []byte {
			v := h.Get(chainHeader)
			h.Set(chainHeader, v[:strings.Index(v, "-----END")+len("-----END%20CERTIFICATE-----")])
			return b
		}), collateral.ErrAnswer, "2 certificates"},
		"web page": {edited(good, "/tcb", func(http.Header, []byte) []byte { return []byte("<html>") }), collateral.ErrAnswer, "no JSON"},
		"another FMSPC": {replace(good, "/tcb", func(w http.ResponseWriter, r *http.Request) {
			r.URL.RawQuery = "fmspc=01A06D08CC10"
			other.ServeHTTP(w, r)
		}), collateral.ErrAnswer, "FMSPC"},
		"QE identity for TCB info": {edited(good, "/tcb", func(_ http.Header, b []byte) []byte {
			return bytes.Replace(b, []byte(`"tcbInfo"`), []byte(`"enclaveIdentity"`), 1)
		}), collateral.ErrAnswer, "tcbInfo"},
		"other technology": {edited(good, "/qe/identity", func(_ http.Header, b []byte) []byte {
			return bytes.Replace(b, []byte(`"TD_QE"`), []byte(`"QE"`), 1)
		}), collateral.ErrAnswer, "TD_QE"},
		"short signature": {edited(good, "/qe/identity", func(_ http.Header, b []byte) []byte {
			return append(b[:len(b)-4], `"}`...)
		}), collateral.ErrAnswer, "signature"},
		"empty list":   {edited(good, "/pckcrl", func(http.Header, []byte) []byte { return nil }), collateral.ErrAnswer, "revocation list"},
		"not known":    {replace(good, "/tcb", http.NotFound), collateral.ErrAnswer, "FMSPC 00a06d08cc10"},
		"not allowed":  {replace(good, "/tcb", status(http.StatusUnauthorized, "")), collateral.ErrAnswer, "401"},
		"out of order": {replace(good, "/tcb", status(http.StatusBadGateway, "")), collateral.ErrUnavailable, "502"},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			s.set(x.handler)
			c := &clock{w.Now}
			src := source(t, s, c, func(c *collateral.Config) { c.Timeout = 300 * time.Millisecond })
			out, _, err := src.Complete(t.Context(), ev)
			if !errors.Is(err, x.want) || !strings.Contains(err.Error(), x.text) {
				t.Errorf("%v; want %v with %q", err, x.want, x.text)
			}
			if err != nil && strings.Contains(err.Error(), "fmspc=") {
				t.Errorf("the query is in the error: %v", err)
			}
			if len(out.Collateral) != 0 {
				t.Error("collateral in spite of the error")
			}
			if src.Stats().Failures == 0 {
				t.Error("no failure was counted")
			}
		})
	}
	if elsewhere.requests.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func status(code int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	}
}

// TestSwappedLists has each list in the other's place.
func TestSwappedLists(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	built := must[*dcaptest.Evidence](t)(w.Build())
	c := *built.Collateral
	c.RootCRL, c.PCKCRL = c.PCKCRL, c.RootCRL
	s := serve(t, must[http.Handler](t)(dcaptest.Handler(built.Quote, &c)))
	_, _, err := source(t, s, &clock{w.Now}, nil).Complete(t.Context(), tee.Evidence{Kind: w.Kind, Data: built.Quote})
	if !errors.Is(err, collateral.ErrAnswer) || !strings.Contains(err.Error(), "list of") {
		t.Error(err)
	}
}

// TestStale refuses what has ended, and what begins only after this machine's time.
func TestStale(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	ev, _, s := world(t, w)
	for _, at := range []time.Time{w.Now.Add(31 * 24 * time.Hour), w.Now.Add(-48 * time.Hour)} {
		_, _, err := source(t, s, &clock{at}, nil).Complete(t.Context(), ev)
		if !errors.Is(err, collateral.ErrStale) {
			t.Errorf("at %s: %v", at, err)
		}
	}
}

// TestRateLimit keeps to Retry-After: within a request where it is short, between completions where it is long.
func TestRateLimit(t *testing.T) {
	c := &clock{snpNow}
	ev, m, s := machine(t, sevsnptest.Setup{}, c, nil)
	good := *s.handler.Load()
	limited := 0
	s.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if limited++; limited == 1 {
			status(http.StatusTooManyRequests, "10")(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}))
	src := source(t, s, c, nil)
	if _, _, err := src.Complete(t.Context(), ev); err != nil || c.at.Sub(snpNow) != 10*time.Second {
		t.Fatalf("%v after %s", err, c.at.Sub(snpNow))
	}

	src = source(t, s, c, nil)
	s.set(status(http.StatusServiceUnavailable, "99999999"))
	s.requests.Store(0)
	for range 20 {
		if _, _, err := src.Complete(t.Context(), ev); !errors.Is(err, collateral.ErrUnavailable) {
			t.Fatal(err)
		}
		c.at = c.at.Add(time.Minute)
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests in 20 minutes to a service that wants to be left alone", n)
	}
	s.set(good)
	c.at = c.at.Add(time.Hour) // more is not granted
	out, _, err := src.Complete(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	verifySNP(t, out, m, c.at)
}

// TestRetries asks again at growing intervals, and no more than three times.
func TestRetries(t *testing.T) {
	c := &clock{snpNow}
	ev, _, s := machine(t, sevsnptest.Setup{}, c, nil)
	s.set(status(http.StatusInternalServerError, ""))
	if _, _, err := source(t, s, c, nil).Complete(t.Context(), ev); !errors.Is(err, collateral.ErrUnavailable) {
		t.Fatal(err)
	}
	if s.requests.Load() != 3 || c.at.Sub(snpNow) != 3*time.Second {
		t.Errorf("%d requests in %s", s.requests.Load(), c.at.Sub(snpNow))
	}
}

// TestCancelled ends a request with its context.
func TestCancelled(t *testing.T) {
	c := &clock{snpNow}
	ev, _, s := machine(t, sevsnptest.Setup{}, c, nil)
	ctx, cancel := context.WithCancel(t.Context())
	s.set(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	if _, _, err := source(t, s, c, nil).Complete(ctx, ev); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestBadEvidence asks nobody about what cannot be read.
func TestBadEvidence(t *testing.T) {
	c := &clock{snpNow}
	report, _, s := machine(t, sevsnptest.Setup{}, c, nil)
	quote, _, _ := world(t, dcaptest.New(tee.KindTDX, 4))
	for name, ev := range map[string]tee.Evidence{
		"empty quote": {Kind: tee.KindTDX}, "empty report": {Kind: tee.KindSEVSNP},
		"quote of the other kind": {Kind: tee.KindSGX, Data: quote.Data},
		"report for a quote":      {Kind: tee.KindTDX, Data: report.Data},
		"brought rubbish":         {Kind: tee.KindSEVSNP, Data: report.Data, Collateral: []byte{1, 2, 3}},
	} {
		if _, _, err := source(t, s, c, nil).Complete(t.Context(), ev); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s.requests.Load() != 0 {
		t.Errorf("%d requests", s.requests.Load())
	}
}

// TestBaseURLs takes https, and http on this machine only.
func TestBaseURLs(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://pccs.example.org:8081": true, "https://cache.example.org/intel/": true, "http://127.0.0.1:8081": true,
		"http://localhost:1": true, "http://[::1]:1": true,
		"http://pccs.example.org": false, "http://127.0.0.1.example.org": false, "ftp://x": false, "pccs.example.org": false,
		"https://": false, "https://user:secret@pccs.example.org": false, "https://x/?a=b": false, "http://127.0.0.1:x": false,
	} {
		_, err := collateral.New(collateral.Config{Intel: url})
		if (err == nil) != ok || err != nil && (!errors.Is(err, collateral.ErrConfig) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := collateral.New(collateral.Config{Update: "late"}); !errors.Is(err, collateral.ErrConfig) {
		t.Error(err)
	}
}

// quiet is for what a server says of clients that refuse it.
var quiet = log.New(io.Discard, "", 0)

// TestOwnAuthority speaks to a PCCS that has signed its own certificate if that is given, and not else.
func TestOwnAuthority(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	built := must[*dcaptest.Evidence](t)(w.Build())
	server := httptest.NewUnstartedServer(must[http.Handler](t)(dcaptest.Handler(built.Quote, built.Collateral)))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for _, authorities := range []*x509.CertPool{nil, pool} {
		c := &clock{w.Now}
		src := source(t, &service{Server: server}, c, func(c *collateral.Config) { c.Authorities = authorities })
		_, _, err := src.Complete(t.Context(), tee.Evidence{Kind: w.Kind, Data: built.Quote})
		if authorities == nil && (!errors.Is(err, collateral.ErrUnavailable) || !strings.Contains(err.Error(), "--collateral-ca")) {
			t.Error(err)
		}
		if authorities != nil && err != nil {
			t.Error(err)
		}
	}
	// The test server's certificate is for 127.0.0.1 and example.com: trusted, but not of this host.
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	src := source(t, &service{Server: server}, &clock{w.Now}, func(c *collateral.Config) {
		c.Intel, c.Authorities = named, pool
	})
	_, _, err := src.Complete(t.Context(), tee.Evidence{Kind: w.Kind, Data: built.Quote})
	if !errors.Is(err, collateral.ErrUnavailable) || !strings.Contains(err.Error(), "subject alternative names") ||
		strings.Contains(err.Error(), "--collateral-ca") {
		t.Error(err)
	}
}

// TestAddressOfIntelsClients takes a PCCS's address as Intel's clients have it in their configuration.
func TestAddressOfIntelsClients(t *testing.T) {
	w := dcaptest.New(tee.KindSGX, 3)
	built := must[*dcaptest.Evidence](t)(w.Build())
	s := serve(t, must[http.Handler](t)(dcaptest.Handler(built.Quote, built.Collateral)))
	for _, end := range []string{"", "/", "/sgx/certification/v4", "/sgx/certification/v4/"} {
		src := source(t, s, &clock{w.Now}, func(c *collateral.Config) { c.Intel = s.URL + end })
		ev, _, err := src.Complete(t.Context(), tee.Evidence{Kind: w.Kind, Data: built.Quote})
		if err != nil {
			t.Errorf("%q: %v", end, err)
			continue
		}
		c := must[*dcap.Collateral](t)(dcap.ParseCollateral(ev.Collateral))
		if _, err := dcap.Verify(ev.Data, c, dcap.Options{Now: w.Now, Roots: built.Roots}); err != nil {
			t.Errorf("%q: %v", end, err)
		}
	}
}
