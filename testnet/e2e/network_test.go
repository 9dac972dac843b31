package e2e

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/testnet"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// Bounds. They are long because the machine may be busy; a network that works needs a fraction.
const (
	startLimit = 2 * time.Minute
	stepLimit  = 90 * time.Second
)

// network is a devnet with a client.
type network struct {
	dev     *testnet.Devnet
	where   testnet.Network
	home    string
	node    *node.Node
	client  *client.Client
	payer   *tx.Sender // the authority's account
	poster  *account.Account
	ended   bool
	workers []sr25519.PublicKey // in the order of worker-0, worker-1, …
}

// start makes a network in a new home.
func start(o testnet.Options) (*network, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := os.MkdirAll(o.Home, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.Home, "devnet.log"))
	if err != nil {
		return nil, err
	}
	o.Binaries, o.Stderr = binaries, log
	dev, err := testnet.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	n := &network{dev: dev, home: o.Home}
	if err := n.connect(ctx); err != nil {
		return nil, errors.Join(err, n.stop())
	}
	return n, nil
}

func (n *network) connect(ctx context.Context) (err error) {
	if n.where, err = n.dev.Network(); err != nil {
		return err
	}
	at := n.where.Nodes[len(n.where.Nodes)-1].Endpoint // where there are several, the first is the one that tests kill
	if n.node, err = node.Dial(at); err != nil {
		return err
	}
	if n.client, err = client.Dial(ctx, n.config()); err != nil {
		return err
	}
	if n.poster, err = account.Open(n.home).Get("authority", nil); err != nil {
		return err
	}
	if n.payer, err = tx.New(n.node, n.poster, tx.Config{ChainID: n.where.ChainID}); err != nil {
		return err
	}
	cluster, err := n.client.Cluster(ctx, n.where.Cluster)
	if err != nil {
		return err
	}
	for _, p := range n.where.Workers {
		for _, m := range cluster.Record.Members {
			w, err := n.client.Worker(ctx, m.Identity)
			if err != nil {
				return err
			}
			if len(w.Record.Info.Endpoints) > 0 && w.Record.Info.Endpoints[0] == p.Endpoint {
				n.workers = append(n.workers, m.Identity)
			}
		}
	}
	if len(n.workers) != len(n.where.Workers) {
		return fmt.Errorf("%d of %d workers are proven members", len(n.workers), len(n.where.Workers))
	}
	return nil
}

// config is a client's, with no memory of its own on disk.
func (n *network) config() client.Config {
	period, err := time.ParseDuration(n.where.TrustingPeriod)
	if err != nil {
		panic(err) // the devnet wrote it
	}
	return client.Config{ChainID: n.where.ChainID, UID: n.where.UID, Node: n.node, TrustingPeriod: period}
}

func (n *network) stop() error {
	if n == nil || n.ended {
		return nil
	}
	n.ended = true
	if n.poster != nil {
		n.poster.Zero()
	}
	var errs error
	if n.client != nil {
		errs = errors.Join(errs, n.client.Close())
	}
	if n.node != nil {
		errs = errors.Join(errs, n.node.Close())
	}
	return errors.Join(errs, n.dev.Stop())
}

// account opens one of the devnet's accounts and a sender of it.
func (n *network) account(t *testing.T, name string) (*account.Account, *tx.Sender) {
	t.Helper()
	a, err := account.Open(n.home).Get(name, nil)
	must(t, err)
	t.Cleanup(a.Zero)
	s, err := tx.New(n.node, a, tx.Config{ChainID: n.where.ChainID})
	must(t, err)
	return a, s
}

// info asks the worker at an endpoint what it says of itself.
func (n *network) info(ctx context.Context, id sr25519.PublicKey) (*pb.InfoResponse, error) {
	w, err := n.client.Worker(ctx, id)
	if err != nil {
		return nil, err
	}
	return n.client.Info(ctx, &w.Record)
}

// phase returns what a worker says of the network's cluster; nil where it says nothing.
func (n *network) phase(ctx context.Context, id sr25519.PublicKey) (*pb.ClusterStatus, error) {
	info, err := n.info(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, c := range info.Clusters {
		if string(c.Cluster) == string(n.where.Cluster[:]) {
			return c, nil
		}
	}
	return nil, nil
}

// awaitRunning waits until a worker says that it runs the cluster.
func (n *network) awaitRunning(t *testing.T, id sr25519.PublicKey) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		c, err := n.phase(ctx, id)
		if err != nil {
			return err
		}
		if c == nil || c.Phase != "running" {
			return fmt.Errorf("cluster is %v", c)
		}
		return nil
	})
}

func (n *network) kill(t *testing.T, id string) {
	t.Helper()
	must(t, n.dev.Kill(id))
}

func (n *network) restart(t *testing.T, id string) {
	t.Helper()
	must(t, n.dev.Restart(limit(t), id))
}

// bank returns an account's coins on the chain.
func (n *network) bank(t *testing.T, address string) int64 {
	t.Helper()
	var out banktypes.QueryBalanceResponse
	request := &banktypes.QueryBalanceRequest{Address: address, Denom: registrytypes.Denom}
	must(t, n.node.Query(limit(t), "/cosmos.bank.v1beta1.Query/Balance", request, &out))
	return out.Balance.Amount.Int64()
}

// sequence returns how many transactions of an account are in blocks.
func (n *network) sequence(ctx context.Context, address string) (uint64, error) {
	var out authtypes.QueryAccountInfoResponse
	err := n.node.Query(ctx, "/cosmos.auth.v1beta1.Query/AccountInfo", &authtypes.QueryAccountInfoRequest{Address: address}, &out)
	if err != nil {
		return 0, err
	}
	return out.Info.Sequence, nil
}

// settled waits until a checkpoint that covers a receipt is finalized by a quorum of the members, who are workers, and checks that the workers
// that are asked have the same state root at the same topic count, and are still in good standing.
func (n *network) settled(t *testing.T, r *client.Receipt, workers ...sr25519.PublicKey) {
	t.Helper()
	ctx := limit(t)
	f, err := n.client.WaitFinal(ctx, r)
	must(t, err)
	quorum := (2*len(workers) + 2) / 3 // it is finalized as soon as so many have reported alike
	if int(f.Record.Reports) < quorum || int(f.Record.Members) != len(workers) {
		t.Fatalf("%d of %d members reported mark %d, want %d of %d", f.Record.Reports, f.Record.Members, f.Record.Mark, quorum, len(workers))
	}
	for _, id := range workers {
		w, err := n.client.Worker(ctx, id)
		must(t, err)
		if w.Record.Status != wire.WorkerActive {
			t.Fatalf("worker %s is %s", id, w.Record.Status)
		}
	}
	n.agree(t, workers...)
}

// agree compares what the workers say of their state at the same topic count.
func (n *network) agree(t *testing.T, workers ...sr25519.PublicKey) {
	t.Helper()
	seen := map[uint64]map[sr25519.PublicKey]string{}
	eventually(t, func(ctx context.Context) error {
		for _, id := range workers {
			c, err := n.phase(ctx, id)
			if err != nil {
				return err
			}
			if c == nil || c.Phase != "running" {
				return fmt.Errorf("worker %s: %v", id, c)
			}
			at := seen[c.Count]
			if at == nil {
				at = map[sr25519.PublicKey]string{}
				seen[c.Count] = at
			}
			at[id] = string(c.StateRoot)
			for other, root := range at {
				if root != at[id] {
					t.Fatalf("after %d messages workers %s and %s have different states", c.Count, id, other)
				}
			}
			if len(at) == len(workers) {
				return nil
			}
		}
		return errors.New("the workers do not stand at the same count")
	})
}

// limit is a context for one step of a test.
func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks until there is no error, and fails with the last one.
func eventually(t testing.TB, ask func(context.Context) error) {
	t.Helper()
	ctx := limit(t)
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("gave up:", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kept returns the lowest index of the cluster's topic whose body the chain still has.
func (n *network) kept(ctx context.Context) (uint64, error) {
	topic := wire.ClusterTopic(n.where.Cluster)
	var head mqtypes.QueryHeadResponse
	err := n.node.Query(ctx, "/phalanx.mq.v1.Query/Head", &mqtypes.QueryHeadRequest{Topic: hex.EncodeToString(topic.Bytes())}, &head)
	return head.Lowest, err
}
