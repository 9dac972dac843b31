package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/testnet"
)

// wide is a network of four validators. The search for leaks ends it.
var wide struct {
	once sync.Once
	net  *network
	err  error
}

func wideNetwork(t *testing.T) *network {
	t.Helper()
	needPrograms(t)
	wide.once.Do(func() {
		wide.net, wide.err = start(testnet.Options{
			Home: filepath.Join(scratch, "wide"), Workers: 2, Validators: 4, BlockTime: 200 * time.Millisecond, MarkInterval: 20,
			HTTPAllow: []string{reachable + "/32"},
		})
	})
	if wide.err != nil {
		t.Fatal(wide.err)
	}
	return wide.net
}

// Three of four validators go on without the fourth, which the relays were connected to; it catches up when it is back.
func TestOneValidatorDies(t *testing.T) {
	n := wideNetwork(t)
	c := n.counter(t)
	c.add(t, 1)
	n.kill(t, "node-0")
	c.sound(t, n.workers...)
	n.restart(t, "node-0")
	c.sound(t, n.workers...)
	height, err := n.node.Latest(limit(t))
	must(t, err)
	n.awaitHeight(t, n.where.Nodes[0].Endpoint, height)
}

// awaitHeight waits until a node has a block.
func (n *network) awaitHeight(t *testing.T, endpoint string, height uint64) {
	t.Helper()
	at, err := node.Dial(endpoint)
	must(t, err)
	defer at.Close()
	eventually(t, func(ctx context.Context) error {
		now, err := at.Latest(ctx)
		if err == nil && now < height {
			err = fmt.Errorf("it stands at block %d, not %d", now, height)
		}
		return err
	})
}
