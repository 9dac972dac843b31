package lighttest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	ics23 "github.com/cosmos/ics23/go"
)

// State is the content of named stores with proofs in the form of a Cosmos SDK multistore: IAVL trees below a simple
// Merkle tree. It lets a test prove facts against a [Chain] (give AppHash to the config) without the SDK. The trees are
// balanced, where the SDK's have the shape of their history; a verifier cannot tell.
type State struct {
	stores map[string]*tree
	top    *tree
}

// tree is sorted keys with values, and the path of each to the root.
type tree struct {
	keys   []string
	values [][]byte
	leaf   *ics23.LeafOp
	paths  [][]*ics23.InnerOp
	root   []byte
}

// NewState returns the state with this content: key to value by store. Values must not be empty, for an empty one
// cannot be proven; it panics on one, and without a store.
func NewState(content map[string]map[string][]byte) *State {
	if len(content) == 0 {
		panic("lighttest: a state without stores")
	}
	s := &State{stores: map[string]*tree{}}
	roots := make(map[string][]byte, len(content))
	for store, pairs := range content {
		s.stores[store] = newTree(pairs, []byte{0, 2, 2}, false) // height 0, size 1, version 1
		roots[store] = s.stores[store].root
	}
	s.top = newTree(roots, []byte{0}, true)
	return s
}

// AppHash is the state's root. It is in the header after the block that made the state.
func (s *State) AppHash() [32]byte { return [32]byte(s.top.root) }

// Prove returns the value of a key (nil for none) and the proof of that, in protobuf tendermint.crypto.ProofOps. It
// panics on a store that is not in the state.
func (s *State) Prove(store, key string) (value, proof []byte) {
	t, ok := s.stores[store]
	if !ok {
		panic("lighttest: no store " + store)
	}
	leaf := &ics23.CommitmentProof{}
	i, found := slices.BinarySearch(t.keys, key)
	if found {
		value = t.values[i]
		leaf.Proof = &ics23.CommitmentProof_Exist{Exist: t.exist(i)}
	} else {
		leaf.Proof = &ics23.CommitmentProof_Nonexist{Nonexist: &ics23.NonExistenceProof{
			Key: []byte(key), Left: t.exist(i - 1), Right: t.exist(i)}}
	}
	at, _ := slices.BinarySearch(s.top.keys, store)
	top := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: s.top.exist(at)}}
	ops := &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{
		{Type: "ics23:iavl", Key: []byte(key), Data: encode(leaf)},
		{Type: "ics23:simple", Key: []byte(store), Data: encode(top)},
	}}
	return value, encode(ops)
}

func encode(m interface{ Marshal() ([]byte, error) }) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic(fmt.Sprintf("lighttest: %v", err))
	}
	return b
}

// newTree builds a tree: the simple Merkle tree or, otherwise, an IAVL tree.
func newTree(pairs map[string][]byte, leafPrefix []byte, simple bool) *tree {
	t := &tree{leaf: &ics23.LeafOp{Hash: ics23.HashOp_SHA256, PrehashValue: ics23.HashOp_SHA256,
		Length: ics23.LengthOp_VAR_PROTO, Prefix: leafPrefix}}
	for key := range pairs {
		t.keys = append(t.keys, key)
	}
	sort.Strings(t.keys)
	hashes := make([][]byte, len(t.keys))
	for i, key := range t.keys {
		t.values = append(t.values, pairs[key])
		hash, err := t.leaf.Apply([]byte(key), pairs[key])
		if err != nil {
			panic(fmt.Sprintf("lighttest: %q: %v", key, err))
		}
		hashes[i] = hash
	}
	t.paths = make([][]*ics23.InnerOp, len(t.keys))
	if len(hashes) == 0 {
		empty := sha256.Sum256(nil)
		t.root = empty[:]
		return t
	}
	t.root, _ = t.join(hashes, 0, simple)
	return t
}

// join returns root and height of the subtree over the leaves' hashes, the first of which is leaf number from, and
// extends their paths by the steps in it.
func (t *tree) join(hashes [][]byte, from int, simple bool) (root []byte, height int64) {
	n := len(hashes)
	if n == 1 {
		return hashes[0], 0
	}
	split := n / 2
	if simple {
		split = 1 << (bits.Len(uint(n-1)) - 1) // the largest power of two below n
	}
	left, lh := t.join(hashes[:split], from, simple)
	right, rh := t.join(hashes[split:], from+split, simple)
	height = max(lh, rh) + 1
	prefix, length := []byte{1}, []byte(nil)
	if !simple {
		prefix = binary.AppendVarint(binary.AppendVarint(nil, height), int64(n))
		prefix = binary.AppendVarint(prefix, 1) // version
		length = []byte{sha256.Size}
	}
	before := slices.Concat(prefix, length, left, length)
	onLeft := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: slices.Concat(prefix, length), Suffix: slices.Concat(length, right)}
	onRight := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: before}
	for i := range n {
		step := onLeft
		if i >= split {
			step = onRight
		}
		t.paths[from+i] = append(t.paths[from+i], step)
	}
	sum := sha256.Sum256(slices.Concat(before, right))
	return sum[:], height
}

// exist is the proof of pair i; nil where there is none.
func (t *tree) exist(i int) *ics23.ExistenceProof {
	if i < 0 || i >= len(t.keys) {
		return nil
	}
	return &ics23.ExistenceProof{Key: []byte(t.keys[i]), Value: t.values[i], Leaf: t.leaf, Path: t.paths[i]}
}
