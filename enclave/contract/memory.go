package contract

import (
	"math/bits"
	"sync"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// pool keeps linear memory between calls, in slabs of one page doubled up. Every slab in it is zero from its first
// byte to its last: a slab is zeroed as soon as its call ends, which also shortens the life of the contract's secrets.
type pool struct {
	mu    sync.Mutex
	free  [][][]byte // by class
	idle  int        // bytes in free
	limit int        // of idle
	made  uint64     // slabs ever allocated
}

// newPool makes a pool of slabs up to the given number of pages that keeps at most limit idle bytes.
func newPool(pages uint32, limit int) *pool {
	return &pool{free: make([][][]byte, slabClass(uint64(pages)*instrument.PageBytes)+1), limit: limit}
}

// slabClass is the smallest class whose slabs hold size bytes: class c holds 1<<c pages.
func slabClass(size uint64) int {
	pages := (size + instrument.PageBytes - 1) / instrument.PageBytes
	if pages <= 1 {
		return 0
	}
	return bits.Len64(pages - 1)
}

// take gives a zeroed slab of the class.
func (p *pool) take(class int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free[class]); n > 0 {
		slab := p.free[class][n-1]
		p.free[class] = p.free[class][:n-1]
		p.idle -= len(slab)
		return slab
	}
	p.made++
	return make([]byte, instrument.PageBytes<<class)
}

// give takes a slab back of which only the first used bytes may differ from zero.
func (p *pool) give(slab []byte, used int) {
	clear(slab[:used])
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle+len(slab) > p.limit {
		return
	}
	p.idle += len(slab)
	class := slabClass(uint64(len(slab)))
	p.free[class] = append(p.free[class], slab)
}

// lease is the memory of one instance. It is the allocator that wazero asks and the memory that it gets; Free may be
// called again and again.
type lease struct {
	pool   *pool
	budget *budget // of the call tree that it serves, nil for none; memory.grow gives -1 where it is used up
	slab   []byte
	used   int
}

// Allocate implements [experimental.MemoryAllocator].
func (l *lease) Allocate(_, _ uint64) experimental.LinearMemory { return l }

// Reallocate implements [experimental.LinearMemory]. Memory only grows, and at most to the module's maximum, which
// wazero checks before it asks.
func (l *lease) Reallocate(size uint64) []byte {
	class := slabClass(size)
	if class >= len(l.pool.free) {
		return nil
	}
	if more := size - min(size, uint64(l.used)); !l.budget.take(more) {
		return nil
	}
	if l.slab == nil || size > uint64(len(l.slab)) {
		slab := l.pool.take(class)
		copy(slab, l.slab[:l.used])
		if l.slab != nil {
			l.pool.give(l.slab, l.used)
		}
		l.slab = slab
	}
	l.used = max(l.used, int(size))
	return l.slab[:size:size]
}

// Free implements [experimental.LinearMemory].
func (l *lease) Free() {
	if l.slab == nil {
		return
	}
	l.release()
	l.pool.give(l.slab, l.used)
	l.slab, l.used = nil, 0
}

// release gives back what the lease takes of its call tree's budget.
func (l *lease) release() {
	if l.budget != nil {
		l.budget.give(uint64(l.used))
		l.budget = nil
	}
}

// adopt takes it from another tree's, or reports that it is not there.
func (l *lease) adopt(b *budget) bool {
	if !b.take(uint64(l.used)) {
		return false
	}
	l.budget = b
	return true
}

// view is the memory that is in use.
func (l *lease) view() []byte { return l.slab[:l.used] }
