package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	gogotypes "github.com/cosmos/gogoproto/types"
)

const (
	maxHeight     = math.MaxInt64
	maxTotalPower = math.MaxInt64 / 8 // CometBFT's bound, below which no sum here overflows
	blockProtocol = 11                // CometBFT's version of the header
	addressSize   = 20
)

// block is a light block that is consistent in itself: its hashes are computed, not stated. Whether its signatures
// hold, and whether its validators are the chain's, is for verify.go.
type block struct {
	header     Header
	chainID    string
	validators []validator
	power      int64 // total, positive
	commit     *cmtproto.Commit
	raw        []byte // the canonical bytes
}

// validator is what a validator set's hash covers.
type validator struct {
	key   [32]byte
	power int64
}

// decodeBlock reads a light block of the chain and checks everything that needs no trusted header and no signature.
func decodeBlock(raw []byte, chainID string) (*block, error) {
	pb, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	h := pb.SignedHeader.Header
	if h.ChainID != chainID {
		return nil, fmt.Errorf("%w: %.*q", ErrChain, MaxChainID, h.ChainID)
	}
	if err := checkHeader(h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	b := &block{chainID: chainID, commit: pb.SignedHeader.Commit, raw: bytes.Clone(raw)}
	if err := b.setValidators(pb.ValidatorSet.Validators); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := b.setHeader(h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := checkCommit(b.commit, len(b.validators)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return b, b.checkLinks(validatorsHash(b.validators))
}

// parse decodes the protobuf message, refuses any encoding but the canonical one and any message with a part missing.
func parse(raw []byte) (*cmtproto.LightBlock, error) {
	if len(raw) > MaxLightBlock {
		return nil, fmt.Errorf("%d bytes, over %d", len(raw), MaxLightBlock)
	}
	if err := countRepeated(raw, lightBlockShape); err != nil {
		return nil, err
	}
	pb := new(cmtproto.LightBlock)
	if err := pb.Unmarshal(raw); err != nil {
		return nil, errors.New("not a protobuf light block")
	}
	again, err := pb.Marshal()
	if err != nil || !bytes.Equal(again, raw) {
		return nil, errors.New("encoding is not canonical")
	}
	if pb.SignedHeader == nil || pb.SignedHeader.Header == nil || pb.SignedHeader.Commit == nil || pb.ValidatorSet == nil {
		return nil, errors.New("header, commit or validator set is missing")
	}
	return pb, nil
}

// checkHeader checks the form of a header's fields.
func checkHeader(h *cmtproto.Header) error {
	if h.Version.Block != blockProtocol {
		return fmt.Errorf("block protocol %d, not %d", h.Version.Block, blockProtocol)
	}
	if h.Height <= 0 {
		return errors.New("height is not positive")
	}
	if len(h.ProposerAddress) != addressSize {
		return errors.New("proposer address has a wrong length")
	}
	for _, f := range [][]byte{h.ValidatorsHash, h.NextValidatorsHash, h.AppHash} {
		if len(f) != sha256.Size {
			return errors.New("a hash of validators or state is not 32 bytes")
		}
	}
	last := h.LastBlockId
	for _, f := range [][]byte{last.Hash, last.PartSetHeader.Hash, h.LastCommitHash, h.DataHash, h.EvidenceHash,
		h.ConsensusHash, h.LastResultsHash} {
		if len(f) != 0 && len(f) != sha256.Size {
			return errors.New("a hash is neither empty nor 32 bytes")
		}
	}
	return nil
}

// setHeader fills b.header, computing the hash.
func (b *block) setHeader(h *cmtproto.Header) error {
	hash, err := headerHash(h)
	if err != nil {
		return err
	}
	b.header = Header{
		Height:             uint64(h.Height),
		Hash:               hash,
		Time:               h.Time.UTC(),
		AppHash:            [32]byte(h.AppHash),
		ValidatorsHash:     [32]byte(h.ValidatorsHash),
		NextValidatorsHash: [32]byte(h.NextValidatorsHash),
	}
	return nil
}

// setValidators fills the set and its total power.
func (b *block) setValidators(vs []*cmtproto.Validator) error {
	if len(vs) == 0 || len(vs) > MaxValidators {
		return fmt.Errorf("%d validators, not 1 to %d", len(vs), MaxValidators)
	}
	seen := make(map[[32]byte]bool, len(vs))
	b.validators = make([]validator, 0, len(vs))
	for i, v := range vs {
		key, ok := v.PubKey.Sum.(*cmtcrypto.PublicKey_Ed25519)
		if !ok || len(key.Ed25519) != ed25519.PubKeySize {
			return fmt.Errorf("validator %d has no ed25519 key", i)
		}
		k := [32]byte(key.Ed25519)
		switch {
		case seen[k]:
			return fmt.Errorf("validator %d is in the set twice", i)
		case !bytes.Equal(v.Address, address(k)):
			return fmt.Errorf("validator %d has an address that is not its key's", i)
		case v.VotingPower <= 0 || v.VotingPower > maxTotalPower-b.power:
			return fmt.Errorf("validator %d has power out of bounds", i)
		}
		seen[k] = true
		b.power += v.VotingPower
		b.validators = append(b.validators, validator{k, v.VotingPower})
	}
	return nil
}

// checkCommit checks the form of a commit on a set of n validators.
func checkCommit(c *cmtproto.Commit, n int) error {
	switch {
	case c.Height <= 0 || c.Round < 0:
		return errors.New("commit has a bad height or round")
	case len(c.BlockID.Hash) != sha256.Size || len(c.BlockID.PartSetHeader.Hash) != sha256.Size ||
		c.BlockID.PartSetHeader.Total == 0:
		return errors.New("commit has an incomplete block id")
	case len(c.Signatures) != n:
		return fmt.Errorf("%d signatures for %d validators", len(c.Signatures), n)
	}
	for i := range c.Signatures {
		if err := checkSignature(&c.Signatures[i]); err != nil {
			return fmt.Errorf("signature %d: %w", i, err)
		}
	}
	return nil
}

func checkSignature(s *cmtproto.CommitSig) error {
	switch s.BlockIdFlag {
	case cmtproto.BlockIDFlagAbsent:
		if len(s.ValidatorAddress) != 0 || len(s.Signature) != 0 || !s.Timestamp.IsZero() {
			return errors.New("absent, yet not empty")
		}
		return nil
	case cmtproto.BlockIDFlagCommit, cmtproto.BlockIDFlagNil:
		if len(s.ValidatorAddress) != addressSize || len(s.Signature) != ed25519.SignatureSize {
			return errors.New("address or signature has a wrong length")
		}
		return nil
	}
	return errors.New("unknown flag")
}

// checkLinks checks that header, commit and validator set speak of each other. setHash is the set's computed hash.
func (b *block) checkLinks(setHash [32]byte) error {
	switch {
	case uint64(b.commit.Height) != b.header.Height:
		return fmt.Errorf("%w: commit is for height %d", ErrForged, b.commit.Height)
	case [32]byte(b.commit.BlockID.Hash) != b.header.Hash:
		return fmt.Errorf("%w: commit is for another header", ErrForged)
	case setHash != b.header.ValidatorsHash:
		return fmt.Errorf("%w: validator set is not the header's", ErrForged)
	}
	return nil
}

// address is CometBFT's name of an ed25519 key: the first 20 bytes of its SHA-256.
func address(key [32]byte) []byte {
	sum := sha256.Sum256(key[:])
	return sum[:addressSize]
}

// headerHash is the Merkle root of a header's fields in order (CometBFT, spec/core/data_structures.md).
func headerHash(h *cmtproto.Header) (hash [32]byte, err error) {
	version, err := h.Version.Marshal()
	if err != nil {
		return hash, err
	}
	when, err := gogotypes.StdTimeMarshal(h.Time)
	if err != nil {
		return hash, err
	}
	last, err := h.LastBlockId.Marshal()
	if err != nil {
		return hash, err
	}
	height := binary.AppendUvarint([]byte{1 << 3}, uint64(h.Height)) // protobuf field 1, varint; never zero here
	root := merkle.HashFromByteSlices([][]byte{
		version, wrapped([]byte(h.ChainID)), height, when, last,
		wrapped(h.LastCommitHash), wrapped(h.DataHash), wrapped(h.ValidatorsHash), wrapped(h.NextValidatorsHash),
		wrapped(h.ConsensusHash), wrapped(h.AppHash), wrapped(h.LastResultsHash), wrapped(h.EvidenceHash),
		wrapped(h.ProposerAddress),
	})
	return [32]byte(root), nil
}

// wrapped is the protobuf message whose only field is the bytes b, and nothing where b is empty.
func wrapped(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	out := binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(b)))
	return append(out, b...)
}

// validatorsHash is the Merkle root of keys and powers in the set's order (protobuf tendermint.types.SimpleValidator).
func validatorsHash(vs []validator) [32]byte {
	leaves := make([][]byte, len(vs))
	for i, v := range vs {
		leaf := make([]byte, 0, 48)
		leaf = append(leaf, 1<<3|2, 34, 1<<3|2, 32) // pub_key { ed25519
		leaf = append(leaf, v.key[:]...)
		leaf = binary.AppendUvarint(append(leaf, 2<<3), uint64(v.power))
		leaves[i] = leaf
	}
	return [32]byte(merkle.HashFromByteSlices(leaves))
}

// signBytes returns a function that gives the text a validator signed to commit to b at a time of its own: the
// length-prefixed protobuf message tendermint.types.CanonicalVote.
func (b *block) signBytes() func(at time.Time) ([]byte, error) {
	id := b.commit.BlockID
	vote := cmtproto.CanonicalVote{
		Type:   cmtproto.PrecommitType,
		Height: b.commit.Height,
		Round:  int64(b.commit.Round),
		BlockID: &cmtproto.CanonicalBlockID{
			Hash:          id.Hash,
			PartSetHeader: cmtproto.CanonicalPartSetHeader(id.PartSetHeader),
		},
		ChainID: b.chainID,
	}
	return func(at time.Time) ([]byte, error) {
		vote.Timestamp = at
		text, err := vote.Marshal()
		if err != nil {
			return nil, err
		}
		return append(binary.AppendUvarint(nil, uint64(len(text))), text...), nil
	}
}
