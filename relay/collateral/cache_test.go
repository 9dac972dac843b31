package collateral_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/relay/collateral"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

const day = 24 * time.Hour

// issue serves a TDX world's collateral as it is issued at a time, with an evaluation number.
func issue(t *testing.T, at time.Time, evaluation int) (tee.Evidence, *dcaptest.Evidence, http.Handler) {
	t.Helper()
	w := dcaptest.New(tee.KindTDX, 4)
	w.TCBInfo.IssueDate, w.TCBInfo.NextUpdate = at, at.Add(30*day)
	w.QEIdentity.IssueDate, w.QEIdentity.NextUpdate = at, at.Add(30*day)
	w.TCBInfo.Evaluation, w.QEIdentity.Evaluation = evaluation, evaluation
	w.Now = at // of lists and certificates
	ev := must[*dcaptest.Evidence](t)(w.Build())
	return tee.Evidence{Kind: w.Kind, Data: ev.Quote}, ev, must[http.Handler](t)(dcaptest.Handler(ev.Quote, ev.Collateral))
}

var first = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// TestRenewal follows collateral over two issues with a clock of the test.
func TestRenewal(t *testing.T) {
	ev, _, h := issue(t, first, 18)
	s := serve(t, h)
	c := &clock{first.Add(time.Hour)}
	src := source(t, s, c, nil)
	complete := func() (tee.Evidence, collateral.Expiry) {
		t.Helper()
		out, e, err := src.Complete(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		return out, e
	}
	_, old := complete()
	c.at = old.Renew.Add(-time.Minute)
	if _, e := complete(); e != old || s.requests.Load() != 4 {
		t.Errorf("%d requests before renewal is due, %+v and %+v", s.requests.Load(), e, old)
	}
	c.at = old.Renew
	s.set(http.HandlerFunc(status(http.StatusBadGateway, "")))
	_, e := complete()
	if e.Digest != old.Digest || s.requests.Load() == 4 {
		t.Fatal("the service was not asked, or what was at hand did not serve on")
	}
	before := s.requests.Load()
	complete()
	if n := s.requests.Load(); n != before {
		t.Errorf("%d more requests at once", n-before)
	}
	_, _, h = issue(t, first.Add(18*day), 19)
	s.set(h)
	c.at = c.at.Add(8 * day)
	_, e = complete()
	if e.Digest == old.Digest || e.Evaluation != 19 || !e.Until.After(old.Until) || !e.Fetched.Equal(c.at) {
		t.Errorf("%+v after %+v", e, old)
	}
	s.set(http.HandlerFunc(status(http.StatusBadGateway, "")))
	c.at = e.Until
	if _, _, err := src.Complete(t.Context(), ev); !errors.Is(err, collateral.ErrUnavailable) {
		t.Errorf("collateral serves after its end: %v", err)
	}
}

// TestRollback has the service show older collateral, still valid, when newer is known.
func TestRollback(t *testing.T) {
	ev, _, older := issue(t, first, 18)
	_, _, newer := issue(t, first.Add(2*day), 19)
	s := serve(t, newer)
	c := &clock{first.Add(3 * day)}
	src := source(t, s, c, nil)
	_, e, err := src.Complete(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	s.set(older)
	c.at = e.Renew
	_, again, err := src.Complete(t.Context(), ev)
	if err != nil || again.Evaluation != 19 || again.Digest != e.Digest {
		t.Errorf("evaluation %d, %v", again.Evaluation, err)
	}
}

// TestOldAnswer does not ask at every completion for what the service gives out late in its life.
func TestOldAnswer(t *testing.T) {
	ev, _, h := issue(t, first, 18)
	s := serve(t, h)
	c := &clock{first.Add(25 * day)}
	src := source(t, s, c, nil)
	for range 3 {
		if _, e, err := src.Complete(t.Context(), ev); err != nil || !e.Renew.After(c.at) {
			t.Fatalf("%+v %v", e, err)
		}
	}
	if s.requests.Load() != 4 {
		t.Errorf("%d requests", s.requests.Load())
	}
}

// TestDisk restarts without a network, and with files that somebody has changed.
func TestDisk(t *testing.T) {
	ev, built, h := issue(t, first, 18)
	s := serve(t, h)
	c := &clock{first.Add(day)}
	dir := filepath.Join(t.TempDir(), "a", "collateral")
	onDisk := func(cfg *collateral.Config) { cfg.Cache = dir }
	want, expiry, err := source(t, s, c, onDisk).Complete(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	files := must[[]string](t)(filepath.Glob(filepath.Join(dir, "*")))
	if len(files) != 4 {
		t.Fatalf("%q", files)
	}
	s.set(http.HandlerFunc(status(http.StatusBadGateway, "")))
	c.at = c.at.Add(day)
	out, again, err := source(t, s, c, onDisk).Complete(t.Context(), ev)
	if err != nil || !bytes.Equal(out.Collateral, want.Collateral) || again != expiry || s.requests.Load() != 4 {
		t.Fatalf("without network: %v, %+v", err, again)
	}

	random := rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		raw := must[[]byte](t)(os.ReadFile(file))
		for name, damaged := range map[string][]byte{
			"empty": {}, "cut": raw[:len(raw)/2], "longer": append(bytes.Clone(raw), 0), "zeros": make([]byte, len(raw)),
			"huge": make([]byte, 4<<20), "flipped": flip(random, raw, len(raw)/3), "next version": append([]byte{2}, raw[1:]...),
		} {
			if err := os.WriteFile(file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			s.set(h)
			s.requests.Store(0)
			out, _, err := source(t, s, c, onDisk).Complete(t.Context(), ev)
			if err != nil || s.requests.Load() != 1 {
				t.Errorf("%s %s: %v, %d requests", filepath.Base(file), name, err, s.requests.Load())
				continue
			}
			verifyTDX(t, out, built, c.at)
		}
	}
}

func verifyTDX(t *testing.T, ev tee.Evidence, built *dcaptest.Evidence, now time.Time) {
	t.Helper()
	cl := must[*dcap.Collateral](t)(dcap.ParseCollateral(ev.Collateral))
	must[*dcap.Result](t)(dcap.Verify(ev.Data, cl, dcap.Options{Now: now, Roots: built.Roots}))
}

// flip changes many bits, so that something is noticed whatever the file holds.
func flip(random *rand.Rand, raw []byte, n int) []byte {
	out := bytes.Clone(raw)
	for range n {
		out[random.IntN(len(out))] ^= 1 << random.IntN(8)
	}
	return out
}

// TestPoisonedDisk swaps files whose form is right: what a validator would refuse is fetched anew, once in an hour.
func TestPoisonedDisk(t *testing.T) {
	ev, built, h := issue(t, first, 18)
	s := serve(t, h)
	c := &clock{first.Add(day)}
	dir := t.TempDir()
	checks := 0
	onDisk := func(cfg *collateral.Config) {
		cfg.Cache = dir
		cfg.Check = func(ev tee.Evidence, now time.Time) error {
			checks++
			cl, err := dcap.ParseCollateral(ev.Collateral)
			if err == nil {
				_, err = dcap.Verify(ev.Data, cl, dcap.Options{Now: now, Roots: built.Roots})
			}
			return err
		}
	}
	if _, _, err := source(t, s, c, onDisk).Complete(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "intel-tdx-tcb-00a06d08cc10.collateral")
	raw := must[[]byte](t)(os.ReadFile(file))
	poisoned := bytes.Replace(raw, []byte(`"OutOfDate"`), []byte(`"UpToDate "`), 1)
	if bytes.Equal(raw, poisoned) {
		t.Fatal("nothing to poison")
	}
	if err := os.WriteFile(file, poisoned, 0o600); err != nil {
		t.Fatal(err)
	}
	src := source(t, s, c, onDisk)
	out, _, err := src.Complete(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	verifyTDX(t, out, built, c.at)
	if s.requests.Load() != 8 {
		t.Errorf("%d requests", s.requests.Load())
	}
	if healed := must[[]byte](t)(os.ReadFile(file)); bytes.Contains(healed, []byte(`"UpToDate "`)) {
		t.Error("the file is still poisoned")
	}
}

// TestOtherRoots does not ask a service again and again because the caller trusts other roots.
func TestOtherRoots(t *testing.T) {
	c := &clock{snpNow}
	ev, _, s := machine(t, sevsnptest.Setup{}, c, nil)
	src := source(t, s, c, func(cfg *collateral.Config) { cfg.Check = collateral.Check })
	for range 10 {
		out, _, err := src.Complete(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		if collateral.Check(out, c.at) == nil {
			t.Fatal("AMD's roots vouch for a machine of a test")
		}
		c.at = c.at.Add(time.Minute)
	}
	if n := s.requests.Load(); n != 6 {
		t.Errorf("%d requests in ten minutes", n)
	}
}

// TestOtherService does not give out what another service has said.
func TestOtherService(t *testing.T) {
	ev, _, h := issue(t, first, 18)
	dir := t.TempDir()
	c := &clock{first.Add(day)}
	for range 2 {
		s := serve(t, h)
		if _, _, err := source(t, s, c, func(cfg *collateral.Config) { cfg.Cache = dir }).Complete(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		if s.requests.Load() != 4 {
			t.Errorf("%d requests", s.requests.Load())
		}
	}
}

// TestCacheIsBounded keeps a bounded number of files, and removes what an interrupted write has left.
func TestCacheIsBounded(t *testing.T) {
	ev, _, h := issue(t, first, 18)
	dir := t.TempDir()
	for i := range 400 {
		name := filepath.Join(dir, fmt.Sprintf("amd-vcek-Milan-%d.collateral", i))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, first, first.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, "intel-root-crl.collateral.123.tmp")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &clock{first.Add(day)}
	if _, _, err := source(t, serve(t, h), c, func(cfg *collateral.Config) { cfg.Cache = dir }).Complete(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	files := must[[]string](t)(filepath.Glob(filepath.Join(dir, "*")))
	if len(files) > 256 {
		t.Errorf("%d files", len(files))
	}
	for _, name := range []string{left, filepath.Join(dir, "amd-vcek-Milan-0.collateral")} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

// TestUnwritableCache completes all the same.
func TestUnwritableCache(t *testing.T) {
	ev, _, h := issue(t, first, 18)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	src := source(t, serve(t, h), &clock{first.Add(day)}, func(cfg *collateral.Config) { cfg.Cache = filepath.Join(file, "below") })
	if _, _, err := src.Complete(t.Context(), ev); err != nil {
		t.Error(err)
	}
}

// TestBackoff grows up to its bound and never is zero.
func TestBackoff(t *testing.T) {
	for n := range 100 {
		if d := collateral.Backoff(n); d < 500*time.Millisecond || d > time.Minute {
			t.Errorf("attempt %d: %s", n, d)
		}
	}
	if collateral.Backoff(7) < 30*time.Second {
		t.Error("it does not grow")
	}
}
