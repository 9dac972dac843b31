// Package cache is the memory that a worker lends to contracts' queries: values that a contract may find again in a later
// query on the same worker, or not. It is in memory only and differs from worker to worker, so commands never read it.
//
// Make one [Cache] with [New]. Contracts are apart: a contract reads, replaces and removes its own entries only, and
// nothing that one does takes an entry from another. Bounds:
//
//   - of each contract: Limits.Entries and Limits.Bytes;
//   - of all: a contract may grow only while what it holds is at most 1/Limits.Share of what is free in the whole. So the
//     first contracts have their full quota, many share evenly, and the memory is never full for a newcomer, although
//     nothing is evicted.
//
// An entry ends at its time. Sizes count key, value and [Overhead].
package cache

import (
	"container/heap"
	"errors"
	"sync"
	"time"
)

// Overhead is what an entry counts beside its key and value, in bytes: about what Go's maps and the queue take.
const Overhead = 192

// ErrQuota says that a value is over the quota of its contract.
var ErrQuota = errors.New("cache: over the quota of the contract")

// Limits bounds a cache. Start from [DefaultLimits].
type Limits struct {
	Entries  int           // of one contract
	Bytes    int           // of one contract
	Total    int           // bytes of all contracts
	Share    int           // see the package comment
	Lifetime time.Duration // of an entry whose expiration was not set
	Longest  time.Duration // what an expiration is cut to
}

// DefaultLimits gives 1,024 entries and 1 MiB for a contract, 64 MiB for all, and Phala's lifetime of seven days.
func DefaultLimits() Limits {
	return Limits{
		Entries: 1024, Bytes: 1 << 20, Total: 64 << 20, Share: 16,
		Lifetime: 7 * 24 * time.Hour, Longest: 30 * 24 * time.Hour,
	}
}

// Cache holds the entries. Its methods may be called at the same time.
type Cache struct {
	limits Limits
	now    func() time.Time

	mu    sync.Mutex
	used  int // bytes of all
	spans map[[32]byte]*span
	ends  queue
}

// span is what one contract holds.
type span struct {
	bytes   int
	entries map[string]*entry
}

type entry struct {
	contract [32]byte
	key      string
	value    []byte
	end      time.Time
	place    int // in the queue
}

func (e *entry) size() int { return len(e.key) + len(e.value) + Overhead }

// New makes an empty cache whose entries end by the clock now; nil is the monotonic clock of the host.
func New(l Limits, now func() time.Time) *Cache {
	if now == nil {
		now = time.Now
	}
	return &Cache{limits: l, now: now, spans: map[[32]byte]*span{}}
}

// Set keeps a copy of value under key for Limits.Lifetime. Whatever the key had before is gone, also when the value does
// not fit, which is [ErrQuota].
func (c *Cache) Set(contract [32]byte, key, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.expire()
	s := c.spans[contract]
	if s != nil {
		c.drop(s.entries[string(key)])
	}
	size := len(key) + len(value) + Overhead
	own, count := size, 1
	if s = c.spans[contract]; s != nil {
		own, count = s.bytes+size, len(s.entries)+1
	}
	free := c.limits.Total - c.used - size
	if count > c.limits.Entries || own > c.limits.Bytes || own > free/c.limits.Share {
		return ErrQuota
	}
	if s == nil {
		s = &span{entries: map[string]*entry{}}
		c.spans[contract] = s
	}
	e := &entry{contract: contract, key: string(key), value: append([]byte{}, value...), end: now.Add(c.limits.Lifetime)}
	s.entries[e.key] = e
	s.bytes += size
	c.used += size
	heap.Push(&c.ends, e)
	return nil
}

// Get gives a copy of a value.
func (c *Cache) Get(contract [32]byte, key []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	e := c.find(contract, key)
	if e == nil {
		return nil, false
	}
	return append([]byte{}, e.value...), true
}

// Remove takes a value out and gives it.
func (c *Cache) Remove(contract [32]byte, key []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	e := c.find(contract, key)
	if e == nil {
		return nil, false
	}
	c.drop(e)
	return e.value, true
}

// Expire has an entry end so many seconds from now, at most Limits.Longest; with zero it ends at once.
func (c *Cache) Expire(contract [32]byte, key []byte, seconds uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.expire()
	e := c.find(contract, key)
	switch {
	case e == nil:
		return
	case seconds == 0:
		c.drop(e)
		return
	}
	after := c.limits.Longest
	if seconds < uint64(after/time.Second) {
		after = time.Duration(seconds) * time.Second
	}
	e.end = now.Add(after)
	heap.Fix(&c.ends, e.place)
}

// Bytes gives what all contracts hold.
func (c *Cache) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// expire drops what has ended and gives the time.
func (c *Cache) expire() time.Time {
	now := c.now()
	for len(c.ends) > 0 && !c.ends[0].end.After(now) {
		c.drop(c.ends[0])
	}
	return now
}

func (c *Cache) find(contract [32]byte, key []byte) *entry {
	s := c.spans[contract]
	if s == nil {
		return nil
	}
	return s.entries[string(key)]
}

// drop takes an entry out of everything; nil is no entry.
func (c *Cache) drop(e *entry) {
	if e == nil {
		return
	}
	heap.Remove(&c.ends, e.place)
	s := c.spans[e.contract]
	s.bytes -= e.size()
	c.used -= e.size()
	delete(s.entries, e.key)
	if len(s.entries) == 0 {
		delete(c.spans, e.contract)
	}
}

// queue orders entries by their end; it implements heap.Interface.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].end.Before(q[j].end) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
