package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// scaleRows compare queries on two cores with queries on one, and measure what many contracts and a large state cost.
func scaleRows(ctx context.Context, b *bench) error {
	if b.wants("queries_two_cores") {
		if err := coresRow(ctx, b); err != nil {
			return err
		}
	}
	if b.wants("contract_idle") {
		if err := idleRow(ctx, b); err != nil {
			return err
		}
	}
	if b.wants("state_read") {
		return readRow(ctx, b)
	}
	return nil
}

// coresRow answers independent queries, encrypted beforehand, on one processor and on two, in turns. Of each the least
// disturbed round counts: another program that takes a processor for a moment takes it from two-processor rounds alone.
func coresRow(ctx context.Context, b *bench) error {
	s, err := newStage(b)
	if err != nil {
		return err
	}
	defer s.worker.Stop()
	const rounds = 16
	n := b.samples(1000)
	var one, two []time.Duration
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for range rounds {
		for _, cores := range []int{1, 2} {
			queries := s.queries(n)
			runtime.GOMAXPROCS(cores)
			runtime.GC()
			took, err := s.answer(ctx, queries)
			if err != nil {
				return err
			}
			if cores == 1 {
				one = append(one, took/time.Duration(n))
				continue
			}
			two = append(two, took/time.Duration(n))
		}
	}
	b.add("queries_two_cores", micros(slices.Min(two)), "µs", micros(slices.Min(one)))
	return nil
}

// queries makes n queries, each another one.
func (s *stage) queries(n int) [][]byte {
	life := s.client.Life(s.worker)
	queries := make([][]byte, n)
	for i := range queries {
		inv := s.client.New(wire.ActionQuery, s.id, s.code.Input("get"))
		queries[i] = s.client.SealQuery(s.worker, s.client.Sign(inv, life))
	}
	return queries
}

// answer has two callers ask all queries, and times it.
func (s *stage) answer(ctx context.Context, queries [][]byte) (time.Duration, error) {
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, 2)
	start := time.Now()
	for caller := range errs {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(queries)); i = next.Add(1) - 1 {
				if _, err := s.worker.Role.Query(ctx, s.world.Cluster.ID, queries[i]); err != nil {
					errs[caller] = err
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	for _, err := range errs {
		if err != nil {
			return 0, fmt.Errorf("query: %w", err)
		}
	}
	return took, nil
}

// idleContracts is how many contracts idleRow deploys, of how many codes.
const (
	idleContracts = 1_000
	idleCodes     = 8
)

// idleRow deploys contracts and measures by how much the resident memory has grown for each, compiled code included.
func idleRow(_ context.Context, b *bench) error {
	s, err := newStage(b)
	if err != nil {
		return err
	}
	defer s.worker.Stop()
	before, err := inUse()
	if err != nil {
		return err
	}
	last := uint64(0)
	for i := range idleCodes {
		// A custom section, which the engine drops, makes it another code.
		code := append(append([]byte(nil), s.code.Wasm...), 0, 2, 1, 'a'+byte(i))
		hash := s.client.Upload(code, 4000)
		for salt := range idleContracts / idleCodes {
			_, last = s.client.Instantiate(hash, byte(salt), s.code.Input("new", enclavetest.I32(0)))
		}
		s.world.Blocks(1)
		if err := s.worker.Sync(); err != nil {
			return err
		}
		if err := s.executed(last); err != nil {
			return err
		}
	}
	after, err := inUse()
	if err != nil {
		return err
	}
	b.add("contract_idle", max(after-before, 0)/idleContracts, "KiB", 1024)
	return nil
}

// inUse is this process's resident memory, in KiB, without what Go could give back.
func inUse() (float64, error) {
	debug.FreeOSMemory()
	return resident(os.Getpid())
}

// largeState is the entries of readRow's state.
const largeState = 1_000_000

// readRow reads entries of a large state at random, as a contract does.
func readRow(ctx context.Context, b *bench) error {
	tree, err := state.NewTree(0, make([]byte, 32), state.Limits{})
	if err != nil {
		return err
	}
	n := largeState
	if b.quick {
		n /= 10
	}
	o := state.NewOverlay(tree.View())
	for i := range n {
		if err := o.Set(owner, fmt.Appendf(nil, "%08d", i), make([]byte, 64)); err != nil {
			return err
		}
	}
	if err := tree.Apply(1, o.WriteSet()); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	o = state.NewOverlay(tree.View())
	d, err := medians(ctx, b.samples(20_000), step{"read", func(int) error {
		if _, ok := o.Get(owner, fmt.Appendf(nil, "%08d", r.IntN(n))); !ok {
			return fmt.Errorf("%w: an entry is not there", errWrong)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	b.add("state_read", micros(d[0]), "µs", 20)
	return nil
}
