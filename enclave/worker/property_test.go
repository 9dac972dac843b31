package worker_test

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	"lukechampine.com/uint128"
	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// script plays a random life of a cluster.
type script struct {
	*rapid.T
	*enclavetest.World
	code    *enclavetest.Code
	clients []*enclavetest.Client
	ids     []wire.ContractID
	puppets []wire.ContractID // what they make among them
	puppet  wire.CodeHash
	posted  map[uint64]*enclavetest.Client
	incs    map[uint64]bool // messages that add one to the first contract
	replays []wire.Body
	chosen  uint64
}

func (p *script) choose(n int) int {
	p.chosen++
	return rapid.IntRange(0, n-1).Draw(p.T, fmt.Sprint("choice ", p.chosen))
}

// act appends one or a few random messages.
func (p *script) act() {
	c := p.clients[p.choose(len(p.clients))]
	id := p.ids[p.choose(len(p.ids))]
	inc := func() *wire.Invocation { return c.New(wire.ActionCommand, id, p.code.Input("inc")) }
	note := func(at uint64) { p.posted[at] = c }
	switch p.choose(17) {
	case 0, 1, 2:
		inv := inc()
		f := p.Cluster.Fixed
		b := c.Seal(c.Sign(inv, c.Target()), f.Key, f.Epoch)
		p.replays = append(p.replays, b)
		at := p.Push(b)
		note(at)
		p.incs[at] = id == p.ids[0]
	case 3:
		if len(p.replays) > 0 {
			p.Push(p.replays[p.choose(len(p.replays))])
		}
	case 4:
		p.Post(enclavetest.Account(2), rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(p.T, "garbage"))
	case 5:
		inv := inc()
		inv.GasLimit = uint64(p.choose(1 << 20))
		at := c.Send(inv)
		note(at)
		p.incs[at] = id == p.ids[0]
	case 6:
		p.Deposit(c.Identity(), uint64(p.choose(1000)))
	case 7:
		note(c.Withdraw(uint64(p.choose(500))))
	case 8:
		inv := c.New(wire.ActionCommand, id, p.code.Input("deposit"))
		inv.Value = uint128.From64(uint64(p.choose(400)))
		note(c.Send(inv))
	case 9:
		if p.Cluster.Fixed.Epoch == p.Cluster.KeyEpoch {
			p.BeginEpoch()
		} else {
			p.Fix()
		}
	case 10:
		p.Mark()
	case 11:
		p.Blocks(uint64(p.choose(150)))
	case 12:
		made, at := c.Instantiate(wire.NewCodeHash(p.code.Wasm), byte(p.choose(3)), p.code.Input("default"))
		p.ids = append(p.ids, made)
		note(at)
	case 13:
		old := p.Cluster.Fixed.Epoch
		if old > 0 {
			old-- // in its grace period or after it
		}
		inv := inc()
		at := p.Push(c.Seal(c.Sign(inv, c.Target()), p.Public(old), old))
		note(at)
		p.incs[at] = id == p.ids[0]
	default:
		puppet := p.puppets[p.choose(len(p.puppets))]
		inv := c.New(wire.ActionCommand, puppet, play(p.steps(puppet, 3)...))
		inv.Value = uint128.From64(uint64(p.choose(20)))
		note(c.Send(inv))
	}
}

// steps are what one call of a puppet does: a few things in its own name, calls of others that do the like to a depth, and
// now and then a failure, which undoes what was done from there up to the call that forgives it.
func (p *script) steps(self wire.ContractID, depth int) (out []step) {
	other := func() wire.ContractID { return p.puppets[p.choose(len(p.puppets))] }
	for range p.choose(5) {
		switch p.choose(12) {
		case 0, 1:
			out = append(out, set(byte(p.choose(3)), fmt.Sprint("value ", p.chosen)))
		case 2:
			out = append(out, event("event"), logged("log"))
		case 3:
			out = append(out, fill(uint32(1+p.choose(20)), uint32(p.choose(100))))
		case 4:
			out = append(out, pay(other(), uint64(p.choose(10))))
		case 5:
			out = append(out, upgrade(p.puppet))
		case 6:
			out = append(out, [...]step{revert(), trap(), end(other())}[p.choose(3)])
		case 7:
			if depth == 0 {
				continue
			}
			salt, steps := byte(p.choose(3)), p.steps(self, 0)
			out = append(out, birth(p.puppet, salt, uint64(p.choose(5)), steps...))
			if len(p.puppets) < 20 {
				p.puppets = append(p.puppets, childOf(p.World, self, p.puppet, salt, steps...))
			}
		default:
			if depth > 0 {
				to := other()
				out = append(out, call(to, uint64(p.choose(5)), p.steps(to, depth-1)...))
			}
		}
	}
	return out
}

// Two workers that are given the same topic, in other batches and with other restarts, say the same of everything; and
// every accepted command was executed once.
func TestWorkersAgree(t *testing.T) {
	code := example(t, "counter")
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("5"); err != nil { // each plays two whole lives with disks
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		w := enclavetest.NewWorld()
		p := &script{T: rt, World: w, code: code, posted: map[uint64]*enclavetest.Client{}, incs: map[uint64]bool{}}
		steady := enclavetest.NewWorker(w, filepath.Join(dir, "a"))
		defer steady.Stop()
		erratic := enclavetest.NewWorker(w, filepath.Join(dir, "b"))
		defer erratic.Stop()
		erratic.Split = func(n int) int { return 1 + p.choose(n) }
		w.Join(steady.Keys.Identity(), 0)
		w.Join(erratic.Keys.Identity(), 0)
		w.Fix()
		for range 2 {
			p.clients = append(p.clients, enclavetest.NewClient(w))
		}
		hash := p.clients[0].Upload(code.Wasm, 5000)
		id, _ := p.clients[0].Instantiate(hash, 9, code.Input("default"))
		p.ids = append(p.ids, id)
		p.puppet = p.clients[0].Upload(puppet(0), 5000)
		for salt := range byte(2) {
			id, _ := p.clients[0].Instantiate(p.puppet, salt, nil)
			p.puppets = append(p.puppets, id)
		}
		reports := map[uint64][]byte{}
		for range 8 {
			for range 1 + p.choose(6) {
				p.act()
			}
			if p.choose(3) == 0 {
				collect(rt, reports, erratic)
				erratic.Restart()
			}
			if p.choose(2) == 0 {
				catchUp(rt, erratic)
			}
			if p.choose(3) == 0 {
				catchUp(rt, steady)
			}
		}
		w.Blocks(1)
		w.Mark()
		catchUp(rt, steady)
		catchUp(rt, erratic)
		collect(rt, reports, steady)
		collect(rt, reports, erratic)
		a, b := steady.Status(), erratic.Status()
		if a.Root != b.Root || a.Count != b.Count || a.Noops != b.Noops || a.Contracts != b.Contracts {
			rt.Fatalf("they stand at %+v and %+v", a, b)
		}
		p.once(steady, erratic)
	})
}

func catchUp(t *rapid.T, x *enclavetest.Worker) {
	t.Helper()
	if err := x.Sync(); err != nil {
		t.Fatal(err)
	}
	if s := x.Status(); s.Phase != "running" || s.Count != x.World.Count() {
		t.Fatalf("worker is %q at %d of %d", s.Phase, s.Count, x.World.Count())
	}
}

// collect demands that a worker says of each mark what was said before, by itself in another life or by another.
func collect(t *rapid.T, reports map[uint64][]byte, x *enclavetest.Worker) {
	for _, c := range x.Checkpoints() {
		raw, err := scale.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := reports[c.Mark]; ok && !bytes.Equal(before, raw) {
			t.Fatalf("mark %d is reported in two ways: %+v", c.Mark, c)
		}
		reports[c.Mark] = raw
	}
}

// once holds the first contract's value against the commands that have receipts, which both workers must have alike.
func (p *script) once(x, y *enclavetest.Worker) {
	done := 0
	for at, c := range p.posted {
		r, err := c.Receipt(x, at)
		q, other := c.Receipt(y, at)
		if (err == nil) != (other == nil) {
			p.Fatalf("message %d: %v and %v", at, err, other)
		}
		if err != nil {
			continue
		}
		a, _ := r.Leaf()
		if b, _ := q.Leaf(); a != b {
			p.Fatalf("message %d: receipts %+v and %+v", at, r, q)
		}
		if p.incs[at] && r.Receipt.Outcome.Status == wire.StatusDone {
			done++
		}
	}
	for _, w := range []*enclavetest.Worker{x, y} {
		reply, err := p.clients[0].Query(w, p.ids[0], p.code.Input("get"))
		if err != nil {
			p.Fatal(err)
		}
		if want := append([]byte{0}, enclavetest.I32(int32(done))...); !bytes.Equal(reply.Outcome.Output, want) {
			p.Fatalf("the counter is %x, %d increments are done", reply.Outcome.Output, done)
		}
	}
}
