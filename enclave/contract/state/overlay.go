package state

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// write is one entry of a write set.
type write struct {
	path    string
	value   string
	deleted bool
}

// WriteSet is what an outermost overlay changes in its view, in byte order, each entry once and only where it differs.
// The zero value changes nothing.
type WriteSet struct {
	base   *View
	writes []write
}

// Len returns the number of entries that change.
func (w WriteSet) Len() int { return len(w.writes) }

// Each visits the changes in order until visit returns false. The slices belong to visit; value is nil where the
// entry is deleted.
func (w WriteSet) Each(visit func(contract [32]byte, key, value []byte, deleted bool) bool) {
	for _, x := range w.writes {
		var value []byte
		if !x.deleted {
			value = []byte(x.value)
		}
		if !visit([32]byte([]byte(x.path[:contractSize])), []byte(x.path[contractSize:]), value, x.deleted) {
			return
		}
	}
}

// Format prints the number of changes alone.
func (w WriteSet) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "state.WriteSet(%d)", len(w.writes)) }

// cell is the newest write to a path in one overlay.
type cell struct {
	value   string
	deleted bool
}

// Overlay buffers writes over a view, or over another overlay whose child it is. A child that is not committed has
// never been. An overlay has one open child at most: a write to the parent, or a new child of it, gives the open one
// up, and then that one's writes and commit are [ErrReverted]. It is for one goroutine.
type Overlay struct {
	view   *View
	parent *Overlay
	child  *Overlay
	cells  btree.Map[string, cell] // by path
	size   int64
	over   bool // committed
}

// NewOverlay returns an outermost overlay.
func NewOverlay(v *View) *Overlay {
	return &Overlay{view: v, size: v.size}
}

// Begin opens a child.
func (o *Overlay) Begin() *Overlay {
	o.child = &Overlay{view: o.view, parent: o, size: o.size}
	return o.child
}

// live reports whether the overlay and all that it stands on are still open.
func (o *Overlay) live() bool {
	for x := o; ; x = x.parent {
		if x.over {
			return false
		}
		if x.parent == nil {
			return true
		}
		if x.parent.child != x {
			return false
		}
	}
}

// Get returns a copy of the value of (contract, key) as this overlay sees it, and whether there is one.
func (o *Overlay) Get(contract [32]byte, key []byte) ([]byte, bool) {
	value, ok := o.lookup(pathOf(contract, key))
	if !ok {
		return nil, false
	}
	return []byte(value), true
}

func (o *Overlay) lookup(path string) (string, bool) {
	for x := o; x != nil; x = x.parent {
		if c, ok := x.cells.Get(path); ok {
			return c.value, !c.deleted
		}
	}
	return o.view.m.Get(path)
}

// Set writes a value, which it copies. Errors: [ErrBound], [ErrReverted].
func (o *Overlay) Set(contract [32]byte, key, value []byte) error {
	if err := o.view.limits.check(len(key), len(value)); err != nil {
		return err
	}
	return o.put(pathOf(contract, key), cell{value: string(value)})
}

// Delete removes an entry, if there is one. Errors: [ErrBound], [ErrReverted].
func (o *Overlay) Delete(contract [32]byte, key []byte) error {
	if err := o.view.limits.check(len(key), 0); err != nil {
		return err
	}
	return o.put(pathOf(contract, key), cell{deleted: true})
}

func (o *Overlay) put(path string, c cell) error {
	if !o.live() {
		return ErrReverted
	}
	o.child = nil
	if old, ok := o.lookup(path); ok {
		o.size -= entrySize(path, old)
	}
	if !c.deleted {
		o.size += entrySize(path, c.value)
	}
	o.cells.Set(path, c)
	return nil
}

// Commit hands a child's writes to its parent, once. An outermost overlay has no parent: its [Overlay.WriteSet] is
// applied instead. Its own open child is given up. Errors: [ErrReverted].
func (o *Overlay) Commit() error {
	if o.parent == nil || !o.live() {
		return ErrReverted
	}
	o.over, o.child = true, nil
	o.parent.child = nil
	o.parent.size = o.size
	o.cells.Scan(func(path string, c cell) bool {
		o.parent.cells.Set(path, c)
		return true
	})
	return nil
}

// Size returns the bytes of all entries as this overlay sees them, counted like [View.Size].
func (o *Overlay) Size() int64 { return o.size }

// Ascend is [View.Ascend] as this overlay sees it. Writes that visit makes are not seen by the walk.
func (o *Overlay) Ascend(contract [32]byte, prefix []byte, visit func(key, value []byte) bool) {
	start := pathOf(contract, prefix)
	mine := o.flat(start)
	show := func(path, value string) bool { return visit([]byte(path[contractSize:]), []byte(value)) }
	stopped := false
	// flush shows what the overlay adds below a path of the view, and drops what it has in that path's place.
	flush := func(below string, all bool) {
		for len(mine) > 0 && !stopped && (all || mine[0].path < below) {
			if !mine[0].deleted {
				stopped = !show(mine[0].path, mine[0].value)
			}
			mine = mine[1:]
		}
	}
	o.view.ascend(start, func(path, value string) bool {
		if flush(path, false); stopped {
			return false
		}
		if len(mine) > 0 && mine[0].path == path {
			return true
		}
		stopped = !show(path, value)
		return !stopped
	})
	flush("", true)
}

// flat returns the writes under a prefix of this overlay and all that it stands on, in byte order. It looks at no others,
// however many there are.
func (o *Overlay) flat(prefix string) []write {
	merged := make(map[string]cell)
	for x := o; x != nil; x = x.parent {
		x.cells.Ascend(prefix, func(path string, c cell) bool {
			if !strings.HasPrefix(path, prefix) {
				return false
			}
			if _, newer := merged[path]; !newer {
				merged[path] = c
			}
			return true
		})
	}
	writes := make([]write, 0, len(merged))
	for path, c := range merged {
		writes = append(writes, write{path: path, value: c.value, deleted: c.deleted})
	}
	slices.SortFunc(writes, func(a, b write) int { return strings.Compare(a.path, b.path) })
	return writes
}

// WriteSet returns what this overlay, with all that it stands on, changes in the view. An open child's writes are not
// in it.
func (o *Overlay) WriteSet() WriteSet {
	writes := slices.DeleteFunc(o.flat(""), func(x write) bool {
		old, ok := o.view.m.Get(x.path)
		return x.deleted && !ok || !x.deleted && ok && old == x.value
	})
	return WriteSet{base: o.view, writes: writes}
}

// Format prints the type's name alone.
func (o *Overlay) Format(s fmt.State, _ rune) { fmt.Fprint(s, "state.Overlay") }
