package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// reportContract takes a member's word that a command instantiated a contract, and registers the contract when a quorum
// of the active members says the same. A member's first word on a contract stands.
func (k *Keeper) reportContract(ctx context.Context, from sr25519.PublicKey, r *wire.ContractReport) error {
	c, err := k.Cluster(ctx, r.Cluster)
	if err != nil {
		return err
	}
	if _, member := c.Member(from); !member {
		return errorsmod.Wrap(types.ErrNotMember, from.String())
	}
	head, err := k.queue.Head(ctx, wire.ClusterTopic(c.ID))
	if err != nil {
		return err
	}
	if r.Index >= head.Count {
		return errorsmod.Wrapf(types.ErrMalformed, "index %d of a topic of %d", r.Index, head.Count)
	}
	said := contractVote{r.CodeHash, r.Index}
	var known wire.ContractRecord
	registered, err := k.load(ctx, wire.KeyContract(r.Contract).Key, &known)
	if err != nil {
		return err
	}
	if registered {
		if known.Cluster != c.ID || known.CodeHash != said.code || known.Index != said.index {
			return errorsmod.Wrapf(types.ErrConflict, "contract %s is registered otherwise", r.Contract)
		}
		return nil
	}
	fresh, err := k.voteContract(ctx, c.ID, r.Contract, from, said)
	if err != nil || !fresh {
		return err
	}
	electors, err := k.electors(ctx, c)
	if err != nil {
		return err
	}
	_, err = k.tryContract(ctx, c.ID, r.Contract, electors)
	return err
}

// voteContract stores a member's word. It returns false for one that it has given before.
func (k *Keeper) voteContract(
	ctx context.Context, id wire.ClusterID, contract wire.ContractID, from sr25519.PublicKey, said contractVote,
) (bool, error) {
	var before contractVote
	key := voteKey(id, contract, from)
	voted, err := k.load(ctx, key, &before)
	if err != nil {
		return false, err
	}
	if voted && before != said {
		return false, errorsmod.Wrapf(types.ErrConflict, "contract %s was reported otherwise", contract)
	}
	if voted {
		return false, nil
	}
	var waiting counter
	count := memberKey(prefixVoteCount, id, from)
	if _, err := k.load(ctx, count, &waiting); err != nil {
		return false, err
	}
	if waiting.n >= types.MaxContractVotes {
		return false, errorsmod.Wrapf(types.ErrTooMany, "%d contracts", waiting.n)
	}
	waiting.n++
	if err := k.save(ctx, count, &waiting); err != nil {
		return false, err
	}
	return true, k.save(ctx, key, &said)
}

// ballot is all that was said of one contract, in the order of the members' keys.
type ballot struct {
	contract wire.ContractID
	from     []sr25519.PublicKey
	said     []contractVote
}

// winner returns what a quorum of the electors who vote has said alike.
func (b *ballot) winner(electors []elector) (contractVote, bool) {
	voting := make(map[sr25519.PublicKey]bool, len(electors))
	for _, e := range electors {
		if e.voting {
			voting[e.identity] = true
		}
	}
	if len(voting) == 0 {
		return contractVote{}, false
	}
	tally := make(map[contractVote]int)
	for i, pk := range b.from {
		if !voting[pk] {
			continue
		}
		tally[b.said[i]]++
		if tally[b.said[i]] >= wire.Quorum(len(voting)) {
			return b.said[i], true
		}
	}
	return contractVote{}, false
}

// tryContract registers a contract if a quorum of the electors has said the same of it.
func (k *Keeper) tryContract(
	ctx context.Context, id wire.ClusterID, contract wire.ContractID, electors []elector,
) (bool, error) {
	b := &ballot{contract: contract}
	prefix := clusterKey(prefixVote, id) + string(contract[:])
	err := k.ascend(ctx, prefix, func(rest string, value []byte) (bool, error) {
		return true, b.add(rest, value)
	})
	if err != nil {
		return false, err
	}
	said, won := b.winner(electors)
	if !won {
		return false, nil
	}
	return true, k.registerContract(ctx, id, b, said)
}

func (k *Keeper) registerContract(ctx context.Context, id wire.ClusterID, b *ballot, said contractVote) error {
	record := wire.ContractRecord{Cluster: id, CodeHash: said.code, Index: said.index, Height: height(ctx)}
	if err := k.save(ctx, wire.KeyContract(b.contract).Key, &record); err != nil {
		return err
	}
	listing := []byte(listingKey(id, b.contract))
	if err := k.store.OpenKVStore(ctx).Set(listing, []byte{1}); err != nil {
		return err
	}
	if err := k.dropBallot(ctx, id, b); err != nil {
		return err
	}
	return emit(ctx, &types.EventContract{
		Cluster: id.String(), Contract: b.contract.String(), CodeHash: said.code.String(), Index: said.index,
	})
}

// dropBallot deletes what was said of a contract.
func (k *Keeper) dropBallot(ctx context.Context, id wire.ClusterID, b *ballot) error {
	for _, pk := range b.from {
		if err := k.delete(ctx, voteKey(id, b.contract, pk)); err != nil {
			return err
		}
		var waiting counter
		count := memberKey(prefixVoteCount, id, pk)
		if _, err := k.load(ctx, count, &waiting); err != nil {
			return err
		}
		if waiting.n <= 1 {
			if err := k.delete(ctx, count); err != nil {
				return err
			}
			continue
		}
		waiting.n--
		if err := k.save(ctx, count, &waiting); err != nil {
			return err
		}
	}
	return nil
}
