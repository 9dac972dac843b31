package rpc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/worker"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

type clientDoor struct {
	chain    Chain
	clusters Clusters
	self     Self
}

// NewClientHandler returns the handler of the client port: Info, Query and Receipt. More than a fixed number of
// requests at a time are refused at once.
func NewClientHandler(chain Chain, clusters Clusters, self Self) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(enclavev1connect.NewClientServiceHandler(&clientDoor{chain, clusters, self},
		connect.WithReadMaxBytes(maxClientRequest), connect.WithRecover(recovered)))
	return withCORS(limited(http.TimeoutHandler(mux, clientTimeout, "timed out\n"), maxClientStreams))
}

// limited lets n requests run at a time.
func limited(h http.Handler, n int) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
		default:
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		defer func() { <-slots }()
		// A body that does not come holds its slot no longer than an answer may take.
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(clientTimeout)); err != nil {
			http.Error(w, "connection has no deadlines", http.StatusInternalServerError)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxClientRequest+1024)
		h.ServeHTTP(w, r)
	})
}

// withCORS lets pages of any origin call: there are no cookies here, and every request carries its own signature.
func withCORS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if r.Method != http.MethodOptions {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Methods", "POST")
		w.Header().Set("Access-Control-Allow-Headers",
			"Content-Type, Connect-Protocol-Version, Connect-Timeout-Ms, X-Grpc-Web, X-User-Agent, Grpc-Timeout")
		w.Header().Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	})
}

func (d *clientDoor) Info(context.Context, *connect.Request[pb.InfoRequest]) (*connect.Response[pb.InfoResponse], error) {
	about := d.self.About()
	out := &pb.InfoResponse{
		Identity:    about.Identity,
		Ecdh:        about.Ecdh,
		EcdhEpoch:   about.EcdhEpoch,
		Incarnation: about.Incarnation[:],
		ChainUid:    about.UID[:],
		Platform:    about.Platform,
		Software:    about.Software,
		Simulated:   about.Simulated,
		Clusters:    clusterStatuses(d.clusters.Status()),
	}
	for _, c := range out.Clusters {
		c.Problem = "" // words for the operator
	}
	if h, _, ok := d.chain.Header(); ok {
		out.Height, out.BlockTime = h.Height, h.UnixMillis()
	}
	return connect.NewResponse(out), nil
}

func (d *clientDoor) Query(ctx context.Context, req *connect.Request[pb.QueryRequest]) (*connect.Response[pb.QueryResponse], error) {
	cluster, err := clusterID(req.Msg.Cluster)
	if err != nil {
		return nil, invalid(err)
	}
	reply, err := d.clusters.Query(ctx, cluster, req.Msg.Envelope)
	if err != nil {
		return nil, clientError(err)
	}
	return connect.NewResponse(&pb.QueryResponse{Envelope: reply}), nil
}

func (d *clientDoor) Receipt(ctx context.Context, req *connect.Request[pb.ReceiptRequest]) (*connect.Response[pb.ReceiptResponse], error) {
	cluster, err := clusterID(req.Msg.Cluster)
	if err != nil {
		return nil, invalid(err)
	}
	r, err := d.clusters.Receipt(ctx, cluster, req.Msg.Index, req.Msg.Wait)
	if err != nil {
		return nil, clientError(err)
	}
	out := &pb.ReceiptResponse{Envelope: r.Envelope, Mark: r.Mark, Leaf: r.Leaf, Leaves: r.Leaves}
	for _, h := range r.Path {
		out.Path = append(out.Path, append([]byte(nil), h[:]...))
	}
	return connect.NewResponse(out), nil
}

// clientError gives a caller a code to act on: Unavailable, try again or another worker; NotFound, there is none;
// ResourceExhausted, too many; InvalidArgument, the request's own fault. Whatever else goes wrong is this worker's, and
// its words stay here: they may tell of the state.
func clientError(err error) error {
	codes := []struct {
		is   error
		code connect.Code
	}{
		{worker.ErrBehind, connect.CodeUnavailable},
		{worker.ErrStale, connect.CodeUnavailable},
		{worker.ErrNotRunning, connect.CodeUnavailable},
		{worker.ErrNotYet, connect.CodeUnavailable},
		{keys.ErrReceiving, connect.CodeUnavailable},
		{keys.ErrHandedOver, connect.CodeUnavailable},
		{worker.ErrQuery, connect.CodeInvalidArgument},
		{worker.ErrReplayed, connect.CodeInvalidArgument},
		{worker.ErrExpired, connect.CodeInvalidArgument},
		{worker.ErrUnknownCluster, connect.CodeNotFound},
		{worker.ErrNoReceipt, connect.CodeNotFound},
		{worker.ErrBusy, connect.CodeResourceExhausted},
		{context.DeadlineExceeded, connect.CodeDeadlineExceeded},
		{context.Canceled, connect.CodeCanceled},
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return connect.NewError(c.code, c.is)
		}
	}
	return connect.NewError(connect.CodeInternal, errInternal)
}
