package contract

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
	"golang.org/x/crypto/blake2b"

	"github.com/phalanx-network/phalanx/enclave/contract/instrument"
)

// Errors that callers act on.
var (
	// ErrBadModule is wrapped by Prepare's errors about the code itself; they are the same on every machine.
	ErrBadModule = errors.New("bad contract module")
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("contract engine closed")
)

// Engine compiles and runs contracts.
type Engine struct {
	limits   Limits
	config   instrument.Config
	runtime  wazero.Runtime
	instance wazero.ModuleConfig
	pool     *pool
	stage    *stage // nil where compiled code is not kept

	running sync.RWMutex // held for reading by every operation, for writing by Close
	closed  bool         // under running

	mu      sync.Mutex
	entries map[[32]byte]*list.Element // of *Module
	order   *list.List                 // most recently used first
	bytes   int                        // instrumented code in entries
	// idleBytes is the memory of the instances that wait for a call.
	idleBytes int
}

// Module is prepared code. It stays valid as long as its Engine is open, also when the cache has dropped its compiled
// form, which is then compiled again.
type Module struct {
	hash  [32]byte
	info  instrument.Info
	bytes []byte        // instrumented code
	store CompiledStore // nil where compiled code is not kept

	compiling sync.Mutex // held while compiling
	compiled  wazero.CompiledModule
	users     int         // calls that run compiled, under Engine.mu
	cached    bool        // has an entry in the cache, under Engine.mu
	idle      []*instance // under Engine.mu
	imaged    sync.Once
	image     image // of the memory at the start, once there was an instance
}

// CodeHash is the BLAKE2b-256 hash of the code as it was given to Prepare.
func (m *Module) CodeHash() [32]byte { return m.hash }

// NewEngine makes an engine on wazero's compiler, or its interpreter where the compiler does not exist.
func NewEngine(ctx context.Context, limits Limits) (*Engine, error) {
	return newEngine(ctx, limits, wazero.NewRuntimeConfig(), "")
}

// NewInterpretingEngine makes an engine on wazero's interpreter, which gives the same outcomes many times slower: for
// those who compare the two.
func NewInterpretingEngine(ctx context.Context, limits Limits) (*Engine, error) {
	return newEngine(ctx, limits, wazero.NewRuntimeConfigInterpreter(), "")
}

// NewKeepingEngine makes an engine that can keep compiled code in a [CompiledStore]. For that it needs a directory on a
// file system in the enclave's memory, such as /dev/shm; where dir is elsewhere, nothing is kept ([Engine.Keeps]).
func NewKeepingEngine(ctx context.Context, limits Limits, dir string) (*Engine, error) {
	return newEngine(ctx, limits, wazero.NewRuntimeConfig(), dir)
}

// Keeps reports whether compiled code is kept in the stores that the engine is given.
func (e *Engine) Keeps() bool { return e.stage != nil }

func newEngine(ctx context.Context, limits Limits, config wazero.RuntimeConfig, dir string) (*Engine, error) {
	stage, err := newStage(dir)
	if err != nil {
		return nil, fmt.Errorf("stage for compiled code: %w", err)
	}
	if stage != nil {
		config = config.WithCompilationCache(stage.cache)
	}
	config = config.WithMemoryLimitPages(limits.Module.MaxPages).WithDebugInfoEnabled(false)
	e := &Engine{
		limits:   limits,
		config:   instrument.Config{Imports: hostSignatures(), Limits: limits.Module},
		runtime:  wazero.NewRuntimeWithConfig(ctx, config),
		instance: wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(noRandomness{}),
		pool:     newPool(limits.Module.MaxPages, limits.PoolBytes),
		stage:    stage,
		entries:  make(map[[32]byte]*list.Element),
		order:    list.New(),
	}
	if err := e.offerHost(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("offer host functions: %w", err), e.runtime.Close(ctx), stage.close(ctx))
	}
	return e, nil
}

// noRandomness stands in for the random source that wazero would seed anew for every instance, which took 40 % of a
// small call. No host function reads it.
type noRandomness struct{}

func (noRandomness) Read([]byte) (int, error) {
	return 0, errors.New("contracts have no random source")
}

// Close waits for running calls (gas bounds how long that takes) and frees everything.
func (e *Engine) Close(ctx context.Context) error {
	e.running.Lock()
	defer e.running.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	return errors.Join(e.runtime.Close(ctx), e.stage.close(ctx))
}

// enter begins an operation; the caller ends it with e.running.RUnlock.
func (e *Engine) enter() error {
	e.running.RLock()
	if e.closed {
		e.running.RUnlock()
		return ErrClosed
	}
	return nil
}

// Cached finds a prepared module by its code hash.
func (e *Engine) Cached(hash [32]byte) (*Module, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	el, ok := e.entries[hash]
	if !ok {
		return nil, false
	}
	e.order.MoveToFront(el)
	return el.Value.(*Module), true
}

// Prepare validates, instruments and compiles code, or finds it in the cache. Errors about the code wrap
// [ErrBadModule]. The work grows with the code, which is bounded; the caller charges for it by size.
func (e *Engine) Prepare(ctx context.Context, code []byte) (*Module, error) {
	return e.PrepareWith(ctx, code, nil)
}

// PrepareWith is [Engine.Prepare] with a store where compiled code is found and kept; it may be nil.
func (e *Engine) PrepareWith(ctx context.Context, code []byte, store CompiledStore) (*Module, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.running.RUnlock()
	return e.prepare(ctx, code, store)
}

func (e *Engine) prepare(ctx context.Context, code []byte, store CompiledStore) (*Module, error) {
	if len(code) > e.limits.Module.CodeBytes {
		return nil, fmt.Errorf("%w: code of %d bytes exceeds %d", ErrBadModule, len(code), e.limits.Module.CodeBytes)
	}
	hash := blake2b.Sum256(code)
	if m, ok := e.Cached(hash); ok {
		return m, nil
	}
	rewritten, info, err := instrument.Instrument(code, e.config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadModule, err)
	}
	m := &Module{hash: hash, info: info, bytes: rewritten, store: store}
	if err := e.acquire(ctx, m); err != nil {
		return nil, err
	}
	e.release(ctx, m)
	// Another goroutine may have prepared the same code meanwhile; its module is the one in the cache.
	if other, ok := e.Cached(hash); ok {
		return other, nil
	}
	return m, nil
}

// acquire makes sure that m is compiled and stays so until release.
func (e *Engine) acquire(ctx context.Context, m *Module) error {
	if e.use(m) {
		return nil
	}
	m.compiling.Lock()
	defer m.compiling.Unlock()
	if e.use(m) {
		return nil
	}
	// The instrumenting validator is whole, so a refusal here is a disagreement of two validators: a host fault.
	compiled, err := e.compile(ctx, m)
	if err != nil {
		return err
	}
	e.mu.Lock()
	m.compiled = compiled
	m.users = 1
	evicted := e.insert(m)
	e.mu.Unlock()
	return closeAll(ctx, evicted)
}

// compile compiles a module, or finds it in its store.
func (e *Engine) compile(ctx context.Context, m *Module) (compiled wazero.CompiledModule, err error) {
	do := func() (err error) {
		compiled, err = e.compileCode(ctx, m.bytes)
		return err
	}
	if e.stage == nil {
		err = do()
	} else {
		err = e.stage.compile(m.store, m.hash, do)
	}
	return compiled, err
}

// compileCode turns a panic of the compiler into an error: one contract's code must not stop the others.
func (e *Engine) compileCode(ctx context.Context, code []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compile instrumented module: panic: %v", r)
		}
	}()
	if compiled, err = e.runtime.CompileModule(ctx, code); err != nil {
		return nil, fmt.Errorf("compile instrumented module: %w", err)
	}
	return compiled, nil
}

// use counts a user of m if it is compiled, and makes it the most recent.
func (e *Engine) use(m *Module) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.compiled == nil {
		return false
	}
	m.users++
	if m.cached {
		e.order.MoveToFront(e.entries[m.hash])
	}
	return true
}

// insert puts m into the cache and gives what it displaces and nobody uses, in the order of closing. Under e.mu.
func (e *Engine) insert(m *Module) (evicted []closer) {
	if _, taken := e.entries[m.hash]; taken {
		return nil // m serves its own users and goes with the last
	}
	e.entries[m.hash] = e.order.PushFront(m)
	m.cached = true
	e.bytes += len(m.bytes)
	for e.order.Len() > 1 && (e.order.Len() > e.limits.CachedModules || e.bytes > e.limits.CachedBytes) {
		old := e.order.Remove(e.order.Back()).(*Module)
		delete(e.entries, old.hash)
		old.cached = false
		e.bytes -= len(old.bytes)
		evicted = append(evicted, e.dropIdle(old)...)
		if old.users == 0 {
			evicted = append(evicted, old.compiled)
			old.compiled = nil
		}
	}
	return evicted
}

// release ends a use of m; the last user of a module that is not cached frees its compiled form.
func (e *Engine) release(ctx context.Context, m *Module) error {
	e.mu.Lock()
	m.users--
	var idle []closer
	if m.users == 0 && !m.cached {
		idle = append(idle, m.compiled)
		m.compiled = nil
	}
	e.mu.Unlock()
	return closeAll(ctx, idle)
}

// closer is something that the cache has given up.
type closer interface {
	Close(ctx context.Context) error
}

func closeAll(ctx context.Context, all []closer) error {
	var errs []error
	for _, c := range all {
		errs = append(errs, c.Close(ctx))
	}
	return errors.Join(errs...)
}
