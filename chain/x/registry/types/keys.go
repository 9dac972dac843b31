// Package types holds the registry's messages, queries, events, parameters and errors, and what its keeper asks of
// others. Clients of the chain import it; it depends on no keeper.
package types

import (
	"context"

	"github.com/phalanx-network/phalanx/wire"
)

// Names of the module and its store.
const (
	ModuleName = "registry"
	StoreKey   = wire.StoreRegistry
)

// HeaderWindow is how many blocks old the header of a registration may be.
const HeaderWindow = 600

// MaxEcdhEpoch is the last epoch of an EcdhKey: CommKey derivation takes epochs below 2³¹.
const MaxEcdhEpoch = 1<<31 - 1

// Gas of judging evidence once, charged before any of it is parsed, whatever it turns out to be. The slowest kinds,
// SEV-SNP with its list and Nitro, take up to 5 ms of one core on a busy machine (rows attest_snp and attest_nitro of `make
// bench`), DCAP little more than 1. So the 300 million of a block buy at most 300 judgements, 1.5 s, which a validator has
// between two blocks of a production network.
const (
	GasRegister        = 1_000_000
	GasRegisterPerByte = 10
)

// Bounds of what a registration brings, in bytes.
const (
	MaxRegistration = 512
	MaxEvidence     = 336 << 10
)

// Topics is where the registry tells an identity something; x/mq's keeper is it.
type Topics interface {
	// Append adds a message to a topic and returns its index.
	Append(ctx context.Context, sender wire.Sender, topic wire.Topic, body *wire.Body) (uint64, error)
}

// Hooks are what other modules do when a worker's standing changes. An error fails the transaction, or halts the chain
// where the block itself changed the standing, so it must mean that state is broken.
type Hooks interface {
	// WorkerLost is called when a worker that was active has expired or is suspended.
	WorkerLost(ctx context.Context, w *wire.WorkerState) error
	// WorkerRegistered is called when a worker has registered, for the first time or again, and is active.
	WorkerRegistered(ctx context.Context, w *wire.WorkerState) error
}
