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
// directory in the enclave's memory, which holds one file at most, and none but while a module is compiled.
type stage struct {
	mu    sync.Mutex // held while a module is compiled
	root  string
	cache wazero.CompilationCache
}

// newStage makes a stage in a directory that is on a file system in memory. Elsewhere there is none, for what stands
// there could be read and changed by the host.
func newStage(parent string) (*stage, error) {
	if parent == "" || !inMemory(parent) {
		return nil, nil
	}
	root, err := os.MkdirTemp(parent, "phalanx-stage-")
	if err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(root)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	return &stage{root: root, cache: cache}, nil
}

func (s *stage) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return errors.Join(s.cache.Close(ctx), os.RemoveAll(s.root))
}

// compile runs do, which compiles the module of a code hash, with what the store has at hand, and saves what is new.
// A store that fails costs time, nothing else.
func (s *stage) compile(store CompiledStore, code [32]byte, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var put staged
	known := false
	if raw, ok := load(store, code); ok && scale.Unmarshal(raw, &put) == nil {
		known = s.put(&put) == nil
	}
	err := do()
	if err != nil && known { // what was kept is no good: once more without it
		if _, err := s.take(); err != nil {
			return err
		}
		known = false
		err = do()
	}
	found, readErr := s.take()
	if err == nil && store != nil && readErr == nil && found != nil && !(known && found.Name == put.Name) {
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
	return os.WriteFile(filepath.Join(s.root, f.Name), f.Code, 0o600)
}

// take removes every file from the stage and gives the one that there is.
func (s *stage) take() (found *staged, err error) {
	err = filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f := &staged{}
		if f.Name, err = filepath.Rel(s.root, path); err != nil {
			return err
		}
		if f.Code, err = os.ReadFile(path); err != nil {
			return err
		}
		found = f
		return os.Remove(path)
	})
	return found, err
}
