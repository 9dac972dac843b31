package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/wire"
)

const (
	behind       = 100_000 // blocks to catch up with
	withinSecs   = 5.0
	ownMessages  = 1000
	busyClusters = 10
)

// catchupRows time how an enclave comes up to the newest block: the light client, the proofs of everything that it
// follows, and the messages of its cluster. Blocks, signatures, proofs and commands are made before the clock starts.
func catchupRows(ctx context.Context, b *bench) error {
	for _, part := range []struct {
		rows []string
		run  func(context.Context, *bench) error
	}{
		{[]string{"catchup"}, emptyRow}, {[]string{"catchup_busy", "catchup_own"}, ownRows}, {[]string{"catchup_every_header"}, everyRow},
	} {
		if !b.wants(part.rows...) {
			continue
		}
		if err := part.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", part.rows[0], err)
		}
	}
	return nil
}

func (b *bench) node(cfg lighttest.Config) (*enclavetest.Node, error) {
	dir, err := os.MkdirTemp(b.dir, "node-")
	if err != nil {
		return nil, err
	}
	return enclavetest.NewNode(dir, cfg), nil
}

// emptyRow is the worst chain for skipping: 50 validators, of whom one is replaced after every 1,000 blocks, so that
// after 50,000 none is left.
func emptyRow(ctx context.Context, b *bench) error {
	var took []time.Duration
	headers := 0
	for range max(b.samples(5), 1) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := b.node(lighttest.Config{Validators: 50, RotateEvery: 1000})
		if err != nil {
			return err
		}
		c, err := n.PrepareCatchUp(behind)
		if err != nil {
			return err
		}
		headers = c.Headers()
		start := time.Now()
		if err := c.Run(); err != nil {
			return err
		}
		took = append(took, time.Since(start))
		n.Worker.Stop()
	}
	b.add("catchup", median(took).Seconds(), "s", withinSecs)
	fmt.Printf("    %d headers of 50 validators lead over %d blocks\n", headers, behind)
	return nil
}

// everyRow brings every single header, as to an enclave that is never behind, and the proofs at the last.
func everyRow(ctx context.Context, b *bench) error {
	blocks := uint64(b.samples(behind / 5)) // a fifth: it costs by the header
	n, err := b.node(lighttest.Config{})
	if err != nil {
		return err
	}
	defer n.Worker.Stop()
	first := n.Worker.World.Height + 1
	n.Worker.World.Blocks(blocks)
	last := n.Worker.World.Height
	n.Chain.Set(last, n.Records())
	var all [][]byte
	for h := first; h <= last; h++ {
		all = append(all, n.Chain.Block(h))
	}
	proofs := wanted(n, last)
	n.Now = n.Chain.Time(last)
	start := time.Now()
	for chunk := range slices.Chunk(all, dispatch.MaxLightBlocks) {
		if err := n.Dispatcher.Advance(ctx, chunk, nil, nil); err != nil {
			return err
		}
	}
	if err := follow(ctx, n, proofs, nil); err != nil {
		return err
	}
	took := time.Since(start)
	b.add("catchup_every_header", took.Seconds(), "s", withinSecs*float64(blocks)/behind)
	return stands(n, last)
}

// ownRows show that catching up costs as much as a worker's own messages: with ten busy clusters beside its own it takes
// as long as with none, and twice the messages take twice as long. The figures are the processors' time, which says more
// about cost than a clock does while other programs run.
func ownRows(ctx context.Context, b *bench) error {
	own := max(b.samples(ownMessages), 100)
	var quiet, busy, double []time.Duration
	for range max(b.samples(5), 1) {
		for _, x := range []struct {
			to       *[]time.Duration
			own      int
			clusters int
		}{{&quiet, own, 0}, {&busy, own, busyClusters}, {&double, 2 * own, 0}} {
			if err := ctx.Err(); err != nil {
				return err
			}
			took, err := b.withMessages(ctx, x.own, x.clusters)
			if err != nil {
				return err
			}
			*x.to = append(*x.to, took)
		}
	}
	b.add("catchup_busy", median(busy).Seconds(), "s", median(quiet).Seconds())
	b.add("catchup_own", median(double).Seconds(), "s", 2*median(quiet).Seconds())
	return nil
}

// withMessages times how a worker catches up with many blocks in which its own cluster, and each of the others, had so
// many commands.
func (b *bench) withMessages(ctx context.Context, own, clusters int) (time.Duration, error) {
	n, err := b.node(lighttest.Config{Validators: 4})
	if err != nil {
		return 0, err
	}
	defer n.Worker.Stop()
	code, err := counter()
	if err != nil {
		return 0, err
	}
	w, client := n.Worker.World, enclavetest.NewClient(n.Worker.World)
	id, _ := client.Instantiate(client.Upload(code.Wasm, 4000), 1, code.Input("new", enclavetest.I32(0)))
	w.Blocks(1)
	if err := n.Sync(); err != nil {
		return 0, err
	}
	from := w.Count()
	var last uint64
	for range own {
		w.Blocks(behind / uint64(own))
		last = client.Call(id, code.Input("inc"))
	}
	w.Blocks(1)
	batch := dispatch.Batch{Topic: wire.ClusterTopic(w.Cluster.ID), From: from}
	for _, m := range w.Messages(from) {
		batch.Messages = append(batch.Messages, enclavetest.Must(scale.Marshal(&m)))
	}
	records := n.Records()
	for i := range clusters {
		others(records, w.Cluster, i, batch.Messages)
	}
	n.Chain.Set(w.Height, records)
	blocks, proofs := [][]byte{n.Chain.Block(w.Height)}, wanted(n, w.Height)
	n.Now = n.Chain.Time(w.Height)
	runtime.GC() // what the making has left is not the worker's to clean up
	before := cpuUsed()
	if err := n.Dispatcher.Advance(ctx, blocks, nil, nil); err != nil {
		return 0, err
	}
	if err := follow(ctx, n, proofs, []dispatch.Batch{batch}); err != nil {
		return 0, err
	}
	took := cpuUsed() - before
	r, err := client.Receipt(n.Worker, last)
	if err == nil && r.Receipt.Outcome.Status != wire.StatusDone {
		err = errWrong
	}
	if err != nil {
		return 0, err
	}
	return took, stands(n, w.Height)
}

// others adds what another cluster with as many messages leaves in the chain's state: its record, its head, its bodies.
func others(records map[wire.RecordKey][]byte, c wire.Cluster, i int, bodies [][]byte) {
	c.ID[0] ^= byte(i + 1)
	topic := wire.ClusterTopic(c.ID)
	head := wire.Head{Count: uint64(len(bodies)), Hash: wire.Hash(c.ID)}
	records[wire.KeyCluster(c.ID)] = scale.MustMarshal(&c)
	records[wire.KeyHead(topic)] = scale.MustMarshal(&head)
	for k, body := range bodies {
		records[wire.RecordKey{Store: wire.StoreQueue, Key: fmt.Sprintf("body/%s/%08d", topic.Bytes(), k)}] = body
	}
}

// wanted are the proofs at a height of everything that a node may ask for there.
func wanted(n *enclavetest.Node, height uint64) map[wire.RecordKey]dispatch.Proof {
	proofs := map[wire.RecordKey]dispatch.Proof{}
	for k := range n.Records() {
		proofs[k] = n.Chain.Proof(height, k)
	}
	for _, k := range n.Dispatcher.Status().Wants {
		proofs[k] = n.Chain.Proof(height, k)
	}
	return proofs
}

// follow brings the proofs that the node wants, and then messages.
func follow(ctx context.Context, n *enclavetest.Node, proofs map[wire.RecordKey]dispatch.Proof, batches []dispatch.Batch) error {
	brought := map[wire.RecordKey]bool{}
	for {
		var next []dispatch.Proof
		for _, k := range n.Dispatcher.Status().Wants {
			p, ok := proofs[k]
			if !ok {
				return fmt.Errorf("no proof of %s/%q was made", k.Store, k.Key)
			}
			if !brought[k] {
				brought[k] = true
				next = append(next, p)
			}
		}
		if len(next) == 0 && len(batches) == 0 {
			return nil
		}
		if len(next) > 0 {
			if err := n.Dispatcher.Advance(ctx, nil, next, nil); err != nil {
				return err
			}
			continue
		}
		if err := n.Dispatcher.Advance(ctx, nil, nil, batches); err != nil {
			return err
		}
		batches = nil
	}
}

// stands checks that the node has come to the newest block and the end of its topic.
func stands(n *enclavetest.Node, height uint64) error {
	h, _, _ := n.Dispatcher.Header()
	s := n.Worker.Status()
	if h.Height != height || s.Phase != "running" || s.Count != n.Worker.World.Count() {
		return fmt.Errorf("%w: it stands at block %d of %d: %+v", errWrong, h.Height, height, s)
	}
	return nil
}
