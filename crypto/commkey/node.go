package commkey

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"errors"

	"github.com/phalanx-network/phalanx/crypto/internal/secret"
)

// ErrIndex says that an epoch or child index is 2³¹ or more.
var ErrIndex = errors.New("commkey: index is 2³¹ or more")

// hardened is BIP32's bit of a hardened child; a curve-free derivation knows no other children.
const hardened = 1 << 31

// opaque keeps the embedded name unexported while its methods are promoted.
type opaque = secret.Opaque

// Node is one node of the derivation tree: a 32-byte key and a 32-byte chain code (SLIP-0010, ed25519 variant).
type Node struct {
	opaque
	b secret.Box[[64]byte]
}

// NewNode returns the master node: HMAC-SHA512 with key label over seed, of which the left half is the key and the
// right half the chain code. SLIP-0010's own label is "ed25519 seed"; a CommKey's is [Label].
func NewNode(label string, seed []byte) *Node { return newNode([]byte(label), seed) }

func newNode(key []byte, parts ...[]byte) *Node {
	h := hmac.New(sha512.New, key)
	for _, p := range parts {
		h.Write(p) // a hash never fails
	}
	b := new([64]byte)
	h.Sum(b[:0])
	return &Node{b: secret.NewBox(b)}
}

// Child returns the hardened child index': HMAC-SHA512 with the chain code as key over 0x00 ‖ key ‖ big-endian
// u32 (index + 2³¹), halved as in [NewNode]. It fails with [ErrIndex].
func (n *Node) Child(index uint32) (*Node, error) {
	if index >= hardened {
		return nil, ErrIndex
	}
	var i [4]byte
	binary.BigEndian.PutUint32(i[:], index|hardened)
	b := n.b.Get()
	return newNode(b[32:], []byte{0}, b[:32], i[:]), nil
}

// ExposeKey returns a copy of the key half, which the caller clears.
func (n *Node) ExposeKey() []byte { return append([]byte(nil), n.b.Get()[:32]...) }

// ExposeChainCode returns a copy of the chain code, which the caller clears.
func (n *Node) ExposeChainCode() []byte { return append([]byte(nil), n.b.Get()[32:]...) }

// Zero overwrites the node.
func (n *Node) Zero() { clear(n.b.Get()[:]) }
