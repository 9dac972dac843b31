// Package app is the Phalanx chain: a Cosmos SDK application wired by hand.
//
// Start with [New], which builds every keeper and module over a database; [Genesis] gives the default state and the
// package genesis below this one a whole genesis document. The node's commands are in chain/node.
//
// The files follow the steps of wiring: encoding.go (codecs), stores.go (store keys and module accounts), keepers.go
// (what each module may call), modules.go (the list of modules and the order of their hooks). To add a module, add its
// store key, its keeper, and its line and place in the orders: each list sits in one of those files, and the module
// manager refuses to start when an order forgets a module.
package app

import (
	"encoding/json"
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	reflectionv1 "cosmossdk.io/api/cosmos/reflection/v1"
	"cosmossdk.io/log/v2"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime/services"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/cosmos/cosmos-sdk/x/auth/ante"
)

// Name is the application's name, in genesis files and in ABCI Info.
const Name = "phalanx"

// App is the chain's application. Build it with New.
type App struct {
	*baseapp.BaseApp
	Keepers

	encoding  Encoding
	keys      map[string]*storetypes.KVStoreKey
	transient map[string]*storetypes.TransientStoreKey
	manager   *module.Manager
	config    module.Configurator
}

var _ servertypes.Application = (*App)(nil)

// New builds the application over db. With loadLatest it opens the last committed state; without, the caller loads a
// height itself (export does). It returns an error where wiring or the stored state is not usable.
func New(
	logger log.Logger, db dbm.DB, loadLatest bool, opts servertypes.AppOptions, base ...func(*baseapp.BaseApp),
) (*App, error) {
	enc, err := NewEncoding()
	if err != nil {
		return nil, err
	}
	app := &App{
		BaseApp:   baseapp.NewBaseApp(Name, logger, db, enc.Tx.TxDecoder(), base...),
		encoding:  enc,
		keys:      storetypes.NewKVStoreKeys(storeNames...),
		transient: storetypes.NewTransientStoreKeys(transientNames...),
	}
	app.SetVersion(version.Version)
	app.SetInterfaceRegistry(enc.Registry)
	app.SetTxEncoder(enc.Tx.TxEncoder())
	app.Keepers = newKeepers(app, logger, opts)
	app.SetParamStore(app.Consensus.ParamsStore)
	if err := app.wireModules(); err != nil {
		return nil, err
	}
	if err := app.wireABCI(); err != nil {
		return nil, err
	}
	if !loadLatest {
		return app, nil
	}
	if err := app.LoadLatestVersion(); err != nil {
		return nil, fmt.Errorf("load the last committed state: %w", err)
	}
	return app, nil
}

// wireModules builds the module manager and registers every Msg and Query service.
func (a *App) wireModules() error {
	a.manager = newManager(a)
	a.config = module.NewConfigurator(a.encoding.Codec, a.MsgServiceRouter(), a.GRPCQueryRouter())
	if err := a.manager.RegisterServices(a.config); err != nil {
		return fmt.Errorf("register module services: %w", err)
	}
	autocliv1.RegisterQueryServer(a.GRPCQueryRouter(), services.NewAutoCLIQueryService(a.manager.Modules))
	reflection, err := services.NewReflectionService()
	if err != nil {
		return fmt.Errorf("reflection service: %w", err)
	}
	reflectionv1.RegisterReflectionServiceServer(a.GRPCQueryRouter(), reflection)
	a.registerUpgradeHandlers()
	return nil
}

// wireABCI mounts the stores and sets what runs at each ABCI call.
func (a *App) wireABCI() error {
	a.MountKVStores(a.keys)
	a.MountTransientStores(a.transient)
	a.SetInitChainer(a.initChain)
	a.SetPreBlocker(func(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
		return a.manager.PreBlock(ctx)
	})
	a.SetBeginBlocker(a.manager.BeginBlock)
	a.SetEndBlocker(a.manager.EndBlock)
	handler, err := ante.NewAnteHandler(ante.HandlerOptions{
		AccountKeeper:   a.Account,
		BankKeeper:      a.Bank,
		SignModeHandler: a.encoding.Tx.SignModeHandler(),
		SigGasConsumer:  ante.DefaultSigVerificationGasConsumer,
	})
	if err != nil {
		return fmt.Errorf("ante handler: %w", err)
	}
	a.SetAnteHandler(handler)
	return nil
}

// registerUpgradeHandlers sets the handler of each released upgrade. The first release has none.
func (a *App) registerUpgradeHandlers() {}

func (a *App) initChain(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("genesis app state: %w", err)
	}
	if err := a.Upgrade.SetModuleVersionMap(ctx, a.manager.GetVersionMap()); err != nil {
		return nil, fmt.Errorf("module versions: %w", err)
	}
	return a.manager.InitGenesis(ctx, a.encoding.Codec, state)
}

// Codec returns the application's protobuf codec.
func (a *App) Codec() codec.Codec { return a.encoding.Codec }

// InterfaceRegistry returns the registry of the protobuf interfaces that the application knows.
func (a *App) InterfaceRegistry() codectypes.InterfaceRegistry { return a.encoding.Registry }

// TxConfig returns how transactions are built, signed and encoded.
func (a *App) TxConfig() client.TxConfig { return a.encoding.Tx }

// Genesis returns the default genesis state of every module.
func (a *App) Genesis() map[string]json.RawMessage {
	return BasicManager().DefaultGenesis(a.encoding.Codec)
}
