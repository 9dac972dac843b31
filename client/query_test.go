package client_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/wire"
)

// TestRefusedReplies has workers, and those between, answer wrongly.
func TestRefusedReplies(t *testing.T) {
	stranger := must(ecdh.Generate(rand.Reader))
	for name, lie := range map[string]struct {
		tell func(*network, *worker)
		want error
	}{
		"to another query": {func(_ *network, w *worker) {
			w.lieReply = func(r *wire.QueryReply) { r.Invocation[0]++ }
		}, client.ErrReply},
		"on an unknown block": {func(_ *network, w *worker) {
			w.lieReply = func(r *wire.QueryReply) { r.BlockHash[0]++ }
		}, client.ErrUnconfirmed},
		"with another block time": {func(_ *network, w *worker) {
			w.lieReply = func(r *wire.QueryReply) { r.BlockTime++ }
		}, client.ErrUnconfirmed},
		"on a block that is not there": {func(n *network, w *worker) {
			w.lieReply = func(r *wire.QueryReply) { r.Height += 1000 }
		}, client.ErrUnconfirmed},
		"too old": {func(n *network, w *worker) {
			w.lieReply = func(r *wire.QueryReply) {
				h := n.blocks.Header(r.Height - 11)
				r.Height, r.BlockHash, r.BlockTime = h.Height, h.Hash, h.UnixMillis()
			}
		}, client.ErrTooOld},
		"from another key": {func(_ *network, w *worker) { w.sealWith = stranger }, client.ErrReply},
		"to another key": {func(_ *network, w *worker) {
			w.lieEnvelope = func(_ *envelope.Envelope, to *ecdh.PublicKey) {
				if to != nil {
					*to = stranger.Public()
				}
			}
		}, client.ErrReply},
		"with a flipped bit": {func(_ *network, w *worker) {
			w.lieEnvelope = func(e *envelope.Envelope, _ *ecdh.PublicKey) {
				if e != nil {
					e.Data[40] ^= 1
				}
			}
		}, client.ErrReply},
		"refusal": {func(_ *network, w *worker) {
			w.refuse = connect.NewError(connect.CodeUnavailable, errors.New("behind"))
		}, client.ErrWorker},
		"suspended": {func(n *network, w *worker) {
			w.register(func(s *wire.WorkerState) { s.Status = wire.WorkerSuspended })
			n.next(2)
		}, client.ErrInactive},
		"no endpoint": {func(n *network, w *worker) {
			w.register(func(s *wire.WorkerState) { s.Info.Endpoints = []string{"file:///etc/passwd"} })
			n.next(2)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, 1)
			n.next(20)
			lie.tell(n, n.workers[0])
			ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
			defer cancel()
			_, err := n.dial(t).Query(ctx, n.query("x"))
			if err == nil || lie.want != nil && !errors.Is(err, lie.want) {
				t.Errorf("%v, want %v", err, lie.want)
			}
		})
	}
}

func TestReplyAgainstTheOwnClock(t *testing.T) {
	n := newNetwork(t, 1)
	cfg := n.config()
	skew := time.Duration(0)
	cfg.Now = func() time.Time { return n.now().Add(skew) }
	c := must(client.Dial(context.Background(), cfg))
	n.workers[0].lieReply = func(*wire.QueryReply) { skew = 61 * time.Second }
	if _, err := c.Query(context.Background(), n.query("x")); !errors.Is(err, client.ErrClock) {
		t.Errorf("%v", err)
	}
}

// TestWorkerRestarts has the worker start anew between two queries: the signature must name its new incarnation.
func TestWorkerRestarts(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.dial(t)
	if _, err := c.Query(context.Background(), n.query("x")); err != nil {
		t.Fatal(err)
	}
	w := n.workers[0]
	w.incarnation, w.ecdh, w.epoch = wire.Incarnation{99}, must(ecdh.Generate(rand.Reader)), 5
	if _, err := c.Query(context.Background(), n.query("x")); err == nil {
		t.Fatal("answered by an incarnation that the chain does not know")
	}
	w.register(nil)
	n.next(2)
	if _, err := c.Query(context.Background(), n.query("x")); err != nil {
		t.Fatal(err)
	}
}
