package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// instance is an instance of a module, as fresh as on its first day: what a call changed in memory and globals is set
// back before another call gets it, so that none can tell. (Tables cannot change: the instrumented code has no
// instruction for it.) One whose memory has grown is thrown away, for memory never shrinks.
type instance struct {
	wasm       api.Module
	memory     api.Memory
	gas, stack api.MutableGlobal
	globals    []changed
	lease      *lease
}

// changed is a global that the code may change, and what it is at the start.
type changed struct {
	global api.MutableGlobal
	start  uint64
}

// image is what a module's memory holds at the start: bytes from a place on, zeros around them.
type image struct {
	offset uint32
	bytes  []byte
}

// imageOf finds what is not zero.
func imageOf(b []byte) image {
	from, to := 0, len(b)
	for from < to && b[from] == 0 {
		from++
	}
	for to > from && b[to-1] == 0 {
		to--
	}
	return image{uint32(from), append([]byte(nil), b[from:to]...)}
}

// takeInstance gives an instance of a module that is in use, with memory from a budget. The caller gives it back.
func (e *Engine) takeInstance(ctx context.Context, m *Module, b *budget) (*instance, error) {
	if i := e.idleInstance(m); i != nil {
		if !i.lease.adopt(b) {
			return nil, errors.New("memory of an instance exceeds a budget that has room for it")
		}
		return i, nil
	}
	i := &instance{lease: &lease{pool: e.pool, budget: b}}
	var err error
	i.wasm, err = e.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, i.lease), m.compiled, e.instance)
	if err != nil {
		i.lease.Free()
		return nil, fmt.Errorf("instantiate contract: %w", err)
	}
	i.memory = i.wasm.Memory()
	i.gas = i.wasm.ExportedGlobal(instrument.GasExport).(api.MutableGlobal)
	i.stack = i.wasm.ExportedGlobal(instrument.StackExport).(api.MutableGlobal)
	for k := range m.info.Globals {
		if g, ok := i.wasm.ExportedGlobal(instrument.GlobalExport(k)).(api.MutableGlobal); ok {
			i.globals = append(i.globals, changed{g, g.Get()})
		}
	}
	m.imaged.Do(func() { m.image = imageOf(i.lease.view()) })
	return i, nil
}

// idleInstance takes an instance that waits, or gives nil.
func (e *Engine) idleInstance(m *Module) *instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := len(m.idle) - 1
	if last < 0 {
		return nil
	}
	i := m.idle[last]
	m.idle[last] = nil
	m.idle = m.idle[:last]
	e.idleBytes -= len(i.lease.slab)
	return i
}

// giveInstance takes an instance back. It is kept for the next call, without a trace of the last one, if there is room.
func (e *Engine) giveInstance(ctx context.Context, m *Module, i *instance) error {
	i.lease.release()
	if i.lease.used != int(m.info.MinPages)*instrument.PageBytes {
		return i.Close(ctx)
	}
	memory := i.lease.view()
	clear(memory)
	copy(memory[m.image.offset:], m.image.bytes)
	for _, g := range i.globals {
		g.global.Set(g.start)
	}
	e.mu.Lock()
	keep := m.cached && len(m.idle) < maxIdle && e.idleBytes+len(i.lease.slab) <= e.limits.IdleBytes
	if keep {
		m.idle = append(m.idle, i)
		e.idleBytes += len(i.lease.slab)
	}
	e.mu.Unlock()
	if keep {
		return nil
	}
	return i.Close(ctx)
}

// maxIdle is how many instances of one module wait.
const maxIdle = 8

// dropIdle gives up the instances of a module that wait. Under e.mu.
func (e *Engine) dropIdle(m *Module) (idle []closer) {
	for _, i := range m.idle {
		e.idleBytes -= len(i.lease.slab)
		idle = append(idle, i)
	}
	m.idle = nil
	return idle
}

// Close frees the instance; its memory goes back to the pool.
func (i *instance) Close(ctx context.Context) error {
	err := i.wasm.Close(ctx)
	i.lease.Free()
	return err
}
