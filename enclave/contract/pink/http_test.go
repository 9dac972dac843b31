package pink

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// encodeRequest gives the SCALE of a request.
func encodeRequest(r fetch.Request) []byte {
	return scale.MustMarshal(record(func(s *scale.Codec) { visitRequest(s, &r) }))
}

func decodeResponse(t *testing.T, b []byte) (r fetch.Response) {
	t.Helper()
	if err := scale.Unmarshal(b, record(func(s *scale.Codec) { visitResponse(s, &r) })); err != nil {
		t.Fatal(err)
	}
	return r
}

// withWeb is a worker whose requests all come out alike.
func withWeb(t *testing.T, w web) *Extension {
	t.Helper()
	_, c := worker(t)
	c.HTTP = w
	return extension(t, *c)
}

func failing(err error) web {
	return func(context.Context, [32]byte, fetch.Request) (fetch.Response, error) { return fetch.Response{}, err }
}

func TestHTTPRequest(t *testing.T) {
	x, _ := worker(t)
	gives(t, x, query(), "http_request", args("http_request"), 0, wanted("http_request"))
	asked := 0
	x = withWeb(t, func(_ context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error) {
		asked++
		if contract != query().contract || r.Timeout != 10*time.Second {
			t.Errorf("asked for %x with %v", contract[:4], r.Timeout)
		}
		r.Timeout = 0
		if !bytes.Equal(encodeRequest(r), args("http_request")) || r.Method != "POST" || len(r.Headers) != 2 || len(r.Body) != 4 {
			t.Errorf("asked for %+v", r)
		}
		return fetch.Response{}, nil
	})
	run(t, x, query(), "http_request", args("http_request"))
	gives(t, x, command(), "http_request", args("http_request"), 0, wanted("http_request/command"))
	if asked != 1 {
		t.Errorf("%d requests", asked)
	}
}

// TestHTTPErrors: as in Phala, some errors end the call, others are a response of status 523 or 524.
func TestHTTPErrors(t *testing.T) {
	for _, v := range []struct {
		err    error
		trap   string
		status uint16
		reason string
		body   string
	}{
		{err: fetch.ErrURL, trap: "HTTP request: InvalidUrl"},
		{err: fetch.ErrMethod, trap: "HTTP request: InvalidMethod"},
		{err: fetch.ErrHeaderName, trap: "HTTP request: InvalidHeaderName"},
		{err: fetch.ErrHeaderValue, trap: "HTTP request: InvalidHeaderValue"},
		{err: fetch.ErrNotAllowed, status: 524, reason: "IO Error", body: "NotAllowed"},
		{err: fetch.ErrBusy, status: 524, reason: "IO Error", body: "TooManyRequests"},
		{err: fetch.ErrNetwork, status: 524, reason: "IO Error", body: "NetworkError"},
		{err: fetch.ErrTooLarge, status: 524, reason: "IO Error", body: "ResponseTooLarge"},
		{err: fmt.Errorf("%w: timed out", fetch.ErrUnreachable), status: 523, reason: "Unreachable", body: "unreachable: timed out"},
	} {
		x := withWeb(t, failing(v.err))
		if v.trap != "" {
			traps(t, x, query(), "http_request", args("http_request"), v.trap)
			continue
		}
		_, out := run(t, x, query(), "http_request", args("http_request"))
		r := decodeResponse(t, out)
		if r.Status != v.status || r.Reason != v.reason || string(r.Body) != v.body || len(r.Headers) != 0 {
			t.Errorf("%v: got %+v", v.err, r)
		}
	}
}

func TestBatchHTTPRequest(t *testing.T) {
	var n atomic.Int32
	results := map[string]error{"https://a/": nil, "https://b/": fetch.ErrBusy, "https://c/": fetch.ErrNotAllowed}
	x := withWeb(t, func(_ context.Context, _ [32]byte, r fetch.Request) (fetch.Response, error) {
		n.Add(1)
		if r.Timeout != 5*time.Second {
			t.Errorf("timeout %v", r.Timeout)
		}
		return fetch.Response{
			Status: 200, Reason: "OK", Headers: []fetch.Header{{Name: "content-type", Value: "text/plain"}}, Body: []byte{0, 255, 10},
		}, results[r.URL]
	})
	batch := []byte{3 << 2}
	for _, url := range []string{"https://a/", "https://b/", "https://c/"} {
		batch = append(batch, encodeRequest(fetch.Request{URL: url, Method: "GET"})...)
	}
	input := append(batch, 0x88, 0x13, 0, 0, 0, 0, 0, 0)
	want := wanted("batch_http_request")
	want[len(want)-3] = 7 // TooManyRequests in the place of the vector's Timeout
	gives(t, x, query(), "batch_http_request", input, 0, want)
	if n.Load() != 3 {
		t.Errorf("%d requests", n.Load())
	}
	gives(t, x, command(), "batch_http_request", input, vectors.Statuses["NotAllowed"], nil)
	gives(t, x, query(), "batch_http_request", make([]byte, 9), 0, []byte{0}) // an empty batch

	many := append([]byte{6 << 2}, bytes.Repeat(encodeRequest(fetch.Request{URL: "https://a/", Method: "GET"}), 6)...)
	gives(t, x, query(), "batch_http_request", append(many, make([]byte, 8)...), vectors.Statuses["TooManyRequests"], nil)

	none := append(batch, make([]byte, 8)...) // no time
	gives(t, x, query(), "batch_http_request", none, 0, []byte{3 << 2, 1, 5, 1, 5, 1, 5})
	if n.Load() != 3 {
		t.Errorf("%d requests", n.Load())
	}
}

func TestHTTPStatuses(t *testing.T) {
	for kind, name := range names {
		if vectors.Statuses[name] != httpError(kind).status() {
			t.Errorf("%s is %d, want %d", name, httpError(kind).status(), vectors.Statuses[name])
		}
	}
	if len(vectors.Statuses) != len(names) {
		t.Errorf("%d errors, want %d", len(names), len(vectors.Statuses))
	}
}

// TestHTTPOff: an operator may allow no requests at all.
func TestHTTPOff(t *testing.T) {
	_, c := worker(t)
	c.HTTP = nil
	x := extension(t, *c)
	_, out := run(t, x, query(), "http_request", args("http_request"))
	if r := decodeResponse(t, out); r.Status != 524 || string(r.Body) != "NotAllowed" {
		t.Errorf("got %+v", r)
	}
	gives(t, x, query(), "batch_http_request", args("batch_http_request"), vectors.Statuses["NotAllowed"], nil)
}

// TestHTTPCount: the contracts that a query calls count with it.
func TestHTTPCount(t *testing.T) {
	asked := 0
	x := withWeb(t, func(context.Context, [32]byte, fetch.Request) (fetch.Response, error) {
		asked++
		return fetch.Response{Status: 200}, nil
	})
	env := query()
	for i := range MaxRequests {
		env.contract[0] = byte(i)
		_, out := run(t, x, env, "http_request", args("http_request"))
		if r := decodeResponse(t, out); r.Status != 200 {
			t.Fatalf("request %d: %+v", i, r)
		}
	}
	_, out := run(t, x, env, "http_request", args("http_request"))
	if r := decodeResponse(t, out); r.Status != 524 || string(r.Body) != "TooManyRequests" || asked != MaxRequests {
		t.Errorf("one more: %+v, %d asked", r, asked)
	}
	gives(t, x, env, "batch_http_request", args("batch_http_request"), vectors.Statuses["TooManyRequests"], nil)
	if _, out := run(t, x, query(), "http_request", args("http_request")); decodeResponse(t, out).Status != 200 {
		t.Error("another query is refused")
	}
}

// TestHTTPTime: the requests of one query share its time.
func TestHTTPTime(t *testing.T) {
	_, c := worker(t)
	now := time.Unix(1000, 0)
	c.Now = func() time.Time { return now }
	var left time.Duration
	c.HTTP = web(func(_ context.Context, _ [32]byte, r fetch.Request) (fetch.Response, error) {
		left = r.Timeout
		now = now.Add(6 * time.Second)
		return fetch.Response{}, nil
	})
	x, env := extension(t, *c), query()
	for _, want := range []time.Duration{10 * time.Second, 4 * time.Second} {
		if run(t, x, env, "http_request", args("http_request")); left != want {
			t.Errorf("%v left, want %v", left, want)
		}
	}
	traps(t, x, env, "http_request", args("http_request"), "HTTP request: Timeout")
	gives(t, x, env, "batch_http_request", args("batch_http_request"), vectors.Statuses["Timeout"], nil)
}

func TestHTTPGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	x := withWeb(t, func(ctx context.Context, _ [32]byte, _ fetch.Request) (fetch.Response, error) {
		cancel()
		return fetch.Response{}, ctx.Err()
	})
	for _, name := range []string{"http_request", "batch_http_request"} {
		if _, _, err := x.Call(ctx, query(), id(name), args(name)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHTTPForReal goes through the real client to a TLS server.
func TestHTTPForReal(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["X-Bytes"] = []string{"\xfe" + r.Header.Get("X-Bytes")}
		w.WriteHeader(http.StatusTeapot)
		w.Write(append(body, 0, 0xff))
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	client, err := fetch.New(fetch.Config{
		Limits: fetch.DefaultLimits(), Roots: roots,
		Policy: fetch.Policy{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, c := worker(t)
	c.HTTP, c.Now = client, nil
	x := extension(t, *c)
	request := encodeRequest(fetch.Request{
		URL: s.URL, Method: "POST", Headers: []fetch.Header{{Name: "X-Bytes", Value: "\u00e9"}}, Body: []byte{0x80, 1},
	})
	_, out := run(t, x, query(), "http_request", request)
	r := decodeResponse(t, out)
	value := ""
	for _, h := range r.Headers {
		if h.Name == "x-bytes" {
			value = h.Value
		}
	}
	if r.Status != 418 || !bytes.Equal(r.Body, []byte{0x80, 1, 0, 0xff}) || value != "\u00fe\u00e9" {
		t.Errorf("got %+v", r)
	}
	_, out = run(t, x, query(), "http_request", encodeRequest(fetch.Request{URL: "http://10.0.0.1/", Method: "GET"}))
	if r := decodeResponse(t, out); r.Status != 524 || string(r.Body) != "NotAllowed" {
		t.Errorf("private address: %+v", r)
	}
}
