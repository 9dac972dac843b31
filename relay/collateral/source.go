package collateral

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phalanx-network/phalanx/tee"
)

// The makers' own services, the defaults.
const (
	DefaultIntel = "https://api.trustedservices.intel.com"
	DefaultAMD   = "https://kdsintf.amd.com"
	// intelRootCRL is the distribution point that Intel's root certificate names.
	intelRootCRL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
)

// Errors. What [Source.Complete] returns wraps one of these, or the reason of package tee/dcap or tee/sevsnp for evidence
// that cannot be read, or the context's error.
var (
	// ErrConfig says that the configuration cannot be used.
	ErrConfig = errors.New("collateral: configuration")
	// ErrUnavailable says that a service did not answer, or refuses for now.
	ErrUnavailable = errors.New("collateral: service is not available")
	// ErrAnswer says that a service's answer is not what was asked for.
	ErrAnswer = errors.New("collateral: answer cannot be used")
	// ErrStale says that a service's answer is not valid at this time.
	ErrStale = errors.New("collateral: answer is not valid now")
	// ErrPlatform says that no service can be asked for what this platform needs.
	ErrPlatform = errors.New("collateral: the platform must bring its own certificate")
	// ErrSize says that collateral is over the bounds of evidence.
	ErrSize = errors.New("collateral: too large")
)

// Config is what a source works with. The zero value asks the makers' services and keeps nothing on disk.
type Config struct {
	Intel string // base URL of Intel's service or of a PCCS; empty for [DefaultIntel]
	AMD   string // base URL of AMD's service or of a cache of it; empty for [DefaultAMD]
	// RootCRL is the URL of Intel's root's revocation list. Empty for the list at Intel's distribution point where Intel is
	// Intel's own, and else for the path that a PCCS has.
	RootCRL string
	// Update is "standard" or "early": whether TCB info and QE identity are Intel's of the day of an announcement or of the
	// end of its grace. Empty for standard.
	Update string
	// Authorities are trusted for TLS, and no others; nil for the system's. A PCCS often signs its certificate itself.
	Authorities *x509.CertPool
	Cache       string        // folder of the cache, made when needed; empty for none on disk
	Timeout     time.Duration // of one request, its answer included; 0 for 20 s
	// Interval is how long to wait before attempt n, from 1 on; nil for [Backoff].
	Interval func(n int) time.Duration
	// Check judges completed evidence, as far as the caller can. Where it refuses what came from the cache, that is fetched
	// again, at most once in an hour. nil judges nothing. Its verdict is not Complete's.
	Check func(ev tee.Evidence, now time.Time) error
	Now   func() time.Time // nil for time.Now
	// Wait waits, or returns the context's error; nil for a timer.
	Wait func(ctx context.Context, d time.Duration) error
	Log  *slog.Logger // nil for none
}

// Expiry is how long the collateral of one piece of evidence serves.
type Expiry struct {
	Until      time.Time // after which the evidence is refused; zero if nothing ends
	Renew      time.Time // from which newer collateral is looked for; zero if nothing ends
	Fetched    time.Time // when the newest part was fetched; zero if nothing was
	Evaluation uint32    // Intel's TCB evaluation number, the lower of both documents'; 0 for others
	// Digest is SHA-256 of the collateral: another digest for the same platform means other collateral.
	Digest [32]byte
}

// Stats are a source's figures since it was made.
type Stats struct {
	Fetches  uint64 // requests that were answered with what was asked for
	Failures uint64 // requests that were not
	Hits     uint64 // parts that the cache had
}

// Source completes evidence. It may be used by many goroutines; one at a time asks.
type Source struct {
	cfg    Config
	intel  *url.URL
	amd    *url.URL
	root   *url.URL
	client *http.Client
	disk   *disk

	mu     sync.Mutex // held while asking
	parts  map[string]*part
	purged time.Time // when Check last had parts fetched again

	fetches, failures, hits atomic.Uint64
}

// Backoff is the interval before attempt n, from 1 on: a second, doubled with each, up to a minute; half of it is drawn, so
// that relays that lost the same service do not return together.
func Backoff(n int) time.Duration {
	d := time.Minute
	if n < 7 {
		d = time.Second << max(n-1, 0)
	}
	return d/2 + rand.N(d/2)
}

// New returns a source. It asks nobody. Errors wrap [ErrConfig].
func New(cfg Config) (*Source, error) {
	s := &Source{cfg: cfg, parts: map[string]*part{}}
	if s.cfg.Intel == "" {
		s.cfg.Intel = DefaultIntel
	}
	s.cfg.Intel = withoutVersion(s.cfg.Intel)
	if s.cfg.AMD == "" {
		s.cfg.AMD = DefaultAMD
	}
	if s.cfg.RootCRL == "" {
		s.cfg.RootCRL = rootCRLOf(s.cfg.Intel)
	}
	switch s.cfg.Update {
	case "":
		s.cfg.Update = "standard"
	case "standard", "early":
	default:
		return nil, fmt.Errorf("%w: update is %q, not standard or early", ErrConfig, s.cfg.Update)
	}
	for _, u := range []struct {
		what, text string
		out        **url.URL
	}{{"Intel", s.cfg.Intel, &s.intel}, {"AMD", s.cfg.AMD, &s.amd}, {"root CRL", s.cfg.RootCRL, &s.root}} {
		parsed, err := baseURL(u.text)
		if err != nil {
			return nil, fmt.Errorf("%w: URL for %s: %w", ErrConfig, u.what, err)
		}
		*u.out = parsed
	}
	s.defaults()
	if cfg.Cache != "" {
		d, err := openDisk(cfg.Cache, s.cfg.Now())
		if err != nil {
			return nil, fmt.Errorf("%w: cache: %w", ErrConfig, err)
		}
		s.disk = d
	}
	s.client = newClient(s.cfg.Authorities, s.cfg.Timeout)
	return s, nil
}

func (s *Source) defaults() {
	if s.cfg.Timeout == 0 {
		s.cfg.Timeout = 20 * time.Second
	}
	if s.cfg.Interval == nil {
		s.cfg.Interval = Backoff
	}
	if s.cfg.Check == nil {
		s.cfg.Check = func(tee.Evidence, time.Time) error { return nil }
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	if s.cfg.Wait == nil {
		s.cfg.Wait = wait
	}
	if s.cfg.Log == nil {
		s.cfg.Log = slog.New(slog.DiscardHandler)
	}
}

// rootCRLOf returns where the root's list is: Intel's service does not have it, a PCCS does.
func rootCRLOf(intel string) string {
	if u, err := url.Parse(intel); err == nil && strings.EqualFold(u.Hostname(), "api.trustedservices.intel.com") {
		return intelRootCRL
	}
	return strings.TrimSuffix(intel, "/") + pathRootCRL
}

// Stats returns the figures so far.
func (s *Source) Stats() Stats {
	return Stats{Fetches: s.fetches.Load(), Failures: s.failures.Load(), Hits: s.hits.Load()}
}

// Complete returns the evidence with collateral that is valid now, and how long that serves. Evidence of kinds whose
// makers publish nothing is returned as it is, with a zero Expiry. It may take several requests; ctx ends it.
func (s *Source) Complete(ctx context.Context, ev tee.Evidence) (tee.Evidence, Expiry, error) {
	complete := s.completer(ev.Kind)
	if complete == nil {
		return ev, Expiry{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &run{Source: s, now: s.cfg.Now()}
	out, err := complete(ctx, r, ev)
	if err != nil {
		return ev, Expiry{}, err
	}
	if refusal := s.cfg.Check(out, r.now); refusal != nil && r.cached && s.purged.Add(purgeInterval).Before(r.now) {
		s.cfg.Log.Info("collateral from the cache is refused, fetching it again", "reason", refusal)
		s.purged = r.now
		again := &run{Source: s, now: r.now, refetch: true}
		if better, err := complete(ctx, again, ev); err == nil {
			out, r = better, again
		} else {
			s.cfg.Log.Warn("collateral could not be fetched again", "reason", err)
		}
	}
	if len(out.Collateral) > tee.MaxCollateral {
		return ev, Expiry{}, fmt.Errorf("%w: %d bytes, %d are allowed", ErrSize, len(out.Collateral), tee.MaxCollateral)
	}
	r.expiry.Digest = sha256.Sum256(out.Collateral)
	return out, r.expiry, nil
}

// purgeInterval is how often at most a refusal has parts fetched again that the cache has: where the caller trusts other
// roots than the makers' every check fails, and services limit rates.
const purgeInterval = time.Hour

// completer returns what completes evidence of a kind, or nil.
func (s *Source) completer(k tee.Kind) func(context.Context, *run, tee.Evidence) (tee.Evidence, error) {
	switch k {
	case tee.KindSGX, tee.KindTDX:
		return completeIntel
	case tee.KindSEVSNP:
		return completeAMD
	}
	return nil
}
