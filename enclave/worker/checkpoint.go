package worker

import (
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	receiptRetention = 7_200  // blocks for which a receipt is kept
	pruneStep        = 10_000 // topic indices that one mark looks at to drop old receipts
	sweepEvery       = 16     // marks between two sweeps of idle nonces and uploads
	maxIdleNonces    = 50_000 // sets that one sweep drops, so that a batch stays within the bounds of the state's log
	maxIdleUploads   = 1_000  // uploads that one sweep drops
	maxTerminated    = 4_096  // entries of terminated contracts that one mark drops
	rootMarks        = 2      // the RootKey changes at this mark after a key was fixed
)

// markEntry is a checkpoint mark in the state.
type markEntry struct {
	First  uint64 // the first topic index that its receipts root covers
	End    uint64 // one past the last, which is the mark's own message
	Leaves uint64
	Root   wire.Hash // over the receipts
	Height uint64
}

// Scale visits the fields in order.
func (e *markEntry) Scale(c *scale.Codec) {
	c.U64(&e.First)
	c.U64(&e.End)
	c.U64(&e.Leaves)
	e.Root.Scale(c)
	c.U64(&e.Height)
}

// mark closes the receipts since the last mark under a root, and drops what has become old. It ends the batch: the
// state root is taken right after it.
func (x *executor) mark(o *state.Overlay, m message, b *wire.Mark) error {
	entry := markEntry{
		First: x.sys.MarkEnd, End: m.index + 1, Leaves: x.sys.Leaves.Count, Root: x.sys.Leaves.root(), Height: m.Height,
	}
	if err := save(o, systemKey("m/", be64(b.Number)), &entry); err != nil {
		return err
	}
	x.sys.Marks, x.sys.MarkEnd, x.sys.Leaves = b.Number, entry.End, frontier{}
	if x.sys.NextRoot != nil {
		next := *x.sys.NextRoot
		next.Marks++
		x.sys.NextRoot = &next
		if _, held := x.keys.epoch(next.Epoch); next.Marks >= rootMarks && !held {
			return errMissingKey
		}
	}
	if err := x.prune(o, m.Height); err != nil {
		return err
	}
	if err := dropTerminated(o); err != nil {
		return err
	}
	if b.Number%sweepEvery != 0 {
		return nil
	}
	if err := dropIdleNonces(o, m.Height); err != nil {
		return err
	}
	return dropIdleUploads(o, m.Height)
}

// prune drops receipts that are over their time, oldest first, and the marks that covered them.
func (x *executor) prune(o *state.Overlay, height uint64) error {
	for end := min(x.sys.Oldest+pruneStep, x.sys.MarkEnd); x.sys.Oldest < end; x.sys.Oldest++ {
		key := systemKey("r/", be64(x.sys.Oldest))
		var entry receiptEntry
		ok, err := load(o, key, &entry)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if entry.Salted.Receipt.Height+receiptRetention >= height {
			break
		}
		if err := o.Delete(systemID, key); err != nil {
			return err
		}
	}
	return x.pruneMarks(o)
}

// dropTerminated drops what terminated contracts have stored, as much as one mark may.
func dropTerminated(o *state.Overlay) error {
	var ids [][32]byte // in one walk, for each looks at all such entries of the batch
	o.Ascend(systemID, []byte("d/"), func(key, _ []byte) bool {
		ids = append(ids, [32]byte(key[2:]))
		return len(ids) < maxTerminated
	})
	room := maxTerminated
	for _, id := range ids {
		var keys [][]byte
		o.Ascend(id, nil, func(key, _ []byte) bool {
			keys = append(keys, append([]byte(nil), key...))
			return len(keys) < room
		})
		for _, key := range keys {
			if err := o.Delete(id, key); err != nil {
				return err
			}
		}
		if room -= len(keys) + 1; room <= 0 {
			return nil
		}
		if err := o.Delete(systemID, systemKey("d/", id[:])); err != nil {
			return err
		}
	}
	return nil
}

// pruneMarks drops the marks whose receipts are all dropped, but for the newest, which is yet to be reported.
func (x *executor) pruneMarks(o *state.Overlay) error {
	var old [][]byte
	var err error
	o.Ascend(systemID, []byte("m/"), func(key, value []byte) bool {
		var e markEntry
		if err = unmarshal(value, &e); err != nil || e.End > x.sys.Oldest || e.End == x.sys.MarkEnd {
			return false
		}
		old = append(old, append([]byte(nil), key...))
		return true
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if err := o.Delete(systemID, k); err != nil {
			return err
		}
	}
	return nil
}

// rootDue reports whether the RootKey changes with the mark that was just executed, and to which epoch.
func (s *system) rootDue() (epoch uint32, due bool) {
	if s.NextRoot == nil || s.NextRoot.Marks < rootMarks {
		return 0, false
	}
	return s.NextRoot.Epoch, true
}

// checkpoint makes the report of the mark at which a view stands.
func checkpoint(cluster wire.ClusterID, sys *system, v *state.View) (wire.Checkpoint, error) {
	var entry markEntry
	ok, err := load(v, systemKey("m/", be64(sys.Marks)), &entry)
	if err != nil {
		return wire.Checkpoint{}, err
	}
	if !ok || entry.End != v.Count() {
		return wire.Checkpoint{}, fmt.Errorf("no mark at count %d", v.Count())
	}
	list, err := unpaid(v)
	return wire.Checkpoint{
		Cluster: cluster, Mark: sys.Marks, Count: v.Count(), KeyEpoch: v.RootEpoch(),
		StateRoot: v.Root(), ReceiptsRoot: entry.Root, Withdrawals: list,
	}, err
}
