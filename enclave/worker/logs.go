package worker

import (
	"container/list"
	"fmt"
	"io"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

// Bounds of the logs that a worker keeps for one cluster.
const (
	maxLogEntries    = 256       // of one contract
	maxContractLogs  = 256 << 10 // bytes of one contract
	maxClusterLogs   = 32 << 20  // bytes of all
	logEntryOverhead = 128
)

// logs are what contracts of a cluster said since this worker started, encrypted to their owners as soon as it was
// said: who breaks into the worker later cannot read it. One contract's noise drops its own entries alone; where all
// together are too many, those of the contract that has been silent the longest go.
type logs struct {
	uid  wire.ChainUID
	rand io.Reader

	mu    sync.Mutex
	byID  map[wire.ContractID]*list.Element // of *ring
	order *list.List                        // the loudest last
	bytes int
}

// ring is the logs of one contract.
type ring struct {
	id      wire.ContractID
	next    uint64
	entries []wire.LogEntry
	bytes   int
}

func newLogs(uid wire.ChainUID, rand io.Reader) *logs {
	return &logs{uid: uid, rand: rand, byID: map[wire.ContractID]*list.Element{}, order: list.New()}
}

// said is what one contract said in one call.
type said struct {
	owner wire.Identity
	batch wire.LogBatch
}

// saidIn sorts the logs of a call by contract. What nobody owns, because the contract was not made after all, is
// dropped, and so is what belongs to an identity that nothing can be encrypted to.
func saidIn(space *storage, r contract.Outcome, frame wire.LogBatch) (all []said) {
	at := map[[32]byte]int{}
	for _, l := range r.Logs {
		i, known := at[l.Contract]
		if !known {
			owner, ok := space.owner(l.Contract)
			if !ok || owner.Scheme() != wire.SchemeSr25519 {
				continue
			}
			i = len(all)
			at[l.Contract] = i
			batch := frame
			batch.Contract, batch.Dropped = l.Contract, uint32(r.Dropped)
			all = append(all, said{owner, batch})
		}
		all[i].batch.Lines = append(all[i].batch.Lines, wire.LogLine{Level: l.Level, Text: l.Text})
	}
	return all
}

// keepLogs remembers what was said in a command until its effects are durable.
func (x *executor) keepLogs(space *storage, m message, hash wire.Hash, r contract.Outcome) {
	x.said = append(x.said, saidIn(space, r, wire.LogBatch{
		Invocation: hash, Command: true, Height: m.Height, Time: m.Time,
	})...)
}

// add encrypts and keeps what was said, of each contract the newest only where there is more than is kept.
func (l *logs) add(all []said) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := map[wire.ContractID]int{}
	for i := range all {
		rest[all[i].batch.Contract]++
	}
	for i := range all {
		id := all[i].batch.Contract
		rest[id]--
		r := l.ring(id)
		sequence := r.next
		r.next++
		if rest[id] >= maxLogEntries {
			r.drop(len(r.entries))
			continue
		}
		entry, err := l.seal(&all[i], sequence)
		if err != nil {
			return fmt.Errorf("log of contract %s: %w", id, err)
		}
		l.bytes += r.add(entry)
	}
	for l.bytes > maxClusterLogs {
		quietest := l.order.Remove(l.order.Front()).(*ring)
		delete(l.byID, quietest.id)
		l.bytes -= quietest.bytes
	}
	return nil
}

// ring finds the logs of a contract, and makes them the loudest.
func (l *logs) ring(id wire.ContractID) *ring {
	el, ok := l.byID[id]
	if !ok {
		el = l.order.PushBack(&ring{id: id})
		l.byID[id] = el
	}
	l.order.MoveToBack(el)
	return el.Value.(*ring)
}

// seal encrypts what was said to the contract's owner.
func (l *logs) seal(s *said, sequence uint64) (wire.LogEntry, error) {
	owner := s.owner.AccountID()
	to, err := ecdh.ParsePublicKey(owner[:])
	if err != nil {
		return wire.LogEntry{}, err
	}
	own, err := ecdh.Generate(l.rand)
	if err != nil {
		return wire.LogEntry{}, err
	}
	defer own.Zero()
	s.batch.Sequence = sequence
	plain, err := scale.Marshal(&s.batch)
	if err != nil {
		return wire.LogEntry{}, err
	}
	defer clear(plain)
	e, err := envelope.Seal(l.rand, l.uid, own, to, 0, commkey.ContractLog, plain)
	if err != nil {
		return wire.LogEntry{}, err
	}
	return wire.LogEntry{Sequence: sequence, Envelope: e.Marshal()}, nil
}

func entrySize(e *wire.LogEntry) int { return len(e.Envelope) + logEntryOverhead }

// add keeps an entry and gives by how many bytes the ring has grown.
func (r *ring) add(e wire.LogEntry) int {
	before := r.bytes
	r.entries = append(r.entries, e)
	r.bytes += entrySize(&e)
	old := 0
	for bytes := r.bytes; bytes > maxContractLogs || len(r.entries)-old > maxLogEntries; old++ {
		bytes -= entrySize(&r.entries[old])
	}
	r.drop(old)
	return r.bytes - before
}

// drop forgets the n oldest entries.
func (r *ring) drop(n int) {
	for i := range r.entries[:n] {
		r.bytes -= entrySize(&r.entries[i])
	}
	r.entries = append([]wire.LogEntry(nil), r.entries[n:]...)
}

// since gives a contract's entries from a sequence number on, as many as fit into one answer.
func (l *logs) since(id wire.ContractID, first uint64) wire.LogReply {
	l.mu.Lock()
	defer l.mu.Unlock()
	el, ok := l.byID[id]
	if !ok {
		return wire.LogReply{}
	}
	r := el.Value.(*ring)
	reply := wire.LogReply{First: r.next - uint64(len(r.entries)), Next: r.next}
	room := wire.MaxOutput - logEntryOverhead
	for i := range r.entries {
		e := &r.entries[i]
		if e.Sequence < first {
			continue
		}
		if room -= entrySize(e); room < 0 || len(reply.Entries) == wire.MaxLogEntries {
			break
		}
		reply.Entries = append(reply.Entries, *e)
	}
	return reply
}

// logsFor answers a query for the logs of a contract, which only its owner may ask.
func (cl *cluster) logsFor(o *state.Overlay, inv *wire.Invocation) (wire.Outcome, error) {
	var request wire.LogRequest
	if err := scale.Unmarshal(inv.Payload.Input, &request); err != nil {
		return fault(wire.StatusRefused, 0, "no contract is named, and the input is no request for logs"), nil
	}
	owner, ok := (&storage{o: o}).owner(request.Contract)
	if !ok || owner != inv.From {
		return fault(wire.StatusRefused, 0, "no contract of that id belongs to the caller"), nil
	}
	reply := cl.logs.since(request.Contract, request.Since)
	out, err := scale.Marshal(&reply)
	return wire.Outcome{Status: wire.StatusDone, Output: out}, err
}
