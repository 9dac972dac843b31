package light_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/secp256k1"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// TestMalformed changes the message of a true block, or its bytes, and expects ErrMalformed.
func TestMalformed(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 3})
	message := func(change func(*cmtproto.LightBlock)) []byte {
		pb := new(cmtproto.LightBlock)
		if err := pb.Unmarshal(chain.Block(2)); err != nil {
			t.Fatal(err)
		}
		change(pb)
		raw, err := pb.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	header := func(change func(*cmtproto.Header)) []byte {
		return message(func(b *cmtproto.LightBlock) { change(b.SignedHeader.Header) })
	}
	commit := func(change func(*cmtproto.Commit)) []byte {
		return message(func(b *cmtproto.LightBlock) { change(b.SignedHeader.Commit) })
	}
	validators := func(change func(*cmtproto.ValidatorSet)) []byte {
		return message(func(b *cmtproto.LightBlock) { change(b.ValidatorSet) })
	}
	good := chain.Block(2)
	for name, raw := range map[string][]byte{
		"empty":               nil,
		"one byte":            {0},
		"truncated":           good[:len(good)-1],
		"trailing byte":       append(bytes.Clone(good), 0),
		"trailing field":      append(bytes.Clone(good), 3<<3, 1),
		"group":               append(bytes.Clone(good), 3<<3|3, 3<<3|4),
		"set twice":           append(bytes.Clone(good), 2<<3|2, 0),
		"oversized":           make([]byte, light.MaxLightBlock+1),
		"many validators":     append([]byte{2<<3 | 2, 0xd4, 0x0f}, bytes.Repeat([]byte{1<<3 | 2, 0}, 1002)...),
		"no header":           message(func(b *cmtproto.LightBlock) { b.SignedHeader.Header = nil }),
		"no commit":           message(func(b *cmtproto.LightBlock) { b.SignedHeader.Commit = nil }),
		"no signed header":    message(func(b *cmtproto.LightBlock) { b.SignedHeader = nil }),
		"no set":              message(func(b *cmtproto.LightBlock) { b.ValidatorSet = nil }),
		"protocol":            header(func(h *cmtproto.Header) { h.Version.Block = 10 }),
		"height zero":         header(func(h *cmtproto.Header) { h.Height = 0 }),
		"height negative":     header(func(h *cmtproto.Header) { h.Height = -2 }),
		"short app hash":      header(func(h *cmtproto.Header) { h.AppHash = h.AppHash[1:] }),
		"no validators hash":  header(func(h *cmtproto.Header) { h.ValidatorsHash = nil }),
		"no next hash":        header(func(h *cmtproto.Header) { h.NextValidatorsHash = nil }),
		"long data hash":      header(func(h *cmtproto.Header) { h.DataHash = make([]byte, 33) }),
		"no proposer":         header(func(h *cmtproto.Header) { h.ProposerAddress = nil }),
		"commit height":       commit(func(c *cmtproto.Commit) { c.Height = -1 }),
		"round":               commit(func(c *cmtproto.Commit) { c.Round = -1 }),
		"no block id":         commit(func(c *cmtproto.Commit) { c.BlockID = cmtproto.BlockID{} }),
		"no parts":            commit(func(c *cmtproto.Commit) { c.BlockID.PartSetHeader.Total = 0 }),
		"no signatures":       commit(func(c *cmtproto.Commit) { c.Signatures = nil }),
		"a signature less":    commit(func(c *cmtproto.Commit) { c.Signatures = c.Signatures[1:] }),
		"unknown flag":        commit(func(c *cmtproto.Commit) { c.Signatures[0].BlockIdFlag = 9 }),
		"absent, signed":      commit(func(c *cmtproto.Commit) { c.Signatures[0].BlockIdFlag = cmtproto.BlockIDFlagAbsent }),
		"short signature":     commit(func(c *cmtproto.Commit) { c.Signatures[0].Signature = make([]byte, 63) }),
		"long signature":      commit(func(c *cmtproto.Commit) { c.Signatures[0].Signature = make([]byte, 65) }),
		"no validators":       validators(func(s *cmtproto.ValidatorSet) { s.Validators = nil }),
		"validator twice":     validators(func(s *cmtproto.ValidatorSet) { s.Validators[1] = s.Validators[0] }),
		"zero power":          validators(func(s *cmtproto.ValidatorSet) { s.Validators[0].VotingPower = 0 }),
		"negative power":      validators(func(s *cmtproto.ValidatorSet) { s.Validators[0].VotingPower = -1 }),
		"overflowing power":   validators(func(s *cmtproto.ValidatorSet) { s.Validators[0].VotingPower = 1 << 60 }),
		"address of no key":   validators(func(s *cmtproto.ValidatorSet) { s.Validators[0].Address[0] ^= 1 }),
		"no key":              validators(func(s *cmtproto.ValidatorSet) { s.Validators[0].PubKey.Sum = nil }),
		"secp256k1 validator": validators(func(s *cmtproto.ValidatorSet) { setSecp(s.Validators[0]) }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := at(t, chain, 1).Verify(raw, chain.Time(2))
			if !errors.Is(err, light.ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := at(t, chain, 1).Verify(message(func(*cmtproto.LightBlock) {}), chain.Time(2)); err != nil {
		t.Errorf("the unchanged message is refused: %v", err)
	}
}

func setSecp(v *cmtproto.Validator) {
	key := secp256k1.GenPrivKeySecp256k1([]byte("x")).PubKey()
	v.PubKey = cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Secp256K1{Secp256K1: key.Bytes()}}
	v.Address = key.Address()
}

// TestUncovered changes what no hash covers: it must not matter.
func TestUncovered(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 3})
	pb := new(cmtproto.LightBlock)
	if err := pb.Unmarshal(chain.Block(2)); err != nil {
		t.Fatal(err)
	}
	pb.ValidatorSet.TotalVotingPower = 1
	pb.ValidatorSet.Proposer = nil
	for _, v := range pb.ValidatorSet.Validators {
		v.ProposerPriority = 1 << 62
	}
	raw, err := pb.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	h, err := at(t, chain, 1).Verify(raw, chain.Time(2))
	if err != nil || h != chain.Header(2) {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestLargest checks that a block of as many validators as are allowed fits, and one more does not.
func TestLargest(t *testing.T) {
	for n, want := range map[int]error{light.MaxValidators: nil, light.MaxValidators + 1: light.ErrMalformed} {
		chain := lighttest.New(lighttest.Config{Validators: n})
		c, err := light.New(chain.ChainID(), chain.Root(1<<40), policy)
		if err != nil {
			t.Fatal(err)
		}
		raw := chain.Block(1 << 40)
		if _, err := c.Verify(raw, chain.Time(1<<40)); !errors.Is(err, want) {
			t.Errorf("%d validators, %d bytes: %v", n, len(raw), err)
		}
	}
}

func TestState(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 4, RotateEvery: 7})
	fresh, err := light.New(chain.ChainID(), chain.Root(1), policy)
	if err != nil {
		t.Fatal(err)
	}
	followed := at(t, chain, 1)
	reach(t, followed, chain, 40)
	for name, c := range map[string]*light.Client{"fresh": fresh, "root": at(t, chain, 1), "followed": followed} {
		t.Run(name, func(t *testing.T) {
			state, err := c.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again, err := light.Restore(chain.ChainID(), chain.Root(1), policy, state)
			if err != nil {
				t.Fatal(err)
			}
			want, wantOK := c.Latest()
			if got, ok := again.Latest(); got != want || ok != wantOK {
				t.Errorf("got %+v, want %+v", got, want)
			}
			restated, err := again.Marshal()
			if err != nil || !bytes.Equal(restated, state) {
				t.Errorf("state changed: %v", err)
			}
			if !wantOK {
				return
			}
			if _, err := again.Verify(chain.Block(want.Height+1), chain.Time(want.Height+1)); err != nil {
				t.Errorf("does not follow on: %v", err)
			}
		})
	}
}

// TestBadState refuses states of another beginning and damaged ones. Each flipped bit must be noticed, or fall where
// no hash reaches and leave the header as it was.
func TestBadState(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 2, EqualPower: true})
	c := at(t, chain, 1)
	reach(t, c, chain, 9)
	state, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, restore := range map[string]func() (*light.Client, error){
		"other chain": func() (*light.Client, error) { return light.Restore("another", chain.Root(1), policy, state) },
		"other root":  func() (*light.Client, error) { return light.Restore(chain.ChainID(), chain.Root(2), policy, state) },
		"trailing": func() (*light.Client, error) {
			return light.Restore(chain.ChainID(), chain.Root(1), policy, append(bytes.Clone(state), 0))
		},
		"empty": func() (*light.Client, error) { return light.Restore(chain.ChainID(), chain.Root(1), policy, nil) },
	} {
		if _, err := restore(); !errors.Is(err, light.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want, _ := c.Latest()
	noticed := 0
	for i := range state {
		damaged := bytes.Clone(state)
		damaged[i] ^= 1
		again, err := light.Restore(chain.ChainID(), chain.Root(1), policy, damaged)
		if err != nil {
			noticed++
			continue
		}
		if got, _ := again.Latest(); got != want {
			t.Errorf("bit %d changed the header unnoticed", i)
		}
	}
	if noticed < len(state)*3/4 {
		t.Errorf("only %d of %d damages noticed", noticed, len(state))
	}
}

// TestStateBelowRoot refuses a state whose block lies below its root.
func TestStateBelowRoot(t *testing.T) {
	chain := lighttest.New(lighttest.Config{})
	low, err := at(t, chain, 3).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	root := chain.Root(5)
	spliced := bytes.Clone(low)
	at := 1 + 1 + len(chain.ChainID())
	spliced[at] = 5
	copy(spliced[at+8:], root.Hash[:])
	if _, err := light.Restore(chain.ChainID(), root, policy, spliced); !errors.Is(err, light.ErrState) {
		t.Errorf("got %v", err)
	}
}

// TestGolden freezes the layout of the state and, with it, of the test chain: DO NOT CHANGE, released enclaves have
// sealed states of this form.
func TestGolden(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Seed: 1, Validators: 2, Start: time.Unix(1_700_000_000, 5)})
	c := at(t, chain, 3)
	state, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(state)
	const want = "d2a1a041081994fae2f0788a1ec089833a57f2b0f1305a47d5567ff5c37a2ef6"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("state of %d bytes hashes to %s, not %s", len(state), got, want)
	}
	const prefix = "01" + "24" + "6c6967687474657374" + "0300000000000000"
	if got := hex.EncodeToString(state[:len(prefix)/2]); got != prefix {
		t.Errorf("state begins %s", got)
	}
}
