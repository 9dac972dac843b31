package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// raw is a server that speaks as it likes.
func raw(t *testing.T, speak func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				speak(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "http://" + l.Addr().String() + "/"
}

// drip writes until the other side gives up.
func drip(conn net.Conn, text string, pause time.Duration) {
	for {
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

func TestBadServers(t *testing.T) {
	r := newRig(t)
	patient := r.client(t)
	r.config.Limits.Timeout = 300 * time.Millisecond
	hasty := r.client(t)
	say := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			buf := make([]byte, 1000)
			conn.Read(buf)
			conn.Write([]byte(text))
		}
	}
	for _, v := range []struct {
		name  string
		speak func(net.Conn)
		want  error
	}{
		{"never answers", func(conn net.Conn) { io.Copy(io.Discard, conn) }, ErrUnreachable},
		{"closes", func(net.Conn) {}, ErrUnreachable},
		{"garbage", say("\x00\x01\x02garbage\r\n\r\n"), ErrUnreachable},
		{"drips headers", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
			drip(conn, "a: b\r\n", 20*time.Millisecond)
		}, ErrUnreachable},
		{"endless headers", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
			drip(conn, strings.Repeat("a: b\r\n", 1000), 0)
		}, ErrTooLarge},
		{"one endless header", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\na: "))
			drip(conn, strings.Repeat("b", 10000), 0)
		}, ErrTooLarge},
		{"many headers", say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + strings.Repeat("a: b\r\n", 40) + "\r\n"), ErrTooLarge},
		{"endless interim responses", func(conn net.Conn) { drip(conn, "HTTP/1.1 103 Early Hints\r\n\r\n", 0) }, ErrUnreachable},
		{"drips the body", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			drip(conn, "x", 20*time.Millisecond)
		}, ErrNetwork},
		{"breaks off", say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), ErrNetwork},
		{"bad chunks", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), ErrNetwork},
		{"announces too much", say("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n"), ErrTooLarge},
		{"sends too much", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			drip(conn, strings.Repeat("x", 10000), 0)
		}, ErrTooLarge},
		{"other protocol", say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"), ErrNetwork},
		{"speaks before it is asked", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nsecret"))
			io.Copy(io.Discard, conn)
		}, nil},
		{"endless chunk extension", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"))
			drip(conn, strings.Repeat("x", 10000), 0)
		}, ErrNetwork},
		{"endless trailer", func(conn net.Conn) {
			conn.Write([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"))
			drip(conn, strings.Repeat("x", 10000), 0)
		}, ErrNetwork},
		{"two lengths", say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), ErrUnreachable},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := patient
			if strings.HasPrefix(v.name, "drips") || v.name == "never answers" {
				c = hasty // only time ends these
			}
			began := time.Now()
			_, err := c.Do(ctx, [32]byte{}, get(raw(t, v.speak)))
			if !errors.Is(err, v.want) {
				t.Errorf("got %v, want %v", err, v.want)
			}
			if d := time.Since(began); d > 15*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// TestAnswerBeforeTheBody: a server that refuses a long body unread is heard.
func TestAnswerBeforeTheBody(t *testing.T) {
	r := newRig(t)
	r.config.Limits.RequestBytes = 64 << 20
	done := make(chan struct{})
	defer close(done)
	url := raw(t, func(conn net.Conn) {
		conn.Read(make([]byte, 100))
		conn.Write([]byte("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"))
		<-done
	})
	resp, err := r.client(t).Do(ctx, [32]byte{}, Request{URL: url, Method: "POST", Body: make([]byte, 32<<20)})
	if err != nil || resp.Status != 413 || string(resp.Body) != "no" {
		t.Errorf("got %d %q, %v", resp.Status, resp.Body, err)
	}
}

// TestNothingIsLogged: what servers send is in no log, even if it comes out of turn.
func TestNothingIsLogged(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	r := newRig(t)
	url := raw(t, func(conn net.Conn) {
		conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nsecret"))
		io.Copy(io.Discard, conn)
	})
	slow := func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		conn, err := dialTCP(ctx, to)
		time.Sleep(20 * time.Millisecond) // the answer is there before the question
		return conn, err
	}
	r.config.Dial = slow
	if _, err := r.client(t).Do(ctx, [32]byte{}, get(url)); err != nil {
		t.Error(err)
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %q", logged.String())
	}
}

func TestTime(t *testing.T) {
	r := newRig(t)
	url := raw(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	c := r.client(t)
	t.Run("of the request", func(t *testing.T) {
		req := get(url)
		req.Timeout = 50 * time.Millisecond
		if _, err := c.Do(ctx, [32]byte{}, req); !errors.Is(err, ErrUnreachable) || !strings.HasSuffix(err.Error(), "timed out") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("never above the limit", func(t *testing.T) {
		r.config.Limits.Timeout = 50 * time.Millisecond
		req := get(url)
		req.Timeout = time.Hour
		if _, err := r.client(t).Do(ctx, [32]byte{}, req); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("name resolution counts", func(t *testing.T) {
		r.config.Resolver = stuck{}
		if _, err := r.client(t).Do(ctx, [32]byte{}, get("http://server.test/")); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := c.Do(ctx, [32]byte{}, get(url)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// stuck is a resolver that never answers.
type stuck struct{}

func (stuck) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestAnswerAfterTheTime has a server that answers the moment it learns that the client gave up, as http.Server does when
// a handler heeds its context: what comes after the time is no answer.
func TestAnswerAfterTheTime(t *testing.T) {
	r := newRig(t)
	server := r.tls(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	r.config.Limits.Timeout = 50 * time.Millisecond
	client := r.client(t)
	for range 20 {
		response, err := client.Do(t.Context(), [32]byte{}, get(server.URL))
		if !errors.Is(err, ErrUnreachable) {
			t.Fatalf("%+v, %v", response, err)
		}
	}
}
