package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Open recovers the state that a directory holds, verifies it whole against the root of its last frame, and begins new
// files under fresh keys. A directory without state gives an empty state at topic count 0. The context cancels the
// verification. What the disk says is proven to be the cluster's own, not to be the newest: the caller compares
// [View.Count].
//
// Errors: a [FileError] around [ErrDamaged], [ErrForeign], [ErrVersion] or [ErrKey], after which the directory is as
// it was; [ErrKey] where a key of Options is not held; else the file system's.
func Open(ctx context.Context, dir string, rand io.Reader, opts Options) (*Store, error) {
	opts.Limits = opts.Limits.filled()
	if opts.Floor <= 0 {
		opts.Floor = defaultFloor
	}
	if opts.FS == nil {
		opts.FS = OS{}
	}
	if opts.frames == 0 {
		opts.frames = maxFrames
	}
	s := &Store{dir: dir, opts: opts, rand: rand}
	if err := opts.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("state: make directory: %w", err)
	}
	l, err := s.list()
	if err != nil {
		return nil, err
	}
	if err := s.recover(ctx, l); err != nil {
		return nil, err
	}
	for _, name := range l.temporaries {
		if err := opts.FS.Remove(s.path(name)); err != nil {
			return nil, &FileError{File: name, Err: err}
		}
	}
	if err := s.establish(l.newest()+1, s.at, s.tree.view); err != nil {
		if s.log != nil {
			err = errors.Join(err, s.log.close())
		}
		return nil, err
	}
	s.view.Store(s.tree.view)
	return s, nil
}

// newest returns the highest generation of any file, 0 where there is none.
func (l *listing) newest() uint64 {
	var gen uint64
	for _, gens := range [][]uint64{l.logs, l.snapshots} {
		if n := len(gens); n > 0 {
			gen = max(gen, gens[n-1])
		}
	}
	return gen
}

// recover builds tree and mark from the newest snapshot and the logs that run on from it.
func (s *Store) recover(ctx context.Context, l *listing) error {
	if l.newest() == 0 {
		return s.recoverNothing()
	}
	if len(l.snapshots) == 0 {
		return &FileError{File: fileName(kindSnapshot, l.logs[0]), Err: fmt.Errorf("%w: missing", ErrDamaged)}
	}
	if err := s.checkHeaders(l); err != nil {
		return err
	}
	gen := l.snapshots[len(l.snapshots)-1]
	p := &replay{store: s}
	if err := p.snapshot(gen); err != nil {
		return err
	}
	for ; gen <= l.newest(); gen++ {
		if len(l.logs) == 0 || l.logs[len(l.logs)-1] < gen {
			break // a crash, or the host, kept the first log after the snapshot from being
		}
		if !slices.Contains(l.logs, gen) {
			return &FileError{File: fileName(kindLog, gen), Err: fmt.Errorf("%w: missing", ErrDamaged)}
		}
		if err := p.log(gen, gen == l.newest()); err != nil {
			return err
		}
	}
	key, err := s.opts.RootKeys.of(p.at.epoch)
	if err != nil {
		return err
	}
	if s.tree, err = p.verified(ctx, key); err != nil {
		return err
	}
	s.at = p.at
	return nil
}

func (s *Store) recoverNothing() error {
	key, err := s.opts.RootKeys.of(s.opts.RootEpoch)
	if err != nil {
		return err
	}
	if s.tree, err = NewTree(s.opts.RootEpoch, key, s.opts.Limits); err != nil {
		return err
	}
	s.at = mark{epoch: s.opts.RootEpoch, root: s.tree.view.root}
	return nil
}

// checkHeaders looks at every file, also those that are not needed any more and will be removed, so that nothing of
// another cluster is.
func (s *Store) checkHeaders(l *listing) error {
	for _, gen := range l.snapshots {
		if err := s.checkHeader(kindSnapshot, gen); err != nil {
			return err
		}
	}
	for _, gen := range l.logs {
		if err := s.checkHeader(kindLog, gen); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkHeader(kind uint8, gen uint64) error {
	r, _, err := s.openFile(kind, gen)
	if err != nil {
		return err
	}
	return r.f.Close()
}

// openFile opens a file of ours and reads its header.
func (s *Store) openFile(kind uint8, gen uint64) (*frameReader, *header, error) {
	name := fileName(kind, gen)
	f, size, err := s.opts.FS.Open(s.path(name))
	if err != nil {
		return nil, nil, &FileError{File: name, Err: err}
	}
	r := &frameReader{name: name, f: f, size: size}
	h, err := r.header()
	if err == nil && h.cluster != s.opts.Cluster {
		err = r.fail(ErrForeign)
	}
	if err == nil && (h.kind != kind || h.gen != gen) {
		err = r.fail(fmt.Errorf("%w: file has another's name", ErrDamaged))
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	r.off = sector
	return r, h, nil
}

// replay is a recovery under way.
type replay struct {
	store *Store
	tree  *Tree
	at    mark
	last  [32]byte // id of the log before
}

// begin opens a file and its base.
func (p *replay) begin(kind uint8, gen uint64) (*frameReader, *base, error) {
	r, h, err := p.store.openFile(kind, gen)
	if err != nil {
		return nil, nil, err
	}
	b := &base{}
	if r.cipher, err = oldFile(h, p.store.opts.StateKeys); err != nil {
		return nil, nil, errors.Join(r.fail(err), r.f.Close())
	}
	if err = r.base(b); err != nil {
		return nil, nil, errors.Join(err, r.f.Close())
	}
	return r, b, nil
}

// base reads frame 0, whose sequence is bound as 0: where the file stands is in its body.
func (r *frameReader) base(b *base) error {
	body, err := r.next(0, frameBase)
	if errors.Is(err, io.EOF) {
		err = r.fail(errCut)
	}
	if err != nil {
		return err
	}
	defer clear(body)
	if err := scale.Unmarshal(body, b); err != nil {
		return r.fail(fmt.Errorf("%w: base: %w", ErrDamaged, err))
	}
	return nil
}

func (p *replay) snapshot(gen uint64) error {
	r, b, err := p.begin(kindSnapshot, gen)
	if err != nil {
		return err
	}
	im := NewImporter(Limits{Key: maxKey, Value: maxValue}, r.size)
	return errors.Join(p.chunks(r, b, im), r.f.Close())
}

func (p *replay) chunks(r *frameReader, b *base, im *Importer) error {
	for {
		body, err := r.next(b.mark.seq, frameChunk)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		err = im.Add(body)
		clear(body)
		if err != nil {
			return r.fail(fmt.Errorf("%w: %w", ErrDamaged, err))
		}
	}
	if err := im.whole(); err != nil {
		return r.fail(fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	p.tree, p.at = &im.tree, b.mark
	p.tree.limits = p.store.opts.Limits
	return nil
}

// log replays a log. Only the newest can end in a frame that a crash interrupted.
func (p *replay) log(gen uint64, newest bool) error {
	r, b, err := p.begin(kindLog, gen)
	if err != nil {
		return err
	}
	if !b.mark.same(&p.at) || b.follows != [32]byte{} && p.last != [32]byte{} && b.follows != p.last {
		err = r.fail(fmt.Errorf("%w: does not begin where the file before it ends", ErrDamaged))
	}
	if err == nil {
		err = p.batches(r, newest)
	}
	p.last = r.cipher.head.id
	return errors.Join(err, r.f.Close())
}

func (p *replay) batches(r *frameReader, newest bool) error {
	for {
		body, err := r.next(p.at.seq+1, frameBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return p.end(r, err, newest)
		}
		err = p.apply(body)
		clear(body)
		if err != nil {
			return r.fail(err)
		}
	}
}

// end decides whether a frame that cannot be read is what a crash leaves.
func (p *replay) end(r *frameReader, cause error, newest bool) error {
	if !newest {
		return cause
	}
	torn, err := r.torn(cause, p.at.seq+1)
	if err != nil {
		return r.fail(err)
	}
	if !torn {
		return cause
	}
	return nil
}

func (p *replay) apply(body []byte) error {
	x := &batch{}
	if err := scale.Unmarshal(body, x); err != nil {
		return fmt.Errorf("%w: batch: %w", ErrDamaged, err)
	}
	if x.mark.seq != p.at.seq+1 || x.mark.count <= p.at.count {
		return fmt.Errorf("%w: batch %d at count %d after %d at %d", ErrDamaged, x.mark.seq, x.mark.count, p.at.seq, p.at.count)
	}
	for _, w := range x.writes {
		if old, ok := p.tree.m.Get(w.path); ok {
			p.tree.size -= entrySize(w.path, old)
		}
		if !w.deleted {
			p.tree.size += entrySize(w.path, w.value)
		}
	}
	p.tree.write(x.writes)
	p.at = x.mark
	return nil
}

// verified hashes the whole and returns the tree if its root is the last frame's.
func (p *replay) verified(ctx context.Context, rootKey []byte) (*Tree, error) {
	t := p.tree
	t.h = newHasher(p.at.epoch, rootKey)
	sum, err := t.h.sumOf(ctx, &t.m)
	if err != nil {
		return nil, err
	}
	if sum.root() != p.at.root {
		return nil, fmt.Errorf("%w: content has another root than its last frame tells", ErrDamaged)
	}
	t.sum, t.count = sum, p.at.count
	t.publish()
	return t, nil
}
