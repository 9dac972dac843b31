package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/client/node"
)

// serve starts a node that answers every call in the same way.
func serve(t *testing.T, answer http.HandlerFunc) *node.Node {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	n, err := node.Dial(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestBlockWithoutEnd has a node that never stops answering. It is given up after a bounded number of bytes.
func TestBlockWithoutEnd(t *testing.T) {
	sent := make(chan int, 1)
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		total, page := 0, []byte(strings.Repeat(`"AAAA",`, 8192))
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":-1,"result":{"block":{"data":{"txs":[`)
		for r.Context().Err() == nil && total < 1<<30 {
			k, err := w.Write(page)
			if total += k; err != nil {
				break
			}
		}
		sent <- total
	})
	_, err := n.Block(context.Background(), 7)
	if !errors.Is(err, node.ErrUnreachable) || !strings.Contains(err.Error(), "without end") {
		t.Fatal(err)
	}
	if total := <-sent; total > 64<<20 { // what was taken, and what buffers hold
		t.Errorf("%d bytes were taken", total)
	}
}

func TestBlockThatIsNotKept(t *testing.T) {
	for name, answer := range map[string]string{
		"pruned":  `{"jsonrpc":"2.0","id":-1,"error":{"code":-32603,"message":"Internal error","data":"height 7 is not available, lowest height is 90"}}`,
		"nothing": `{"jsonrpc":"2.0","id":0,"result":{"block_id":{},"block":null}}`,
	} {
		n := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		if _, err := n.Block(context.Background(), 7); !errors.Is(err, node.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
