package contract

import (
	"context"
	"encoding/binary"

	"github.com/tetratelabs/wazero/api"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// sentinel is what functions that give a size give for "there is none", and what stands for a pointer to nothing where
// a function allows that.
const sentinel = ^uint32(0)

// Return codes of pallet-contracts. The missing ones are never given.
const (
	codeSuccess             = 0
	codeCalleeTrapped       = 1
	codeCalleeReverted      = 2
	codeKeyNotFound         = 3
	codeTransferFailed      = 5
	codeCodeNotFound        = 7
	codeNotCallable         = 8
	codeCallRuntimeFailed   = 10
	codeEcdsaRecoveryFailed = 11
	codeSr25519VerifyFailed = 12
	codeXcmExecutionFailed  = 13
	codeXcmSendFailed       = 14
)

// hostName is where a function may be imported from.
type hostName struct{ module, name string }

// names gives the names under which h is offered.
func (h *hostFunction) names() []hostName {
	names := []hostName{{h.module, h.name}}
	if h.flags&aliased != 0 {
		names = append(names, hostName{h.module, "seal_" + h.name})
	}
	if h.flags&unstable != 0 {
		names = append(names, hostName{unstableModule, h.name}, hostName{unstableModule, "seal_" + h.name})
	}
	return names
}

// offered lists every name with its function.
func offered() map[hostName]*hostFunction {
	all := make(map[hostName]*hostFunction)
	for i := range hostFunctions {
		for _, name := range hostFunctions[i].names() {
			all[name] = &hostFunctions[i]
		}
	}
	return all
}

// hostSignatures is the host interface as the validator wants it.
func hostSignatures() map[instrument.Import]instrument.Signature {
	signatures := make(map[instrument.Import]instrument.Signature)
	for name, h := range offered() {
		var sig instrument.Signature
		for _, p := range h.params {
			sig.Params = append(sig.Params, letters[byte(p)])
		}
		if h.result != 0 {
			sig.Result = letters[h.result]
		}
		signatures[instrument.Import{Module: name.module, Name: name.name}] = sig
	}
	return signatures
}

// letters are the types in the table. The validator's and wazero's codes are WebAssembly's own.
var letters = map[byte]instrument.ValueType{'i': instrument.I32, 'l': instrument.I64}

// offerHost makes the host functions importable.
func (e *Engine) offerHost(ctx context.Context) error {
	all := offered()
	modules := map[string]bool{}
	for name := range all {
		modules[name.module] = true
	}
	for module := range modules {
		builder := e.runtime.NewHostModuleBuilder(module)
		for name, h := range all {
			if name.module == module {
				params, results := h.valueTypes()
				builder.NewFunctionBuilder().WithGoFunction(h, params, results).Export(name.name)
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
		params = append(params, api.ValueType(letters[byte(p)]))
	}
	if h.result != 0 {
		results = []api.ValueType{api.ValueType(letters[h.result])}
	}
	return params, results
}

// Call implements wazero's [api.GoFunction].
func (h *hostFunction) Call(ctx context.Context, stack []uint64) {
	x := ctx.Value(executionKey{}).(*execution)
	x.host = h
	if x.t.call.Trace != nil {
		x.t.call.Trace(x.account, h.module+"."+h.name)
	}
	if h.flags&mutating != 0 && x.readOnly {
		x.end(Trapped, "%s in a call that may not change anything", h.name)
	}
	x.charge(h.price.base)
	r := h.run(x, stack)
	if h.result != 0 {
		stack[0] = r
	}
}

// pay charges for n bytes that the running function reads or writes.
func (x *execution) pay(n uint32) { x.charge(x.host.price.byte * uint64(n)) }

// view gives n bytes of the contract's memory, valid until the host function returns or calls a contract.
func (x *execution) view(ptr, n uint32) []byte {
	b, ok := x.memory.Read(ptr, n)
	if !ok {
		x.end(BadMemoryAccess, "host function reads %d bytes outside the memory", n)
	}
	return b
}

// read copies n bytes of the contract's memory; it never gives nil.
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

// writeOptional is writeOut to a buffer that the contract may do without.
func (x *execution) writeOptional(ptr, sizePtr uint32, b []byte) {
	if ptr != sentinel {
		x.pay(uint32(len(b)))
		x.writeOut(ptr, sizePtr, b)
	}
}

// fact writes a value of a few bytes.
func (x *execution) fact(a []uint64, b []byte) uint64 {
	x.pay(uint32(len(b)))
	x.writeOut(uint32(a[0]), uint32(a[1]), b)
	return 0
}

// account32 reads an account, a contract's id or a code hash.
func (x *execution) account32(ptr uint32) (account [32]byte) {
	copy(account[:], x.view(ptr, 32))
	return account
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
