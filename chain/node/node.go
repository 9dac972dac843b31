// Package node is the node half of the phalanx program: its commands, and the same steps for programs that run nodes
// themselves.
//
// [Command] is `phalanx node`: init, start, genesis account and gentx handling, export, status and the like. A program
// (a devnet, a test) calls [Init] with [Settings] to write a home folder, and [Run] to run the node until its context
// ends. Every listener is on loopback unless the settings say otherwise.
package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"cosmossdk.io/log/v2"
	cmtcfg "github.com/cometbft/cometbft/config"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/chain/app"
)

// EnvHome names the environment variable that holds the folder of the whole network; a node lives in "node" below it.
const EnvHome = "PHALANX_HOME"

// DefaultHome returns the node's folder where --home does not name one: $PHALANX_HOME/node, else ~/.phalanx/node.
func DefaultHome() string {
	if home := os.Getenv(EnvHome); home != "" {
		return filepath.Join(home, "node")
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(".phalanx", "node")
	}
	return filepath.Join(user, ".phalanx", "node")
}

// noHome marks commands that run without an initialized home.
const noHome = "phalanx.no-home"

// Command returns `phalanx node` with everything below it.
func Command() (*cobra.Command, error) {
	enc, err := app.NewEncoding()
	if err != nil {
		return nil, err
	}
	home := DefaultHome()
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a node of the chain",
		Long: "Run a node of the chain: `init` writes its folder, `start` runs it.\n\n" +
			"A new chain: init, keys add, add-genesis-account, gentx, collect-gentxs, start.\n" +
			"An existing chain: init --genesis FILE --peers ID@HOST:PORT, start.",
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.PersistentFlags().String(flags.FlagHome, home, "the node's folder")
	cmd.PersistentFlags().String(flags.FlagLogLevel, "info", "debug, info, warn, error, or a list of MODULE:LEVEL")
	cmd.PersistentFlags().String(flags.FlagLogFormat, "plain", "plain or json")
	cmd.PersistentFlags().Bool(flags.FlagLogNoColor, false, "log without colours")
	base := clientContext(enc, home).WithInput(os.Stdin)
	cmd.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return prepare(c, base) }
	addCommands(cmd, enc, home)
	return cmd, nil
}

func addCommands(cmd *cobra.Command, enc app.Encoding, home string) {
	basics := app.BasicManager()
	validators := enc.Tx.SigningContext().ValidatorAddressCodec()
	accounts := enc.Tx.SigningContext().AddressCodec()
	checkGentx := basics[genutiltypes.ModuleName].(genutil.AppModuleBasic).GenTxValidator
	status := server.StatusCommand()
	keyring := keys.Commands()
	for _, c := range append([]*cobra.Command{status, keyring}, keyring.Commands()...) {
		c.Annotations = map[string]string{noHome: ""}
	}
	cmd.AddCommand(
		initCommand(),
		startCommand(home),
		genutilcli.AddGenesisAccountCmd(home, accounts),
		genutilcli.GenTxCmd(basics, enc.Tx, banktypes.GenesisBalancesIterator{}, home, validators),
		genutilcli.CollectGenTxsCmd(banktypes.GenesisBalancesIterator{}, home, checkGentx, validators),
		genutilcli.ValidateGenesisCmd(basics),
		server.ExportCmd(exportState, home),
		server.NewRollbackCmd(newApplication, home),
		server.ShowNodeIDCmd(),
		server.ShowValidatorCmd(),
		server.ShowAddressCmd(),
		status,
		keyring,
	)
}

// prepare gives a command its client context and, from the home folder, the node's configuration. It creates no file:
// only init does.
func prepare(cmd *cobra.Command, base client.Context) error {
	cmd.SetOut(cmd.OutOrStdout())
	cmd.SetErr(cmd.ErrOrStderr())
	ctx, err := client.ReadPersistentCommandFlags(base.WithCmdContext(cmd.Context()), cmd.Flags())
	if err != nil {
		return err
	}
	if err := client.SetCmdClientContextHandler(ctx, cmd); err != nil {
		return err
	}
	if _, ok := cmd.Annotations[noHome]; ok {
		return nil
	}
	if _, err := os.Stat(filepath.Join(ctx.HomeDir, "config", "config.toml")); err != nil {
		return fmt.Errorf("no node in %s (phalanx node init makes one): %w", ctx.HomeDir, err)
	}
	cmd.SetContext(context.WithValue(cmd.Context(), server.ServerContextKey, server.NewDefaultContext()))
	return server.InterceptConfigsPreRunHandler(cmd, "", nil, cmtcfg.DefaultConfig())
}

// newApplication opens the application as the server's commands ask for it. They take no error, so a state that cannot
// be opened is a panic, as it is in the SDK.
func newApplication(logger log.Logger, db dbm.DB, opts servertypes.AppOptions) servertypes.Application {
	a, err := app.New(logger, db, true, opts, server.DefaultBaseappOptions(opts)...)
	if err != nil {
		panic(err)
	}
	return a
}

func exportState(
	logger log.Logger, db dbm.DB, height int64, forZeroHeight bool, _ []string, opts servertypes.AppOptions,
	modules []string,
) (servertypes.ExportedApp, error) {
	a, err := app.New(logger, db, height == -1, opts, server.DefaultBaseappOptions(opts)...)
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	if height != -1 {
		if err := a.LoadVersion(height); err != nil {
			return servertypes.ExportedApp{}, fmt.Errorf("load height %d: %w", height, err)
		}
	}
	return a.Export(forZeroHeight, modules)
}
