package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module, with codes that stay.
var (
	// ErrMalformed says that a message does not parse or is over a bound.
	ErrMalformed = errorsmod.Register(ModuleName, 2, "malformed")
	// ErrNoCluster says that there is no such cluster.
	ErrNoCluster = errorsmod.Register(ModuleName, 3, "no such cluster")
	// ErrEnvelope says that a command holds no envelope of purpose 0.
	ErrEnvelope = errorsmod.Register(ModuleName, 4, "not an envelope for the chain")
	// ErrSignature says that a message is not signed by the identity it names, for this chain.
	ErrSignature = errorsmod.Register(ModuleName, 5, "signature is not valid")
	// ErrNotRegistered says that a message's identity is not registered.
	ErrNotRegistered = errorsmod.Register(ModuleName, 6, "identity is not registered")
	// ErrInactive says that the identity's registration has expired or is suspended.
	ErrInactive = errorsmod.Register(ModuleName, 7, "identity is not active")
	// ErrIncarnation says that a message is not from its enclave's newest incarnation.
	ErrIncarnation = errorsmod.Register(ModuleName, 8, "incarnation is not the newest")
	// ErrSequenceGap says that messages before this one are missing.
	ErrSequenceGap = errorsmod.Register(ModuleName, 9, "sequence gap")
	// ErrPruned says that a body is no longer kept; its text names the lowest index that is.
	ErrPruned = errorsmod.Register(ModuleName, 10, "body is pruned")
	// ErrRange says that a topic has no such place.
	ErrRange = errorsmod.Register(ModuleName, 11, "no such place in the topic")
	// ErrPost says that an enclave may not post this.
	ErrPost = errorsmod.Register(ModuleName, 12, "post is not allowed")
	// ErrNoHandler says that no module takes acts of this kind.
	ErrNoHandler = errorsmod.Register(ModuleName, 13, "no module takes this act")
)
