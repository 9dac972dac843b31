package keeper

import (
	"context"
	"errors"
	"fmt"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// MaxExpiriesPerBlock bounds the workers that expire in one block; the rest follow in the next ones.
const MaxExpiriesPerBlock = 256

// BeginBlock records the block's header hash, which in the first block of the chain is its uid, and its time, forgets those that no
// registration may name any more, and puts in force what was decided for this height.
func (k *Keeper) BeginBlock(ctx context.Context) error {
	raw, now := sdk.UnwrapSDKContext(ctx).HeaderHash(), height(ctx)
	if len(raw) != len(wire.Hash{}) {
		return fmt.Errorf("block %d has a header hash of %d bytes", now, len(raw))
	}
	hash := wire.Hash(raw)
	_, err := k.ChainUID(ctx)
	if errors.Is(err, types.ErrNoUID) {
		uid := wire.ChainUID(raw)
		err = k.save(ctx, wire.KeyChainUID().Key, &uid)
	}
	if err != nil {
		return err
	}
	if err := k.save(ctx, headerKey(now), &hash); err != nil {
		return err
	}
	made := at(sdk.UnwrapSDKContext(ctx).BlockTime().UnixMilli())
	if err := k.save(ctx, timeKey(now), &made); err != nil {
		return err
	}
	if err := k.forgetHeader(ctx, now); err != nil {
		return err
	}
	if err := k.activateTrust(ctx, now); err != nil {
		return err
	}
	return k.activateGatekeepers(ctx, now)
}

// forgetHeader drops hash and time of the newest block that no registration may name any more.
func (k *Keeper) forgetHeader(ctx context.Context, now uint64) error {
	if now <= types.HeaderWindow+1 {
		return nil
	}
	store, old := k.store.OpenKVStore(ctx), now-types.HeaderWindow-1
	if err := store.Delete([]byte(headerKey(old))); err != nil {
		return err
	}
	return store.Delete([]byte(timeKey(old)))
}

// EndBlock expires the workers whose time has come. It reads only their entries in the index by height.
func (k *Keeper) EndBlock(ctx context.Context) error {
	due, err := k.due(ctx, height(ctx))
	if err != nil {
		return err
	}
	for _, pk := range due {
		if err := k.clearDeadline(ctx, pk); err != nil {
			return err
		}
		w, err := k.worker(ctx, pk)
		if err != nil {
			return err
		}
		if w.Status != wire.WorkerActive {
			continue
		}
		if err := k.lose(ctx, &w, wire.WorkerExpired); err != nil {
			return err
		}
	}
	return nil
}

// due returns the workers that expire at a height or before, in the order of the index.
func (k *Keeper) due(ctx context.Context, now uint64) (list []sr25519.PublicKey, err error) {
	it, err := k.store.OpenKVStore(ctx).Iterator([]byte(prefixExpiry), heightKey(prefixExpiry, now+1))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ; it.Valid() && len(list) < MaxExpiriesPerBlock; it.Next() {
		pk, err := sr25519.ParsePublicKey(it.Key()[len(prefixExpiry)+8:])
		if err != nil {
			return nil, errorsmod.Wrap(err, "index of expiries")
		}
		list = append(list, pk)
	}
	return list, nil
}

// setDeadline makes a worker expire at a height, instead of where it would have.
func (k *Keeper) setDeadline(ctx context.Context, pk sr25519.PublicKey, h uint64) error {
	if err := k.clearDeadline(ctx, pk); err != nil {
		return err
	}
	deadline := at(h)
	if err := k.save(ctx, deadlineKey(pk), &deadline); err != nil {
		return err
	}
	return k.store.OpenKVStore(ctx).Set(expiryKey(h, pk), []byte{1})
}

func (k *Keeper) clearDeadline(ctx context.Context, pk sr25519.PublicKey) error {
	var old at
	found, err := k.load(ctx, deadlineKey(pk), &old)
	if err != nil || !found {
		return err
	}
	store := k.store.OpenKVStore(ctx)
	if err := store.Delete(expiryKey(uint64(old), pk)); err != nil {
		return err
	}
	return store.Delete([]byte(deadlineKey(pk)))
}

// lose takes an active worker's right to act, and tells the hooks.
func (k *Keeper) lose(ctx context.Context, w *wire.WorkerState, status wire.WorkerStatus) error {
	w.Status = status
	if err := k.saveWorker(ctx, w); err != nil {
		return err
	}
	event := &types.EventWorkerStatus{Identity: w.Identity.String(), Status: status.String()}
	if err := k.emit(ctx, event); err != nil || k.hooks == nil {
		return err
	}
	return k.hooks.WorkerLost(ctx, w)
}
