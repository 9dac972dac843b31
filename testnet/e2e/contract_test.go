package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/examples"
	"github.com/phalanx-network/phalanx/wire"
)

// person makes an identity that nobody has seen yet.
func person(t testing.TB) *account.Account {
	t.Helper()
	a, err := account.Generate(rand.Reader)
	must(t, err)
	t.Cleanup(a.Zero)
	return a
}

// deployed is a contract of the network's cluster.
type deployed struct {
	net  *network
	code *abi.Contract
	id   wire.ContractID
	made *client.Deployed
}

// deploy makes a contract of a bundle.
func (n *network) deploy(t testing.TB, bundle []byte, from client.Signer, constructor string, args ...string) *deployed {
	t.Helper()
	x := &deployed{net: n}
	var err error
	x.code, err = abi.Parse(bundle)
	must(t, err)
	m, err := x.code.Constructor(constructor)
	must(t, err)
	input, err := x.code.EncodeCall(m, args)
	must(t, err)
	d := client.Deployment{Cluster: n.where.Cluster, From: from, Code: x.code.Wasm(), Input: input}
	_, err = rand.Read(d.Salt[:])
	must(t, err)
	x.made, err = n.client.Deploy(limit(t), n.payer, d)
	must(t, err)
	x.id = x.made.Contract
	return x
}

// request makes a command of a message.
func (x *deployed) request(t testing.TB, from client.Signer, message string, args ...string) client.Request {
	t.Helper()
	m, err := x.code.Message(message)
	must(t, err)
	input, err := x.code.EncodeCall(m, args)
	must(t, err)
	return client.Request{Cluster: x.net.where.Cluster, From: from, To: x.id, Input: input, Lifetime: 5_000}
}

// call sends a command, wants it done, and returns what it returned.
func (x *deployed) call(t testing.TB, from client.Signer, message string, args ...string) (*client.Receipt, string) {
	t.Helper()
	r, err := x.net.client.Command(limit(t), x.net.payer, x.request(t, from, message, args...))
	must(t, err)
	must(t, client.Check(r.Outcome()))
	return r, x.output(t, message, r.Outcome().Output)
}

func (x *deployed) output(t testing.TB, message string, raw []byte) string {
	t.Helper()
	m, err := x.code.Message(message)
	must(t, err)
	value, _, err := x.code.DecodeOutput(m, raw)
	must(t, err)
	return string(value)
}

// ask puts a question to one worker.
func (x *deployed) ask(ctx context.Context, worker sr25519.PublicKey, from client.Signer, message string, args ...string) (string, *client.Answer, error) {
	m, err := x.code.Message(message)
	if err != nil {
		return "", nil, err
	}
	input, err := x.code.EncodeCall(m, args)
	if err != nil {
		return "", nil, err
	}
	a, err := x.net.client.Query(ctx, client.Query{
		Cluster: x.net.where.Cluster, Worker: worker, From: from, To: x.id, Input: input,
	})
	if err != nil {
		return "", nil, err
	}
	if s := a.Outcome.Status; s != wire.StatusDone && s != wire.StatusReverted { // an error of the contract is an answer
		return "", a, client.Check(a.Outcome)
	}
	value, _, err := x.code.DecodeOutput(m, a.Outcome.Output)
	return string(value), a, err
}

// want asks workers until they answer, and fails on any answer but the right one.
func (x *deployed) want(t testing.TB, from client.Signer, message, right string, workers ...sr25519.PublicKey) {
	t.Helper()
	for _, id := range workers {
		eventually(t, func(ctx context.Context) error {
			value, _, err := x.ask(ctx, id, from, message)
			if err == nil && value != right {
				t.Fatalf("%s on worker %s is %s, not %s", message, id, value, right)
			}
			return err
		})
	}
}

// events decodes a receipt's events.
func (x *deployed) events(t testing.TB, r *client.Receipt) []string {
	t.Helper()
	var out []string
	for _, e := range r.Outcome().Events {
		topics := make([][32]byte, len(e.Topics))
		for i, topic := range e.Topics {
			topics[i] = [32]byte(topic)
		}
		name, fields, err := x.code.DecodeEvent(topics, e.Data)
		must(t, err)
		out = append(out, name+string(fields))
	}
	return out
}

// counter is the counter contract of one person, who knows what it must stand at.
type counter struct {
	*deployed
	owner client.Signer
	value int
}

func (n *network) counter(t testing.TB) *counter {
	t.Helper()
	owner := client.Of(person(t))
	return &counter{n.deploy(t, examples.Counter, owner, "default"), owner, 0}
}

// add increments by 1 so many times, in as few transactions as possible, and wants each to be executed once: the last
// receipt is returned.
func (c *counter) add(t testing.TB, times int) *client.Receipt {
	t.Helper()
	requests := make([]client.Request, times)
	for i := range requests {
		requests[i] = c.request(t, c.owner, "inc")
	}
	sent, err := c.net.client.Send(limit(t), c.net.payer, requests...)
	must(t, err)
	var last *client.Receipt
	for _, p := range sent {
		last, err = p.Receipt(limit(t))
		must(t, err)
		must(t, client.Check(last.Outcome()))
	}
	c.value += times
	return last
}

// exact wants the workers to have executed every command once.
func (c *counter) exact(t testing.TB, workers ...sr25519.PublicKey) {
	t.Helper()
	c.want(t, c.owner, "get", strconv.Itoa(c.value), workers...)
}

// sound is what a network must be after whatever was done to it: commands are executed once, on every worker alike.
func (c *counter) sound(t *testing.T, workers ...sr25519.PublicKey) {
	t.Helper()
	last := c.add(t, 2)
	c.exact(t, workers...)
	c.net.settled(t, last, workers...)
}

func units(n uint64) uint128.Uint128 { return uint128.From64(n) }

// same fails unless got is what was wanted.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	a, err := json.Marshal(got)
	must(t, err)
	b, err := json.Marshal(want)
	must(t, err)
	if string(a) != string(b) {
		t.Fatalf("%s: got %s, want %s", what, a, b)
	}
}

// refused fails unless err is what was wanted.
func refused(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", what, err, fmt.Sprint(want))
	}
}
