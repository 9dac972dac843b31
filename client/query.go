package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

const (
	// DefaultQueryGas is the gas limit of a query that names none: as much as a worker gives.
	DefaultQueryGas = 2_000_000_000
	// DefaultMaxBehind is how many blocks a reply may be behind where the query does not say.
	DefaultMaxBehind = 10

	queryLifetime = 50              // blocks; a worker takes at most 100
	confirmWithin = 5 * time.Second // how long the node may lag behind a worker's header
)

// Query is a question to a contract. It changes nothing, costs nothing and leaves no trace on the chain.
type Query struct {
	Cluster   wire.ClusterID
	Worker    sr25519.PublicKey // whom to ask; the zero key for any member
	From      Signer
	To        wire.ContractID
	Input     []byte
	Value     uint128.Uint128 // for a dry run of a message that takes value
	GasLimit  uint64          // 0 for [DefaultQueryGas]
	MaxBehind uint64          // how many blocks the reply may be behind; 0 for [DefaultMaxBehind]
}

// Answer is a checked reply. The outcome may be a failure: see [Check].
type Answer struct {
	wire.QueryReply
	Worker      sr25519.PublicKey
	Incarnation wire.Incarnation // the worker's
	Header      light.Header     // that it stands on, as the own light client verified it
}

// Query asks a worker, and checks that the reply is to this query, from that worker, and as new as asked; it also covers
// the newest command in the cluster whose receipt this client has seen, whoever signed it. Where no worker is named, another member is
// asked if one does not answer.
func (c *Client) Query(ctx context.Context, q Query) (*Answer, error) {
	if len(q.Input) > wire.MaxInput {
		return nil, fmt.Errorf("%w: input has %d bytes, at most %d are taken", ErrBounds, len(q.Input), wire.MaxInput)
	}
	c.cfg.Progress(StageQuery)
	if !q.Worker.IsZero() {
		return c.queryWorker(ctx, q, q.Worker)
	}
	ids, err := c.members(ctx, q.Cluster)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("cluster %s: %w", q.Cluster, ErrNoWorker)
	for _, id := range ids {
		var a *Answer
		if a, err = c.queryWorker(ctx, q, id); err == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, err
}

// queryWorker asks one worker, and once more if the chain shows that it has started anew or has another key.
func (c *Client) queryWorker(ctx context.Context, q Query, id sr25519.PublicKey) (*Answer, error) {
	w, err := c.active(ctx, id, factReuse)
	if err != nil {
		return nil, err
	}
	a, err := c.queryOnce(ctx, q, w)
	if err == nil || ctx.Err() != nil || !unanswered(err) {
		return a, err
	}
	again, proof := c.active(ctx, id, 0)
	if errors.Is(proof, ErrInactive) {
		return nil, proof
	}
	if proof != nil {
		return nil, err
	}
	if again.Incarnation != w.Incarnation || again.Ecdh.Key != w.Ecdh.Key {
		return c.queryOnce(ctx, q, again)
	}
	return nil, err
}

// unanswered reports whether the worker gave no reply at all, rather than one that was refused here.
func unanswered(err error) bool {
	for _, refused := range []error{ErrReply, ErrTooOld, ErrUnconfirmed, ErrClock, ErrNodeLied, ErrStaleChain} {
		if errors.Is(err, refused) {
			return false
		}
	}
	return true
}

func (c *Client) queryOnce(ctx context.Context, q Query, w *wire.WorkerState) (*Answer, error) {
	newest, err := c.headers.latest(ctx, headerReuse)
	if err != nil {
		return nil, err
	}
	behind := q.MaxBehind
	if behind == 0 {
		behind = DefaultMaxBehind
	}
	own, err := ecdh.Generate(c.cfg.Rand)
	if err != nil {
		return nil, err
	}
	defer own.Zero()
	seen, err := c.memory.seen(q.Cluster)
	if err != nil {
		return nil, err
	}
	nonce, err := c.random64()
	if err != nil {
		return nil, err
	}
	gas := q.GasLimit
	if gas == 0 {
		gas = DefaultQueryGas
	}
	inv := wire.Invocation{
		From: q.From.Identity(), Payload: wire.Payload{To: q.To, Input: q.Input}, Nonce: nonce, Value: q.Value,
		GasLimit: gas, Kind: wire.Kind{Action: wire.ActionQuery}, MinHeight: seen,
		NotAfter: newest.Height + queryLifetime, ReplyTo: own.Public(),
	}
	target := wire.Target{UID: c.cfg.UID, Cluster: q.Cluster, Worker: &wire.WorkerLife{
		Identity: w.Identity, Incarnation: w.Incarnation,
	}}
	hash, err := c.sign(&inv, target, q.From)
	if err != nil {
		return nil, err
	}
	least := max(seen+1, newest.Height-min(behind, newest.Height))
	reply, err := c.exchange(ctx, q.Cluster, w, own, &inv)
	if err != nil {
		return nil, err
	}
	header, err := c.check(ctx, reply, hash, least)
	if err != nil {
		return nil, &WorkerError{w.Identity, err}
	}
	return &Answer{QueryReply: *reply, Worker: w.Identity, Incarnation: w.Incarnation, Header: header}, nil
}

// exchange encrypts the query, sends it, and opens what comes back.
func (c *Client) exchange(ctx context.Context, cluster wire.ClusterID, w *wire.WorkerState, own *ecdh.PrivateKey, inv *wire.Invocation) (*wire.QueryReply, error) {
	plain, err := scale.Marshal(inv)
	if err != nil {
		return nil, fmt.Errorf("invocation: %w", err)
	}
	e, err := envelope.Seal(c.cfg.Rand, c.cfg.UID, own, w.Ecdh.Key, w.Ecdh.Epoch, commkey.Query, plain)
	clear(plain)
	if err != nil {
		return nil, err
	}
	answer, err := ask(ctx, c, w, func(ctx context.Context, at enclavev1connect.ClientServiceClient) (*connect.Response[pb.QueryResponse], error) {
		return at.Query(ctx, connect.NewRequest(&pb.QueryRequest{Cluster: cluster[:], Envelope: e.Marshal()}))
	})
	if err != nil {
		if _, wired := refusal(err); wired {
			err = fmt.Errorf("%w: %w", ErrWorker, err)
		}
		return nil, err
	}
	reply := new(wire.QueryReply)
	if err := c.openAnswer(answer.Envelope, own, w, reply); err != nil {
		return nil, &WorkerError{w.Identity, fmt.Errorf("%w: %w", ErrReply, err)}
	}
	return reply, nil
}

func (c *Client) openAnswer(raw []byte, own *ecdh.PrivateKey, w *wire.WorkerState, reply *wire.QueryReply) error {
	back, err := envelope.Parse(raw)
	if err != nil {
		return err
	}
	plain, err := openReply(c.cfg.UID, back, own, func(key ecdh.PublicKey) bool { return key == w.Ecdh.Key })
	if err != nil {
		return err
	}
	defer clear(plain)
	return scale.Unmarshal(plain, reply)
}

// check refuses a reply to another query, on another chain, or older than asked.
func (c *Client) check(ctx context.Context, r *wire.QueryReply, hash wire.Hash, least uint64) (light.Header, error) {
	if r.Invocation != hash {
		return light.Header{}, fmt.Errorf("%w: it is to another query", ErrReply)
	}
	if r.Height < least {
		return light.Header{}, &AgeError{r.Height, least}
	}
	header, err := c.confirm(ctx, r.Height)
	if err != nil {
		return light.Header{}, err
	}
	if header.Hash != r.BlockHash || header.UnixMillis() != r.BlockTime {
		return light.Header{}, fmt.Errorf("%w: block %d is another one", ErrUnconfirmed, r.Height)
	}
	age := c.cfg.Now().Sub(header.Time)
	if age > MaxAge || age < -MaxAge {
		return light.Header{}, fmt.Errorf("%w: block %d differs by %s", ErrClock, r.Height, age.Round(time.Second))
	}
	return header, nil
}

// confirm verifies the header at a height, which the node may learn of a moment later than the worker did.
func (c *Client) confirm(ctx context.Context, height uint64) (light.Header, error) {
	wait, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	for {
		header, err := c.headers.at(wait, height)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
			return header, err
		}
		if pause(wait, receiptPause) != nil {
			return light.Header{}, fmt.Errorf("%w: the node does not give block %d: %w", ErrUnconfirmed, height, err)
		}
	}
}
