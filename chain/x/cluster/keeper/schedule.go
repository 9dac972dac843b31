package keeper

import (
	"context"
	"encoding/binary"
	"math"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/wire"
)

// task is what is to be done for a cluster at a height.
type task uint8

const (
	taskMark      task = 0 // set a checkpoint mark
	taskKeyCheck  task = 1 // before the first fix: count who has not reported the key
	taskMarkCheck task = 2 // count who has not reported on a mark
)

// duty is an entry among those due.
type duty struct {
	height  uint64
	task    task
	cluster wire.ClusterID
	mark    uint64 // taskMarkCheck
}

func (d duty) key() string {
	return prefixDue + number(d.height) + string([]byte{byte(d.task)}) + string(d.cluster[:]) + number(d.mark)
}

func parseDuty(rest string) (duty, error) {
	if len(rest) != 8+1+32+8 {
		return duty{}, errorsmod.Wrapf(types.ErrCorrupt, "due entry %x", rest)
	}
	return duty{
		height:  binary.BigEndian.Uint64([]byte(rest[:8])),
		task:    task(rest[8]),
		cluster: wire.ClusterID([]byte(rest[9:41])),
		mark:    binary.BigEndian.Uint64([]byte(rest[41:])),
	}, nil
}

func (k *Keeper) schedule(ctx context.Context, d duty) error {
	return k.store.OpenKVStore(ctx).Set([]byte(d.key()), []byte{1})
}

// later returns the height that lies so many blocks behind another, or the last height of all.
func later(height, blocks uint64) uint64 {
	if height > math.MaxUint64-blocks {
		return math.MaxUint64
	}
	return height + blocks
}

// EndBlock carries out what is due, a bounded number of duties. A duty that fails is undone, logged, and tried again
// after the interval between marks: one cluster's damaged records must not stop the chain.
func (k *Keeper) EndBlock(ctx context.Context) error {
	block := sdk.UnwrapSDKContext(ctx)
	duties, err := k.due(ctx, height(ctx))
	if err != nil {
		return err
	}
	for _, d := range duties {
		if err := k.delete(ctx, d.key()); err != nil {
			return err
		}
		inner, write := block.CacheContext()
		if err := k.perform(inner, d); err != nil {
			block.Logger().Error("duty of a cluster failed", "cluster", d.cluster.String(), "task", d.task, "err", err)
			if err := k.postpone(ctx, d); err != nil {
				return err
			}
			continue
		}
		write()
	}
	return nil
}

func (k *Keeper) postpone(ctx context.Context, d duty) error {
	params, err := k.registry.NetworkParams(ctx)
	if err != nil {
		return err
	}
	d.height = later(height(ctx), max(params.MarkInterval, 1))
	return k.schedule(ctx, d)
}

// due returns the first duties whose height has come, longest due first.
func (k *Keeper) due(ctx context.Context, now uint64) ([]duty, error) {
	var duties []duty
	err := k.ascend(ctx, prefixDue, func(rest string, _ []byte) (bool, error) {
		d, err := parseDuty(rest)
		if err != nil || d.height > now {
			return false, err
		}
		duties = append(duties, d)
		return len(duties) < types.DueBudget, nil
	})
	return duties, err
}

func (k *Keeper) perform(ctx context.Context, d duty) error {
	c, err := k.Cluster(ctx, d.cluster)
	if err != nil {
		return err
	}
	switch d.task {
	case taskMark:
		return k.mark(ctx, c)
	case taskKeyCheck:
		return k.checkKeyReports(ctx, c)
	case taskMarkCheck:
		return k.checkMarkReports(ctx, c, d.mark)
	}
	return errorsmod.Wrapf(types.ErrCorrupt, "task %d", d.task)
}

// CommandAppended takes note that a cluster's topic has a new command, so that a mark follows.
func (k *Keeper) CommandAppended(ctx context.Context, id wire.ClusterID) error {
	return k.touch(ctx, id)
}

// touch takes note that something other than a mark or a payment is in a cluster's topic. Once the key is fixed, a mark
// follows as soon as the interval since the last one allows.
func (k *Keeper) touch(ctx context.Context, id wire.ClusterID) error {
	var p pending
	if _, err := k.load(ctx, clusterKey(prefixPending, id), &p); err != nil || p.dirty {
		return err
	}
	p.dirty = true
	return k.scheduleMark(ctx, id, &p, false)
}

// scheduleMark enters the next mark of a cluster among what is due, unless no key is fixed yet, and saves p. With now
// set it is due at the end of this block, whatever the interval.
func (k *Keeper) scheduleMark(ctx context.Context, id wire.ClusterID, p *pending, now bool) error {
	c, err := k.Cluster(ctx, id)
	if err != nil {
		return err
	}
	if c.Fixed == nil {
		return k.save(ctx, clusterKey(prefixPending, id), p)
	}
	due := height(ctx)
	if !now && p.marked != 0 {
		params, err := k.registry.NetworkParams(ctx)
		if err != nil {
			return err
		}
		due = max(due, later(p.marked, params.MarkInterval))
	}
	if p.due != 0 && p.due <= due {
		return k.save(ctx, clusterKey(prefixPending, id), p)
	}
	if p.due != 0 {
		if err := k.delete(ctx, duty{height: p.due, task: taskMark, cluster: id}.key()); err != nil {
			return err
		}
	}
	p.due = due
	if err := k.save(ctx, clusterKey(prefixPending, id), p); err != nil {
		return err
	}
	return k.schedule(ctx, duty{height: due, task: taskMark, cluster: id})
}

// forceMark makes a mark due, though nothing may have been appended; at once with now set.
func (k *Keeper) forceMark(ctx context.Context, id wire.ClusterID, now bool) error {
	var p pending
	if _, err := k.load(ctx, clusterKey(prefixPending, id), &p); err != nil {
		return err
	}
	p.dirty = true
	return k.scheduleMark(ctx, id, &p, now)
}
