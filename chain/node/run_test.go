package node_test

import (
	"context"
	"os"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"
	"github.com/cometbft/cometbft/rpc/client/local"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/app/genesis"
	"github.com/phalanx-network/phalanx/chain/node"
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

const chainID = "phalanx-test"

var (
	funded  = secp256k1.GenPrivKeyFromSecret([]byte("phalanx test account"))
	release = simulated.Measurement("release")
)

// started is a one-validator chain that runs in this process.
type started struct {
	client   *local.Local
	identity node.Identity
	stop     func() error
}

// start runs a new chain, or the one in home where there is one.
func start(t *testing.T, home string, settings *node.Identity) started {
	t.Helper()
	id := node.Identity{}
	if settings != nil {
		id = *settings
	} else {
		id = newChain(t, home)
	}
	sctx, cctx, err := node.Open(home, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan *local.Local, 1), make(chan error, 1)
	go func() { done <- node.Run(ctx, sctx, cctx, func(c *local.Local) { ready <- c }) }()
	stop := func() error {
		cancel()
		return <-done
	}
	select {
	case c := <-ready:
		return started{c, id, stop}
	case err := <-done:
		cancel()
		t.Fatalf("node ended at its start: %v", err)
	case <-time.After(30 * time.Second):
		cancel()
		t.Fatal("node is not ready after 30 s")
	}
	panic("unreachable")
}

func newChain(t *testing.T, home string) node.Identity {
	t.Helper()
	s := node.Defaults(home, "one")
	s.BlockTime = 50 * time.Millisecond
	s.P2P, s.RPC, s.GRPC, s.Gateway = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	id, err := node.Init(s)
	if err != nil {
		t.Fatal(err)
	}
	operator := sdk.AccAddress("validator's operator")
	account := sdk.AccAddress(funded.PubKey().Address())
	doc, err := genesis.Build(genesis.Options{
		ChainID: chainID, Time: time.Now(),
		Validators: []genesis.Validator{{
			Moniker: "one", Operator: operator, ConsensusKey: id.ConsensusKey, Stake: math.NewInt(1_000_000),
		}},
		Accounts: []genesis.Account{{Address: account, Balance: math.NewInt(1_000_000)}},
		Modules: map[string]proto.Message{
			types.ModuleName: genesis.SimulatedRegistry(account, release[:]),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.WriteGenesis(home, doc); err != nil {
		t.Fatal(err)
	}
	return id
}

func waitHeight(t *testing.T, c *local.Local, height int64) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		status, err := c.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if status.SyncInfo.LatestBlockHeight >= height {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("height %d not reached within 30 s", height)
}

func TestNodeMakesBlocksAndGoesOnAfterARestart(t *testing.T) {
	home := folder(t)
	id := newChain(t, home)
	began := time.Now()
	first := start(t, home, &id)
	waitHeight(t, first.client, 1)
	t.Logf("from start to block 1: %s", time.Since(began).Round(time.Millisecond))
	waitHeight(t, first.client, 5)
	if err := first.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	again := start(t, home, &id)
	defer again.stop()
	waitHeight(t, again.client, 8)
}

// folder is a folder for nodes in this process. CometBFT saves its address book a moment after it has stopped, so the
// folder's removal may have to be tried again.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "phalanx-node-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
	})
	return dir
}
