package relay

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"

	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// peerProcedure is the peer door's only method. Its messages are those of the enclave's ExportState: the request is
// signed by the worker that asks, the answer is enveloped to it.
const peerProcedure = "/phalanx.peer.v1.PeerService/ExportState"

// Bounds of the peer door.
const (
	peerRequestBytes = 16 << 10
	peerAnswerBytes  = 1 << 20
	peerTimeout      = 20 * time.Second
	peerConcurrency  = 8
	maxHeaderBytes   = 16 << 10
)

var errPeerBusy = errors.New("too many transfers are under way")

// newPeerHandler serves the enclave's snapshots to other relays. What may be asked for is the enclave's decision.
func newPeerHandler(enclave Enclave) http.Handler {
	slots := make(chan struct{}, peerConcurrency)
	export := func(ctx context.Context, r *connect.Request[pb.ExportStateRequest]) (*connect.Response[pb.ExportStateResponse], error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			return nil, connect.NewError(connect.CodeUnavailable, errPeerBusy)
		}
		ctx, cancel := context.WithTimeout(ctx, peerTimeout)
		defer cancel()
		answer, err := enclave.ExportState(ctx, connect.NewRequest(r.Msg))
		if err != nil {
			return nil, err
		}
		return connect.NewResponse(answer.Msg), nil
	}
	mux := http.NewServeMux()
	mux.Handle(peerProcedure, connect.NewUnaryHandler(peerProcedure, export, connect.WithReadMaxBytes(peerRequestBytes)))
	return mux
}

// dialPeer returns a call to another relay's peer door.
func dialPeer(url string) *connect.Client[pb.ExportStateRequest, pb.ExportStateResponse] {
	client := &http.Client{
		Timeout: peerTimeout,
		// A door that points elsewhere is not the one that its operator published.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return connect.NewClient[pb.ExportStateRequest, pb.ExportStateResponse](client, url+peerProcedure,
		connect.WithReadMaxBytes(peerAnswerBytes))
}

// serve runs a handler until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler, timeout time.Duration) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: timeout, WriteTimeout: 2 * timeout,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeaderBytes,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	err := server.Close()
	<-done
	return err
}
