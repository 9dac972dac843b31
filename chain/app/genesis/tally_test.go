package genesis_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/phalanx-network/phalanx/chain/app"
	"github.com/phalanx-network/phalanx/chain/app/genesis"
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

const delay = 10

// production is a chain whose validators hold the given stakes, in units of voting power, with hardware's roots and a policy
// that admits one program.
func production(t *testing.T, stakes ...int64) (*app.App, sdk.Context) {
	t.Helper()
	o := options(len(stakes))
	for i, s := range stakes {
		o.Validators[i].Stake = math.NewInt(s * 1_000_000)
	}
	g, err := genesis.HardwareRegistry(policyOf(1))
	if err != nil {
		t.Fatal(err)
	}
	g.Params.Delay = delay
	o.Modules[types.ModuleName] = g
	doc, err := genesis.Build(o)
	if err != nil {
		t.Fatal(err)
	}
	a := open(t)
	initialize(t, a, doc)
	if _, err := block(a, 1, len(stakes)); err != nil {
		t.Fatal(err)
	}
	return a, a.NewNextBlockContext(cmtproto.Header{ChainID: chainID, Height: 2, Time: began.Add(2 * time.Second)})
}

func policyOf(n byte) *tee.Policy {
	return &tee.Policy{
		Accept:        []tee.Acceptance{{Kind: tee.KindSEVSNP, Programs: []tee.Program{tee.Exactly([]byte{n})}}},
		Statuses:      []tee.TCBStatus{tee.TCBUpToDate},
		MinConfidence: tee.ConfidenceWorst,
	}
}

// decide proposes a message, lets the given validators say yes and the others no, and ends the voting period.
func decide(t *testing.T, a *app.App, ctx sdk.Context, yes, validators int, m sdk.Msg) govv1.ProposalStatus {
	t.Helper()
	p, err := a.Gov.SubmitProposal(ctx, []sdk.Msg{m}, "", "title", "summary", sdk.AccAddress{19: 1}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Gov.ActivateVotingPeriod(ctx, p); err != nil {
		t.Fatal(err)
	}
	for i := range validators {
		option := govv1.OptionNo
		if i < yes {
			option = govv1.OptionYes
		}
		if err := a.Gov.AddVote(ctx, p.Id, sdk.AccAddress{19: byte(i + 1)}, govv1.NewNonSplitVoteOption(option), ""); err != nil {
			t.Fatal(err)
		}
	}
	params, err := a.Gov.Params.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := gov.EndBlocker(ctx.WithBlockTime(ctx.BlockTime().Add(*params.VotingPeriod+time.Second)), a.Gov); err != nil {
		t.Fatal(err)
	}
	if p, err = a.Gov.Proposals.Get(ctx, p.Id); err != nil {
		t.Fatal(err)
	}
	return p.Status
}

// oneValidator leaves the first validator alone in the set: from then on its stake is all bonded stake.
func oneValidator(authority string) sdk.Msg {
	params := stakingtypes.DefaultParams()
	params.MaxValidators = 1
	return &stakingtypes.MsgUpdateParams{Authority: authority, Params: params}
}

// What decides whom enclaves give keys to takes two thirds of all bonded stake; other proposals pass with a majority of
// those who vote.
func TestTwoThirdsOfTheStakeDecideOnTrust(t *testing.T) {
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	policy, roots := scale.MustMarshal(policyOf(2)), genesis.HardwareRoots()
	rules := types.DefaultParams().Network
	rules.GasPrice = 7
	update := &types.MsgUpdatePolicy{
		Authority: authority, Policy: policy, Roots: scale.MustMarshal(&roots), GatekeeperConfidence: tee.ConfidenceBest,
	}
	tests := []struct {
		name   string
		stakes []int64
		yes    int
		m      sdk.Msg
		want   govv1.ProposalStatus
	}{
		{"just below", []int64{666_666, 333_334}, 1, update, govv1.StatusRejected},
		{"two thirds", []int64{666_667, 333_333}, 1, update, govv1.StatusPassed},
		{"exactly two thirds", []int64{2, 1}, 1, update, govv1.StatusPassed},
		{"most of those who vote", []int64{60, 40}, 1, update, govv1.StatusRejected},
		{"network's rules, just below", []int64{66, 34}, 1, &types.MsgUpdateParams{Authority: authority, Network: rules}, govv1.StatusRejected},
		{"network's rules", []int64{67, 33}, 1, &types.MsgUpdateParams{Authority: authority, Network: rules}, govv1.StatusPassed},
		{"gatekeepers", []int64{60, 40}, 1, &types.MsgNameGatekeepers{Authority: authority}, govv1.StatusRejected},
		{"upgrade", []int64{60, 40}, 1, &upgradetypes.MsgSoftwareUpgrade{Authority: authority, Plan: upgradetypes.Plan{Name: "v2", Height: 99}}, govv1.StatusRejected},
		{"who is bonded, by one validator's stake", []int64{60, 40}, 1, oneValidator(authority), govv1.StatusRejected},
		{"who is bonded", []int64{67, 33}, 1, oneValidator(authority), govv1.StatusPassed},
		{"who is jailed", []int64{60, 40}, 1, &slashingtypes.MsgUpdateParams{Authority: authority, Params: slashingtypes.DefaultParams()}, govv1.StatusRejected},
		{"how much is minted", []int64{60, 40}, 1, &minttypes.MsgUpdateParams{Authority: authority, Params: minttypes.DefaultParams()}, govv1.StatusRejected},
		{"who gets what is minted", []int64{60, 40}, 1, &distrtypes.MsgUpdateParams{Authority: authority, Params: distrtypes.DefaultParams()}, govv1.StatusRejected},
		{"anything else", []int64{60, 40}, 1, &upgradetypes.MsgCancelUpgrade{Authority: authority}, govv1.StatusPassed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, ctx := production(t, tt.stakes...)
			if got := decide(t, a, ctx, tt.yes, len(tt.stakes), tt.m); got != tt.want {
				t.Fatalf("%s, want %s", got, tt.want)
			}
			if tt.m != update || tt.want != govv1.StatusPassed {
				return
			}
			// The delay: the old policy holds until then.
			before, err := a.Registry.Trust(ctx)
			if err != nil || string(scale.MustMarshal(&before.Policy)) == string(policy) {
				t.Fatalf("in force at once, %v", err)
			}
			for h := uint64(3); h <= 2+delay; h++ {
				if err := a.Registry.BeginBlock(ctx.WithBlockHeight(int64(h)).WithHeaderHash(make([]byte, 32))); err != nil {
					t.Fatal(err)
				}
				now, err := a.Registry.Trust(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := string(scale.MustMarshal(&now.Policy)) == string(policy), h == 2+delay; got != want {
					t.Fatalf("height %d: in force %v", h, got)
				}
			}
		})
	}
}

// Rules from which stake, votes and programs follow are as grave as what they decide: with one bonded validator left, that
// one would be two thirds of all bonded stake.
func TestTwoThirdsCannotBeMadeFewer(t *testing.T) {
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	params := map[string]func(*app.App, sdk.Context) (sdk.Msg, error){
		"staking": func(a *app.App, ctx sdk.Context) (sdk.Msg, error) {
			p, err := a.Staking.GetParams(ctx)
			p.MaxValidators = 1
			return &stakingtypes.MsgUpdateParams{Authority: authority, Params: p}, err
		},
		"slashing": func(a *app.App, ctx sdk.Context) (sdk.Msg, error) {
			p, err := a.Slashing.GetParams(ctx)
			return &slashingtypes.MsgUpdateParams{Authority: authority, Params: p}, err
		},
		"gov": func(a *app.App, ctx sdk.Context) (sdk.Msg, error) {
			p, err := a.Gov.Params.Get(ctx)
			return &govv1.MsgUpdateParams{Authority: authority, Params: p}, err
		},
	}
	for name, message := range params {
		t.Run(name, func(t *testing.T) {
			a, ctx := production(t, 40, 30, 30)
			m, err := message(a, ctx)
			if err != nil {
				t.Fatal(err)
			}
			// The others do not vote: x/gov's own quorum and majority are there.
			if got := decide(t, a, ctx, 1, 1, m); got != govv1.StatusRejected {
				t.Errorf("by 40 of 100: %s", got)
			}
			if got := decide(t, a, ctx, 2, 2, m); got != govv1.StatusPassed {
				t.Errorf("by 70 of 100: %s", got)
			}
		})
	}
}

// Who proposes what a third vetoes loses the deposit, as x/gov has it.
func TestVetoBurnsTheDeposit(t *testing.T) {
	a, ctx := production(t, 60, 40)
	m := &types.MsgNameGatekeepers{Authority: authtypes.NewModuleAddress(govtypes.ModuleName).String()}
	for option, want := range map[govv1.VoteOption]bool{govv1.OptionNoWithVeto: true, govv1.OptionNo: false} {
		p, err := a.Gov.SubmitProposal(ctx, []sdk.Msg{m}, "", "title", "summary", sdk.AccAddress{19: 1}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Gov.ActivateVotingPeriod(ctx, p); err != nil {
			t.Fatal(err)
		}
		for i, o := range []govv1.VoteOption{govv1.OptionYes, option} {
			if err := a.Gov.AddVote(ctx, p.Id, sdk.AccAddress{19: byte(i + 1)}, govv1.NewNonSplitVoteOption(o), ""); err != nil {
				t.Fatal(err)
			}
		}
		passes, burns, result, err := a.Gov.Tally(ctx, p)
		if err != nil || passes || burns != want {
			t.Fatalf("%s: passes %v, burns %v, %v", option, passes, burns, err)
		}
		if result.YesCount != "60000000" {
			t.Fatalf("%s: %+v", option, result)
		}
	}
}
