package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/relay/collateral"
)

// Environment variables.
const (
	envHome       = "PHALANX_HOME"
	envPassphrase = "PHALANX_PASSPHRASE"
)

// maxPassphrase is the size of a passphrase's file, in bytes.
const maxPassphrase = 4 << 10

type options struct {
	Config
	home, account, passphraseFile, level string
	cache                                string
	services                             collateral.Flags
}

// noCache is the value of --collateral-cache that keeps nothing on disk.
const noCache = "none"

// Command returns `phalanx relay`.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "Connect a pruntime to the chain",
		Long: "Connect a pruntime to the chain: bring it blocks, proofs and messages from a node, and carry what it has " +
			"signed to the chain. It runs until it is interrupted, and may be restarted at any time.\n\n" +
			"What the evidence of an enclave on hardware needs to be verified is fetched from its maker's service, or from a PCCS " +
			"given with --collateral-intel, and kept in --collateral-cache. Requests go through the proxy of HTTPS_PROXY, if that is set.\n\n" +
			"The operator's account pays; it is one of the key store's, and an account of a protected key file needs its " +
			"passphrase in --passphrase-file or in the environment variable " + envPassphrase + ".",
		Example: "  phalanx relay --socket /var/lib/phalanx/worker/relay.sock --node http://127.0.0.1:26657 \\\n" +
			"    --account operator --endpoint https://worker.example.org --peer-listen 0.0.0.0:8100 --peer-url http://worker.example.org:8100\n" +
			"  phalanx relay --socket relay.sock --node http://127.0.0.1:26657 --account operator \\\n" +
			"    --collateral-intel https://pccs.example.org:8081 --collateral-ca pccs.pem",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return o.run(ctx, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.home, "home", "", "folder with the key store (default $"+envHome+", else ~/.phalanx)")
	f.StringVar(&o.Socket, "socket", "", "the pruntime's Unix socket for its relay (required)")
	f.StringSliceVar(&o.Nodes, "node", nil, "RPC address of a node; may be given more than once (required)")
	f.StringVar(&o.account, "account", "", "name of the operator's account in the key store (required)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "file with the passphrase of the account")
	f.StringVar(&o.ChainID, "chain-id", "", "refuse nodes of another chain")
	f.StringVar(&o.GasPrice, "gas-price", "", "price of a unit of gas in uphx")
	f.StringSliceVar(&o.Endpoints, "endpoint", nil, "URL of the pruntime's client port, to publish; none for gatekeepers")
	f.StringVar(&o.PeerListen, "peer-listen", "", "host:port of the door for other relays")
	f.StringVar(&o.PeerURL, "peer-url", "", "URL of that door, to publish (default its address)")
	f.StringVar(&o.Metrics, "metrics", "", "host:port for Prometheus's /metrics, and /healthz")
	o.services.AddTo(f, "collateral-")
	f.StringVar(&o.cache, "collateral-cache", "", "folder that keeps what was fetched (default collateral below --home; "+noCache+" for none)")
	f.StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	for _, name := range []string{"socket", "node", "account"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

func (o *options) run(ctx context.Context, stderr io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	a, err := o.openAccount()
	if err != nil {
		return err
	}
	defer a.Zero()
	cfg := o.Config
	if err := o.setCollateral(&cfg.Collateral); err != nil {
		return err
	}
	cfg.Account = a
	cfg.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	return Run(ctx, cfg)
}

// setCollateral fills in what the flags name: the services and the cache's folder.
func (o *options) setCollateral(c *collateral.Config) error {
	var err error
	if *c, err = o.services.Resolve(); err != nil {
		return err
	}
	switch o.cache {
	case noCache:
	case "":
		home, err := o.folder()
		if err != nil {
			return err
		}
		c.Cache = filepath.Join(home, "collateral")
	default:
		c.Cache = o.cache
	}
	return nil
}

// folder is that of --home, or of the environment, or the default.
func (o *options) folder() (string, error) {
	if o.home != "" {
		return o.home, nil
	}
	if home := os.Getenv(envHome); home != "" {
		return home, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("--home: %w", err)
	}
	return filepath.Join(user, ".phalanx"), nil
}

func (o *options) openAccount() (*account.Account, error) {
	home, err := o.folder()
	if err != nil {
		return nil, err
	}
	passphrase := []byte(os.Getenv(envPassphrase))
	if o.passphraseFile != "" {
		if passphrase, err = readPassphrase(o.passphraseFile); err != nil {
			return nil, err
		}
	}
	defer clear(passphrase)
	return account.Open(home).Get(o.account, passphrase)
}

func readPassphrase(path string) ([]byte, error) {
	raw, err := readBounded(path, maxPassphrase)
	if err != nil {
		return nil, fmt.Errorf("--passphrase-file: %w", err)
	}
	return bytes.TrimRight(raw, "\r\n"), nil
}

// readBounded returns at most limit bytes of a file.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit))
	return raw, errors.Join(err, f.Close())
}
