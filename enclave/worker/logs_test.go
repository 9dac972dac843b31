package worker_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/wire"
)

// logs reads and opens all that a worker has of a contract, which must be the caller's.
func (p *puppets) logs(x *enclavetest.Worker, c *enclavetest.Client, id wire.ContractID) []*wire.LogBatch {
	p.Helper()
	var out []*wire.LogBatch
	for since := uint64(0); ; {
		reply, outcome, err := c.Logs(x, id, since)
		if err != nil || outcome.Status != wire.StatusDone {
			p.Fatalf("logs of %s: %v %s", id, err, outcome.Fault)
		}
		if len(reply.Entries) == 0 {
			return out
		}
		for _, e := range reply.Entries {
			b, err := c.OpenLog(e)
			if err != nil {
				p.Fatal(err)
			}
			if b.Contract != id || b.Sequence != e.Sequence || e.Sequence < since || e.Sequence >= reply.Next {
				p.Fatalf("entry %d since %d holds number %d of %s", e.Sequence, since, b.Sequence, b.Contract)
			}
			out = append(out, b)
			since = e.Sequence + 1
		}
	}
}

func texts(batches []*wire.LogBatch) (out []string) {
	for _, b := range batches {
		for _, l := range b.Lines {
			out = append(out, l.Text)
		}
	}
	return out
}

// What contracts log, their owners read, on every worker alike: in commands that end well and in those that do not, and
// in queries on the worker that was asked.
func TestLogs(t *testing.T) {
	p := newPuppets(newStage(t, 2))
	posted := []uint64{
		p.do(p.bob, p.hers, logged("one"), logged("two"), set(1, "x")),
		p.do(p.bob, p.hers, logged("reverted"), revert()),
		p.do(p.bob, p.hers, logged("trapped"), trap()),
		p.do(p.alice, p.his, logged("his"), call(p.hers, 0, logged("called"), trap()), logged("his again")),
	}
	poor := p.bob.New(wire.ActionCommand, p.hers, play(logged("poor"), fill(1<<30, 1)))
	poor.GasLimit = 50_000_000
	posted = append(posted, p.bob.Send(poor))
	p.sync()
	heights := make([]uint64, len(posted))
	for i, status := range []wire.Status{wire.StatusDone, wire.StatusReverted, wire.StatusTrapped, wire.StatusDone, wire.StatusOutOfGas} {
		c := p.bob
		if i == 3 {
			c = p.alice
		}
		p.want(c, posted[i], status)
		r, err := c.Receipt(p.workers[0], posted[i])
		if err != nil {
			t.Fatal(err)
		}
		heights[i] = r.Receipt.Height
	}
	for i, x := range p.workers {
		hers := p.logs(x, p.alice, p.hers)
		if got, want := texts(hers), []string{"one", "two", "reverted", "trapped", "called", "poor"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("worker %d has %q, want %q", i, got, want)
		}
		for j, b := range hers {
			if !b.Command || b.Sequence != uint64(j) || b.Height != heights[j] || b.Time == 0 || b.Dropped != 0 || b.Lines[0].Level != wire.LogDebug {
				t.Errorf("worker %d, entry %d: %+v", i, j, b)
			}
		}
		r, err := p.bob.Receipt(x, posted[0])
		if err != nil {
			t.Fatal(err)
		}
		if hers[0].Invocation != r.Receipt.Invocation {
			t.Errorf("worker %d: the entry names another invocation", i)
		}
		if got := texts(p.logs(x, p.bob, p.his)); fmt.Sprint(got) != "[his his again]" {
			t.Errorf("worker %d has %q", i, got)
		}
	}
	if _, err := p.bob.Query(p.workers[1], p.hers, play(logged("asked"))); err != nil {
		t.Fatal(err)
	}
	if n := len(p.logs(p.workers[0], p.alice, p.hers)); n != 5 {
		t.Errorf("worker 0 has %d entries", n)
	}
	asked := p.logs(p.workers[1], p.alice, p.hers)
	if b := asked[len(asked)-1]; len(asked) != 6 || b.Command || texts(asked[5:])[0] != "asked" || b.Height != p.Height {
		t.Errorf("worker 1 has %+v", b)
	}
	// A constructor that fails says why.
	failed, at := p.alice.Instantiate(p.code, 9, play(logged("why"), trap()))
	p.sync()
	p.want(p.alice, at, wire.StatusTrapped)
	if got := texts(p.logs(p.workers[0], p.alice, failed)); fmt.Sprint(got) != "[why]" {
		t.Errorf("of the failed constructor there is %q", got)
	}
	// A start forgets.
	p.workers[0].Restart()
	p.sync()
	if n := len(p.logs(p.workers[0], p.alice, p.hers)); n != 0 {
		t.Errorf("after a start there are %d entries", n)
	}
}

// What one call logs is bounded, and the entry says what was lost.
func TestLogsOfOneCall(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	p.must(p.alice, p.hers, logged(strings.Repeat("é", 3000)), logged(strings.Repeat("x", 5000)), logged(strings.Repeat("y", 5000)),
		logged("late"), logged(strings.Repeat("z", 5000)))
	var many []step
	for range wire.MaxLogLines + 44 {
		many = append(many, logged("m"))
	}
	p.must(p.alice, p.hers, many...)
	b := p.logs(p.workers[0], p.alice, p.hers)
	if len(b) != 2 || len(b[0].Lines) != 4 || b[0].Dropped != 1 || len(b[0].Lines[0].Text) != wire.MaxLogLine ||
		b[0].Lines[3].Text != "late" || len(b[1].Lines) != wire.MaxLogLines || b[1].Dropped != 44 {
		t.Fatalf("%d entries: %+v", len(b), b)
	}
	l := contract.DefaultLimits()
	if l.Logs != wire.MaxLogLines || l.LogBytes != wire.MaxLogLine || l.AllLogBytes != wire.MaxLogBytes {
		t.Error("the engine's bounds are not those of the records")
	}
	// Of a call that makes many contracts log, only so many are encrypted.
	var births []step
	for i := range 20 {
		births = append(births, birth(p.code, byte(i), 0, logged("child")))
	}
	p.must(p.alice, p.hers, births...)
	kept := 0
	for i := range 20 {
		kept += len(p.logs(p.workers[0], p.alice, childOf(p.World, p.hers, p.code, byte(i), logged("child"))))
	}
	if kept != 16 {
		t.Errorf("%d contracts' logs are kept", kept)
	}
}

// Nobody but the owner is answered, whatever is asked and however.
func TestLogsAreRefused(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	x := p.workers[0]
	p.must(p.bob, p.hers, logged("secret"))
	good := scale.MustMarshal(&wire.LogRequest{Contract: p.hers})
	otherTag := append([]byte(nil), good...)
	otherTag[len(wire.LogRequestTag)-1]++
	for what, c := range map[string]struct {
		who   *enclavetest.Client
		input []byte
	}{
		"another caller":       {p.bob, good},
		"a stranger":           {enclavetest.NewClient(p.World), good},
		"an unknown contract":  {p.alice, scale.MustMarshal(&wire.LogRequest{Contract: wire.ContractID{1}})},
		"the cluster itself":   {p.alice, scale.MustMarshal(&wire.LogRequest{})},
		"another tag":          {p.alice, otherTag},
		"a trailing byte":      {p.alice, append(append([]byte(nil), good...), 0)},
		"a missing byte":       {p.alice, good[:len(good)-1]},
		"the tag alone":        {p.alice, []byte(wire.LogRequestTag)},
		"a byte":               {p.alice, []byte{0}},
		"a contract's message": {p.alice, play(get(1))},
	} {
		reply, err := c.who.Query(x, wire.ContractID{}, c.input)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if reply.Outcome.Status != wire.StatusRefused || len(reply.Outcome.Output) != 0 {
			t.Errorf("%s: %+v", what, reply.Outcome)
		}
	}
	at := p.alice.Send(p.alice.New(wire.ActionCommand, wire.ContractID{}, good))
	p.sync()
	p.want(p.alice, at, wire.StatusRefused) // a receipt would put them under the roots
	reply, _, err := p.alice.Logs(x, p.hers, 0)
	if err != nil || len(reply.Entries) != 1 {
		t.Fatalf("%+v, %v", reply, err)
	}
	if b, err := p.bob.OpenLog(reply.Entries[0]); err == nil {
		t.Errorf("another opens it: %+v", b)
	}
	for i := range reply.Entries[0].Envelope {
		bad := wire.LogEntry{Envelope: append([]byte(nil), reply.Entries[0].Envelope...)}
		bad.Envelope[i] ^= 1
		if b, err := p.alice.OpenLog(bad); err == nil {
			t.Fatalf("with byte %d changed it opens: %+v", i, b)
		}
	}
}

// Each entry has a sender key of its own, which nobody keeps.
func TestLogKeys(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	for range 5 {
		p.do(p.alice, p.hers, logged("same"))
	}
	p.sync()
	reply, _, err := p.alice.Logs(p.workers[0], p.hers, 0)
	if err != nil || len(reply.Entries) != 5 {
		t.Fatalf("%+v, %v", reply, err)
	}
	senders := map[ecdh.PublicKey]bool{}
	for _, e := range reply.Entries {
		env, err := envelope.Parse(e.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		senders[env.Sender] = true
		if env.Recipient.Array() != p.alice.Identity().AccountID() || env.Epoch != 0 {
			t.Errorf("it is to %s in epoch %d", env.Recipient, env.Epoch)
		}
	}
	if len(senders) != 5 {
		t.Errorf("5 entries have %d sender keys", len(senders))
	}
}

// A contract whose owner has a key that nothing can be encrypted to has no logs, and works.
func TestLogsOfEd25519Owner(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	owner := enclavetest.Must(wire.Ed25519Identity(public))
	sign := func(inv *wire.Invocation, target wire.Target) *wire.Invocation {
		inv.From, inv.Sig.Kind = owner, wire.SignatureEd25519
		inv.Sig.Bytes = [64]byte(ed25519.Sign(key, enclavetest.Must(inv.SigningText(target))))
		return inv
	}
	id := wire.NewContractID(p.Cluster.ID, owner, p.code, [32]byte{})
	inv := p.alice.New(wire.ActionInstantiate, id, play(logged("constructor")))
	inv.Kind.CodeHash = p.code
	f := p.Cluster.Fixed
	at := p.Push(p.alice.Seal(sign(inv, p.alice.Target()), f.Key, f.Epoch))
	p.sync()
	p.want(p.alice, at, wire.StatusDone)
	p.must(p.bob, id, logged("lost"), call(p.hers, 0, logged("kept")))
	x := p.workers[0]
	inv = p.alice.New(wire.ActionQuery, wire.ContractID{}, scale.MustMarshal(&wire.LogRequest{Contract: id}))
	raw, err := x.Role.Query(t.Context(), p.Cluster.ID, p.alice.SealQuery(x, sign(inv, p.alice.Life(x))))
	if err != nil {
		t.Fatal(err)
	}
	var reply wire.QueryReply
	var logs wire.LogReply
	if err := p.alice.Open(raw, &reply); err != nil {
		t.Fatal(err)
	}
	if err := scale.Unmarshal(reply.Outcome.Output, &logs); err != nil || len(logs.Entries) != 0 {
		t.Errorf("%+v, %v", logs, err)
	}
	if got := texts(p.logs(x, p.alice, p.hers)); fmt.Sprint(got) != "[kept]" {
		t.Errorf("hers has %q", got)
	}
}

// Commands and queries log at the same time while others read: every entry that is given out opens and is what it says.
func TestLogsWhileItWorks(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	x := p.workers[0]
	var queries, reads [][]byte
	life := p.alice.Life(x)
	for i := range 60 {
		inv := p.alice.New(wire.ActionQuery, p.hers, play(logged(fmt.Sprint("query ", i))))
		queries = append(queries, p.alice.SealQuery(x, p.alice.Sign(inv, life)))
		inv = p.alice.New(wire.ActionQuery, wire.ContractID{}, scale.MustMarshal(&wire.LogRequest{Contract: p.hers, Since: uint64(i)}))
		reads = append(reads, p.alice.SealQuery(x, p.alice.Sign(inv, life)))
	}
	var group sync.WaitGroup
	run := func(raws [][]byte, check func(*wire.QueryReply)) {
		group.Go(func() {
			for _, raw := range raws {
				got, err := x.Role.Query(t.Context(), p.Cluster.ID, raw)
				if err != nil {
					t.Error(err)
					return
				}
				reply := new(wire.QueryReply)
				if err := p.alice.Open(got, reply); err != nil {
					t.Error(err)
				}
				check(reply)
			}
		})
	}
	run(queries[:30], func(*wire.QueryReply) {})
	run(queries[30:], func(*wire.QueryReply) {})
	run(reads, func(r *wire.QueryReply) {
		var logs wire.LogReply
		if err := scale.Unmarshal(r.Outcome.Output, &logs); err != nil {
			t.Error(err)
		}
		for _, e := range logs.Entries {
			if b, err := p.alice.OpenLog(e); err != nil || b.Sequence != e.Sequence || b.Contract != p.hers {
				t.Errorf("entry %d: %+v, %v", e.Sequence, b, err)
			}
		}
	})
	for range 10 {
		for range 6 {
			p.do(p.alice, p.hers, logged("command"))
		}
		p.sync()
	}
	group.Wait()
	if n := len(p.logs(x, p.alice, p.hers)); n != 60+60 {
		t.Errorf("there are %d entries", n)
	}
}

// A reply shows the debug messages of the caller's own contracts: what others' contracts say may hold anybody's secrets.
func TestDebugMessagesAreForTheOwner(t *testing.T) {
	p := newPuppets(newStage(t, 1))
	asked := play(logged("hers"), call(p.his, 0, logged("his")))
	for who, want := range map[*enclavetest.Client]string{p.alice: "hers", p.bob: "his"} {
		reply, err := who.Query(p.workers[0], p.hers, asked)
		if err != nil || reply.Outcome.Status != wire.StatusDone {
			t.Fatal(err, reply)
		}
		if string(reply.Debug) != want {
			t.Errorf("the owner of %s reads %q", want, reply.Debug)
		}
	}
}
