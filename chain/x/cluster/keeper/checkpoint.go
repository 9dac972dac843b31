package keeper

import (
	"context"
	"crypto/sha256"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Why a worker was suspended, as EventSuspended says it.
const (
	reasonContradiction = "contradiction"
	reasonDisagreement  = "disagreement"
)

// reportCheckpoint takes a member's report on a mark. A quorum of those who were active at the mark finalizes it. A
// worker that signs two different reports on one mark is suspended, and so is one that signs otherwise than what is, or
// becomes, finalized; neither is a refusal, for a refusal would undo the suspension.
func (k *Keeper) reportCheckpoint(ctx context.Context, from sr25519.PublicKey, r *wire.Checkpoint) error {
	c, err := k.Cluster(ctx, r.Cluster)
	if err != nil {
		return err
	}
	var m markRecord
	found, err := k.load(ctx, numberKey(prefixMark, c.ID, r.Mark), &m)
	if err != nil {
		return err
	}
	if !found {
		return errorsmod.Wrapf(types.ErrNoMark, "mark %d, the last is %d", r.Mark, c.Marks)
	}
	if !m.has(from) {
		return errorsmod.Wrapf(types.ErrNotMember, "%s at mark %d", from, r.Mark)
	}
	// These two the chain knows better than any member; a report that denies them is worth nothing.
	if r.Count != m.count || r.KeyEpoch > c.KeyEpoch {
		return errorsmod.Wrapf(types.ErrConflict, "mark %d is at count %d, key epoch %d has not started", r.Mark,
			m.count, c.KeyEpoch+1)
	}
	raw, err := scale.Marshal(r)
	if err != nil {
		return errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	said := wire.Hash(sha256.Sum256(raw))
	var before wire.Hash
	reported, err := k.load(ctx, reportKey(c.ID, r.Mark, from), &before)
	if err != nil {
		return err
	}
	if reported && before != said {
		return k.suspend(ctx, c.ID, from, r.Mark, reasonContradiction)
	}
	if reported {
		return nil
	}
	if err := k.save(ctx, reportKey(c.ID, r.Mark, from), &said); err != nil {
		return err
	}
	if err := k.heardFrom(ctx, c.ID, from); err != nil {
		return err
	}
	if m.finalized != nil {
		return k.judge(ctx, c.ID, r.Mark, from, *m.finalized, said)
	}
	return k.tally(ctx, c, &m, r, said)
}

// judge suspends a member whose report is not the finalized one.
func (k *Keeper) judge(
	ctx context.Context, id wire.ClusterID, mark uint64, pk sr25519.PublicKey, finalized, said wire.Hash,
) error {
	if said == finalized {
		return nil
	}
	return k.suspend(ctx, id, pk, mark, reasonDisagreement)
}

// tally finalizes a mark if a quorum of those who were active at it has reported what r says.
func (k *Keeper) tally(
	ctx context.Context, c *wire.Cluster, m *markRecord, r *wire.Checkpoint, said wire.Hash,
) error {
	alike := 0
	var otherwise []sr25519.PublicKey
	for _, e := range m.electors {
		var h wire.Hash
		reported, err := k.load(ctx, reportKey(c.ID, r.Mark, e.identity), &h)
		if err != nil {
			return err
		}
		switch {
		case reported && h != said:
			otherwise = append(otherwise, e.identity)
		case reported && e.voting:
			alike++
		}
	}
	voters := m.voters()
	if alike == 0 || alike < wire.Quorum(voters) {
		return nil
	}
	m.finalized = &said
	if err := k.save(ctx, numberKey(prefixMark, c.ID, r.Mark), m); err != nil {
		return err
	}
	if err := k.finalize(ctx, c, m, r, alike); err != nil {
		return err
	}
	// Suspensions come last: their hooks change the cluster's record.
	for _, pk := range otherwise {
		if err := k.suspend(ctx, c.ID, pk, r.Mark, reasonDisagreement); err != nil {
			return err
		}
	}
	return nil
}

// finalize records a mark's results, registers the contracts that it confirms and pays its withdrawals. Marks may be
// finalized out of order; the cluster's record holds the one with the highest number.
func (k *Keeper) finalize(
	ctx context.Context, c *wire.Cluster, m *markRecord, r *wire.Checkpoint, reports int,
) error {
	f := wire.Finalized{
		Mark:         r.Mark,
		Count:        r.Count,
		KeyEpoch:     r.KeyEpoch,
		StateRoot:    r.StateRoot,
		ReceiptsRoot: r.ReceiptsRoot,
		Height:       height(ctx),
		Reports:      uint16(reports),
		Members:      uint16(m.voters()),
	}
	if err := k.save(ctx, wire.KeyFinalized(c.ID, r.Mark).Key, &f); err != nil {
		return err
	}
	var dropBelow uint64
	if c.Finalized != nil {
		dropBelow = min(c.Finalized.Count, r.Count)
	}
	if c.Finalized == nil || r.Mark > c.Finalized.Mark {
		c.Finalized = &f
		if err := k.queue.Cover(ctx, c.ID, f.Count); err != nil {
			return err
		}
	}
	if err := k.pay(ctx, c, r.Withdrawals); err != nil {
		return err
	}
	if err := k.saveCluster(ctx, c); err != nil {
		return err
	}
	if err := k.settleContracts(ctx, c.ID, m.electors, r.Count, dropBelow); err != nil {
		return err
	}
	// A full list may hide more withdrawals, which another mark brings to light.
	if len(r.Withdrawals) == wire.MaxWithdrawals {
		if err := k.touch(ctx, c.ID); err != nil {
			return err
		}
	}
	return emit(ctx, &types.EventFinalized{
		Cluster: c.ID.String(), Mark: f.Mark, Count: f.Count,
		StateRoot: f.StateRoot.String(), ReceiptsRoot: f.ReceiptsRoot.String(),
	})
}
