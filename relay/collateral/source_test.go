package collateral_test

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// clock is a test's time. Waiting moves it.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.at = c.at.Add(d)
	return ctx.Err()
}

// service is an HTTP server whose handler a test may change, and counts.
type service struct {
	*httptest.Server
	handler  atomic.Pointer[http.Handler]
	requests atomic.Int64
}

func serve(t *testing.T, h http.Handler) *service {
	t.Helper()
	s := &service{}
	s.set(h)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		(*s.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) set(h http.Handler) { s.handler.Store(&h) }

// source returns one that asks the service alone, at the clock's time.
func source(t *testing.T, s *service, c *clock, edit func(*collateral.Config)) *collateral.Source {
	t.Helper()
	cfg := collateral.Config{
		Intel: s.URL, AMD: s.URL, Now: c.now, Wait: c.wait, Timeout: 5 * time.Second,
		Interval: func(n int) time.Duration { return time.Duration(n) * time.Second },
	}
	if edit != nil {
		edit(&cfg)
	}
	out, err := collateral.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// recording returns recorded evidence, or skips the test.
func recording(t *testing.T, name string) (tee.Evidence, *dcap.Collateral) {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "attestation", name)
	quote, err := os.ReadFile(filepath.Join(dir, "quote.bin"))
	if errors.Is(err, fs.ErrNotExist) {
		var text []byte
		if text, err = os.ReadFile(filepath.Join(dir, "quote.hex")); err == nil {
			quote, err = hex.DecodeString(strings.TrimSpace(string(text)))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("recorded evidence is absent: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := must[*dcap.Collateral](t)(dcap.ParseCollateral(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "collateral.json")))))
	return tee.Evidence{Kind: must[dcap.Lookup](t)(dcap.LookupOf(quote)).Kind, Data: quote}, c
}

// TestRecorded completes what real hardware has signed from a server that serves what Intel published.
func TestRecorded(t *testing.T) {
	for name, at := range map[string]time.Time{
		"sgx-v3":      time.Date(2025, 6, 21, 0, 0, 0, 0, time.UTC),
		"tdx-v4":      time.Date(2025, 6, 21, 0, 0, 0, 0, time.UTC),
		"tdx-v4-near": time.Date(2025, 9, 4, 7, 41, 59, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			ev, recorded := recording(t, name)
			s := serve(t, must[http.Handler](t)(dcaptest.Handler(ev.Data, recorded)))
			src := source(t, s, &clock{at}, func(c *collateral.Config) {
				if name == "sgx-v3" {
					c.RootCRL = s.URL + "/IntelSGXRootCA.der"
				}
			})
			out, expiry, err := src.Complete(t.Context(), ev)
			if err != nil {
				t.Fatal(err)
			}
			c := must[*dcap.Collateral](t)(dcap.ParseCollateral(out.Collateral))
			res := must[*dcap.Result](t)(dcap.Verify(out.Data, c, dcap.Options{Now: at}))
			if !expiry.Until.Equal(res.Expires) || expiry.Evaluation != 17 {
				t.Errorf("until %s of evaluation %d, the verifier says %s", expiry.Until, expiry.Evaluation, res.Expires)
			}
			if !expiry.Renew.After(at) || !expiry.Renew.Before(expiry.Until) {
				t.Errorf("it is to be renewed at %s, it is %s and it ends at %s", expiry.Renew, at, expiry.Until)
			}
			if st := src.Stats(); st.Fetches != 4 || st.Failures != 0 || s.requests.Load() != 4 {
				t.Errorf("%+v, %d requests", st, s.requests.Load())
			}
		})
	}
}

// world is a synthetic quote and the service that has its collateral.
func world(t *testing.T, w *dcaptest.World) (tee.Evidence, []*x509.Certificate, *service) {
	t.Helper()
	ev := must[*dcaptest.Evidence](t)(w.Build())
	s := serve(t, must[http.Handler](t)(dcaptest.Handler(ev.Quote, ev.Collateral)))
	return tee.Evidence{Kind: w.Kind, Data: ev.Quote}, ev.Roots, s
}

func TestSynthetic(t *testing.T) {
	for _, kind := range []struct {
		kind    tee.Kind
		version int
	}{{tee.KindSGX, 3}, {tee.KindTDX, 4}, {tee.KindTDX, 5}} {
		for _, processor := range []bool{false, true} {
			w := dcaptest.New(kind.kind, kind.version)
			w.Processor = processor
			ev, roots, s := world(t, w)
			out, _, err := source(t, s, &clock{w.Now}, nil).Complete(t.Context(), ev)
			if err != nil {
				t.Fatal(err)
			}
			c := must[*dcap.Collateral](t)(dcap.ParseCollateral(out.Collateral))
			if _, err := dcap.Verify(out.Data, c, dcap.Options{Now: w.Now, Roots: roots}); err != nil {
				t.Errorf("%s %d, processor CA %v: %v", kind.kind, kind.version, processor, err)
			}
		}
	}
}

var snpNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// machine is a synthetic chip and the service that has its certificates.
func machine(t *testing.T, setup sevsnptest.Setup, c *clock, edit func([]byte)) (tee.Evidence, *sevsnptest.Machine, *service) {
	t.Helper()
	setup.TCB = sevsnp.TCB{BootLoader: 3, TEE: 1, SNP: 8, Microcode: 115}
	setup.ChipID = [sevsnp.ChipIDSize]byte{7, 7, 1}
	m := must[*sevsnptest.Machine](t)(sevsnptest.New(setup))
	report := must[[]byte](t)(m.Report(edit))
	return tee.Evidence{Kind: tee.KindSEVSNP, Data: report}, m, serve(t, sevsnptest.Handler(m, c.now))
}

func verifySNP(t *testing.T, ev tee.Evidence, m *sevsnptest.Machine, now time.Time) tee.Claims {
	t.Helper()
	roots := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: [][]byte{m.Root()}}}}
	return must[tee.Claims](t)(sevsnp.Verifier{}.Verify(ev, roots, now))
}

func TestSNP(t *testing.T) {
	version2 := func(raw []byte) {
		raw[sevsnptest.OffsetVersion] = 2
		clear(raw[sevsnptest.OffsetCPU:][:3])
	}
	for name, x := range map[string]struct {
		product  string
		edit     func([]byte)
		requests int64
	}{
		"Milan": {"", nil, 3}, "Genoa": {"Genoa-B1", nil, 3},
		"Milan, version 2": {"", version2, 3}, "Genoa, version 2": {"Genoa-B1", version2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{snpNow}
			ev, m, s := machine(t, sevsnptest.Setup{Product: x.product}, c, x.edit)
			out, expiry, err := source(t, s, c, nil).Complete(t.Context(), ev)
			if err != nil {
				t.Fatal(err)
			}
			claims := verifySNP(t, out, m, c.at)
			if !claims.CRLChecked || claims.Expires != expiry.Until.Unix() || s.requests.Load() != x.requests {
				t.Errorf("list %v, ends %d and %d, %d requests", claims.CRLChecked, claims.Expires, expiry.Until.Unix(), s.requests.Load())
			}
		})
	}
}

// TestBrought keeps what the host has given the guest: a provider's key is nowhere else to be had.
func TestBrought(t *testing.T) {
	c := &clock{snpNow}
	vlek := func(raw []byte) { raw[sevsnptest.OffsetSigner] |= sevsnptest.SignerVLEK }
	ev, m, s := machine(t, sevsnptest.Setup{}, c, vlek)
	src := source(t, s, c, nil)
	if _, _, err := src.Complete(t.Context(), ev); !errors.Is(err, collateral.ErrPlatform) {
		t.Errorf("VLEK without its certificate: %v", err)
	}
	brought := m.CollateralVLEK()
	brought.Intermediate = nil
	ev.Collateral = scale.MustMarshal(brought)
	out, _, err := src.Complete(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	if claims := verifySNP(t, out, m, c.at); !claims.CRLChecked {
		t.Error("no list was added")
	}
	if s.requests.Load() != 2 {
		t.Errorf("%d requests for chain and list", s.requests.Load())
	}
}

// TestMasked says what to do where the host hides its chip.
func TestMasked(t *testing.T) {
	c := &clock{snpNow}
	ev, _, s := machine(t, sevsnptest.Setup{}, c, func(raw []byte) { clear(raw[sevsnptest.OffsetChipID:][:64]) })
	_, _, err := source(t, s, c, nil).Complete(t.Context(), ev)
	if !errors.Is(err, collateral.ErrPlatform) || s.requests.Load() != 0 {
		t.Errorf("%v after %d requests", err, s.requests.Load())
	}
}

// TestOthers leaves evidence alone whose makers publish nothing.
func TestOthers(t *testing.T) {
	c := &clock{snpNow}
	s := serve(t, http.NotFoundHandler())
	for _, kind := range []tee.Kind{tee.KindNitro, tee.KindSimulated} {
		ev := tee.Evidence{Kind: kind, Data: []byte{1}, Collateral: []byte{2}}
		out, expiry, err := source(t, s, c, nil).Complete(t.Context(), ev)
		if err != nil || string(out.Data) != "\x01" || string(out.Collateral) != "\x02" || expiry != (collateral.Expiry{}) {
			t.Errorf("%s: %v %+v %v", kind, out, expiry, err)
		}
	}
	if s.requests.Load() != 0 {
		t.Error("something was asked")
	}
}
