// Package contracts_test runs every message of the contracts beside it in the real engine, and compares what comes of it
// with the transcripts in testdata.
package contracts_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/enclave/contract"
)

// plenty is the gas of every call.
const plenty = 1 << 36

// people are accounts that have 1,000,000,000 each.
var people = []string{"alice", "bob", "carol", "dave", "eve", "nobody"}

// contractAt is a contract of a world, and what speaks to it.
type contractAt struct {
	id  [32]byte
	abi *abi.Contract
}

// world is a cluster of its own: contracts by name, their state, and the engine and extension that run them.
type world struct {
	t         testing.TB
	engine    *contract.Engine
	extension contract.Extension
	state     *contract.MapStorage
	codes     map[string]*abi.Contract
	contracts map[string]contractAt
	words     map[string]string // what stands for "$name" in arguments
	heads     map[[32]byte]contract.EventHead
	now       time.Time       // of the worker's clock
	made      int             // contracts that contracts made
	called    map[string]bool // "code message" of all calls
}

func newWorld(t testing.TB, engine *contract.Engine) *world {
	w := &world{
		t: t, engine: engine, now: time.UnixMilli(1_700_000_200_000), state: contract.NewMapStorage(), codes: map[string]*abi.Contract{},
		contracts: map[string]contractAt{}, words: map[string]string{}, called: map[string]bool{},
		heads: map[[32]byte]contract.EventHead{},
	}
	w.extension = w.connect()
	for _, name := range people {
		w.state.Fund(person(name), uint128.From64(1_000_000_000))
		w.words[name] = w.address(person(name))
	}
	w.words["zero"] = "0x" + strings.Repeat("00", 32)
	return w
}

// person gives the account of one of people: its name and zeros.
func person(name string) (account [32]byte) {
	copy(account[:], name)
	return account
}

func (w *world) address(account [32]byte) string {
	text, err := ss58.Encode(account, ss58.Generic)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// startEngine makes an engine that ends with the test.
func startEngine(t testing.TB, start func(context.Context, contract.Limits) (*contract.Engine, error)) *contract.Engine {
	t.Helper()
	engine, err := start(t.Context(), contract.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// load reads the bundle of a contract and uploads its code.
func (w *world) load(name string) *abi.Contract {
	w.t.Helper()
	if c := w.codes[name]; c != nil {
		return c
	}
	file, err := os.ReadFile(filepath.Join(name, name+".contract"))
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := abi.Parse(file)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	hash := w.state.Upload(c.Wasm())
	w.codes[name], w.words["code:"+name] = c, "0x"+hex.EncodeToString(hash[:])
	return c
}

// settle names a contract.
func (w *world) settle(name string, id [32]byte, c *abi.Contract) {
	w.contracts[name] = contractAt{id, c}
	w.words[name] = w.address(id)
}

// codeName gives the name of code by its hash.
func (w *world) codeName(hash [32]byte) string {
	for name, c := range w.codes {
		if c.CodeHash() == hash {
			return name
		}
	}
	return hex.EncodeToString(hash[:])
}

// name gives the name of a contract or person.
func (w *world) name(account [32]byte) string {
	address := w.address(account)
	for _, name := range slices.Sorted(maps.Keys(w.words)) {
		if w.words[name] == address {
			return name
		}
	}
	return address
}

// request is one call of a message or, with deploy, constructor.
type request struct {
	on, caller    string
	value         uint64
	message, args string // args is a JSON array
	deploy, query bool
}

// encode makes the engine's call of a request.
func (w *world) encode(r request) (contract.Call, *abi.Message) {
	w.t.Helper()
	to := w.contracts[r.on]
	find := to.abi.Message
	if r.deploy {
		find = to.abi.Constructor
	}
	message, err := find(r.message)
	if err != nil {
		w.t.Fatalf("%s: %v", r.on, err)
	}
	input, err := to.abi.EncodeCallJSON(message, json.RawMessage(w.expand(r.args)))
	if err != nil {
		w.t.Fatalf("%s: %v", r.on, err)
	}
	w.called[to.abi.Name+" "+message.Label] = true
	return contract.Call{
		Deploy: r.deploy, Query: r.query, Contract: to.id, Caller: person(r.caller), Input: input, Value: uint128.From64(r.value),
		GasLimit: plenty, Height: 77, TimeMillis: 1_700_000_000_123, Seed: [32]byte{9}, Extension: w.extension,
	}, message
}

// chained is a state whose contracts have emitted events before.
type chained struct {
	*contract.MapStorage
	heads map[[32]byte]contract.EventHead
}

// EventHead gives the head of a contract.
func (c chained) EventHead(id [32]byte) contract.EventHead { return c.heads[id] }

// execute makes a call on a copy of the state, and gives both.
func (w *world) execute(call contract.Call) (contract.Outcome, *contract.MapStorage) {
	w.t.Helper()
	state := w.state.Clone()
	if err := state.Transfer(call.Caller, call.Contract, call.Value); err != nil {
		w.t.Fatal(err)
	}
	hash, ok := state.CodeHash(call.Contract)
	if !ok {
		w.t.Fatalf("%s is no contract", w.name(call.Contract))
	}
	module, err := w.engine.Prepare(w.t.Context(), state.Code(hash))
	if err != nil {
		w.t.Fatal(err)
	}
	outcome, err := w.engine.Execute(w.t.Context(), module, call, chained{state, w.heads})
	if err != nil {
		w.t.Fatal(err)
	}
	return outcome, state
}

// run makes the call of a request and keeps what it changes, unless it failed or is a query.
func (w *world) run(r request) (contract.Outcome, *abi.Message) {
	w.t.Helper()
	call, message := w.encode(r)
	outcome, state := w.execute(call)
	if call.Query || outcome.Status != contract.Done {
		return outcome, message
	}
	w.state = state
	for _, made := range outcome.Created {
		w.made++
		w.settle(fmt.Sprintf("made%d", w.made), made.Contract, w.codes[w.codeName(made.CodeHash)])
	}
	for _, e := range outcome.Events {
		w.heads[e.Contract] = w.heads[e.Contract].Next(e)
	}
	for _, f := range outcome.AfterCommit {
		f()
	}
	return outcome, message
}

// deploy makes a contract of code under a name and runs its constructor.
func (w *world) deploy(name, code string, r request) (contract.Outcome, *abi.Message) {
	w.t.Helper()
	c := w.load(code)
	before := w.state.Clone()
	id, err := w.state.Create(person(r.caller), c.CodeHash(), []byte(name), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.settle(name, id, c)
	r.on, r.deploy = name, true
	outcome, message := w.run(r)
	if outcome.Status != contract.Done {
		w.state = before
	}
	return outcome, message
}

// result gives an output as JSON.
func (w *world) result(on string, message *abi.Message, output []byte) string {
	w.t.Helper()
	result, _, err := w.contracts[on].abi.DecodeOutput(message, output)
	if err != nil {
		w.t.Fatalf("%s of %s: %v", message.Label, on, err)
	}
	return string(result)
}
