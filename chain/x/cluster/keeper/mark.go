package keeper

import (
	"context"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// mark appends a checkpoint mark to a cluster's topic and notes who may report on it. While no member is active there
// would be nobody to report: the mark then waits for one to return.
func (k *Keeper) mark(ctx context.Context, c *wire.Cluster) error {
	var p pending
	if _, err := k.load(ctx, clusterKey(prefixPending, c.ID), &p); err != nil {
		return err
	}
	p.due = 0
	electors, err := k.electors(ctx, c)
	if err != nil {
		return err
	}
	record := markRecord{height: height(ctx), electors: electors}
	if c.Fixed == nil || !p.dirty || record.voters() == 0 {
		return k.save(ctx, clusterKey(prefixPending, c.ID), &p)
	}
	c.Marks++
	index, err := k.post(ctx, c.ID, &wire.Body{Kind: wire.BodyMark, Mark: &wire.Mark{Number: c.Marks}})
	if err != nil {
		return err
	}
	record.count = index + 1
	p.marked, p.dirty = record.height, false
	if err := k.save(ctx, clusterKey(prefixPending, c.ID), &p); err != nil {
		return err
	}
	if err := k.save(ctx, numberKey(prefixMark, c.ID, c.Marks), &record); err != nil {
		return err
	}
	if err := k.saveCluster(ctx, c); err != nil {
		return err
	}
	if err := k.forgetMark(ctx, c); err != nil {
		return err
	}
	params, err := k.registry.NetworkParams(ctx)
	if err != nil {
		return err
	}
	check := duty{later(record.height, params.MarkInterval), taskMarkCheck, c.ID, c.Marks}
	if err := k.schedule(ctx, check); err != nil {
		return err
	}
	return emit(ctx, &types.EventMark{Cluster: c.ID.String(), Mark: c.Marks, Count: record.count})
}

// electors returns a cluster's members as they stand now.
func (k *Keeper) electors(ctx context.Context, c *wire.Cluster) ([]elector, error) {
	out := make([]elector, 0, len(c.Members))
	for _, m := range c.Members {
		active, err := k.active(ctx, m.Identity)
		if err != nil {
			return nil, err
		}
		out = append(out, elector{m.Identity, active})
	}
	return out, nil
}

func (k *Keeper) active(ctx context.Context, pk sr25519.PublicKey) (bool, error) {
	w, registered, err := k.registry.Worker(ctx, pk)
	return registered && w.Status == wire.WorkerActive, err
}

// forgetMark drops the mark that has left the window, with its reports.
func (k *Keeper) forgetMark(ctx context.Context, c *wire.Cluster) error {
	if c.Marks <= types.MarkWindow {
		return nil
	}
	old := c.Marks - types.MarkWindow
	var record markRecord
	if _, err := k.load(ctx, numberKey(prefixMark, c.ID, old), &record); err != nil {
		return err
	}
	for _, e := range record.electors {
		if err := k.delete(ctx, reportKey(c.ID, old, e.identity)); err != nil {
			return err
		}
	}
	if err := k.delete(ctx, wire.KeyFinalized(c.ID, old).Key); err != nil {
		return err
	}
	return k.delete(ctx, numberKey(prefixMark, c.ID, old))
}

// checkMarkReports counts, some time after a mark, a miss for each member that has not reported while another has.
func (k *Keeper) checkMarkReports(ctx context.Context, c *wire.Cluster, mark uint64) error {
	var record markRecord
	found, err := k.load(ctx, numberKey(prefixMark, c.ID, mark), &record)
	if err != nil || !found {
		return err
	}
	return k.countMisses(ctx, c, func(pk sr25519.PublicKey) (reported, asked bool, err error) {
		if !record.has(pk) {
			return false, false, nil
		}
		reported, err = k.store.OpenKVStore(ctx).Has([]byte(reportKey(c.ID, mark, pk)))
		return reported, true, err
	})
}

// countMisses counts a miss for each member that was asked and has not reported, if another has, and removes those with
// too many, never the last member.
func (k *Keeper) countMisses(
	ctx context.Context, c *wire.Cluster, look func(sr25519.PublicKey) (reported, asked bool, err error),
) error {
	var silent []sr25519.PublicKey
	heard := false
	for _, m := range c.Members {
		reported, asked, err := look(m.Identity)
		if err != nil {
			return err
		}
		heard = heard || reported
		if asked && !reported {
			silent = append(silent, m.Identity)
		}
	}
	if !heard {
		return nil
	}
	var gone []sr25519.PublicKey
	for _, pk := range silent {
		n, err := k.miss(ctx, c.ID, pk)
		if err != nil {
			return err
		}
		if n >= types.MaxMisses {
			gone = append(gone, pk)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return k.changeMembers(ctx, c, nil, gone, reasonMissed)
}

func (k *Keeper) miss(ctx context.Context, id wire.ClusterID, pk sr25519.PublicKey) (uint64, error) {
	var misses counter
	if _, err := k.load(ctx, memberKey(prefixMiss, id, pk), &misses); err != nil {
		return 0, err
	}
	misses.n++
	return misses.n, k.save(ctx, memberKey(prefixMiss, id, pk), &misses)
}

// heardFrom ends a member's row of misses.
func (k *Keeper) heardFrom(ctx context.Context, id wire.ClusterID, pk sr25519.PublicKey) error {
	return k.delete(ctx, memberKey(prefixMiss, id, pk))
}
