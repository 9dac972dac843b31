package state

import (
	"fmt"
	"math"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// MaxMeta bounds what a caller stores beside a batch, in bytes.
const MaxMeta = 64 << 10

// mark is where the state stands after a frame.
type mark struct {
	seq   uint64 // batches ever written
	count uint64
	epoch uint32 // of the RootKey
	root  [32]byte
	meta  []byte
}

func (m *mark) Scale(c *scale.Codec) {
	c.U64(&m.seq)
	c.U64(&m.count)
	c.U32(&m.epoch)
	c.Fixed(m.root[:])
	c.Bytes(&m.meta, MaxMeta)
}

func (m *mark) same(o *mark) bool {
	return m.seq == o.seq && m.count == o.count && m.epoch == o.epoch && m.root == o.root &&
		string(m.meta) == string(o.meta)
}

// base is frame 0 of a file. follows is the id of the log before, or zero where only the snapshot of the same
// generation stands before.
type base struct {
	mark    mark
	follows [32]byte
}

func (b *base) Scale(c *scale.Codec) {
	b.mark.Scale(c)
	c.Fixed(b.follows[:])
}

// batch is a log's frame: where the state stands after it, and the writes that lead there.
type batch struct {
	mark   mark
	writes []write
}

func (b *batch) Scale(c *scale.Codec) {
	b.mark.Scale(c)
	last := ""
	scale.Slice(c, &b.writes, math.MaxInt32, func(w *write) {
		w.Scale(c)
		if c.Decoding() && c.Err() == nil {
			if last != "" && w.path <= last {
				c.Fail(fmt.Errorf("%w: writes out of order", ErrDamaged))
			}
			last = w.path
		}
	})
}

// Scale visits contract: [u8; 32], key: Vec<u8>, value: Option<Vec<u8>>, which is None where the entry is deleted.
func (w *write) Scale(c *scale.Codec) {
	var contract [contractSize]byte
	var key, value []byte
	if !c.Decoding() {
		copy(contract[:], w.path)
		key, value = []byte(w.path[contractSize:]), []byte(w.value)
	}
	some := !w.deleted
	c.Fixed(contract[:])
	c.Bytes(&key, maxKey)
	c.Bool(&some)
	if some {
		c.Bytes(&value, maxValue)
	}
	if c.Decoding() {
		*w = write{path: pathOf(contract, key), value: string(value), deleted: !some}
	}
}
