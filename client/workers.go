package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

const (
	maxResponse = 2 << 20 // bytes that a worker may answer
	// workerTimeout bounds one question. A worker that is behind waits up to 5 s, and a contract that asks outside up to
	// 10 s; then its port gives up.
	workerTimeout = 16 * time.Second
)

func readFull(r io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(r, b)
	if err != nil {
		return n, fmt.Errorf("randomness: %w", err)
	}
	return n, nil
}

// ask calls a worker at its endpoints, one after the other, until one answers. An answer may be the worker's refusal:
// a [*connect.Error] that came over the wire.
func ask[T any](ctx context.Context, c *Client, w *wire.WorkerState,
	call func(context.Context, enclavev1connect.ClientServiceClient) (*connect.Response[T], error)) (*T, error) {
	err := errors.New("it publishes no endpoint")
	for _, endpoint := range w.Info.Endpoints {
		u, bad := url.Parse(endpoint)
		if bad != nil || u.Scheme != "http" && u.Scheme != "https" {
			err = errors.New("its endpoint is no http address")
			continue
		}
		at := enclavev1connect.NewClientServiceClient(c.cfg.HTTP, endpoint, connect.WithReadMaxBytes(maxResponse))
		once, cancel := context.WithTimeout(ctx, workerTimeout)
		var answer *connect.Response[T]
		answer, err = call(once, at)
		cancel()
		if err == nil {
			return answer.Msg, nil
		}
		if connect.IsWireError(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, &WorkerError{w.Identity, err}
}

// Info asks a worker what it says of itself. Nothing of that is proven.
func (c *Client) Info(ctx context.Context, w *wire.WorkerState) (*pb.InfoResponse, error) {
	return ask(ctx, c, w, func(ctx context.Context, at enclavev1connect.ClientServiceClient) (*connect.Response[pb.InfoResponse], error) {
		return at.Info(ctx, connect.NewRequest(&pb.InfoRequest{}))
	})
}

// refusal returns the code with which a worker refused, or false where it was not reached.
func refusal(err error) (connect.Code, bool) {
	if !connect.IsWireError(err) {
		return 0, false
	}
	return connect.CodeOf(err), true
}

// members returns the cluster's members in random order, so that the load spreads.
func (c *Client) members(ctx context.Context, id wire.ClusterID) ([]sr25519.PublicKey, error) {
	cluster, err := c.cluster(ctx, id, factReuse)
	if err != nil {
		return nil, err
	}
	ids := make([]sr25519.PublicKey, len(cluster.Record.Members))
	for i, m := range cluster.Record.Members {
		ids[i] = m.Identity
	}
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids, nil
}

// active returns a worker's proven state where it may act and, if the configuration asks for it, its evidence holds.
func (c *Client) active(ctx context.Context, id sr25519.PublicKey, reuse time.Duration) (*wire.WorkerState, error) {
	w, err := c.worker(ctx, id, reuse)
	if err != nil {
		return nil, err
	}
	if w.Record.Status != wire.WorkerActive {
		return nil, &WorkerError{id, fmt.Errorf("%w: it is %s", ErrInactive, w.Record.Status)}
	}
	if err := c.attested(ctx, w); err != nil {
		return nil, &WorkerError{id, err}
	}
	return &w.Record, nil
}
