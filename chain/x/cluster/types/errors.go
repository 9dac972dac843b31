package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module, with codes that stay.
var (
	// ErrMalformed says that a message does not parse or is over a bound.
	ErrMalformed = errorsmod.Register(ModuleName, 2, "malformed")
	// ErrNoCluster says that there is no such cluster.
	ErrNoCluster = errorsmod.Register(ModuleName, 3, "no such cluster")
	// ErrNotAllowed says that the signer has no right to this.
	ErrNotAllowed = errorsmod.Register(ModuleName, 4, "not allowed")
	// ErrWorker says that a worker cannot be a member: it is not registered, not active, a gatekeeper, a member
	// already, or in too many clusters.
	ErrWorker = errorsmod.Register(ModuleName, 5, "worker cannot be a member")
	// ErrNotMember says that an identity is no member, or was none at the mark.
	ErrNotMember = errorsmod.Register(ModuleName, 6, "not a member")
	// ErrLastMember says that the last member of a cluster cannot be removed.
	ErrLastMember = errorsmod.Register(ModuleName, 7, "the last member stays")
	// ErrStale says that a report is about a key epoch that is no longer awaited.
	ErrStale = errorsmod.Register(ModuleName, 8, "report is stale")
	// ErrConflict says that a report contradicts what the chain holds for certain.
	ErrConflict = errorsmod.Register(ModuleName, 9, "report contradicts the chain")
	// ErrNoMark says that there is no such mark, or that it is too old.
	ErrNoMark = errorsmod.Register(ModuleName, 10, "no such mark")
	// ErrTooMany says that a member has too many reports that wait for a quorum.
	ErrTooMany = errorsmod.Register(ModuleName, 11, "too many reports are waiting")
	// ErrAmount says that an amount is zero, of another denomination, or too large.
	ErrAmount = errorsmod.Register(ModuleName, 12, "amount is not usable")
	// ErrNotFound says that there is no such record.
	ErrNotFound = errorsmod.Register(ModuleName, 13, "not found")
	// ErrCorrupt says that the module's store holds what the module never writes.
	ErrCorrupt = errorsmod.Register(ModuleName, 14, "store is damaged")
	// ErrAct says that the module takes no acts of this kind.
	ErrAct = errorsmod.Register(ModuleName, 15, "act is not for clusters")
)
