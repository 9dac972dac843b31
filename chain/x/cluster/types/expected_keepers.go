package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// RegistryKeeper says who is registered and what the network's rules are, and holds what clusters decide of workers.
type RegistryKeeper interface {
	ChainUID(ctx context.Context) (wire.ChainUID, error)
	NetworkParams(ctx context.Context) (wire.NetworkParams, error)
	// Worker reports false where the identity was never registered.
	Worker(ctx context.Context, pk sr25519.PublicKey) (wire.WorkerState, bool, error)
	Gatekeepers(ctx context.Context) (wire.Gatekeepers, error)
	// IsAuthority reports whether an address may change any cluster.
	IsAuthority(ctx context.Context, address string) (bool, error)
	// JoinCluster and LeaveCluster keep the list of clusters in a worker's record.
	JoinCluster(ctx context.Context, pk sr25519.PublicKey, id wire.ClusterID) error
	LeaveCluster(ctx context.Context, pk sr25519.PublicKey, id wire.ClusterID) error
	// Suspend takes a worker's right to act and then runs the hooks of a lost worker.
	Suspend(ctx context.Context, pk sr25519.PublicKey) error
}

// QueueKeeper appends messages to topics.
type QueueKeeper interface {
	Append(ctx context.Context, sender wire.Sender, topic wire.Topic, body *wire.Body) (uint64, error)
	Head(ctx context.Context, topic wire.Topic) (wire.Head, error)
	// Cover says that a finalized checkpoint covers the first count messages of a cluster's topic.
	Cover(ctx context.Context, cluster wire.ClusterID, count uint64) error
}

// BankKeeper moves coins into and out of escrow.
type BankKeeper interface {
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, to string, amount sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, from string, to sdk.AccAddress, amount sdk.Coins) error
	GetBalance(ctx context.Context, account sdk.AccAddress, denom string) sdk.Coin
}
