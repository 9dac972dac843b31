package enclavetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/gatekeeper"
	"github.com/phalanx-network/phalanx/enclave/rotation"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/light/lighttest"
	"github.com/phalanx-network/phalanx/wire"
)

// LightChain is a chain of signed headers whose application hashes commit to records. It is not safe for concurrent
// use.
type LightChain struct {
	*lighttest.Chain
	states map[uint64]*lighttest.State // by the height of the first header that commits to it
	empty  *lighttest.State
}

// NewLightChain returns a chain without records.
func NewLightChain(cfg lighttest.Config) *LightChain {
	c := &LightChain{states: map[uint64]*lighttest.State{}}
	c.empty = newState(nil)
	cfg.AppHash = func(h uint64) [32]byte { return c.at(h).AppHash() }
	c.Chain = lighttest.New(cfg)
	return c
}

func newState(records map[wire.RecordKey][]byte) *lighttest.State {
	content := map[string]map[string][]byte{wire.StoreRegistry: {}, wire.StoreQueue: {}, wire.StoreCluster: {}}
	for _, pairs := range content { // an empty store has no proofs of absence
		pairs["~"] = []byte{1}
	}
	for k, v := range records {
		content[k.Store][k.Key] = v
	}
	return lighttest.NewState(content)
}

// Set has the headers from a height on commit to these records.
func (c *LightChain) Set(height uint64, records map[wire.RecordKey][]byte) {
	c.states[height] = newState(records)
}

func (c *LightChain) at(height uint64) *lighttest.State {
	from := uint64(0)
	for h := range c.states {
		if h <= height && h > from {
			from = h
		}
	}
	if from == 0 {
		return c.empty
	}
	return c.states[from]
}

// Proof is what a relay brings of a record at a header.
func (c *LightChain) Proof(height uint64, k wire.RecordKey) dispatch.Proof {
	value, ops := c.at(height).Prove(k.Store, k.Key)
	return dispatch.Proof{Key: k, Header: height, Value: value, Absent: value == nil, Ops: ops}
}

// UID is the chain's: the hash of its first header.
func (c *LightChain) UID() wire.ChainUID { return c.Root(1).Hash }

// Node is a worker behind a real dispatcher and light client, with a relay that tells the truth.
type Node struct {
	Worker     *Worker
	Chain      *LightChain
	Dispatcher *dispatch.Dispatcher
	Now        time.Time
}

// NewNode starts a worker with its disk below dir on a chain of its own, as the one member of a cluster whose key is
// fixed.
func NewNode(dir string, cfg lighttest.Config) *Node {
	c := NewLightChain(cfg)
	w := newWorld(c.UID())
	n := &Node{Worker: NewWorker(w, dir), Chain: c}
	w.Join(n.Worker.Keys.Identity(), 0)
	w.Fix()
	client := Must(light.New(c.ChainID(), c.Root(1), light.Options{TrustingPeriod: 365 * 24 * time.Hour, MaxClockDrift: time.Second}))
	n.Dispatcher = dispatch.New(dispatch.Config{
		UID: w.UID, Keys: n.Worker.Keys, Light: client, Now: func() time.Time { return n.Now },
		Own: rotation.New(n.Worker.Keys), Worker: n.Worker.Role, Gatekeeper: gatekeeper.New(n.Worker.Keys),
	})
	n.Worker.node = n
	n.Now = c.Time(1)
	if err := n.Dispatcher.Advance(context.Background(), [][]byte{c.Block(1)}, nil, nil); err != nil {
		panic(err)
	}
	w.Height = 2
	if err := n.Sync(); err != nil {
		panic(err)
	}
	return n
}

// Records are the chain's at the newest block.
func (n *Node) Records() map[wire.RecordKey][]byte {
	w, x := n.Worker.World, n.Worker
	self := x.Self()
	all := map[wire.RecordKey][]byte{
		wire.KeyChainUID():            w.UID[:],
		wire.KeyWorker(self.Identity): Must(scale.Marshal(&self)),
	}
	keys := []wire.RecordKey{
		wire.KeyNetworkParams(), wire.KeyGatekeepers(), wire.KeyCluster(w.Cluster.ID), wire.KeyHead(wire.ClusterTopic(w.Cluster.ID)),
	}
	for _, k := range keys {
		all[k] = w.record(k)
	}
	if head := x.entities[len(x.entities)-1]; head.Count > 0 {
		all[wire.KeyHead(wire.EntityTopic(self.Identity))] = Must(scale.Marshal(&head))
	}
	if s := n.Dispatcher.Status(); s.OutboxNext > 0 {
		all[wire.KeySequence(self.Identity)] = Must(scale.Marshal(&wire.Sequence{Incarnation: self.Incarnation, Next: s.OutboxNext}))
	}
	return all
}

// Sync brings everything up to the newest block, until nothing more is wanted.
func (n *Node) Sync() error {
	for range 20 {
		n.post()
		n.Chain.Set(n.Worker.World.Height, n.Records())
		done, err := n.advance(n.Worker.World.Height)
		if err != nil || done {
			return err
		}
		n.Worker.World.Blocks(1)
	}
	return errors.New("the node does not come to rest")
}

// advance brings one header with all that is wanted at it; it reports whether the node then stands at the head.
func (n *Node) advance(height uint64) (bool, error) {
	ctx := context.Background()
	n.Now = n.Chain.Time(height)
	blocks, err := n.blocksTo(height)
	if err != nil {
		return false, err
	}
	if err := n.feed(ctx, blocks); err != nil {
		return false, err
	}
	brought := map[wire.RecordKey]bool{}
	for range 10 {
		var proofs []dispatch.Proof
		for _, k := range n.Dispatcher.Status().Wants {
			if !brought[k] {
				brought[k] = true
				proofs = append(proofs, n.Chain.Proof(height, k))
			}
		}
		batches := n.batches()
		if len(proofs) == 0 && len(batches) == 0 {
			return n.Dispatcher.Status().OutboxNext == n.Dispatcher.Status().OutboxFirst, nil
		}
		if err := n.Dispatcher.Advance(ctx, nil, proofs, nil); err != nil {
			return false, err
		}
		if err := n.Dispatcher.Advance(ctx, nil, nil, n.batches()); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("the node wants without end: %v", slices.Collect(maps.Keys(brought)))
}

func (n *Node) feed(ctx context.Context, blocks [][]byte) error {
	for chunk := range slices.Chunk(blocks, dispatch.MaxLightBlocks) {
		if err := n.Dispatcher.Advance(ctx, chunk, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// blocksTo returns the light blocks that lead from the trusted height to another, the fewest that bisection finds.
func (n *Node) blocksTo(height uint64) ([][]byte, error) {
	trusted := n.Dispatcher.Status().Trusted
	client := Must(light.New(n.Chain.ChainID(), n.Chain.Root(trusted), light.Options{TrustingPeriod: 365 * 24 * time.Hour, MaxClockDrift: time.Hour}))
	now := n.Chain.Time(height)
	if _, err := client.Verify(n.Chain.Block(trusted), now); err != nil {
		return nil, err
	}
	var out [][]byte
	for at := trusted; at < height; {
		next := height
		for {
			block := n.Chain.Block(next)
			_, err := client.Verify(block, now)
			if err == nil {
				out = append(out, block)
				break
			}
			if !errors.Is(err, light.ErrNeedIntermediate) {
				return nil, err
			}
			next = at + (next-at)/2
		}
		at = next
	}
	return out, nil
}

// batches are the messages that follow the node's places.
func (n *Node) batches() []dispatch.Batch {
	var out []dispatch.Batch
	for _, p := range n.Dispatcher.Status().Places {
		messages := n.Worker.World.messages
		if p.Topic.Variant == wire.TopicEntity {
			messages = n.Worker.entity
		}
		if uint64(len(messages)) <= p.Head.Count {
			continue
		}
		b := dispatch.Batch{Topic: p.Topic, From: p.Head.Count}
		for _, m := range messages[p.Head.Count:] {
			b.Messages = append(b.Messages, Must(scale.Marshal(&m)))
		}
		out = append(out, b)
	}
	return out
}

// post takes the node's acts to the chain, and answers its requests for keys.
func (n *Node) post() {
	s := n.Dispatcher.Status()
	for _, raw := range n.Dispatcher.Outbox(s.OutboxFirst, 1<<20) {
		var m wire.SignedMessage
		if err := scale.Unmarshal(raw, &m); err != nil {
			panic(err)
		}
		n.Worker.Acts = append(n.Worker.Acts, m.Message.Act)
	}
	n.Worker.grant()
}

// CatchUp is a node that is to catch up with many empty blocks.
type CatchUp struct {
	node   *Node
	height uint64
	blocks [][]byte
	proofs map[wire.RecordKey]dispatch.Proof
}

// PrepareCatchUp lets n empty blocks pass and makes all headers and proofs that the node will need.
func (n *Node) PrepareCatchUp(blocks uint64) (*CatchUp, error) {
	n.Worker.World.Blocks(blocks)
	height := n.Worker.World.Height
	n.Chain.Set(height, n.Records())
	c := &CatchUp{node: n, height: height, proofs: map[wire.RecordKey]dispatch.Proof{}}
	var err error
	if c.blocks, err = n.blocksTo(height); err != nil {
		return nil, err
	}
	for k := range n.Records() {
		c.proofs[k] = n.Chain.Proof(height, k)
	}
	for _, k := range n.Dispatcher.Status().Wants {
		c.proofs[k] = n.Chain.Proof(height, k)
	}
	n.Now = n.Chain.Time(height)
	return c, nil
}

// Headers is how many light blocks Run brings.
func (c *CatchUp) Headers() int { return len(c.blocks) }

// Run brings the node to the newest block: this is what a catch-up costs an enclave. It fails unless the node then
// answers for that block.
func (c *CatchUp) Run() error {
	ctx, n := context.Background(), c.node
	if err := n.feed(ctx, c.blocks); err != nil {
		return err
	}
	brought := map[wire.RecordKey]bool{}
	for {
		var proofs []dispatch.Proof
		for _, k := range n.Dispatcher.Status().Wants {
			p, ok := c.proofs[k]
			if !ok {
				return fmt.Errorf("no proof of %s/%q was made", k.Store, k.Key)
			}
			if !brought[k] {
				brought[k] = true
				proofs = append(proofs, p)
			}
		}
		if len(proofs) == 0 {
			break
		}
		if err := n.Dispatcher.Advance(ctx, nil, proofs, nil); err != nil {
			return err
		}
	}
	h, _, _ := n.Dispatcher.Header()
	if s := n.Worker.Status(); h.Height != c.height || s.Phase != "running" || s.Head != n.Worker.World.Count() {
		return fmt.Errorf("it stands at block %d of %d: %+v", h.Height, c.height, s)
	}
	return nil
}
