package worker

import (
	"context"

	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// HTTP makes the requests of contracts.
type HTTP interface {
	Do(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error)
}

// Aside makes requests with the query's slot given back meanwhile, so that queries that wait for slow servers keep no
// other from being answered.
func Aside(h HTTP) HTTP { return aside{h} }

type aside struct{ http HTTP }

// slotKey is where the context of a query names the role whose slot it holds.
type slotKey struct{}

// withSlot is the context of a query that holds a slot.
func (r *Role) withSlot(ctx context.Context) context.Context {
	return context.WithValue(ctx, slotKey{}, r)
}

// Do implements [HTTP].
func (a aside) Do(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error) {
	role, held := ctx.Value(slotKey{}).(*Role)
	if !held {
		return a.http.Do(ctx, contract, r)
	}
	role.end()
	defer func() { role.queries <- struct{}{} }() // soon: no slot is held for longer than one piece of work
	return a.http.Do(ctx, contract, r)
}
