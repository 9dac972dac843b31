package app

import (
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// storeNames are the committed stores, each owned by one module.
var storeNames = []string{
	authtypes.StoreKey,
	banktypes.StoreKey,
	stakingtypes.StoreKey,
	minttypes.StoreKey,
	distrtypes.StoreKey,
	slashingtypes.StoreKey,
	evidencetypes.StoreKey,
	govtypes.StoreKey,
	upgradetypes.StoreKey,
	consensustypes.StoreKey,
	registrytypes.StoreKey,
	mqtypes.StoreKey,
	clustertypes.StoreKey,
}

// transientNames are the stores that are emptied after each block.
var transientNames = []string{}

// accountPermissions are the module accounts and what each may do with coins.
var accountPermissions = map[string][]string{
	authtypes.FeeCollectorName:          nil,
	distrtypes.ModuleName:               nil,
	minttypes.ModuleName:                {authtypes.Minter},
	stakingtypes.BondedPoolName:         {authtypes.Burner, authtypes.Staking},
	stakingtypes.NotBondedPoolName:      {authtypes.Burner, authtypes.Staking},
	stakingtypes.KeyRotationFeePoolName: {authtypes.Burner},
	govtypes.ModuleName:                 {authtypes.Burner},
	clustertypes.ModuleName:             nil,
}

// blockedAccounts returns the module accounts that nobody may send coins to: all but governance, which deposits go to.
func blockedAccounts() map[string]bool {
	blocked := make(map[string]bool, len(accountPermissions))
	for name := range accountPermissions {
		blocked[authtypes.NewModuleAddress(name).String()] = true
	}
	delete(blocked, authtypes.NewModuleAddress(govtypes.ModuleName).String())
	return blocked
}

// governance is the address of the governance module's account, the authority of every module.
func governance() string { return authtypes.NewModuleAddress(govtypes.ModuleName).String() }
