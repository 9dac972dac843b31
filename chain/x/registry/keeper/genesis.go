package keeper

import (
	"context"
	"errors"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// InitGenesis writes the state that a chain begins with. Workers of an exported chain are attested for that chain's
// uid, so the active among them count as expired until they register with this one.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	network := g.Params.Network.Wire()
	network.Delay = g.Params.Delay
	if err := k.save(ctx, wire.KeyNetworkParams().Key, &network); err != nil {
		return err
	}
	trust, err := types.ParseTrust(g.Params.Policy, g.Params.Roots, g.Params.GatekeeperConfidence, network.Simulated)
	if err != nil {
		return err
	}
	if err := k.save(ctx, keyTrust, &trust); err != nil {
		return err
	}
	if err := k.setPrograms(ctx, &trust.Policy, 0, 0); err != nil {
		return err
	}
	if err := k.save(ctx, keySettings, &settings{Authority: g.Params.Authority, Delay: g.Params.Delay}); err != nil {
		return err
	}
	for _, raw := range g.Workers {
		if err := k.initWorker(ctx, raw); err != nil {
			return err
		}
	}
	return k.initRest(ctx, g)
}

func (k *Keeper) initWorker(ctx context.Context, raw []byte) error {
	var w wire.WorkerState
	if err := scale.Unmarshal(raw, &w); err != nil {
		return err
	}
	if w.Status == wire.WorkerActive {
		w.Status = wire.WorkerExpired
	}
	if err := k.store.OpenKVStore(ctx).Set(operatorKey(w.Operator, w.Identity), []byte{1}); err != nil {
		return err
	}
	return k.saveWorker(ctx, &w)
}

func (k *Keeper) initRest(ctx context.Context, g *types.GenesisState) error {
	store := k.store.OpenKVStore(ctx)
	for _, s := range g.Superseded {
		key := append(append([]byte(prefixIncarnation), s.Identity...), s.Incarnation...)
		if err := store.Set(key, []byte{1}); err != nil {
			return err
		}
	}
	for _, raw := range g.Heirs {
		var h types.Heir
		if err := scale.Unmarshal(raw, &h); err != nil {
			return err
		}
		if err := k.save(ctx, heirKey(h.Identity), &h); err != nil {
			return err
		}
	}
	if len(g.Gatekeepers) > 0 {
		if err := store.Set([]byte(wire.KeyGatekeepers().Key), g.Gatekeepers); err != nil {
			return err
		}
	}
	if len(g.MasterKey) > 0 {
		return store.Set([]byte(wire.KeyMasterKey().Key), g.MasterKey)
	}
	return nil
}

// ExportGenesis reads the state for a chain that goes on from it. What is decided but not in force is not exported:
// it must be decided anew.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	g := &types.GenesisState{Params: params}
	err = k.each(ctx, prefixWorker, func(_, raw []byte) { g.Workers = append(g.Workers, raw) })
	if err != nil {
		return nil, err
	}
	err = k.each(ctx, prefixIncarnation, func(key, _ []byte) {
		g.Superseded = append(g.Superseded, types.Superseded{
			Identity: key[:sr25519.PublicKeySize], Incarnation: key[sr25519.PublicKeySize:],
		})
	})
	if err != nil {
		return nil, err
	}
	if err = k.each(ctx, prefixHeir, func(_, raw []byte) { g.Heirs = append(g.Heirs, raw) }); err != nil {
		return nil, err
	}
	store := k.store.OpenKVStore(ctx)
	if g.Gatekeepers, err = store.Get([]byte(wire.KeyGatekeepers().Key)); err != nil {
		return nil, err
	}
	g.MasterKey, err = store.Get([]byte(wire.KeyMasterKey().Key))
	return g, err
}

// each calls f with copies of every entry under a prefix, in the order of the keys, which are given without it.
func (k *Keeper) each(ctx context.Context, prefix string, f func(key, value []byte)) (err error) {
	end := []byte(prefix)
	end[len(end)-1]++
	it, err := k.store.OpenKVStore(ctx).Iterator([]byte(prefix), end)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ; it.Valid(); it.Next() {
		f(append([]byte(nil), it.Key()[len(prefix):]...), append([]byte(nil), it.Value()...))
	}
	return nil
}
