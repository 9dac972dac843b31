package light_test

import (
	"errors"
	"testing"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	cmtlight "github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

// oracle is what CometBFT's own light client says about raw on the trusted block.
func oracle(chainID string, trusted *types.LightBlock, raw []byte, level light.Fraction, now time.Time) error {
	pb := new(cmtproto.LightBlock)
	if err := pb.Unmarshal(raw); err != nil {
		return err
	}
	if pb.ValidatorSet != nil && len(pb.ValidatorSet.Validators) > 0 {
		pb.ValidatorSet.Proposer = pb.ValidatorSet.Validators[0] // covered by no hash, ignored by package light
	}
	b, err := types.LightBlockFromProto(pb)
	if err != nil {
		return err
	}
	if err := b.ValidateBasic(chainID); err != nil {
		return err
	}
	return cmtlight.Verify(trusted.SignedHeader, trusted.ValidatorSet, b.SignedHeader, b.ValidatorSet,
		policy.TrustingPeriod, now, policy.MaxClockDrift, cmtmath.Fraction{Numerator: level.Num, Denominator: level.Den})
}

func drawChain(t *rapid.T) *lighttest.Chain {
	n := rapid.IntRange(1, 9).Draw(t, "validators")
	return lighttest.New(lighttest.Config{
		Seed:        rapid.Uint64().Draw(t, "seed"),
		Validators:  n,
		RotateEvery: rapid.Uint64Range(0, 6).Draw(t, "rotate every"),
		RotateCount: rapid.IntRange(1, n).Draw(t, "rotate count"),
		EqualPower:  rapid.Bool().Draw(t, "equal power"),
		Absent:      rapid.IntRange(0, (n-1)/2).Draw(t, "absent"),
		Nil:         rapid.IntRange(0, (n-1)/3).Draw(t, "nil"),
		BlockTime:   time.Duration(rapid.IntRange(1, 10_000).Draw(t, "block ms")) * time.Millisecond,
	})
}

func drawForgery(t *rapid.T) lighttest.Forgery {
	f := lighttest.Forgery{}
	switch rapid.IntRange(0, 12).Draw(t, "forgery") {
	case 0:
		f.WrongSigner = true
	case 1:
		f.ReplaceSet = true
	case 2:
		f.SwapSet = true
	case 3, 4:
		f.Signers = rapid.IntRange(1, 9).Draw(t, "signers")
	case 5:
		f.SignedChainID = "another"
	case 6, 7:
		f.Shift = time.Duration(rapid.IntRange(-30_000, 30_000).Draw(t, "shift ms")) * time.Millisecond
	case 8:
		f.AppHash = &[32]byte{1}
	case 9:
		f.AppHashAfterSigning = true
	case 10:
		f.Impostors = true
	}
	return f
}

// TestOracle holds the verifier against CometBFT's over random chains, skips and forgeries: both accept, or both
// refuse.
func TestOracle(t *testing.T) {
	var accepted, intermediate, refused int
	rapid.Check(t, func(t *rapid.T) {
		chain := drawChain(t)
		from := rapid.Uint64Range(1, 20).Draw(t, "from")
		to := from + rapid.Uint64Range(1, 20).Draw(t, "skip")
		raw := chain.Forge(to, drawForgery(t))
		now := chain.Time(to).Add(time.Duration(rapid.IntRange(-10, 100_000).Draw(t, "later")) * time.Second)
		level := rapid.SampledFrom([]light.Fraction{{Num: 1, Den: 3}, {Num: 1, Den: 2}, {Num: 2, Den: 3}, {Num: 1, Den: 1}}).Draw(t, "level")

		opts := policy
		opts.TrustLevel = level
		c, err := light.New(chain.ChainID(), chain.Root(from), opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Verify(chain.Block(from), chain.Time(from)); err != nil {
			t.Skip("too few sign on this chain")
		}
		_, got := c.Verify(raw, now)
		want := oracle(chain.ChainID(), chain.LightBlock(from), raw, level, now)
		if (got == nil) != (want == nil) {
			t.Fatalf("light: %v; CometBFT: %v", got, want)
		}
		var expired cmtlight.ErrOldHeaderExpired
		if errors.Is(got, light.ErrExpired) != errors.As(want, &expired) && !errors.Is(got, light.ErrForged) {
			t.Fatalf("light: %v; CometBFT: %v", got, want)
		}
		switch {
		case got == nil:
			accepted++
		case errors.Is(got, light.ErrNeedIntermediate):
			intermediate++
		default:
			refused++
		}
	})
	if accepted == 0 || intermediate == 0 || refused == 0 {
		t.Errorf("one-sided sample: %d accepted, %d need an intermediate header, %d refused", accepted, intermediate, refused)
	}
	t.Logf("%d accepted, %d need an intermediate header, %d refused", accepted, intermediate, refused)
}

// TestMutations damages true blocks and requires that whatever is still accepted is accepted by CometBFT too, and is
// the very same header.
func TestMutations(t *testing.T) {
	chains := []*lighttest.Chain{
		lighttest.New(lighttest.Config{}),
		lighttest.New(lighttest.Config{Validators: 4, RotateEvery: 8, EqualPower: true}),
		lighttest.New(lighttest.Config{Validators: 7, Absent: 1, Nil: 1, EqualPower: true}),
	}
	rapid.Check(t, func(t *rapid.T) {
		chain := rapid.SampledFrom(chains).Draw(t, "chain")
		to := rapid.SampledFrom([]uint64{2, 9}).Draw(t, "to")
		raw := chain.Block(to)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
			raw[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		c, err := light.New(chain.ChainID(), chain.Root(1), policy)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Verify(chain.Block(1), chain.Time(1)); err != nil {
			t.Fatal(err)
		}
		h, err := c.Verify(raw, chain.Time(to))
		if err != nil {
			return
		}
		if h != chain.Header(to) {
			t.Fatalf("accepted another header: %+v", h)
		}
		if err := oracle(chain.ChainID(), chain.LightBlock(1), raw, light.Fraction{Num: 1, Den: 3}, chain.Time(to)); err != nil {
			t.Fatalf("accepted what CometBFT refuses: %v", err)
		}
	})
}
