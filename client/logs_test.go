package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// sealedTo encrypts a batch as a worker does.
func (n *network) sealedTo(who *account.Account, number uint64, purpose commkey.Purpose, b *wire.LogBatch) wire.LogEntry {
	to := must(ecdh.ParsePublicKey(who.PublicIdentity().Bytes()))
	e := must(envelope.Seal(rand.Reader, n.uid, must(ecdh.Generate(rand.Reader)), to, 0, purpose, scale.MustMarshal(b)))
	return wire.LogEntry{Sequence: number, Envelope: e.Marshal()}
}

var logged = wire.ContractID{7}

// batch is what the contract says in call number.
func batch(number uint64, command bool, text string) *wire.LogBatch {
	return &wire.LogBatch{Contract: logged, Sequence: number, Command: command, Height: 10 + number, Invocation: wire.Hash{byte(number)},
		Lines: []wire.LogLine{{Level: wire.LogInfo, Text: text}}}
}

// keeps has a worker keep entries, of which it gives so many at a time.
func (n *network) keeps(w *worker, page int, next uint64, entries ...wire.LogEntry) {
	w.lieReply = func(r *wire.QueryReply) {
		inv := w.queried[len(w.queried)-1]
		var request wire.LogRequest
		if err := scale.Unmarshal(inv.Payload.Input, &request); err != nil || !inv.Payload.To.IsZero() || inv.From != n.alice.Identity() {
			r.Outcome = wire.Outcome{Status: wire.StatusRefused, Fault: "no contract of that id belongs to the caller"}
			return
		}
		reply := wire.LogReply{Next: next}
		for _, e := range entries {
			if e.Sequence >= request.Since && len(reply.Entries) < page {
				reply.Entries = append(reply.Entries, e)
			}
		}
		if len(entries) > 0 {
			reply.First = entries[0].Sequence
		}
		r.Outcome.Output = scale.MustMarshal(&reply)
	}
}

func (n *network) ask() client.LogQuery {
	return client.LogQuery{Cluster: n.cluster.id, Contract: logged, From: client.Of(n.alice)}
}

func TestLogs(t *testing.T) {
	n := newNetwork(t, 1)
	var entries []wire.LogEntry
	for i := range uint64(7) {
		entries = append(entries, n.sealedTo(n.alice, 3+2*i, commkey.ContractLog, batch(3+2*i, true, fmt.Sprint("line ", i))))
	}
	n.keeps(n.workers[0], 3, 16, entries...)
	c := n.dial(t)
	logs, err := c.Logs(context.Background(), n.ask())
	if err != nil {
		t.Fatal(err)
	}
	if len(logs.Entries) != 7 || logs.First != 3 || logs.Next != 16 || logs.Worker != n.workers[0].identity.Public() ||
		logs.Incarnation != n.workers[0].incarnation {
		t.Fatalf("%+v", logs)
	}
	for i, e := range logs.Entries {
		if e.Lines[0].Text != fmt.Sprint("line ", i) || e.Sequence != uint64(3+2*i) || e.Worker != logs.Worker {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
	q := n.ask()
	q.Since = 12
	if logs, err = c.Logs(context.Background(), q); err != nil || len(logs.Entries) != 2 || logs.Entries[0].Sequence != 13 {
		t.Errorf("since 12: %+v, %v", logs, err)
	}
	q.Since = 99
	if logs, err = c.Logs(context.Background(), q); err != nil || len(logs.Entries) != 0 || logs.Next != 16 {
		t.Errorf("since 99: %+v, %v", logs, err)
	}
}

// TestRefusedLogs has a worker give what it must not, and others ask.
func TestRefusedLogs(t *testing.T) {
	n := newNetwork(t, 1)
	w, c := n.workers[0], n.dial(t)
	bob := must(account.Generate(rand.Reader))
	good := n.sealedTo(n.alice, 1, commkey.ContractLog, batch(1, true, "x"))
	other := *batch(1, true, "x")
	other.Contract[0]++
	broken := wire.LogEntry{Sequence: 1, Envelope: slices.Clone(good.Envelope)}
	broken.Envelope[len(broken.Envelope)-1] ^= 1
	for what, entries := range map[string][]wire.LogEntry{
		"another contract's":     {n.sealedTo(n.alice, 1, commkey.ContractLog, &other)},
		"another number":         {n.sealedTo(n.alice, 1, commkey.ContractLog, batch(2, true, "x"))},
		"to another":             {n.sealedTo(bob, 1, commkey.ContractLog, batch(1, true, "x"))},
		"of another purpose":     {n.sealedTo(n.alice, 1, commkey.Reply, batch(1, true, "x"))},
		"of the queries' own":    {n.sealedTo(n.alice, 1, commkey.Query, batch(1, true, "x"))},
		"broken":                 {broken},
		"junk":                   {{Sequence: 1, Envelope: []byte("junk")}},
		"twice":                  {good, good},
		"above the next":         {n.sealedTo(n.alice, 5, commkey.ContractLog, batch(5, true, "x"))},
		"backwards":              {n.sealedTo(n.alice, 2, commkey.ContractLog, batch(2, true, "x")), good},
		"no batch":               {n.sealedRaw([]byte{1, 2, 3})},
		"a batch and more bytes": {n.sealedRaw(append(scale.MustMarshal(batch(1, true, "x")), 0))},
	} {
		n.keeps(w, 9, 3, entries...)
		if logs, err := c.Logs(context.Background(), n.ask()); !errors.Is(err, client.ErrReply) {
			t.Errorf("%s: %+v, %v", what, logs, err)
		}
	}
	w.lieReply = func(r *wire.QueryReply) { r.Outcome.Output = []byte("junk") }
	if _, err := c.Logs(context.Background(), n.ask()); !errors.Is(err, client.ErrReply) {
		t.Errorf("junk: %v", err)
	}
	n.keeps(w, 9, 3, good)
	q := n.ask()
	q.From = client.Of(bob)
	var refused *client.OutcomeError
	if _, err := c.Logs(context.Background(), q); !errors.As(err, &refused) {
		t.Errorf("another asks: %v", err)
	}
	if _, err := c.Logs(context.Background(), n.ask()); err != nil {
		t.Errorf("the owner asks: %v", err)
	}
}

func (n *network) sealedRaw(plain []byte) wire.LogEntry {
	to := must(ecdh.ParsePublicKey(n.alice.PublicIdentity().Bytes()))
	e := must(envelope.Seal(rand.Reader, n.uid, must(ecdh.Generate(rand.Reader)), to, 0, commkey.ContractLog, plain))
	return wire.LogEntry{Sequence: 1, Envelope: e.Marshal()}
}

// TestLogsThatDoNotEnd: a worker that always has one more is given up.
func TestLogsThatDoNotEnd(t *testing.T) {
	n := newNetwork(t, 1)
	w := n.workers[0]
	w.lieReply = func(r *wire.QueryReply) {
		var request wire.LogRequest
		if err := scale.Unmarshal(w.queried[len(w.queried)-1].Payload.Input, &request); err != nil {
			t.Error(err)
		}
		e := n.sealedTo(n.alice, request.Since, commkey.ContractLog, batch(request.Since, true, "again"))
		r.Outcome.Output = scale.MustMarshal(&wire.LogReply{Next: request.Since + 2, Entries: []wire.LogEntry{e}})
	}
	if _, err := n.dial(t).Logs(context.Background(), n.ask()); !errors.Is(err, client.ErrReply) {
		t.Errorf("%v", err)
	}
}

// TestLogsAcrossARestart: a worker that starts anew while its logs are read has others, which are read from the beginning.
func TestLogsAcrossARestart(t *testing.T) {
	n := newNetwork(t, 1)
	w := n.workers[0]
	n.keeps(w, 1, 2, n.sealedTo(n.alice, 0, commkey.ContractLog, batch(0, true, "old")),
		n.sealedTo(n.alice, 1, commkey.ContractLog, batch(1, true, "older")))
	before := w.lieReply
	w.lieReply = func(r *wire.QueryReply) {
		before(r)
		w.incarnation = wire.Incarnation{99}
		w.register(nil)
		n.ends(2)
		n.keeps(w, 1, 2, n.sealedTo(n.alice, 0, commkey.ContractLog, batch(0, true, "new")),
			n.sealedTo(n.alice, 1, commkey.ContractLog, batch(1, true, "newer")))
	}
	logs, err := n.dial(t).Logs(context.Background(), n.ask())
	if err != nil || len(logs.Entries) != 2 || logs.Entries[0].Lines[0].Text != "new" || logs.Incarnation != w.incarnation {
		t.Errorf("%+v, %v", logs, err)
	}
}

// TestSignersThatOpenNoLogs: they are told so, and nothing is asked.
func TestSignersThatOpenNoLogs(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.dial(t)
	ed := must(client.Ed25519(ed25519.NewKeyFromSeed(make([]byte, 32))))
	for what, s := range map[string]client.Signer{"ed25519": ed, "only signs": client.Of(remote{n.alice})} {
		q := n.ask()
		q.From = s
		if _, err := c.Logs(context.Background(), q); !errors.Is(err, client.ErrLogKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(n.workers[0].queried) != 0 {
		t.Error("a worker was asked")
	}
	key := must(sr25519.Generate(rand.Reader))
	if _, ok := client.Sr25519(key).(client.LogOpener); !ok {
		t.Error("a bare sr25519 key opens nothing")
	}
}

// remote is a wallet that signs and does nothing else.
type remote struct{ a *account.Account }

func (r remote) Identity() wire.Identity                             { return r.a.Identity() }
func (r remote) SignIdentity(text []byte) (sr25519.Signature, error) { return r.a.SignIdentity(text) }

// TestLogsOfAll asks every member: what commands logged is there once, what queries logged is named after its worker,
// and a member that does not answer is an error beside what the others gave.
func TestLogsOfAll(t *testing.T) {
	n := newNetwork(t, 3)
	a, b, down := n.workers[0], n.workers[1], n.workers[2]
	entry := func(number, height uint64, command bool, text string) wire.LogEntry {
		x := batch(number, command, text)
		x.Height, x.Invocation = height, wire.Hash{byte(height)}
		return n.sealedTo(n.alice, number, commkey.ContractLog, x)
	}
	n.keeps(a, 9, 3, entry(0, 10, true, "first"), entry(1, 11, false, "asked of a"), entry(2, 12, true, "second"))
	n.keeps(b, 9, 4, entry(0, 10, true, "first"), entry(1, 12, true, "second"), entry(2, 12, true, "not so on a"), entry(3, 11, false, "asked of b"))
	down.refuse = connect.NewError(connect.CodeUnavailable, errors.New("behind"))
	lists, err := n.dial(t).LogsOfAll(context.Background(), n.ask())
	if !errors.Is(err, client.ErrWorker) || len(lists) != 2 {
		t.Fatalf("%d lists, %v", len(lists), err)
	}
	var got []string
	for _, e := range client.MergeLogs(lists) {
		who := map[sr25519.PublicKey]string{a.identity.Public(): "a", b.identity.Public(): "b"}[e.Worker]
		got = append(got, who+": "+e.Lines[0].Text)
	}
	want := []string{"a: first", "a: asked of a", "b: asked of b", "a: second", "b: not so on a"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	a.refuse, b.refuse = down.refuse, down.refuse
	if lists, err := n.dial(t).LogsOfAll(context.Background(), n.ask()); err == nil || len(lists) != 0 {
		t.Errorf("nobody answers: %v, %v", lists, err)
	}
}
