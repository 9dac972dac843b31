package pink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/cache"
	"github.com/phalanx-network/phalanx/enclave/contract/pink/fetch"
)

// environment stands for the engine.
type environment struct {
	contract [32]byte
	command  bool
	limit    uint64 // gas; zero is without limit
	used     uint64
	draws    uint64
	logs     []string
	levels   []uint8
	balances map[[32]byte]uint128.Uint128
	codes    map[[32]byte]bool
	secret   [32]byte
	events   contract.EventHead
	locals   map[any]any
	commits  []func()
}

// errOutOfGas is what Charge panics with, in the engine's way not to return.
var errOutOfGas = errors.New("out of gas")

func (e *environment) Contract() [32]byte { return e.contract }
func (e *environment) Caller() [32]byte   { return [32]byte{0xca} }
func (e *environment) Command() bool      { return e.command }
func (e *environment) Height() uint64     { return 7 }
func (e *environment) TimeMillis() uint64 { return 1234567 }

func (e *environment) Charge(gas uint64) {
	e.used += gas
	if e.limit > 0 && e.used > e.limit {
		panic(errOutOfGas)
	}
}

func (e *environment) Random(tag string, b []byte) {
	e.draws++
	for i := 0; i < len(b); i += 32 {
		seed := binary.LittleEndian.AppendUint64(append([]byte(tag), e.contract[:]...), e.draws)
		h := sha256.Sum256(append(seed, byte(i/32)))
		copy(b[i:], h[:])
	}
}

func (e *environment) Log(level uint8, text string) {
	e.levels = append(e.levels, level)
	e.logs = append(e.logs, text)
}

func (e *environment) Balance(account [32]byte) uint128.Uint128 { return e.balances[account] }
func (e *environment) HasCode(hash [32]byte) bool               { return e.codes[hash] }
func (e *environment) Secret() [32]byte                         { return e.secret }
func (e *environment) EventHead() contract.EventHead            { return e.events }
func (e *environment) AfterCommit(f func())                     { e.commits = append(e.commits, f) }

func (e *environment) Local(key any, make func() any) any {
	if e.locals == nil {
		e.locals = map[any]any{}
	}
	if e.locals[key] == nil {
		e.locals[key] = make()
	}
	return e.locals[key]
}

// commit is what the engine does once a command is durable.
func (e *environment) commit() {
	for _, f := range e.commits {
		f()
	}
	e.commits = nil
}

func query() *environment {
	return &environment{contract: [32]byte{1}, secret: [32]byte(bytes.Repeat([]byte{7}, 32))}
}

func command() *environment {
	e := query()
	e.command = true
	return e
}

// modes runs a test in a query and in a command.
func modes(t *testing.T, f func(t *testing.T, env *environment)) {
	t.Run("query", func(t *testing.T) { f(t, query()) })
	t.Run("command", func(t *testing.T) { f(t, command()) })
}

// web answers requests in the network's place.
type web func(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error)

func (w web) Do(ctx context.Context, contract [32]byte, r fetch.Request) (fetch.Response, error) {
	return w(ctx, contract, r)
}

// worker is an extension with everything, at a fixed time.
func worker(t testing.TB) (*Extension, *Config) {
	t.Helper()
	c := Config{
		Cache: cache.New(cache.DefaultLimits(), nil),
		HTTP: web(func(context.Context, [32]byte, fetch.Request) (fetch.Response, error) {
			return fetch.Response{
				Status: 200, Reason: "OK", Headers: []fetch.Header{{Name: "content-type", Value: "text/plain"}}, Body: []byte{0, 255, 10},
			}, nil
		}),
		Worker: [32]byte{0xaa},
		Quote:  func(context.Context) ([]byte, error) { return []byte{1, 2, 3}, nil },
		Now:    func() time.Time { return time.UnixMilli(1_700_000_000_123) },
	}
	return extension(t, c), &c
}

func extension(t testing.TB, c Config) *Extension {
	t.Helper()
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// id gives the id of a function.
func id(name string) uint32 {
	for i := range functions {
		if functions[i].name == name {
			return uint32(i)
		}
	}
	panic("no function " + name)
}

// call runs a function that must succeed at the host.
func run(t testing.TB, x *Extension, env contract.ExtensionEnv, name string, input []byte) (uint32, []byte) {
	t.Helper()
	status, out, err := x.Call(context.Background(), env, id(name), input)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return status, out
}

// gives wants a status and an output.
func gives(t testing.TB, x *Extension, env contract.ExtensionEnv, name string, input []byte, status uint32, output []byte) {
	t.Helper()
	gotStatus, got := run(t, x, env, name, input)
	if gotStatus != status || !bytes.Equal(got, output) {
		t.Errorf("%s: got status %d, %x, want %d, %x", name, gotStatus, got, status, output)
	}
}

// traps wants the call of the contract to end, for a reason.
func traps(t testing.TB, x *Extension, env contract.ExtensionEnv, name string, input []byte, reason string) {
	t.Helper()
	status, out, err := x.Call(context.Background(), env, id(name), input)
	var ended *contract.ExtensionError
	if !errors.As(err, &ended) || ended.Status != contract.Trapped || ended.Reason != name+": "+reason || status != 0 || out != nil {
		t.Errorf("%s: got %d, %x, %v, want a trap: %s", name, status, out, err, reason)
	}
}

// vectors are what the published crates encode and sign.
var vectors = func() (v struct {
	IDs        map[string]uint32
	Args       map[string]string
	Results    map[string]string
	Statuses   map[string]uint32
	Signatures []struct{ Scheme, Secret, Message, Public, Signature string }
	Prehashed  []struct {
		Secret, Hash, Public, Signature string
		HighS                           string `json:"high_s"`
	}
	Expanded struct{ Mini, Expanded string }
}) {
	b, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		panic(err)
	}
	return v
}()

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func args(name string) []byte   { return unhex(vectors.Args[name]) }
func wanted(name string) []byte { return unhex(vectors.Results[name]) }
