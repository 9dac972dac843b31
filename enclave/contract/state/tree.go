package state

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/tidwall/btree"
)

// pathMap orders values by path: the contract's 32 bytes, then the key. Strings, so that nobody can change them.
type pathMap = btree.Map[string, string]

// Limits bound one entry. Zero stands for the default.
type Limits struct {
	Key   int // bytes of a key, 256 by default and at most 65,535
	Value int // bytes of a value, 1 MiB by default and at most 32 MiB
}

const (
	defaultKey   = 256
	defaultValue = 1 << 20
	maxKey       = 1<<16 - 1
	maxValue     = 32 << 20
)

func (l Limits) filled() Limits {
	if l.Key <= 0 {
		l.Key = defaultKey
	}
	if l.Value <= 0 {
		l.Value = defaultValue
	}
	return Limits{Key: min(l.Key, maxKey), Value: min(l.Value, maxValue)}
}

func (l Limits) check(key, value int) error {
	if key > l.Key {
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrBound, key, l.Key)
	}
	if value > l.Value {
		return fmt.Errorf("%w: value of %d bytes, at most %d", ErrBound, value, l.Value)
	}
	return nil
}

func pathOf(contract [32]byte, key []byte) string {
	var b strings.Builder
	b.Grow(contractSize + len(key))
	b.Write(contract[:])
	b.Write(key)
	return b.String()
}

// entrySize is what an entry counts in Size.
func entrySize(path, value string) int64 { return int64(len(path) + len(value)) }

// View is the state at one topic count. It never changes and may be read by any number of goroutines.
type View struct {
	m      *pathMap
	limits Limits
	root   [32]byte
	epoch  uint32
	count  uint64
	size   int64
}

// Get returns a copy of the value of (contract, key), and whether there is one.
func (v *View) Get(contract [32]byte, key []byte) ([]byte, bool) {
	value, ok := v.m.Get(pathOf(contract, key))
	if !ok {
		return nil, false
	}
	return []byte(value), true
}

// Root returns the hidden root of the content under the RootKey of [View.RootEpoch].
func (v *View) Root() [32]byte { return v.root }

// RootEpoch returns the key epoch whose RootKey the root is under.
func (v *View) RootEpoch() uint32 { return v.epoch }

// Count returns the topic count that the state stands at.
func (v *View) Count() uint64 { return v.count }

// Len returns the number of entries.
func (v *View) Len() int { return v.m.Len() }

// Size returns the bytes of all entries, each counting 32 for its contract, its key and its value.
func (v *View) Size() int64 { return v.size }

// Ascend visits the entries of a contract whose keys begin with prefix, in byte order, until visit returns false. The
// slices belong to visit.
func (v *View) Ascend(contract [32]byte, prefix []byte, visit func(key, value []byte) bool) {
	v.ascend(pathOf(contract, prefix), func(path, value string) bool {
		return visit([]byte(path[contractSize:]), []byte(value))
	})
}

func (v *View) ascend(prefix string, visit func(path, value string) bool) {
	v.m.Ascend(prefix, func(path, value string) bool {
		return strings.HasPrefix(path, prefix) && visit(path, value)
	})
}

// Format prints the type's name and place: content and roots stay out of logs.
func (v *View) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "state.View(count %d)", v.count) }

// Tree is the state in memory, with one writer. A [Store] owns the tree of a running cluster; a tree alone serves
// imports and dry runs.
type Tree struct {
	m      pathMap
	limits Limits
	h      *hasher
	sum    lattice
	count  uint64
	size   int64
	view   *View
	rehash *Rehash
}

// NewTree returns an empty tree at topic count 0, whose root is under the 32-byte RootKey of a key epoch.
func NewTree(epoch uint32, rootKey []byte, limits Limits) (*Tree, error) {
	if len(rootKey) != keySize {
		return nil, fmt.Errorf("%w: root key has %d bytes, not %d", ErrKey, len(rootKey), keySize)
	}
	t := &Tree{limits: limits.filled(), h: newHasher(epoch, rootKey)}
	t.sum = t.h.empty()
	t.publish()
	return t, nil
}

// View returns the newest state.
func (t *Tree) View() *View { return t.view }

// Format prints the type's name alone.
func (t *Tree) Format(s fmt.State, _ rune) { fmt.Fprint(s, "state.Tree") }

// publish makes the view of what the tree now holds.
func (t *Tree) publish() {
	t.view = &View{
		m: t.m.IsoCopy(), limits: t.limits, root: t.sum.root(), epoch: t.h.epoch, count: t.count, size: t.size,
	}
}

// Apply makes the writes and sets the topic count, which must grow ([ErrCount]). The write set must be of an overlay
// on the newest view ([ErrStale]), or empty.
func (t *Tree) Apply(count uint64, w WriteSet) error {
	c, err := t.prepare(count, w, nil)
	if err != nil {
		return err
	}
	t.commit(c)
	return nil
}

// change is what a batch will make of a tree, computed before anything changes.
type change struct {
	writes []write
	sum    lattice
	delta  lattice // of the rehash under way
	count  uint64
	size   int64
	adopt  *Rehash
}

func (t *Tree) prepare(count uint64, w WriteSet, adopt *Rehash) (*change, error) {
	if count <= t.count {
		return nil, fmt.Errorf("%w: %d after %d", ErrCount, count, t.count)
	}
	if len(w.writes) > 0 && w.base != t.view {
		return nil, fmt.Errorf("%w: write set", ErrStale)
	}
	if adopt != nil && (adopt != t.rehash || !adopt.done.Load()) {
		return nil, fmt.Errorf("%w: rehash", ErrStale)
	}
	c := &change{writes: w.writes, sum: t.sum, count: count, size: t.size, adopt: adopt}
	if t.rehash != nil {
		c.delta = t.rehash.delta
	}
	for _, x := range w.writes {
		t.prepareOne(c, x)
	}
	if adopt != nil {
		c.sum = adopt.sum
		c.sum.add(&c.delta)
	}
	return c, nil
}

func (t *Tree) prepareOne(c *change, x write) {
	if old, ok := t.m.Get(x.path); ok {
		c.size -= entrySize(x.path, old)
		c.sum.sub(t.h.of(x.path, old))
		if t.rehash != nil {
			c.delta.sub(t.rehash.h.of(x.path, old))
		}
	}
	if x.deleted {
		return
	}
	c.size += entrySize(x.path, x.value)
	c.sum.add(t.h.of(x.path, x.value))
	if t.rehash != nil {
		c.delta.add(t.rehash.h.of(x.path, x.value))
	}
}

func (t *Tree) commit(c *change) {
	t.write(c.writes)
	t.sum, t.count, t.size = c.sum, c.count, c.size
	if t.rehash != nil {
		t.rehash.delta = c.delta
	}
	if c.adopt != nil {
		t.h, t.rehash = c.adopt.h, nil
	}
	t.publish()
}

func (t *Tree) write(writes []write) {
	for _, x := range writes {
		if x.deleted {
			t.m.Delete(x.path)
			continue
		}
		t.m.Set(x.path, x.value)
	}
}

// Rehash is the state's sum under a new RootKey, in the making: [Rehash.Run] hashes the view at which it began, while
// the tree keeps account of what changes after.
type Rehash struct {
	view   *View
	runner *hasher
	sum    lattice
	done   atomic.Bool

	// The writer's part.
	h     *hasher
	delta lattice
}

// BeginRehash starts the change to the RootKey of another key epoch and gives up one that is under way.
func (t *Tree) BeginRehash(epoch uint32, rootKey []byte) (*Rehash, error) {
	if len(rootKey) != keySize {
		return nil, fmt.Errorf("%w: root key has %d bytes, not %d", ErrKey, len(rootKey), keySize)
	}
	r := &Rehash{view: t.view, runner: newHasher(epoch, rootKey), h: newHasher(epoch, rootKey)}
	t.rehash = r
	return r, nil
}

// Run hashes the whole. It may run in any goroutine, once, beside the writer, and ends early with the context's error.
func (r *Rehash) Run(ctx context.Context) error {
	sum, err := r.runner.sumOf(ctx, r.view.m)
	if err != nil {
		return err
	}
	r.sum = sum
	r.done.Store(true)
	return nil
}

// Done reports whether Run has ended well.
func (r *Rehash) Done() bool { return r.done.Load() }

// Format prints the type's name alone.
func (r *Rehash) Format(s fmt.State, _ rune) { fmt.Fprint(s, "state.Rehash") }

// ApplyRehashed is [Tree.Apply] after which the root is under the rehash's key. The rehash must be the tree's newest
// and done ([ErrStale]).
func (t *Tree) ApplyRehashed(count uint64, w WriteSet, r *Rehash) error {
	if r == nil {
		return fmt.Errorf("%w: no rehash", ErrStale)
	}
	c, err := t.prepare(count, w, r)
	if err != nil {
		return err
	}
	t.commit(c)
	return nil
}
