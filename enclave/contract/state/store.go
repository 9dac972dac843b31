package state

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

const (
	defaultFloor = 4 << 20
	// maxFrames is how many frames a file takes under its key.
	maxFrames = math.MaxUint32
	// keepBuffer is the largest frame buffer that is kept for the next frame.
	keepBuffer = 1 << 20
)

// Options say whose state a directory holds and under which keys.
type Options struct {
	Cluster   [32]byte
	StateKeys KeyRing // state keys by key epoch, for files
	RootKeys  KeyRing // RootKeys by key epoch
	Epoch     uint32  // key epoch that new files are written under
	RootEpoch uint32  // key epoch of the root, where the directory holds no state yet
	Limits    Limits
	// Floor is the size of a log, in bytes, below which it is not compacted: 4 MiB by default.
	Floor int64
	// FS is the operating system's by default.
	FS FS

	inline bool   // compaction runs in the appending goroutine: tests order its steps so
	frames uint64 // frames per file, lowered by tests
}

// Store is the durable state of one cluster. Append, Snapshot and the like are for one writer at a time, which they
// enforce by a lock; View never waits.
type Store struct {
	dir  string
	opts Options
	rand io.Reader
	view atomic.Pointer[View]

	mu        sync.Mutex
	tree      *Tree
	at        mark
	gen       uint64 // of the log
	log       *writer
	snapshot  int64 // bytes of the newest snapshot
	compacted chan struct{}
	err       error
}

// Format prints the type's name alone.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprint(f, "state.Store") }

// View returns the newest durable state.
func (s *Store) View() *View { return s.view.Load() }

// Meta returns a copy of what the caller stored with the newest batch.
func (s *Store) Meta() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.at.meta...)
}

// Err returns the error after which the store takes no more batches, or nil. The remedy is to open the directory again.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Append makes a batch of writes durable together with the topic count that the state then stands at and the caller's
// own meta, and then makes it the newest view. The count must grow ([ErrCount]); the writes must be of an overlay on
// the newest view, or none ([ErrStale]); the batch is bounded ([ErrBound]). After any other error the store is closed
// to batches, memory stands where it stood, and what the disk holds shows when it is opened again: the state before
// the batch or after it, never between.
func (s *Store) Append(count uint64, w WriteSet, meta []byte) error {
	return s.append(count, w, meta, nil)
}

// AppendRehashed is [Store.Append] after which the root is under the rehash's key. The rehash must be the newest and
// done ([ErrStale]).
func (s *Store) AppendRehashed(count uint64, w WriteSet, meta []byte, r *Rehash) error {
	if r == nil {
		return fmt.Errorf("%w: no rehash", ErrStale)
	}
	return s.append(count, w, meta, r)
}

// BeginRehash starts the change to the RootKey of another epoch, at the newest view. Its [Rehash.Run] is the caller's
// to run. After a restart it begins anew.
func (s *Store) BeginRehash(epoch uint32) (*Rehash, error) {
	key, err := s.opts.RootKeys.of(epoch)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree.BeginRehash(epoch, key)
}

func (s *Store) append(count uint64, w WriteSet, meta []byte, r *Rehash) error {
	if len(meta) > MaxMeta {
		return fmt.Errorf("%w: meta of %d bytes, at most %d", ErrBound, len(meta), MaxMeta)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	c, err := s.tree.prepare(count, w, r)
	if err != nil {
		return err
	}
	at := mark{seq: s.at.seq + 1, count: count, epoch: s.tree.h.epoch, root: c.sum.root(), meta: append([]byte(nil), meta...)}
	if r != nil {
		at.epoch = r.h.epoch
	}
	body, err := scale.Marshal(&batch{mark: at, writes: w.writes})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBound, err)
	}
	defer clear(body)
	if len(body) > maxBody {
		return fmt.Errorf("%w: batch of %d bytes, at most %d", ErrBound, len(body), maxBody)
	}
	if err := s.writeBatch(at.seq, body); err != nil {
		s.err = err
		return err
	}
	s.tree.commit(c)
	s.at = at
	s.view.Store(s.tree.view)
	s.compactIfLarge()
	return nil
}

func (s *Store) writeBatch(seq uint64, body []byte) error {
	if err := s.log.frame(seq, frameBatch, body); err != nil {
		return err
	}
	return s.log.sync()
}

// Snapshot writes the newest state as a snapshot, under a new file key, and removes what it makes needless. It returns
// when that is durable.
func (s *Store) Snapshot() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compactAndWait()
}

// Rekey is [Store.Snapshot] under the state key of another epoch, which stays in force. After it no file needs the
// old key.
func (s *Store) Rekey(epoch uint32) error {
	if _, err := s.opts.StateKeys.of(epoch); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await()
	s.opts.Epoch = epoch
	return s.compactAndWait()
}

// Replace makes an imported tree, which then is the store's, the whole of the state, with the caller's meta. Its count
// may not be below the present one ([ErrCount]). The caller has compared its root.
func (s *Store) Replace(t *Tree, meta []byte) error {
	if len(meta) > MaxMeta {
		return fmt.Errorf("%w: meta of %d bytes, at most %d", ErrBound, len(meta), MaxMeta)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await()
	if s.err != nil {
		return s.err
	}
	v := t.View()
	if v.count < s.at.count {
		return fmt.Errorf("%w: %d after %d", ErrCount, v.count, s.at.count)
	}
	at := mark{seq: s.at.seq + 1, count: v.count, epoch: v.epoch, root: v.root, meta: append([]byte(nil), meta...)}
	old := s.log
	err := s.establish(s.gen+1, at, v)
	if s.log != old {
		err = errors.Join(err, old.close())
	}
	if err != nil {
		s.err = err
		return err
	}
	t.limits = s.opts.Limits
	t.publish()
	s.tree, s.at = t, at
	s.view.Store(t.view)
	return nil
}

// Close waits for a compaction under way and closes the files. A store that is closed answers [ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await()
	if errors.Is(s.err, ErrClosed) {
		return nil
	}
	s.err = ErrClosed
	return s.log.close()
}

// writer appends frames to one file.
type writer struct {
	f      WriteFile
	name   string
	cipher *fileCipher
	number uint64
	size   int64
	buf    []byte
}

func (w *writer) fail(err error) error { return &FileError{File: w.name, Offset: w.size, Err: err} }

// create makes a file under a temporary name, with its header and base.
func (s *Store) create(kind uint8, gen uint64, b *base) (*writer, error) {
	h := header{kind: kind, epoch: s.opts.Epoch, gen: gen, cluster: s.opts.Cluster}
	c, err := newFile(h, s.opts.StateKeys, s.rand)
	if err != nil {
		return nil, err
	}
	name := fileName(kind, gen)
	f, err := s.opts.FS.Create(s.path(name + temporary))
	if err != nil {
		return nil, &FileError{File: name, Err: err}
	}
	w := &writer{f: f, name: name, cipher: c}
	if err := w.begin(b); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) begin(b *base) error {
	body, err := scale.Marshal(b)
	if err != nil {
		return err
	}
	if err := w.write(w.cipher.head.encode()); err != nil {
		return err
	}
	return w.frame(0, frameBase, body)
}

func (w *writer) frame(seq uint64, kind uint8, body []byte) error {
	b, err := w.cipher.seal(w.buf, w.number, seq, kind, body)
	if err != nil {
		return w.fail(err)
	}
	w.number++
	if cap(b) <= keepBuffer {
		w.buf = b
	}
	return w.write(b)
}

func (w *writer) write(b []byte) error {
	n, err := w.f.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.fail(err)
	}
	w.size += int64(n)
	return nil
}

func (w *writer) sync() error {
	if err := w.f.Sync(); err != nil {
		return w.fail(err)
	}
	return nil
}

func (w *writer) close() error {
	if err := w.f.Close(); err != nil {
		return w.fail(err)
	}
	return nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }
