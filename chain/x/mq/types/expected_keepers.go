package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// RegistryKeeper says who is registered and what the network's rules are.
type RegistryKeeper interface {
	ChainUID(ctx context.Context) (wire.ChainUID, error)
	NetworkParams(ctx context.Context) (wire.NetworkParams, error)
	// Worker reports false where the identity was never registered.
	Worker(ctx context.Context, pk sr25519.PublicKey) (wire.WorkerState, bool, error)
	Gatekeepers(ctx context.Context) (wire.Gatekeepers, error)
}

// BankKeeper takes the price of gas.
type BankKeeper interface {
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, to string, amount sdk.Coins) error
}

// ClusterKeeper says which clusters exist and learns of commands to them.
type ClusterKeeper interface {
	HasCluster(ctx context.Context, id wire.ClusterID) (bool, error)
	// CommandAppended is called after each command in a cluster's topic.
	CommandAppended(ctx context.Context, id wire.ClusterID) error
}

// ActHandler carries out acts of enclaves. The message's signature, place and right to act are checked already. An
// error undoes what the handler wrote and becomes public as the act's refusal; the sequence stays used.
type ActHandler interface {
	HandleAct(ctx context.Context, from wire.WorkerLife, act *wire.Act) error
}
