package node

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/chain/app"
	"github.com/phalanx-network/phalanx/chain/app/genesis"
)

const flagBlockTime = "block-time"

// followPause is the pause of a node that joins a chain: as good as none. One longer than the network's would have it
// fall behind for good.
const followPause = time.Millisecond

func initCommand() *cobra.Command {
	s := Defaults("", "")
	var genesisFile string
	cmd := &cobra.Command{
		Use:   "init MONIKER",
		Short: "Make the folder of a new node: keys, configuration and genesis",
		Long: "Make the folder of a new node. Without --genesis it begins a new chain, whose genesis file the other " +
			"commands complete; with it the node joins an existing one.",
		Args:        cobra.ExactArgs(1),
		Annotations: map[string]string{noHome: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := client.GetClientContextFromCmd(cmd)
			s.Home, s.Moniker = ctx.HomeDir, args[0]
			if genesisFile != "" && !cmd.Flags().Changed(flagBlockTime) {
				s.BlockTime = followPause
			}
			doc, err := firstGenesis(ctx, genesisFile)
			if err != nil {
				return err
			}
			id, err := Init(s)
			if err != nil {
				return err
			}
			if err := WriteGenesis(s.Home, doc); err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{
				"home": s.Home, "node_id": id.NodeID, "chain_id": doc.ChainID,
				"p2p": id.Settings.P2P, "rpc": id.Settings.RPC, "grpc": id.Settings.GRPC, "gateway": id.Settings.Gateway,
			})
		},
	}
	f := cmd.Flags()
	f.String(flags.FlagChainID, "", "name of the new chain (with --genesis it is that file's)")
	f.StringVar(&genesisFile, "genesis", "", "genesis file of an existing chain to join")
	f.StringVar(&s.Peers, "peers", s.Peers, "nodes to stay connected to: ID@HOST:PORT, comma-separated")
	f.DurationVar(&s.BlockTime, flagBlockTime, s.BlockTime, "pause after each block; a node that joins with --genesis makes none "+
		"unless told, and a validator's is the network's")
	f.StringVar(&s.P2P, "p2p", s.P2P, "address for other nodes; port 0 takes a free one")
	f.StringVar(&s.RPC, "rpc", s.RPC, "address of CometBFT's RPC; port 0 takes a free one")
	f.StringVar(&s.GRPC, "grpc", s.GRPC, "address of gRPC; port 0 takes a free one")
	f.StringVar(&s.Gateway, "gateway", s.Gateway, "address of the gRPC gateway; port 0 takes a free one")
	f.StringVar(&s.MinGasPrices, "minimum-gas-prices", s.MinGasPrices, "least fee that this node asks")
	return cmd
}

// firstGenesis reads the genesis of the chain to join, or makes that of a new chain, still without validators.
func firstGenesis(ctx client.Context, file string) (*genutiltypes.AppGenesis, error) {
	if file != "" {
		doc, err := genutiltypes.AppGenesisFromFile(file)
		if err != nil {
			return nil, fmt.Errorf("genesis file: %w", err)
		}
		if ctx.ChainID != "" && ctx.ChainID != doc.ChainID {
			return nil, fmt.Errorf("genesis file is of chain %q, not %q", doc.ChainID, ctx.ChainID)
		}
		return doc, nil
	}
	if ctx.ChainID == "" {
		return nil, fmt.Errorf("a new chain needs --%s", flags.FlagChainID)
	}
	state, err := json.Marshal(app.BasicManager().DefaultGenesis(ctx.Codec))
	if err != nil {
		return nil, fmt.Errorf("default genesis: %w", err)
	}
	doc := genutiltypes.NewAppGenesisWithVersion(ctx.ChainID, state)
	doc.AppName = app.Name
	doc.Consensus.Params = genesis.ConsensusParams()
	return doc, nil
}

// readable reports whether the genesis file exists, with an error that says what to do where it does not.
func readable(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("genesis file: %w", err)
	}
	return nil
}
