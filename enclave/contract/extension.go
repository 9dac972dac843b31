package contract

import (
	"context"

	"lukechampine.com/uint128"
)

// Extension is a set of functions beyond pallet-contracts' that contracts reach through call_chain_extension.
type Extension interface {
	// Call runs a function. id is as the contract gave it: the extension in the high 16 bits, the function in the low.
	// input is only lent. status is what the contract gets back at once, output what is written to its buffer. An
	// error that is an [*ExtensionError] ends the call of this contract with its status; any other error, or one with
	// another status, is a fault of the host. ctx ends when the caller of Execute gives up, and only functions that a command cannot reach may heed it.
	Call(ctx context.Context, env ExtensionEnv, id uint32, input []byte) (status uint32, output []byte, err error)
}

// ExtensionError ends a contract's call.
type ExtensionError struct {
	Status Status // Trapped, LimitExceeded or Unsupported
	Reason string // for people: the same on every machine, never contract data
}

// Error implements error.
func (e *ExtensionError) Error() string { return e.Reason }

// ends reports whether the status is one that an extension may end a call with. The others say what only the engine can
// know; one that ended well, above all, would keep what the call had done.
func (e *ExtensionError) ends() bool {
	return e.Status == Trapped || e.Status == LimitExceeded || e.Status == Unsupported
}

// ExtensionEnv is what an extension learns of the call and may do in it.
type ExtensionEnv interface {
	Contract() [32]byte
	Caller() [32]byte
	// Command reports whether the call must be deterministic: it is, or is nested in, a command.
	Command() bool
	// Height and TimeMillis are of the block that the call runs on.
	Height() uint64
	TimeMillis() uint64
	// Charge takes gas. It does not return when the gas is used up.
	Charge(gas uint64)
	// Random fills b with randomness that follows from the call's seed, the contract, tag and how often it was called in
	// this call tree. In a query the seed is true randomness.
	Random(tag string, b []byte)
	// Log keeps a message for the contract's owner, cut to the bounds of Limits.
	Log(level uint8, text string)
	Balance(account [32]byte) uint128.Uint128
	HasCode(hash [32]byte) bool
	// Secret is the contract's own secret; the caller erases it.
	Secret() [32]byte
	// EventHead counts the events of this call tree in, and takes gas for hashing them.
	EventHead() EventHead
	// Local gives what make gave for key when it was first asked for in this call tree: where an extension counts what
	// one query or command uses. A rollback leaves it as it is.
	Local(key any, make func() any) any
	// AfterCommit has f called, in order, once what the call changes is durable; never where it is rolled back, alone or
	// with its caller, and never in a query.
	AfterCommit(f func())
}

// EventHead is the running hash over the events of one contract, see [EventHead.Next]. All zeros before the first.
type EventHead struct {
	Count uint64
	Hash  [32]byte
}
