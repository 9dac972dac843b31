package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// posted reads a command back from the chain.
func (n *network) posted(t *testing.T, index uint64) *wire.Command {
	t.Helper()
	topic := wire.ClusterTopic(n.where.Cluster)
	request := &mqtypes.QueryMessagesRequest{Topic: hex.EncodeToString(topic.Bytes()), From: index, Until: index + 1}
	var page mqtypes.QueryMessagesResponse
	must(t, n.node.Query(limit(t), "/phalanx.mq.v1.Query/Messages", request, &page))
	if len(page.Messages) != 1 {
		t.Fatalf("%d messages", len(page.Messages))
	}
	var m wire.Message
	var b wire.Body
	must(t, scale.Unmarshal(page.Messages[0], &m))
	must(t, scale.Unmarshal(m.Payload, &b))
	if b.Command == nil {
		t.Fatal("it is no command")
	}
	return b.Command
}

// push posts envelopes as they are, in one transaction.
func (n *network) push(ctx context.Context, by *tx.Sender, gasLog2 uint8, envelopes ...[]byte) error {
	msg := &mqtypes.MsgPush{Sender: by.Address()}
	for _, e := range envelopes {
		msg.Entries = append(msg.Entries, mqtypes.PushEntry{Cluster: n.where.Cluster[:], GasLog2: uint32(gasLog2), Envelope: e})
	}
	_, err := by.Do(ctx, tx.Options{}, msg)
	return err
}

// noops returns how many messages each worker has counted and not executed.
func (n *network) noops(t *testing.T) []uint64 {
	t.Helper()
	out := make([]uint64, len(n.workers))
	for i, id := range n.workers {
		eventually(t, func(ctx context.Context) error {
			c, err := n.phase(ctx, id)
			if err == nil && (c == nil || c.Phase != "running") {
				err = fmt.Errorf("worker %s: %v", id, c)
			}
			if err == nil {
				out[i] = c.Noops
			}
			return err
		})
	}
	return out
}

// noopsGrew waits until each worker has counted so many more.
func (n *network) noopsGrew(t *testing.T, before []uint64, by uint64) {
	t.Helper()
	eventually(t, func(context.Context) error {
		for i, now := range n.noops(t) {
			switch grew := now - before[i]; {
			case grew > by:
				t.Fatalf("worker-%d counted %d messages that it did not execute, not %d", i, grew, by)
			case grew < by:
				return fmt.Errorf("worker-%d counted %d of %d", i, grew, by)
			}
		}
		return nil
	})
}

// The same envelope, posted again by anybody and however often, is executed once.
func TestReplayedCommand(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	_, mallory := n.account(t, "bob")
	last := c.add(t, 1)
	copied := n.posted(t, last.Pending.Index)
	before := n.noops(t)
	must(t, n.push(limit(t), mallory, copied.GasLog2, copied.Envelope, copied.Envelope))
	must(t, n.push(limit(t), mallory, copied.GasLog2, copied.Envelope))
	n.noopsGrew(t, before, 3)
	c.sound(t, n.workers...)
}

// Commands that cannot be executed are refused or counted, and change nothing.
func TestBadCommands(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	_, mallory := n.account(t, "bob")
	cluster, err := n.client.Cluster(limit(t), n.where.Cluster)
	must(t, err)
	key := cluster.Record.Fixed
	seal := func(uid wire.ChainUID, purpose commkey.Purpose, epoch uint32, plain []byte) []byte {
		own, err := ecdh.Generate(rand.Reader)
		must(t, err)
		e, err := envelope.Seal(rand.Reader, uid, own, key.Key, epoch, purpose, plain)
		must(t, err)
		return e.Marshal()
	}
	other := n.where.UID
	other[5] ^= 1

	t.Run("the contract is unknown", func(t *testing.T) {
		request := c.request(t, c.owner, "inc")
		request.To[3] ^= 1
		r, err := n.client.Command(limit(t), n.payer, request)
		must(t, err)
		same(t, "its outcome", r.Outcome().Status.String(), "refused")
	})
	t.Run("it has expired", func(t *testing.T) {
		_, err := n.client.Cluster(limit(t), n.where.Cluster)
		must(t, err)
		began, err := n.node.Latest(limit(t))
		must(t, err)
		eventually(t, func(context.Context) error { // the client takes its newest proof's height for the present one
			if n.blocksSince(t, began) < 3 {
				return errors.New("no blocks")
			}
			return nil
		})
		request := c.request(t, c.owner, "inc")
		request.Lifetime = 1
		_, err = n.client.Command(limit(t), n.payer, request)
		refused(t, "its receipt", err, client.ErrNoReceipt)
	})
	t.Run("it is too large", func(t *testing.T) {
		request := c.request(t, c.owner, "inc")
		request.Input = make([]byte, wire.MaxInput+1)
		_, err := n.client.Command(limit(t), n.payer, request)
		refused(t, "the client", err, client.ErrBounds)
		var chain *node.TxError
		if err := n.push(limit(t), mallory, 30, make([]byte, wire.MaxEnvelope+1)); !errors.As(err, &chain) {
			t.Fatalf("the chain: %v", err)
		}
	})
	t.Run("its gas is beyond what can be prepaid", func(t *testing.T) {
		request := c.request(t, c.owner, "inc")
		request.GasLimit = 1<<wire.MaxGasLog2 + 1
		_, err := n.client.Command(limit(t), n.payer, request)
		refused(t, "the client", err, client.ErrBounds)
	})
	before := n.noops(t)
	counted := uint64(0)
	for _, x := range []struct {
		name string
		raw  []byte
	}{
		{"zeros", make([]byte, 400)},
		{"one byte", []byte{1}},
		{"the envelope's head alone", seal(n.where.UID, commkey.OnChain, key.Epoch, nil)[:envelope.HeaderSize]},
		{"a trailing byte", append(seal(n.where.UID, commkey.OnChain, key.Epoch, []byte("x")), 0)},
		{"no invocation inside", seal(n.where.UID, commkey.OnChain, key.Epoch, []byte("no invocation"))},
		{"another network's", seal(other, commkey.OnChain, key.Epoch, []byte("x"))},
		{"a query's envelope", seal(n.where.UID, commkey.Query, key.Epoch, []byte("x"))},
		{"a flipped bit", flip(seal(n.where.UID, commkey.OnChain, key.Epoch, []byte("x")), 300)},
		{"cut short", seal(n.where.UID, commkey.OnChain, key.Epoch, []byte("x"))[:200]},
		{"an epoch of the future", seal(n.where.UID, commkey.OnChain, key.Epoch+1, []byte("x"))},
	} {
		err := n.push(limit(t), mallory, 20, x.raw)
		var chain *node.TxError
		switch {
		case err == nil:
			counted++
		case !errors.As(err, &chain):
			t.Fatalf("%s: %v", x.name, err)
		}
		t.Logf("%s: %v", x.name, err)
	}
	n.noopsGrew(t, before, counted)
	c.sound(t, n.workers...)
}

// flip changes a bit of a byte.
func flip(b []byte, at int) []byte {
	b[at] ^= 1
	return b
}

// A client that takes another network for its own does not come to encrypt anything.
func TestOtherNetworksClient(t *testing.T) {
	n := sharedNetwork(t)
	for name, change := range map[string]func(*client.Config){
		"another uid":      func(c *client.Config) { c.UID[0] ^= 1 },
		"another chain id": func(c *client.Config) { c.ChainID += "x" },
	} {
		cfg := n.config()
		change(&cfg)
		c, err := client.Dial(limit(t), cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
			must(t, c.Close())
			continue
		}
		t.Logf("%s: %v", name, err)
	}
}

// recorder keeps what a client sends.
type recorder struct {
	mu   sync.Mutex
	sent []recorded
}

type recorded struct {
	url    string
	header http.Header
	body   []byte
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	if err := q.Body.Close(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(q.URL.Path, "/Query") {
		r.mu.Lock()
		r.sent = append(r.sent, recorded{q.URL.String(), q.Header.Clone(), body})
		r.mu.Unlock()
	}
	q.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(q)
}

// A query that somebody has recorded gets no second answer, from nobody.
func TestReplayedQuery(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	c.add(t, 1)
	c.exact(t, n.workers[0]) // the next client knows of no receipt that the worker's answer must stand on
	tape := &recorder{}
	cfg := n.config()
	cfg.HTTP = &http.Client{Transport: tape}
	recording, err := client.Dial(limit(t), cfg)
	must(t, err)
	defer recording.Close()
	mine := *c
	mine.deployed = &deployed{net: &network{client: recording, where: n.where}, code: c.code, id: c.id}
	mine.exact(t, n.workers[0])
	if len(tape.sent) == 0 {
		t.Fatal("nothing was recorded")
	}
	query := tape.sent[len(tape.sent)-1]
	post := func(endpoint string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(limit(t), http.MethodPost, endpoint, bytes.NewReader(query.body))
		must(t, err)
		request.Header = query.header
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(text)
	}
	for _, x := range []struct{ name, url, says string }{
		{"the same worker", query.url, "already seen"},
		{"another worker", strings.Replace(query.url, n.where.Workers[0].Endpoint, n.where.Workers[1].Endpoint, 1), "malformed, not for this worker"},
	} {
		code, text := post(x.url)
		if code != http.StatusBadRequest || !strings.Contains(text, x.says) {
			t.Errorf("%s answers %d: %.200s", x.name, code, text)
		}
	}
	n.kill(t, "worker-0") // which forgets what it has seen
	n.restart(t, "worker-0")
	n.awaitRunning(t, n.workers[0])
	if code, text := post(query.url); code != http.StatusBadRequest {
		t.Errorf("the worker's next incarnation answers %d: %.200s", code, text)
	}
	c.sound(t, n.workers...)
}

// What is no query is refused at the client port, and nothing of it stays.
func TestBadQueries(t *testing.T) {
	n := sharedNetwork(t)
	c := n.counter(t)
	at := enclavev1connect.NewClientServiceClient(http.DefaultClient, n.where.Workers[0].Endpoint)
	unknown := n.where.Cluster
	unknown[0] ^= 1
	for _, x := range []struct {
		name     string
		cluster  []byte
		envelope []byte
		code     connect.Code
	}{
		{"no cluster", nil, nil, connect.CodeInvalidArgument},
		{"a short cluster", n.where.Cluster[:31], nil, connect.CodeInvalidArgument},
		{"an unknown cluster", unknown[:], make([]byte, 400), connect.CodeNotFound},
		{"no envelope", n.where.Cluster[:], nil, connect.CodeInvalidArgument},
		{"zeros", n.where.Cluster[:], make([]byte, 400), connect.CodeInvalidArgument},
		{"too much", n.where.Cluster[:], make([]byte, 4<<20), connect.CodeResourceExhausted},
	} {
		_, err := at.Query(limit(t), connect.NewRequest(&pb.QueryRequest{Cluster: x.cluster, Envelope: x.envelope}))
		if connect.CodeOf(err) != x.code {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	for _, x := range []struct {
		name  string
		index uint64
	}{{"an index of the future", 1 << 40}, {"the topic's first message, which is no command", 0}} {
		_, err := at.Receipt(limit(t), connect.NewRequest(&pb.ReceiptRequest{Cluster: n.where.Cluster[:], Index: x.index}))
		if err == nil {
			t.Errorf("a receipt of %s", x.name)
		}
	}
	c.sound(t, n.workers...)
}
