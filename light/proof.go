package light

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	ics23 "github.com/cosmos/ics23/go"
)

// Bounds of proofs. Those of the value are as large because an absence proof carries the values of both neighbours.
const (
	// MaxKey is the length in bytes of the longest key.
	MaxKey = 1 << 10
	// MaxStore is the length in bytes of the longest store name.
	MaxStore = 64
	// MaxValue is the length in bytes of the largest value.
	MaxValue = 1 << 20
	// MaxProof is the length in bytes of the largest proof.
	MaxProof = 2*MaxValue + 64<<10
)

// maxDepth is the greatest number of steps from a leaf to a root (ics23's own bound where a spec names none).
const maxDepth = 128

// The types of the two operations of a multistore's proof.
const (
	opIAVL   = "ics23:iavl"
	opSimple = "ics23:simple"
)

// Shapes of what is decoded here: tendermint.crypto.ProofOps and cosmos.ics23.v1.CommitmentProof.
var (
	proofOpsShape   = shape{1: {2, nil}}
	existShape      = shape{4: {maxDepth, nil}}
	commitmentShape = shape{
		1: {1, existShape},
		2: {1, shape{2: {1, existShape}, 3: {1, existShape}}},
		3: {0, nil}, // batch
		4: {0, nil}, // compressed
	}
)

// VerifyMembership checks that key had exactly value in the named store, in the state that h.AppHash commits to: the
// one after the block at h.Height-1. So a query at height n is to be checked against the header of n+1.
//
// proof is protobuf tendermint.crypto.ProofOps, as a Cosmos SDK multistore answers an ABCI query "/store/<name>/key"
// with prove=true: one IAVL operation for the key, one simple Merkle operation for the store. An empty value cannot be
// proven, for the trees' leaf hash does not allow it. Errors match [ErrProof].
func VerifyMembership(h Header, store string, key, value, proof []byte) error {
	if len(value) == 0 || len(value) > MaxValue {
		return fmt.Errorf("%w: value has %d bytes, not 1 to %d", ErrProof, len(value), MaxValue)
	}
	return verifyProof(h, store, key, proof, func(p *ics23.CommitmentProof) ([]byte, bool) {
		exist := p.GetExist()
		if exist == nil {
			return nil, false
		}
		return holds(ics23.IavlSpec, exist, key, value)
	})
}

// VerifyAbsence checks that key had no value in the named store, in the state that h.AppHash commits to. See
// [VerifyMembership]. A neighbour of the key that has an empty value makes the proof fail, for the same reason as there:
// a store whose absences are proven must hold no empty values.
func VerifyAbsence(h Header, store string, key, proof []byte) error {
	return verifyProof(h, store, key, proof, func(p *ics23.CommitmentProof) ([]byte, bool) {
		absent := p.GetNonexist()
		if absent == nil || !bytes.Equal(absent.Key, key) {
			return nil, false
		}
		return lacks(p, absent, key)
	})
}

// verifyProof reads the two operations and checks the second; leaf checks the first and returns the root of the store
// that it leads to.
func verifyProof(h Header, store string, key, proof []byte, leaf func(*ics23.CommitmentProof) ([]byte, bool)) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("%w: key has %d bytes, not 1 to %d", ErrProof, len(key), MaxKey)
	}
	if store == "" || len(store) > MaxStore {
		return fmt.Errorf("%w: store name has %d bytes, not 1 to %d", ErrProof, len(store), MaxStore)
	}
	inStore, inApp, err := decodeProof(store, key, proof)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	root, ok := leaf(inStore)
	if !ok || len(root) != len(h.AppHash) {
		return fmt.Errorf("%w: it does not show the key's state in the store", ErrProof)
	}
	app, ok := holds(ics23.TendermintSpec, inApp.GetExist(), []byte(store), root)
	if !ok || !bytes.Equal(app, h.AppHash[:]) {
		return fmt.Errorf("%w: it does not lead to the state at height %d", ErrProof, h.Height-1)
	}
	return nil
}

// holds checks an existence proof of exactly this key and value and returns the root that it leads to. ics23 compares
// the root with one that is given, so it is computed first; what makes the result meaningful is the caller's
// comparison of the last root with a header's.
func holds(spec *ics23.ProofSpec, p *ics23.ExistenceProof, key, value []byte) (root []byte, ok bool) {
	root, err := p.Calculate()
	if err != nil || p.Verify(spec, root, key, value) != nil {
		return nil, false
	}
	return root, true
}

// emptyStore is the root of an IAVL tree without a key: the hash of nothing, which no tree with a key can have.
var emptyStore = sha256.Sum256(nil)

// lacks checks a proof of absence and returns the root that both its neighbours lead to; without neighbours that is
// the root of an empty store.
func lacks(p *ics23.CommitmentProof, absent *ics23.NonExistenceProof, key []byte) (root []byte, ok bool) {
	if absent.Left == nil && absent.Right == nil {
		return emptyStore[:], true
	}
	if !walkable(absent.Left, absent.Right) {
		return nil, false
	}
	root, err := absent.Calculate()
	if err != nil {
		return nil, false
	}
	return root, ics23.VerifyNonMembership(ics23.IavlSpec, root, p, key)
}

// walkable reports whether two neighbours' paths part before the shorter ends, which ics23 takes for granted (it
// would panic otherwise, and two leaves of one tree always part).
func walkable(left, right *ics23.ExistenceProof) bool {
	if left == nil || right == nil {
		return true
	}
	l, r := left.Path, right.Path
	for n := 1; n <= min(len(l), len(r)); n++ {
		a, b := l[len(l)-n], r[len(r)-n]
		if bytes.Equal(a.Prefix, b.Prefix) && bytes.Equal(a.Suffix, b.Suffix) {
			continue
		}
		return oneSided(a) && oneSided(b)
	}
	return false
}

// oneSided reports whether an IAVL step has a sibling on exactly one side; ics23 panics on another where paths part.
func oneSided(op *ics23.InnerOp) bool {
	spec := ics23.IavlSpec.InnerSpec
	size := int(spec.ChildSize)
	least, most := int(spec.MinPrefixLength), int(spec.MaxPrefixLength)
	prefix, suffix := len(op.Prefix), len(op.Suffix)
	leftChild := suffix == size && prefix >= least && prefix <= most
	rightChild := suffix == 0 && prefix >= least+size && prefix <= most+size
	return leftChild || rightChild
}

// decodeProof reads the two operations, whose types and keys must be exactly those asked for.
func decodeProof(store string, key, proof []byte) (inStore, inApp *ics23.CommitmentProof, err error) {
	if len(proof) > MaxProof {
		return nil, nil, fmt.Errorf("%d bytes, over %d", len(proof), MaxProof)
	}
	if err := countRepeated(proof, proofOpsShape); err != nil {
		return nil, nil, err
	}
	var ops cmtcrypto.ProofOps
	if err := decodeCanonical(proof, &ops); err != nil {
		return nil, nil, err
	}
	if len(ops.Ops) != 2 {
		return nil, nil, fmt.Errorf("%d operations, not 2", len(ops.Ops))
	}
	first, second := ops.Ops[0], ops.Ops[1]
	switch {
	case first.Type != opIAVL || second.Type != opSimple:
		return nil, nil, errors.New("operations are not of the types iavl and simple")
	case !bytes.Equal(first.Key, key):
		return nil, nil, errors.New("it is about another key")
	case !bytes.Equal(second.Key, []byte(store)):
		return nil, nil, errors.New("it is about another store")
	}
	if inStore, err = decodeCommitment(first.Data); err != nil {
		return nil, nil, err
	}
	if inApp, err = decodeCommitment(second.Data); err != nil {
		return nil, nil, err
	}
	exist := inApp.GetExist()
	if exist == nil {
		return nil, nil, errors.New("second operation shows no existence")
	}
	// ics23 would take more bytes here, which could move the boundary between prefix and store name.
	if !bytes.Equal(exist.GetLeaf().GetPrefix(), ics23.TendermintSpec.LeafSpec.Prefix) {
		return nil, nil, errors.New("second operation's leaf has another prefix")
	}
	return inStore, inApp, nil
}

// decodeCommitment reads a proof of existence or absence, neither batched nor compressed.
func decodeCommitment(b []byte) (*ics23.CommitmentProof, error) {
	if err := countRepeated(b, commitmentShape); err != nil {
		return nil, err
	}
	p := new(ics23.CommitmentProof)
	if err := decodeCanonical(b, p); err != nil {
		return nil, err
	}
	if p.GetExist() == nil && p.GetNonexist() == nil {
		return nil, errors.New("it shows neither existence nor absence")
	}
	return p, nil
}

// message is a generated protobuf type.
type message interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// decodeCanonical decodes b, of which only the canonical encoding is accepted.
func decodeCanonical(b []byte, m message) error {
	if err := m.Unmarshal(b); err != nil {
		return errors.New("not a protobuf proof")
	}
	again, err := m.Marshal()
	if err != nil || !bytes.Equal(again, b) {
		return errors.New("encoding is not canonical")
	}
	return nil
}
