package types

import "github.com/phalanx-network/phalanx/wire"

// ModuleName names the module, and its store, in which the records of wire's queue stand.
const (
	ModuleName = "mq"
	StoreKey   = wire.StoreQueue
)

// Bounds of one transaction and of one block.
const (
	// MaxEntries is the most commands of one MsgPush and the most messages of one MsgSubmit.
	MaxEntries = 64
	// PruneBudget is the most bodies that one block deletes.
	PruneBudget = 1000
	// VerifyGas is what the check of one enclave's signature costs, about as much as an account's.
	VerifyGas = 1000
)
