package keeper

import (
	"context"
	"slices"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Why members were removed, as EventMembers says it.
const (
	reasonRequest = "request"
	reasonMissed  = "missed"
)

// create makes a cluster of workers that may join.
func (k *Keeper) create(
	ctx context.Context, creator wire.Account, members []sr25519.PublicKey,
) (wire.ClusterID, error) {
	uid, err := k.registry.ChainUID(ctx)
	if err != nil {
		return wire.ClusterID{}, err
	}
	var made counter
	if _, err := k.load(ctx, keyCount, &made); err != nil {
		return wire.ClusterID{}, err
	}
	c := wire.Cluster{ID: wire.NewClusterID(uid, creator, made.n), Creator: creator, CreatedAt: height(ctx)}
	made.n++
	if err := k.save(ctx, keyCount, &made); err != nil {
		return c.ID, err
	}
	version := wire.ClusterParams{ExecutionVersion: types.ExecutionVersion}
	if _, err := k.post(ctx, c.ID, &wire.Body{Kind: wire.BodyParams, Params: &version}); err != nil {
		return c.ID, err
	}
	address, err := accountText(creator)
	if err != nil {
		return c.ID, err
	}
	if err := emit(ctx, &types.EventClusterCreated{Cluster: c.ID.String(), Creator: address}); err != nil {
		return c.ID, err
	}
	if err := k.changeMembers(ctx, &c, members, nil, reasonRequest); err != nil {
		return c.ID, err
	}
	if err := k.postKeyEpoch(ctx, &c); err != nil {
		return c.ID, err
	}
	return c.ID, k.scheduleKeyCheck(ctx, c.ID)
}

// changeMembers adds and removes members, tells the topic and the registry, and saves the cluster. A removal starts a
// new key epoch; an addition after the first fix asks for a mark at once, from which the joiner can start.
func (k *Keeper) changeMembers(
	ctx context.Context, c *wire.Cluster, add, remove []sr25519.PublicKey, reason string,
) error {
	for _, pk := range remove {
		if err := k.leave(ctx, c, pk); err != nil {
			return err
		}
	}
	if err := k.join(ctx, c, add); err != nil {
		return err
	}
	if len(c.Members) == 0 {
		return types.ErrLastMember
	}
	if len(remove) > 0 {
		c.KeyEpoch++
	}
	if err := k.saveCluster(ctx, c); err != nil {
		return err
	}
	members := wire.Members{Members: c.Members}
	if _, err := k.post(ctx, c.ID, &wire.Body{Kind: wire.BodyMembers, Members: &members}); err != nil {
		return err
	}
	if len(remove) > 0 {
		if err := k.postKeyEpoch(ctx, c); err != nil {
			return err
		}
	}
	if err := k.forceMark(ctx, c.ID, len(add) > 0); err != nil {
		return err
	}
	event := &types.EventMembers{
		Cluster: c.ID.String(), Added: keyTexts(add), Removed: keyTexts(remove), Reason: reason,
	}
	return emit(ctx, event)
}

// leave takes a member out of the record and forgets what it has not brought to an end.
func (k *Keeper) leave(ctx context.Context, c *wire.Cluster, pk sr25519.PublicKey) error {
	i := slices.IndexFunc(c.Members, func(m wire.Member) bool { return m.Identity == pk })
	if i < 0 {
		return errorsmod.Wrap(types.ErrNotMember, pk.String())
	}
	c.Members = slices.Delete(c.Members, i, i+1)
	if err := k.heardFrom(ctx, c.ID, pk); err != nil {
		return err
	}
	if err := k.delete(ctx, memberKey(prefixKeyVote, c.ID, pk)); err != nil {
		return err
	}
	return k.registry.LeaveCluster(ctx, pk, c.ID)
}

// sinceEpoch returns the oldest key epoch that a joiner may have. It starts from the last finalized root, so it needs
// the root's epoch, and every older one to which a message behind that mark may still be encrypted: without it, it
// could never execute what the others have.
func (k *Keeper) sinceEpoch(ctx context.Context, c *wire.Cluster) (uint32, error) {
	if c.Finalized == nil {
		return 0, nil
	}
	var mark markRecord
	if _, err := k.load(ctx, numberKey(prefixMark, c.ID, c.Finalized.Mark), &mark); err != nil {
		return 0, err
	}
	var all fixes
	if _, err := k.load(ctx, clusterKey(prefixFixes, c.ID), &all); err != nil {
		return 0, err
	}
	since := c.Finalized.KeyEpoch
	if epoch, some := all.accepted(mark.height); some {
		since = min(since, epoch)
	}
	return since, nil
}

// join adds workers that may be members.
func (k *Keeper) join(ctx context.Context, c *wire.Cluster, add []sr25519.PublicKey) error {
	gatekeepers, err := k.registry.Gatekeepers(ctx)
	if err != nil {
		return err
	}
	since, err := k.sinceEpoch(ctx, c)
	if err != nil {
		return err
	}
	for _, pk := range add {
		if gatekeepers.Has(pk) {
			return errorsmod.Wrapf(types.ErrWorker, "%s is a gatekeeper", pk)
		}
		if _, member := c.Member(pk); member {
			return errorsmod.Wrapf(types.ErrWorker, "%s is a member already", pk)
		}
		if err := k.mayJoin(ctx, pk); err != nil {
			return err
		}
		if len(c.Members) == wire.MaxMembers {
			return errorsmod.Wrapf(types.ErrMalformed, "more than %d members", wire.MaxMembers)
		}
		c.Members = append(c.Members, wire.Member{Identity: pk, SinceEpoch: since})
		if err := k.registry.JoinCluster(ctx, pk, c.ID); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) mayJoin(ctx context.Context, pk sr25519.PublicKey) error {
	w, registered, err := k.registry.Worker(ctx, pk)
	switch {
	case err != nil:
		return err
	case !registered:
		return errorsmod.Wrapf(types.ErrWorker, "%s is not registered", pk)
	case w.Status != wire.WorkerActive:
		return errorsmod.Wrapf(types.ErrWorker, "%s is %s", pk, w.Status)
	case len(w.Clusters) >= wire.MaxWorkerClusters:
		return errorsmod.Wrapf(types.ErrWorker, "%s is in %d clusters", pk, len(w.Clusters))
	}
	return nil
}

// WorkerLost is the registry's hook for a worker that was active and has expired or was suspended: each of its clusters
// starts a new key epoch.
func (k *Keeper) WorkerLost(ctx context.Context, w *wire.WorkerState) error {
	for _, id := range w.Clusters {
		c, err := k.Cluster(ctx, id)
		if err != nil {
			return err
		}
		c.KeyEpoch++
		if err := k.saveCluster(ctx, c); err != nil {
			return err
		}
		if err := k.postKeyEpoch(ctx, c); err != nil {
			return err
		}
		if err := k.touch(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// WorkerRegistered is the registry's hook for a worker that has registered, for the first time or afresh, and is
// active. Its misses are forgotten, and each of its clusters gets a mark in which its vote counts: one may be awaited,
// and a worker that has started anew holds the state of no earlier mark, which another that lost its disk would ask for.
func (k *Keeper) WorkerRegistered(ctx context.Context, w *wire.WorkerState) error {
	for _, id := range w.Clusters {
		if err := k.heardFrom(ctx, id, w.Identity); err != nil {
			return err
		}
		if err := k.forceMark(ctx, id, false); err != nil {
			return err
		}
	}
	return nil
}

// suspend takes a worker's right to act, for what it reported of a mark.
func (k *Keeper) suspend(
	ctx context.Context, id wire.ClusterID, pk sr25519.PublicKey, mark uint64, reason string,
) error {
	w, registered, err := k.registry.Worker(ctx, pk)
	if err != nil || !registered || w.Status == wire.WorkerSuspended {
		return err
	}
	if err := k.registry.Suspend(ctx, pk); err != nil {
		return err
	}
	return emit(ctx, &types.EventSuspended{
		Cluster: id.String(), Identity: pk.String(), Mark: mark, Reason: reason,
	})
}

func keyTexts(keys []sr25519.PublicKey) []string {
	out := make([]string, 0, len(keys))
	for _, pk := range keys {
		out = append(out, pk.String())
	}
	return out
}
