package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// add takes an entry of the votes on b's contract: the member's key and what it said.
func (b *ballot) add(identity string, value []byte) error {
	pk, err := sr25519.ParsePublicKey([]byte(identity))
	if err != nil {
		return errorsmod.Wrapf(types.ErrCorrupt, "vote of %x: %v", identity, err)
	}
	var said contractVote
	if err := scale.Unmarshal(value, &said); err != nil {
		return errorsmod.Wrapf(types.ErrCorrupt, "vote of %x: %v", identity, err)
	}
	b.from = append(b.from, pk)
	b.said = append(b.said, said)
	return nil
}

// settleContracts judges, when a mark is finalized, the reports of contracts that the mark covers. Members report a
// contract before the mark that follows it, so whoever has finalized the mark has reported every true contract below
// it, and their quorum decides even where the membership has grown since. What no quorum has confirmed by the next
// finalized mark is dropped: dropBelow is the count of the previous one.
func (k *Keeper) settleContracts(
	ctx context.Context, id wire.ClusterID, electors []elector, covered, dropBelow uint64,
) error {
	ballots, err := k.ballots(ctx, id)
	if err != nil {
		return err
	}
	for _, b := range ballots {
		if err := k.settle(ctx, id, b, electors, covered, dropBelow); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) settle(
	ctx context.Context, id wire.ClusterID, b *ballot, electors []elector, covered, dropBelow uint64,
) error {
	if said, won := b.winner(electors); won && said.index < covered {
		registered, err := k.store.OpenKVStore(ctx).Has([]byte(wire.KeyContract(b.contract).Key))
		if err != nil {
			return err
		}
		if !registered {
			return k.registerContract(ctx, id, b, said)
		}
		return k.dropBallot(ctx, id, b)
	}
	for _, said := range b.said {
		if said.index >= dropBelow {
			return nil
		}
	}
	return k.dropBallot(ctx, id, b)
}

// ballots returns the first pending reports of contracts of a cluster, grouped by contract, a bounded number of them.
func (k *Keeper) ballots(ctx context.Context, id wire.ClusterID) ([]*ballot, error) {
	var out []*ballot
	seen := 0
	err := k.ascend(ctx, clusterKey(prefixVote, id), func(rest string, value []byte) (bool, error) {
		if len(rest) != 64 {
			return false, errorsmod.Wrapf(types.ErrCorrupt, "vote %x", rest)
		}
		contract := wire.ContractID([]byte(rest[:32]))
		last := len(out) - 1
		if last < 0 || out[last].contract != contract {
			if seen >= types.SettleBudget {
				return false, nil
			}
			out = append(out, &ballot{contract: contract})
			last++
		}
		seen++
		return true, out[last].add(rest[32:], value)
	})
	return out, err
}
