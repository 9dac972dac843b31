package client

import (
	"context"
	"fmt"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
)

// factReuse is how long a proven record is taken to be current where nothing speaks against it. Keys that are replaced
// in this time still open what is sent to them.
const factReuse = 5 * time.Second

// Proven is a record and the header that proves it.
type Proven[T any] struct {
	Record T
	Header light.Header // its AppHash is the state that holds the record
}

// fact is a proven record's bytes.
type fact struct {
	value  []byte // nil where it is absent
	header light.Header
	at     time.Time
}

// prove returns the bytes of a record, or nil where the chain has none, with the header that shows it. It asks the node
// unless it did within reuse.
func (c *Client) prove(ctx context.Context, key wire.RecordKey, reuse time.Duration) (fact, error) {
	now := c.cfg.Now()
	c.mu.Lock()
	f, ok := c.facts[key]
	c.mu.Unlock()
	if age := now.Sub(f.at); ok && age >= 0 && age < reuse {
		return f, nil
	}
	header, err := c.headers.latest(ctx, min(reuse, headerReuse))
	if err != nil {
		return fact{}, err
	}
	if header.Height < 2 {
		return fact{}, fmt.Errorf("%w: the chain has one block only, which proves nothing yet", ErrStaleChain)
	}
	f, err = c.proveAt(ctx, key, header)
	if err != nil {
		return fact{}, err
	}
	f.at = now
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.facts) >= 1024 {
		clear(c.facts)
	}
	c.facts[key] = f
	return f, nil
}

// proveAt reads a record of the state that a verified header commits to.
func (c *Client) proveAt(ctx context.Context, key wire.RecordKey, header light.Header) (fact, error) {
	state := header.Height - 1
	p, err := c.node.Prove(ctx, key, state)
	if err != nil {
		return fact{}, unreachable(err)
	}
	if p.State != state {
		return fact{}, fmt.Errorf("%w: it proved the state at %d for the one at %d", ErrNodeLied, p.State, state)
	}
	if p.Absent {
		err = light.VerifyAbsence(header, key.Store, []byte(key.Key), p.Ops)
		p.Value = nil
	} else {
		err = light.VerifyMembership(header, key.Store, []byte(key.Key), p.Value, p.Ops)
	}
	if err != nil {
		return fact{}, fmt.Errorf("%w: record of store %s at height %d: %w", ErrNodeLied, key.Store, header.Height, err)
	}
	return fact{value: p.Value, header: header}, nil
}

// read decodes a proven record. what names it in errors.
func read[T any, P interface {
	*T
	scale.Record
}](ctx context.Context, c *Client, key wire.RecordKey, what string, reuse time.Duration) (Proven[T], error) {
	f, err := c.prove(ctx, key, reuse)
	if err != nil {
		return Proven[T]{}, fmt.Errorf("%s: %w", what, err)
	}
	if f.value == nil {
		return Proven[T]{}, &AbsentError{what, f.header.Height}
	}
	out := Proven[T]{Header: f.header}
	if err := scale.Unmarshal(f.value, P(&out.Record)); err != nil {
		return Proven[T]{}, fmt.Errorf("%s: the chain's record is of a form that this program does not know: %w", what, err)
	}
	return out, nil
}

// checkUID makes sure that the chain is the one that UID names, which is not evident where the trust root is a later
// header.
func (c *Client) checkUID(ctx context.Context) error {
	f, err := c.prove(ctx, wire.KeyChainUID(), 0)
	if err != nil {
		return err
	}
	if len(f.value) != len(c.cfg.UID) || wire.ChainUID(f.value) != c.cfg.UID {
		return fmt.Errorf("%w: the chain's uid is another than %s", ErrNotFound, c.cfg.UID)
	}
	return nil
}

// Header returns the newest verified header. [ErrStaleChain] says that it is too old to act on.
func (c *Client) Header(ctx context.Context) (light.Header, error) { return c.headers.latest(ctx, 0) }

// HeaderAt returns the verified header at a height, at or above the trust root.
func (c *Client) HeaderAt(ctx context.Context, height uint64) (light.Header, error) {
	return c.headers.at(ctx, height)
}

// Worker returns a worker's or gatekeeper's proven state.
func (c *Client) Worker(ctx context.Context, id sr25519.PublicKey) (Proven[wire.WorkerState], error) {
	return c.worker(ctx, id, 0)
}

func (c *Client) worker(ctx context.Context, id sr25519.PublicKey, reuse time.Duration) (Proven[wire.WorkerState], error) {
	return read[wire.WorkerState](ctx, c, wire.KeyWorker(id), "worker "+id.String(), reuse)
}

// Cluster returns a cluster's proven record.
func (c *Client) Cluster(ctx context.Context, id wire.ClusterID) (Proven[wire.Cluster], error) {
	return c.cluster(ctx, id, 0)
}

func (c *Client) cluster(ctx context.Context, id wire.ClusterID, reuse time.Duration) (Proven[wire.Cluster], error) {
	return read[wire.Cluster](ctx, c, wire.KeyCluster(id), "cluster "+id.String(), reuse)
}

// keyWait is how long a cluster without a key is waited for: a key that was just fixed is proven a block later.
const keyWait = 5 * time.Second

// keyed returns a cluster's record with a key in force.
func (c *Client) keyed(ctx context.Context, id wire.ClusterID) (Proven[wire.Cluster], error) {
	x, err := c.cluster(ctx, id, factReuse)
	if err != nil || x.Record.Fixed != nil {
		return x, err
	}
	c.cfg.Progress(StageKey)
	wait, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	for {
		if x, err = c.cluster(ctx, id, 0); err != nil || x.Record.Fixed != nil {
			return x, err
		}
		if pause(wait, receiptPause) == nil {
			continue
		}
		if ctx.Err() != nil {
			return x, ctx.Err()
		}
		return x, fmt.Errorf("cluster %s: %w", id, ErrNoClusterKey)
	}
}

// Contract returns a contract's proven record. It appears some blocks after the receipt of the instantiation.
func (c *Client) Contract(ctx context.Context, id wire.ContractID) (Proven[wire.ContractRecord], error) {
	return read[wire.ContractRecord](ctx, c, wire.KeyContract(id), "contract "+id.String(), 0)
}

// Params returns the network's proven parameters.
func (c *Client) Params(ctx context.Context) (Proven[wire.NetworkParams], error) {
	return read[wire.NetworkParams](ctx, c, wire.KeyNetworkParams(), "network parameters", factReuse)
}

// Gatekeepers returns the proven list of gatekeepers.
func (c *Client) Gatekeepers(ctx context.Context) (Proven[wire.Gatekeepers], error) {
	return read[wire.Gatekeepers](ctx, c, wire.KeyGatekeepers(), "list of gatekeepers", 0)
}

// MasterKey returns the proven public MasterKey.
func (c *Client) MasterKey(ctx context.Context) (Proven[wire.MasterKeyRecord], error) {
	return read[wire.MasterKeyRecord](ctx, c, wire.KeyMasterKey(), "master key", 0)
}

// Finalized returns what is proven to be finalized at a cluster's checkpoint mark. The chain keeps those of the last
// marks only.
func (c *Client) Finalized(ctx context.Context, id wire.ClusterID, mark uint64) (Proven[wire.Finalized], error) {
	what := fmt.Sprintf("finalized mark %d of cluster %s", mark, id)
	return read[wire.Finalized](ctx, c, wire.KeyFinalized(id, mark), what, 0)
}
