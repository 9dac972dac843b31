// Package fetch is the HTTP client of contracts' queries: one request to the outside for a contract that is not trusted,
// by a worker whose network is not the contract's.
//
// Make one [Client] per worker with [New] and call [Client.Do]. What it promises:
//
//   - TLS ends in this process: version 1.2 or later, certificates checked against Config.Roots at the time of
//     Config.Now, no proxy, no variable of the environment heeded. The host carries the bytes; it cannot read them.
//   - Addresses. A name is resolved once, each address is judged by [Policy], and the judged address itself is dialled,
//     on every redirect anew, so that no second answer of a name server counts.
//   - Bounds on time (name, connection, handshake, headers and body together), on sizes both ways, on redirects, and on
//     requests at once, of one contract and of all.
//   - Isolation. A connection serves one request; there are no cookies, no cache and no TLS resumption, so nothing of one
//     contract's traffic reaches another's.
//   - HTTP/1.1 only, and bodies as the server sent them: nothing is decompressed.
//
// Header values are bytes on the wire and text for contracts: each byte from 0x80 on is the code point of that number, in
// both directions, so nothing is lost.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// The kinds of failure. Do wraps one of them, unless its context ended; the text around it is from a fixed vocabulary
// and names no address.
var (
	ErrURL         = errors.New("invalid URL")
	ErrMethod      = errors.New("invalid method")
	ErrHeaderName  = errors.New("invalid header name")
	ErrHeaderValue = errors.New("invalid header value")
	// ErrNotAllowed says that the policy of the worker forbids the address, port, scheme or header.
	ErrNotAllowed = errors.New("not allowed")
	// ErrBusy says that no place for the request became free in time.
	ErrBusy = errors.New("too many requests")
	// ErrUnreachable says that no response began: name, connection, certificate, time, or too many redirects.
	ErrUnreachable = errors.New("unreachable")
	// ErrNetwork says that the response broke off.
	ErrNetwork = errors.New("network error")
	// ErrTooLarge says that the request or the response is over its bound.
	ErrTooLarge = errors.New("too large")
)

// Limits bounds one request and the requests at once. Start from [DefaultLimits].
type Limits struct {
	Timeout       time.Duration // name, connection, handshake, redirects, headers and body together
	URLBytes      int
	Headers       int // number of header lines, of a request and of a response
	HeaderBytes   int // their names and values together, of a request and of a response
	RequestBytes  int // request body
	ResponseBytes int // response body
	Redirects     int // followed for one request
	Attempts      int // addresses of one name that are dialled
	AtOnce        int // requests under way in the worker
	PerContract   int // requests under way for one contract
}

// DefaultLimits gives Phala's bounds where it has them (10 s, 2 MiB of response, 256 headers, 10 redirects).
func DefaultLimits() Limits {
	return Limits{
		Timeout: 10 * time.Second, URLBytes: 8 << 10, Headers: 256, HeaderBytes: 64 << 10,
		RequestBytes: 1 << 20, ResponseBytes: 2 << 20, Redirects: 10, Attempts: 4, AtOnce: 64, PerContract: 8,
	}
}

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	// LookupNetIP gives the addresses of host; network is "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a Client stands on. Roots is required.
type Config struct {
	Limits Limits
	Policy Policy
	// Roots are the authorities that servers are checked against; [SystemRoots] gives those of the image.
	Roots *x509.CertPool
	// Now is the time that certificates are checked at; nil is the host's clock.
	Now func() time.Time
	// Resolver is nil for Go's resolver with the host's name servers.
	Resolver Resolver
	// Dial opens a TCP connection to an address that the policy has allowed; nil is the network.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// Stats counts since the start of the client.
type Stats struct {
	Requests uint64 // that Do was called for
	Failures uint64 // of them, without a response
	Sent     uint64 // bytes of request bodies
	Received uint64 // bytes of response bodies
}

// Client makes requests. Its methods may be called at the same time.
type Client struct {
	limits   Limits
	policy   Policy
	resolver Resolver
	dial     func(context.Context, netip.AddrPort) (net.Conn, error)
	tls      *tls.Config
	gate     *gate

	requests, failures, sent, received atomic.Uint64
}

// New makes a client. It fails where a limit is not positive or the roots are missing.
func New(c Config) (*Client, error) {
	l := c.Limits
	for _, n := range []int{int(l.Timeout), l.URLBytes, l.Headers, l.HeaderBytes, l.RequestBytes, l.ResponseBytes, l.Attempts,
		l.AtOnce, l.PerContract} {
		if n <= 0 {
			return nil, errors.New("fetch: a limit is not positive")
		}
	}
	if c.Roots == nil {
		return nil, errors.New("fetch: no roots to check servers against")
	}
	f := &Client{limits: l, policy: c.Policy, resolver: c.Resolver, dial: c.Dial, gate: newGate(l.AtOnce, l.PerContract)}
	if f.resolver == nil {
		f.resolver = &net.Resolver{PreferGo: true}
	}
	if f.dial == nil {
		f.dial = dialTCP
	}
	f.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, Time: c.Now, NextProtos: []string{"http/1.1"}}
	return f, nil
}

// Limits gives the bounds that the client keeps.
func (f *Client) Limits() Limits { return f.limits }

// Stats gives the counters.
func (f *Client) Stats() Stats {
	return Stats{f.requests.Load(), f.failures.Load(), f.sent.Load(), f.received.Load()}
}

// Do makes one request for a contract, within its time and that of ctx. The error is ctx's where ctx ended, and otherwise wraps
// one of this package.
func (f *Client) Do(ctx context.Context, contract [32]byte, r Request) (Response, error) {
	f.requests.Add(1)
	resp, err := f.do(ctx, contract, r)
	if err != nil {
		f.failures.Add(1)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Response{}, fmt.Errorf("fetch: %w", err)
	}
	return resp, nil
}

func (f *Client) do(parent context.Context, contract [32]byte, r Request) (Response, error) {
	timeout := f.limits.Timeout
	if r.Timeout > 0 {
		timeout = min(timeout, r.Timeout)
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	req, err := f.build(ctx, r)
	if err != nil {
		return Response{}, err
	}
	release, err := f.gate.enter(ctx, contract)
	if err != nil {
		return Response{}, err
	}
	defer release()
	f.sent.Add(uint64(len(r.Body)))
	client := http.Client{Transport: exchange{f}, CheckRedirect: f.redirect}
	resp, err := client.Do(req)
	if err != nil {
		return Response{}, unreachable(err)
	}
	defer resp.Body.Close()
	return f.read(resp)
}

// unreachable gives the reason of a failed round trip in words that name no address.
func unreachable(err error) error {
	for _, kind := range []error{ErrNotAllowed, ErrURL, ErrTooLarge} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	why := "connection failed"
	var (
		dns     *net.DNSError
		expired x509.CertificateInvalidError
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		why = "timed out"
	case errors.Is(err, errRedirects):
		why = "too many redirects"
	case errors.As(err, &dns):
		why = "name not found"
	case errors.As(err, &expired) && expired.Reason == x509.Expired:
		why = "certificate expired"
	case errors.As(err, &name):
		why = "certificate is for another name"
	case errors.As(err, &unknown):
		why = "certificate of an unknown authority"
	case errors.As(err, &cert):
		why = "certificate refused"
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, why)
}
