// Package demo is `phalanx demo`: a sealed-bid auction on a network of its own, from nothing to the winner.
//
// [Run] starts a fresh network of real processes, deploys the auction, has Alice and Bob bid, kills a worker by SIGKILL
// in between and starts it again, closes the auction, and asks both workers off chain who has won. It prints what the
// users see and, beside it, what the chain saw: it reads the messages back from the chain and looks in them for what
// must not be there. It succeeds only if every answer is right on both workers, and their states agree.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/examples"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/wire"
)

// Options say how the demo runs.
type Options struct {
	Home     string // an empty folder; a temporary one, removed afterwards, where it is not given
	Binaries testnet.Binaries
	Out      io.Writer
	Log      io.Writer // what the network's start reports; nil for nowhere
}

// timeout bounds the whole demo.
const timeout = 3 * time.Minute

// ErrWrong says that an answer was not the one that the demo must have.
var ErrWrong = errors.New("wrong answer")

// Command returns `phalanx demo`.
func Command() *cobra.Command {
	var o Options
	var verbose bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Run a sealed-bid auction on a network of its own, in under a minute", Args: cobra.NoArgs,
		Long: "Start a network on this machine, run a sealed-bid auction on it with a worker killed in the middle, and show " +
			"what the users see beside what the chain saw. The exit code is 0 only if every answer was right on both workers.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o.Out = cmd.OutOrStdout()
			if verbose {
				o.Log = cmd.ErrOrStderr()
			}
			return Run(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.Home, "home", "", "folder of the network, kept afterwards (default: a temporary one)")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the network's start")
	cmd.Flags().StringVar(&o.Binaries.Pruntime, "pruntime", "", "the pruntime-sim program (default beside this one, or in PATH)")
	return cmd
}

// stage is the running demo.
type stage struct {
	*printer
	net     *testnet.Devnet
	where   testnet.Network
	client  *client.Client
	node    *node.Node
	payer   *tx.Sender
	poster  string
	auction *abi.Contract
	id      wire.ContractID
	people  []*account.Account // auctioneer, Alice, Bob
	workers []sr25519.PublicKey
	last    *client.Receipt // of the closing
	secrets [][]byte        // what no message on the chain may hold
}

// Run runs the demo.
func Run(ctx context.Context, o Options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	temporary := o.Home == ""
	if temporary {
		if o.Home, err = os.MkdirTemp("", "phalanx-demo-"); err != nil {
			return err
		}
	}
	s := &stage{printer: newPrinter(o.Out)}
	defer func() {
		err = errors.Join(err, s.close())
		switch {
		case err != nil:
			err = fmt.Errorf("%w\n  the network's files and logs are in %s", err, o.Home)
		case temporary:
			err = os.RemoveAll(o.Home)
		}
	}()
	s.banner()
	if err := s.start(ctx, o); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{
		s.deploy, s.aliceBids, s.kill, s.bobBids, s.restart, s.sealed, s.closeAuction, s.winner, s.final,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	s.done()
	return nil
}

// start runs the network and connects.
func (s *stage) start(ctx context.Context, o Options) (err error) {
	s.net, err = testnet.Start(ctx, testnet.Options{
		Home: o.Home, Workers: 2, Binaries: o.Binaries, Stderr: o.Log, MarkInterval: 8,
	})
	if err != nil {
		return err
	}
	if s.where, err = s.net.Network(); err != nil {
		return err
	}
	if s.node, err = node.Dial(s.where.RPC); err != nil {
		return err
	}
	period, err := time.ParseDuration(s.where.TrustingPeriod)
	if err != nil {
		return err
	}
	s.client, err = client.Dial(ctx, client.Config{
		ChainID: s.where.ChainID, UID: s.where.UID, Node: s.node, TrustingPeriod: period, CacheDir: filepath.Join(o.Home, "client"),
	})
	if err != nil {
		return err
	}
	if err := s.cast(o.Home); err != nil {
		return err
	}
	if err := s.findWorkers(ctx); err != nil {
		return err
	}
	s.line("A network runs: 1 validator, 1 gatekeeper, 2 workers,", "chain %s", s.where.UID.String()[:18]+"…")
	s.more("each enclave a process with a relay of its own.", "cluster %s", s.where.Cluster.String()[:18]+"…")
	return nil
}

// cast makes the users. One account posts and pays for everybody, so that the chain does not even see how many they are.
func (s *stage) cast(home string) error {
	store := account.Open(home)
	poster, err := store.Get("authority", nil)
	if err != nil {
		return err
	}
	s.poster = poster.Bech32()
	if s.payer, err = tx.New(s.node, poster, tx.Config{ChainID: s.where.ChainID}); err != nil {
		return err
	}
	auctioneer, err := account.Generate(rand.Reader)
	if err != nil {
		return err
	}
	s.people = append(s.people, auctioneer)
	for _, name := range []string{"alice", "bob"} {
		a, err := store.Get(name, nil)
		if err != nil {
			return err
		}
		s.people = append(s.people, a)
	}
	for _, p := range s.people {
		s.secrets = append(s.secrets, p.PublicIdentity().Bytes())
	}
	s.auction, err = abi.Parse(examples.Auction)
	return err
}

// findWorkers learns which proven worker is the devnet's worker-0 and which its worker-1.
func (s *stage) findWorkers(ctx context.Context) error {
	cluster, err := s.client.Cluster(ctx, s.where.Cluster)
	if err != nil {
		return err
	}
	for _, p := range s.where.Workers {
		for _, m := range cluster.Record.Members {
			w, err := s.client.Worker(ctx, m.Identity)
			if err != nil {
				return err
			}
			if len(w.Record.Info.Endpoints) > 0 && w.Record.Info.Endpoints[0] == p.Endpoint {
				s.workers = append(s.workers, m.Identity)
			}
		}
	}
	if len(s.workers) != 2 {
		return fmt.Errorf("%w: the cluster's proven members are not the network's two workers", ErrWrong)
	}
	return nil
}

func (s *stage) close() error {
	for _, p := range s.people {
		p.Zero()
	}
	var errs error
	if s.client != nil {
		errs = errors.Join(errs, s.client.Close())
	}
	if s.node != nil {
		errs = errors.Join(errs, s.node.Close())
	}
	if s.net != nil {
		errs = errors.Join(errs, s.net.Stop())
	}
	return errs
}
