package worker

import (
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// frontier is the tree of [wire.ReceiptsRoot] over leaves that are still coming: of each full subtree on its right edge
// the root, the largest first. Its size is the logarithm of the leaves'.
type frontier struct {
	Count uint64
	Peaks []wire.Hash
}

// Scale visits the fields in order.
func (f *frontier) Scale(c *scale.Codec) {
	c.U64(&f.Count)
	scale.Slice(c, &f.Peaks, 64, func(h *wire.Hash) { h.Scale(c) })
}

// add returns the frontier with one more leaf. It shares nothing with f.
func (f frontier) add(leaf wire.Hash) frontier {
	h := wire.ReceiptsRoot([]wire.Hash{leaf})
	peaks := slices.Clone(f.Peaks)
	for n := f.Count; n&1 == 1; n >>= 1 {
		last := len(peaks) - 1
		h = join(peaks[last], h)
		peaks = peaks[:last]
	}
	return frontier{f.Count + 1, append(peaks, h)}
}

func (f frontier) root() wire.Hash {
	n := len(f.Peaks)
	if n == 0 {
		return wire.ReceiptsRoot(nil)
	}
	h := f.Peaks[n-1]
	for i := n - 2; i >= 0; i-- {
		h = join(f.Peaks[i], h)
	}
	return h
}

// join is the inner node of RFC 6962's tree.
func join(left, right wire.Hash) wire.Hash {
	b := make([]byte, 1, 65)
	b[0] = 1
	return sha256.Sum256(append(append(b, left[:]...), right[:]...))
}

// Bounds of what is kept to prove receipts with.
const (
	maxPaths      = 16
	maxPathLeaves = 1 << 19
)

// paths keeps the leaves under the receipts roots that were asked for last, since anybody may ask.
type paths struct {
	mu     sync.Mutex
	list   []interval // the one that was used last comes last
	leaves int
}

// interval is the leaves under one receipts root. It is immutable.
type interval struct {
	mark       uint64
	first, end uint64 // topic indices
	indices    []uint64
	leaves     []wire.Hash
}

// prove writes into r the path of a receipt under the root of the mark that covers it; nothing before that mark, or
// where others of its interval are dropped already.
func (p *paths) prove(l *live, index uint64, r *Receipt) error {
	v, ok := p.kept(index)
	if !ok {
		var err error
		if v, ok, err = intervalOf(l, index); err != nil || !ok {
			return err
		}
		p.keep(v)
	}
	leaf, ok := slices.BinarySearch(v.indices, index)
	if !ok {
		return nil
	}
	r.Mark, r.Leaf, r.Leaves = v.mark, uint64(leaf), uint64(len(v.leaves))
	r.Path = wire.ReceiptPath(v.leaves, leaf)
	return nil
}

func (p *paths) kept(index uint64) (interval, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, v := range p.list {
		if v.first <= index && index < v.end {
			p.list = append(slices.Delete(p.list, i, i+1), v)
			return v, true
		}
	}
	return interval{}, false
}

func (p *paths) keep(v interval) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range p.list {
		if other.mark == v.mark {
			return
		}
	}
	p.list = append(p.list, v)
	p.leaves += len(v.leaves)
	for len(p.list) > 1 && (len(p.list) > maxPaths || p.leaves > maxPathLeaves) {
		p.leaves -= len(p.list[0].leaves)
		p.list = slices.Delete(p.list, 0, 1)
	}
}

// intervalOf computes the leaves under the mark that covers a topic index.
func intervalOf(l *live, index uint64) (interval, bool, error) {
	number, entry, err := findMark(l, index)
	if err != nil || number == 0 {
		return interval{}, false, err
	}
	v := interval{mark: number, first: entry.First, end: entry.End}
	for i := entry.First; i < entry.End; i++ {
		var r receiptEntry
		ok, err := load(l.view, systemKey("r/", be64(i)), &r)
		if err != nil {
			return v, false, err
		}
		if !ok {
			continue
		}
		h, err := r.Salted.Leaf()
		if err != nil {
			return v, false, err
		}
		v.indices, v.leaves = append(v.indices, i), append(v.leaves, h)
	}
	return v, uint64(len(v.leaves)) == entry.Leaves, nil
}

// findMark returns the number and entry of the mark that covers a topic index, 0 where there is none. Marks are in the
// order of their intervals, and only the oldest are dropped.
func findMark(l *live, index uint64) (number uint64, entry markEntry, err error) {
	low, high := uint64(1), l.sys.Marks
	for low <= high {
		mid := low + (high-low)/2
		ok, err := load(l.view, systemKey("m/", be64(mid)), &entry)
		switch {
		case err != nil:
			return 0, entry, err
		case !ok || index >= entry.End:
			low = mid + 1
		case index < entry.First:
			high = mid - 1
		default:
			return mid, entry, nil
		}
	}
	return 0, entry, nil
}
