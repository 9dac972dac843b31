package fetch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Header is one line of a request or response.
type Header struct {
	Name, Value string
}

// Request is what a contract asks for. Of headers with equal names the last counts.
type Request struct {
	URL     string
	Method  string
	Headers []Header
	Body    []byte        // not modified
	Timeout time.Duration // at most Limits.Timeout, which zero stands for
}

// errRedirects is the end of a chain of redirects that is too long.
var errRedirects = errors.New("too many redirects")

// maxMethod is the longest method that is sent.
const maxMethod = 32

// ours are headers that speak of the connection, which is the client's: a contract's are left out.
var ours = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Upgrade": true,
	"Expect": true, "Http2-Settings": true,
}

// kept are the headers of a contract that go along to another origin; any other may hold a credential.
var kept = map[string]bool{
	"Accept": true, "Accept-Language": true, "Accept-Encoding": true, "Content-Type": true, "User-Agent": true,
}

// build checks a request and makes net/http's of it.
func (f *Client) build(ctx context.Context, r Request) (*http.Request, error) {
	u, err := f.parse(r.URL)
	if err != nil {
		return nil, err
	}
	if !validMethod(r.Method) {
		return nil, ErrMethod
	}
	if len(r.Body) > f.limits.RequestBytes {
		return nil, ErrTooLarge
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, ErrURL
	}
	req.Close = true
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", "") // net/http then sends none, as a contract that names none expects
	if err := f.headers(req, r); err != nil {
		return nil, err
	}
	return req, nil
}

// parse checks a URL that a contract or a redirect names, all but its addresses.
func (f *Client) parse(text string) (*url.URL, error) {
	if len(text) > f.limits.URLBytes {
		return nil, ErrURL
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, ErrURL
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

// checkURL wants http or https, a host, and no user or password, which would be a credential that moves with the URL.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" || u.User != nil {
		return ErrURL
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return ErrURL
		}
	}
	return nil
}

// validMethod wants a token, and not CONNECT or TRACE: those are no requests for content.
func validMethod(m string) bool {
	return len(m) <= maxMethod && httpguts.ValidHeaderFieldName(m) && m != http.MethodConnect && m != http.MethodTrace
}

// headers checks and sets the contract's headers. Framing stays with net/http: what could make the server read the
// request otherwise than it was meant is refused.
func (f *Client) headers(req *http.Request, r Request) error {
	if len(r.Headers) > f.limits.Headers {
		return ErrTooLarge
	}
	size := 0
	for _, h := range r.Headers {
		if size += len(h.Name) + len(h.Value); size > f.limits.HeaderBytes {
			return ErrTooLarge
		}
		if !httpguts.ValidHeaderFieldName(h.Name) {
			return ErrHeaderName
		}
		value, ok := fromText(h.Value)
		if !ok || !httpguts.ValidHeaderFieldValue(value) {
			return ErrHeaderValue
		}
		if err := setHeader(req, http.CanonicalHeaderKey(h.Name), value, len(r.Body)); err != nil {
			return err
		}
	}
	return nil
}

func setHeader(req *http.Request, name, value string, body int) error {
	switch {
	case name == "Host":
		if value == "" || !httpguts.ValidHostHeader(value) || strings.ContainsAny(value, "/@?#\\, \t") {
			return ErrHeaderValue
		}
		req.Host = value
	case name == "Content-Length":
		if value != strconv.Itoa(body) {
			return ErrHeaderValue
		}
	case name == "Transfer-Encoding":
		return ErrNotAllowed
	case ours[name]:
	default:
		req.Header[name] = []string{value}
	}
	return nil
}

// redirect judges the next request of a chain; its address is judged when it is dialled.
func (f *Client) redirect(next *http.Request, via []*http.Request) error {
	if len(via) > f.limits.Redirects {
		return errRedirects
	}
	last := via[len(via)-1]
	if len(next.URL.String()) > f.limits.URLBytes || checkURL(next.URL) != nil {
		return ErrNotAllowed
	}
	if last.URL.Scheme == "https" && next.URL.Scheme != "https" {
		return ErrNotAllowed // what went out encrypted does not follow in the clear
	}
	next.Header.Del("Referer") // net/http adds the URL before, whose query may be secret
	if leaves(via, next) {
		for name := range next.Header {
			if !kept[name] {
				delete(next.Header, name)
			}
		}
	}
	return nil
}

// leaves reports whether a chain of redirects was ever at another origin than it began at. It may have come back, but
// then another server chose what is asked for.
func leaves(via []*http.Request, next *http.Request) bool {
	first := via[0].URL
	for _, r := range append(via[1:len(via):len(via)], next) {
		if r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
			return true
		}
	}
	return false
}

// fromText gives the bytes of a header value: a code point up to U+00FF is one byte.
func fromText(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}
