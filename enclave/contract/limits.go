package contract

import (
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// Limits bounds what contracts may use. A "call" is a call tree: a call with all that it calls. All but the last four
// influence results and so belong to the execution version; start from [DefaultLimits].
type Limits struct {
	Module     instrument.Limits
	InputBytes int // call input
	// OutputBytes bounds what seal_return gives.
	OutputBytes int
	KeyBytes    int // storage key
	ValueBytes  int // storage value
	// Events of one call: their number, topics of each, data of each, and bytes of all with topics.
	Events, Topics, EventBytes, AllEventBytes int
	DebugBytes                                int // debug messages of one call
	// Logs of one call, debug messages among them: their number, the text of each, and bytes of all, each of which counts
	// 8 beside its text.
	Logs, LogBytes, AllLogBytes int
	SubjectBytes                int             // subject of random
	TransientBytes              int             // written to transient storage by one call tree
	CallDepth                   int             // calls of contracts that may be under way in one call tree
	TreeBytes                   int             // memory of all contracts under way in one call tree
	TreeCodeBytes               int             // different code that one call tree calls, beside the code it begins with
	FeePerGas                   uint64          // what weight_to_fee tells contracts
	MinimumBalance              uint128.Uint128 // what minimum_balance tells contracts

	CachedModules int // compiled modules kept
	CachedBytes   int // their instrumented code together
	PoolBytes     int // idle contract memory kept for the next calls
	IdleBytes     int // memory of idle instances kept for the next calls of the same code
}

// DefaultLimits gives the limits of execution version 1. Keys, topics and event data are bounded as in
// pallet-contracts, values as in Phala's runtime, which many contracts with large values are made for.
func DefaultLimits() Limits {
	return Limits{
		Module: instrument.DefaultLimits(), InputBytes: 256 << 10, OutputBytes: 256 << 10,
		KeyBytes: 128, ValueBytes: 1 << 20,
		Events: 256, Topics: 4, EventBytes: 16 << 10, AllEventBytes: 128 << 10, DebugBytes: 64 << 10,
		Logs: 256, LogBytes: 4 << 10, AllLogBytes: 16 << 10, SubjectBytes: 32, TransientBytes: 1 << 20, CallDepth: 16,
		TreeBytes: 32 << 20, TreeCodeBytes: 4 << 20,
		CachedModules: 64, CachedBytes: 16 << 20, PoolBytes: 32 << 20,
		IdleBytes: 64 << 20,
	}
}
