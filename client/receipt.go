package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

const (
	receiptPause  = 100 * time.Millisecond // between two rounds of asking
	noWorkerAfter = 20 * time.Second       // without any answer, nobody is there
)

// Receipt is a command's receipt, checked: it is for this command, from a worker that is proven to be the cluster's.
type Receipt struct {
	wire.SaltedReceipt
	Worker  sr25519.PublicKey // who gave it
	Pending *Pending
}

// Outcome returns what the command did.
func (r *Receipt) Outcome() wire.Outcome { return r.SaltedReceipt.Receipt.Outcome }

// Height returns the block that the command was executed at.
func (r *Receipt) Height() uint64 { return r.SaltedReceipt.Receipt.Height }

// Receipt waits for the command's receipt: it asks the cluster's members, in random order, until one gives a receipt
// that holds. [ErrNoReceipt] says that those that answer have none.
func (p *Pending) Receipt(ctx context.Context) (*Receipt, error) {
	p.client.cfg.Progress(StageReceipt)
	answered := p.client.cfg.Now() // when anybody last did
	var last error
	for {
		r, asked, err := p.round(ctx, last)
		if r != nil || err != nil {
			return r, err
		}
		last = asked.last
		now := p.client.cfg.Now()
		if asked.answers > 0 {
			answered = now
		}
		if now.Sub(answered) > noWorkerAfter {
			return nil, fmt.Errorf("%w: %w", ErrNoWorker, last)
		}
		if asked.without > 0 && asked.without == asked.members {
			moved, err := p.move(ctx)
			if err != nil {
				return nil, err
			}
			if moved {
				continue
			}
			return nil, fmt.Errorf("%w (index %d, block %d): %w", ErrNoReceipt, p.Index, p.Height, last)
		}
		if err := pause(ctx, receiptPause); err != nil {
			return nil, p.late(err, last)
		}
	}
}

// round is what came of asking every member once.
type round struct {
	members int   // of the cluster
	answers int   // those that answered
	without int   // those that answered that they have no receipt
	last    error // why the last one asked gave none
}

// late is the end of the caller's patience, with what came of asking last.
func (p *Pending) late(end, last error) error {
	if last == nil {
		return fmt.Errorf("receipt of command %d: %w", p.Index, end)
	}
	return fmt.Errorf("receipt of command %d: %w; last: %w", p.Index, end, last)
}

// round asks every member once, all at a time, so that one that is behind keeps nobody from another's answer. An error
// is one that asking again does not mend.
func (p *Pending) round(ctx context.Context, last error) (*Receipt, round, error) {
	out := round{last: last}
	ids, err := p.client.members(ctx, p.Cluster)
	if errors.Is(err, ErrUnreachable) && ctx.Err() == nil {
		return nil, round{last: err}, nil
	}
	if err != nil {
		return nil, out, err
	}
	out.members = len(ids)
	answers, done := p.askAll(ctx, ids)
	defer done()
	for range ids {
		r, err := p.take(ctx, <-answers)
		if err == nil {
			return r, out, nil
		}
		if ctx.Err() != nil {
			return nil, out, p.late(ctx.Err(), out.last)
		}
		if !mendable(err) {
			return nil, out, err
		}
		out.last = err
		code, answered := refusal(err)
		if answered {
			out.answers++
		}
		if answered && code == connect.CodeNotFound {
			out.without++
		}
	}
	return nil, out, nil
}

// heard is what a member answered.
type heard struct {
	worker *wire.WorkerState
	id     sr25519.PublicKey
	answer *pb.ReceiptResponse
	err    error
}

// askAll asks members for the receipt, each in a goroutine; as many answers come as there are members. The caller calls
// done, which ends what is still under way.
func (p *Pending) askAll(ctx context.Context, ids []sr25519.PublicKey) (answers <-chan heard, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	all := make(chan heard, len(ids))
	var group sync.WaitGroup
	for _, id := range ids {
		group.Go(func() {
			h := heard{id: id}
			if h.worker, h.err = p.client.active(ctx, id, factReuse); h.err == nil {
				h.answer, h.err = p.client.receipt(ctx, h.worker, p.Cluster, p.Index, true)
			}
			all <- h
		})
	}
	return all, func() {
		cancel()
		group.Wait()
	}
}

// mendable reports whether another worker, or the same one later, may give what this one did not.
func mendable(err error) bool {
	var w *WorkerError
	return errors.As(err, &w) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound)
}

// take opens and checks what a member answered.
func (p *Pending) take(ctx context.Context, h heard) (*Receipt, error) {
	if h.err != nil {
		return nil, h.err
	}
	id, w, answer := h.id, h.worker, h.answer
	e, err := envelope.Parse(answer.Envelope)
	if err != nil {
		return nil, &WorkerError{id, fmt.Errorf("%w: %w", ErrReceipt, err)}
	}
	if !hasKey(w, e.Sender) { // it may have rotated its key since
		if w, err = p.client.active(ctx, id, 0); err != nil {
			return nil, err
		}
	}
	salted, err := p.open(w, e)
	if err != nil {
		return nil, &WorkerError{id, fmt.Errorf("%w: %w", ErrReceipt, err)}
	}
	if err := p.client.memory.saw(p.Cluster, salted.Receipt.Height); err != nil {
		return nil, err
	}
	p.reply.Zero()
	return &Receipt{SaltedReceipt: *salted, Worker: id, Pending: p}, nil
}

func (c *Client) receipt(ctx context.Context, w *wire.WorkerState, cluster wire.ClusterID, index uint64, wait bool) (*pb.ReceiptResponse, error) {
	return ask(ctx, c, w, func(ctx context.Context, at enclavev1connect.ClientServiceClient) (*connect.Response[pb.ReceiptResponse], error) {
		return at.Receipt(ctx, connect.NewRequest(&pb.ReceiptRequest{Cluster: cluster[:], Index: index, Wait: wait}))
	})
}

// hasKey reports whether a key is one with which the worker may speak now.
func hasKey(w *wire.WorkerState, key ecdh.PublicKey) bool {
	return key == w.Ecdh.Key || w.PreviousEcdh != nil && key == w.PreviousEcdh.Key
}

// open decrypts and checks a receipt.
func (p *Pending) open(w *wire.WorkerState, e *envelope.Envelope) (*wire.SaltedReceipt, error) {
	plain, err := openReply(p.client.cfg.UID, e, p.reply, func(key ecdh.PublicKey) bool { return hasKey(w, key) })
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	s := new(wire.SaltedReceipt)
	if err := scale.Unmarshal(plain, s); err != nil {
		return nil, err
	}
	switch r := &s.Receipt; {
	case r.Invocation != p.Invocation:
		return nil, errors.New("it is for another command")
	case r.Cluster != p.Cluster || r.Index != p.Index:
		return nil, errors.New("it is for another place in the topic")
	}
	return s, nil
}

// openReply opens an envelope of purpose 2 to own from a key that the worker is proven to have.
func openReply(uid wire.ChainUID, e *envelope.Envelope, own *ecdh.PrivateKey, from func(ecdh.PublicKey) bool) ([]byte, error) {
	switch {
	case e.Purpose != commkey.Reply:
		return nil, fmt.Errorf("envelope is of purpose %s", e.Purpose)
	case e.Epoch != 0:
		return nil, errors.New("envelope is for an epoch that a client has not")
	case !from(e.Sender):
		return nil, errors.New("envelope is from a key that the chain does not name as the worker's")
	}
	return e.Open(uid, own)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WaitFinal waits until a checkpoint that covers the receipt is finalized on the chain, and verifies that the receipt
// is under its receipts root. Until then a receipt is one enclave's word.
func (c *Client) WaitFinal(ctx context.Context, r *Receipt) (Proven[wire.Finalized], error) {
	c.cfg.Progress(StageFinal)
	for {
		f, err := c.final(ctx, r)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, ErrNotFound) && !errors.Is(err, errNoMark) && !errors.Is(err, ErrNoWorker) {
			return f, err
		}
		if waited := pause(ctx, 2*receiptPause); waited != nil {
			return f, fmt.Errorf("%w; last: %w", waited, err)
		}
	}
}

var errNoMark = errors.New("no checkpoint covers the receipt yet")

// final looks once whether the receipt is final. A member that leads to another root is passed over; the error is
// returned if no other member leads to the right one.
func (c *Client) final(ctx context.Context, r *Receipt) (Proven[wire.Finalized], error) {
	none := Proven[wire.Finalized]{}
	ids, err := c.members(ctx, r.Pending.Cluster)
	if err != nil {
		return none, err
	}
	failed := fmt.Errorf("%w: %w", ErrNoWorker, errNoMark)
	for _, id := range ids {
		w, err := c.active(ctx, id, factReuse)
		if err != nil {
			continue
		}
		f, err := c.finalBy(ctx, r, w)
		switch {
		case err == nil:
			return f, nil
		case ctx.Err() != nil:
			return none, ctx.Err()
		}
		failed = err
	}
	return none, failed
}

// finalBy follows the path that one member gives.
func (c *Client) finalBy(ctx context.Context, r *Receipt, w *wire.WorkerState) (Proven[wire.Finalized], error) {
	none := Proven[wire.Finalized]{}
	answer, err := c.receipt(ctx, w, r.Pending.Cluster, r.Pending.Index, false)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrNoWorker, err)
	}
	if answer.Mark == 0 {
		return none, errNoMark
	}
	path, err := hashes(answer.Path)
	if err != nil {
		return none, &WorkerError{w.Identity, err}
	}
	f, err := c.Finalized(ctx, r.Pending.Cluster, answer.Mark)
	if err != nil {
		return none, err
	}
	leaf, err := r.Leaf()
	if err != nil {
		return none, err
	}
	if err := wire.VerifyReceipt(f.Record.ReceiptsRoot, leaf, answer.Leaf, answer.Leaves, path); err != nil {
		return none, &WorkerError{w.Identity, fmt.Errorf("%w: %w", ErrReceipt, err)}
	}
	return f, nil
}

func hashes(raw [][]byte) ([]wire.Hash, error) {
	if len(raw) > wire.MaxReceiptPath {
		return nil, fmt.Errorf("%w: path is too long", ErrReceipt)
	}
	out := make([]wire.Hash, len(raw))
	for i, b := range raw {
		if len(b) != len(out[i]) {
			return nil, fmt.Errorf("%w: path holds what is no hash", ErrReceipt)
		}
		copy(out[i][:], b)
	}
	return out, nil
}
