package keeper

import (
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// counter is a number in a record of its own.
type counter struct {
	n uint64
}

func (x *counter) Scale(c *scale.Codec) { c.U64(&x.n) }

// pending is what awaits a cluster's next mark.
type pending struct {
	marked uint64 // the height of the last mark, 0 before the first
	due    uint64 // the height at which a mark is due, 0 while none is
	dirty  bool   // whether something other than marks and payments was appended since
}

func (p *pending) Scale(c *scale.Codec) {
	c.U64(&p.marked)
	c.U64(&p.due)
	c.Bool(&p.dirty)
}

// elector is a member at a mark.
type elector struct {
	identity sr25519.PublicKey
	voting   bool // whether it was active, so that its report counts
}

// markRecord is a checkpoint mark and who may report on it.
type markRecord struct {
	height    uint64
	count     uint64 // the topic's count with the mark's message
	electors  []elector
	finalized *wire.Hash // the hash of the checkpoint that a quorum reported
}

func (m *markRecord) Scale(c *scale.Codec) {
	c.U64(&m.height)
	c.U64(&m.count)
	scale.Slice(c, &m.electors, wire.MaxMembers, func(e *elector) {
		e.identity.Scale(c)
		c.Bool(&e.voting)
	})
	scale.Option(c, &m.finalized, func(h *wire.Hash) { h.Scale(c) })
}

// voters returns how many reports count.
func (m *markRecord) voters() int {
	n := 0
	for _, e := range m.electors {
		if e.voting {
			n++
		}
	}
	return n
}

func (m *markRecord) has(pk sr25519.PublicKey) bool {
	for _, e := range m.electors {
		if e.identity == pk {
			return true
		}
	}
	return false
}

// contractVote is what a member has reported of a contract.
type contractVote struct {
	code  wire.CodeHash
	index uint64
}

func (v *contractVote) Scale(c *scale.Codec) {
	v.code.Scale(c)
	c.U64(&v.index)
}

// fix is a key epoch and the height at which its key was fixed.
type fix struct {
	epoch  uint32
	height uint64
}

// fixes are the last fixed key epochs of a cluster, oldest first.
type fixes struct {
	list []fix
}

func (f *fixes) Scale(c *scale.Codec) {
	scale.Slice(c, &f.list, wire.MaxKeyEpochs, func(x *fix) {
		c.U32(&x.epoch)
		c.U64(&x.height)
	})
}

func (f *fixes) add(x fix) {
	f.list = append(f.list, x)
	if len(f.list) > wire.MaxKeyEpochs {
		f.list = f.list[1:]
	}
}

// accepted returns the oldest epoch to which a message at a height or later may be encrypted: a replaced key is
// accepted for [wire.KeyEpochGrace] blocks after the fix of the next.
func (f *fixes) accepted(height uint64) (epoch uint32, some bool) {
	for i, x := range f.list {
		if i == len(f.list)-1 || later(f.list[i+1].height, wire.KeyEpochGrace) >= height {
			return x.epoch, true
		}
	}
	return 0, false
}
