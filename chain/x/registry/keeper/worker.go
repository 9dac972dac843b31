package keeper

import (
	"context"
	"slices"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// HandleAct carries out an enclave's act whose signature, place and right to act x/mq has checked. It takes the
// rotation of EcdhKeys and the announcement of the MasterKey, and returns ErrAct for others.
func (k *Keeper) HandleAct(ctx context.Context, from wire.WorkerLife, act *wire.Act) error {
	switch {
	case act.Kind == wire.ActRotateEcdh && act.RotateEcdh != nil:
		return k.RotateEcdh(ctx, from, *act.RotateEcdh)
	case act.Kind == wire.ActMasterKey && act.MasterKey != nil:
		return k.SetMasterKey(ctx, from, *act.MasterKey)
	}
	return types.ErrAct
}

// living returns the record of a worker that is active in the given incarnation.
func (k *Keeper) living(ctx context.Context, life wire.WorkerLife) (wire.WorkerState, error) {
	w, err := k.worker(ctx, life.Identity)
	if err != nil {
		return w, err
	}
	if w.Incarnation != life.Incarnation {
		return w, errorsmod.Wrap(types.ErrIncarnation, "it is not the newest")
	}
	if w.Status != wire.WorkerActive {
		return w, errorsmod.Wrap(types.ErrInactive, w.Status.String())
	}
	return w, nil
}

// RotateEcdh makes a new EcdhKey the worker's current one from this block on, with the next epoch.
func (k *Keeper) RotateEcdh(ctx context.Context, from wire.WorkerLife, r wire.RotateEcdh) error {
	w, err := k.living(ctx, from)
	if err != nil {
		return err
	}
	if r.Key.IsZero() {
		return errorsmod.Wrap(types.ErrEcdhKey, "there is none")
	}
	if uint64(r.Epoch) != uint64(w.Ecdh.Epoch)+1 {
		return errorsmod.Wrapf(types.ErrEcdhKey, "epoch %d does not follow %d", r.Epoch, w.Ecdh.Epoch)
	}
	if err := replaceEcdh(&w, r.Key, height(ctx)); err != nil {
		return err
	}
	if err := k.saveWorker(ctx, &w); err != nil {
		return err
	}
	return k.emit(ctx, &types.EventEcdhRotated{
		Identity: w.Identity.String(), Key: w.Ecdh.Key.String(), Epoch: w.Ecdh.Epoch,
	})
}

// Suspend takes a worker's right to act; nothing that it does gives it back. Suspending twice changes nothing.
func (k *Keeper) Suspend(ctx context.Context, pk sr25519.PublicKey) error {
	w, err := k.worker(ctx, pk)
	if err != nil || w.Status == wire.WorkerSuspended {
		return err
	}
	if err := k.clearDeadline(ctx, pk); err != nil {
		return err
	}
	if w.Status == wire.WorkerActive {
		return k.lose(ctx, &w, wire.WorkerSuspended)
	}
	w.Status = wire.WorkerSuspended
	if err := k.saveWorker(ctx, &w); err != nil {
		return err
	}
	return k.emit(ctx, &types.EventWorkerStatus{Identity: w.Identity.String(), Status: w.Status.String()})
}

// JoinCluster adds a cluster to an active worker's record. Gatekeepers, named or about to be, take no contracts.
func (k *Keeper) JoinCluster(ctx context.Context, pk sr25519.PublicKey, id wire.ClusterID) error {
	w, err := k.worker(ctx, pk)
	if err != nil {
		return err
	}
	if w.Status != wire.WorkerActive {
		return errorsmod.Wrapf(types.ErrInactive, "%s is %s", pk, w.Status)
	}
	gate, err := k.isGatekeeper(ctx, pk)
	if err != nil {
		return err
	}
	if gate {
		return errorsmod.Wrap(types.ErrGatekeeper, "it takes no contracts")
	}
	if slices.Contains(w.Clusters, id) {
		return errorsmod.Wrapf(types.ErrMember, "%s is in the cluster", pk)
	}
	if len(w.Clusters) >= wire.MaxWorkerClusters {
		return errorsmod.Wrapf(types.ErrMember, "%s is in %d clusters", pk, len(w.Clusters))
	}
	w.Clusters = append(w.Clusters, id)
	return k.saveWorker(ctx, &w)
}

// LeaveCluster takes a cluster out of a worker's record, whatever the worker's status.
func (k *Keeper) LeaveCluster(ctx context.Context, pk sr25519.PublicKey, id wire.ClusterID) error {
	w, err := k.worker(ctx, pk)
	if err != nil {
		return err
	}
	i := slices.Index(w.Clusters, id)
	if i < 0 {
		return errorsmod.Wrapf(types.ErrMember, "%s is not in the cluster", pk)
	}
	w.Clusters = slices.Delete(w.Clusters, i, i+1)
	return k.saveWorker(ctx, &w)
}

// SetEndpoints replaces the addresses of an operator's worker.
func (k *Keeper) SetEndpoints(
	ctx context.Context, operator wire.Account, pk sr25519.PublicKey, endpoints, peers []string,
) error {
	w, err := k.worker(ctx, pk)
	if err != nil {
		return err
	}
	if w.Operator != operator {
		return errorsmod.Wrap(types.ErrUnauthorized, "another account is the worker's operator")
	}
	for _, list := range [][]string{endpoints, peers} {
		if err := types.CheckEndpoints(list); err != nil {
			return err
		}
	}
	gate, err := k.isGatekeeper(ctx, pk)
	if err != nil {
		return err
	}
	if gate && len(endpoints)+len(peers) > 0 {
		return errorsmod.Wrap(types.ErrGatekeeper, "it publishes no endpoint")
	}
	w.Info.Endpoints, w.Info.PeerURLs = endpoints, peers
	if err := k.saveWorker(ctx, &w); err != nil {
		return err
	}
	return k.emit(ctx, &types.EventEndpoints{Identity: pk.String()})
}
