package worker

import (
	"context"
	"fmt"
	"sync"

	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// Bounds of the queries whose slot is given back while they wait for servers: each keeps its contracts' memory.
const (
	maxAside         = 32
	maxAsideContract = 8 // of them, queries whose request is made by one contract
)

// HTTP makes the requests of contracts.
type HTTP interface {
	Do(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error)
}

// Aside makes requests with the query's slot given back meanwhile, so that queries that wait for slow servers keep no
// other from being answered. A query makes several requests at once in a batch: the slot is given back with the first and
// taken again after the last. Where too many queries wait already, a request fails with [fetch.ErrBusy].
func Aside(h HTTP) HTTP { return aside{h} }

type aside struct{ http HTTP }

// slotKey is where the context of a query has the slot that it holds.
type slotKey struct{}

// slot is a query's slot of a role.
type slot struct {
	role *Role

	mu       sync.Mutex
	requests int      // under way; the slot is given back while there is one
	contract [32]byte // that made the first of them
}

// withSlot is the context of a query that holds a slot.
func (r *Role) withSlot(ctx context.Context) context.Context {
	return context.WithValue(ctx, slotKey{}, &slot{role: r})
}

// Do implements [HTTP].
func (a aside) Do(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error) {
	s, held := ctx.Value(slotKey{}).(*slot)
	if !held {
		return a.http.Do(ctx, contract, r)
	}
	if !s.leave(contract) {
		return fetch.Response{}, fmt.Errorf("queries that wait for servers: %w", fetch.ErrBusy)
	}
	defer s.back()
	return a.http.Do(ctx, contract, r)
}

// leave counts a request, and gives the slot back with the first; or it reports that too many queries wait already.
func (s *slot) leave(contract [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == 0 {
		if !s.role.away.enter(contract) {
			return false
		}
		s.contract = contract
		s.role.end()
	}
	s.requests++
	return true
}

// back ends a request, and takes a slot again after the last one. Whoever asks for the next request waits until then.
func (s *slot) back() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests--; s.requests == 0 {
		s.role.queries <- struct{}{} // soon: no slot is held for longer than one piece of work
		s.role.away.part(s.contract)
	}
}

// away counts the queries that wait for servers. The zero value counts none.
type away struct {
	mu  sync.Mutex
	all int
	of  map[[32]byte]int
}

func (w *away) enter(contract [32]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == maxAside || w.of[contract] == maxAsideContract {
		return false
	}
	if w.of == nil {
		w.of = map[[32]byte]int{}
	}
	w.all++
	w.of[contract]++
	return true
}

func (w *away) part(contract [32]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.of[contract]--; w.of[contract] == 0 {
		delete(w.of, contract)
	}
}
