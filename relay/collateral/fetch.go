package collateral

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Bounds of asking.
const (
	attempts       = 3                // of one request
	maxPause       = 30 * time.Second // between them
	maxRetryAfter  = time.Hour        // that a service may ask for
	maxHeaderBytes = 64 << 10         // of an answer
	maxChainHeader = 32 << 10         // of the header with the issuer chain, escaped
)

// baseURL parses the base URL of a service. https is asked for but on this machine: what comes is signed, yet requests name
// the platform, and who sits between could hold newer collateral back.
func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it cannot be parsed") // the error repeats the text, which may have a password
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.Hostname() == "" {
		return nil, errors.New("give scheme, host and path only, such as https://pccs.example.org:8081")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, fmt.Errorf("%s is not https; http is taken for a service on this machine only", u.Redacted())
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func newClient(authorities *x509.CertPool, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout, // body included, so that a server that drips ends too
		// A service that points elsewhere is not the one that was configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        30 * time.Second,
		},
	}
}

// place names a URL in errors: host and path, without what the query says of the platform.
func place(u *url.URL) string { return u.Host + u.Path }

// busy is an answer that says when to come back.
type busy struct {
	error
	after time.Duration
}

func (b busy) Unwrap() error { return b.error }

// retryAfter is how long the service wants to be left alone.
func retryAfter(err error) time.Duration {
	if b, ok := errors.AsType[busy](err); ok {
		return b.after
	}
	return 0
}

// fetch sends one request.
func (r *run) fetch(ctx context.Context, q *request) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url.String(), nil)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %s: request cannot be made", ErrConfig, place(q.url))
	}
	req.Header.Set("User-Agent", "phalanx-relay")
	res, err := r.client.Do(req)
	if err != nil {
		return answer{}, unavailable(ctx, q, err)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(q.limit)+1))
	if err = errors.Join(err, res.Body.Close()); err != nil && len(body) <= q.limit {
		return answer{}, unavailable(ctx, q, err)
	}
	if err := r.status(q, res); err != nil {
		return answer{}, err
	}
	if len(body) > q.limit {
		return answer{}, fmt.Errorf("%w: %s: over %d bytes", ErrAnswer, place(q.url), q.limit)
	}
	a := answer{body: body}
	for _, name := range q.chains {
		if v := res.Header.Get(name); v != "" {
			a.chain = []byte(v)
			break
		}
	}
	if len(q.chains) > 0 && len(a.chain) == 0 {
		return answer{}, fmt.Errorf("%w: %s: it has no header %s; is the base URL that of a PCCS or of Intel, version 4?",
			ErrAnswer, place(q.url), q.chains[0])
	}
	if len(a.chain) > maxChainHeader {
		return answer{}, fmt.Errorf("%w: %s: header %s is over %d bytes", ErrAnswer, place(q.url), q.chains[0], maxChainHeader)
	}
	return a, nil
}

// unavailable wraps a failure of the connection without the URL's query.
func unavailable(ctx context.Context, q *request, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("collateral: %s: %w", place(q.url), ctx.Err())
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		advice := "if it is a PCCS that has signed its own, trust that: --collateral-ca of the relay, --ca of attestation fetch"
		if _, ok := errors.AsType[x509.HostnameError](err); ok {
			advice = "the certificate must have the host of the base URL among its subject alternative names"
		}
		return fmt.Errorf("%w: %s: %w; %s", ErrUnavailable, place(q.url), err, advice)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, place(q.url), err)
}

// status judges an answer's code.
func (r *run) status(q *request, res *http.Response) error {
	switch code := res.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		err := fmt.Errorf("%w: %s: status %d, it limits requests", ErrUnavailable, place(q.url), code)
		return busy{err, parseRetryAfter(res.Header.Get("Retry-After"), r.cfg.Now())}
	case code >= 500:
		return fmt.Errorf("%w: %s: status %d", ErrUnavailable, place(q.url), code)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: %s: status %d, a redirect, which is not followed; give the base URL that it points to", ErrAnswer, place(q.url), code)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: %s: status 404; %s", ErrAnswer, place(q.url), q.hint)
	default:
		return fmt.Errorf("%w: %s: status %d; check the base URL", ErrAnswer, place(q.url), code)
	}
}

// parseRetryAfter reads RFC 9110's Retry-After, at most maxRetryAfter; 0 for what it cannot read.
func parseRetryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
