package e2e

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/phalanx-network/phalanx/client"
)

// httpResponse is what contracts get for a request; the names are those of the pink crate.
type httpResponse struct {
	Status  int         `json:"status_code"`
	Reason  string      `json:"reason_phrase"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

func (r *httpResponse) text(t testing.TB) string {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(r.Body, "0x"))
	must(t, err)
	return string(raw)
}

// site is a server that counts what reaches it.
type site struct {
	*httptest.Server
	requests atomic.Int32
}

func serve(t testing.TB, address string, start func(*httptest.Server)) *site {
	t.Helper()
	s := &site{}
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	must(t, err)
	answer := func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		w.Header().Set("X-Asked", r.Method+" "+r.URL.Path)
		_, _ = w.Write([]byte("the price is 7")) // where the client is gone, its test fails
	}
	s.Server = &httptest.Server{Listener: l, Config: &http.Server{
		Handler: http.HandlerFunc(answer), ErrorLog: log.New(io.Discard, "", 0), // clients that do not trust it are wanted
	}}
	start(s.Server)
	t.Cleanup(s.Close)
	return s
}

// A query reaches a server on the address that the operator allows and no other of the machine; a server without a known
// certificate is not believed; and a command reaches nothing at all, on either worker.
func TestHTTP(t *testing.T) {
	n := sharedNetwork(t)
	owner := client.Of(person(t))
	x := n.deploy(t, fixture(t, "pink4"), owner, "new")
	get := func(worker int, url string) *httpResponse {
		t.Helper()
		said, _, err := x.ask(limit(t), n.workers[worker], owner, "http_get", strconv.Quote(url))
		must(t, err)
		r := new(httpResponse)
		must(t, json.Unmarshal([]byte(said), r))
		return r
	}
	good := serve(t, reachable, (*httptest.Server).Start)
	for i := range n.workers {
		r := get(i, good.URL+"/price")
		same(t, "status", r.Status, http.StatusOK)
		same(t, "body", r.text(t), "the price is 7")
		asked := ""
		for _, h := range r.Headers {
			if strings.EqualFold(h[0], "x-asked") {
				asked = h[1]
			}
		}
		same(t, "what the server got", asked, "GET /price")
	}
	same(t, "requests", good.requests.Load(), 2)

	for _, address := range []string{"http://10.0.0.1/", "http://169.254.169.254/", "http://" + unreachable + ":4000/"} {
		r := get(0, address)
		same(t, "status of "+address, r.Status, 524)
		same(t, "body of "+address, r.text(t), "NotAllowed")
	}
	stranger := serve(t, reachable, (*httptest.Server).StartTLS)
	r := get(1, stranger.URL)
	same(t, "status of a server with a certificate of its own", r.Status, 523)
	same(t, "requests that it got", stranger.requests.Load(), 0)

	last, _ := x.call(t, owner, "record_http", strconv.Quote(good.URL))
	x.want(t, owner, "recorded_http", `{"status":523,"reason":"API Unavailable","batch":0,"batch_error":"NotAllowed"}`, n.workers...)
	n.settled(t, last, n.workers...)
	same(t, "requests after the command", good.requests.Load(), 2)
}
