package keeper

import (
	"context"
	"fmt"
	"strings"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// shape is what an entry of the store looks like: how long the rest of its key is, and a record to decode its value
// with, nil where the value is the one byte 1.
type shape struct {
	rest   int
	record func() scale.Record
}

// shapes has every prefix that the module writes.
var shapes = map[string]shape{
	"cluster/":      {32, func() scale.Record { return new(wire.Cluster) }},
	"finalized/":    {40, func() scale.Record { return new(wire.Finalized) }},
	"contract/":     {32, func() scale.Record { return new(wire.ContractRecord) }},
	prefixPending:   {32, func() scale.Record { return new(pending) }},
	prefixMark:      {40, func() scale.Record { return new(markRecord) }},
	prefixReport:    {72, func() scale.Record { return new(wire.Hash) }},
	prefixMiss:      {64, func() scale.Record { return new(counter) }},
	prefixKeyVote:   {64, func() scale.Record { return new(wire.KeyFixed) }},
	prefixFixes:     {32, func() scale.Record { return new(fixes) }},
	prefixVote:      {96, func() scale.Record { return new(contractVote) }},
	prefixVoteCount: {64, func() scale.Record { return new(counter) }},
	prefixListing:   {64, nil},
	prefixHeld:      {40, func() scale.Record { return new(wire.Withdrawal) }},
	prefixDue:       {49, nil},
}

// CheckGenesis says whether a genesis state holds only records that the module could have written.
func CheckGenesis(g *types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	for i, r := range g.Records {
		if err := checkRecord(string(r.Key), r.Value); err != nil {
			return fmt.Errorf("cluster genesis: record %d: %w", i, err)
		}
	}
	return nil
}

func checkRecord(key string, value []byte) error {
	if key == keyCount {
		return scale.Unmarshal(value, new(counter))
	}
	prefix, rest, _ := strings.Cut(key, "/")
	s, known := shapes[prefix+"/"]
	if !known || len(rest) != s.rest {
		return errorsmod.Wrapf(types.ErrCorrupt, "key %x", key)
	}
	if s.record != nil {
		return scale.Unmarshal(value, s.record())
	}
	if string(value) != "\x01" {
		return errorsmod.Wrapf(types.ErrCorrupt, "value of key %x", key)
	}
	return nil
}

// InitGenesis writes the records of a genesis state and checks that the bank holds what the clusters are owed.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := CheckGenesis(g); err != nil {
		return err
	}
	store := k.store.OpenKVStore(ctx)
	for _, r := range g.Records {
		if err := store.Set(r.Key, r.Value); err != nil {
			return err
		}
	}
	surplus, err := k.EscrowSurplus(ctx)
	if err != nil {
		return err
	}
	if surplus.IsNegative() {
		return errorsmod.Wrapf(types.ErrCorrupt, "the escrow lacks %s of what clusters are owed", surplus.Neg())
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
