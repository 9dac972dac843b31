package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module, with codes that stay.
var (
	// ErrMalformed says that a message does not parse, is not canonical or is over a bound.
	ErrMalformed = errorsmod.Register(ModuleName, 2, "malformed")
	// ErrUnauthorized says that the signer may not do this.
	ErrUnauthorized = errorsmod.Register(ModuleName, 3, "not authorized")
	// ErrNoUID says that the chain has no uid yet: it has no first block.
	ErrNoUID = errorsmod.Register(ModuleName, 4, "chain has no uid yet")
	// ErrChain says that a registration names another chain.
	ErrChain = errorsmod.Register(ModuleName, 5, "registration is for another chain")
	// ErrHeader says that a registration's header is not this chain's, is too old, or not above the last one's.
	ErrHeader = errorsmod.Register(ModuleName, 6, "header is refused")
	// ErrSignature says that the IdentityKey has not signed the registration.
	ErrSignature = errorsmod.Register(ModuleName, 7, "signature is not valid")
	// ErrEvidence says that the evidence is not believed; its text gives the reason.
	ErrEvidence = errorsmod.Register(ModuleName, 8, "evidence is refused")
	// ErrIncarnation says that an incarnation was superseded, or is not the newest.
	ErrIncarnation = errorsmod.Register(ModuleName, 9, "incarnation is refused")
	// ErrEcdhKey says that an EcdhKey may not become the worker's.
	ErrEcdhKey = errorsmod.Register(ModuleName, 10, "ecdh key is refused")
	// ErrSuspended says that the worker is suspended, which a registration does not end.
	ErrSuspended = errorsmod.Register(ModuleName, 11, "worker is suspended")
	// ErrNoWorker says that the identity was never registered.
	ErrNoWorker = errorsmod.Register(ModuleName, 12, "no such worker")
	// ErrInactive says that the worker is expired or suspended.
	ErrInactive = errorsmod.Register(ModuleName, 13, "worker is not active")
	// ErrEndpoint says that an endpoint is no URL that clients could call.
	ErrEndpoint = errorsmod.Register(ModuleName, 14, "endpoint is refused")
	// ErrGatekeeper says that a list of gatekeepers, or a gatekeeper in a place for workers, is refused.
	ErrGatekeeper = errorsmod.Register(ModuleName, 15, "gatekeeper is refused")
	// ErrMasterKey says that an announcement of the MasterKey is refused.
	ErrMasterKey = errorsmod.Register(ModuleName, 16, "master key is refused")
	// ErrMember says that a worker's list of clusters does not allow the change.
	ErrMember = errorsmod.Register(ModuleName, 17, "membership is refused")
	// ErrParams says that parameters contradict themselves or the network's kind.
	ErrParams = errorsmod.Register(ModuleName, 18, "parameters are refused")
	// ErrAct says that the registry takes no act of this kind.
	ErrAct = errorsmod.Register(ModuleName, 19, "act is not the registry's")
	// ErrHandedOver says that an identity's keys were handed over to another release than the one that registers.
	ErrHandedOver = errorsmod.Register(ModuleName, 25, "keys were handed over to another release")
)
