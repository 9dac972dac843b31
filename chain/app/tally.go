package app

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// grave are the messages that decide whom enclaves give keys to: which evidence and which programs are believed, who the
// gatekeepers are, and the program that judges all this; and those that decide whose stake is bonded, without which a
// majority of those who vote could first make itself two thirds: by a set of one validator, by jailing the others, or by
// minting for itself. A proposal with one of them passes only if two thirds of all bonded stake say yes, whatever the
// parameters of x/gov are.
var grave = []sdk.Msg{
	&registrytypes.MsgUpdatePolicy{}, &registrytypes.MsgNameGatekeepers{}, &registrytypes.MsgUpdateParams{},
	&upgradetypes.MsgSoftwareUpgrade{},
	&stakingtypes.MsgUpdateParams{}, &slashingtypes.MsgUpdateParams{}, &minttypes.MsgUpdateParams{},
	&distrtypes.MsgUpdateParams{}, &consensustypes.MsgUpdateParams{},
}

// isGrave reports whether a proposal holds a grave message. Messages that carry others (of x/gov itself) only make further
// proposals, which are judged on their own; the application has no module that executes messages within messages.
func isGrave(p govv1.Proposal) bool {
	for _, m := range p.Messages {
		for _, g := range grave {
			if m.TypeUrl == sdk.MsgTypeURL(g) {
				return true
			}
		}
	}
	return false
}

// tally counts votes as count does, but has a grave proposal fail for which less than two thirds of the bonded stake say
// yes. It says so by a total of zero, with which x/gov rejects any proposal and leaves the votes' counts as they are.
func tally(count govkeeper.CalculateVoteResultsAndVotingPowerFn) govkeeper.CalculateVoteResultsAndVotingPowerFn {
	return func(ctx context.Context, k govkeeper.Keeper, p govv1.Proposal) (
		math.LegacyDec, math.Int, map[govv1.VoteOption]math.LegacyDec, error,
	) {
		voted, bonded, results, err := count(ctx, k, p)
		if err == nil && isGrave(p) && !twoThirds(results[govv1.OptionYes], bonded) {
			bonded = math.ZeroInt()
		}
		return voted, bonded, results, err
	}
}

// twoThirds reports whether yes is at least two thirds of all, without rounding.
func twoThirds(yes math.LegacyDec, all math.Int) bool {
	if yes.IsNil() {
		return false
	}
	return yes.MulInt64(3).GTE(math.LegacyNewDecFromInt(all.MulRaw(2)))
}
