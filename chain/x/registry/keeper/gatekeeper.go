package keeper

import (
	"context"
	"slices"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// SupportedGatekeepers is how many gatekeepers this version of the network runs with: the MasterKey has one holder
// until distributed key generation, which gives more of them shares of it.
const SupportedGatekeepers = 1

// NameGatekeepers decides who the gatekeepers are, after the delay that the parameters set, and returns from which
// height on. Each must be an active worker of the confidence that policy asks of gatekeepers, in no cluster. Since a
// registration names an earlier block, none can be named in the first. While a MasterKey is in force its holder stays.
func (k *Keeper) NameGatekeepers(ctx context.Context, members []sr25519.PublicKey) (uint64, error) {
	if len(members) != SupportedGatekeepers {
		return 0, errorsmod.Wrapf(types.ErrGatekeeper, "%d are named, this version runs with %d",
			len(members), SupportedGatekeepers)
	}
	for _, pk := range members {
		if err := k.checkGatekeeper(ctx, pk); err != nil {
			return 0, err
		}
	}
	master, found, err := k.MasterKey(ctx)
	if err != nil {
		return 0, err
	}
	if found && !slices.Equal(master.Holders, members) {
		return 0, errorsmod.Wrap(types.ErrGatekeeper, "the MasterKey's holder cannot be changed by this version")
	}
	var s settings
	if _, err := k.load(ctx, keySettings, &s); err != nil {
		return 0, err
	}
	list := wire.Gatekeepers{Since: height(ctx) + s.Delay, Members: members}
	if err := k.save(ctx, keyPendingGatekeepers, &list); err != nil {
		return 0, err
	}
	event := &types.EventGatekeepers{Since: list.Since}
	for _, pk := range members {
		event.Identities = append(event.Identities, pk.String())
	}
	if err := k.emit(ctx, event); err != nil {
		return 0, err
	}
	return list.Since, k.activateGatekeepers(ctx, height(ctx))
}

// checkGatekeeper checks that a worker may become a gatekeeper.
func (k *Keeper) checkGatekeeper(ctx context.Context, pk sr25519.PublicKey) error {
	w, err := k.worker(ctx, pk)
	if err != nil {
		return err
	}
	if w.Status != wire.WorkerActive {
		return errorsmod.Wrapf(types.ErrInactive, "%s is %s", pk, w.Status)
	}
	if len(w.Clusters) > 0 {
		return errorsmod.Wrapf(types.ErrGatekeeper, "%s is in a cluster", pk)
	}
	return k.checkLevel(ctx, w.Confidence)
}

func (k *Keeper) checkLevel(ctx context.Context, level uint8) error {
	trust, err := k.Trust(ctx)
	if err != nil {
		return err
	}
	if !tee.ConfidenceAtLeast(level, trust.GatekeeperConfidence) {
		return errorsmod.Wrapf(types.ErrGatekeeper, "confidence level %d, policy asks %d", level, trust.GatekeeperConfidence)
	}
	return nil
}

// keepsGate refuses a registration by which a gatekeeper would fall below the level that policy asks of it.
func (k *Keeper) keepsGate(ctx context.Context, pk sr25519.PublicKey, level uint8) error {
	gate, err := k.isGatekeeper(ctx, pk)
	if err != nil || !gate {
		return err
	}
	return k.checkLevel(ctx, level)
}

// isGatekeeper reports whether a worker is a gatekeeper, or decided to become one.
func (k *Keeper) isGatekeeper(ctx context.Context, pk sr25519.PublicKey) (bool, error) {
	list, err := k.Gatekeepers(ctx)
	if err != nil || list.Has(pk) {
		return err == nil, err
	}
	var pending wire.Gatekeepers
	_, err = k.load(ctx, keyPendingGatekeepers, &pending)
	return pending.Has(pk), err
}

// activateGatekeepers puts a decided list in force once its height is reached. Gatekeepers publish no endpoint, so
// those that the workers had are withdrawn.
func (k *Keeper) activateGatekeepers(ctx context.Context, now uint64) error {
	var list wire.Gatekeepers
	found, err := k.load(ctx, keyPendingGatekeepers, &list)
	if err != nil || !found || list.Since > now {
		return err
	}
	for _, pk := range list.Members {
		w, err := k.worker(ctx, pk)
		if err != nil {
			return err
		}
		w.Info.Endpoints, w.Info.PeerURLs = nil, nil
		if err := k.saveWorker(ctx, &w); err != nil {
			return err
		}
	}
	if err := k.save(ctx, wire.KeyGatekeepers().Key, &list); err != nil {
		return err
	}
	return k.store.OpenKVStore(ctx).Delete([]byte(keyPendingGatekeepers))
}

// SetMasterKey records the public MasterKey that the gatekeeper announces. The first announcement stands: the same one
// again changes nothing, another is refused.
func (k *Keeper) SetMasterKey(ctx context.Context, from wire.WorkerLife, r wire.MasterKeyReport) error {
	if _, err := k.living(ctx, from); err != nil {
		return err
	}
	list, err := k.Gatekeepers(ctx)
	if err != nil {
		return err
	}
	if !list.Has(from.Identity) {
		return errorsmod.Wrap(types.ErrUnauthorized, "only a gatekeeper announces the MasterKey")
	}
	if len(list.Members) != SupportedGatekeepers || r.Epoch != 0 {
		return errorsmod.Wrap(types.ErrMasterKey, "one gatekeeper announces it, in epoch 0")
	}
	record, found, err := k.MasterKey(ctx)
	if err != nil {
		return err
	}
	if found {
		if record.Epoch == r.Epoch && record.Key == r.Key {
			return nil
		}
		return errorsmod.Wrap(types.ErrMasterKey, "another one is announced")
	}
	record = wire.MasterKeyRecord{
		Epoch: r.Epoch, Threshold: SupportedGatekeepers, Key: r.Key, Holders: list.Members, Since: height(ctx),
	}
	if err := k.save(ctx, wire.KeyMasterKey().Key, &record); err != nil {
		return err
	}
	return k.emit(ctx, &types.EventMasterKey{Key: r.Key.String(), Epoch: r.Epoch})
}
