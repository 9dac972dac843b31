package fetch

import (
	"context"
	"sync"
)

// gate bounds the requests under way, of each contract and of all. One contract holds at most its own share of the
// places; who waits is served in turn.
type gate struct {
	all  chan struct{}
	each int

	mu    sync.Mutex
	lanes map[[32]byte]*lane // of contracts that hold or await a place
}

type lane struct {
	places chan struct{}
	users  int
}

func newGate(all, each int) *gate {
	return &gate{all: make(chan struct{}, all), each: each, lanes: map[[32]byte]*lane{}}
}

// enter waits for a place until ctx ends, which is [ErrBusy]. The caller calls release once.
func (g *gate) enter(ctx context.Context, contract [32]byte) (release func(), err error) {
	l := g.join(contract)
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		g.part(contract, l)
		return nil, ErrBusy
	}
	select {
	case g.all <- struct{}{}:
	case <-ctx.Done():
		<-l.places
		g.part(contract, l)
		return nil, ErrBusy
	}
	return func() {
		<-g.all
		<-l.places
		g.part(contract, l)
	}, nil
}

func (g *gate) join(contract [32]byte) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[contract]
	if l == nil {
		l = &lane{places: make(chan struct{}, g.each)}
		g.lanes[contract] = l
	}
	l.users++
	return l
}

func (g *gate) part(contract [32]byte, l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(g.lanes, contract)
	}
}
