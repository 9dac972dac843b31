// Package keeper is the state machine of x/registry: who is a worker or gatekeeper, with which keys, and since when.
//
// Make a Keeper with [NewKeeper] and give it the modules that care with [Keeper.SetHooks]. Accounts reach it through
// the Msg server ([NewMsgServer]), enclaves through x/mq, which calls [Keeper.HandleAct] with acts whose signature and
// place it has checked. [Keeper.BeginBlock] must run before every other module's.
//
// The records that are proven are wire's, under wire's keys; the module's own keys are in keys.go. Evidence is judged by
// tee with the policy and roots in the state and the block's time: nothing is fetched, nothing depends on the node.
package keeper

import (
	"context"

	corestore "cosmossdk.io/core/store"
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// Keeper is the state machine of x/registry.
type Keeper struct {
	store     corestore.KVStoreService
	verifiers tee.Verifiers
	authority string
	hooks     types.Hooks
	topics    types.Topics
}

// NewKeeper returns a keeper over its store that believes evidence as verifiers judge it. The authority is the address
// of governance.
func NewKeeper(store corestore.KVStoreService, verifiers tee.Verifiers, authority string) *Keeper {
	return &Keeper{store: store, verifiers: verifiers, authority: authority}
}

// SetHooks names what runs when a worker's standing changes. It is called once, before the first block.
func (k *Keeper) SetHooks(h types.Hooks) { k.hooks = h }

// SetTopics names the queue. It is called once, before the first block.
func (k *Keeper) SetTopics(t types.Topics) { k.topics = t }

// load reads the record under a key; it reports false where there is none.
func (k *Keeper) load(ctx context.Context, key string, r scale.Record) (bool, error) {
	raw, err := k.store.OpenKVStore(ctx).Get([]byte(key))
	if err != nil || raw == nil {
		return false, err
	}
	if err := scale.Unmarshal(raw, r); err != nil {
		return false, errorsmod.Wrapf(err, "stored record %x", key)
	}
	return true, nil
}

func (k *Keeper) save(ctx context.Context, key string, r scale.Record) error {
	raw, err := scale.Marshal(r)
	if err != nil {
		return errorsmod.Wrapf(err, "record %x", key)
	}
	return k.store.OpenKVStore(ctx).Set([]byte(key), raw)
}

func (k *Keeper) emit(ctx context.Context, event proto.Message) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event)
}

// height returns the height of the block that is being executed.
func height(ctx context.Context) uint64 { return uint64(sdk.UnwrapSDKContext(ctx).BlockHeight()) }

// ChainUID returns the chain's uid. It returns ErrNoUID before the first block.
func (k *Keeper) ChainUID(ctx context.Context) (wire.ChainUID, error) {
	var uid wire.ChainUID
	found, err := k.load(ctx, wire.KeyChainUID().Key, &uid)
	if err == nil && !found {
		err = types.ErrNoUID
	}
	return uid, err
}

// NetworkParams returns the rules that enclaves and clients act on.
func (k *Keeper) NetworkParams(ctx context.Context) (wire.NetworkParams, error) {
	var p wire.NetworkParams
	found, err := k.load(ctx, wire.KeyNetworkParams().Key, &p)
	if err == nil && !found {
		err = errorsmod.Wrap(types.ErrParams, "none are set")
	}
	return p, err
}

// Trust returns the policy, roots and gatekeepers' level in force.
func (k *Keeper) Trust(ctx context.Context) (types.Trust, error) {
	var t types.Trust
	found, err := k.load(ctx, keyTrust, &t)
	if err == nil && !found {
		err = errorsmod.Wrap(types.ErrParams, "no policy is set")
	}
	return t, err
}

// Worker returns a worker's or gatekeeper's record; it reports false where the identity was never registered.
func (k *Keeper) Worker(ctx context.Context, pk sr25519.PublicKey) (w wire.WorkerState, found bool, err error) {
	found, err = k.load(ctx, wire.KeyWorker(pk).Key, &w)
	return w, found, err
}

// worker is Worker with ErrNoWorker where there is none.
func (k *Keeper) worker(ctx context.Context, pk sr25519.PublicKey) (wire.WorkerState, error) {
	w, found, err := k.Worker(ctx, pk)
	if err == nil && !found {
		err = errorsmod.Wrap(types.ErrNoWorker, pk.String())
	}
	return w, err
}

func (k *Keeper) saveWorker(ctx context.Context, w *wire.WorkerState) error {
	return k.save(ctx, wire.KeyWorker(w.Identity).Key, w)
}

// Gatekeepers returns the list in force; the zero value until one is named.
func (k *Keeper) Gatekeepers(ctx context.Context) (wire.Gatekeepers, error) {
	var g wire.Gatekeepers
	_, err := k.load(ctx, wire.KeyGatekeepers().Key, &g)
	return g, err
}

// MasterKey returns the public MasterKey; it reports false until one is announced.
func (k *Keeper) MasterKey(ctx context.Context) (m wire.MasterKeyRecord, found bool, err error) {
	found, err = k.load(ctx, wire.KeyMasterKey().Key, &m)
	return m, found, err
}

// Authority returns the address of governance; see [Keeper.IsAuthority] for who else may do what it may.
func (k *Keeper) Authority() string { return k.authority }

// IsAuthority reports whether an address is governance's, or the account that a simulated network's genesis names.
func (k *Keeper) IsAuthority(ctx context.Context, address string) (bool, error) {
	if address == "" || address == k.authority {
		return address != "", nil
	}
	var s settings
	if _, err := k.load(ctx, keySettings, &s); err != nil {
		return false, err
	}
	return address == s.Authority, nil
}

// Params returns every parameter.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) {
	network, err := k.NetworkParams(ctx)
	if err != nil {
		return types.Params{}, err
	}
	trust, err := k.Trust(ctx)
	if err != nil {
		return types.Params{}, err
	}
	var s settings
	if _, err := k.load(ctx, keySettings, &s); err != nil {
		return types.Params{}, err
	}
	return types.Params{
		Network:              types.NetworkParamsFrom(network),
		Policy:               scale.MustMarshal(&trust.Policy),
		Roots:                scale.MustMarshal(&trust.Roots),
		GatekeeperConfidence: uint32(trust.GatekeeperConfidence),
		Authority:            s.Authority,
		Delay:                s.Delay,
	}, nil
}
