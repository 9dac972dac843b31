package worker

import (
	"cmp"
	"container/heap"
	"fmt"
	"io"
	"slices"
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
	maxShelfEntries  = wire.MaxLogEntries / 2         // of one contract's commands, and of its queries
	maxShelfBytes    = 128 << 10                      // the same
	maxClusterLogs   = 32 << 20                       // bytes of all
	logEntryOverhead = 128                            // what an entry counts beside its envelope
	envelopeOverhead = 1 + 1 + 2*32 + 4 + 12 + 4 + 16 // what an envelope has beside its padded plaintext, at most
	maxCallLogs      = 16                             // contracts of one call whose logs are kept: to encrypt takes time
)

// generation is how far apart the numbers begin that a contract's entries get before and after all of them were dropped.
const generation = 1 << 32

// logs are what contracts of a cluster said since this worker started, encrypted to their owners as soon as it was
// said: who breaks into the worker later cannot read it. Queries are free, so what they say never drops what commands
// said. Where all together is too much, the contract that takes the most room loses its oldest: noise costs the noisy.
type logs struct {
	uid  wire.ChainUID
	rand io.Reader

	mu    sync.Mutex
	byID  map[wire.ContractID]*ring
	rings ringHeap
	bytes int
	floor uint64 // where the numbers of a contract without entries begin, so that none is given out twice
}

// ring is the logs of one contract.
type ring struct {
	owner             wire.Identity
	id                wire.ContractID
	next              uint64
	commands, queries shelf
	at                int // in the heap
}

// shelf is entries in order, the oldest first.
type shelf struct {
	entries []wire.LogEntry
	bytes   int
}

func newLogs(uid wire.ChainUID, rand io.Reader) *logs {
	return &logs{uid: uid, rand: rand, byID: map[wire.ContractID]*ring{}}
}

// said is what one contract said in one call.
type said struct {
	owner wire.Identity
	batch wire.LogBatch
}

// saidIn sorts the logs of a call by contract. A constructor that fails has an owner too, who wants to know why. What
// nobody owns, because the call undid the contract that said it, is dropped, and so is what belongs to an identity that
// nothing can be encrypted to, and what more than maxCallLogs contracts say in one call.
func saidIn(space *storage, r contract.Outcome, frame wire.LogBatch) (all []said, err error) {
	if len(r.Logs) == 0 {
		return nil, nil
	}
	at := map[[32]byte]int{}
	for _, l := range r.Logs {
		i, known := at[l.Contract]
		if !known {
			owner, ok, err := space.owner(l.Contract)
			if err != nil {
				return nil, err
			}
			if !ok || owner.Scheme() != wire.SchemeSr25519 || len(all) == maxCallLogs {
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
	return all, nil
}

// keepLogs remembers what was said in a command until its effects are durable.
func (x *executor) keepLogs(space *storage, m message, hash wire.Hash, r contract.Outcome) error {
	all, err := saidIn(space, r, wire.LogBatch{Invocation: hash, Command: true, Height: m.Height, Time: m.Time})
	x.said = append(x.said, all...)
	return err
}

// add numbers what was said, and encrypts and keeps as much of the newest of it as there is room for.
func (l *logs) add(all []said) error {
	if len(all) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fits := newestOf(all)
	for i := range all {
		r := l.ring(&all[i])
		all[i].batch.Sequence = r.next
		r.next++
		if !fits[i] {
			continue
		}
		entry, err := l.seal(&all[i])
		if err != nil {
			return fmt.Errorf("log of contract %s: %w", r.id, err)
		}
		l.bytes += r.shelf(all[i].batch.Command).add(entry)
		heap.Fix(&l.rings, r.at)
	}
	for l.bytes > maxClusterLogs {
		l.dropOne()
	}
	return nil
}

// newestOf says of each entry whether it is among the newest of its contract and kind that a shelf has room for: nothing
// is encrypted only to be dropped at once.
func newestOf(all []said) []bool {
	type kind struct {
		contract wire.ContractID
		command  bool
	}
	type room struct{ entries, bytes int }
	left, fits := map[kind]room{}, make([]bool, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		b := &all[i].batch
		k := kind{b.Contract, b.Command}
		r, known := left[k]
		if !known {
			r = room{maxShelfEntries, maxShelfBytes}
		}
		r.entries--
		r.bytes -= envelope.PaddedSize(batchSize(b)) + envelopeOverhead + logEntryOverhead
		fits[i] = r.entries >= 0 && r.bytes >= 0
		left[k] = r
	}
	return fits
}

// batchSize is at least the length of a batch's SCALE, and at most a few bytes for each line more.
func batchSize(b *wire.LogBatch) int {
	n := 128
	for i := range b.Lines {
		n += len(b.Lines[i].Text) + 3
	}
	return n
}

// ring finds the logs of a contract, or begins them.
func (l *logs) ring(s *said) *ring {
	r, ok := l.byID[s.batch.Contract]
	if !ok {
		r = &ring{owner: s.owner, id: s.batch.Contract, next: l.floor}
		l.byID[r.id] = r
		heap.Push(&l.rings, r)
	}
	return r
}

// dropOne drops the oldest entry of the contract that takes the most room.
func (l *logs) dropOne() {
	r := l.rings[0]
	s := &r.queries
	if r.commands.bytes > s.bytes {
		s = &r.commands
	}
	before := s.bytes
	s.drop(1)
	l.bytes -= before - s.bytes
	heap.Fix(&l.rings, r.at)
	if r.bytes() == 0 {
		heap.Remove(&l.rings, r.at)
		delete(l.byID, r.id)
		l.floor = max(l.floor, r.next+generation) &^ (generation - 1)
	}
}

// seal encrypts what was said to the contract's owner.
func (l *logs) seal(s *said) (wire.LogEntry, error) {
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
	plain, err := scale.Marshal(&s.batch)
	if err != nil {
		return wire.LogEntry{}, err
	}
	defer clear(plain)
	e, err := envelope.Seal(l.rand, l.uid, own, to, 0, commkey.ContractLog, plain)
	if err != nil {
		return wire.LogEntry{}, err
	}
	return wire.LogEntry{Sequence: s.batch.Sequence, Envelope: e.Marshal()}, nil
}

func (r *ring) bytes() int { return r.commands.bytes + r.queries.bytes }

func (r *ring) shelf(command bool) *shelf {
	if command {
		return &r.commands
	}
	return &r.queries
}

func entrySize(e *wire.LogEntry) int { return len(e.Envelope) + logEntryOverhead }

// add keeps an entry and gives by how many bytes the shelf has grown.
func (s *shelf) add(e wire.LogEntry) int {
	before := s.bytes
	s.entries = append(s.entries, e)
	s.bytes += entrySize(&e)
	old := 0
	for bytes := s.bytes; bytes > maxShelfBytes || len(s.entries)-old > maxShelfEntries; old++ {
		bytes -= entrySize(&s.entries[old])
	}
	s.drop(old)
	return s.bytes - before
}

// drop forgets the n oldest entries.
func (s *shelf) drop(n int) {
	if n == 0 {
		return
	}
	for i := range s.entries[:n] {
		s.bytes -= entrySize(&s.entries[i])
	}
	s.entries = slices.Clone(s.entries[n:])
}

// ringHeap has the ring that takes the most room at index 0.
type ringHeap []*ring

func (h ringHeap) Len() int           { return len(h) }
func (h ringHeap) Less(i, j int) bool { return h[i].bytes() > h[j].bytes() }
func (h ringHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }

// Push is for package heap.
func (h *ringHeap) Push(x any) {
	r := x.(*ring)
	r.at = len(*h)
	*h = append(*h, r)
}

// Pop is for package heap.
func (h *ringHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return r
}

// owner says whose the logs of a contract are; false where nothing is kept of it.
func (l *logs) owner(id wire.ContractID) (wire.Identity, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.byID[id]
	if !ok {
		return wire.Identity{}, false
	}
	return r.owner, true
}

// since gives a contract's entries from a sequence number on, as many as fit into one answer.
func (l *logs) since(id wire.ContractID, first uint64) wire.LogReply {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.byID[id]
	if !ok {
		return wire.LogReply{First: l.floor, Next: l.floor}
	}
	all := slices.Concat(r.commands.entries, r.queries.entries)
	slices.SortFunc(all, func(a, b wire.LogEntry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	reply := wire.LogReply{First: r.next, Next: r.next}
	if len(all) > 0 {
		reply.First = all[0].Sequence
	}
	room := wire.MaxOutput - logEntryOverhead
	for i := range all {
		if all[i].Sequence < first {
			continue
		}
		if room -= entrySize(&all[i]); room < 0 {
			break
		}
		reply.Entries = append(reply.Entries, all[i])
	}
	return reply
}

// logsFor answers a query for the logs of a contract, which only its owner may ask. Of a contract whose constructor
// failed there is nothing but its logs.
func (cl *cluster) logsFor(o *state.Overlay, inv *wire.Invocation) (wire.Outcome, error) {
	var request wire.LogRequest
	if err := scale.Unmarshal(inv.Payload.Input, &request); err != nil {
		return fault(wire.StatusRefused, 0, "no contract is named, and the input is no request for logs"), nil
	}
	owner, ok := cl.logs.owner(request.Contract)
	if !ok {
		var err error
		if owner, ok, err = (&storage{o: o}).owner(request.Contract); err != nil {
			return wire.Outcome{}, err
		}
	}
	if !ok || owner != inv.From {
		return fault(wire.StatusRefused, 0, "no contract of that id belongs to the caller"), nil
	}
	reply := cl.logs.since(request.Contract, request.Since)
	out, err := scale.Marshal(&reply)
	return wire.Outcome{Status: wire.StatusDone, Output: out}, err
}
