package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosmossdk.io/log/v2"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phalanx-network/phalanx/chain/app/genesis"
	"github.com/phalanx-network/phalanx/chain/node"
)

// run runs `phalanx node ARGS…` with a home and returns what it printed.
func run(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	cmd, err := node.Command()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append(args, "--home", home))
	err = cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestANewChainByHand(t *testing.T) {
	home := t.TempDir()
	keyring := []string{"--keyring-backend", "test"}
	steps := [][]string{
		{"init", "one", "--chain-id", "by-hand-1", "--p2p", "127.0.0.1:0", "--rpc", "127.0.0.1:0",
			"--grpc", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--block-time", "50ms"},
		append([]string{"keys", "add", "val"}, keyring...),
		append([]string{"add-genesis-account", "val", "5000000uphx"}, keyring...),
		append([]string{"gentx", "val", "1000000uphx", "--chain-id", "by-hand-1"}, keyring...),
		{"collect-gentxs"},
		{"validate"},
	}
	for _, step := range steps {
		if out, err := run(t, home, step...); err != nil {
			t.Fatalf("%s: %v\n%s", step[0], err, out)
		}
	}
	doc, err := genutiltypes.AppGenesisFromFile(filepath.Join(home, "config", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	if b := doc.Consensus.Params.Block; b.MaxBytes != genesis.BlockBytes || b.MaxGas != genesis.BlockGas {
		t.Fatalf("block bounds are %+v", b)
	}
	n := start(t, home, &node.Identity{})
	waitHeight(t, n.client, 3)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, home, "export")
	if err != nil || !strings.Contains(out, `"registry"`) {
		t.Fatalf("export: %v, %d bytes", err, len(out))
	}
	if _, err := run(t, home, "init", "again", "--chain-id", "x"); !errors.Is(err, node.ErrExists) {
		t.Fatalf("init over a node: %v", err)
	}
}

func TestCommandsMakeNoFolder(t *testing.T) {
	home := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{{"start"}, {"export"}, {"show-node-id"}} {
		if _, err := run(t, home, args...); err == nil || !strings.Contains(err.Error(), "phalanx node init") {
			t.Fatalf("%s without a node: %v", args[0], err)
		}
	}
	if _, err := os.Stat(home); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a command made the folder: %v", err)
	}
	if _, _, err := node.Open(home, log.NewNopLogger()); err == nil {
		t.Fatal("a folder without a node opens")
	}
}

func TestJoiningTakesTheChainsGenesis(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	newChain(t, first)
	file := filepath.Join(first, "config", "genesis.json")
	if _, err := run(t, second, "init", "two", "--genesis", file, "--chain-id", "other"); err == nil {
		t.Fatal("another chain's genesis is taken")
	}
	out, err := run(t, second, "init", "two", "--genesis", file, "--rpc", "127.0.0.1:0")
	if err != nil || !strings.Contains(out, chainID) {
		t.Fatalf("init: %v\n%s", err, out)
	}
	a, err := genutiltypes.AppGenesisFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := genutiltypes.AppGenesisFromFile(filepath.Join(second, "config", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, a.AppState, b.AppState) || !a.GenesisTime.Equal(b.GenesisTime) {
		t.Fatal("the genesis has changed on the way")
	}
}

func TestTheEnginesEndIsNoticed(t *testing.T) {
	w, failed := node.NewFailureWatch(cmtlog.NewNopLogger())
	w.With("module", "consensus").Error("another error")
	select {
	case <-failed:
		t.Fatal("any error counts as the engine's end")
	default:
	}
	w.With("module", "consensus").Error("CONSENSUS FAILURE!!!", "err", "x")
	w.Error("CONSENSUS FAILURE!!!")
	<-failed
}

// sameJSON compares two documents apart from their white space.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y bytes.Buffer
	if err := errors.Join(json.Compact(&x, a), json.Compact(&y, b)); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
