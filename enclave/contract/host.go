package contract

import (
	"context"
	"encoding/binary"

	"github.com/tetratelabs/wazero/api"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// sentinel is what functions that give a size give for "there is none".
const sentinel = ^uint32(0)

// Return codes of pallet-contracts that this engine gives.
const (
	codeSuccess        = 0
	codeKeyNotFound    = 3
	codeTransferFailed = 5
)

// hostFunction is one function that contracts may import. run gets the parameters, of which every u32 is taken by
// converting, and gives the result if there is one.
type hostFunction struct {
	module, name string
	params       string // i for i32, l for i64
	result       bool   // an i32
	alias        bool   // also offered as "seal_" + name
	run          func(x *execution, a []uint64) uint32
}

// hostFunctions is the whole host interface, in the versions that pallet-contracts has released.
var hostFunctions = []hostFunction{
	{"seal0", "set_storage", "iii", false, true, (*execution).setStorage0},
	{"seal1", "set_storage", "iii", true, true, (*execution).setStorage0},
	{"seal2", "set_storage", "iiii", true, false, (*execution).setStorage},
	{"seal0", "clear_storage", "i", false, true, (*execution).clearStorage0},
	{"seal1", "clear_storage", "ii", true, false, (*execution).clearStorage},
	{"seal0", "get_storage", "iii", true, true, (*execution).getStorage0},
	{"seal1", "get_storage", "iiii", true, false, (*execution).getStorage},
	{"seal0", "contains_storage", "i", true, true, (*execution).containsStorage0},
	{"seal1", "contains_storage", "ii", true, false, (*execution).containsStorage},
	{"seal0", "take_storage", "iiii", true, false, (*execution).takeStorage},

	{"seal0", "input", "ii", false, true, (*execution).inputData},
	{"seal0", "seal_return", "iii", false, false, (*execution).sealReturn},
	{"seal0", "caller", "ii", false, true, (*execution).caller},
	{"seal0", "address", "ii", false, true, (*execution).address},
	{"seal0", "balance", "ii", false, true, (*execution).balance},
	{"seal0", "value_transferred", "ii", false, true, (*execution).valueTransferred},
	{"seal0", "minimum_balance", "ii", false, true, (*execution).minimumBalance},
	{"seal0", "now", "ii", false, true, (*execution).now},
	{"seal0", "block_number", "ii", false, true, (*execution).blockNumber},
	{"seal0", "gas_left", "ii", false, true, (*execution).gasLeft},
	{"seal0", "weight_to_fee", "lii", false, true, (*execution).weightToFee},
	{"seal0", "gas_price", "lii", false, true, (*execution).weightToFee}, // its name before weights
	{"seal0", "own_code_hash", "ii", false, true, (*execution).ownCodeHash},
	{"seal0", "code_hash", "iii", true, true, (*execution).codeHash},
	{"seal0", "is_contract", "i", true, true, (*execution).isContract},
	{"seal0", "caller_is_origin", "", true, true, (*execution).callerIsOrigin},
	{"seal0", "caller_is_root", "", true, false, (*execution).callerIsRoot},
	{"seal0", "random", "iiii", false, true, (*execution).random0},
	{"seal1", "random", "iiii", false, true, (*execution).random1},
	{"seal0", "transfer", "iiii", true, true, (*execution).transfer},
	{"seal0", "deposit_event", "iiii", false, true, (*execution).depositEvent},
	{"seal0", "debug_message", "ii", true, true, (*execution).debugMessage},

	{"seal0", "hash_sha2_256", "iii", false, true, (*execution).hashSha256},
	{"seal0", "hash_keccak_256", "iii", false, true, (*execution).hashKeccak256},
	{"seal0", "hash_blake2_256", "iii", false, true, (*execution).hashBlake256},
	{"seal0", "hash_blake2_128", "iii", false, true, (*execution).hashBlake128},
}

// names gives the names under which h is offered.
func (h *hostFunction) names() []string {
	if h.alias {
		return []string{h.name, "seal_" + h.name}
	}
	return []string{h.name}
}

// hostSignatures is the host interface as the validator wants it.
func hostSignatures() map[instrument.Import]instrument.Signature {
	offered := make(map[instrument.Import]instrument.Signature)
	for i := range hostFunctions {
		h := &hostFunctions[i]
		var sig instrument.Signature
		for _, p := range h.params {
			t := instrument.I32
			if p == 'l' {
				t = instrument.I64
			}
			sig.Params = append(sig.Params, t)
		}
		if h.result {
			sig.Result = instrument.I32
		}
		for _, name := range h.names() {
			offered[instrument.Import{Module: h.module, Name: name}] = sig
		}
	}
	return offered
}

// offerHost makes the host functions importable.
func (e *Engine) offerHost(ctx context.Context) error {
	for _, module := range []string{"seal0", "seal1", "seal2"} {
		builder := e.runtime.NewHostModuleBuilder(module)
		for i := range hostFunctions {
			h := &hostFunctions[i]
			if h.module != module {
				continue
			}
			params, results := h.valueTypes()
			for _, name := range h.names() {
				builder.NewFunctionBuilder().WithGoFunction(h, params, results).Export(name)
			}
		}
		if _, err := builder.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (h *hostFunction) valueTypes() (params, results []api.ValueType) {
	for _, p := range h.params {
		t := api.ValueTypeI32
		if p == 'l' {
			t = api.ValueTypeI64
		}
		params = append(params, t)
	}
	if h.result {
		results = []api.ValueType{api.ValueTypeI32}
	}
	return params, results
}

// Call implements wazero's [api.GoFunction].
func (h *hostFunction) Call(ctx context.Context, stack []uint64) {
	r := h.run(ctx.Value(executionKey{}).(*execution), stack)
	if h.result {
		stack[0] = uint64(r)
	}
}

// pay charges for a call that handles n bytes.
func (x *execution) pay(p price, n uint32) { x.charge(p.base + p.byte*uint64(n)) }

// view gives n bytes of the contract's memory, valid until the host function returns.
func (x *execution) view(ptr, n uint32) []byte {
	b, ok := x.memory.Read(ptr, n)
	if !ok {
		x.end(BadMemoryAccess, "host function reads %d bytes outside the memory", n)
	}
	return b
}

// read copies n bytes of the contract's memory.
func (x *execution) read(ptr, n uint32) []byte { return append([]byte{}, x.view(ptr, n)...) }

func (x *execution) write(ptr uint32, b []byte) {
	if !x.memory.Write(ptr, b) {
		x.end(BadMemoryAccess, "host function writes %d bytes outside the memory", len(b))
	}
}

// writeOut writes b to a buffer of the contract: the u32 at sizePtr says how long the buffer is and then receives the
// length of b. A buffer too short ends the call.
func (x *execution) writeOut(ptr, sizePtr uint32, b []byte) {
	size := binary.LittleEndian.Uint32(x.view(sizePtr, 4))
	if uint64(size) < uint64(len(b)) {
		x.end(Trapped, "output buffer of %d bytes is too short for %d", size, len(b))
	}
	x.write(ptr, b)
	x.write(sizePtr, binary.LittleEndian.AppendUint32(nil, uint32(len(b))))
}

// fact writes a small value that costs priceRead.
func (x *execution) fact(a []uint64, b []byte) {
	x.pay(priceRead, uint32(len(b)))
	x.writeOut(uint32(a[0]), uint32(a[1]), b)
}

func (x *execution) account(ptr uint32) (account [32]byte) {
	copy(account[:], x.view(ptr, 32))
	return account
}
