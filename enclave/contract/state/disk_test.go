package state

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// fault is what a disk does at its faulty step.
type fault int

const (
	faultCrash fault = iota // this step happens in part or not at all, and no other happens
	faultFull               // this write and all later ones find no space
	faultShort              // this write takes half and says so, without an error
	faultError              // this step fails, the next work
)

var errPower = errors.New("power is off")

// inode is a file's content, of which the first synced bytes survive a crash for certain.
type inode struct {
	data   []byte
	synced int
}

// nameOp is a change of names that no SyncDir has made durable.
type nameOp struct {
	from, to string // to alone: created; from alone: removed; both: renamed
	node     *inode
}

// disk is a file system in memory that knows what a crash may leave of it. Every change is a step, and the step
// numbered faultAt goes wrong.
type disk struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	pending []nameOp
	rand    *rand.Rand

	steps   int
	faultAt int
	fault   fault
	dead    bool
	full    bool
}

func newDisk() *disk {
	return &disk{names: map[string]*inode{}, durable: map[string]*inode{}, rand: rand.New(rand.NewPCG(1, 2))}
}

// step counts a change and reports how it goes wrong.
func (d *disk) step(isWrite bool) error {
	if d.dead {
		return errPower
	}
	d.steps++
	if d.full && isWrite {
		return syscall.ENOSPC
	}
	if d.steps != d.faultAt {
		return nil
	}
	switch d.fault {
	case faultCrash:
		d.dead = true
		return errPower
	case faultFull:
		d.full = true
		if isWrite {
			return syscall.ENOSPC
		}
		return nil
	case faultShort:
		if isWrite {
			return io.ErrShortWrite
		}
		return nil
	}
	return syscall.EIO
}

func (d *disk) MkdirAll(string) error { return nil }

func (d *disk) ReadDir(string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, errPower
	}
	return slices.Sorted(maps.Keys(d.names)), nil
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

func (d *disk) Open(path string) (ReadFile, int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, 0, errPower
	}
	n, ok := d.names[filepath.Base(path)]
	if !ok {
		return nil, 0, fs.ErrNotExist
	}
	return reader{bytes.NewReader(n.data)}, int64(len(n.data)), nil
}

func (d *disk) Create(path string) (WriteFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	if _, ok := d.names[name]; ok {
		return nil, fs.ErrExist
	}
	n := &inode{}
	d.names[name] = n
	d.pending = append(d.pending, nameOp{to: name, node: n})
	return &diskFile{d: d, n: n}, nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return err
	}
	op := nameOp{from: filepath.Base(from), to: filepath.Base(to), node: d.names[filepath.Base(from)]}
	op.do(d.names)
	d.pending = append(d.pending, op)
	return nil
}

func (d *disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return err
	}
	op := nameOp{from: filepath.Base(path), node: d.names[filepath.Base(path)]}
	op.do(d.names)
	d.pending = append(d.pending, op)
	return nil
}

func (d *disk) SyncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return err
	}
	d.durable = maps.Clone(d.names)
	d.pending = nil
	return nil
}

// do links and unlinks the very file that the operation was about, whatever else has become durable.
func (op nameOp) do(names map[string]*inode) {
	if op.from != "" && names[op.from] == op.node {
		delete(names, op.from)
	}
	if op.to != "" {
		names[op.to] = op.node
	}
}

type diskFile struct {
	d *disk
	n *inode
}

func (f *diskFile) Write(b []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.d.step(true)
	if err == nil {
		f.n.data = append(f.n.data, b...)
		return len(b), nil
	}
	n := f.d.rand.IntN(len(b))
	f.n.data = append(f.n.data, b[:n]...)
	if errors.Is(err, io.ErrShortWrite) {
		err = nil
	}
	return n, err
}

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(false); err != nil {
		return err
	}
	f.n.synced = len(f.n.data)
	return nil
}

func (f *diskFile) Close() error { return nil }

// afterCrash returns a disk as the machine may find it after power came back: any of the name changes that were not
// durable, and of every file all that was synced and any part of the rest.
func (d *disk) afterCrash(r *rand.Rand) *disk {
	names := maps.Clone(d.durable)
	for _, op := range d.pending {
		if r.IntN(2) == 0 {
			op.do(names)
		}
	}
	after := newDisk()
	for name, n := range names {
		data := append(bytes.Clone(n.data[:n.synced]), remains(r, n)...)
		after.names[name] = &inode{data: data, synced: len(data)}
	}
	after.durable = maps.Clone(after.names)
	return after
}

// remains returns what a crash leaves of the part of a file that was not synced.
func remains(r *rand.Rand, n *inode) []byte {
	rest := bytes.Clone(n.data[n.synced:])
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return rest[:r.IntN(len(rest)+1)]
	case 2: // some sectors never arrived
		for off := n.synced / sector * sector; off < len(n.data); off += sector {
			if r.IntN(2) == 0 {
				from, to := max(off, n.synced)-n.synced, min(off+sector, len(n.data))-n.synced
				clear(rest[from:to])
			}
		}
	}
	return rest
}

// clone copies a disk as it is, like a host that keeps an old image.
func (d *disk) clone() *disk {
	c := newDisk()
	for name, n := range d.names {
		c.names[name] = &inode{data: bytes.Clone(n.data), synced: len(n.data)}
	}
	c.durable = maps.Clone(c.names)
	return c
}

func (d *disk) equal(o *disk) bool {
	return maps.EqualFunc(d.names, o.names, func(a, b *inode) bool { return bytes.Equal(a.data, b.data) })
}
