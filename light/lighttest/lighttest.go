// Package lighttest makes CometBFT chains for tests and benchmarks: light blocks with real ed25519 signatures of
// changing validators, at any height, and forgeries of them.
//
// A [Chain] is a pure function of its [Config]: the block at a height is made when it is asked for, so a chain of
// 100,000 blocks costs only the blocks that are looked at. It is built with CometBFT's own types, independently of the
// verifier that it tests. What a light client does not read (the hash of the block before, of transactions, of the
// last commit) is seeded noise: blocks are not linked backwards. A [State] gives the application hash to put into the
// headers and proofs of what it commits to.
//
// The keys come from the seed and protect nothing. The package does not import testing, so programs may use it too.
package lighttest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"

	"github.com/phalanx-network/phalanx/light"
)

// Config describes a chain. The zero value of a field means what is said there.
type Config struct {
	// Seed makes two chains differ in keys and hashes.
	Seed uint64
	// ChainID is "lighttest" by default.
	ChainID string
	// Validators is the size of every validator set; 1 by default.
	Validators int
	// RotateEvery is the number of blocks after which validators are replaced; 0 for never.
	RotateEvery uint64
	// RotateCount is how many validators are replaced each time, in turn; 1 by default.
	RotateCount int
	// EqualPower gives every validator the power 10; otherwise they have 10 to 19.
	EqualPower bool
	// Absent is how many validators, from the end of the set, do not sign; Nil how many before those sign for nil.
	Absent, Nil int
	// Start is the time of block 1; by default 2026-01-01 00:00:00 UTC.
	Start time.Time
	// BlockTime is the time between blocks; one second by default.
	BlockTime time.Duration
	// AppHash gives the root in the header at a height (the state after the block below); seeded noise by default.
	AppHash func(height uint64) [32]byte
	// DataHash gives the root of the transactions in the block at a height; seeded noise by default.
	DataHash func(height uint64) []byte
}

// Chain makes the blocks of one chain. It is not safe for concurrent use.
type Chain struct {
	cfg  Config
	sets map[uint64]*signers // by epoch
}

// signers is a validator set with its keys, in the set's order.
type signers struct {
	set  *types.ValidatorSet
	keys []ed25519.PrivateKey
}

// New returns the chain that cfg describes.
func New(cfg Config) *Chain {
	if cfg.ChainID == "" {
		cfg.ChainID = "lighttest"
	}
	cfg.Validators = max(cfg.Validators, 1)
	cfg.RotateCount = max(cfg.RotateCount, 1)
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if cfg.BlockTime <= 0 {
		cfg.BlockTime = time.Second
	}
	return &Chain{cfg: cfg, sets: map[uint64]*signers{}}
}

// ChainID is the id that the headers bear.
func (c *Chain) ChainID() string { return c.cfg.ChainID }

// Time is the time of the block at height.
func (c *Chain) Time(height uint64) time.Time {
	return c.cfg.Start.Add(time.Duration(height-1) * c.cfg.BlockTime).UTC()
}

// Root is the header at height as a trust root.
func (c *Chain) Root(height uint64) light.TrustRoot {
	return light.TrustRoot{Height: height, Hash: c.Header(height).Hash}
}

// Header is the header at height as a verifier would return it.
func (c *Chain) Header(height uint64) light.Header {
	h := c.header(height, Forgery{})
	return light.Header{
		Height:             height,
		Hash:               [32]byte(h.Hash()),
		Time:               h.Time,
		AppHash:            [32]byte(h.AppHash),
		ValidatorsHash:     [32]byte(h.ValidatorsHash),
		NextValidatorsHash: [32]byte(h.NextValidatorsHash),
	}
}

// Block is the light block at height, in protobuf.
func (c *Chain) Block(height uint64) []byte { return c.Forge(height, Forgery{}) }

// LightBlock is the light block at height, in CometBFT's types.
func (c *Chain) LightBlock(height uint64) *types.LightBlock { return c.Draft(height, Forgery{}) }

// Encode is the protobuf encoding of a light block. It panics on one that has none.
func Encode(b *types.LightBlock) []byte {
	pb, err := b.ToProto()
	if err != nil {
		panic(fmt.Sprintf("lighttest: %v", err))
	}
	raw, err := pb.Marshal()
	if err != nil {
		panic(fmt.Sprintf("lighttest: %v", err))
	}
	return raw
}

// noise is 32 bytes of the seed, a label and numbers.
func (c *Chain) noise(label string, numbers ...uint64) []byte {
	text := binary.BigEndian.AppendUint64([]byte("lighttest "+label), c.cfg.Seed)
	for _, n := range numbers {
		text = binary.BigEndian.AppendUint64(text, n)
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// signersAt is the validator set that signs height.
func (c *Chain) signersAt(height uint64) *signers {
	epoch := uint64(0)
	if c.cfg.RotateEvery > 0 {
		epoch = (height - 1) / c.cfg.RotateEvery
	}
	if s, ok := c.sets[epoch]; ok {
		return s
	}
	n := uint64(c.cfg.Validators)
	replaced := epoch * uint64(c.cfg.RotateCount)
	seeds := make([][]byte, n)
	for slot := range n {
		generation := (replaced + n - 1 - slot) / n // how often this slot has been replaced, in turn from slot 0
		seeds[slot] = c.noise("key", slot, generation)
	}
	s := c.signersOf(seeds)
	c.sets[epoch] = s
	return s
}

// signersOf makes a set of the keys with these seeds.
func (c *Chain) signersOf(seeds [][]byte) *signers {
	byAddress := make(map[string]ed25519.PrivateKey, len(seeds))
	vals := make([]*types.Validator, len(seeds))
	for i, seed := range seeds {
		key := ed25519.NewKeyFromSeed(seed)
		power := int64(10)
		if !c.cfg.EqualPower {
			power += int64(seed[0] % 10)
		}
		vals[i] = types.NewValidator(cmted25519.PubKey(key.Public().(ed25519.PublicKey)), power)
		byAddress[string(vals[i].Address)] = key
	}
	s := &signers{set: types.NewValidatorSet(vals)}
	for _, v := range s.set.Validators {
		s.keys = append(s.keys, byAddress[string(v.Address)])
	}
	return s
}

// header is the header at height, with what f changes in it.
func (c *Chain) header(height uint64, f Forgery) *types.Header {
	h := &types.Header{
		Version: cmtversion.Consensus{Block: 11},
		ChainID: c.cfg.ChainID,
		Height:  int64(height),
		Time:    c.Time(height),
		LastBlockID: types.BlockID{Hash: c.noise("last block", height),
			PartSetHeader: types.PartSetHeader{Total: 1, Hash: c.noise("last parts", height)}},
		LastCommitHash:     c.noise("last commit", height),
		DataHash:           c.noise("data", height),
		ValidatorsHash:     c.signers(height, f).set.Hash(),
		NextValidatorsHash: c.signers(height+1, f).set.Hash(),
		ConsensusHash:      c.noise("params"),
		AppHash:            c.appHash(height),
		LastResultsHash:    c.noise("results", height),
		EvidenceHash:       c.noise("evidence", height),
		ProposerAddress:    c.signers(height, f).set.Proposer.Address,
	}
	if c.cfg.DataHash != nil {
		h.DataHash = c.cfg.DataHash(height)
	}
	f.change(h)
	return h
}

func (c *Chain) appHash(height uint64) []byte {
	if c.cfg.AppHash == nil {
		return c.noise("app", height)
	}
	hash := c.cfg.AppHash(height)
	return hash[:]
}

// Draft is the light block at height with the forgery f applied, in CometBFT's types.
func (c *Chain) Draft(height uint64, f Forgery) *types.LightBlock {
	s := c.signers(height, f)
	h := c.header(height, f)
	if f.Impostors {
		s = c.strangers()
	}
	commit := &types.Commit{
		Height: h.Height,
		Round:  int32(height % 3),
		BlockID: types.BlockID{Hash: h.Hash(),
			PartSetHeader: types.PartSetHeader{Total: 1, Hash: c.noise("parts", height)}},
		Signatures: make([]types.CommitSig, len(s.keys)),
	}
	for i := range s.keys {
		c.sign(commit, h, s, i, f)
	}
	if f.AppHashAfterSigning {
		h.AppHash = c.noise("forged app", height)
		commit.BlockID.Hash = h.Hash()
	}
	set := s.set.Copy()
	if f.SwapSet {
		set = c.strangers().set.Copy()
	}
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: commit}, ValidatorSet: set}
}

// sign writes the vote of validator i into the commit.
func (c *Chain) sign(commit *types.Commit, h *types.Header, s *signers, i int, f Forgery) {
	n := len(s.keys)
	sig := &commit.Signatures[i]
	sig.BlockIDFlag = types.BlockIDFlagCommit
	switch {
	case i >= n-c.cfg.Absent || (f.Signers > 0 && i >= f.Signers):
		sig.BlockIDFlag = types.BlockIDFlagAbsent
		return
	case i >= n-c.cfg.Absent-c.cfg.Nil:
		sig.BlockIDFlag = types.BlockIDFlagNil
	}
	sig.ValidatorAddress = bytes.Clone(s.set.Validators[i].Address)
	sig.Timestamp = h.Time.Add(time.Duration(i+1) * time.Millisecond)
	key := s.keys[i]
	if f.WrongSigner {
		key = ed25519.NewKeyFromSeed(c.noise("stranger", uint64(i), 0))
	}
	chainID := c.cfg.ChainID
	if f.SignedChainID != "" {
		chainID = f.SignedChainID
	}
	sig.Signature = ed25519.Sign(key, commit.VoteSignBytes(chainID, int32(i)))
}
