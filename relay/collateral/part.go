package collateral

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// request is one thing that a service is asked for.
type request struct {
	name   string // of the file in the cache: letters, digits and hyphens
	url    *url.URL
	limit  int      // bytes of the answer
	chains []string // names of the header that has the issuer chain, the newest first; nil for none
	parse  func(answer) (*document, error)
	hint   string // what to do where the service does not have it
}

// answer is what a service said, or a file of the cache. Nothing in it is believed.
type answer struct {
	body  []byte
	chain []byte // the issuer chain's header as it came
}

// document is a parsed answer.
type document struct {
	body      []byte // DER, or the signed object byte for byte
	signature [64]byte
	chain     []byte    // PEM in one spelling
	begins    time.Time // when it was issued
	ends      time.Time // zero for never
	number    uint64    // grows with each issue, where there is such a number
}

// part is what a source has of one thing.
type part struct {
	doc      *document
	fetched  time.Time
	failures int       // since the last answer
	hold     time.Time // before which the service is not asked
	reason   error     // the last failure
}

// renewal is the share of a document's life after which a newer one is looked for.
const (
	renewalNumerator   = 2
	renewalDenominator = 3
)

// due returns when a newer document is looked for; zero for never. Life begins where the document does, not where it was
// fetched, and at the fetch for one that was old already: else it would be asked for each time.
func (p *part) due() time.Time {
	if p.doc.ends.IsZero() {
		return time.Time{}
	}
	due := p.doc.begins.Add(p.doc.ends.Sub(p.doc.begins) / renewalDenominator * renewalNumerator)
	if p.fetched.After(due) && p.fetched.Before(p.doc.ends) {
		due = p.fetched.Add(p.doc.ends.Sub(p.fetched) / renewalDenominator * renewalNumerator)
	}
	return due
}

func (d *document) holds(now time.Time) error {
	if now.Before(d.begins) {
		return fmt.Errorf("%w: it begins at %s; is this machine's clock right?", ErrStale, d.begins.UTC().Format(time.RFC3339))
	}
	if !d.ends.IsZero() && !now.Before(d.ends) {
		return fmt.Errorf("%w: it ended at %s", ErrStale, d.ends.UTC().Format(time.RFC3339))
	}
	return nil
}

// olderThan reports whether d was issued before o.
func (d *document) olderThan(o *document) bool {
	return d.number < o.number || d.number == o.number && d.begins.Before(o.begins)
}

// run is one completion.
type run struct {
	*Source
	now     time.Time
	refetch bool // what the cache has is fetched again
	cached  bool // something came from the cache
	expiry  Expiry
}

// get returns a document that holds now, from the cache or the service. Where the service fails, what the cache has
// serves until it ends.
func (r *run) get(ctx context.Context, q *request) (*document, error) {
	p := r.load(q)
	if p.doc != nil && p.doc.holds(r.now) != nil {
		p.doc = nil
	}
	due := p.doc == nil || r.refetch || !p.due().IsZero() && !r.now.Before(p.due())
	if due && (p.doc == nil || !r.now.Before(p.hold)) {
		if err := r.renew(ctx, q, p); err != nil {
			if p.doc == nil || ctx.Err() != nil {
				return nil, err
			}
			r.cfg.Log.Warn("collateral could not be renewed, the older serves on", "what", q.name,
				"until", p.doc.ends, "reason", err)
		}
	} else {
		r.hits.Add(1)
		r.cached = true
	}
	r.relied(p)
	return p.doc, nil
}

// load returns what there is of a request, in memory or else on disk.
func (r *run) load(q *request) *part {
	if p := r.parts[q.name]; p != nil {
		return p
	}
	if len(r.parts) >= maxFiles {
		clear(r.parts) // the disk has them
	}
	p := &part{}
	r.parts[q.name] = p
	if r.disk == nil {
		return p
	}
	a, fetched, err := r.disk.read(q)
	if errors.Is(err, errAbsent) {
		return p
	}
	var d *document
	if err == nil {
		d, err = q.parse(a)
	}
	if err == nil && fetched.After(r.now) {
		err = errors.New("it is from the future")
	}
	if err != nil {
		r.cfg.Log.Warn("cached collateral is damaged, fetching it anew", "what", q.name, "reason", err)
		return p
	}
	p.doc, p.fetched = d, fetched
	return p
}

// renew asks the service, and keeps the answer unless it is older than what is there.
func (r *run) renew(ctx context.Context, q *request, p *part) error {
	if p.doc == nil && r.now.Before(p.hold) {
		return fmt.Errorf("%w; it is asked again at %s", p.reason, p.hold.UTC().Format(time.RFC3339))
	}
	a, d, err := r.ask(ctx, q, p.doc != nil)
	if err == nil && p.doc != nil && d.olderThan(p.doc) && !r.refetch {
		err = fmt.Errorf("%w: %s: it is older than an earlier one", ErrStale, place(q.url))
	}
	if err != nil {
		if ctx.Err() == nil {
			p.failures++
			p.reason, p.hold = err, r.now.Add(max(r.cfg.Interval(p.failures), retryAfter(err)))
		}
		return err
	}
	*p = part{doc: d, fetched: r.now.UTC().Truncate(time.Second)} // as a file says it
	if r.disk != nil {
		if err := r.disk.write(q, a, r.now); err != nil {
			r.cfg.Log.Warn("collateral could not be kept on disk", "what", q.name, "reason", err)
		}
	}
	return nil
}

// ask sends a request, several times where that may help: not where something older serves.
func (r *run) ask(ctx context.Context, q *request, once bool) (answer, *document, error) {
	for n := 1; ; n++ {
		a, d, err := r.attempt(ctx, q)
		if err == nil {
			r.fetches.Add(1)
			return a, d, nil
		}
		r.failures.Add(1)
		pause := max(r.cfg.Interval(n), retryAfter(err))
		if once || n == attempts || ctx.Err() != nil || !errors.Is(err, ErrUnavailable) || pause > maxPause {
			return answer{}, nil, err
		}
		if err := r.cfg.Wait(ctx, pause); err != nil {
			return answer{}, nil, err
		}
	}
}

func (r *run) attempt(ctx context.Context, q *request) (answer, *document, error) {
	a, err := r.fetch(ctx, q)
	if err != nil {
		return answer{}, nil, err
	}
	d, err := q.parse(a)
	if err == nil {
		err = d.holds(r.now)
	}
	if err != nil {
		return answer{}, nil, fmt.Errorf("%s: %w", place(q.url), err)
	}
	return a, d, nil
}

// relied enters in the expiry that a part was used.
func (r *run) relied(p *part) {
	e := &r.expiry
	if p.fetched.After(e.Fetched) {
		e.Fetched = p.fetched
	}
	e.Until = earlier(e.Until, p.doc.ends)
	renew := p.due()
	if p.hold.After(renew) && !renew.IsZero() {
		renew = p.hold
	}
	e.Renew = earlier(e.Renew, renew)
}

// earlier returns the earlier of two times, of which a zero one never comes.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
