package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotRunning says that no devnet runs in a home.
var ErrNotRunning = errors.New("no devnet runs in this home")

const (
	controlSocket  = "control.sock"
	controlTimeout = 2 * time.Minute
	maxSocketPath  = 100
	maxControlText = 64 << 10
)

// control is the door through which other processes of the same user command a devnet.
type control struct {
	server *http.Server
	done   chan struct{}
}

func openControl(d *Devnet) (*control, error) {
	path := d.plan.path("run", controlSocket)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%w: home is too long for sockets: %s", ErrOptions, d.plan.home)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	act := func(do func(context.Context, string) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			err := do(r.Context(), r.URL.Query().Get("id"))
			if errors.Is(err, ErrUnknownProcess) {
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answer(w, d)
		}
	}
	mux.HandleFunc("POST /restart", act(d.Restart))
	mux.HandleFunc("POST /kill", act(func(_ context.Context, id string) error { return d.Kill(id) }))
	c := &control{&http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, make(chan struct{})}
	go func() {
		defer close(c.done)
		if err := c.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.say("control socket closed: %v", err)
		}
	}()
	return c, nil
}

func answer(w http.ResponseWriter, d *Devnet) {
	n, err := d.Network()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(n) // a caller that has gone away has no use for it
}

func (c *control) close() {
	c.server.Close()
	<-c.done
}

// Remote is the devnet that another process runs in a home.
type Remote struct {
	client *http.Client
}

// Dial returns the devnet that runs in a home.
func Dial(home string) *Remote {
	socket := filepath.Join(home, "run", controlSocket)
	return &Remote{&http.Client{
		Timeout: controlTimeout,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}}
}

// Restart is [Devnet.Restart].
func (r *Remote) Restart(ctx context.Context, id string) (Network, error) {
	return r.call(ctx, "/restart", id)
}

// Kill is [Devnet.Kill].
func (r *Remote) Kill(ctx context.Context, id string) (Network, error) {
	return r.call(ctx, "/kill", id)
}

func (r *Remote) call(ctx context.Context, path, id string) (n Network, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://devnet"+path+"?id="+url.QueryEscape(id), nil)
	if err != nil {
		return n, err
	}
	response, err := r.client.Do(request)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return n, ErrNotRunning
	}
	if err != nil {
		return n, fmt.Errorf("devnet: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&n)
		return n, err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxControlText))
	if response.StatusCode == http.StatusNotFound {
		return n, fmt.Errorf("%w: %.80q", ErrUnknownProcess, id)
	}
	return n, errors.Join(fmt.Errorf("devnet: %s", text), err)
}
