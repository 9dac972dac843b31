package app

import (
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distr "github.com/cosmos/cosmos-sdk/x/distribution"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govclient "github.com/cosmos/cosmos-sdk/x/gov/client"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/mint"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/cosmos-sdk/x/upgrade"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/phalanx-network/phalanx/chain/x/cluster"
	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/chain/x/mq"
	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/chain/x/registry"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// BasicManager holds what every module offers without a keeper: its types, default genesis and gateway routes.
func BasicManager() module.BasicManager {
	return module.NewBasicManager(
		auth.AppModuleBasic{},
		bank.AppModuleBasic{},
		consensus.AppModuleBasic{},
		distr.AppModuleBasic{},
		evidence.AppModuleBasic{},
		genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
		gov.NewAppModuleBasic([]govclient.ProposalHandler{}),
		mint.AppModuleBasic{},
		slashing.AppModuleBasic{},
		staking.AppModuleBasic{},
		upgrade.AppModuleBasic{},
		registry.AppModuleBasic{},
		mq.AppModuleBasic{},
		cluster.AppModuleBasic{},
	)
}

// Each order below is part of consensus: changing one is an upgrade.
var (
	preBlockOrder = []string{upgradetypes.ModuleName, authtypes.ModuleName}

	// The registry is first: the chain's uid and the header of this block are there for every other module. Fees are
	// minted and distributed before slashing, so that a slashed validator's past reward is already its own.
	beginBlockOrder = []string{
		registrytypes.ModuleName, minttypes.ModuleName, distrtypes.ModuleName, slashingtypes.ModuleName, evidencetypes.ModuleName,
		stakingtypes.ModuleName, genutiltypes.ModuleName,
	}

	// Registrations expire before clusters look at their members, and the queue prunes what they have covered.
	endBlockOrder = []string{
		banktypes.ModuleName, govtypes.ModuleName, stakingtypes.ModuleName, genutiltypes.ModuleName,
		registrytypes.ModuleName, clustertypes.ModuleName, mqtypes.ModuleName,
	}

	// Accounts and coins come before staking, and genutil last of the SDK's, for its transactions use them all.
	genesisOrder = []string{
		authtypes.ModuleName, banktypes.ModuleName, distrtypes.ModuleName, stakingtypes.ModuleName,
		slashingtypes.ModuleName, govtypes.ModuleName, minttypes.ModuleName, evidencetypes.ModuleName,
		upgradetypes.ModuleName, consensustypes.ModuleName, genutiltypes.ModuleName,
		registrytypes.ModuleName, mqtypes.ModuleName, clustertypes.ModuleName,
	}
)

func newManager(a *App) *module.Manager {
	cdc := a.encoding.Codec
	m := module.NewManager(
		genutil.NewAppModule(a.Account, a.Staking, a, a.encoding.Tx),
		auth.NewAppModule(cdc, a.Account, nil),
		bank.NewAppModule(cdc, a.Bank, a.Account),
		consensus.NewAppModule(cdc, a.Consensus),
		distr.NewAppModule(cdc, a.Distribution, a.Account, a.Bank, a.Staking),
		evidence.NewAppModule(*a.Evidence),
		gov.NewAppModule(cdc, a.Gov, a.Account, a.Bank),
		mint.NewAppModule(cdc, a.Mint, a.Account, nil),
		slashing.NewAppModule(cdc, a.Slashing, a.Account, a.Bank, a.Staking, a.encoding.Registry),
		staking.NewAppModule(cdc, a.Staking, a.Account, a.Bank),
		upgrade.NewAppModule(a.Upgrade, accountCodec()),
		registry.NewAppModule(a.Registry),
		mq.NewAppModule(a.Queue),
		cluster.NewAppModule(a.Cluster),
	)
	m.SetOrderPreBlockers(preBlockOrder...)
	m.SetOrderBeginBlockers(beginBlockOrder...)
	m.SetOrderEndBlockers(endBlockOrder...)
	m.SetOrderInitGenesis(genesisOrder...)
	m.SetOrderExportGenesis(genesisOrder...)
	return m
}
