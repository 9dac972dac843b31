package contract

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// CompiledStore keeps compiled modules longer than the engine does, so that a restarted worker need not compile again.
// What it gives is machine code that the engine runs: an implementation must give only what it was given, under the
// same hash, and nobody else may be able to read it. It may forget at will.
type CompiledStore interface {
	// Load gives what was last saved for the code of a hash.
	Load(code [32]byte) ([]byte, bool)
	// Save keeps a compiled module, at most MaxCompiled bytes.
	Save(code [32]byte, compiled []byte) error
}

// MaxCompiled is the most bytes of one compiled module that are kept.
const MaxCompiled = 64 << 20

// stage is where wazero's own cache of compiled code leaves a module to be saved and finds one that was loaded: a
// directory in the enclave's memory, which holds no file but while a module is compiled: what was loaded, and what was
// compiled where that is of another release.
type stage struct {
	mu    sync.Mutex // held while a module is compiled
	root  string
	lock  *os.File // of root
	dirs  []string // that wazero made in it, and counts on
	cache wazero.CompilationCache
}

// newStage makes a stage in a directory that is on a file system in memory. Elsewhere there is none, for what stands
// there could be read and changed by the host.
func newStage(parent string) (*stage, error) {
	if parent == "" || !inMemory(parent) {
		return nil, nil
	}
	dropStages(parent)
	root, lock, err := newStageRoot(parent)
	if err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(root)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(root), lock.Close())
	}
	s := &stage{root: root, lock: lock, cache: cache}
	if s.dirs, err = filepath.Glob(filepath.Join(root, "*")); err != nil {
		return nil, errors.Join(err, s.close(context.Background()))
	}
	return s, nil
}

// stagePrefix begins the names of stages.
const stagePrefix = "phalanx-stage-"

// newStageRoot makes a directory and locks it for as long as this process runs. Another process that starts may take a
// new one for left behind, until it is locked.
func newStageRoot(parent string) (root string, lock *os.File, err error) {
	for range 8 {
		if root, err = os.MkdirTemp(parent, stagePrefix); err != nil {
			return "", nil, err
		}
		if lock, err = lockStage(root); err == nil {
			return root, lock, nil
		}
		err = errors.Join(fmt.Errorf("lock: %w", err), os.RemoveAll(root))
	}
	return "", nil, err
}

// dropStages removes what processes that ended without removing it have left, for it takes memory. Each is locked by the
// process that uses it.
func dropStages(parent string) {
	left, err := filepath.Glob(filepath.Join(parent, stagePrefix+"*"))
	if err != nil {
		return // the directory's name is none of Glob's patterns
	}
	for _, root := range left {
		if lock, err := lockStage(root); err == nil {
			_ = os.RemoveAll(root) // another user's stays
			_ = lock.Close()
		}
	}
}

func (s *stage) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return errors.Join(s.cache.Close(ctx), os.RemoveAll(s.root), s.lock.Close())
}

// compile runs do, which compiles the module of a code hash, with what the store has at hand, and saves what is new.
// A store that fails costs time, nothing else.
func (s *stage) compile(store CompiledStore, code [32]byte, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, dir := range s.dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil { // it is gone where somebody has cleaned up
			return fmt.Errorf("stage for compiled code: %w", err)
		}
	}
	var put staged
	if raw, ok := load(store, code); !ok || scale.Unmarshal(raw, &put) != nil || s.put(&put) != nil {
		put.Name = ""
	}
	err := do()
	if err != nil {
		// What was kept is no good, or the stage has no room for what is new; the compiler has that in memory then. Once
		// more, without what was kept.
		if _, err := s.take(""); err != nil {
			return err
		}
		put.Name = ""
		err = do()
	}
	found, readErr := s.take(put.Name)
	if err == nil && store != nil && readErr == nil && found != nil {
		if raw, err := scale.Marshal(found); err == nil {
			_ = store.Save(code, raw) // it is compiled again another time
		}
	}
	return errors.Join(err, readErr)
}

func load(store CompiledStore, code [32]byte) ([]byte, bool) {
	if store == nil {
		return nil, false
	}
	return store.Load(code)
}

// staged is a file of wazero's cache. Its name depends on the module, on wazero's release and on the processor, so that
// one that does not fit is not found.
type staged struct {
	Name string // below the stage
	Code []byte
}

// Scale visits the fields in order.
func (f *staged) Scale(c *scale.Codec) {
	c.Text(&f.Name, 256)
	c.Bytes(&f.Code, MaxCompiled-512)
}

func (s *stage) put(f *staged) error {
	if !filepath.IsLocal(f.Name) {
		return fmt.Errorf("%w: %q", fs.ErrInvalid, f.Name)
	}
	path := filepath.Join(s.root, f.Name)
	if err := os.WriteFile(path, f.Code, 0o600); err != nil {
		_ = os.Remove(path) // wazero must not find a part of it
		return err
	}
	return nil
}

// take removes every file from the stage and gives the one that there is beside what was put there under a name.
func (s *stage) take(put string) (found *staged, err error) {
	err = filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f := &staged{}
		if f.Name, err = filepath.Rel(s.root, path); err != nil {
			return err
		}
		if f.Name == put {
			return os.Remove(path)
		}
		if f.Code, err = os.ReadFile(path); err != nil {
			return err
		}
		found = f
		return os.Remove(path)
	})
	return found, err
}
