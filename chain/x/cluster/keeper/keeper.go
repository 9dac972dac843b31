// Package keeper is the state machine of x/cluster: it makes clusters, changes their members, fixes their public keys,
// registers contracts, sets checkpoint marks, finalizes what members report, and holds the escrow.
//
// Make a Keeper with [NewKeeper]. It is the act handler of KeyReport, Contract and Checkpoint ([Keeper.HandleAct]), the
// registry's hook ([Keeper.WorkerLost], [Keeper.WorkerRegistered]), and what x/mq asks about clusters.
//
// The records that are proven (cluster, finalized, contract) are wire's; the module's own are in records.go, their keys
// in keys.go. Whatever happens at a later height is an entry among those due (schedule.go), so that a block costs what
// is due in it, however many clusters there are.
package keeper

import (
	"context"

	corestore "cosmossdk.io/core/store"
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// Keeper is the state machine of x/cluster.
type Keeper struct {
	store    corestore.KVStoreService
	registry types.RegistryKeeper
	queue    types.QueueKeeper
	bank     types.BankKeeper
}

// NewKeeper returns a keeper over its store.
func NewKeeper(
	store corestore.KVStoreService, registry types.RegistryKeeper, queue types.QueueKeeper, bank types.BankKeeper,
) *Keeper {
	return &Keeper{store: store, registry: registry, queue: queue, bank: bank}
}

// HasCluster reports whether a cluster exists.
func (k *Keeper) HasCluster(ctx context.Context, id wire.ClusterID) (bool, error) {
	return k.store.OpenKVStore(ctx).Has([]byte(wire.KeyCluster(id).Key))
}

// Cluster returns a cluster. It returns ErrNoCluster.
func (k *Keeper) Cluster(ctx context.Context, id wire.ClusterID) (*wire.Cluster, error) {
	var c wire.Cluster
	found, err := k.load(ctx, wire.KeyCluster(id).Key, &c)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errorsmod.Wrap(types.ErrNoCluster, id.String())
	}
	return &c, nil
}

func (k *Keeper) saveCluster(ctx context.Context, c *wire.Cluster) error {
	return k.save(ctx, wire.KeyCluster(c.ID).Key, c)
}

// HandleAct carries out an act of an enclave; see x/mq's ActHandler.
func (k *Keeper) HandleAct(ctx context.Context, from wire.WorkerLife, act *wire.Act) error {
	switch act.Kind {
	case wire.ActKeyReport:
		return k.reportKey(ctx, from.Identity, act.KeyReport)
	case wire.ActContract:
		return k.reportContract(ctx, from.Identity, act.Contract)
	case wire.ActCheckpoint:
		return k.reportCheckpoint(ctx, from.Identity, act.Checkpoint)
	}
	return errorsmod.Wrapf(types.ErrAct, "kind %d", act.Kind)
}

// post appends a message of the chain's to a cluster's topic.
func (k *Keeper) post(ctx context.Context, id wire.ClusterID, body *wire.Body) (uint64, error) {
	return k.queue.Append(ctx, wire.Sender{Variant: wire.SenderChain}, wire.ClusterTopic(id), body)
}

// load reads a record and reports whether it is there.
func (k *Keeper) load(ctx context.Context, key string, r scale.Record) (bool, error) {
	raw, err := k.store.OpenKVStore(ctx).Get([]byte(key))
	if err != nil || raw == nil {
		return false, err
	}
	if err := scale.Unmarshal(raw, r); err != nil {
		return false, errorsmod.Wrapf(types.ErrCorrupt, "key %x: %v", key, err)
	}
	return true, nil
}

func (k *Keeper) save(ctx context.Context, key string, r scale.Record) error {
	raw, err := scale.Marshal(r)
	if err != nil {
		return errorsmod.Wrapf(types.ErrMalformed, "key %x: %v", key, err)
	}
	return k.store.OpenKVStore(ctx).Set([]byte(key), raw)
}

func (k *Keeper) delete(ctx context.Context, key string) error {
	return k.store.OpenKVStore(ctx).Delete([]byte(key))
}

// ascend visits the entries whose keys begin with prefix, in order, until visit returns false. visit does not change
// the store. The store's iterators call their own end an error, so there is no error of theirs to look at afterwards.
func (k *Keeper) ascend(
	ctx context.Context, prefix string, visit func(rest string, value []byte) (bool, error),
) (err error) {
	it, err := k.store.OpenKVStore(ctx).Iterator([]byte(prefix), prefixEnd(prefix))
	if err != nil {
		return err
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	for ; it.Valid(); it.Next() {
		more, err := visit(string(it.Key()[len(prefix):]), it.Value())
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func height(ctx context.Context) uint64 { return uint64(sdk.UnwrapSDKContext(ctx).BlockHeight()) }

func emit(ctx context.Context, event proto.Message) error {
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event)
}
