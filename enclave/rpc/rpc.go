// Package rpc is the enclave's only door. It serves two Connect services: RelayService on a Unix socket of mode 0600
// for the relay of the same machine, and ClientService, with Info, Query and Receipt only, on the client port.
//
// [NewRelayHandler] and [NewClientHandler] make the handlers, [ListenRelay] the socket, and [Serve] runs a handler on
// a listener until its context ends.
//
// What is promised: the client port has no path to any relay method; requests are bounded in size, time and number
// before they are read; errors carry the words of the sentinel that a caller can act on, never a secret.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of the two doors.
const (
	maxRelayRequest  = 48 << 20 // one Advance with its batches
	maxClientRequest = 768 << 10
	maxClientStreams = 256
	maxConnections   = 1024 // at one door
	headerTimeout    = 5 * time.Second
	clientTimeout    = 15 * time.Second
	idleTimeout      = 2 * time.Minute
	shutdownTimeout  = 5 * time.Second
	maxSocketPath    = 100 // sockaddr_un holds 108 bytes on Linux, 104 elsewhere
)

// ListenRelay listens on a Unix socket of mode 0600. A socket that a dead process left is replaced; the caller's lock
// on the home directory makes sure that no living one is.
func ListenRelay(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("socket path %s is over %d bytes long; choose a shorter home", path, maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("relay socket: %w", err)
	}
	return l, nil
}

// Serve runs a handler until ctx ends, then lets requests finish for a few seconds and cuts off the rest.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		Protocols:         protocols(),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // who is still asking is cut off
	}
	<-done
	return err
}

// protocols are HTTP/1.1 and HTTP/2 without TLS: what travels is enveloped, and gRPC clients need HTTP/2.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
