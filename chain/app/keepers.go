package app

import (
	"context"

	"cosmossdk.io/core/comet"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	"github.com/spf13/cast"

	clusterkeeper "github.com/phalanx-network/phalanx/chain/x/cluster/keeper"
	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	mqkeeper "github.com/phalanx-network/phalanx/chain/x/mq/keeper"
	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrykeeper "github.com/phalanx-network/phalanx/chain/x/registry/keeper"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/wire"
)

// Keepers are the keepers of all modules.
type Keepers struct {
	Account      authkeeper.AccountKeeper
	Bank         bankkeeper.BaseKeeper
	Consensus    consensuskeeper.Keeper
	Distribution distrkeeper.Keeper
	Evidence     *evidencekeeper.Keeper
	Gov          *govkeeper.Keeper
	Mint         mintkeeper.Keeper
	Slashing     slashingkeeper.Keeper
	Staking      *stakingkeeper.Keeper
	Upgrade      *upgradekeeper.Keeper

	Registry *registrykeeper.Keeper
	Queue    *mqkeeper.Keeper
	Cluster  *clusterkeeper.Keeper
}

func newKeepers(a *App, logger log.Logger, opts servertypes.AppOptions) Keepers {
	var k Keepers
	newChainKeepers(&k, a, logger, opts)
	newNetworkKeepers(&k, a)
	return k
}

// verifiers are the kinds of evidence that this program can judge; the policy in the state says which are believed.
var verifiers = tee.Verifiers{
	simulated.Verifier{}, dcap.Verifier{Of: tee.KindSGX}, dcap.Verifier{Of: tee.KindTDX}, sevsnp.Verifier{}, nitro.Verifier{},
}

// newNetworkKeepers builds the keepers of our own modules and connects them.
func newNetworkKeepers(k *Keepers, a *App) {
	k.Registry = registrykeeper.NewKeeper(a.store(registrytypes.StoreKey), verifiers, governance())
	k.Queue = mqkeeper.NewKeeper(a.store(mqtypes.StoreKey), k.Registry, k.Bank, authtypes.FeeCollectorName)
	k.Cluster = clusterkeeper.NewKeeper(a.store(clustertypes.StoreKey), k.Registry, k.Queue, k.Bank)
	k.Registry.SetHooks(k.Cluster)
	k.Registry.SetTopics(k.Queue)
	k.Queue.SetClusters(k.Cluster)
	k.Queue.SetActHandler(k.Registry, wire.ActRotateEcdh, wire.ActMasterKey)
	k.Queue.SetActHandler(k.Cluster, wire.ActKeyReport, wire.ActContract, wire.ActCheckpoint)
}

// newChainKeepers builds the keepers of the SDK's modules.
func newChainKeepers(k *Keepers, a *App, logger log.Logger, opts servertypes.AppOptions) {
	cdc, authority := a.encoding.Codec, governance()
	k.Consensus = consensuskeeper.NewKeeper(cdc, a.store(consensustypes.StoreKey), authority, runtime.EventService{})
	k.Account = authkeeper.NewAccountKeeper(cdc, a.store(authtypes.StoreKey), authtypes.ProtoBaseAccount,
		accountPermissions, accountCodec(), registrytypes.AccountPrefix, authority)
	k.Bank = bankkeeper.NewBaseKeeper(cdc, a.store(banktypes.StoreKey), k.Account, blockedAccounts(), authority, logger)
	k.Staking = stakingkeeper.NewKeeper(cdc, a.store(stakingtypes.StoreKey), k.Account, k.Bank, authority,
		validatorCodec(), consensusCodec())
	k.Mint = mintkeeper.NewKeeper(cdc, a.store(minttypes.StoreKey), k.Staking, k.Account, k.Bank,
		authtypes.FeeCollectorName, authority)
	k.Distribution = distrkeeper.NewKeeper(cdc, a.store(distrtypes.StoreKey), k.Account, k.Bank, k.Staking,
		authtypes.FeeCollectorName, authority)
	k.Slashing = slashingkeeper.NewKeeper(cdc, a.encoding.Amino, a.store(slashingtypes.StoreKey), k.Staking, authority)
	k.Staking.SetHooks(stakingtypes.NewMultiStakingHooks(k.Distribution.Hooks(), k.Slashing.Hooks()))
	k.Evidence = evidencekeeper.NewKeeper(cdc, a.store(evidencetypes.StoreKey), k.Staking, k.Slashing, accountCodec(),
		cometInfo{})
	k.Upgrade = upgradekeeper.NewKeeper(skippedUpgrades(opts), a.store(upgradetypes.StoreKey), cdc,
		cast.ToString(opts.Get(flags.FlagHome)), a.BaseApp, authority)
	k.Gov = govkeeper.NewKeeper(cdc, a.store(govtypes.StoreKey), k.Account, k.Bank, k.Distribution,
		a.MsgServiceRouter(), govtypes.DefaultConfig(), authority,
		tally(govkeeper.NewDefaultCalculateVoteResultsAndVotingPower(k.Staking)))
}

// store returns the service through which a module reaches its store of that name.
func (a *App) store(name string) corestore.KVStoreService {
	return runtime.NewKVStoreService(a.keys[name])
}

// skippedUpgrades are the heights of planned upgrades that the operator told this node to pass over.
func skippedUpgrades(opts servertypes.AppOptions) map[int64]bool {
	heights := make(map[int64]bool)
	for _, h := range cast.ToIntSlice(opts.Get(server.FlagUnsafeSkipUpgrades)) {
		heights[int64(h)] = true
	}
	return heights
}

// cometInfo gives x/evidence the misbehaviour that CometBFT reports with a block.
type cometInfo struct{}

func (cometInfo) GetCometBlockInfo(ctx context.Context) comet.BlockInfo {
	return sdk.UnwrapSDKContext(ctx).CometInfo()
}
