package worker

import (
	"slices"
	"sync"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/hierarchy"
)

// epochKeys is a ClusterKey and what is used of it.
type epochKeys struct {
	cluster *hierarchy.ClusterKey
	ecdh    *ecdh.PrivateKey
	root    []byte
	state   []byte
}

func newEpochKeys(raw [32]byte) (*epochKeys, error) {
	ck, err := hierarchy.ParseClusterKey(raw[:])
	if err != nil {
		return nil, err
	}
	sk, err := ck.EcdhKey()
	if err != nil {
		return nil, err
	}
	return &epochKeys{ck, sk, ck.RootKey(), ck.StateKey()}, nil
}

func (k *epochKeys) zero() {
	k.cluster.Zero()
	k.ecdh.Zero()
	clear(k.root)
	clear(k.state)
}

// clusterKeys is the ClusterKeys of one cluster, by key epoch, in memory only. It is safe for concurrent use.
type clusterKeys struct {
	mu     sync.RWMutex
	epochs map[uint32]*epochKeys
}

func newClusterKeys() *clusterKeys { return &clusterKeys{epochs: map[uint32]*epochKeys{}} }

func (k *clusterKeys) epoch(e uint32) (*epochKeys, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	x, ok := k.epochs[e]
	return x, ok
}

// add takes a key unless one of that epoch is held: a grant never replaces a key that is in use.
func (k *clusterKeys) add(epoch uint32, raw [32]byte) error {
	if _, ok := k.epoch(epoch); ok {
		return nil
	}
	x, err := newEpochKeys(raw)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epochs[epoch] = x
	return nil
}

// missing returns the first and last epoch of a range that is not held, false where all are.
func (k *clusterKeys) missing(first, last uint32) (from, to uint32, some bool) {
	for e := first; e <= last; e++ {
		if _, ok := k.epoch(e); ok {
			continue
		}
		if !some {
			from = e
		}
		to, some = e, true
	}
	return from, to, some
}

// lowest returns the lowest epoch that is held.
func (k *clusterKeys) lowest() (uint32, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []uint32
	for e := range k.epochs {
		all = append(all, e)
	}
	if len(all) == 0 {
		return 0, false
	}
	return slices.Min(all), true
}

func (k *clusterKeys) rootKey(e uint32) ([]byte, bool) {
	x, ok := k.epoch(e)
	if !ok {
		return nil, false
	}
	return x.root, true
}

func (k *clusterKeys) stateKey(e uint32) ([]byte, bool) {
	x, ok := k.epoch(e)
	if !ok {
		return nil, false
	}
	return x.state, true
}

// newestState returns a copy of the state key of the highest epoch that is held.
func (k *clusterKeys) newestState() ([]byte, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var newest *epochKeys
	var at uint32
	for e, x := range k.epochs {
		if newest == nil || e > at {
			newest, at = x, e
		}
	}
	if newest == nil {
		return nil, false
	}
	return slices.Clone(newest.state), true
}

// zero erases every key. Nothing may use them afterwards.
func (k *clusterKeys) zero() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e, x := range k.epochs {
		x.zero()
		delete(k.epochs, e)
	}
}
