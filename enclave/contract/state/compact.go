package state

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	logPrefix      = "log-"
	snapshotPrefix = "snapshot-"
	temporary      = ".tmp"
)

func fileName(kind uint8, gen uint64) string {
	prefix := logPrefix
	if kind == kindSnapshot {
		prefix = snapshotPrefix
	}
	return fmt.Sprintf("%s%016x", prefix, gen)
}

// listing is what a directory holds of ours, generations ascending.
type listing struct {
	logs, snapshots []uint64
	temporaries     []string
}

func (s *Store) list() (*listing, error) {
	names, err := s.opts.FS.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("state: list files: %w", err)
	}
	l := &listing{}
	for _, name := range names {
		plain, isTemporary := strings.CutSuffix(name, temporary)
		kind, gen, ok := parseName(plain)
		switch {
		case !ok:
		case isTemporary:
			l.temporaries = append(l.temporaries, name)
		case kind == kindLog:
			l.logs = append(l.logs, gen)
		default:
			l.snapshots = append(l.snapshots, gen)
		}
	}
	slices.Sort(l.logs)
	slices.Sort(l.snapshots)
	return l, nil
}

func parseName(name string) (kind uint8, gen uint64, ok bool) {
	kind = kindLog
	digits, found := strings.CutPrefix(name, logPrefix)
	if !found {
		kind = kindSnapshot
		digits, found = strings.CutPrefix(name, snapshotPrefix)
	}
	gen, err := strconv.ParseUint(digits, 16, 64)
	return kind, gen, found && err == nil && name == fileName(kind, gen)
}

// publish makes a finished file durable and gives it its name.
func (s *Store) publish(w *writer) error {
	if err := w.sync(); err != nil {
		return err
	}
	if err := s.opts.FS.Rename(s.path(w.name+temporary), s.path(w.name)); err != nil {
		return w.fail(err)
	}
	if err := s.opts.FS.SyncDir(s.dir); err != nil {
		return w.fail(err)
	}
	return nil
}

// createLog makes the log of a generation, empty and durable.
func (s *Store) createLog(gen uint64, b *base) (*writer, error) {
	w, err := s.create(kindLog, gen, b)
	if err != nil {
		return nil, err
	}
	if err := s.publish(w); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// writeSnapshot makes the snapshot of a generation, durable, and returns its size.
func (s *Store) writeSnapshot(gen uint64, at mark, v *View) (int64, error) {
	w, err := s.create(kindSnapshot, gen, &base{mark: at})
	if err != nil {
		return 0, err
	}
	for chunk := range Export(v) {
		err = w.frame(at.seq, frameChunk, chunk)
		clear(chunk)
		if err != nil {
			break
		}
	}
	if err == nil {
		err = s.publish(w)
	}
	return w.size, errors.Join(err, w.close())
}

// establish begins a generation with a snapshot and an empty log, and removes all before it.
func (s *Store) establish(gen uint64, at mark, v *View) error {
	size, err := s.writeSnapshot(gen, at, v)
	if err != nil {
		return err
	}
	log, err := s.createLog(gen, &base{mark: at})
	if err != nil {
		return err
	}
	s.gen, s.log, s.snapshot = gen, log, size
	return s.removeBefore(gen)
}

// removeBefore removes what a durable snapshot has made needless.
func (s *Store) removeBefore(gen uint64) error {
	l, err := s.list()
	if err != nil {
		return err
	}
	for _, files := range []struct {
		kind uint8
		gens []uint64
	}{{kindLog, l.logs}, {kindSnapshot, l.snapshots}} {
		for _, g := range files.gens {
			if g >= gen {
				break
			}
			if err := s.opts.FS.Remove(s.path(fileName(files.kind, g))); err != nil {
				return &FileError{File: fileName(files.kind, g), Err: err}
			}
		}
	}
	if err := s.opts.FS.SyncDir(s.dir); err != nil {
		return fmt.Errorf("state: sync directory: %w", err)
	}
	return nil
}

// compactIfLarge begins a compaction when the log has outgrown the snapshot or its key. The batch before it is durable:
// an error shows at the next one.
func (s *Store) compactIfLarge() {
	full := s.log.number >= s.opts.frames
	if full {
		s.await()
	}
	if s.compacted != nil || s.err != nil || !full && s.log.size <= max(s.opts.Floor, s.snapshot) {
		return
	}
	s.compact()
}

// compactAndWait makes a snapshot of the newest state.
func (s *Store) compactAndWait() error {
	s.await()
	if s.err != nil {
		return s.err
	}
	s.compact()
	s.await()
	return s.err
}

// await waits, with the lock given up meanwhile, until no compaction is under way.
func (s *Store) await() {
	for s.compacted != nil {
		done := s.compacted
		s.mu.Unlock()
		<-done
		s.mu.Lock()
	}
}

// compact turns to a new log and then writes the snapshot at which that begins, beside later batches. Its goroutine
// ends by itself; Close awaits it.
func (s *Store) compact() {
	gen, at, v := s.gen+1, s.at, s.tree.view
	log, err := s.createLog(gen, &base{mark: at, follows: s.log.cipher.head.id})
	if err != nil {
		s.err = err
		return
	}
	old := s.log
	s.gen, s.log = gen, log
	if err := old.close(); err != nil {
		s.err = err
		return
	}
	if s.opts.inline {
		s.snapshot, s.err = s.snapshotAndRemove(gen, at, v)
		return
	}
	done := make(chan struct{})
	s.compacted = done
	go func() {
		size, err := s.snapshotAndRemove(gen, at, v)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.snapshot, s.compacted = size, nil
		if err != nil && s.err == nil {
			s.err = err
		}
		close(done)
	}()
}

func (s *Store) snapshotAndRemove(gen uint64, at mark, v *View) (int64, error) {
	size, err := s.writeSnapshot(gen, at, v)
	if err != nil {
		return 0, err
	}
	return size, s.removeBefore(gen)
}
