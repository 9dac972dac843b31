package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// postKeyEpoch tells the topic of the key epoch that has started.
func (k *Keeper) postKeyEpoch(ctx context.Context, c *wire.Cluster) error {
	body := wire.Body{Kind: wire.BodyKeyEpoch, KeyEpoch: &wire.KeyEpoch{Epoch: c.KeyEpoch}}
	if _, err := k.post(ctx, c.ID, &body); err != nil {
		return err
	}
	return emit(ctx, &types.EventKeyEpoch{Cluster: c.ID.String(), Epoch: c.KeyEpoch})
}

// reportKey takes a member's word on the cluster's public key of the key epoch that is awaited, and fixes the key when
// a quorum of the active members says the same. A member's first word on an epoch stands.
func (k *Keeper) reportKey(ctx context.Context, from sr25519.PublicKey, r *wire.KeyReport) error {
	c, err := k.Cluster(ctx, r.Cluster)
	if err != nil {
		return err
	}
	if _, member := c.Member(from); !member {
		return errorsmod.Wrap(types.ErrNotMember, from.String())
	}
	said := wire.KeyFixed{Epoch: r.Epoch, Key: r.Key}
	if c.Fixed != nil && c.Fixed.Epoch == r.Epoch {
		return agree(c.Fixed.KeyFixed, said)
	}
	if r.Epoch != c.KeyEpoch {
		return errorsmod.Wrapf(types.ErrStale, "key epoch %d, %d is awaited", r.Epoch, c.KeyEpoch)
	}
	var before wire.KeyFixed
	key := memberKey(prefixKeyVote, c.ID, from)
	voted, err := k.load(ctx, key, &before)
	if err != nil {
		return err
	}
	if voted && before.Epoch == r.Epoch {
		return agree(before, said)
	}
	if err := k.save(ctx, key, &said); err != nil {
		return err
	}
	if err := k.heardFrom(ctx, c.ID, from); err != nil {
		return err
	}
	reached, err := k.keyQuorum(ctx, c, said)
	if err != nil || !reached {
		return err
	}
	return k.fixKey(ctx, c, said)
}

func agree(held, said wire.KeyFixed) error {
	if held != said {
		return errorsmod.Wrapf(types.ErrConflict, "the key of epoch %d is %s", held.Epoch, held.Key)
	}
	return nil
}

// keyQuorum reports whether a quorum of the active members has said the same.
func (k *Keeper) keyQuorum(ctx context.Context, c *wire.Cluster, said wire.KeyFixed) (bool, error) {
	voters, alike := 0, 0
	for _, m := range c.Members {
		active, err := k.active(ctx, m.Identity)
		if err != nil {
			return false, err
		}
		if !active {
			continue
		}
		voters++
		var vote wire.KeyFixed
		voted, err := k.load(ctx, memberKey(prefixKeyVote, c.ID, m.Identity), &vote)
		if err != nil {
			return false, err
		}
		if voted && vote == said {
			alike++
		}
	}
	return voters > 0 && alike >= wire.Quorum(voters), nil
}

func (k *Keeper) fixKey(ctx context.Context, c *wire.Cluster, key wire.KeyFixed) error {
	c.Fixed = &wire.FixedKey{KeyFixed: key, Height: height(ctx)}
	if err := k.saveCluster(ctx, c); err != nil {
		return err
	}
	var all fixes
	if _, err := k.load(ctx, clusterKey(prefixFixes, c.ID), &all); err != nil {
		return err
	}
	all.add(fix{key.Epoch, height(ctx)})
	if err := k.save(ctx, clusterKey(prefixFixes, c.ID), &all); err != nil {
		return err
	}
	if _, err := k.post(ctx, c.ID, &wire.Body{Kind: wire.BodyKeyFixed, KeyFixed: &key}); err != nil {
		return err
	}
	if err := k.forceMark(ctx, c.ID, false); err != nil {
		return err
	}
	return emit(ctx, &types.EventKeyFixed{Cluster: c.ID.String(), Epoch: key.Epoch, Key: key.Key.String()})
}

// scheduleKeyCheck asks for the next look at who has not reported a cluster's first key.
func (k *Keeper) scheduleKeyCheck(ctx context.Context, id wire.ClusterID) error {
	params, err := k.registry.NetworkParams(ctx)
	if err != nil {
		return err
	}
	// At least one block ahead: an entry for this height could be carried out in this very block, and again.
	next := later(height(ctx), max(params.MarkInterval, 1))
	return k.schedule(ctx, duty{height: next, task: taskKeyCheck, cluster: id})
}

// checkKeyReports counts, until the first key is fixed, a miss for each member that has not reported it while another
// has.
func (k *Keeper) checkKeyReports(ctx context.Context, c *wire.Cluster) error {
	if c.Fixed != nil {
		return nil
	}
	if err := k.scheduleKeyCheck(ctx, c.ID); err != nil {
		return err
	}
	return k.countMisses(ctx, c, func(pk sr25519.PublicKey) (reported, asked bool, err error) {
		var vote wire.KeyFixed
		voted, err := k.load(ctx, memberKey(prefixKeyVote, c.ID, pk), &vote)
		return voted && vote.Epoch == c.KeyEpoch, true, err
	})
}
