package clientcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// options are the flags that every command has.
type options struct {
	home       string
	node       string
	chainID    string
	chainUID   string
	trustAt    uint64
	trustHash  string
	cluster    string
	output     string
	passphrase string
	timeout    time.Duration
	trusting   time.Duration
}

// addTo gives a command and those below it the flags that find a network.
func (o *options) addTo(cmd *cobra.Command) {
	o.addLocal(cmd)
	f := cmd.PersistentFlags()
	f.StringVar(&o.node, "node", "", "RPC address of a node, instead of the one of the network in --home")
	f.StringVar(&o.chainID, "chain-id", "", "chain id, with --node")
	f.StringVar(&o.chainUID, "chain-uid", "", "hash of the chain's first header, with --node; take it from a source other than the node")
	f.Uint64Var(&o.trustAt, "trust-height", 0, "height of a header to trust instead of the first")
	f.StringVar(&o.trustHash, "trust-hash", "", "its hash, from a source other than the node")
	f.DurationVar(&o.trusting, "trusting-period", 0, "how long a verified header vouches for later ones; shorter than the chain's unbonding period (default 336h, or what --home says)")
	f.StringVar(&o.cluster, "cluster", "", "cluster id, instead of the one of the network in --home")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait at most")
}

// addLocal gives a command the flags of one that needs no network.
func (o *options) addLocal(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&o.home, "home", defaultHome(), "directory of the network, keys and contracts (env PHALANX_HOME)")
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	f.StringVar(&o.passphrase, "passphrase-file", "", "file with the passphrase of protected keys; asked on the terminal otherwise")
}

func defaultHome() string {
	if home := os.Getenv("PHALANX_HOME"); home != "" {
		return home
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".phalanx"
	}
	return filepath.Join(home, ".phalanx")
}

// network is what HOME/network.json says; unknown fields are other programs'.
type network struct {
	ChainID        string         `json:"chain_id"`
	UID            wire.ChainUID  `json:"chain_uid"`
	RPC            string         `json:"rpc"`
	Cluster        wire.ClusterID `json:"cluster"`
	TrustingPeriod string         `json:"trusting_period"` // a duration; empty for the client's default
	Workers        []process      `json:"workers"`
}

// process is a worker of a devnet, by the name that the devnet has for it.
type process struct {
	ID       string `json:"id"`
	Endpoint string `json:"endpoint"`
}

// nameOf returns the devnet's name of the worker at an endpoint, or nothing.
func (n *network) nameOf(endpoints []string) string {
	for _, p := range n.Workers {
		if p.Endpoint != "" && slices.Contains(endpoints, p.Endpoint) {
			return p.ID
		}
	}
	return ""
}

const maxNetworkFile = 1 << 20

// network finds the network: in the flags, and what they leave open in --home.
func (o *options) network() (network, error) {
	n, err := readNetwork(filepath.Join(o.home, "network.json"))
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !missing {
		return n, err
	}
	if missing && o.node == "" {
		return n, usage("there is no network in %s: start one with `phalanx devnet`, or give --node, --chain-id and --chain-uid", o.home)
	}
	if o.node != "" {
		n.RPC = o.node
	}
	if o.chainID != "" {
		n.ChainID = o.chainID
	}
	if o.chainUID != "" {
		if err := n.UID.UnmarshalText([]byte(o.chainUID)); err != nil {
			return n, usage("--chain-uid: %v", err)
		}
	}
	if o.cluster != "" {
		if err := n.Cluster.UnmarshalText([]byte(o.cluster)); err != nil {
			return n, usage("--cluster: %v", err)
		}
	}
	if n.ChainID == "" || n.UID.IsZero() || n.RPC == "" {
		return n, usage("--node needs --chain-id and --chain-uid where %s holds no network", o.home)
	}
	return n, nil
}

func readNetwork(path string) (network, error) {
	var n network
	f, err := os.Open(path)
	if err != nil {
		return n, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxNetworkFile))
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return n, nil
}

// config returns the SDK's configuration for the network.
func (o *options) config(n network) (client.Config, error) {
	cfg := client.Config{
		ChainID: n.ChainID, UID: n.UID, NodeURL: n.RPC, CacheDir: filepath.Join(o.home, "client"),
	}
	if n.TrustingPeriod != "" {
		d, err := time.ParseDuration(n.TrustingPeriod)
		if err != nil || d <= 0 {
			return cfg, fmt.Errorf("network.json: trusting_period is no duration")
		}
		cfg.TrustingPeriod = d
	}
	if o.trusting < 0 {
		return cfg, usage("--trusting-period must be positive")
	}
	if o.trusting > 0 {
		cfg.TrustingPeriod = o.trusting
	}
	if (o.trustAt == 0) != (o.trustHash == "") {
		return cfg, usage("--trust-height and --trust-hash belong together")
	}
	if o.trustAt != 0 {
		hash, err := wire.ParseDigest[wire.Hash](o.trustHash)
		if err != nil {
			return cfg, usage("--trust-hash: %v", err)
		}
		cfg.TrustRoot = light.TrustRoot{Height: o.trustAt, Hash: hash}
	}
	return cfg, nil
}
