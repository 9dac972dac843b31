package worker_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// durable is everything that calls may change in a worker's state: the ledger, the contracts, their events' heads, what is
// to be dropped, and what the contracts store.
func (p *puppets) durable(x *enclavetest.Worker, contracts ...wire.ContractID) map[string]string {
	out := map[string]string{}
	collect := func(id wire.ContractID, prefix string) {
		for k, v := range x.Role.Entries(p.Cluster.ID, id, prefix) {
			out[fmt.Sprintf("%x/%x", id[:4], k)] = v
		}
	}
	for _, prefix := range []string{"b/", "c/", "d/", "e/"} {
		collect(wire.ContractID{}, prefix)
	}
	for _, id := range contracts {
		collect(id, "")
	}
	return out
}

// balance reads an account of the ledger.
func (p *puppets) balance(x *enclavetest.Worker, account [32]byte) uint64 {
	key := "b/" + string(account[:])
	v, ok := x.Role.Entries(p.Cluster.ID, wire.ContractID{}, key)[key]
	if !ok {
		return 0
	}
	return binary.LittleEndian.Uint64([]byte(v))
}

// fund has Alice pay her puppet.
func (p *puppets) fund(amount uint64) {
	inv := p.alice.New(wire.ActionCommand, p.hers, nil)
	inv.Value = uint128.From64(amount)
	p.alice.Send(inv)
}

// What a called contract did is undone when it fails, whatever it was, on the real state; what its caller did is not.
func TestRollbackOfNestedCalls(t *testing.T) {
	p := newPuppets(newStage(t, 2))
	deeds := map[string][]step{
		"sets":      {set(2, "new"), set(1, "other")},
		"fills":     {fill(100, 100)},
		"emits":     {event("said")},
		"makes":     {birth(p.code, 7, 5, set(1, "child"), event("born"))},
		"upgrades":  {upgrade(p.other)},
		"pays":      {pay(p.alice.Identity().AccountID(), 30)},
		"nests":     {call(p.hers, 5, set(9, "deep"), event("deep"), birth(p.code, 8, 0)), set(3, "x")},
		"nests and": {call(p.hers, 0, set(9, "kept"), call(p.his, 0, set(8, "undone"), trap()))},
		"ends":      {end(p.bob.Identity().AccountID())},
	}
	p.must(p.bob, p.his, set(1, "his"), event("first"))
	child := childOf(p.World, p.his, p.code, 7, set(1, "child"), event("born"))
	grandchild := childOf(p.World, p.hers, p.code, 8)
	ids := []wire.ContractID{p.hers, p.his, child, grandchild}
	p.fund(500)
	p.must(p.alice, p.hers, pay(p.his, 100))
	for _, what := range slices.Sorted(maps.Keys(deeds)) {
		for _, fail := range []step{revert(), trap()} {
			if what == "ends" {
				continue // a contract that has ended itself runs no further, see below
			}
			before := p.durable(p.workers[0], ids...)
			p.must(p.alice, p.hers, call(p.his, 0, append(slices.Clone(deeds[what]), fail)...))
			if after := p.durable(p.workers[0], ids...); !maps.Equal(before, after) {
				t.Errorf("%s, then fails with %d: the state was\n%q and is\n%q", what, fail.what, before, after)
			}
			contracts := p.workers[0].Status().Contracts
			if contracts != 2 {
				t.Errorf("%s: %d contracts are counted", what, contracts)
			}
		}
	}
	// An end is undone by the failure of the caller.
	before := p.durable(p.workers[0], ids...)
	p.must(p.alice, p.hers, call(p.hers, 0, call(p.his, 0, deeds["ends"]...), trap()))
	if after := p.durable(p.workers[0], ids...); !maps.Equal(before, after) {
		t.Errorf("ends: the state was\n%q and is\n%q", before, after)
	}
	p.agree()
	// The same deeds, without the failure, do change it: the comparison can fail.
	for _, what := range slices.Sorted(maps.Keys(deeds)) {
		before := p.durable(p.workers[0], ids...)
		p.must(p.alice, p.hers, call(p.his, 0, deeds[what]...))
		if after := p.durable(p.workers[0], ids...); maps.Equal(before, after) {
			t.Errorf("%s: nothing has changed", what)
		}
		if what == "ends" {
			break // the last in order would find no callee
		}
	}
	p.agree()
}

// A contract that a contract makes has its own storage and money, belongs to the owner of the one that made it, and is
// found by the id that follows from how it was made; the chain never hears of it, also not from a worker that starts
// again or joins.
func TestContractsOfContracts(t *testing.T) {
	p := newPuppets(newStage(t, 2))
	p.fund(500)
	child := childOf(p.World, p.hers, p.code, 3, set(1, "child"), birth(p.other, 4, 20, set(1, "grandchild")))
	grandchild := childOf(p.World, child, p.other, 4, set(1, "grandchild"))
	p.must(p.bob, p.hers, birth(p.code, 3, 50, set(1, "child"), birth(p.other, 4, 20, set(1, "grandchild"))))
	if a, b := p.entry(child, 1), p.entry(grandchild, 1); a != "child" || b != "grandchild" {
		t.Fatalf("they hold %q and %q", a, b)
	}
	for i, x := range p.workers {
		for id, want := range map[wire.ContractID]uint64{child: 30, grandchild: 20} {
			if got := p.balance(x, id); got != want {
				t.Errorf("worker %d: balance %d, want %d", i, got, want)
			}
		}
		if n := x.Status().Contracts; n != 4 {
			t.Errorf("worker %d counts %d contracts", i, n)
		}
		// Bob has called, but the contracts are Alice's.
		if _, out, err := p.alice.Logs(x, grandchild, 0); err != nil || out.Status != wire.StatusDone {
			t.Errorf("worker %d: %v %s", i, err, out.Fault)
		}
		if _, out, err := p.bob.Logs(x, grandchild, 0); err != nil || out.Status != wire.StatusRefused {
			t.Errorf("worker %d: the caller is answered as owner: %v %s", i, err, out.Status)
		}
	}
	// The same again fails, and leaves what is there.
	p.must(p.alice, p.hers, call(p.hers, 0, birth(p.code, 3, 0, set(1, "child"), birth(p.other, 4, 20, set(1, "grandchild")))))
	if n := p.workers[0].Status().Contracts; n != 4 {
		t.Errorf("%d contracts are counted", n)
	}
	p.agree()
	joiner := enclavetest.NewWorker(p.World, t.TempDir())
	t.Cleanup(joiner.Stop)
	p.Join(joiner.Keys.Identity(), 0)
	p.agree()
	if err := joiner.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := carry(p.stage, p.workers[0], joiner, nil); err != nil {
		t.Fatal(err)
	}
	reported := p.workers[0].Acts
	p.workers[0].Restart()
	p.workers = append(p.workers, joiner)
	p.sync()
	p.must(p.alice, grandchild, set(2, "later"))
	for i, acts := range [][]wire.Act{reported, p.workers[0].Acts, p.workers[1].Acts, joiner.Acts} {
		seen := map[wire.ContractID]bool{}
		for _, a := range acts {
			if a.Contract != nil {
				seen[a.Contract.Contract] = true
			}
		}
		if !seen[p.hers] || !seen[p.his] || len(seen) != 2 {
			t.Errorf("life %d reports %v", i, seen)
		}
	}
	if a, b := p.entry(child, 1), p.entry(grandchild, 2); a != "child" || b != "later" {
		t.Errorf("they hold %q and %q", a, b)
	}
	p.agree()
}

// A contract with other code runs it, also after a start and on a joiner; the chain is told of the code it was made of.
func TestCodeUpgradeSurvives(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	p.must(p.alice, p.hers, set(1, "kept"), upgrade(p.other))
	check := func() {
		t.Helper()
		for _, x := range p.workers {
			entry := x.Role.Entries(p.Cluster.ID, wire.ContractID{}, "c/"+string(p.hers[:]))
			if v := entry["c/"+string(p.hers[:])]; !strings.HasPrefix(v, string(p.other[:])+string(p.code[:])) {
				t.Fatalf("its entry is %x", v)
			}
			for _, a := range x.Acts {
				if a.Contract != nil && a.Contract.CodeHash != p.code {
					t.Fatalf("%s is reported with code %s", a.Contract.Contract, a.Contract.CodeHash)
				}
			}
		}
		if got := p.entry(p.hers, 1); got != "kept" {
			t.Fatalf("it holds %q", got)
		}
	}
	check()
	p.workers[0].Restart()
	p.sync()
	if len(p.workers[0].Acts) == 0 {
		t.Fatal("nothing is reported after the start")
	}
	check()
	p.agree()
	p.addWorker(0)
	joiner := p.workers[1]
	p.workers = p.workers[:1]
	p.agree()
	if err := joiner.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := carry(p.stage, p.workers[0], joiner, nil); err != nil {
		t.Fatal(err)
	}
	p.workers = append(p.workers, joiner)
	p.sync()
	check()
	// Code that the cluster does not have changes nothing.
	p.must(p.alice, p.hers, upgrade(wire.CodeHash{1}))
	check()
	p.agree()
}

// secret is a contract's own, the end of its entry; empty where it is zero or the contract unknown.
func (p *puppets) secret(x *enclavetest.Worker, id wire.ContractID) string {
	key := "c/" + string(id[:])
	entry := x.Role.Entries(p.Cluster.ID, wire.ContractID{}, key)[key]
	if len(entry) < 32 || entry[len(entry)-32:] == string(make([]byte, 32)) {
		return ""
	}
	return entry[len(entry)-32:]
}

// Each contract has a secret that no other has, alike on all workers, and the same after keys have rotated and code has
// changed.
func TestSecretsOfContracts(t *testing.T) {
	p := newPuppets(newStage(t, 2))
	p.must(p.alice, p.hers, birth(p.code, 3, 0), birth(p.code, 4, 0))
	ids := []wire.ContractID{p.hers, p.his, childOf(p.World, p.hers, p.code, 3), childOf(p.World, p.hers, p.code, 4)}
	before := map[string]bool{}
	for _, id := range ids {
		before[p.secret(p.workers[0], id)] = true
	}
	if before[""] || len(before) != len(ids) {
		t.Fatalf("%d contracts have %d secrets", len(ids), len(before))
	}
	p.BeginEpoch()
	p.Fix()
	p.must(p.alice, p.hers, upgrade(p.other))
	p.agree()
	p.agree()
	p.agree()
	p.workers[1].Restart()
	p.sync()
	for i, x := range p.workers {
		for _, id := range ids {
			if !before[p.secret(x, id)] {
				t.Errorf("worker %d: %s has another secret", i, id)
			}
		}
	}
}

// Who has ended its existence is no contract any more, for ever: its money is where it said, its id is not given again,
// nothing runs under it, and what it stored is dropped from mark to mark, not more at a time than a mark may.
func TestEndOfAContract(t *testing.T) {
	const stored = worker.MaxTerminated + 500
	p := newPuppets(newStage(t, 2))
	p.fund(500)
	p.must(p.alice, p.hers, fill(stored, 1), event("alive"))
	p.must(p.alice, p.hers, birth(p.code, 3, 10))
	child := childOf(p.World, p.hers, p.code, 3)
	p.must(p.alice, child, set(1, "x"), event("child"))
	p.must(p.alice, p.his, call(child, 0, end(p.his)))
	p.must(p.bob, p.hers, event("last"), end(p.bob.Identity().AccountID()))
	left := func(x *enclavetest.Worker, id wire.ContractID) (entries, pending, heads int) {
		return len(x.Role.Entries(p.Cluster.ID, id, "")), len(x.Role.Entries(p.Cluster.ID, wire.ContractID{}, "d/")),
			len(x.Role.Entries(p.Cluster.ID, wire.ContractID{}, "e/"))
	}
	x := p.workers[0]
	if n, pending, heads := left(x, p.hers); n != stored || pending != 2 || heads != 0 {
		t.Fatalf("%d entries are left, %d contracts to drop, %d heads of events", n, pending, heads)
	}
	for account, want := range map[[32]byte]uint64{p.bob.Identity().AccountID(): 1490, p.his: 10, p.hers: 0, child: 0} {
		if got := p.balance(x, account); got != want {
			t.Errorf("an heir has %d, want %d", got, want)
		}
	}
	for _, id := range []wire.ContractID{p.hers, child} {
		if p.secret(x, id) != "" {
			t.Error("the secret is still there")
		}
	}
	again, at := p.alice.Instantiate(p.code, 1, nil)
	called := p.do(p.alice, p.hers, set(1, "undead"))
	p.sync()
	if again != p.hers {
		t.Fatal("the test is wrong")
	}
	p.want(p.alice, at, wire.StatusRefused)
	p.want(p.alice, called, wire.StatusRefused)
	if reply, err := p.alice.Query(x, p.hers, nil); err != nil || reply.Outcome.Status != wire.StatusRefused {
		t.Errorf("a query is answered: %v", err)
	}
	left0 := stored + 1
	for marks := 0; ; marks++ {
		a, pending, _ := left(x, p.hers)
		b, _, _ := left(x, child)
		if left0-(a+b) > worker.MaxTerminated+1 || marks > 3 {
			t.Fatalf("after %d marks %d entries are left of %d", marks, a+b, left0)
		}
		left0 = a + b
		if left0 == 0 && pending == 0 {
			if marks < 2 {
				t.Errorf("it took %d marks", marks)
			}
			break
		}
		p.agree()
		if marks == 1 {
			p.workers[1].Restart()
			p.sync()
		}
	}
	p.agree()
	_, at = p.alice.Instantiate(p.code, 1, nil)
	p.sync()
	p.want(p.alice, at, wire.StatusRefused)
}

// A call that writes as much as there may be, and then does what would need one more write, is over its bound and nothing
// else: no error of the state reaches the worker, which would stop the cluster.
func TestWritesAtTheBound(t *testing.T) {
	const most = 8 << 20
	p := newPuppets(newStage(t, 1))
	p.fund(500)
	p.must(p.alice, p.hers, birth(p.code, 9, 100))
	rich := childOf(p.World, p.hers, p.code, 9)
	one := 4 + 1 + 16<<10 + 64 // what a filling write counts: key with its kind, value, and what every entry counts
	full := fill(uint32(most/one), 16<<10)
	room := most - most/one*one
	for name, last := range map[string]step{
		"makes a contract that upgrades itself":   birth(p.code, 1, 0, upgrade(p.other)),
		"makes a contract that makes one":         birth(p.code, 2, 0, birth(p.code, 3, 0)),
		"makes a contract that ends itself":       birth(p.code, 4, 0, call(p.his, 0, event("x")), end(p.his)),
		"ends a contract with money":              call(rich, 0, end(p.his)),
		"pays":                                    pay(p.his, 1),
		"makes a contract with money of its own":  birth(p.code, 5, 7, set(1, "x")),
		"upgrades itself":                         upgrade(p.other),
		"emits an event, whose head is to change": event("x"),
	} {
		statuses := map[wire.Status]int{}
		for left := 0; left < 700; left += 50 {
			filler := step{what: stepFill, b: 1, size: uint32(room - 5 - 64 - left)}
			at := p.do(p.alice, p.hers, call(p.his, 0, full), call(p.hers, 0, filler), last)
			p.sync()
			statuses[p.outcome(p.alice, at).Status]++
		}
		if statuses[wire.StatusLimit] == 0 || len(statuses) < 2 {
			t.Errorf("%s: outcomes %v: the bound was not on the way", name, statuses)
		}
	}
	p.agree()
}
