// Package contract runs confidential contracts: WebAssembly modules with the host interface that ink! 3, 4 and 5
// contracts import from Substrate's pallet-contracts.
//
// # Use
//
// Make one [Engine] with [NewEngine]. [Engine.Prepare] validates, instruments (package instrument) and compiles code;
// [Engine.Cached] finds a prepared module by its code hash without the code. [Engine.Execute] runs one call, and
// whatever contracts it calls in turn, in fresh instances against a [Storage] and returns an [Outcome]. All methods may
// be used from many goroutines at once, as long as each call has a Storage of its own. Bounding how many calls run at
// once is the caller's business: each holds at most twice Limits.TreeBytes of contract memory, for slabs are powers of
// two, what Limits.TreeCodeBytes compiles to and, for its stacks, some tens of megabytes in the worst case.
//
// # What is promised
//
//   - Determinism. Outcome and the sequence of Storage calls are a function of the code, the [Call], the Limits and
//     what Storage answers: no clock, no randomness but Call.Seed, no floating point freedom, the same gas on wazero's
//     compiler and interpreter. Whatever a contract does ends in a Status; the error of Execute is left for faults of
//     the host, which must never be taken for a result. In a query the [Extension] may do what is not deterministic.
//   - Bounds. Gas bounds the time (a cancelled context does not stop a running call), Limits everything else, over the
//     whole tree of calls: depth, memory, stack, events, logs, transient storage.
//   - Isolation. No byte of one call's memory is readable by another call: memory is pooled and zeroed when a call
//     ends. (Copies of values that the engine held in registers or on its stack are left to the garbage collector.)
//   - Rollback. What a called contract did is undone unless it returns without the REVERT flag: storage, money, events,
//     contracts made, code changed, transient storage. For the outermost call that is the caller's business: Storage is
//     an overlay that it drops unless the status is [Done]. The caller has also moved Call.Value to the contract, and
//     for a deployment made the contract, in that overlay before Execute.
//
// # Host interface
//
// The functions, their module names, argument order, buffer conventions and return codes are those of
// pallet-contracts 51, unstable and deprecated ones included, and those that it dropped but ink! 3 imports. The list is
// hostFunctions in host_table.go, their prices in price.go, and docs/spec/host-functions.md explains each. Functions
// that old contracts import with the prefix "seal_" are also offered under that name. A module that imports anything
// else is refused by name. Differences from pallet-contracts:
//
//   - Gas is this engine's, in every function that names gas or the time part of a weight; the proof part is 0 and
//     storage deposits do not exist: limits on both are read and have no effect. weight_to_fee is Limits.FeePerGas per
//     gas; minimum_balance is Limits.MinimumBalance.
//   - random is BLAKE2b-256 of a domain tag, Call.Seed, the contract and the subject.
//   - There is no runtime beside contracts: call_runtime, xcm_execute and xcm_send give their error codes.
//   - The id of a terminated contract is never used again.
//   - set_code_hash is at once seen by code_hash.
//   - debug_message is always recorded, up to a bound, and costs the same whether or not anybody reads it.
package contract

import (
	"errors"
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
	Query      bool            // the caller drops the overlay in any case, and the extension may do more
	Contract   [32]byte        // the contract's id, its account
	Caller     [32]byte        // the caller's account
	Input      []byte          // selector and arguments, at most Limits.InputBytes; not modified
	Value      uint128.Uint128 // what the caller sent along, already on the contract's balance
	GasLimit   uint64          // at most MaxGas counts
	Height     uint64          // block height; contracts see 32 bits, saturated
	TimeMillis uint64          // block time, Unix milliseconds
	Seed       [32]byte        // secret randomness of this call

	// Extension answers call_chain_extension; without one such a call ends with status Unsupported.
	Extension Extension
	// Compiled is where code that the call tree needs is found compiled and kept; it may be nil.
	Compiled CompiledStore
	// Trace is told of every host call, in order, with its name ("seal1.get_storage") and the contract that makes it. It
	// is for tools such as a linter; nil costs nothing.
	Trace func(contract [32]byte, function string)
}

// MaxGas is the highest gas limit that is counted; a higher one is taken as this.
const MaxGas = 1 << 62

// Storage is the state of the cluster as one call tree sees it: every contract's key-value store, the contracts and
// their code, and the ledger. It belongs to one call of Execute. Keys and values are bounded by Limits. Its faults are
// for the caller to notice: it may panic, and Execute then returns an error.
type Storage interface {
	// Get gives the value of a contract's key, which stays unmodified until the next change; key is only lent.
	Get(contract [32]byte, key []byte) ([]byte, bool)
	// Set stores a value, which may be empty; key and value are handed over.
	Set(contract [32]byte, key, value []byte)
	// Delete removes a key if it is there; key is only lent.
	Delete(contract [32]byte, key []byte)

	// Balance gives what an account holds in the cluster's ledger.
	Balance(account [32]byte) uint128.Uint128
	// Transfer moves an amount between accounts, or fails and moves nothing.
	Transfer(from, to [32]byte, amount uint128.Uint128) error

	// Begin opens a nested transaction; Commit keeps what was done since, Rollback undoes it. They come in pairs, the
	// last opened is closed first. Everything that this interface changes is undone, creations and terminations too.
	Begin()
	Commit()
	Rollback()

	// CodeHash gives the hash of a contract's code, or false if the account is not a contract.
	CodeHash(account [32]byte) (hash [32]byte, ok bool)
	// SetCodeHash gives a contract other code, which HasCode knows.
	SetCodeHash(contract, hash [32]byte)
	// HasCode reports whether the cluster has code of a hash.
	HasCode(hash [32]byte) bool
	// Code gives code that HasCode knows, to be prepared.
	Code(hash [32]byte) []byte
	// Create makes a contract, whose id follows from the deploying contract, code, input and salt. It fails, and makes
	// none, if that id is or was one ([ErrDuplicate]), or if the cluster takes no more ([ErrTooMany]).
	Create(deployer, hash [32]byte, input, salt []byte) (id [32]byte, err error)
	// Terminate removes a contract for ever; its balance has been moved away.
	Terminate(contract [32]byte)
	// Created counts the contracts that were ever made in this cluster.
	Created() uint64

	// Secret gives the contract's own secret, which never changes, for keys that it uses outside.
	Secret(contract [32]byte) [32]byte
	// EventHead gives the head of the chain of the events that a contract has emitted in commands before this one.
	EventHead(contract [32]byte) EventHead
}

// Errors of [Storage].
var (
	// ErrDuplicate says that a contract of that id exists or existed.
	ErrDuplicate = errors.New("contract exists already")
	// ErrTooMany says that no more contracts can be made.
	ErrTooMany = errors.New("too many contracts")
)

// Outcome is the result of a call.
type Outcome struct {
	Status  Status
	GasUsed uint64  // at most the call's gas limit, which OutOfGas uses whole
	Output  []byte  // what seal_return gave; only for Done and Reverted
	Events  []Event // of the whole call tree, in order, without what was rolled back; only for Done
	// Created are the contracts that were made on the way, in order, without those that were terminated again; only for
	// Done.
	Created []Created
	// AfterCommit is what extensions left to be done, in order, once the changes are durable; only for Done, and never in
	// a query.
	AfterCommit []func()
	Debug       []byte // debug messages, joined and cut at Limits.DebugBytes; plaintext of the contract, for dry runs
	Logs        []Log  // in order, also of calls that failed, debug messages among them
	Dropped     int    // logs beyond the bounds of Limits
	Reason      string // for people: which bound or argument; the same on every machine, never contract data
}

// Event is what deposit_event emitted.
type Event struct {
	Contract [32]byte // that emitted it
	Topics   [][]byte // at most Limits.Topics, of 32 bytes each
	Data     []byte
}

// Created is a contract that was made on the way and not terminated again; only for Done.
type Created struct {
	Contract, CodeHash [32]byte
}

// Log is one message that a contract left for its owner.
type Log struct {
	Contract [32]byte
	Level    uint8 // 1 error, 2 warn, 3 info, 4 debug, 5 trace
	Text     string
}
