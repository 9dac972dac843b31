package light_test

import (
	"errors"
	"testing"
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

var policy = light.Options{TrustingPeriod: 24 * time.Hour, MaxClockDrift: 5 * time.Second}

var sentinels = []error{light.ErrMalformed, light.ErrChain, light.ErrRoot, light.ErrNotNewer, light.ErrNeedIntermediate,
	light.ErrExpired, light.ErrFuture, light.ErrForged, light.ErrConflict}

// at is a client that trusts chain's block at height.
func at(t testing.TB, chain *lighttest.Chain, height uint64) *light.Client {
	t.Helper()
	c, err := light.New(chain.ChainID(), chain.Root(height), policy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Verify(chain.Block(height), chain.Time(height)); err != nil {
		t.Fatal(err)
	}
	return c
}

// reach brings c to a height of the chain and checks what it then believes; it returns the number of blocks sent.
func reach(t testing.TB, c *light.Client, chain *lighttest.Chain, height uint64) int {
	t.Helper()
	sent := send(t, c, chain.Block, chain.Time(height), height)
	if got, _ := c.Latest(); got != chain.Header(height) {
		t.Fatalf("got %+v, want %+v", got, chain.Header(height))
	}
	return sent
}

// send brings c to a height as a relay does, halving the way where an intermediate header is asked for, and returns the
// number of blocks sent.
func send(t testing.TB, c *light.Client, blocks func(uint64) []byte, now time.Time, height uint64) (sent int) {
	t.Helper()
	for pending := []uint64{height}; len(pending) > 0; sent++ {
		next := pending[len(pending)-1]
		_, err := c.Verify(blocks(next), now)
		var refused *light.VerifyError
		switch {
		case err == nil:
			pending = pending[:len(pending)-1]
		case errors.Is(err, light.ErrNeedIntermediate) && errors.As(err, &refused):
			pending = append(pending, refused.Middle())
		default:
			t.Fatalf("height %d: %v", next, err)
		}
		if sent > 10_000 {
			t.Fatal("no progress")
		}
	}
	return sent
}

func TestFollow(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  lighttest.Config
		most int // blocks sent to get from 1 to 1000
	}{
		"one validator":       {lighttest.Config{}, 1},
		"fifty validators":    {lighttest.Config{Validators: 50}, 1},
		"absent and nil":      {lighttest.Config{Validators: 10, EqualPower: true, Absent: 2, Nil: 1}, 1},
		"one of four rotates": {lighttest.Config{Validators: 4, RotateEvery: 100}, 30},
		"all rotate at once":  {lighttest.Config{Validators: 3, RotateEvery: 300, RotateCount: 3}, 60},
		"single key rotates":  {lighttest.Config{RotateEvery: 250}, 60},
	} {
		t.Run(name, func(t *testing.T) {
			chain := lighttest.New(tc.cfg)
			if sent := reach(t, at(t, chain, 1), chain, 1000); sent > tc.most {
				t.Errorf("%d blocks sent, expected at most %d", sent, tc.most)
			}
		})
	}
}

func TestFollowAdjacent(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 3, RotateEvery: 1, RotateCount: 3})
	c := at(t, chain, 1)
	for h := uint64(2); h <= 50; h++ {
		if _, err := c.Verify(chain.Block(h), chain.Time(h)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAttacks sends one bad block to a client that trusts height 10 and expects the error, and that the client stays
// where it was and still takes the true chain.
func TestAttacks(t *testing.T) {
	other := [32]byte{1}
	for name, tc := range map[string]struct {
		height uint64
		forge  lighttest.Forgery
		want   error
	}{
		"wrong signer, next":              {11, lighttest.Forgery{WrongSigner: true}, light.ErrForged},
		"wrong signer, skip":              {20, lighttest.Forgery{WrongSigner: true}, light.ErrForged},
		"replaced set, next":              {11, lighttest.Forgery{ReplaceSet: true}, light.ErrForged},
		"replaced set, skip":              {20, lighttest.Forgery{ReplaceSet: true}, light.ErrNeedIntermediate},
		"set beside header, next":         {11, lighttest.Forgery{SwapSet: true}, light.ErrForged},
		"set beside header, skip":         {20, lighttest.Forgery{SwapSet: true}, light.ErrForged},
		"impostors, next":                 {11, lighttest.Forgery{Impostors: true}, light.ErrForged},
		"impostors, skip":                 {20, lighttest.Forgery{Impostors: true}, light.ErrForged},
		"impostors, equal":                {10, lighttest.Forgery{Impostors: true, AppHash: &other}, light.ErrForged},
		"exactly two thirds, next":        {11, lighttest.Forgery{Signers: 4}, light.ErrForged},
		"exactly two thirds, skip":        {20, lighttest.Forgery{Signers: 4}, light.ErrForged},
		"one signer":                      {11, lighttest.Forgery{Signers: 1}, light.ErrForged},
		"header of another chain":         {11, lighttest.Forgery{ChainID: "another"}, light.ErrChain},
		"votes of another chain":          {11, lighttest.Forgery{SignedChainID: "another"}, light.ErrForged},
		"votes of another chain, skip":    {20, lighttest.Forgery{SignedChainID: "another"}, light.ErrForged},
		"future":                          {11, lighttest.Forgery{Shift: time.Hour}, light.ErrFuture},
		"future by the drift, to the ns":  {11, lighttest.Forgery{Shift: policy.MaxClockDrift}, light.ErrFuture},
		"backwards in time, next":         {11, lighttest.Forgery{Shift: -2 * time.Second}, light.ErrForged},
		"same time as before":             {11, lighttest.Forgery{Shift: -time.Second}, light.ErrForged},
		"backwards in time, skip":         {20, lighttest.Forgery{Shift: -time.Minute}, light.ErrForged},
		"backwards in height":             {9, lighttest.Forgery{}, light.ErrNotNewer},
		"state root changed after":        {11, lighttest.Forgery{AppHashAfterSigning: true}, light.ErrForged},
		"state root changed after, equal": {10, lighttest.Forgery{AppHashAfterSigning: true}, light.ErrForged},
		"fork, signed":                    {10, lighttest.Forgery{AppHash: &other}, light.ErrConflict},
		"fork, not signed":                {10, lighttest.Forgery{AppHash: &other, WrongSigner: true}, light.ErrForged},
		"fork, signed by two thirds":      {10, lighttest.Forgery{AppHash: &other, Signers: 4}, light.ErrForged},
		"fork by strangers":               {10, lighttest.Forgery{AppHash: &other, ReplaceSet: true}, light.ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			chain := lighttest.New(lighttest.Config{Validators: 6, EqualPower: true})
			c := at(t, chain, 10)
			_, err := c.Verify(chain.Forge(tc.height, tc.forge), chain.Time(tc.height))
			var refused *light.VerifyError
			if !errors.Is(err, tc.want) || !errors.As(err, &refused) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			for _, other := range sentinels {
				if other != tc.want && errors.Is(err, other) {
					t.Errorf("matches %v too", other)
				}
			}
			if refused.Trusted != 10 || (refused.Height != tc.height && tc.want != light.ErrChain) {
				t.Errorf("heights %d, %d", refused.Trusted, refused.Height)
			}
			if h, _ := c.Latest(); h != chain.Header(10) {
				t.Error("the client moved")
			}
			reach(t, c, chain, 21)
		})
	}
}

// TestLongRange has every validator of the trusted height gone and their old keys sign a block of the present.
func TestLongRange(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 4, RotateEvery: 5, RotateCount: 4})
	c := at(t, chain, 1)
	if _, err := c.Verify(chain.Block(20), chain.Time(20)); !errors.Is(err, light.ErrNeedIntermediate) {
		t.Fatalf("got %v", err)
	}
	reach(t, c, chain, 20)

	c = at(t, chain, 1)
	late := chain.Time(1).Add(policy.TrustingPeriod)
	for _, h := range []uint64{1, 2, 20} {
		if _, err := c.Verify(chain.Block(h), late); !errors.Is(err, light.ErrExpired) {
			t.Errorf("height %d past the trusting period: got %v", h, err)
		}
	}
	if _, err := c.Verify(chain.Block(2), late.Add(-1)); err != nil {
		t.Errorf("just within the trusting period: %v", err)
	}
}

// TestExactThird has the validators of the trusted set hold exactly the trust level in the new set, which is too
// little, and one more, which is enough.
func TestExactThird(t *testing.T) {
	for rotated, want := range map[int]error{4: light.ErrNeedIntermediate, 3: nil} {
		chain := lighttest.New(lighttest.Config{Validators: 6, EqualPower: true, RotateEvery: 10, RotateCount: rotated})
		_, err := at(t, chain, 1).Verify(chain.Block(15), chain.Time(15))
		if !errors.Is(err, want) {
			t.Errorf("%d of 6 rotated: got %v, want %v", rotated, err, want)
		}
	}
}

// TestNextValidators forges, with the current validators' help withheld, a set change at the next height.
func TestNextValidators(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 3, RotateEvery: 10, RotateCount: 3})
	c := at(t, chain, 9)
	if _, err := c.Verify(chain.Forge(10, lighttest.Forgery{ReplaceSet: true}), chain.Time(10)); !errors.Is(err, light.ErrForged) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Verify(chain.Block(11), chain.Time(11)); !errors.Is(err, light.ErrNeedIntermediate) {
		t.Errorf("a wholly new set must go through the header that names it: got %v", err)
	}
	reach(t, c, chain, 11)
}

func TestRoot(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 4})
	other := [32]byte{1}
	for name, tc := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"another height":    {chain.Block(6), chain.Time(6), light.ErrRoot},
		"another header":    {chain.Forge(5, lighttest.Forgery{AppHash: &other}), chain.Time(5), light.ErrRoot},
		"unsigned":          {chain.Forge(5, lighttest.Forgery{WrongSigner: true}), chain.Time(5), light.ErrForged},
		"impostors":         {chain.Forge(5, lighttest.Forgery{Impostors: true}), chain.Time(5), light.ErrForged},
		"too few signers":   {chain.Forge(5, lighttest.Forgery{Signers: 2}), chain.Time(5), light.ErrForged},
		"another chain":     {chain.Forge(5, lighttest.Forgery{ChainID: "x"}), chain.Time(5), light.ErrChain},
		"expired":           {chain.Block(5), chain.Time(5).Add(policy.TrustingPeriod), light.ErrExpired},
		"from the future":   {chain.Block(5), chain.Time(5).Add(-policy.MaxClockDrift), light.ErrFuture},
		"empty":             {nil, chain.Time(5), light.ErrMalformed},
		"the root":          {chain.Block(5), chain.Time(5), nil},
		"root, a bit later": {chain.Block(5), chain.Time(5).Add(time.Hour), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := light.New(chain.ChainID(), chain.Root(5), policy)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Verify(tc.raw, tc.now)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if _, ok := c.Latest(); ok != (tc.want == nil) {
				t.Errorf("has a header: %v", ok)
			}
		})
	}
}

func TestRepeatedBlock(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 4})
	c := at(t, chain, 5)
	for range 2 {
		h, err := c.Verify(chain.Block(5), chain.Time(5))
		if err != nil || h != chain.Header(5) {
			t.Fatalf("%+v, %v", h, err)
		}
	}
}

func TestOptions(t *testing.T) {
	root := light.TrustRoot{Height: 1, Hash: [32]byte{1}}
	long := make([]byte, light.MaxChainID+1)
	for name, tc := range map[string]struct {
		id   string
		root light.TrustRoot
		opts light.Options
	}{
		"no period":        {"a", root, light.Options{}},
		"negative drift":   {"a", root, light.Options{TrustingPeriod: 1, MaxClockDrift: -1}},
		"level under 1/3":  {"a", root, light.Options{TrustingPeriod: 1, TrustLevel: light.Fraction{Num: 33, Den: 100}}},
		"level over 1":     {"a", root, light.Options{TrustingPeriod: 1, TrustLevel: light.Fraction{Num: 4, Den: 3}}},
		"level of nothing": {"a", root, light.Options{TrustingPeriod: 1, TrustLevel: light.Fraction{Num: 1}}},
		"huge level":       {"a", root, light.Options{TrustingPeriod: 1, TrustLevel: light.Fraction{Num: 1 << 63, Den: 1 << 63}}},
		"no chain id":      {"", root, policy},
		"long chain id":    {string(long), root, policy},
		"no height":        {"a", light.TrustRoot{Hash: root.Hash}, policy},
		"height too large": {"a", light.TrustRoot{Height: 1 << 63, Hash: root.Hash}, policy},
		"no hash":          {"a", light.TrustRoot{Height: 1}, policy},
	} {
		if _, err := light.New(tc.id, tc.root, tc.opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMiddle(t *testing.T) {
	for _, tc := range [][3]uint64{{1, 2, 2}, {1, 3, 2}, {1, 4, 2}, {1, 5, 3}, {10, 1000, 505}, {5, 5, 6}} {
		e := light.VerifyError{Trusted: tc[0], Height: tc[1]}
		if e.Middle() != tc[2] {
			t.Errorf("between %d and %d: %d", tc[0], tc[1], e.Middle())
		}
	}
}

func TestUnixMillis(t *testing.T) {
	if got := (light.Header{Time: time.UnixMilli(1234).Add(999 * time.Microsecond)}).UnixMillis(); got != 1234 {
		t.Error(got)
	}
	if got := (light.Header{Time: time.UnixMilli(-1)}).UnixMillis(); got != 0 {
		t.Error(got)
	}
}

// TestBorrowedCommit puts a commit that the validators did sign beside a header that they did not.
func TestBorrowedCommit(t *testing.T) {
	chain := lighttest.New(lighttest.Config{Validators: 4})
	for name, change := range map[string]func(*types.LightBlock){
		"state root": func(b *types.LightBlock) { b.AppHash = make([]byte, 32) },
		"next validators": func(b *types.LightBlock) {
			b.NextValidatorsHash = chain.Draft(11, lighttest.Forgery{ReplaceSet: true}).ValidatorsHash
		},
		"time":            func(b *types.LightBlock) { b.Time = b.Time.Add(time.Second) },
		"height":          func(b *types.LightBlock) { b.Header.Height++ },
		"another commit":  func(b *types.LightBlock) { b.Commit = chain.LightBlock(uint64(b.Height) + 1).Commit },
		"commit's height": func(b *types.LightBlock) { b.Commit.Height++ },
		"commit's round":  func(b *types.LightBlock) { b.Commit.Round++ },
		"commit's parts":  func(b *types.LightBlock) { b.Commit.BlockID.PartSetHeader.Total++ },
		"vote's time":     func(b *types.LightBlock) { b.Commit.Signatures[0].Timestamp = b.Time },
	} {
		for _, height := range []uint64{11, 20} {
			b := chain.LightBlock(height)
			change(b)
			if _, err := at(t, chain, 10).Verify(lighttest.Encode(b), chain.Time(30)); !errors.Is(err, light.ErrForged) {
				t.Errorf("%s at %d: got %v", name, height, err)
			}
		}
	}
}
