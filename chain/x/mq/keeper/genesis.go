package keeper

import (
	"context"

	"github.com/phalanx-network/phalanx/chain/x/mq/types"
)

// InitGenesis writes the records of a genesis state that Validate has passed.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	store := k.store.OpenKVStore(ctx)
	for _, r := range g.Records {
		if err := store.Set(r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis returns every record of the store, in the order of their keys.
func (k *Keeper) ExportGenesis(ctx context.Context) (_ *types.GenesisState, err error) {
	it, err := k.store.OpenKVStore(ctx).Iterator(nil, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	g := &types.GenesisState{}
	for ; it.Valid(); it.Next() {
		g.Records = append(g.Records, types.GenesisRecord{Key: it.Key(), Value: it.Value()})
	}
	return g, nil
}
