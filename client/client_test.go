package client_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/wire"
)

func TestCommandAndQuery(t *testing.T) {
	n := newNetwork(t, 2)
	c := n.dial(t)
	ctx := context.Background()
	r, err := c.Command(ctx, n.payer(t), n.request("secret argument"))
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Outcome().Output) != "secret argument" || client.Check(r.Outcome()) != nil {
		t.Fatalf("outcome %+v", r.Outcome())
	}
	if bytes.Contains(n.topic[0], []byte("secret")) {
		t.Fatal("the argument is on the chain in the clear")
	}
	n.next(1)
	a, err := c.Query(ctx, n.query("question"))
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Outcome.Output) != "question" || a.Height <= r.Height() || a.Header.Hash != a.BlockHash {
		t.Fatalf("answer %+v", a)
	}
	// What one signer has done, another who uses the same client must be shown too.
	other := n.query("question of another")
	if other.From, err = client.Ed25519(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(ctx, other); err != nil {
		t.Fatal(err)
	}
	for _, w := range n.workers {
		for _, inv := range w.queried {
			if inv.MinHeight != r.Height() {
				t.Errorf("min_height %d, the last receipt's block is %d", inv.MinHeight, r.Height())
			}
		}
	}
}

func TestEnvelopesAndNoncesAreFresh(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.dial(t)
	sent, err := c.Send(context.Background(), n.payer(t), n.request("a"), n.request("a"), n.request("a"))
	if err != nil {
		t.Fatal(err)
	}
	senders, nonces := map[string]bool{}, map[uint64]bool{}
	for i, p := range sent {
		e, err := envelope.Parse(n.topic[p.Index])
		if err != nil {
			t.Fatal(err)
		}
		inv, err := n.workers[0].open(n.topic[p.Index], n.cluster.key)
		if err != nil {
			t.Fatal(err)
		}
		senders[e.Sender.String()], senders[inv.ReplyTo.String()], nonces[inv.Nonce] = true, true, true
		if i > 0 && inv.Nonce == 0 {
			t.Error("no nonce")
		}
	}
	if len(senders) != 6 || len(nonces) != 3 {
		t.Errorf("%d keys for 3 messages and 3 replies, %d nonces", len(senders), len(nonces))
	}
}

func TestNoncesGoOnInAnotherProcess(t *testing.T) {
	n := newNetwork(t, 1)
	cfg := n.config()
	cfg.CacheDir = t.TempDir()
	var nonces []uint64
	for range 3 {
		c, err := client.Dial(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := c.Send(context.Background(), n.payer(t), n.request("x"), n.request("x"))
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
		for _, p := range sent {
			inv, err := n.workers[0].open(n.topic[p.Index], n.cluster.key)
			if err != nil {
				t.Fatal(err)
			}
			nonces = append(nonces, inv.Nonce)
		}
		cfg.Now = func() time.Time { return n.now().Add(-2 * time.Second) } // a clock that is put back
	}
	for i := 1; i < len(nonces); i++ {
		if nonces[i] <= nonces[i-1] {
			t.Fatalf("nonces %v do not rise", nonces)
		}
	}
}

func TestGasIsPrepaidInPowersOfTwo(t *testing.T) {
	n := newNetwork(t, 1)
	for _, gas := range []uint64{0, 1, 2, 3, 1 << 20, 1<<20 + 1} {
		r := n.request("x")
		r.GasLimit = gas
		p, err := n.dial(t).Send(context.Background(), n.payer(t), r)
		if err != nil {
			t.Fatal(err)
		}
		inv, err := n.workers[0].open(n.topic[p[0].Index], n.cluster.key)
		if err != nil {
			t.Fatal(err)
		}
		if gas == 0 && inv.GasLimit != client.DefaultGas || gas != 0 && inv.GasLimit != gas {
			t.Errorf("limit %d became %d", gas, inv.GasLimit)
		}
		if bits.Len64(inv.GasLimit-1) > 30 {
			t.Errorf("limit %d", inv.GasLimit)
		}
	}
	r := n.request("x")
	r.GasLimit = 1<<wire.MaxGasLog2 + 1
	if _, err := n.dial(t).Send(context.Background(), n.payer(t), r); !errors.Is(err, client.ErrBounds) {
		t.Errorf("over the bound: %v", err)
	}
}

func TestEd25519Signs(t *testing.T) {
	n := newNetwork(t, 1)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := client.Ed25519(key)
	if err != nil {
		t.Fatal(err)
	}
	r := n.request("x")
	r.From = signer
	if _, err := n.dial(t).Command(context.Background(), n.payer(t), r); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb, signer)
		if strings.Contains(text, fmt.Sprintf("%x", []byte(key)[:32])) || strings.Contains(text, fmt.Sprint([]byte(key)[:4])) {
			t.Errorf("%s prints the key", verb)
		}
	}
}

// TestNodeLies has a node try everything that it could say instead of the truth.
func TestNodeLies(t *testing.T) {
	for name, lie := range map[string]struct {
		tell func(*network)
		want error
	}{
		"forged header": {func(n *network) {
			n.lieBlock = func(h uint64) []byte { return n.blocks.Forge(h, lighttest.Forgery{AppHashAfterSigning: true}) }
		}, client.ErrNodeLied},
		"other validators": {func(n *network) {
			n.lieBlock = func(h uint64) []byte { return n.blocks.Forge(h, lighttest.Forgery{ReplaceSet: true}) }
		}, client.ErrNodeLied},
		"another network": {func(n *network) {
			n.lieBlock = func(h uint64) []byte { return lighttest.New(lighttest.Config{Seed: 9, ChainID: "fake"}).Block(h) }
		}, client.ErrNodeLied},
		"garbage": {func(n *network) { n.lieBlock = func(uint64) []byte { return []byte("block") } }, client.ErrNodeLied},
		"block of another height": {func(n *network) {
			n.lieBlock = func(h uint64) []byte { return n.blocks.Block(max(1, h-1)) }
		}, client.ErrNodeLied},
		"future": {func(n *network) {
			n.apps[500] = [32]byte{5}
			n.lieHeight, n.lieBlock = 500, func(h uint64) []byte { return n.blocks.Block(h) }
		}, client.ErrNodeLied},
		"withheld blocks": {func(n *network) { n.lieHeight = 3; n.next(90) }, client.ErrStaleChain},
		"changed value": {func(n *network) {
			n.lieProof = func(_ wire.RecordKey, p node.Proof) node.Proof { p.Value = append(p.Value, 0); return p }
		}, client.ErrNodeLied},
		"absence of what is there": {func(n *network) {
			n.lieProof = func(_ wire.RecordKey, p node.Proof) node.Proof { p.Absent, p.Value = true, nil; return p }
		}, client.ErrNodeLied},
		"proof of another key": {func(n *network) {
			n.lieProof = func(key wire.RecordKey, p node.Proof) node.Proof {
				return must(n.proof(wire.KeyNetworkParams(), p.State))
			}
		}, client.ErrNodeLied},
		"proof of an older state": {func(n *network) {
			n.lieProof = func(key wire.RecordKey, p node.Proof) node.Proof {
				old := must(n.proof(key, p.State-1))
				old.State = p.State
				return old
			}
		}, client.ErrNodeLied},
		"proof that says it is older": {func(n *network) {
			n.lieProof = func(key wire.RecordKey, p node.Proof) node.Proof { return must(n.proof(key, p.State-1)) }
		}, client.ErrNodeLied},
		"no answer": {func(n *network) { n.offline = true }, client.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 1)
			c := n.dial(t)
			n.next(30) // so that nothing is remembered
			n.put(wire.KeyCluster(wire.ClusterID{2}), &wire.Cluster{ID: wire.ClusterID{2}})
			n.next(1)
			lie.tell(n)
			posted := len(n.topic)
			if _, err := c.Cluster(context.Background(), n.cluster.id); !errors.Is(err, lie.want) {
				t.Errorf("Cluster: %v", err)
			}
			if _, err := c.Send(context.Background(), n.payer(t), n.request("secret")); !errors.Is(err, lie.want) {
				t.Errorf("Send: %v", err)
			}
			if len(n.topic) != posted {
				t.Error("something was posted")
			}
		})
	}
}

func TestDialRefusesOtherNetworks(t *testing.T) {
	n := newNetwork(t, 1)
	cfg := n.config()
	cfg.UID[5]++
	if _, err := client.Dial(context.Background(), cfg); !errors.Is(err, client.ErrNodeLied) {
		t.Errorf("another uid: %v", err)
	}
	cfg.TrustRoot = n.blocks.Root(3) // a later header of the wrong network, trusted by mistake
	if _, err := client.Dial(context.Background(), cfg); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("another uid on a later root: %v", err)
	}
	cfg = n.config()
	cfg.ChainID = "other"
	if _, err := client.Dial(context.Background(), cfg); !errors.Is(err, client.ErrNodeLied) {
		t.Errorf("another chain id: %v", err)
	}
	cfg = n.config()
	cfg.Now = func() time.Time { return n.now().Add(48 * time.Hour) }
	if _, err := client.Dial(context.Background(), cfg); !errors.Is(err, client.ErrTrustExpired) {
		t.Errorf("after the trusting period: %v", err)
	}
}

func TestVerifiedStateOutlivesTheClient(t *testing.T) {
	n := newNetwork(t, 1)
	cfg := n.config()
	cfg.CacheDir = t.TempDir()
	c := must(client.Dial(context.Background(), cfg))
	n.next(60)
	want := must(c.Header(context.Background()))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	n.lieBlock = func(h uint64) []byte {
		asked++
		if h < want.Height {
			t.Errorf("block %d is asked for again", h)
		}
		return nil
	}
	n.next(1)
	again := must(client.Dial(context.Background(), cfg))
	if asked == 0 {
		t.Error("no block was asked for")
	}
	// A header below is verified from the root, not believed because a newer one is.
	n.lieBlock = func(h uint64) []byte { return n.blocks.Forge(h, lighttest.Forgery{WrongSigner: true}) }
	if _, err := again.HeaderAt(context.Background(), want.Height-1); !errors.Is(err, client.ErrNodeLied) {
		t.Errorf("forged older header: %v", err)
	}
	n.lieBlock = nil
	if h, err := again.HeaderAt(context.Background(), 7); err != nil || h.Hash != n.blocks.Header(7).Hash {
		t.Errorf("older header: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, cfg.CacheDir)
	if c, err := client.Dial(context.Background(), cfg); err != nil || c.Close() != nil {
		t.Errorf("with a damaged cache: %v", err)
	}
}

func damage(t *testing.T, dir string) {
	t.Helper()
	found := must(os.ReadDir(dir))
	path := dir + "/" + found[0].Name() + "/light"
	b := must(os.ReadFile(path))
	b[len(b)/2]++
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAbsentRecordsAreProven(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.dial(t)
	_, err := c.Contract(context.Background(), wire.ContractID{1})
	var absent *client.AbsentError
	if !errors.Is(err, client.ErrNotFound) || !errors.As(err, &absent) || absent.Height == 0 {
		t.Errorf("absent contract: %v", err)
	}
	n.put(wire.KeyCluster(wire.ClusterID{3}), &wire.Cluster{ID: wire.ClusterID{3}})
	n.next(2)
	r := n.request("x")
	r.Cluster = wire.ClusterID{3}
	if _, err := c.Send(context.Background(), n.payer(t), r); !errors.Is(err, client.ErrNoClusterKey) {
		t.Errorf("cluster without a key: %v", err)
	}
}

func TestReceipts(t *testing.T) {
	for name, lie := range map[string]struct {
		tell func(*network)
		want error
	}{
		"one dead, one alive":   {func(n *network) { n.workers[0].server.Close() }, nil},
		"one lies, one is true": {func(n *network) { n.workers[0].lieReceipt = func(s *wire.SaltedReceipt) { s.Receipt.Index++ } }, nil},
		"rotated key": {func(n *network) {
			for _, w := range n.workers {
				w.register(func(s *wire.WorkerState) {
					s.PreviousEcdh = &wire.EcdhEpoch{Key: w.ecdh.Public(), Epoch: 4}
					s.Ecdh = wire.EcdhEpoch{Key: must(ecdh.Generate(rand.Reader)).Public(), Epoch: 5}
				})
			}
			n.next(2)
		}, nil},
		"none": {func(n *network) {
			for _, w := range n.workers {
				w.refuse = connect.NewError(connect.CodeNotFound, errors.New("no receipt for that message"))
			}
		}, client.ErrNoReceipt},
		"of another command": {func(n *network) {
			for _, w := range n.workers {
				w.lieReceipt = func(s *wire.SaltedReceipt) { s.Receipt.Invocation[0]++ }
			}
		}, client.ErrReceipt},
		"of another cluster": {func(n *network) {
			for _, w := range n.workers {
				w.lieReceipt = func(s *wire.SaltedReceipt) { s.Receipt.Cluster[0]++ }
			}
		}, client.ErrReceipt},
		"from another key": {func(n *network) {
			for _, w := range n.workers {
				w.sealWith = must(ecdh.Generate(rand.Reader))
			}
		}, client.ErrReceipt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, 2)
			c := n.dial(t)
			lie.tell(n)
			ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
			defer cancel()
			r, err := c.Command(ctx, n.payer(t), n.request("x"))
			if lie.want == nil && (err != nil || string(r.Outcome().Output) != "x") || lie.want != nil && !errors.Is(err, lie.want) {
				t.Errorf("%v, want %v", err, lie.want)
			}
		})
	}
}

// TestCopiedCommand has somebody post the same envelope first, so that the command is executed at another place than its
// own.
func TestCopiedCommand(t *testing.T) {
	n := newNetwork(t, 2)
	c := n.dial(t)
	if _, err := c.Send(context.Background(), n.payer(t), n.request("a"), n.request("b"), n.request("c")); err != nil {
		t.Fatal(err)
	}
	n.copies = 2
	r, err := c.Command(context.Background(), n.payer(t), n.request("once"))
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Outcome().Output) != "once" || r.Pending.Index != 3 {
		t.Errorf("receipt of index %d, the first copy is at 3", r.Pending.Index)
	}
}

func TestConcurrentUse(t *testing.T) {
	n := newNetwork(t, 2)
	c := n.dial(t)
	payer := n.payer(t)
	var group errgroup.Group
	for i := range 12 {
		group.Go(func() error {
			if i%3 == 0 {
				_, err := c.Command(context.Background(), payer, n.request("x"))
				return err
			}
			_, err := c.Query(context.Background(), n.query("x"))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestFinal(t *testing.T) {
	n := newNetwork(t, 1)
	c, w := n.dial(t), n.workers[0]
	r, err := c.Command(context.Background(), n.payer(t), n.request("x"))
	if err != nil {
		t.Fatal(err)
	}
	once := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_, err := c.WaitFinal(ctx, r)
		return err
	}
	if err := once(); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("before the mark: %v", err)
	}
	w.mark = 1
	if err := once(); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("before it is finalized: %v", err)
	}
	leaf := must(r.Leaf())
	n.put(wire.KeyFinalized(n.cluster.id, 1), &wire.Finalized{Mark: 1, ReceiptsRoot: wire.ReceiptsRoot([]wire.Hash{other, {3}})})
	n.next(2)
	if err := once(); !errors.Is(err, client.ErrReceipt) {
		t.Fatalf("receipt that the finalized root does not cover: %v", err)
	}
	n.put(wire.KeyFinalized(n.cluster.id, 1), &wire.Finalized{Mark: 1, ReceiptsRoot: wire.ReceiptsRoot([]wire.Hash{other, leaf})})
	n.next(2)
	if err := once(); err != nil {
		t.Fatal(err)
	}
}

func TestDeployUploadsInParts(t *testing.T) {
	n := newNetwork(t, 1)
	code := bytes.Repeat([]byte{0, 1, 2, 3}, 80<<10)
	d, err := n.dial(t).Deploy(context.Background(), n.payer(t), client.Deployment{
		Cluster: n.cluster.id, From: client.Of(n.alice), Code: code, Input: []byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for i, raw := range n.topic {
		inv, err := n.workers[0].open(raw, n.cluster.key)
		if err != nil {
			t.Fatal(err)
		}
		if i == len(n.topic)-1 {
			if inv.Kind.Action != wire.ActionInstantiate || inv.Payload.To != d.Contract || inv.Kind.CodeHash != wire.NewCodeHash(code) {
				t.Errorf("last: %s", inv.Kind.Action)
			}
			continue
		}
		if inv.Kind.Action != wire.ActionUpload || int(inv.Kind.Of) != len(n.topic)-1 || int(inv.Kind.Part) != i || !inv.Payload.To.IsZero() {
			t.Errorf("part %d: %+v", i, inv.Kind)
		}
		got = append(got, inv.Payload.Input...)
	}
	if !bytes.Equal(got, code) || d.CodeHash != wire.NewCodeHash(code) || d.Contract != wire.NewContractID(n.cluster.id, n.alice.Identity(), d.CodeHash, [32]byte{}) {
		t.Error("parts do not make the code")
	}
	if _, err := n.dial(t).Upload(context.Background(), n.payer(t), n.cluster.id, client.Of(n.alice), make([]byte, wire.MaxCode+1)); !errors.Is(err, client.ErrBounds) {
		t.Errorf("code over the bound: %v", err)
	}
}
