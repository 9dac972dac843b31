package mqtest

import (
	"context"
	"errors"
	"slices"

	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

type storeService = corestore.KVStoreService

var codec = registrytypes.AccountCodec()

// Authority is the address that may change everything.
var Authority = func() string { _, text := Account(0xff); return text }()

// Hooks are what the registry calls when a worker's standing changes.
type Hooks interface {
	WorkerLost(ctx context.Context, w *wire.WorkerState) error
	WorkerRegistered(ctx context.Context, w *wire.WorkerState) error
}

// Registry holds workers and does nothing else.
type Registry struct {
	Params wire.NetworkParams
	Hooks  Hooks // nil for none

	store storeService
}

// ChainUID returns [UID].
func (r *Registry) ChainUID(context.Context) (wire.ChainUID, error) { return UID, nil }

// NetworkParams returns Params.
func (r *Registry) NetworkParams(context.Context) (wire.NetworkParams, error) { return r.Params, nil }

// IsAuthority knows [Authority].
func (r *Registry) IsAuthority(_ context.Context, address string) (bool, error) {
	return address == Authority, nil
}

// Put writes a worker's record.
func (r *Registry) Put(ctx context.Context, w *wire.WorkerState) error {
	return r.store.OpenKVStore(ctx).Set([]byte(wire.KeyWorker(w.Identity).Key), scale.MustMarshal(w))
}

// Worker returns a worker's record.
func (r *Registry) Worker(ctx context.Context, pk sr25519.PublicKey) (w wire.WorkerState, found bool, err error) {
	raw, err := r.store.OpenKVStore(ctx).Get([]byte(wire.KeyWorker(pk).Key))
	if err != nil || raw == nil {
		return w, false, err
	}
	return w, true, scale.Unmarshal(raw, &w)
}

// NameGatekeepers sets the list of gatekeepers.
func (r *Registry) NameGatekeepers(ctx context.Context, members ...sr25519.PublicKey) error {
	g := wire.Gatekeepers{Members: members}
	return r.store.OpenKVStore(ctx).Set([]byte(wire.KeyGatekeepers().Key), scale.MustMarshal(&g))
}

// Gatekeepers returns the list of gatekeepers.
func (r *Registry) Gatekeepers(ctx context.Context) (g wire.Gatekeepers, err error) {
	raw, err := r.store.OpenKVStore(ctx).Get([]byte(wire.KeyGatekeepers().Key))
	if err != nil || raw == nil {
		return g, err
	}
	return g, scale.Unmarshal(raw, &g)
}

// JoinCluster adds a cluster to a worker's record.
func (r *Registry) JoinCluster(ctx context.Context, pk sr25519.PublicKey, id wire.ClusterID) error {
	return r.change(ctx, pk, func(w *wire.WorkerState) { w.Clusters = append(w.Clusters, id) })
}

// LeaveCluster takes a cluster out of a worker's record.
func (r *Registry) LeaveCluster(ctx context.Context, pk sr25519.PublicKey, id wire.ClusterID) error {
	return r.change(ctx, pk, func(w *wire.WorkerState) {
		w.Clusters = slices.DeleteFunc(w.Clusters, func(x wire.ClusterID) bool { return x == id })
	})
}

// Suspend takes a worker's right to act.
func (r *Registry) Suspend(ctx context.Context, pk sr25519.PublicKey) error {
	return r.lose(ctx, pk, wire.WorkerSuspended)
}

// Expire ends a worker's registration.
func (r *Registry) Expire(ctx context.Context, pk sr25519.PublicKey) error {
	return r.lose(ctx, pk, wire.WorkerExpired)
}

func (r *Registry) lose(ctx context.Context, pk sr25519.PublicKey, status wire.WorkerStatus) error {
	w, _, err := r.Worker(ctx, pk)
	if err != nil {
		return err
	}
	was := w.Status
	w.Status = status
	if err := r.Put(ctx, &w); err != nil || r.Hooks == nil || was != wire.WorkerActive {
		return err
	}
	return r.Hooks.WorkerLost(ctx, &w)
}

func (r *Registry) registered(ctx context.Context, w *wire.WorkerState) error {
	if r.Hooks == nil {
		return nil
	}
	return r.Hooks.WorkerRegistered(ctx, w)
}

func (r *Registry) change(ctx context.Context, pk sr25519.PublicKey, f func(*wire.WorkerState)) error {
	w, found, err := r.Worker(ctx, pk)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("no such worker")
	}
	f(&w)
	return r.Put(ctx, &w)
}

// Bank holds coins of one denomination.
type Bank struct {
	Blocked map[string]bool // by the bytes of an address

	store storeService
}

// ErrFunds says that an account has too little.
var ErrFunds = errors.New("insufficient funds")

// Mint makes coins out of nothing.
func (b *Bank) Mint(ctx context.Context, to sdk.AccAddress, amount int64) error {
	return b.set(ctx, to, b.balance(ctx, to).AddRaw(amount))
}

// GetBalance returns what an account has.
func (b *Bank) GetBalance(ctx context.Context, account sdk.AccAddress, denom string) sdk.Coin {
	return sdk.NewCoin(denom, b.balance(ctx, account))
}

// SendCoinsFromAccountToModule moves coins.
func (b *Bank) SendCoinsFromAccountToModule(
	ctx context.Context, from sdk.AccAddress, to string, amount sdk.Coins,
) error {
	return b.move(ctx, from, authtypes.NewModuleAddress(to), amount)
}

// SendCoinsFromModuleToAccount moves coins, unless the account is blocked.
func (b *Bank) SendCoinsFromModuleToAccount(
	ctx context.Context, from string, to sdk.AccAddress, amount sdk.Coins,
) error {
	if b.Blocked[string(to)] {
		return errors.New("account is blocked")
	}
	return b.move(ctx, authtypes.NewModuleAddress(from), to, amount)
}

func (b *Bank) move(ctx context.Context, from, to sdk.AccAddress, amount sdk.Coins) error {
	n := amount.AmountOf(registrytypes.Denom)
	left := b.balance(ctx, from).Sub(n)
	if left.IsNegative() {
		return ErrFunds
	}
	if err := b.set(ctx, from, left); err != nil {
		return err
	}
	return b.set(ctx, to, b.balance(ctx, to).Add(n))
}

func (b *Bank) balance(ctx context.Context, account sdk.AccAddress) math.Int {
	raw, err := b.store.OpenKVStore(ctx).Get(account)
	if err != nil {
		panic(err)
	}
	if raw == nil {
		return math.ZeroInt()
	}
	var n math.Int
	if err := n.Unmarshal(raw); err != nil {
		panic(err)
	}
	return n
}

func (b *Bank) set(ctx context.Context, account sdk.AccAddress, n math.Int) error {
	raw, err := n.Marshal()
	if err != nil {
		return err
	}
	return b.store.OpenKVStore(ctx).Set(account, raw)
}
