package contracts_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/pink"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// connect makes the extension of a worker: its operator allows loopback, where a TLS server answers under "$url". A plain
// one answers under "$plain".
func (w *world) connect() contract.Extension {
	w.t.Helper()
	server, plain := httptest.NewUnstartedServer(http.HandlerFunc(answer)), httptest.NewServer(http.HandlerFunc(answer))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	w.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		plain.Close()
	})
	w.words["url"], w.words["plain"] = server.URL, plain.URL
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := fetch.New(fetch.Config{
		Limits: fetch.DefaultLimits(), Roots: roots, Policy: fetch.Policy{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	clock := func() time.Time { return w.now }
	extension, err := pink.New(pink.Config{
		Cache: cache.New(cache.DefaultLimits(), clock), HTTP: client, Now: clock, Worker: [32]byte{1, 2, 3},
		Quote: func(context.Context) ([]byte, error) { return []byte("evidence"), nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return extension
}

// answer is the server that contracts ask.
func answer(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Date"] = nil // which would change
	switch r.URL.Path {
	case "/hello":
		header.Set("X-Greeting", "hel\xe9lo")
		_, _ = io.WriteString(w, "hello")
	case "/echo":
		header.Set("X-Method", r.Method)
		header.Set("X-Sent", r.Header.Get("X-Sent"))
		header.Set("Content-Type", "application/octet-stream")
		_, _ = io.Copy(w, io.LimitReader(r.Body, 1<<16))
	case "/huge":
		_, _ = w.Write(make([]byte, fetch.DefaultLimits().ResponseBytes+1))
	case "/moved":
		http.Redirect(w, r, "/hello", http.StatusFound)
	case "/inside":
		http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
	case "/slow":
		<-r.Context().Done()
	default:
		http.Error(w, "nothing here", http.StatusNotFound)
	}
}
