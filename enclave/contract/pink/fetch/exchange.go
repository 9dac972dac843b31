package fetch

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/http/httpguts"
)

// maxInterim is how many 1xx responses may precede the response.
const maxInterim = 5

// exchange is a http.RoundTripper for exactly one request on a connection of its own. It stands in for http.Transport,
// which serves pools of connections, reads the environment, and writes what a server sends out of turn to the log.
type exchange struct{ client *Client }

// RoundTrip implements http.RoundTripper.
func (x exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if req.Body != nil {
		defer req.Body.Close()
	}
	conn, err := x.connect(ctx, req.URL)
	if err != nil {
		return nil, err
	}
	// The end of the context closes the connection, which ends whatever waits on it. TCP's, for TLS would say goodbye first:
	// a server could answer to that, or hold it up for seconds.
	raw := conn
	if secure, ok := conn.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	end := func() {
		stop()
		raw.Close()
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// A server may answer before it has read all, and then close: the answer says more than the failed write.
		_ = req.Write(conn)
	}()
	resp, err := x.receive(conn, req)
	if err != nil {
		end()
		<-sent
		return nil, errors.Join(err, ctx.Err())
	}
	resp.Body = &body{resp.Body, func() { end(); <-sent }}
	return resp, nil
}

// connect dials the host of u and, for https, makes the handshake.
func (x exchange) connect(ctx context.Context, u *url.URL) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host, err := httpguts.PunycodeHostPort(u.Hostname())
	if err != nil {
		return nil, ErrURL
	}
	raw, err := x.client.connect(ctx, host, port)
	if err != nil || u.Scheme != "https" {
		return raw, err
	}
	config := x.client.tls.Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return conn, nil
}

// receive reads status and headers, the interim ones too, within Limits.HeaderBytes in all.
func (x exchange) receive(conn net.Conn, req *http.Request) (*http.Response, error) {
	limits := &x.client.limits
	limited := &io.LimitedReader{R: conn, N: int64(limits.HeaderBytes)}
	in := bufio.NewReader(limited)
	for range maxInterim + 1 {
		resp, err := http.ReadResponse(in, req)
		switch {
		case err != nil && limited.N <= 0:
			return nil, ErrTooLarge
		case err != nil:
			return nil, err
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			limited.N = math.MaxInt64 // the body is bounded where it is read, its framing by net/http
			return resp, nil
		}
	}
	return nil, errors.New("too many interim responses")
}

// body is the body of a response, whose end is that of the connection.
type body struct {
	io.ReadCloser
	end func()
}

// Close ends the connection first, so that nothing waits for the rest of the body.
func (b *body) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
