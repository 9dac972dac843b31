package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	pruningtypes "github.com/cosmos/cosmos-sdk/store/v2/pruning/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
)

// Bounds that every node is set up with.
const (
	// StatesKept is how many recent states a node keeps, from which relays and clients take proofs.
	StatesKept = 2_000
	// MaxTxBytes bounds a transaction: evidence with its collateral, or a batch of pushed messages.
	MaxTxBytes = 2 << 20

	shortestGossip = 10 * time.Millisecond

	pruneEvery  = 100
	iavlCache   = 100_000
	mempoolSize = 10_000
	mempoolMax  = 64 << 20
	rpcBody     = 2 * MaxTxBytes // a transaction in base64, and what is around it
)

// Settings are what a node's folder is made from.
type Settings struct {
	Home    string
	Moniker string
	// BlockTime is how long the node waits after a block before it starts the next.
	BlockTime time.Duration
	// Addresses are HOST:PORT; port 0 takes one that is free when [Init] runs.
	P2P, RPC, GRPC, Gateway string
	// Peers are ID@HOST:PORT of nodes to stay connected to.
	Peers string
	// MinGasPrices is the least fee that this node asks, such as 0.01uphx.
	MinGasPrices string
}

// Defaults returns the settings of a node that is alone on its machine.
func Defaults(home, moniker string) Settings {
	return Settings{
		Home: home, Moniker: moniker, BlockTime: 500 * time.Millisecond,
		P2P: "127.0.0.1:26656", RPC: "127.0.0.1:26657", GRPC: "127.0.0.1:9090", Gateway: "127.0.0.1:1317",
		MinGasPrices: "0" + types.Denom,
	}
}

// Identity is what others need to know of a node.
type Identity struct {
	// NodeID names the node to its peers: 40 hexadecimal digits.
	NodeID string
	// ConsensusKey is the validator's ed25519 public key: 32 bytes.
	ConsensusKey []byte
	// Settings are those given, with the ports that were free.
	Settings Settings
}

// ErrExists says that the home folder already holds a node.
var ErrExists = errors.New("the folder already holds a node")

// Init makes the node's folder: keys and configuration. The genesis file is the caller's, see [WriteGenesis]. It
// refuses a folder that already holds a node, for a validator key used twice is a validator slashed.
func Init(s Settings) (Identity, error) {
	if s.BlockTime <= 0 {
		return Identity{}, fmt.Errorf("block time %s is not positive", s.BlockTime)
	}
	path := filepath.Join(s.Home, "config", "config.toml")
	if _, err := os.Stat(path); err == nil {
		return Identity{}, fmt.Errorf("%w: %s", ErrExists, s.Home)
	}
	if err := s.resolvePorts(); err != nil {
		return Identity{}, err
	}
	for _, dir := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(s.Home, dir), 0o700); err != nil {
			return Identity{}, fmt.Errorf("make the node's folder: %w", err)
		}
	}
	comet := s.comet()
	if err := comet.ValidateBasic(); err != nil {
		return Identity{}, fmt.Errorf("node settings: %w", err)
	}
	key, err := p2p.LoadOrGenNodeKey(comet.NodeKeyFile())
	if err != nil {
		return Identity{}, fmt.Errorf("node key: %w", err)
	}
	validator := privval.LoadOrGenFilePV(comet.PrivValidatorKeyFile(), comet.PrivValidatorStateFile())
	public, err := validator.GetPubKey()
	if err != nil {
		return Identity{}, fmt.Errorf("validator key: %w", err)
	}
	serverconfig.SetConfigTemplate(serverconfig.DefaultConfigTemplate)
	serverconfig.WriteConfigFile(filepath.Join(s.Home, "config", "app.toml"), s.application())
	cmtcfg.WriteConfigFile(path, comet)
	return Identity{NodeID: string(key.ID()), ConsensusKey: public.Bytes(), Settings: s}, nil
}

// WriteGenesis puts a genesis document into the node's folder.
func WriteGenesis(home string, doc *genutiltypes.AppGenesis) error {
	if err := doc.ValidateAndComplete(); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	return doc.SaveAs(filepath.Join(home, "config", "genesis.json"))
}

// resolvePorts replaces each port 0 by a free one. All are held until every one is known, so that none comes twice.
func (s *Settings) resolvePorts() error {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	for _, address := range []*string{&s.P2P, &s.RPC, &s.GRPC, &s.Gateway} {
		_, port, err := net.SplitHostPort(*address)
		if err != nil {
			return fmt.Errorf("address %q: %w", *address, err)
		}
		if port != "0" {
			continue
		}
		l, err := net.Listen("tcp", *address)
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		held = append(held, l)
		*address = l.Addr().String()
	}
	return nil
}

// comet returns the consensus engine's configuration.
func (s *Settings) comet() *cmtcfg.Config {
	c := cmtcfg.DefaultConfig()
	c.SetRoot(s.Home)
	c.Moniker = s.Moniker
	c.LogLevel = "info"
	c.Consensus.TimeoutCommit = s.BlockTime
	// How long a peer that follows waits for each part of a block: with the engine's 100 ms it cannot keep up with blocks
	// that are shorter than three times as long.
	c.Consensus.PeerGossipSleepDuration = max(shortestGossip, min(c.Consensus.PeerGossipSleepDuration, s.BlockTime/20))
	c.RPC.ListenAddress = "tcp://" + s.RPC
	c.RPC.PprofListenAddress = ""
	c.RPC.MaxBodyBytes = rpcBody
	c.P2P.ListenAddress = "tcp://" + s.P2P
	c.P2P.PersistentPeers = s.Peers
	// Several nodes on one machine share an address, which the address book otherwise refuses.
	c.P2P.AddrBookStrict = false
	c.P2P.AllowDuplicateIP = true
	// Transactions that were valid when they came may not be after a block; without the check, a sender's later
	// sequences would be refused against a state that no longer is.
	c.Mempool.Recheck = true
	c.Mempool.Size = mempoolSize
	c.Mempool.MaxTxBytes = MaxTxBytes
	c.Mempool.MaxTxsBytes = mempoolMax
	c.Instrumentation.Prometheus = false
	return c
}

// application returns the application's configuration.
func (s *Settings) application() *serverconfig.Config {
	c := serverconfig.DefaultConfig()
	c.MinGasPrices = s.MinGasPrices
	c.Pruning = pruningtypes.PruningOptionCustom
	c.PruningKeepRecent = fmt.Sprint(StatesKept)
	c.PruningInterval = fmt.Sprint(pruneEvery)
	c.IAVLCacheSize = iavlCache
	c.API.Enable = true
	c.API.Address = "tcp://" + s.Gateway
	c.GRPC.Enable = true
	c.GRPC.Address = s.GRPC
	c.GRPCWeb.Enable = false
	return c
}
