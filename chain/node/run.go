package node

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	cmtlog "github.com/cometbft/cometbft/libs/log"
	cometnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/client/local"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	servercmtlog "github.com/cosmos/cosmos-sdk/server/log"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/phalanx-network/phalanx/chain/app"
)

// ErrConsensus says that consensus stopped while the node was to run on: its log says why. CometBFT alone would leave
// the process up, answering from its last block.
var ErrConsensus = errors.New("consensus stopped")

// closeTimeout bounds how long the node's parts may take to end.
const closeTimeout = 10 * time.Second

func startCommand(home string) *cobra.Command {
	cmd := server.StartCmdWithOptions(newApplication, home, server.StartCmdOptions{
		StartCommandHandler: func(
			sctx *server.Context, cctx client.Context, _ servertypes.AppCreator, withComet bool, _ server.StartCmdOptions,
		) error {
			if !withComet {
				return errors.New("the application runs in one process with CometBFT")
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return Run(ctx, sctx, cctx, nil)
		},
	})
	cmd.Short = "Run the node until it is interrupted"
	return cmd
}

// Run runs the node whose configuration is in sctx until ctx ends (and then returns nil) or a part of it fails. Once
// its listeners are up it calls ready, unless that is nil, with a client that reaches the node in this process.
func Run(ctx context.Context, sctx *server.Context, cctx client.Context, ready func(*local.Local)) (err error) {
	cfg, err := serverconfig.GetConfig(sctx.Viper)
	if err != nil {
		return fmt.Errorf("node configuration: %w", err)
	}
	if err := cfg.ValidateBasic(); err != nil {
		return fmt.Errorf("node configuration: %w", err)
	}
	db, err := dbm.NewDB("application", server.GetAppDBBackend(sctx.Viper), sctx.Config.DBDir())
	if err != nil {
		return fmt.Errorf("open the application's database: %w", err)
	}
	a, err := app.New(sctx.Logger, db, true, sctx.Viper, server.DefaultBaseappOptions(sctx.Viper)...)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	watch := newFailureWatch(servercmtlog.CometLoggerWrapper{Logger: sctx.Logger})
	var stores databases
	defer func() { err = errors.Join(err, stores.close()) }()
	comet, err := startComet(ctx, sctx, a, watch, &stores)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopComet(comet)) }()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return watchConsensus(ctx, watch.failed) })
	cctx = cctx.WithClient(local.New(comet)).WithHomeDir(sctx.Config.RootDir)
	if err := serve(ctx, group, cfg, sctx, cctx, a); err != nil {
		return err
	}
	if ready != nil {
		ready(local.New(comet))
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// startComet starts the consensus engine over the application.
func startComet(
	ctx context.Context, sctx *server.Context, a *app.App, logger cmtlog.Logger, stores *databases,
) (*cometnode.Node, error) {
	cfg := sctx.Config
	key, err := p2p.LoadOrGenNodeKey(cfg.NodeKeyFile())
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	if err := readable(cfg.GenesisFile()); err != nil {
		return nil, err
	}
	genesis := func() (*cmttypes.GenesisDoc, error) {
		doc, err := genutiltypes.AppGenesisFromFile(cfg.GenesisFile())
		if err != nil {
			return nil, err
		}
		return doc.ToGenesisDoc()
	}
	n, err := cometnode.NewNodeWithContext(ctx, cfg,
		privval.LoadOrGenFilePV(cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile()), key,
		proxy.NewLocalClientCreator(server.NewCometABCIWrapper(a)), genesis, stores.open,
		cometnode.DefaultMetricsProvider(cfg.Instrumentation), logger)
	if err != nil {
		return nil, fmt.Errorf("make the consensus node: %w", err)
	}
	if err := n.Start(); err != nil {
		return nil, fmt.Errorf("start the consensus node: %w", err)
	}
	return n, nil
}

func stopComet(n *cometnode.Node) error {
	if !n.IsRunning() {
		return nil
	}
	if err := n.Stop(); err != nil {
		return fmt.Errorf("stop the consensus node: %w", err)
	}
	done := make(chan struct{})
	go func() { n.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(closeTimeout):
		return errors.New("the consensus node did not stop in time")
	}
}

// watchConsensus ends with ErrConsensus when the consensus engine ends before ctx does.
func watchConsensus(ctx context.Context, failed <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-failed:
		return ErrConsensus
	}
}

// serve starts gRPC and its gateway; they end with ctx.
func serve(
	ctx context.Context, group *errgroup.Group, cfg serverconfig.Config, sctx *server.Context, cctx client.Context,
	a *app.App,
) error {
	a.RegisterTxService(cctx)
	a.RegisterTendermintService(cctx)
	a.RegisterNodeService(cctx, cfg)
	grpc, cctx, err := server.StartGrpcServer(ctx, group, cfg.GRPC, cctx, sctx, a)
	if err != nil {
		return fmt.Errorf("start gRPC: %w", err)
	}
	if !cfg.API.Enable {
		return nil
	}
	gateway := api.New(cctx, sctx.Logger.With("module", "gateway"), grpc)
	a.RegisterAPIRoutes(gateway, cfg.API)
	group.Go(func() error { return gateway.Start(ctx, cfg) })
	return nil
}
