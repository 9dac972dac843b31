package pink

import (
	"bytes"
	"context"
	"testing"

	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/internal/asm"
)

// caller is a contract that calls one function with fixed arguments and returns the status and the output.
func caller(function uint32, input []byte) []byte {
	const status, size, in, out = 0, 4, 1024, 4096
	return asm.Contract("", func(m *asm.Module) [][]byte {
		call := m.Import("seal0", "call_chain_extension", "iiiii", "i")
		ret := m.Import("seal0", "seal_return", "iii", "")
		m.Data(size, []byte{0, 0x10, 0, 0}) // 4 KiB
		m.Data(in, input)
		return [][]byte{
			asm.I32(status),
			asm.I32(int32(function)), asm.I32(in), asm.I32(int32(len(input))), asm.I32(out), asm.I32(size), asm.Call(call),
			asm.Store(0),
			asm.I32(0), asm.I32(out), asm.I32(size), asm.Load(0), asm.Call(ret),
		}
	})
}

// execute runs such a contract through the engine.
func execute(t *testing.T, x *Extension, query bool, name string, input []byte) contract.Outcome {
	t.Helper()
	engine, err := contract.NewEngine(context.Background(), contract.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	storage := contract.NewMapStorage()
	code := caller(id(name), input)
	call := contract.Call{Query: query, Contract: [32]byte{1}, GasLimit: 1 << 30, Extension: x}
	storage.Place(call.Contract, storage.Upload(code))
	module, err := engine.Prepare(context.Background(), code)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := engine.Execute(context.Background(), module, call, storage)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

// TestThroughTheEngine calls functions as contracts do.
func TestThroughTheEngine(t *testing.T) {
	x, c := worker(t)
	for _, v := range []struct {
		name  string
		input []byte
		q, c  []byte
	}{
		{"is_in_transaction", nil, []byte{0}, []byte{1}},
		{"worker_pubkey", nil, c.Worker[:], make([]byte, 32)},
		{"http_request", args("http_request"), wanted("http_request"), wanted("http_request/command")},
		{"current_event_chain_head", nil, make([]byte, 40), make([]byte, 40)},
		{"worker_sgx_quote", nil, wanted("quote"), []byte{0}},
	} {
		for _, query := range []bool{true, false} {
			want := v.c
			if query {
				want = v.q
			}
			o := execute(t, x, query, v.name, v.input)
			if o.Status != contract.Done || !bytes.Equal(o.Output, want) || o.GasUsed < priceDispatch+functions[id(v.name)].base {
				t.Errorf("%s: %s %s, %x for %d gas, want %x", v.name, o.Status, o.Reason, o.Output, o.GasUsed, want)
			}
		}
	}
	o := execute(t, x, false, "cache_set", args("cache_set"))
	if o.Status != contract.Done || c.Cache.Bytes() != 0 {
		t.Errorf("cache_set: %s %s, %d bytes before the commit", o.Status, o.Reason, c.Cache.Bytes())
	}
	for _, f := range o.AfterCommit {
		f()
	}
	if o := execute(t, x, true, "cache_get", args("cache_get")); !bytes.Equal(o.Output, wanted("some")) {
		t.Errorf("after the commit: %s %s, %x", o.Status, o.Reason, o.Output)
	}
	if o := execute(t, x, true, "sign", []byte{9}); o.Status != contract.Trapped || o.Reason != "sign: "+malformed {
		t.Errorf("malformed: %s, %q", o.Status, o.Reason)
	}
}
