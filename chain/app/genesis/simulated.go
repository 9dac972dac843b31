package genesis

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// SimulatedRegistry returns the registry of a devnet: it believes the simulated platform, which gives no
// confidentiality, for programs of the given measurements; authority is the account that names gatekeepers and changes
// policy, at once. The caller may change the network's parameters in what it returns. A production network must not
// use it; genesis validation refuses such a policy where Network.Simulated is false.
func SimulatedRegistry(authority sdk.AccAddress, measurements ...[]byte) *types.GenesisState {
	roots := simulated.Roots()
	rule := tee.Acceptance{Kind: tee.KindSimulated}
	for _, m := range measurements {
		rule.Programs = append(rule.Programs, tee.Exactly(m))
	}
	policy := tee.Policy{
		Accept:        []tee.Acceptance{rule},
		Statuses:      []tee.TCBStatus{tee.TCBUpToDate},
		MinConfidence: tee.ConfidenceNone,
	}
	g := types.DefaultGenesis()
	g.Params.Policy = scale.MustMarshal(&policy)
	g.Params.Roots = scale.MustMarshal(&roots)
	g.Params.GatekeeperConfidence = tee.ConfidenceNone
	g.Params.Network.Simulated = true
	g.Params.Authority = authority.String()
	g.Params.Delay = 0
	return g
}
