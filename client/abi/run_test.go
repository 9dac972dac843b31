package abi

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
	"golang.org/x/crypto/blake2b"
)

// The committed code is run here with the least host that its imports allow, to see that code, metadata and this
// package agree: that what is encoded is understood and what comes back is what the source says.

// host is a chain of one contract.
type host struct {
	t        *testing.T
	code     []byte
	storage  map[string][]byte
	caller   [32]byte
	value    uint64
	paid     uint64
	input    []byte
	output   []byte
	reverted bool
	topics   [][32]byte
	event    []byte
}

// environment is a module that exports a memory of 2 to 16 pages: (module (memory (export "memory") 2 16)).
var environment = []byte("\x00asm\x01\x00\x00\x00\x05\x04\x01\x01\x02\x10\x07\x0a\x01\x06memory\x02\x00")

const absent = 1<<32 - 1 // seal's length of a value that is not there

func read(m api.Module, ptr, n uint32) []byte {
	b, ok := m.Memory().Read(ptr, n)
	if !ok {
		panic("the contract reads outside its memory")
	}
	return append([]byte(nil), b...)
}

// write returns b as seal functions do: at ptr, with its length at lenPtr.
func write(m api.Module, ptr, lenPtr uint32, b []byte) {
	room := binary.LittleEndian.Uint32(read(m, lenPtr, 4))
	if uint32(len(b)) > room || !m.Memory().Write(ptr, b) || !m.Memory().WriteUint32Le(lenPtr, uint32(len(b))) {
		panic("the contract's buffer is too small")
	}
}

// balance returns v as a u128.
func balance(v uint64) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, v), make([]byte, 8)...)
}

func (h *host) functions() map[string]map[string]any {
	return map[string]map[string]any{
		"seal0": {
			"input":             func(_ context.Context, m api.Module, p, n uint32) { write(m, p, n, h.input) },
			"caller":            func(_ context.Context, m api.Module, p, n uint32) { write(m, p, n, h.caller[:]) },
			"value_transferred": func(_ context.Context, m api.Module, p, n uint32) { write(m, p, n, balance(h.value)) },
			"balance":           func(_ context.Context, m api.Module, p, n uint32) { write(m, p, n, balance(1000)) },
			"hash_blake2_256": func(_ context.Context, m api.Module, p, n, out uint32) {
				hash := blake2b.Sum256(read(m, p, n))
				m.Memory().Write(out, hash[:])
			},
			"transfer": func(_ context.Context, m api.Module, p, n, v, vn uint32) uint32 {
				if string(read(m, p, n)) != string(h.caller[:]) {
					h.t.Errorf("paid to another than the caller")
				}
				h.paid = binary.LittleEndian.Uint64(read(m, v, vn))
				return 0
			},
			"deposit_event": func(_ context.Context, m api.Module, tp, tn, p, n uint32) {
				raw := read(m, tp, tn)
				h.topics = nil
				for raw = raw[1:]; len(raw) >= 32; raw = raw[32:] { // after a compact length below 64
					h.topics = append(h.topics, [32]byte(raw[:32]))
				}
				h.event = read(m, p, n)
			},
			"seal_return": func(_ context.Context, m api.Module, flags, p, n uint32) {
				h.output, h.reverted = read(m, p, n), flags&1 == 1
				panic(sys.NewExitError(0))
			},
		},
		"seal1": {
			"get_storage": func(_ context.Context, m api.Module, k, kn, p, n uint32) uint32 {
				v, ok := h.storage[string(read(m, k, kn))]
				if !ok {
					return 3 // ReturnCode::KeyNotFound
				}
				write(m, p, n, v)
				return 0
			},
			"contains_storage": func(_ context.Context, m api.Module, k, kn uint32) uint32 {
				if v, ok := h.storage[string(read(m, k, kn))]; ok {
					return uint32(len(v))
				}
				return absent
			},
		},
		"seal2": {
			"set_storage": func(_ context.Context, m api.Module, k, kn, v, vn uint32) uint32 {
				h.storage[string(read(m, k, kn))] = read(m, v, vn)
				return absent
			},
		},
	}
}

// run calls the export of a fresh instance and reports whether it returned rather than trapped. State stays as before
// where it reverts or traps.
func (h *host) run(export string, caller byte, value uint64, input []byte) bool {
	h.t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV1))
	defer r.Close(ctx)
	if _, err := r.InstantiateWithConfig(ctx, environment, wazero.NewModuleConfig().WithName("env")); err != nil {
		h.t.Fatal(err)
	}
	for module, functions := range h.functions() {
		b := r.NewHostModuleBuilder(module)
		for name, f := range functions {
			b.NewFunctionBuilder().WithFunc(f).Export(name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			h.t.Fatal(err)
		}
	}
	before := map[string][]byte{}
	for k, v := range h.storage {
		before[k] = v
	}
	h.caller, h.value, h.input = [32]byte{caller}, value, input
	h.output, h.reverted, h.topics, h.event = nil, false, nil, nil
	m, err := r.InstantiateWithConfig(ctx, h.code, wazero.NewModuleConfig().WithName("contract"))
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = m.ExportedFunction(export).Call(ctx)
	var exit *sys.ExitError
	returned := err == nil || (errors.As(err, &exit) && exit.ExitCode() == 0)
	if !returned || h.reverted {
		h.storage = before
	}
	return returned
}

// step is one call of a scenario; an event is `Name{…}` as JSON, or empty.
type step struct {
	caller  byte
	value   uint64
	message string
	args    []string
	output  string // JSON; "trap" for a call that traps
	event   string
}

func scenario(t *testing.T, path string, steps []step) *host {
	t.Helper()
	c := load(t, path)
	h := &host{t: t, code: c.Wasm(), storage: map[string][]byte{}}
	for i, s := range steps {
		m, export := (*Message)(nil), "call"
		var err error
		if m, err = c.Constructor(s.message); err == nil {
			export = "deploy"
		} else if m, err = c.Message(s.message); err != nil {
			t.Fatal(err)
		}
		input, err := c.EncodeCall(m, s.args)
		if err != nil {
			t.Fatal(err)
		}
		if !h.run(export, s.caller, s.value, input) {
			if s.output != "trap" {
				t.Errorf("step %d, %s: it trapped", i, s.message)
			}
			continue
		}
		output, isErr, err := c.DecodeOutput(m, h.output)
		if err != nil || string(output) != s.output || isErr != h.reverted {
			t.Errorf("step %d, %s: %s, %v, %v; want %s", i, s.message, output, h.reverted, err, s.output)
		}
		event := ""
		if h.event != nil {
			name, fields, err := c.DecodeEvent(h.topics, h.event)
			if err != nil {
				t.Errorf("step %d, %s: %v", i, s.message, err)
			}
			event = name + string(fields)
		}
		if event != s.event {
			t.Errorf("step %d, %s: event %s; want %s", i, s.message, event, s.event)
		}
	}
	return h
}

func TestCounterRuns(t *testing.T) {
	h := scenario(t, counterFile, []step{
		{caller: 1, message: "new", args: []string{"2147483640"}, output: "null"},
		{caller: 1, message: "inc", output: "null", event: `Incremented{"by":1,"value":2147483641}`},
		{caller: 1, message: "inc_by", args: []string{"6"}, output: `{"Ok":2147483647}`, event: `Incremented{"by":6,"value":2147483647}`},
		{caller: 1, message: "inc_by", args: []string{"1"}, output: `{"Err":"Overflow"}`},
		{caller: 1, message: "inc", output: "trap"},
		{caller: 1, message: "get", output: "2147483647"},
		{caller: 1, value: 1, message: "get", output: "trap"}, // not payable
		{caller: 2, value: 70, message: "deposit", output: `{"Ok":"70"}`},
		{caller: 1, message: "withdraw", args: []string{"1"}, output: `{"Err":"Insufficient"}`},
		{caller: 2, message: "withdraw", args: []string{"30"}, output: `{"Ok":"40"}`},
		{caller: 2, message: "deposited", output: `"40"`},
		{caller: 1, message: "deposited", output: `"0"`},
		{caller: 1, message: "balance", output: `"1000"`},
	})
	if h.paid != 30 {
		t.Errorf("paid %d", h.paid)
	}
	c := load(t, counterFile)
	h.run("call", 1, 0, []byte{1, 2, 3, 4})
	if out, isErr, err := c.DecodeOutput(message(t, c, "get"), h.output); err != nil || !isErr || string(out) != `{"LangError":"CouldNotReadInput"}` {
		t.Errorf("an unknown selector: %s, %v", out, err)
	}
}

func TestAuctionRuns(t *testing.T) {
	won := `["5C8dzzzaM34FHiJf6hLoKcWWiu1uDyf54LV8GpbPUMvwSR1V","70"]`
	scenario(t, auctionFile, []step{
		{caller: 1, message: "new", args: []string{"10", "A painting"}, output: `{"Ok":null}`},
		{caller: 2, message: "bid", args: []string{"50"}, output: `{"Ok":null}`, event: `BidPlaced{"bidders":1}`},
		{caller: 3, message: "bid", args: []string{"70"}, output: `{"Ok":null}`, event: `BidPlaced{"bidders":2}`},
		{caller: 2, message: "bid", args: []string{"9"}, output: `{"Err":"TooLow"}`},
		{caller: 2, message: "bid", args: []string{"60"}, output: `{"Ok":null}`, event: `BidPlaced{"bidders":2}`},
		{caller: 2, message: "my_bid", output: `"60"`},
		{caller: 1, message: "my_bid", output: `null`},
		{caller: 1, message: "winner", output: `{"Err":"NotClosed"}`},
		{caller: 2, message: "close", output: `{"Err":"NotOwner"}`},
		{caller: 2, message: "is_open", output: `true`},
		{caller: 1, message: "close", output: `{"Ok":` + won + `}`, event: `Closed{"winner":` + won[1:51] + `,"amount":"70"}`},
		{caller: 1, message: "close", output: `{"Err":"Closed"}`},
		{caller: 2, message: "bid", args: []string{"100"}, output: `{"Err":"Closed"}`},
		{caller: 4, message: "winner", output: `{"Ok":` + won + `}`},
		{caller: 4, message: "bidders", output: `2`},
		{caller: 4, message: "title", output: `"A painting"`},
		{caller: 4, message: "reserve", output: `"10"`},
	})
}
