package worker_test

import (
	"path/filepath"
	"testing"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

func example(t testing.TB, name string) *enclavetest.Code {
	t.Helper()
	c, err := enclavetest.ReadContract(filepath.Join("..", "..", "examples", name, name+".contract"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stage is a cluster of workers with its first key fixed.
type stage struct {
	testing.TB
	*enclavetest.World
	workers []*enclavetest.Worker
}

func newStage(t testing.TB, workers int) *stage {
	t.Helper()
	s := &stage{TB: t, World: enclavetest.NewWorld()}
	for range workers {
		s.addWorker(0)
	}
	s.Blocks(1)
	s.Fix()
	s.sync()
	return s
}

func (s *stage) addWorker(since uint32) *enclavetest.Worker {
	x := enclavetest.NewWorker(s.World, s.TempDir())
	s.Cleanup(x.Stop)
	s.workers = append(s.workers, x)
	s.Join(x.Keys.Identity(), since)
	return x
}

// sync lets a block pass and brings every worker up to date.
func (s *stage) sync() {
	s.Helper()
	s.Blocks(1)
	for i, x := range s.workers {
		if err := x.Sync(); err != nil {
			s.Fatalf("worker %d: %v", i, err)
		}
		if st := x.Status(); st.Phase != "running" || st.Count != s.Count() {
			s.Fatalf("worker %d is %q at %d of %d: %s", i, st.Phase, st.Count, s.Count(), st.Problem)
		}
	}
}

// outcome fetches a command's receipt from every worker and demands that they agree.
func (s *stage) outcome(c *enclavetest.Client, index uint64) wire.Outcome {
	s.Helper()
	var first *wire.SaltedReceipt
	for i, x := range s.workers {
		r, err := c.Receipt(x, index)
		if err != nil {
			s.Fatalf("worker %d, message %d: %v", i, index, err)
		}
		if first == nil {
			first = r
		}
		a, _ := first.Leaf()
		if b, _ := r.Leaf(); a != b {
			s.Fatalf("worker %d, message %d: another receipt: %+v and %+v", i, index, first.Receipt, r.Receipt)
		}
	}
	return first.Receipt.Outcome
}

// want demands a status of a command.
func (s *stage) want(c *enclavetest.Client, index uint64, status wire.Status) wire.Outcome {
	s.Helper()
	out := s.outcome(c, index)
	if out.Status != status {
		s.Fatalf("message %d is %s (%s), want %s", index, out.Status, out.Fault, status)
	}
	return out
}

// deploy uploads code and makes a contract of it.
func (s *stage) deploy(c *enclavetest.Client, wasm, input []byte) wire.ContractID {
	s.Helper()
	hash := c.Upload(wasm, 3000)
	id, at := c.Instantiate(hash, 1, input)
	s.sync()
	s.want(c, at, wire.StatusDone)
	return id
}

// noop demands that what post appends is a counted no-op on every worker, and nothing else.
func (s *stage) noop(what string, post func()) {
	s.Helper()
	s.sync()
	before := make([]uint64, len(s.workers))
	for i, x := range s.workers {
		before[i] = x.Status().Noops
	}
	count := s.Count()
	post()
	s.sync()
	for i, x := range s.workers {
		if got := x.Status().Noops - before[i]; got != s.Count()-count {
			s.Fatalf("%s: worker %d counted %d no-ops of %d messages", what, i, got, s.Count()-count)
		}
	}
}

// agree posts a mark, demands that all report the same of it, and finalizes that.
func (s *stage) agree() wire.Checkpoint {
	s.Helper()
	number := s.Mark()
	s.sync()
	var first wire.Checkpoint
	for i, x := range s.workers {
		list := x.Checkpoints()
		if len(list) == 0 || list[len(list)-1].Mark != number {
			s.Fatalf("worker %d has not reported mark %d", i, number)
		}
		if p := list[len(list)-1]; i == 0 {
			first = p
		} else if string(encode(s, &p)) != string(encode(s, &first)) {
			s.Fatalf("worker %d reports %+v, worker 0 %+v", i, p, first)
		}
	}
	s.Finalize(first)
	return first
}
