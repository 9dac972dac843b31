// Package contract runs confidential contracts: WebAssembly modules with the host interface that ink! 4 and 5 contracts
// import from Substrate's pallet-contracts.
//
// # Use
//
// Make one [Engine] with [NewEngine]. [Engine.Prepare] validates, instruments (package instrument) and compiles code;
// [Engine.Cached] finds a prepared module by its code hash without the code. [Engine.Execute] runs one call in a
// fresh instance against a [Storage] and returns an [Outcome]. All methods may be used from many goroutines at once,
// as long as each call has a Storage of its own. Bounding how many calls run at once is the caller's business: each
// holds at most 16 MiB of contract memory and, for its stack, at most some tens of megabytes in the worst case.
//
// # What is promised
//
//   - Determinism. Outcome and the sequence of Storage calls are a function of the code, the [Call], the Limits and
//     what Storage answers: no clock, no randomness but Call.Seed, no floating point freedom, the same gas on wazero's
//     compiler and interpreter. Whatever a contract does ends in a Status; the error of Execute is left for faults of
//     the host, which must never be taken for a result.
//   - Bounds. Gas bounds the time (a cancelled context does not stop a running call), Limits everything else.
//   - Isolation. No byte of one call's memory is readable by another call: memory is pooled and zeroed when a call
//     ends. (Copies of values that the engine held in registers or on its stack are left to the garbage collector.)
//   - Rollback is the caller's: Storage is an overlay that the caller drops unless the status is [Done]. The caller
//     has also moved Call.Value to the contract in that overlay before Execute.
//
// # Host interface
//
// The functions, their module names, argument order, buffer conventions and return codes are those of
// pallet-contracts; the list is hostFunctions in host.go, their prices in price.go. Functions that old contracts
// import with the prefix "seal_" are also offered under that name. A module that imports anything else is refused by
// name. Differences from pallet-contracts:
//
//   - Keys of the old fixed-size interface and variable keys of 32 bytes share one key space.
//   - gas_left writes this engine's gas; weight_to_fee is Limits.FeePerGas per gas; minimum_balance is
//     Limits.MinimumBalance.
//   - caller_is_origin is always true, since contracts do not call each other yet; caller_is_root always false.
//   - is_contract and code_hash answer for the contract itself, and for others through [CodeHashes] if Storage
//     implements it; otherwise the call ends with status Unsupported, for the truth is not known.
//   - random is BLAKE2b-256 of a domain tag, Call.Seed and the subject.
//   - transfer fails with TransferFailed (5) on every error of Storage.Transfer.
//   - debug_message is always recorded, up to a bound, and costs the same whether or not anybody reads it.
package contract

import (
	"fmt"

	"lukechampine.com/uint128"
)

// Status says how a call ended. The numbers are part of receipts and never change.
type Status uint8

// The ends of a call. Only Done keeps what was written.
const (
	Done            Status = 0  // returned, or called seal_return without flags
	Reverted        Status = 1  // called seal_return with the REVERT flag; Output says why
	Trapped         Status = 2  // a host function was called with arguments it forbids
	OutOfGas        Status = 3  // the gas limit is used up
	DepthExceeded   Status = 4  // calls inside the contract nest too deep
	LimitExceeded   Status = 5  // a key, value, event, input or output exceeds its bound
	BadModule       Status = 6  // the code was refused; for callers of Prepare, Execute never gives it
	Unreachable     Status = 7  // executed unreachable, as a Rust panic does
	DivisionByZero  Status = 8  // integer division or remainder by zero
	IntegerOverflow Status = 9  // division overflow, or a float that does not fit an integer
	BadMemoryAccess Status = 10 // read or wrote outside the memory, itself or through a host function
	BadIndirectCall Status = 11 // called through an empty, missing or differently typed table entry
	Unsupported     Status = 12 // asked for something that this engine cannot answer truthfully
)

var statusNames = [...]string{
	Done: "done", Reverted: "reverted", Trapped: "trapped", OutOfGas: "out of gas", DepthExceeded: "depth exceeded",
	LimitExceeded: "limit exceeded", BadModule: "bad module", Unreachable: "unreachable executed",
	DivisionByZero: "division by zero", IntegerOverflow: "integer overflow", BadMemoryAccess: "memory access out of bounds",
	BadIndirectCall: "bad indirect call", Unsupported: "unsupported",
}

// String gives the status in words.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Call is one execution of a contract.
type Call struct {
	Deploy     bool            // run the constructor instead of a message
	ReadOnly   bool            // a query or dry run: the caller drops the overlay in any case; nothing else differs
	Contract   [32]byte        // the contract's id, its account
	Caller     [32]byte        // the caller's account
	CodeHash   [32]byte        // hash of the code, as the contract sees it
	Input      []byte          // selector and arguments, at most Limits.InputBytes; not modified
	Value      uint128.Uint128 // what the caller sent along, already on the contract's balance
	GasLimit   uint64          // at most MaxGas counts
	Height     uint64          // block height; contracts see 32 bits, saturated
	TimeMillis uint64          // block time, Unix milliseconds
	Seed       [32]byte        // secret randomness of this call
}

// MaxGas is the highest gas limit that is counted; a higher one is taken as this.
const MaxGas = 1 << 62

// Storage is what a contract reads and changes: an overlay of the contract's key-value store and of the ledger, which
// belongs to one call. Keys are at most Limits.KeyBytes, values at most Limits.ValueBytes long. Its faults are for
// the caller to notice: it may panic, and Execute then returns an error.
type Storage interface {
	// Get gives the value of a key, which stays unmodified until the next Set or Delete; key is only lent.
	Get(key []byte) ([]byte, bool)
	// Set stores a value, which may be empty; key and value are handed over.
	Set(key, value []byte)
	// Delete removes a key if it is there; key is only lent.
	Delete(key []byte)
	// Balance gives what an account holds in the cluster's ledger.
	Balance(account [32]byte) uint128.Uint128
	// Transfer moves an amount between accounts, or fails and moves nothing.
	Transfer(from, to [32]byte, amount uint128.Uint128) error
}

// CodeHashes is implemented by a Storage that knows every contract of the cluster.
type CodeHashes interface {
	// CodeHash gives the hash of a contract's code, or false if the account is not a contract.
	CodeHash(account [32]byte) ([32]byte, bool)
}

// Outcome is the result of a call.
type Outcome struct {
	Status  Status
	GasUsed uint64  // at most the call's gas limit, which OutOfGas uses whole
	Output  []byte  // what seal_return gave; only for Done and Reverted
	Events  []Event // only for Done
	Debug   []byte  // debug messages, joined and cut at Limits.DebugBytes; plaintext of the contract, for dry runs
	Reason  string  // for people: which bound or argument; the same on every machine, never contract data
}

// Event is what deposit_event emitted.
type Event struct {
	Topics [][]byte // at most Limits.Topics, of 32 bytes each
	Data   []byte
}
