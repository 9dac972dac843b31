package client

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// maxLogPages is how many replies are read at most for one question: a worker gives all that it keeps of a contract in
// some tens.
const maxLogPages = 64

// LogQuery asks for what a contract logged. Only its owner is answered.
type LogQuery struct {
	Cluster  wire.ClusterID
	Contract wire.ContractID
	From     Signer            // a [LogOpener]; otherwise [ErrLogKey]
	Since    uint64            // the lowest number that is wanted; each worker has numbers of its own
	Worker   sr25519.PublicKey // whom to ask; the zero key for any member
}

// Log is what a contract logged in one call, on one worker.
type Log struct {
	wire.LogBatch
	Worker sr25519.PublicKey
}

// Logs is what one worker keeps of a contract's logs. It forgets them when it starts anew, which gives it another
// incarnation; the numbers begin again then.
type Logs struct {
	Worker      sr25519.PublicKey
	Incarnation wire.Incarnation
	First, Next uint64 // the lowest number that is kept, and the one that is given out next
	Entries     []Log  // from Since on, by number
}

// Logs asks a worker for a contract's logs and opens them with the signer's identity key. What is logged in commands is
// alike on each member; what is logged in queries is on the worker that was asked, see [Client.LogsOfAll]. A worker
// that gives an entry of another contract or number, or one that does not open, is refused with [ErrReply].
func (c *Client) Logs(ctx context.Context, q LogQuery) (*Logs, error) {
	opener, ok := q.From.(LogOpener)
	if !ok || q.From.Identity().Scheme() != wire.SchemeSr25519 {
		return nil, ErrLogKey
	}
	var logs *Logs
	since := q.Since
	for range maxLogPages {
		a, reply, err := c.logPage(ctx, q, since)
		if err != nil {
			return nil, err
		}
		if logs != nil && logs.Incarnation != a.Incarnation { // it has started anew in between, with other numbers
			logs, since = nil, q.Since
			continue
		}
		if logs == nil {
			logs = &Logs{Worker: a.Worker, Incarnation: a.Incarnation}
		}
		logs.First, logs.Next = reply.First, reply.Next
		entries, err := c.openLogs(opener, q.Contract, a.Worker, since, reply)
		if err != nil {
			return nil, &WorkerError{a.Worker, fmt.Errorf("%w: %w", ErrReply, err)}
		}
		logs.Entries = append(logs.Entries, entries...)
		if len(entries) == 0 || entries[len(entries)-1].Sequence+1 == reply.Next {
			return logs, nil
		}
		since, q.Worker = entries[len(entries)-1].Sequence+1, a.Worker
	}
	return nil, &WorkerError{q.Worker, fmt.Errorf("%w: its logs do not end", ErrReply)}
}

// logPage asks for as many entries as fit into one reply.
func (c *Client) logPage(ctx context.Context, q LogQuery, since uint64) (*Answer, *wire.LogReply, error) {
	input, err := scale.Marshal(&wire.LogRequest{Contract: q.Contract, Since: since})
	if err != nil {
		return nil, nil, err
	}
	a, err := c.Query(ctx, Query{Cluster: q.Cluster, Worker: q.Worker, From: q.From, Input: input})
	if err != nil {
		return nil, nil, err
	}
	if err := Check(a.Outcome); err != nil {
		return nil, nil, err
	}
	reply := new(wire.LogReply)
	if err := scale.Unmarshal(a.Outcome.Output, reply); err != nil {
		return nil, nil, &WorkerError{a.Worker, fmt.Errorf("%w: logs: %w", ErrReply, err)}
	}
	return a, reply, nil
}

var errEntry = errors.New("log entry is not the one that it is said to be")

// openLogs opens the entries of a reply, each of which must be what it is given as, in order.
func (c *Client) openLogs(opener LogOpener, id wire.ContractID, worker sr25519.PublicKey, since uint64, reply *wire.LogReply) ([]Log, error) {
	out := make([]Log, 0, len(reply.Entries))
	for i := range reply.Entries {
		e := &reply.Entries[i]
		if e.Sequence < since || e.Sequence >= reply.Next {
			return nil, errEntry
		}
		sealed, err := envelope.Parse(e.Envelope)
		if err != nil {
			return nil, err
		}
		plain, err := opener.OpenLog(c.cfg.UID, sealed)
		if err != nil {
			return nil, fmt.Errorf("log entry %d: %w", e.Sequence, err)
		}
		log := Log{Worker: worker}
		err = scale.Unmarshal(plain, &log.LogBatch)
		clear(plain)
		if err != nil {
			return nil, fmt.Errorf("log entry %d: %w", e.Sequence, err)
		}
		if log.Contract != id || log.Sequence != e.Sequence {
			return nil, errEntry
		}
		out = append(out, log)
		since = e.Sequence + 1
	}
	return out, nil
}

// LogsOfAll asks every member of the cluster. It returns what those that answer keep, in the cluster's order, and an
// error that joins what kept the others from it.
func (c *Client) LogsOfAll(ctx context.Context, q LogQuery) ([]*Logs, error) {
	cluster, err := c.cluster(ctx, q.Cluster, factReuse)
	if err != nil {
		return nil, err
	}
	var out []*Logs
	var errs error
	for _, m := range cluster.Record.Members {
		q.Worker = m.Identity
		logs, err := c.Logs(ctx, q)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		out = append(out, logs)
	}
	return out, errs
}

// MergeLogs puts the entries of several workers in order of block height, those of one worker and height in its own. What
// a command logged is there once where workers agree on it, named after the first of them.
func MergeLogs(lists []*Logs) []Log {
	var out []Log
	seen := map[[32]byte]bool{}
	for _, logs := range lists {
		for i := range logs.Entries {
			e := &logs.Entries[i]
			if e.Command {
				same := e.LogBatch
				same.Sequence = 0
				// It came out of its own encoding, so that it has one.
				key := sha256.Sum256(scale.MustMarshal(&same))
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			out = append(out, *e)
		}
	}
	slices.SortStableFunc(out, func(a, b Log) int { return cmp.Compare(a.Height, b.Height) })
	return out
}
