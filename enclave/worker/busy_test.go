package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// A query waits for the height it asks for, and fails by name when that does not come; whoever waits keeps nobody else
// from being answered.
func TestQueryWaits(t *testing.T) {
	s, alice, id, code := counterStage(t)
	x := s.workers[0]
	ask := func(ctx context.Context, above uint64) error {
		inv := alice.New(wire.ActionQuery, id, code.Input("get"))
		inv.MinHeight = above
		_, err := x.Role.Query(ctx, s.Cluster.ID, alice.SealQuery(x, alice.Sign(inv, alice.Life(x))))
		return err
	}
	inv := alice.New(wire.ActionQuery, id, code.Input("get"))
	inv.MinHeight = s.Height
	raw := alice.SealQuery(x, alice.Sign(inv, alice.Life(x)))
	done := make(chan error, 1)
	go func() {
		_, err := x.Role.Query(t.Context(), s.Cluster.ID, raw)
		done <- err
	}()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := ask(short, 1<<40); !errors.Is(err, worker.ErrBehind) {
		t.Errorf("far ahead: %v", err)
	}
	s.sync()
	if err := <-done; err != nil {
		t.Errorf("a block later: %v", err)
	}
	// Many wait for what never comes.
	never, stop := context.WithCancel(t.Context())
	var raws [][]byte
	for range 300 {
		inv := alice.New(wire.ActionQuery, id, code.Input("get"))
		inv.MinHeight = 1 << 40
		raws = append(raws, alice.SealQuery(x, alice.Sign(inv, alice.Life(x))))
	}
	var group sync.WaitGroup
	for _, raw := range raws {
		group.Go(func() { x.Role.Query(never, s.Cluster.ID, raw) })
	}
	begin := time.Now()
	for range 20 {
		if err := ask(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("20 queries took %s while others waited", took)
	}
	stop()
	group.Wait()
	if _, err := x.Role.Receipt(t.Context(), s.Cluster.ID, s.Count()+5, false); !errors.Is(err, worker.ErrNotYet) {
		t.Errorf("a receipt to come: %v", err)
	}
	at := s.Count()
	got := make(chan error, 1)
	go func() {
		_, err := x.Role.Receipt(t.Context(), s.Cluster.ID, at, true)
		got <- err
	}()
	alice.Call(id, code.Input("inc"))
	s.sync()
	if err := <-got; err != nil {
		t.Errorf("a receipt that is waited for: %v", err)
	}
}

// All doors are used while commands are executed, keys change and the worker is stopped; nothing but errors by name
// comes of it.
func TestDoorsWhileItWorks(t *testing.T) {
	s, alice, id, code := counterStage(t)
	s.agree()
	x, other := s.workers[0], s.workers[1]
	request, err := other.Role.RequestState(s.Cluster.ID, x.Keys.Identity())
	if !errors.Is(err, worker.ErrNotYet) {
		t.Fatal(err)
	}
	life, bob := alice.Life(x), enclavetest.NewClient(s.World)
	var raws [][]byte
	for range 200 {
		raws = append(raws, bob.SealQuery(x, bob.Sign(bob.New(wire.ActionQuery, id, code.Input("get")), life)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := worker; ctx.Err() == nil; i++ {
				if i < len(raws) {
					x.Role.Query(ctx, s.Cluster.ID, raws[i])
				}
				x.Role.Receipt(ctx, s.Cluster.ID, uint64(i%40), i%7 == 0)
				x.Role.Status()
				x.Role.ExportState(ctx, request, 0)
				x.Role.RequestState(s.Cluster.ID, other.Keys.Identity())
				x.Role.ImportState(ctx, request, 0, nil)
			}
		})
	}
	for i := range 12 {
		for range 5 {
			alice.Call(id, code.Input("inc"))
		}
		switch i % 4 {
		case 1:
			s.BeginEpoch()
			s.Fix()
		case 3:
			s.Mark()
		}
		s.sync()
	}
	x.Role.Stop()
	time.Sleep(20 * time.Millisecond)
	if err := x.Step(); !errors.Is(err, worker.ErrStopped) {
		t.Errorf("a step after the end: %v", err)
	}
	if _, err := x.Role.Query(t.Context(), s.Cluster.ID, raws[0]); !errors.Is(err, worker.ErrUnknownCluster) {
		t.Errorf("a query after the end: %v", err)
	}
	cancel()
	group.Wait()
}
