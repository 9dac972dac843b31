package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of queries and receipts.
const (
	MaxQueryGas = 2_000_000_000    // a query's gas limit counts up to here: about two seconds of one core
	waitBehind  = 5 * time.Second  // how long a query or receipt waits for the worker to catch up
	staleAfter  = 60 * time.Second // without a new header, after which no query is answered
	maxReplays  = 1 << 18          // queries of the last blocks that are remembered, in one cluster
	maxWaiters  = 128              // queries and receipts that wait for the worker to catch up, of all clusters
)

// anchor is a state and the newest verified header whose proven head is where the state stands.
type anchor struct {
	live   *live
	header light.Header
}

// broadcast wakes everybody who waits.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func (b *broadcast) init() { b.ch = make(chan struct{}) }

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *broadcast) all() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}

// replays are the queries that were seen, each until its not_after is past.
type replays struct {
	mu   sync.Mutex
	seen map[wire.Hash]uint64
	at   uint64
}

// add remembers a query, or refuses one that was seen or that is one too many.
func (r *replays) add(hash wire.Hash, notAfter uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[wire.Hash]uint64{}
	}
	if _, ok := r.seen[hash]; ok {
		return ErrReplayed
	}
	if len(r.seen) >= maxReplays {
		return ErrBusy
	}
	r.seen[hash] = notAfter
	return nil
}

// prune forgets what can no longer be accepted at a height. It looks at everything at most once in ten blocks.
func (r *replays) prune(height uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if height < r.at+10 {
		return
	}
	r.at = height
	for h, notAfter := range r.seen {
		if notAfter < height {
			delete(r.seen, h)
		}
	}
}

// Query executes an enveloped, signed query on the newest state that a verified header stands for, and returns the
// SCALE of the envelope of a [wire.QueryReply]. What the contract does wrong is in the reply; the errors are those of
// this package.
func (r *Role) Query(ctx context.Context, id wire.ClusterID, raw []byte) ([]byte, error) {
	cl, ok := r.find(id)
	if !ok {
		return nil, ErrUnknownCluster
	}
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	defer r.end()
	request, err := envelope.Parse(raw)
	if err != nil || request.Purpose != commkey.Query {
		return nil, ErrQuery
	}
	plain, opened, err := r.cfg.Keys.OpenRequest(request)
	if err != nil {
		return nil, ErrQuery
	}
	defer opened.Zero()
	var inv wire.Invocation
	err = scale.Unmarshal(plain, &inv)
	clear(plain)
	if err != nil || inv.Kind.Action != wire.ActionQuery {
		return nil, ErrQuery
	}
	hash, err := cl.admit(&inv)
	if err != nil {
		return nil, err
	}
	a, err := cl.await(ctx, r, inv.MinHeight)
	if err != nil {
		return nil, err
	}
	reply, err := cl.answer(r.withSlot(ctx), a, &inv, hash)
	if err != nil {
		return nil, err
	}
	return sealed(reply, func(plain []byte) (*envelope.Envelope, error) {
		return opened.Reply(inv.ReplyTo, plain)
	})
}

// begin takes a slot to work in, and end gives it back. Waiting is done outside: whoever asks for what will never come
// keeps nobody from being answered.
func (r *Role) begin(ctx context.Context) error {
	select {
	case r.queries <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (r *Role) end() { <-r.queries }

// pause waits, with the slot given back meanwhile, for ready to be closed; too late is the answer when ctx ends first.
func (r *Role) pause(ctx context.Context, cl *cluster, ready <-chan struct{}, late error) error {
	select {
	case r.waiters <- struct{}{}:
	default:
		return late
	}
	r.end()
	var err error
	select {
	case <-ready:
	case <-cl.ctx.Done():
		err = ErrNotRunning
	case <-ctx.Done():
		err = late
	}
	<-r.waiters
	r.queries <- struct{}{} // soon: no slot is held for longer than one piece of work
	return err
}

// sealed returns the SCALE of the envelope that seal makes of a record.
func sealed(record scale.Record, seal func([]byte) (*envelope.Envelope, error)) ([]byte, error) {
	plain, err := scale.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	defer clear(plain)
	e, err := seal(plain)
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return e.Marshal(), nil
}

// admit checks a query's signature, its time and that it is new.
func (cl *cluster) admit(inv *wire.Invocation) (wire.Hash, error) {
	target := wire.Target{UID: cl.cfg.UID, Cluster: cl.id, Worker: &wire.WorkerLife{
		Identity: cl.cfg.Keys.Identity(), Incarnation: cl.cfg.Keys.Incarnation(),
	}}
	if inv.Verify(target) != nil {
		return wire.Hash{}, ErrQuery
	}
	hash, err := inv.Hash(target)
	if err != nil {
		return wire.Hash{}, ErrQuery
	}
	h, age, ok := cl.cfg.Header()
	if !ok || age > staleAfter {
		return wire.Hash{}, ErrStale
	}
	if inv.NotAfter < h.Height || inv.NotAfter-h.Height > wire.MaxQueryLifetime {
		return wire.Hash{}, ErrExpired
	}
	return hash, cl.seen.add(hash, inv.NotAfter)
}

// await returns the anchor once its header is above the height that the query asks for.
func (cl *cluster) await(ctx context.Context, r *Role, above uint64) (*anchor, error) {
	if a := cl.anchor.Load(); a != nil && a.header.Height > above {
		return a, nil
	}
	ctx, cancel := context.WithTimeout(ctx, waitBehind)
	defer cancel()
	for {
		wake := cl.wake.wait()
		if a := cl.anchor.Load(); a != nil && a.header.Height > above {
			return a, nil
		}
		late := ErrBehind
		if cl.anchor.Load() == nil {
			late = ErrNotRunning
		}
		if err := r.pause(ctx, cl, wake, late); err != nil {
			return nil, err
		}
	}
}

// answer executes the query on the anchor's state, in an overlay that is dropped.
func (cl *cluster) answer(ctx context.Context, a *anchor, inv *wire.Invocation, hash wire.Hash) (*wire.QueryReply, error) {
	out, debug, err := cl.execQuery(ctx, a, inv, hash)
	if err != nil {
		return nil, err
	}
	return &wire.QueryReply{
		Invocation: hash,
		Count:      a.live.view.Count(),
		StateRoot:  a.live.view.Root(),
		Height:     a.header.Height,
		BlockHash:  a.header.Hash,
		BlockTime:  a.header.UnixMillis(),
		Outcome:    out,
		Debug:      debug,
	}, nil
}

func (cl *cluster) execQuery(ctx context.Context, a *anchor, inv *wire.Invocation, hash wire.Hash) (wire.Outcome, []byte, error) {
	o := state.NewOverlay(a.live.view)
	if inv.Payload.To.IsZero() {
		out, err := cl.ownQuery(o, inv)
		return out, nil, err
	}
	code, ok := codeOf(o, inv.Payload.To)
	if !ok {
		return fault(wire.StatusRefused, 0, "no such contract"), nil, nil
	}
	m, ok, err := module(ctx, cl.cfg.Engine, o, code, cl.compiled())
	if err != nil || !ok {
		return wire.Outcome{}, nil, errors.Join(err, ErrNotRunning)
	}
	err = transfer(o, inv.From.AccountID(), inv.Payload.To, inv.Value)
	if errors.Is(err, errBalance) {
		return fault(wire.StatusRefused, 0, "balance is too low for the value"), nil, nil
	}
	if err != nil {
		return wire.Outcome{}, nil, err
	}
	call := contract.Call{
		Query:      true,
		Contract:   inv.Payload.To,
		Caller:     inv.From.AccountID(),
		Input:      inv.Payload.Input,
		Value:      inv.Value,
		GasLimit:   min(inv.GasLimit, MaxQueryGas),
		Height:     a.header.Height,
		TimeMillis: a.header.UnixMillis(),
		Extension:  cl.cfg.Extension,
		Compiled:   cl.compiled(),
	}
	if _, err := io.ReadFull(cl.cfg.Rand, call.Seed[:]); err != nil {
		return wire.Outcome{}, nil, fmt.Errorf("randomness: %w", err)
	}
	defer clear(call.Seed[:])
	space := &storage{
		cluster: cl.id, o: o, made: a.live.sys.Contracts, first: a.live.sys.Contracts, secret: passingSecret(call.Seed),
	}
	result, err := cl.cfg.Engine.Execute(ctx, m, call, space)
	if err != nil {
		return wire.Outcome{}, nil, fmt.Errorf("contract engine: %w", err)
	}
	all, err := saidIn(space, result, wire.LogBatch{Invocation: hash, Height: call.Height, Time: call.TimeMillis})
	if err != nil {
		return wire.Outcome{}, nil, err
	}
	if err := cl.logs.add(all); err != nil {
		return wire.Outcome{}, nil, err
	}
	debug, err := debugFor(space, inv.From, result.Logs)
	return outcome(space, result, 0), debug, err
}

// debugFor joins the debug messages that a caller may read in a reply: those of its own contracts. They may hold
// anybody's secrets, so they are for the owner as all logs are.
func debugFor(space *storage, caller wire.Identity, logs []contract.Log) (debug []byte, err error) {
	owned := map[[32]byte]bool{}
	for _, l := range logs {
		mine, asked := owned[l.Contract]
		if !asked {
			owner, ok, err := space.owner(l.Contract)
			if err != nil {
				return nil, err
			}
			mine = ok && owner == caller
			owned[l.Contract] = mine
		}
		if mine && l.Level == wire.LogDebug {
			debug = append(debug, l.Text...)
		}
	}
	return debug[:min(len(debug), wire.MaxDebug)], nil
}

// ownBalance answers the query without target and input: the caller's balance in the cluster, as the SCALE of a u128.
func ownBalance(o *state.Overlay, inv *wire.Invocation) (wire.Outcome, error) {
	has, err := balance(o, inv.From.AccountID())
	if err != nil {
		return wire.Outcome{}, err
	}
	out := make([]byte, 16)
	has.PutBytes(out)
	return wire.Outcome{Status: wire.StatusDone, Output: out}, nil
}

// Receipt returns the receipt of the command at an index of the cluster's topic, encrypted to the key that the command
// names. With wait it waits a few seconds for a command that is not executed yet.
func (r *Role) Receipt(ctx context.Context, id wire.ClusterID, index uint64, wait bool) (Receipt, error) {
	cl, ok := r.find(id)
	if !ok {
		return Receipt{}, ErrUnknownCluster
	}
	if err := r.begin(ctx); err != nil {
		return Receipt{}, err
	}
	defer r.end()
	l, err := cl.reach(ctx, r, index, wait)
	if err != nil {
		return Receipt{}, err
	}
	var entry receiptEntry
	ok, err = load(l.view, systemKey("r/", be64(index)), &entry)
	if err != nil {
		return Receipt{}, err
	}
	if !ok {
		return Receipt{}, ErrNoReceipt
	}
	to, err := ecdh.ParsePublicKey(entry.ReplyTo[:])
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	out := Receipt{}
	out.Envelope, err = sealed(&entry.Salted, func(plain []byte) (*envelope.Envelope, error) {
		return r.cfg.Keys.SealReply(to, plain)
	})
	if err != nil {
		return Receipt{}, err
	}
	err = cl.paths.prove(l, index, &out)
	return out, err
}

// reach returns the live state once it stands above an index.
func (cl *cluster) reach(ctx context.Context, r *Role, index uint64, wait bool) (*live, error) {
	ctx, cancel := context.WithTimeout(ctx, waitBehind)
	defer cancel()
	for {
		wake := cl.wake.wait()
		l := cl.live.Load()
		if l != nil && l.view.Count() > index {
			return l, nil
		}
		if !wait {
			return nil, ErrNotYet
		}
		if st := cl.status.Load(); st != nil && st.Phase == phaseFailed {
			return nil, ErrNotRunning // nothing comes any more; the caller asks another member
		}
		if err := r.pause(ctx, cl, wake, ErrNotYet); err != nil {
			return nil, err
		}
	}
}
