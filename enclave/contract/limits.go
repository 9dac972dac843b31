package contract

import (
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// Limits bounds what contracts may use. All but the last three influence results and so belong to the execution
// version; start from [DefaultLimits].
type Limits struct {
	Module     instrument.Limits
	InputBytes int // call input
	// OutputBytes bounds what seal_return gives.
	OutputBytes int
	KeyBytes    int // storage key
	ValueBytes  int // storage value
	// Events of one call: their number, topics of each, data of each, and bytes of all with topics.
	Events, Topics, EventBytes, AllEventBytes int
	DebugBytes                                int             // debug messages of one call
	FeePerGas                                 uint64          // what weight_to_fee tells contracts
	MinimumBalance                            uint128.Uint128 // what minimum_balance tells contracts

	CachedModules int // compiled modules kept
	CachedBytes   int // their instrumented code together
	PoolBytes     int // idle contract memory kept for the next calls
}

// DefaultLimits gives the limits of execution version 1. Keys, values, topics and event data are bounded as in
// pallet-contracts.
func DefaultLimits() Limits {
	return Limits{
		Module: instrument.DefaultLimits(), InputBytes: 64 << 10, OutputBytes: 64 << 10,
		KeyBytes: 128, ValueBytes: 16 << 10,
		Events: 256, Topics: 4, EventBytes: 16 << 10, AllEventBytes: 128 << 10, DebugBytes: 64 << 10,
		CachedModules: 64, CachedBytes: 16 << 20, PoolBytes: 32 << 20,
	}
}
