package worker

import (
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/wire"
)

// A batch, whose effects become durable together, ends at so many messages or bytes.
const (
	maxBatch      = 512
	maxBatchBytes = 16 << 20
)

// deliver executes messages of the cluster's topic in order. What was executed is durable when it returns; it stops
// early, without an error, at a message whose key is awaited.
func (cl *cluster) deliver(c dispatch.Chain, d dispatch.Delivery) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	defer cl.publishStatus()
	if cl.phase != phaseRunning || d.Place.Head != cl.sys.Head {
		return nil
	}
	cl.head = d.Proven.Count
	if d.Pruned > cl.sys.Head.Count {
		// The chain keeps what no finalized state covers: where there is none beyond this one, the relay lies.
		if f := cl.record.Finalized; f != nil && f.Count > cl.sys.Head.Count {
			cl.phase = phaseState
			cl.anchor.Store(nil)
		}
		return nil
	}
	if err := cl.execute(d); err != nil {
		return cl.fail(err)
	}
	if cl.sys.Head == d.Proven {
		cl.setAnchor(c)
	}
	return cl.stepReports(c)
}

func (cl *cluster) execute(d dispatch.Delivery) error {
	x := cl.executor()
	ahead := x.prepareAll(d.Messages)
	defer ahead.close()
	taken := 0
	for i := range d.Messages {
		err := x.apply(cl.ctx, message{&d.Messages[i], x.sys.Head.Count, d.Digests[i]}, ahead.take(i))
		ahead.done(i)
		if errors.Is(err, errMissingKey) {
			break
		}
		if err != nil {
			return err
		}
		if taken++; x.marked || taken >= maxBatch || x.written >= maxBatchBytes {
			if err := cl.commit(x); err != nil {
				return err
			}
			x, taken = cl.executor(), 0
		}
	}
	if taken == 0 {
		return nil
	}
	return cl.commit(x)
}

func (cl *cluster) executor() *executor {
	view := cl.store.View()
	x := &executor{
		uid: cl.cfg.UID, cluster: cl.id, engine: cl.cfg.Engine, extension: cl.cfg.Extension, compiled: cl.compiled(), keys: cl.keys,
		sys: cl.sys, o: state.NewOverlay(view),
	}
	if record, ok := view.Get(systemID, []byte(systemEntry)); ok {
		x.systemSize = int64(len(systemID) + len(systemEntry) + len(record))
	}
	return x
}

// commit makes the effects of a batch durable, then visible.
func (cl *cluster) commit(x *executor) error {
	epoch, due := x.sys.rootDue()
	if due = due && x.marked; due {
		x.sys.NextRoot = nil
	}
	if err := x.flush(); err != nil {
		return err
	}
	if err := cl.append(x, epoch, due); err != nil {
		return err
	}
	cl.sys = x.sys
	cl.publish()
	if err := cl.logs.add(x.said); err != nil {
		return err
	}
	for _, f := range x.after {
		f()
	}
	for _, r := range x.contracts {
		cl.reports.addContract(r)
	}
	if x.marked {
		view := cl.store.View()
		report, err := checkpoint(cl.id, &cl.sys, view)
		if err != nil {
			return err
		}
		cl.reports.addCheckpoint(report)
		cl.rememberMark(view)
	}
	return cl.prepareRehash()
}

// append writes the batch; at the second mark after a key was fixed the root changes to its RootKey, and the files to
// its state key.
func (cl *cluster) append(x *executor, epoch uint32, due bool) error {
	meta := cl.reports.meta()
	if !due {
		return cl.store.Append(x.sys.Head.Count, x.o.WriteSet(), meta)
	}
	if cl.rehash == nil || cl.rehash.epoch != epoch {
		return fmt.Errorf("root of key epoch %d was not prepared", epoch)
	}
	cl.rehash.wait()
	if cl.rehash.err != nil {
		return fmt.Errorf("root of key epoch %d: %w", epoch, cl.rehash.err)
	}
	err := cl.store.AppendRehashed(x.sys.Head.Count, x.o.WriteSet(), meta, cl.rehash.state)
	cl.rehash = nil
	if err != nil {
		return err
	}
	return cl.store.Rekey(epoch)
}

// rehash is the coming state root, made beside execution.
type rehash struct {
	epoch uint32
	state *state.Rehash
	done  chan struct{}
	err   error
}

// wait waits until it is made or given up.
func (r *rehash) wait() {
	if r != nil {
		<-r.done
	}
}

// prepareRehash starts the change of the state root that the system record announces, if its key is here.
func (cl *cluster) prepareRehash() error {
	next := cl.sys.NextRoot
	if next == nil || cl.rehash != nil && cl.rehash.epoch == next.Epoch {
		return nil
	}
	if _, ok := cl.keys.epoch(next.Epoch); !ok {
		return nil // the mark at which it is due waits for the key
	}
	cl.rehash.wait()
	s, err := cl.store.BeginRehash(next.Epoch)
	if err != nil {
		return err
	}
	r := &rehash{epoch: next.Epoch, state: s, done: make(chan struct{})}
	cl.rehash = r
	go func() {
		defer close(r.done)
		r.err = s.Run(cl.ctx)
	}()
	return nil
}

// keptMarks is how many views at marks, and how many reports of marks, are kept.
const keptMarks = 4

// reportAgain is after how many blocks a report without effect is repeated.
const reportAgain = 10

// maxContractReports is how many contracts are reported, and watched for their registration, at a time.
const maxContractReports = 64

// reports are what this worker has to say to the chain about a cluster until the chain has taken it.
type reports struct {
	checkpoints []wire.Checkpoint
	sent        map[uint64]uint64 // mark -> height of the last report
	contracts   []watched         // those that the chain is not known to have registered, in topic order
	registered  uint64            // of all contracts below this topic index the chain is known to have a record
	keyEpoch    uint32
	keyAt       uint64
}

// watched is a contract until the chain's record of it is proven.
type watched struct {
	report wire.ContractReport
	fresh  bool   // instantiated in this incarnation, so that the chain cannot know it yet
	sentAt uint64 // height of the last report, 0 before the first
}

// Scale visits what is stored.
func (r *reports) Scale(c *scale.Codec) {
	c.U64(&r.registered)
	scale.Slice(c, &r.checkpoints, keptMarks, func(p *wire.Checkpoint) { p.Scale(c) })
}

func (r *reports) meta() []byte { return scale.MustMarshal(r) }

func (r *reports) addCheckpoint(p wire.Checkpoint) {
	r.checkpoints = append(r.checkpoints, p)
	if len(r.checkpoints) > keptMarks {
		delete(r.sent, r.checkpoints[0].Mark)
		r.checkpoints = r.checkpoints[1:]
	}
}

func (r *reports) addContract(c wire.ContractReport) {
	r.contracts = append(r.contracts, watched{report: c, fresh: true})
}

// restore takes up the reports after a start: the stored checkpoints, the one of a mark at which the state stands, and
// the contracts of which it was not known whether the chain has a record.
func (r *reports) restore(id wire.ClusterID, sys *system, view *state.View, meta []byte) error {
	*r = reports{sent: map[uint64]uint64{}}
	if len(meta) > 0 {
		if err := scale.Unmarshal(meta, r); err != nil {
			return fmt.Errorf("stored reports: %w", err)
		}
	}
	known := len(r.checkpoints) > 0 && r.checkpoints[len(r.checkpoints)-1].Mark == sys.Marks
	if sys.Marks > 0 && sys.MarkEnd == view.Count() && !known {
		p, err := checkpoint(id, sys, view)
		if err != nil {
			return err
		}
		r.addCheckpoint(p)
	}
	return r.restoreContracts(id, view)
}
