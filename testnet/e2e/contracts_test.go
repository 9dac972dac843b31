package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// fixture reads the bundle of a contract that was built for tests.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "tests", "contracts", name, name+".contract"))
	must(t, err)
	return raw
}

// pair is two contracts of which one calls the other.
type pair struct {
	caller, callee *deployed
	owner          client.Signer
}

func (n *network) pair(t testing.TB) pair {
	t.Helper()
	owner := client.Of(person(t))
	return pair{n.deploy(t, fixture(t, "caller5"), owner, "new", "1"), n.deploy(t, fixture(t, "callee5"), owner, "new", "10"), owner}
}

// made has the caller make a contract of the callee's code, which starts at value.
func (p pair) made(t testing.TB, value int) *deployed {
	t.Helper()
	salt := make([]byte, 8)
	_, err := rand.Read(salt)
	must(t, err)
	_, said := p.caller.call(t, p.owner, "try_create", p.callee.made.CodeHash.String(), fmt.Sprintf("%#x", salt), strconv.Itoa(value))
	var result struct{ Ok string }
	must(t, json.Unmarshal([]byte(said), &result))
	id, _, err := ss58.Decode(result.Ok)
	must(t, err)
	return &deployed{net: p.caller.net, code: p.callee.code, id: id}
}

// fails sends a command, wants it to end so, and returns what it returned; empty where that is nothing.
func (x *deployed) fails(t testing.TB, status wire.Status, from client.Signer, message string, args ...string) (*client.Receipt, string) {
	t.Helper()
	r, err := x.net.client.Command(limit(t), x.net.payer, x.request(t, from, message, args...))
	must(t, err)
	if r.Outcome().Status != status {
		t.Fatalf("%s ends as %s, not %s", message, r.Outcome().Status, status)
	}
	if len(r.Outcome().Output) == 0 {
		return r, ""
	}
	return r, x.output(t, message, r.Outcome().Output)
}

// Contracts call contracts: what a call changes stays where all goes well, what fails takes back what it changed and
// nothing else, and both workers agree on all of it.
func TestContractsCallContracts(t *testing.T) {
	n := sharedNetwork(t)
	p := n.pair(t)
	callee := p.callee.id.String()
	r, said := p.caller.call(t, p.owner, "call_v1", callee, "5", "0")
	same(t, "a nested call", said, `{"Ok":{"Ok":{"Ok":15}}}`)
	if e := r.Outcome().Events; len(e) != 1 || e[0].Contract != p.callee.id {
		t.Fatalf("events: %v", e)
	}
	by, err := ss58.Encode(p.caller.id, ss58.Generic)
	must(t, err)
	same(t, "its events", p.callee.events(t, r), []string{`Changed{"by":"` + by + `","from":10,"to":15}`})

	_, said = p.caller.fails(t, wire.StatusReverted, p.owner, "call_and_fail", callee, "5")
	same(t, "a call that fails afterwards", said, `{"Err":{"Negative":20}}`)
	p.callee.want(t, p.owner, "get", "15", n.workers...)
	r, said = p.caller.call(t, p.owner, "call_and_go_on", callee, "5")
	same(t, "calls of which the first ends well", said,
		`[["Ok(Ok(Ok(20)))",20],["Ok(Ok(Err(Asked(\"failed\"))))",20],["Err(ReturnError(CalleeTrapped))",20]]`)
	same(t, "how many events are left", len(r.Outcome().Events), 1)
	p.callee.want(t, p.owner, "get", "20", n.workers...)

	_, said = p.caller.fails(t, wire.StatusReverted, p.owner, "reenter", callee, "false")
	same(t, "re-entrance that is not allowed", said, `{"Err":"ReturnError(CalleeTrapped)"}`)
	r, said = p.caller.call(t, p.owner, "reenter", callee, "true")
	same(t, "re-entrance that is allowed", said, `{"Ok":{"Ok":1}}`)
	p.caller.want(t, p.owner, "pings", "1", n.workers...)
	n.settled(t, r, n.workers...)
}

// A contract that a contract made is one like others, but that the chain does not know it.
func TestContractMadeByContract(t *testing.T) {
	n := sharedNetwork(t)
	p := n.pair(t)
	child := p.made(t, 8)
	child.want(t, p.owner, "get", "8", n.workers...)
	_, said := child.call(t, p.owner, "add", "3")
	same(t, "the sum", said, `{"Ok":11}`)
	_, said = p.caller.call(t, p.owner, "call_v1", child.id.String(), "1", "0")
	same(t, "the sum in a call by its maker", said, `{"Ok":{"Ok":{"Ok":12}}}`)
	_, said = p.caller.fails(t, wire.StatusReverted, p.owner, "try_create", p.callee.made.CodeHash.String(), "0x00", "-1")
	same(t, "a constructor that fails", said, `{"Err":"Negative(-1)"}`)

	_, err := n.client.WaitContract(limit(t), p.caller.id)
	must(t, err) // what was made before and after the child is registered, or on its way
	_, err = n.client.Contract(limit(t), child.id)
	refused(t, "the child on the chain", err, client.ErrNotFound)
	now, err := n.client.ContractCode(limit(t), n.where.Cluster, child.id, p.owner)
	must(t, err)
	same(t, "its code", now.Code, p.callee.made.CodeHash)

	same(t, "the code that it was made of", now.Born, p.callee.made.CodeHash)
	if now.Deployer == nil || *now.Deployer != p.caller.id {
		t.Fatalf("it was made by %v", now.Deployer)
	}

	r, said := child.fails(t, wire.StatusDone, p.owner, "terminate", p.caller.id.String())
	same(t, "what a contract says that ends itself", said, "")
	n.settled(t, r, n.workers...)
	r, _ = child.fails(t, wire.StatusRefused, p.owner, "get")
	same(t, "a call of what is no more", r.Outcome().Fault, "no such contract")
}

// A contract goes on with its state under other code, on both workers and after one of them begins anew.
func TestUpgrade(t *testing.T) {
	n := sharedNetwork(t)
	owner := client.Of(person(t))
	x := n.deploy(t, fixture(t, "callee5"), owner, "new", "10")
	code, err := abi.Parse(fixture(t, "caller5"))
	must(t, err)
	next := &deployed{net: n, code: code, id: x.id}
	none := "0x" + strings.Repeat("01", 32)
	_, said := x.fails(t, wire.StatusReverted, owner, "upgrade", none)
	same(t, "code that is not there", said, `{"Err":"NoCode"}`)
	hash, err := n.client.Upload(limit(t), n.payer, n.where.Cluster, owner, next.code.Wasm())
	must(t, err)
	x.call(t, owner, "add", "1")
	x.call(t, owner, "upgrade", hash.String())

	now, err := n.client.ContractCode(limit(t), n.where.Cluster, x.id, owner)
	must(t, err)
	same(t, "the code now", now.Code, hash)
	next.want(t, owner, "get", "11", n.workers...)
	_, said = next.call(t, owner, "ping")
	same(t, "a message that only the new code has", said, "1")
	r, err := n.client.Command(limit(t), n.payer, x.request(t, owner, "add", "1"))
	must(t, err)
	if r.Outcome().Status == wire.StatusDone {
		t.Fatal("a message of the old code is still there")
	}
	record, err := n.client.WaitContract(limit(t), x.id)
	must(t, err)
	same(t, "the code that the chain has", record.Record.CodeHash, x.made.CodeHash)

	n.kill(t, "worker-0")
	n.restart(t, "worker-0")
	n.awaitRunning(t, n.workers[0])
	r, said = next.call(t, owner, "ping")
	same(t, "after a restart", said, "2")
	next.want(t, owner, "pings", "2", n.workers...)
	n.settled(t, r, n.workers...)
}

// A whole JavaScript interpreter runs as a contract, in commands and queries alike.
func TestScript(t *testing.T) {
	n := sharedNetwork(t)
	owner := client.Of(person(t))
	x := n.deploy(t, fixture(t, "script"), owner, "new")
	if parts := len(x.made.Sent) - 1; x.made.Uploaded && parts < 2 {
		t.Fatalf("490 KB of code were sent in %d parts", parts)
	}
	const script = `JSON.stringify([1, 2, 3].map(x => x * Number(scriptArgs[0])))`
	const right = `{"Ok":"[7,14,21]"}`
	r, said := x.call(t, owner, "run", strconv.Quote(script), `["7"]`)
	same(t, "a script in a command", said, right)
	for _, id := range n.workers {
		eventually(t, func(ctx context.Context) error {
			said, _, err := x.ask(ctx, id, owner, "run", strconv.Quote(script), `["7"]`)
			if err == nil && said != right {
				t.Fatalf("a script in a query on %s: %s", id, said)
			}
			return err
		})
	}
	_, said = x.fails(t, wire.StatusReverted, owner, "eval", `"throw new Error('no')"`)
	same(t, "a script that throws", said, `{"Err":"Error: no"}`)
	x.fails(t, wire.StatusOutOfGas, owner, "eval", `"while (1);"`)
	n.settled(t, r, n.workers...)
}

// What a contract logs in commands is on each worker, what it logs in a query on the one that was asked, and none of it is
// anybody's but the owner's.
func TestContractLogs(t *testing.T) {
	n := sharedNetwork(t)
	owner, other := client.Of(person(t)), client.Of(person(t))
	x := n.deploy(t, fixture(t, "pink4"), owner, "new")
	x.call(t, other, "log_in_command", "from a command")
	_, _, err := x.ask(limit(t), n.workers[1], other, "log", "2", "from a query")
	must(t, err)
	want := map[sr25519.PublicKey][]string{
		n.workers[0]: {"true 3 from a command"},
		n.workers[1]: {"true 3 from a command", "false 2 from a query"},
	}
	query := client.LogQuery{Cluster: n.where.Cluster, Contract: x.id, From: owner}
	for id, lines := range want {
		eventually(t, func(ctx context.Context) error {
			query.Worker = id
			logs, err := n.client.Logs(ctx, query)
			if err != nil {
				return err
			}
			var got []string
			for _, e := range logs.Entries {
				for _, l := range e.Lines {
					got = append(got, fmt.Sprintf("%t %d %s", e.Command, l.Level, l.Text))
				}
			}
			if strings.Join(got, "\n") != strings.Join(lines, "\n") {
				return fmt.Errorf("worker %s has %q", id, got)
			}
			return nil
		})
	}
	query.From = other
	_, err = n.client.Logs(limit(t), query)
	var said *client.OutcomeError
	if !errors.As(err, &said) || said.Status != wire.StatusRefused {
		t.Fatalf("who called the contract and does not own it asks for its logs: %v", err)
	}
}
