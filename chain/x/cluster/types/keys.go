package types

import "github.com/phalanx-network/phalanx/wire"

// ModuleName names the module, its store, and the module account that holds the escrow of all clusters.
const (
	ModuleName = "cluster"
	StoreKey   = wire.StoreCluster
)

// Rules of the module.
const (
	// ExecutionVersion is the version of execution that a new cluster starts with.
	ExecutionVersion = 1
	// MarkWindow is how many marks of a cluster are kept: their reports, and what was finalized.
	MarkWindow = 64
	// MaxMisses is how many marks in a row a member may leave unreported that another member reported: at the last of
	// them it is removed.
	MaxMisses = 3
	// MaxContractVotes is how many contracts a member may have reported that no quorum has reported yet.
	MaxContractVotes = 1024
	// SettleBudget is how many such reports one finalization looks at.
	SettleBudget = 2048
	// DueBudget is how many marks and checks one block carries out; the rest wait for the next.
	DueBudget = 256
)
