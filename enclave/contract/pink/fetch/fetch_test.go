package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var ctx = context.Background()

func TestExchange(t *testing.T) {
	r := newRig(t)
	body := make([]byte, 3000)
	for i := range body {
		body[i] = byte(i * 7)
	}
	s := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		got, _ := io.ReadAll(req.Body)
		for name, want := range map[string]string{
			"X-Foo": "b\xe9r", "Content-Length": "3000", "Accept": "*/*", "User-Agent": "", "Accept-Encoding": "", "Cookie": "",
			"Te": "", "Content-Type": "application/octet-stream",
		} {
			if req.Header.Get(name) != want {
				t.Errorf("%s: the server got %q, want %q", name, req.Header.Get(name), want)
			}
		}
		if req.Method != "POST" || !bytes.Equal(got, body) || req.URL.RawQuery != "a=b" || req.Host != "other.test" || req.TLS == nil {
			t.Errorf("the server got %s %s for %s with %d bytes", req.Method, req.URL, req.Host, len(got))
		}
		w.Header()["X-Binary"] = []string{"\x80\xff", "second"}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(201)
		w.Write(body)
	})
	c := r.client(t)
	resp, err := c.Do(ctx, [32]byte{}, Request{
		URL: s.URL + "/x?a=b", Method: "POST", Body: body,
		Headers: []Header{{"x-foo", "overwritten"}, {"X-FOO", "bér"}, {"content-type", "application/octet-stream"},
			{"host", "other.test"}, {"content-length", "3000"}, {"TE", "trailers"}, {"Connection", "upgrade"}, {"Upgrade", "h2c"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 201 || resp.Reason != "Created" || !bytes.Equal(resp.Body, body) {
		t.Errorf("got %d %s and %d bytes", resp.Status, resp.Reason, len(resp.Body))
	}
	got := map[string][]string{}
	for i, h := range resp.Headers {
		got[h.Name] = append(got[h.Name], h.Value)
		if i > 0 && resp.Headers[i-1].Name > h.Name {
			t.Error("headers are not sorted")
		}
	}
	if fmt.Sprintf("%q", got["x-binary"]) != fmt.Sprintf("%q", []string{"\u0080ÿ", "second"}) {
		t.Errorf("binary header: %q", got["x-binary"])
	}
	if st := c.Stats(); st != (Stats{1, 0, 3000, 3000}) {
		t.Errorf("stats: %+v", st)
	}
	if _, err := c.Do(ctx, [32]byte{}, Request{URL: "http://127.0.0.1:1/", Method: "GET"}); err == nil || c.Stats().Failures != 1 {
		t.Errorf("%v, stats: %+v", err, c.Stats())
	}
}

// TestNothingStays: no cookie, no connection of one contract serves another.
func TestNothingStays(t *testing.T) {
	r := newRig(t)
	remotes := map[string]bool{}
	s := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Cookie") != "" || req.TLS.DidResume {
			t.Error("something was kept")
		}
		remotes[req.RemoteAddr] = true
		w.Header().Set("Set-Cookie", "session=1")
	})
	c := r.client(t)
	for range 3 {
		if _, err := c.Do(ctx, [32]byte{}, get(s.URL)); err != nil {
			t.Fatal(err)
		}
	}
	if len(remotes) != 3 {
		t.Errorf("%d connections for 3 requests", len(remotes))
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	r := newRig(t)
	r.config.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
		t.Error("dialled")
		return nil, io.EOF
	}
	c := r.client(t)
	ok := "http://1.1.1.1/"
	with := func(name, value string) Request {
		return Request{URL: ok, Method: "GET", Headers: []Header{{name, value}}}
	}
	for _, v := range []struct {
		name string
		r    Request
		want error
	}{
		{"no URL", get(""), ErrURL},
		{"no scheme", get("example.com/"), ErrURL},
		{"file", get("file:///etc/passwd"), ErrURL},
		{"ftp", get("ftp://1.1.1.1/"), ErrURL},
		{"gopher", get("gopher://1.1.1.1/"), ErrURL},
		{"sidevm", get("sidevm://00"), ErrURL},
		{"opaque", get("http:1.1.1.1"), ErrURL},
		{"no host", get("http:///path"), ErrURL},
		{"only a port", get("http://:80/"), ErrURL},
		{"user", get("http://user@1.1.1.1/"), ErrURL},
		{"password", get("http://user:pass@1.1.1.1/"), ErrURL},
		{"line end in the URL", get("http://1.1.1.1/\r\nX: y"), ErrURL},
		{"line end in the host", get("http://1.1.1.1%0d%0a/"), ErrURL},
		{"port zero", get("http://1.1.1.1:0/"), ErrURL},
		{"port too high", get("http://1.1.1.1:65536/"), ErrURL},
		{"long URL", get(ok + strings.Repeat("a", 9000)), ErrURL},
		{"no method", Request{URL: ok}, ErrMethod},
		{"two words", Request{URL: ok, Method: "GET /"}, ErrMethod},
		{"line end in the method", Request{URL: ok, Method: "GET\r\n"}, ErrMethod},
		{"CONNECT", Request{URL: ok, Method: "CONNECT"}, ErrMethod},
		{"TRACE", Request{URL: ok, Method: "TRACE"}, ErrMethod},
		{"long method", Request{URL: ok, Method: strings.Repeat("A", 33)}, ErrMethod},
		{"empty name", with("", "v"), ErrHeaderName},
		{"space in the name", with("a b", "v"), ErrHeaderName},
		{"colon in the name", with("a:", "v"), ErrHeaderName},
		{"line end in the name", with("a\r\nb", "v"), ErrHeaderName},
		{"name not ASCII", with("é", "v"), ErrHeaderName},
		{"line end in the value", with("a", "v\r\nb: c"), ErrHeaderValue},
		{"line feed in the value", with("a", "v\nb: c"), ErrHeaderValue},
		{"zero byte in the value", with("a", "v\x00"), ErrHeaderValue},
		{"value beyond bytes", with("a", "€"), ErrHeaderValue},
		{"a code point that ends a line when cut", with("a", "v\u010d\u010a"), ErrHeaderValue},
		{"host with a path", with("Host", "a/b"), ErrHeaderValue},
		{"host with a user", with("Host", "a@b"), ErrHeaderValue},
		{"empty host", with("Host", ""), ErrHeaderValue},
		{"wrong length", with("Content-Length", "5"), ErrHeaderValue},
		{"length with a sign", with("Content-Length", "+0"), ErrHeaderValue},
		{"chunks", with("Transfer-Encoding", "chunked"), ErrNotAllowed},
		{"long header", with("a", strings.Repeat("v", 17<<10)), ErrTooLarge},
		{"many headers", Request{URL: ok, Method: "GET", Headers: make([]Header, 33)}, ErrTooLarge},
		{"long body", Request{URL: ok, Method: "POST", Body: make([]byte, 64<<10+1)}, ErrTooLarge},
		{"loopback", get("http://127.0.0.2./"), ErrUnreachable}, // a name, and there is no such name
		{"loopback v6", get("http://[::1]/"), ErrNotAllowed},
		{"mapped private", get("http://[::ffff:10.0.0.1]/"), ErrNotAllowed},
		{"zone", get("http://[fe80::1%25lo]/"), ErrNotAllowed},
		{"metadata", get("http://169.254.169.254/latest/meta-data"), ErrNotAllowed},
		{"port of mail", get("http://1.1.1.1:25/"), ErrNotAllowed},
	} {
		r.config.Resolver = names{}
		if _, err := c.Do(ctx, [32]byte{}, v.r); !errors.Is(err, v.want) {
			t.Errorf("%s: got %v, want %v", v.name, err, v.want)
		}
	}
}

func TestNames(t *testing.T) {
	r := newRig(t)
	s := r.tls(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("here")) })
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	r.config.Policy.Addresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	r.config.Resolver = names{
		"server.test":  {addrs("127.0.0.1")},
		"private.test": {addrs("10.0.0.1", "fd00::1", "::1", "169.254.169.254")},
		"mixed.test":   {addrs("10.0.0.1", "127.0.0.1")},
		"mapped.test":  {addrs("::ffff:127.0.0.2")},
		"empty.test":   {{}},
	}
	var dialled []netip.AddrPort
	r.config.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		dialled = append(dialled, to)
		return dialTCP(ctx, to)
	}
	c := r.client(t)
	for _, v := range []struct {
		name    string
		want    error
		dialled string
	}{
		{"server.test", nil, "[127.0.0.1" + port + "]"},
		{"private.test", ErrNotAllowed, "[]"},
		{"mapped.test", ErrNotAllowed, "[]"},
		{"empty.test", ErrNotAllowed, "[]"},
		{"unknown.test", ErrUnreachable, "[]"},
		// Only the address that is allowed is tried; the certificate is for another name.
		{"mixed.test", ErrUnreachable, "[127.0.0.1" + port + "]"},
	} {
		dialled = nil
		resp, err := c.Do(ctx, [32]byte{}, get("https://"+v.name+port+"/"))
		if !errors.Is(err, v.want) || fmt.Sprint(dialled) != v.dialled {
			t.Errorf("%s: %v, dialled %v", v.name, err, dialled)
		}
		if v.want == nil && string(resp.Body) != "here" {
			t.Errorf("%s: %q", v.name, resp.Body)
		}
	}
}

// TestRebinding is the attack: a name server gives a good address to whoever checks and loopback to whoever dials. There
// is one lookup for each connection, and what is dialled is what was judged.
func TestRebinding(t *testing.T) {
	r := newRig(t)
	secret := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("secret")) })
	port := secret.URL[strings.LastIndex(secret.URL, ":"):]
	r.config.Policy = Policy{}
	r.config.Resolver = names{"evil.test": {addrs("1.1.1.1"), addrs("127.0.0.1")}}
	var dialled []string
	r.config.Dial = func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
		dialled = append(dialled, to.String())
		return nil, errors.New("no network in tests")
	}
	c := r.client(t)
	_, err := c.Do(ctx, [32]byte{}, get("http://evil.test"+port+"/"))
	if !errors.Is(err, ErrUnreachable) || fmt.Sprint(dialled) != "[1.1.1.1"+port+"]" {
		t.Errorf("first: %v, dialled %v", err, dialled)
	}
	_, err = c.Do(ctx, [32]byte{}, get("http://evil.test"+port+"/"))
	if !errors.Is(err, ErrNotAllowed) || len(dialled) != 1 {
		t.Errorf("second: %v, dialled %v", err, dialled)
	}
}

func TestRedirects(t *testing.T) {
	r := newRig(t)
	r.config.Policy.Addresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	r.config.Resolver = names{"inner.test": {addrs("10.0.0.1")}}
	other := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		fmt.Fprintf(w, "%s %s key=%q accept=%q auth=%q referer=%q", req.Method, body, req.Header.Get("X-Api-Key"),
			req.Header.Get("Accept"), req.Header.Get("Authorization"), req.Header.Get("Referer"))
	})
	plain := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("plain")) })
	s := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		code := 302
		if strings.HasPrefix(req.URL.Path, "/307") {
			code = 307
		}
		if to := req.URL.Query().Get("to"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(code)
			return
		}
		fmt.Fprintf(w, "%s key=%q referer=%q", req.Method, req.Header.Get("X-Api-Key"), req.Header.Get("Referer"))
	})
	c := r.client(t)
	for _, v := range []struct {
		name, to string
		path     string
		want     error
		body     string
	}{
		{"same origin", "/end", "/302", nil, `GET key="k" referer=""`},
		{"other origin: credentials stay", other.URL, "/302", nil, `GET  key="" accept="text/plain" auth="" referer=""`},
		{"method and body kept", other.URL, "/307", nil, `POST body key="" accept="text/plain" auth="" referer=""`},
		{"in the clear", plain.URL, "/302", ErrNotAllowed, ""},
		{"loopback that is not allowed", "https://127.0.0.2/", "/302", ErrNotAllowed, ""},
		{"loopback v6", "https://[::1]:8443/", "/302", ErrNotAllowed, ""},
		{"private", "https://10.0.0.1/", "/302", ErrNotAllowed, ""},
		{"metadata", "http://169.254.169.254/", "/302", ErrNotAllowed, ""},
		{"name of a private address", "https://inner.test/", "/302", ErrNotAllowed, ""},
		{"file", "file:///etc/passwd", "/302", ErrNotAllowed, ""},
		{"user", "https://u:p@127.0.0.1/", "/302", ErrNotAllowed, ""},
		{"port", "https://127.0.0.1:25/", "/302", ErrNotAllowed, ""},
	} {
		resp, err := c.Do(ctx, [32]byte{}, Request{
			URL: s.URL + v.path + "?to=" + v.to, Method: "POST", Body: []byte("body"),
			Headers: []Header{{"X-Api-Key", "k"}, {"Authorization", "secret"}, {"Accept", "text/plain"}},
		})
		if !errors.Is(err, v.want) || string(resp.Body) != v.body {
			t.Errorf("%s: got %q, %v", v.name, resp.Body, err)
		}
	}
}

func TestEndlessRedirects(t *testing.T) {
	r := newRig(t)
	var n atomic.Int32
	s := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, fmt.Sprint("/", n.Add(1)), http.StatusFound)
	})
	_, err := r.client(t).Do(ctx, [32]byte{}, get(s.URL))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "redirects") || n.Load() != 4 {
		t.Errorf("%v after %d", err, n.Load())
	}
}

// TestCredentialsDoNotComeBack is the attack: another server sends the request back with a path of its choice, to have
// the first one act on it with the contract's credentials.
func TestCredentialsDoNotComeBack(t *testing.T) {
	r := newRig(t)
	var first string
	evil := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, first+"/delete", http.StatusFound)
	})
	s := r.tls(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/delete" {
			w.Write([]byte("key=" + req.Header.Get("X-Api-Key")))
			return
		}
		http.Redirect(w, req, evil.URL, http.StatusFound)
	})
	first = s.URL
	resp, err := r.client(t).Do(ctx, [32]byte{}, Request{URL: s.URL, Method: "GET", Headers: []Header{{"X-Api-Key", "k"}}})
	if err != nil || string(resp.Body) != "key=" {
		t.Errorf("got %q, %v", resp.Body, err)
	}
}

func TestCertificates(t *testing.T) {
	r := newRig(t)
	ok := func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) }
	good := r.ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1")
	old := r.ca.issue(t, time.Now().Add(-time.Hour), "127.0.0.1")
	name := r.ca.issue(t, time.Now().Add(time.Hour), "other.test")
	stranger := newAuthority(t).issue(t, time.Now().Add(time.Hour), "127.0.0.1")
	c := r.client(t)
	if _, err := c.Do(ctx, [32]byte{}, get(serve(t, &good, ok).URL)); err != nil {
		t.Fatal(err)
	}
	expired := serve(t, &old, ok)
	for url, why := range map[string]string{
		expired.URL:                         "certificate expired",
		serve(t, &name, ok).URL:             "certificate is for another name",
		serve(t, &stranger, ok).URL:         "certificate of an unknown authority",
		"https" + serve(t, nil, ok).URL[4:]: "connection failed",
	} {
		_, err := c.Do(ctx, [32]byte{}, get(url))
		if !errors.Is(err, ErrUnreachable) || !strings.HasSuffix(err.Error(), why) {
			t.Errorf("want %s, got %v", why, err)
		}
	}
	// The clock of the enclave decides, not the host's.
	r.config.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	if _, err := r.client(t).Do(ctx, [32]byte{}, get(expired.URL)); err != nil {
		t.Errorf("at the time of the certificate: %v", err)
	}
	if _, err := New(Config{Limits: quick()}); err == nil {
		t.Error("a client without roots")
	}
	if _, err := New(Config{Roots: r.ca.pool()}); err == nil {
		t.Error("a client without limits")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	r := newRig(t)
	cert := r.ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1")
	for version, refused := range map[uint16]bool{tls.VersionTLS11: true, tls.VersionTLS12: false, tls.VersionTLS13: false} {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version}
		s.StartTLS()
		_, err := r.client(t).Do(ctx, [32]byte{}, get(s.URL))
		s.Close()
		if errors.Is(err, ErrUnreachable) != refused {
			t.Errorf("%s: got %v", tls.VersionName(version), err)
		}
	}
}

// TestEnvironmentIsIgnored: the host sets the environment of the process.
func TestEnvironmentIsIgnored(t *testing.T) {
	var asked atomic.Int32
	proxy := serve(t, nil, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("SSL_CERT_FILE", "/nowhere")
	r := newRig(t)
	r.config.Resolver = names{"server.test": {addrs("127.0.0.1")}}
	s := r.tls(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("direct")) })
	resp, err := r.client(t).Do(ctx, [32]byte{}, get("https://server.test"+s.URL[strings.LastIndex(s.URL, ":"):]))
	if err != nil || string(resp.Body) != "direct" || asked.Load() != 0 {
		t.Errorf("%q, %v, the proxy was asked %d times", resp.Body, err, asked.Load())
	}
}

func TestAtOnce(t *testing.T) {
	r := newRig(t)
	r.config.Limits.AtOnce, r.config.Limits.PerContract = 3, 2
	var now, most atomic.Int32
	release := make(chan struct{})
	s := r.tls(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-release
		now.Add(-1)
	})
	c := r.client(t)
	var wg sync.WaitGroup
	start := func(contract byte, n int) {
		for range n {
			wg.Go(func() {
				if _, err := c.Do(ctx, [32]byte{contract}, get(s.URL)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	await := func(want int32) {
		t.Helper()
		for deadline := time.Now().Add(15 * time.Second); now.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d under way, want %d", now.Load(), want)
			}
		}
	}
	start(1, 5)
	await(2)
	start(2, 5)
	await(3)
	req := get(s.URL)
	req.Timeout = 50 * time.Millisecond
	if _, err := c.Do(ctx, [32]byte{1}, req); !errors.Is(err, ErrBusy) {
		t.Errorf("over the bound of a contract: %v", err)
	}
	if _, err := c.Do(ctx, [32]byte{3}, req); !errors.Is(err, ErrBusy) {
		t.Errorf("over the bound of all: %v", err)
	}
	close(release)
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d at once", most.Load())
	}
	if len(c.gate.lanes) != 0 || len(c.gate.all) != 0 {
		t.Errorf("%d lanes and %d places are left", len(c.gate.lanes), len(c.gate.all))
	}
}

func TestSystemRoots(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "/nowhere")
	pool, err := SystemRoots()
	if (pool == nil) == (err == nil) {
		t.Fatalf("%v, %v", pool, err)
	}
	saved := rootFiles
	defer func() { rootFiles = saved }()
	rootFiles = []string{t.TempDir() + "/none"}
	if _, err := SystemRoots(); err == nil {
		t.Error("roots out of nothing")
	}
}

// FuzzRequest: whatever a contract asks for, what goes out is one request that a server reads as it was meant.
func FuzzRequest(f *testing.F) {
	f.Add("http://1.1.1.1/", "GET", "a", "b", []byte("body"))
	f.Add("https://example.com:8443/a?b#c", "POST", "Host", "other", []byte{})
	f.Add("http://[::1]/", "PUT", "Content-Length", "4", []byte("four"))
	f.Add("http://1.1.1.1/", "GET", "X", "v\r\nY: z", []byte{})
	c, err := New(Config{Limits: quick(), Roots: x509.NewCertPool()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, url, method, name, value string, body []byte) {
		req, err := c.build(ctx, Request{URL: url, Method: method, Headers: []Header{{name, value}}, Body: body})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := req.Write(&out); err != nil {
			return // net/http refuses what is left
		}
		back, rest := readBack(t, out.Bytes())
		if back.Method != method || rest != 0 {
			t.Fatalf("%q came back as %s with %d bytes left", out.Bytes(), back.Method, rest)
		}
		got, err := io.ReadAll(back.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("body %q came back as %q, %v", body, got, err)
		}
	})
}
