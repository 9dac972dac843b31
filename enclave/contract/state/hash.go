package state

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"lukechampine.com/blake3"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

const (
	contractSize = 32
	keySize      = 32 // of state keys and root keys

	lanesSize  = 2048 // bytes of 1,024 lanes
	emptyLabel = "phalanx/state-empty/v1"
	rootLabel  = "phalanx/state-root/v1"

	// xofPiece is what the library expands at once; for more it starts goroutines, at several times the cost.
	xofPiece = 1024

	// highBits are the uppermost bits of the four lanes in one word.
	highBits = 0x8000_8000_8000_8000
)

// KeyRing returns the 32-byte key of a key epoch and whether it is held. The slice is only read, and not kept. It must
// be safe for concurrent use.
type KeyRing func(epoch uint32) ([]byte, bool)

// of returns the key of an epoch, or [ErrKey].
func (ring KeyRing) of(epoch uint32) ([]byte, error) {
	if ring == nil {
		return nil, fmt.Errorf("%w: no key ring", ErrKey)
	}
	key, ok := ring(epoch)
	if !ok {
		return nil, fmt.Errorf("%w: key epoch %d is not held", ErrKey, epoch)
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("%w: key of epoch %d has %d bytes, not %d", ErrKey, epoch, len(key), keySize)
	}
	return key, nil
}

// lattice is a sum of expanded leaves: 1,024 lanes of 16 bits, four to a word, lane 0 lowest.
type lattice [lanesSize / 8]uint64

// add adds o lane by lane. Each lane's upper bit is added apart, so that no carry reaches the next lane.
func (l *lattice) add(o *lattice) {
	for i, y := range o {
		x := l[i]
		l[i] = ((x &^ highBits) + (y &^ highBits)) ^ ((x ^ y) & highBits)
	}
}

// sub subtracts o lane by lane. Each lane's upper bit is lent, so that none borrows from the next lane.
func (l *lattice) sub(o *lattice) {
	for i, y := range o {
		x := l[i]
		l[i] = ((x | highBits) - (y &^ highBits)) ^ ((x ^ ^y) & highBits)
	}
}

// root returns the 32 bytes that stand for the sum.
func (l *lattice) root() [32]byte {
	var b [len(rootLabel) + lanesSize]byte
	n := copy(b[:], rootLabel)
	for i, w := range l {
		binary.LittleEndian.PutUint64(b[n+8*i:], w)
	}
	return sha256.Sum256(b[:])
}

// hasher expands leaves under one RootKey. It is not safe for concurrent use.
type hasher struct {
	epoch uint32
	mac   hash.Hash
	xof   *blake3.Hasher
	leaf  []byte
	buf   []byte
	out   [lanesSize]byte
	lanes lattice
}

// newHasher panics when the key has not 32 bytes: callers have checked it.
func newHasher(epoch uint32, key []byte) *hasher {
	if len(key) != keySize {
		panic("state: root key has not 32 bytes")
	}
	return &hasher{epoch: epoch, mac: hmac.New(sha256.New, key), xof: blake3.New(32, nil)}
}

// expand returns the lanes of a message, valid until the next call.
func (h *hasher) expand(msg []byte) *lattice {
	h.mac.Reset()
	h.mac.Write(msg)
	h.leaf = h.mac.Sum(h.leaf[:0])
	h.xof.Reset()
	h.xof.Write(h.leaf)
	xof := h.xof.XOF()
	for at := 0; at < lanesSize; at += xofPiece {
		if _, err := xof.Read(h.out[at : at+xofPiece]); err != nil {
			panic("state: BLAKE3's endless output ended") // a wrong root would be worse
		}
	}
	for i := range h.lanes {
		h.lanes[i] = binary.LittleEndian.Uint64(h.out[8*i:])
	}
	return &h.lanes
}

// of returns the lanes of one entry, valid until the next call.
func (h *hasher) of(path, value string) *lattice {
	b := append(h.buf[:0], path[:contractSize]...)
	b = scale.AppendCompact(b, uint64(len(path)-contractSize))
	b = append(b, path[contractSize:]...)
	b = scale.AppendCompact(b, uint64(len(value)))
	b = append(b, value...)
	lanes := h.expand(b)
	h.buf = b
	return lanes
}

// empty returns the sum over no entry. Its label is shorter than any entry's encoding, so it is no entry's leaf.
func (h *hasher) empty() lattice { return *h.expand([]byte(emptyLabel)) }

// sumOf hashes the whole of a tree that nobody changes meanwhile.
func (h *hasher) sumOf(ctx context.Context, m *pathMap) (lattice, error) {
	sum := h.empty()
	var err error
	n := 0
	m.Scan(func(path, value string) bool {
		if n++; n%1024 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return false
		}
		sum.add(h.of(path, value))
		return true
	})
	return sum, err
}
