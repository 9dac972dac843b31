package contracts_test

import (
	"reflect"
	"sync"
	"testing"

	"golang.org/x/crypto/blake2b"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
)

// ask gives the result of a query by alice.
func (w *world) ask(on, message, args string) string {
	w.t.Helper()
	outcome, m := w.run(request{on: on, caller: "alice", message: message, args: args, query: true})
	if outcome.Status != contract.Done {
		w.t.Fatalf("%s: %s %s", message, outcome.Status, outcome.Reason)
	}
	return w.result(on, m, outcome.Output)
}

// TestKeysBelongToContracts: a contract's key follows from itself and the salt, and nothing else.
func TestKeysBelongToContracts(t *testing.T) {
	w := newWorld(t, startEngine(t, contract.NewEngine))
	for _, name := range []string{"one", "two"} {
		w.deploy(name, "pink4", request{caller: "alice", message: "new", args: "[]"})
	}
	for _, message := range []string{"derive_key", "vrf"} {
		key := w.ask("one", message, `["0x01"]`)
		if again := w.ask("one", message, `["0x01"]`); again != key {
			t.Errorf("%s: %s and %s", message, key, again)
		}
		for _, other := range []string{w.ask("two", message, `["0x01"]`), w.ask("one", message, `["0x02"]`), w.ask("one", message, `["0x"]`)} {
			if other == key {
				t.Errorf("%s: the same for another contract or salt", message)
			}
		}
	}
}

// TestCachesAreApart: a contract does not see what another keeps on the same worker.
func TestCachesAreApart(t *testing.T) {
	w := newWorld(t, startEngine(t, contract.NewEngine))
	for _, name := range []string{"one", "two"} {
		w.deploy(name, "pink4", request{caller: "alice", message: "new", args: "[]"})
	}
	w.ask("one", "cache_set", `["0x01","0x02"]`)
	if got := w.ask("two", "cache_get", `["0x01"]`); got != "null" {
		t.Errorf("another contract reads %s", got)
	}
	if got := w.ask("one", "cache_get", `["0x01"]`); got != `"0x02"` {
		t.Errorf("the contract itself reads %s", got)
	}
}

// topic3 is a topic as ink! 3 makes it: the field's path and the value, hashed where they are over 32 bytes.
func topic3(path string, value []byte) [32]byte {
	encoded := append(scale.MustMarshal(text(path)), value...)
	if len(encoded) > 32 {
		return blake2b.Sum256(encoded)
	}
	var topic [32]byte
	copy(topic[:], encoded)
	return topic
}

// text is a string as a record.
type text string

// Scale visits the string.
func (s text) Scale(c *scale.Codec) {
	value := string(s)
	c.Text(&value, len(value))
}

// TestTopicsOfInk3 computes the topics of a transfer anew.
func TestTopicsOfInk3(t *testing.T) {
	w := newWorld(t, startEngine(t, contract.NewEngine))
	w.deploy("token", "token3", request{caller: "alice", message: "new", args: `["Gold","10"]`})
	outcome, _ := w.run(request{on: "token", caller: "alice", message: "transfer", args: `["$bob","3"]`})
	if len(outcome.Events) != 1 || len(outcome.Events[0].Topics) != 3 {
		t.Fatalf("%+v", outcome)
	}
	alice, bob := person("alice"), person("bob")
	want := [][32]byte{
		topic3("", []byte("Token3::Transfer")),
		topic3("Token3::Transfer::from", append([]byte{1}, alice[:]...)),
		topic3("Token3::Transfer::to", append([]byte{1}, bob[:]...)),
	}
	for i, topic := range outcome.Events[0].Topics {
		if [32]byte(topic) != want[i] {
			t.Errorf("topic %d: %x, want %x", i, topic, want[i])
		}
	}
}

// TestRunsAgree runs calls of all contracts from many goroutines at once in one engine, each again and again from the same
// state: the outcome is always that of the first run.
func TestRunsAgree(t *testing.T) {
	w := newWorld(t, startEngine(t, contract.NewEngine))
	w.deploy("b", "callee5", request{caller: "bob", message: "new", args: "[5]"})
	w.deploy("a", "caller5", request{caller: "alice", message: "new", args: "[7]"})
	w.deploy("e", "env5", request{caller: "alice", message: "new", args: "[]"})
	w.deploy("t", "token3", request{caller: "alice", message: "new", args: `["Gold","10"]`})
	w.deploy("k", "pink4", request{caller: "alice", message: "new", args: "[]"})
	w.deploy("s", "script", request{caller: "alice", message: "new", args: "[]"})
	var all sync.WaitGroup
	for _, r := range []request{
		{on: "a", message: "call_and_go_on", args: `["$b",10]`},
		{on: "a", message: "create_v1", args: `["$code:callee5","0x01",42,"0","0"]`},
		{on: "a", message: "dive", args: `[40]`},
		{on: "e", message: "emit", args: `[3,"t","0x0102"]`},
		{on: "t", message: "transfer", args: `["$bob","3"]`},
		{on: "k", message: "sign_and_verify", args: `["0x01","0x02"]`},
		{on: "k", message: "record", args: `[]`},
		{on: "k", message: "http_get", args: `["$url/hello"]`, query: true},
		{on: "s", message: "eval", args: `["[...'abc'].reverse().join()"]`},
	} {
		r.caller = "alice"
		call, _ := w.encode(r)
		first, kept := w.execute(call)
		if first.Status != contract.Done {
			t.Fatalf("%s: %s %s", r.message, first.Status, first.Reason)
		}
		want := w.trace(first)
		stored := kept.Stored(call.Contract)
		for range 4 {
			all.Go(func() {
				outcome, state := w.execute(call)
				if !reflect.DeepEqual(w.trace(outcome), want) || !reflect.DeepEqual(state.Stored(call.Contract), stored) {
					t.Errorf("%s: %+v\nwant\n%+v", r.message, outcome, first)
				}
			})
		}
	}
	all.Wait()
}
