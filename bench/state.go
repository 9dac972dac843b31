package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lukechampine.com/blake3"

	"github.com/phalanx-network/phalanx/enclave/contract/state"
)

const (
	entries   = 100_000
	latticeOf = 2048 // bytes that one entry adds to the multiset hash
)

var owner = [32]byte{1}

// stateRows compares a write to a large state with the two leaves that it hashes, and a durable batch with a bare write
// and sync of as many bytes.
func stateRows(ctx context.Context, b *bench) error {
	tree, err := state.NewTree(0, make([]byte, 32), state.Limits{})
	if err != nil {
		return err
	}
	o := state.NewOverlay(tree.View())
	for i := range entries {
		if err := o.Set(owner, fmt.Appendf(nil, "%08d", i), make([]byte, 64)); err != nil {
			return err
		}
	}
	if err := tree.Apply(1, o.WriteSet()); err != nil {
		return err
	}
	count := uint64(1)
	d, err := medians(ctx, b.samples(2000),
		step{"set and root", func(i int) error {
			o := state.NewOverlay(tree.View())
			if err := o.Set(owner, fmt.Appendf(nil, "%08d", (i+entries)*977%entries), fmt.Appendf(nil, "%064d", i)); err != nil {
				return err
			}
			count++
			return tree.Apply(count, o.WriteSet())
		}},
		step{"two leaves", func(int) error { leaf(); leaf(); return nil }},
	)
	if err != nil {
		return err
	}
	b.add("state_root", micros(d[0]), "µs", micros(d[1]))
	return appendRow(ctx, b)
}

// leaf is what hashing one entry costs at the least: an HMAC, stretched to the multiset hash's width.
func leaf() {
	mac := hmac.New(sha256.New, make([]byte, 32))
	mac.Write(make([]byte, 110))
	h := blake3.New(32, nil)
	h.Write(mac.Sum(nil))
	var out [latticeOf]byte
	h.XOF().Read(out[:]) // it never fails
}

func appendRow(ctx context.Context, b *bench) (err error) {
	key := func(uint32) ([]byte, bool) { return make([]byte, 32), true }
	dir := filepath.Join(b.dir, "state")
	store, err := state.Open(ctx, dir, rand.Reader, state.Options{StateKeys: key, RootKeys: key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	file, err := os.Create(filepath.Join(b.dir, "bare"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	bare := make([]byte, 256) // about what the batch writes
	d, err := medians(ctx, b.samples(200),
		step{"append", func(i int) error {
			o := state.NewOverlay(store.View())
			if err := o.Set(owner, fmt.Appendf(nil, "%08d", i), make([]byte, 64)); err != nil {
				return err
			}
			return store.Append(store.View().Count()+1, o.WriteSet(), nil)
		}},
		step{"write and sync", func(int) error {
			if _, err := file.Write(bare); err != nil {
				return err
			}
			return file.Sync()
		}},
	)
	if err != nil {
		return err
	}
	b.add("state_append", millis(d[0]), "ms", millis(d[1]))
	return nil
}
