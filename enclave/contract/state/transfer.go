package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
)

// ChunkSize bounds a chunk of an export, in bytes. All but the last have exactly this size.
const ChunkSize = 512 << 10

const (
	streamHead = 8 + 8
	entryHead  = contractSize + 2 + 4
)

// Export returns the content of a view as chunks of plaintext, the same for the same content. Whoever sends them
// encrypts them. Together they are
//
//	entries: u64 ‖ size: u64 ‖ for each entry in byte order: contract: [u8; 32] ‖ key length: u16 ‖ value length: u32 ‖ key ‖ value
//
// little-endian, with size as in [View.Size]. Topic count and root are not in it: they come from the finalized report
// that the receiver checks against. Each chunk belongs to the receiver.
func Export(v *View) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := chunker{yield: yield}
		var head [entryHead]byte
		binary.LittleEndian.PutUint64(head[0:], uint64(v.Len()))
		binary.LittleEndian.PutUint64(head[8:], uint64(v.size))
		if !c.write(string(head[:streamHead])) {
			return
		}
		v.m.Scan(func(path, value string) bool {
			copy(head[:], path[:contractSize])
			binary.LittleEndian.PutUint16(head[contractSize:], uint16(len(path)-contractSize))
			binary.LittleEndian.PutUint32(head[contractSize+2:], uint32(len(value)))
			return c.write(string(head[:])) && c.write(path[contractSize:]) && c.write(value)
		})
		c.flush()
	}
}

// ChunkCount returns how many chunks [Export] makes of a view.
func ChunkCount(v *View) int {
	total := int64(streamHead) + v.size + int64(v.Len())*(entryHead-contractSize)
	return int((total + ChunkSize - 1) / ChunkSize)
}

// chunker cuts a stream into chunks.
type chunker struct {
	yield   func([]byte) bool
	buf     []byte
	stopped bool
}

// write appends to the stream and reports whether more is wanted.
func (c *chunker) write(s string) bool {
	for len(s) > 0 && !c.stopped {
		if c.buf == nil {
			c.buf = make([]byte, 0, ChunkSize)
		}
		n := min(len(s), ChunkSize-len(c.buf))
		c.buf = append(c.buf, s[:n]...)
		s = s[n:]
		if len(c.buf) == ChunkSize {
			c.flush()
		}
	}
	return !c.stopped
}

func (c *chunker) flush() {
	if len(c.buf) == 0 || c.stopped {
		return
	}
	c.stopped = !c.yield(c.buf)
	c.buf = nil
}

// Importer builds a tree from an export's chunks. Whatever the chunks say, it holds no more than its maximal size, one
// entry and one chunk.
type Importer struct {
	limits  Limits
	maximum int64
	tree    Tree
	pending []byte
	last    string
	begun   bool
	ended   bool // a chunk below ChunkSize has come
	entries uint64
	size    uint64
	err     error
}

// NewImporter returns an importer of exports of at most maximum bytes ([View.Size]).
func NewImporter(limits Limits, maximum int64) *Importer {
	limits = limits.filled()
	return &Importer{limits: limits, maximum: maximum, tree: Tree{limits: limits}}
}

// Add takes the next chunk. All but the last must have [ChunkSize] bytes, so that nobody can make the importer copy one
// long value over and over for crumbs of it. Errors: [ErrImport], [ErrBound]; the first one sticks.
func (im *Importer) Add(chunk []byte) error {
	if im.err != nil {
		return im.err
	}
	im.err = im.add(chunk)
	return im.err
}

func (im *Importer) add(chunk []byte) error {
	if len(chunk) == 0 || len(chunk) > ChunkSize || im.ended {
		return fmt.Errorf("%w: chunk of %d bytes, or after the last", ErrImport, len(chunk))
	}
	im.ended = len(chunk) < ChunkSize
	b := chunk
	if len(im.pending) > 0 {
		im.pending = append(im.pending, chunk...)
		b = im.pending
	}
	for {
		n, err := im.next(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	im.pending = bytes.Clone(b)
	return nil
}

// next takes one entry, or the head, off b and returns its bytes, or 0 when it is not whole yet.
func (im *Importer) next(b []byte) (int, error) {
	if !im.begun {
		return im.head(b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	if im.entries == uint64(im.tree.m.Len()) {
		return 0, fmt.Errorf("%w: bytes after the last entry", ErrImport)
	}
	if len(b) < entryHead {
		return 0, nil
	}
	key := int(binary.LittleEndian.Uint16(b[contractSize:]))
	size := binary.LittleEndian.Uint32(b[contractSize+2:])
	if size > maxValue {
		return 0, fmt.Errorf("%w: value of %d bytes", ErrBound, size)
	}
	value := int(size)
	if err := im.limits.check(key, value); err != nil {
		return 0, err
	}
	if left := im.size - uint64(im.tree.size); uint64(contractSize+key+value) > left {
		return 0, fmt.Errorf("%w: entries over the size told", ErrImport)
	}
	end := entryHead + key + value
	if len(b) < end {
		return 0, nil
	}
	path := string(b[:contractSize]) + string(b[entryHead:entryHead+key])
	if im.tree.m.Len() > 0 && path <= im.last {
		return 0, fmt.Errorf("%w: entries out of order", ErrImport)
	}
	im.last = path
	im.tree.m.Load(path, string(b[entryHead+key:end]))
	im.tree.size += int64(contractSize + key + value)
	return end, nil
}

func (im *Importer) head(b []byte) (int, error) {
	if len(b) < streamHead {
		return 0, nil
	}
	im.entries, im.size = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if im.size > math.MaxInt64 || int64(im.size) > im.maximum {
		return 0, fmt.Errorf("%w: state of %d bytes, at most %d", ErrBound, im.size, im.maximum)
	}
	if im.entries > im.size/contractSize {
		return 0, fmt.Errorf("%w: %d entries in %d bytes", ErrImport, im.entries, im.size)
	}
	im.begun = true
	return streamHead, nil
}

// whole reports as an error what is missing of the export.
func (im *Importer) whole() error {
	if im.err != nil {
		return im.err
	}
	if !im.begun || len(im.pending) > 0 || uint64(im.tree.m.Len()) != im.entries || uint64(im.tree.size) != im.size {
		return fmt.Errorf("%w: incomplete", ErrImport)
	}
	return nil
}

// Finish hashes the whole and returns the tree, once. Count, key epoch and the 32-byte RootKey are those of the
// finalized report; the caller compares the root of the tree's view with the report's before it believes anything of
// it. Errors: [ErrImport], [ErrKey], the context's.
func (im *Importer) Finish(ctx context.Context, count uint64, epoch uint32, rootKey []byte) (*Tree, error) {
	if err := im.whole(); err != nil {
		return nil, err
	}
	if len(rootKey) != keySize {
		return nil, fmt.Errorf("%w: root key has %d bytes, not %d", ErrKey, len(rootKey), keySize)
	}
	im.err = fmt.Errorf("%w: finished already", ErrImport)
	t := &im.tree
	t.h = newHasher(epoch, rootKey)
	sum, err := t.h.sumOf(ctx, &t.m)
	if err != nil {
		return nil, err
	}
	t.sum, t.count = sum, count
	t.publish()
	return t, nil
}
