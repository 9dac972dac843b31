package app

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// The SDK keeps address prefixes and the staking denomination in process-wide variables that module code reads when
// it formats addresses and builds default genesis states; they must be set before any of that runs.
func init() {
	config := sdk.GetConfig()
	config.SetBech32PrefixForAccount(types.AccountPrefix, types.AccountPrefix+"pub")
	config.SetBech32PrefixForValidator(types.ValidatorPrefix, types.ValidatorPrefix+"pub")
	config.SetBech32PrefixForConsensusNode(types.ConsensusPrefix, types.ConsensusPrefix+"pub")
	sdk.DefaultBondDenom = types.Denom
}
