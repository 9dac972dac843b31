package app

import (
	"context"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

// ordinary are the messages that decide nothing about whom enclaves give keys to: a proposal of them alone passes by the
// rules of x/gov. Every other message is grave, also one that nobody has thought of. It is not enough to name those that
// change what enclaves believe (policy, gatekeepers, upgrades): a majority of those who vote could first make itself two
// thirds, by a set of one validator, by jailing the others, or by minting for itself.
var ordinary = map[string]bool{
	sdk.MsgTypeURL(&distrtypes.MsgCommunityPoolSpend{}): true,
	sdk.MsgTypeURL(&upgradetypes.MsgCancelUpgrade{}):    true,
}

// isGrave reports whether a proposal holds a message that is not ordinary. A text alone is not grave.
func isGrave(p govv1.Proposal) bool {
	for _, m := range p.Messages {
		if !ordinary[m.TypeUrl] {
			return true
		}
	}
	return false
}

// tally counts votes as count does, but has a grave proposal fail for which less than two thirds of the bonded stake say
// yes. It says so by a total of zero, with which x/gov rejects any proposal and leaves the votes' counts as they are. One
// that is vetoed it leaves to x/gov, which rejects it and takes the deposit.
func tally(count govkeeper.CalculateVoteResultsAndVotingPowerFn) govkeeper.CalculateVoteResultsAndVotingPowerFn {
	return func(ctx context.Context, k govkeeper.Keeper, p govv1.Proposal) (
		math.LegacyDec, math.Int, map[govv1.VoteOption]math.LegacyDec, error,
	) {
		voted, bonded, results, err := count(ctx, k, p)
		if err != nil || !isGrave(p) || twoThirds(results[govv1.OptionYes], bonded) {
			return voted, bonded, results, err
		}
		params, err := k.Params.Get(ctx)
		if err != nil {
			return voted, bonded, results, err
		}
		if !vetoed(params, voted, results[govv1.OptionNoWithVeto]) {
			bonded = math.ZeroInt()
		}
		return voted, bonded, results, nil
	}
}

// vetoed reports whether x/gov rejects a proposal because of the votes with veto.
func vetoed(params govv1.Params, voted, veto math.LegacyDec) bool {
	threshold, err := math.LegacyNewDecFromStr(params.VetoThreshold)
	return err == nil && !veto.IsNil() && voted.IsPositive() && veto.Quo(voted).GT(threshold)
}

// twoThirds reports whether yes is at least two thirds of all, without rounding.
func twoThirds(yes math.LegacyDec, all math.Int) bool {
	if yes.IsNil() {
		return false
	}
	return yes.MulInt64(3).GTE(math.LegacyNewDecFromInt(all.MulRaw(2)))
}
