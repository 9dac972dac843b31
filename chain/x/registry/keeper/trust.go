package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/wire"
)

// DecideTrust decides a new policy, roots and level of gatekeepers, in force after the delay that the parameters set,
// and returns from which height on. A later decision replaces one that is not in force yet.
func (k *Keeper) DecideTrust(ctx context.Context, policy, roots []byte, gatekeepers uint32) (uint64, error) {
	network, err := k.NetworkParams(ctx)
	if err != nil {
		return 0, err
	}
	trust, err := types.ParseTrust(policy, roots, gatekeepers, network.Simulated)
	if err != nil {
		return 0, err
	}
	var s settings
	if _, err := k.load(ctx, keySettings, &s); err != nil {
		return 0, err
	}
	p := pendingTrust{Since: height(ctx) + s.Delay, Decided: height(ctx), Trust: trust}
	if err := k.save(ctx, keyPendingTrust, &p); err != nil {
		return 0, err
	}
	if err := k.emit(ctx, &types.EventPolicy{Since: p.Since}); err != nil {
		return 0, err
	}
	return p.Since, k.activateTrust(ctx, height(ctx))
}

func (k *Keeper) activateTrust(ctx context.Context, now uint64) error {
	var p pendingTrust
	found, err := k.load(ctx, keyPendingTrust, &p)
	if err != nil || !found || p.Since > now {
		return err
	}
	if err := k.save(ctx, keyTrust, &p.Trust); err != nil {
		return err
	}
	if err := k.setPrograms(ctx, &p.Trust.Policy, p.Decided, p.Since); err != nil {
		return err
	}
	return k.store.OpenKVStore(ctx).Delete([]byte(keyPendingTrust))
}

// SetNetworkParams replaces the network's parameters at once. A network that accepts no simulated evidence never will.
func (k *Keeper) SetNetworkParams(ctx context.Context, p types.NetworkParams) error {
	if err := p.Validate(); err != nil {
		return err
	}
	old, err := k.NetworkParams(ctx)
	if err != nil {
		return err
	}
	if p.Simulated != old.Simulated {
		return errorsmod.Wrap(types.ErrParams, "whether the network is simulated is decided at genesis")
	}
	record := p.Wire()
	record.Delay = old.Delay
	return k.save(ctx, wire.KeyNetworkParams().Key, &record)
}
