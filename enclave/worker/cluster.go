package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/wire"
)

// Phases of a cluster, as the status shows them.
const (
	phaseKeys    = "waiting for keys"
	phaseState   = "waiting for state"
	phaseRunning = "running"
	phaseFailed  = "failed"
)

// cluster is one cluster on this worker.
type cluster struct {
	id  wire.ClusterID
	cfg Config

	// What the doors read, without the lock.
	live   atomic.Pointer[live]
	anchor atomic.Pointer[anchor]
	status atomic.Pointer[ClusterStatus]
	wake   broadcast
	seen   replays
	logs   *logs
	code   *compiledCode
	paths  paths

	mu      sync.Mutex      // held by steps, deliveries and transfers
	ctx     context.Context // ends with the cluster; a caller's own never stops what changes the state
	cancel  context.CancelFunc
	phase   string
	problem string
	record  *wire.Cluster
	keys    *clusterKeys
	request keyRequest
	store   *state.Store
	sys     system
	rehash  *rehash
	reports reports
	marks   []*state.View // the newest, at their marks, for others to fetch
	head    uint64        // of the topic, as last proven
	imp     *importing
	exports map[sr25519.PublicKey]*exporting // by who asks
}

// live is the durable state that receipts are read from.
type live struct {
	view *state.View
	sys  *system
}

func newCluster(id wire.ClusterID, cfg Config) *cluster {
	ctx, cancel := context.WithCancel(context.Background())
	cl := &cluster{
		id: id, cfg: cfg, ctx: ctx, cancel: cancel, phase: phaseKeys,
		keys: newClusterKeys(), logs: newLogs(cfg.UID, cfg.Rand), exports: map[sr25519.PublicKey]*exporting{},
	}
	cl.code = newCompiledCode(id, cfg, cl.keys)
	cl.wake.init()
	cl.publishStatus()
	return cl
}

// stop closes the store and erases the keys. Requests of the doors end with ErrNotRunning.
func (cl *cluster) stop() {
	cl.cancel()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.live.Store(nil)
	cl.anchor.Store(nil)
	cl.wake.all()
	cl.rehash.wait()
	cl.request.zero()
	cl.imp.zero()
	for _, e := range cl.exports {
		e.stop()
	}
	if cl.store != nil {
		// Every batch is durable already; a failing close loses nothing.
		_ = cl.store.Close()
	}
	cl.keys.zero()
	cl.phase = phaseFailed
}

// fail stops execution until the program is started again. What is durable stays.
func (cl *cluster) fail(err error) error {
	cl.phase, cl.problem = phaseFailed, err.Error()
	cl.anchor.Store(nil)
	cl.publishStatus()
	return err
}

func (cl *cluster) publishStatus() {
	s := ClusterStatus{Cluster: cl.id, Phase: cl.phase, Problem: cl.problem, Head: cl.head}
	if l := cl.live.Load(); l != nil {
		s.Count, s.Root = l.view.Count(), l.view.Root()
		s.Noops, s.Contracts = l.sys.Noops, l.sys.Contracts
		s.Entries, s.Bytes = roundUp(uint64(l.view.Len()), roundEntries), roundUp(uint64(l.view.Size()), roundBytes)
	}
	if cl.phase == phaseState && cl.record != nil {
		for _, m := range cl.record.Members {
			if m.Identity != cl.cfg.Keys.Identity() {
				s.Ask = append(s.Ask, m.Identity)
			}
		}
	}
	cl.status.Store(&s)
}

// step does what the records call for.
func (cl *cluster) step(c dispatch.Chain) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	defer cl.publishStatus()
	f, known := c.Record(wire.KeyCluster(cl.id))
	if known && f.Value != nil {
		var rec wire.Cluster
		if err := scale.Unmarshal(f.Value, &rec); err != nil {
			return fmt.Errorf("cluster record: %w", err)
		}
		cl.record = &rec
	}
	if cl.record == nil || cl.phase == phaseFailed {
		return nil
	}
	member, ok := cl.record.Member(cl.cfg.Keys.Identity())
	if !ok {
		return nil
	}
	if err := cl.stepKeys(c, member); err != nil {
		return err
	}
	if cl.phase == phaseKeys {
		if _, _, some := cl.keys.missing(firstEpoch(member, cl.record), cl.record.KeyEpoch); some {
			return nil
		}
		if err := cl.open(); err != nil {
			return cl.fail(err)
		}
	}
	if err := cl.stepExports(c); err != nil {
		return err
	}
	if cl.phase != phaseRunning {
		return nil
	}
	if err := cl.prepareRehash(); err != nil {
		return cl.fail(err)
	}
	cl.anchorAt(c)
	return cl.stepReports(c)
}

// anchorAt lets queries run on the newest state when the topic's head, proven at the newest header, is where the state
// stands.
func (cl *cluster) anchorAt(c dispatch.Chain) {
	f, known := c.Record(wire.KeyHead(wire.ClusterTopic(cl.id)))
	if !known || f.Value == nil {
		return
	}
	var head wire.Head
	if scale.Unmarshal(f.Value, &head) != nil {
		return
	}
	cl.head = head.Count
	if head == cl.sys.Head {
		cl.setAnchor(c)
	}
}

func (cl *cluster) setAnchor(c dispatch.Chain) {
	h := c.Header()
	cl.anchor.Store(&anchor{live: cl.live.Load(), header: h})
	cl.seen.prune(h.Height)
	cl.wake.all()
}

// place returns where the cluster stands in its topic, while it runs.
func (cl *cluster) place() (dispatch.Place, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.phase != phaseRunning {
		return dispatch.Place{}, false
	}
	return dispatch.Place{Topic: wire.ClusterTopic(cl.id), Head: cl.sys.Head}, true
}

// open recovers what the disk holds and decides whether to go on from there or to fetch another member's state.
func (cl *cluster) open() error {
	epoch, _ := cl.keys.lowest()
	root := epoch
	if cl.record.Fixed != nil {
		if _, ok := cl.keys.epoch(cl.record.Fixed.Epoch); ok {
			epoch = cl.record.Fixed.Epoch
		}
	}
	dir := filepath.Join(cl.cfg.Dir, hex.EncodeToString(cl.id[:]))
	options := state.Options{
		Cluster: cl.id, StateKeys: cl.keys.stateKey, RootKeys: cl.keys.rootKey, Epoch: epoch, RootEpoch: root,
	}
	store, err := state.Open(cl.ctx, dir, cl.cfg.Rand, options)
	if errors.Is(err, state.ErrKey) && cl.record.Finalized != nil && len(cl.record.Members) > 1 {
		// What an earlier membership left: nobody gives its keys any more, and others have a newer state.
		if err = setAside(dir); err == nil {
			store, err = state.Open(cl.ctx, dir, cl.cfg.Rand, options)
		}
	}
	if err != nil {
		return fmt.Errorf("state of cluster %s: %w", cl.id, err)
	}
	cl.store = store
	if err := cl.adopt(); err != nil {
		return err
	}
	cl.phase = phaseRunning
	if cl.sys.Head.Count == 0 && cl.record.Finalized != nil && len(cl.record.Members) > 1 {
		cl.phase = phaseState
	}
	return nil
}

// setAside renames a directory whose files cannot be opened, in place of one that was set aside before.
func setAside(dir string) error {
	if err := os.RemoveAll(dir + ".old"); err != nil {
		return err
	}
	return os.Rename(dir, dir+".old")
}

// adopt reads the system record of the store's newest state and makes it live.
func (cl *cluster) adopt() error {
	view := cl.store.View()
	var sys system
	ok, err := load(view, []byte(systemEntry), &sys)
	if err != nil {
		return err
	}
	if sys.Head.Count != view.Count() || !ok && view.Count() != 0 {
		return fmt.Errorf("state stands at %d, its system record at %d", view.Count(), sys.Head.Count)
	}
	cl.sys = sys
	if err := cl.reports.restore(cl.id, &sys, view, cl.store.Meta()); err != nil {
		return err
	}
	cl.rehash.wait() // one of the state before
	cl.rehash, cl.marks = nil, nil
	cl.rememberMark(view)
	cl.publish()
	return cl.prepareRehash()
}

// rememberMark keeps a view that stands at a mark.
func (cl *cluster) rememberMark(view *state.View) {
	if cl.sys.Marks == 0 || cl.sys.MarkEnd != view.Count() {
		return
	}
	cl.marks = append(cl.marks, view)
	if len(cl.marks) > keptMarks {
		cl.marks = slices.Delete(cl.marks, 0, 1)
	}
}

// publish makes the newest durable state what the doors see.
func (cl *cluster) publish() {
	sys := cl.sys
	cl.live.Store(&live{view: cl.store.View(), sys: &sys})
	cl.wake.all()
}
