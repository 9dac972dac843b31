package fetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// authority is a certificate authority of a test.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate for names and addresses, good until end.
func (a *authority) issue(t *testing.T, end time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: end.Add(-24 * time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve starts a TLS server on loopback with a certificate, or a plain one with none.
func serve(t *testing.T, cert *tls.Certificate, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if cert == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
		s.StartTLS()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// names is a resolver with fixed answers, a new one at each lookup, the last for ever.
type names map[string][][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers := n[host]
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n[host] = answers[1:]
	}
	return answers[0], nil
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// quick are limits for tests: short, small.
func quick() Limits {
	l := DefaultLimits()
	l.Timeout = 20 * time.Second
	l.ResponseBytes, l.RequestBytes, l.HeaderBytes, l.Headers, l.Redirects = 64<<10, 64<<10, 16<<10, 32, 3
	return l
}

// rig is what a client is made of in a test.
type rig struct {
	ca     *authority
	config Config
}

func newRig(t *testing.T) *rig {
	ca := newAuthority(t)
	return &rig{ca, Config{Limits: quick(), Policy: Policy{Addresses: loopback}, Roots: ca.pool()}}
}

func (r *rig) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *rig) tls(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	cert := r.ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1", "server.test")
	return serve(t, &cert, h)
}

func get(url string) Request { return Request{URL: url, Method: "GET"} }

// readBack parses what was written as a server does, and counts the bytes after the request.
func readBack(t *testing.T, b []byte) (*http.Request, int) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(b))
	req, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	rest, _ := io.ReadAll(in)
	return req, len(rest)
}
