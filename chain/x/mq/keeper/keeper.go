// Package keeper is the state machine of x/mq: it takes commands from accounts and signed messages from enclaves into
// topics, and answers queries about them. The rules are those of chain/queue; this package gives them a store, a block
// and roles.
//
// Make a Keeper with [NewKeeper], then connect it with [Keeper.SetClusters] and [Keeper.SetActHandler] before the first
// block: clusters and acts live in modules that themselves need [Keeper.Append].
package keeper

import (
	"context"
	"encoding/hex"

	corestore "cosmossdk.io/core/store"
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// Keeper is the state machine of x/mq.
type Keeper struct {
	store    corestore.KVStoreService
	registry types.RegistryKeeper
	bank     types.BankKeeper
	clusters types.ClusterKeeper
	handlers map[wire.ActKind]types.ActHandler
	feesTo   string
}

// NewKeeper returns a keeper over its store. Prices of gas go to the module account feeCollector.
func NewKeeper(
	store corestore.KVStoreService, registry types.RegistryKeeper, bank types.BankKeeper, feeCollector string,
) *Keeper {
	return &Keeper{
		store:    store,
		registry: registry,
		bank:     bank,
		handlers: make(map[wire.ActKind]types.ActHandler),
		feesTo:   feeCollector,
	}
}

// SetClusters connects the module that knows which clusters exist.
func (k *Keeper) SetClusters(c types.ClusterKeeper) { k.clusters = c }

// SetActHandler gives acts of the named kinds to a handler. Posts are handled by the keeper itself.
func (k *Keeper) SetActHandler(h types.ActHandler, kinds ...wire.ActKind) {
	for _, kind := range kinds {
		k.handlers[kind] = h
	}
}

// Append adds a body to a topic at the current block and returns its index there. Whether the sender may is the
// caller's to know. It returns ErrMalformed where the body is over a bound.
func (k *Keeper) Append(
	ctx context.Context, sender wire.Sender, topic wire.Topic, body *wire.Body,
) (uint64, error) {
	payload, err := scale.Marshal(body)
	if err != nil {
		return 0, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	return k.append(ctx, sender, topic, payload)
}

func (k *Keeper) append(ctx context.Context, sender wire.Sender, topic wire.Topic, payload []byte) (uint64, error) {
	params, err := k.registry.NetworkParams(ctx)
	if err != nil {
		return 0, err
	}
	block := sdk.UnwrapSDKContext(ctx)
	m := wire.Message{
		Height:  uint64(block.BlockHeight()),
		Time:    uint64(block.BlockTime().UnixMilli()),
		Sender:  sender,
		Topic:   topic,
		Payload: payload,
	}
	added, err := k.queue(ctx).Append(&m, params.BodyRetention)
	if err != nil {
		return 0, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	from, err := senderText(sender)
	if err != nil {
		return 0, err
	}
	return added.Index, block.EventManager().EmitTypedEvent(&types.EventMessage{
		Topic:  queue.TopicText(topic),
		Index:  added.Index,
		Sender: from,
		Digest: added.Digest.String(),
	})
}

// Head returns the running head of a topic.
func (k *Keeper) Head(ctx context.Context, topic wire.Topic) (wire.Head, error) {
	return k.queue(ctx).Head(topic)
}

// Cover takes note that a finalized checkpoint covers the first count messages of a cluster's topic.
func (k *Keeper) Cover(ctx context.Context, cluster wire.ClusterID, count uint64) error {
	return k.queue(ctx).Cover(cluster, count, uint64(sdk.UnwrapSDKContext(ctx).BlockHeight()))
}

// EndBlock drops bodies that need no longer be kept, a bounded number of them.
func (k *Keeper) EndBlock(ctx context.Context) error {
	params, err := k.registry.NetworkParams(ctx)
	if err != nil {
		return err
	}
	block := sdk.UnwrapSDKContext(ctx)
	pruned, err := k.queue(ctx).Prune(uint64(block.BlockHeight()), params.BodyRetention, types.PruneBudget)
	if err != nil {
		return err
	}
	for _, p := range pruned {
		event := &types.EventPruned{Topic: queue.TopicText(p.Topic), Lowest: p.Lowest}
		if err := block.EventManager().EmitTypedEvent(event); err != nil {
			return err
		}
	}
	return nil
}

// senderText is how events name a sender.
func senderText(s wire.Sender) (string, error) {
	switch s.Variant {
	case wire.SenderAccount:
		return registrytypes.AccountCodec().BytesToString(s.Account[:])
	case wire.SenderEnclave:
		return "0x" + hex.EncodeToString(s.Enclave.Bytes()), nil
	}
	return "chain", nil
}

// queue returns the rules over the module's store at the context's state.
func (k *Keeper) queue(ctx context.Context) queue.Queue {
	return queue.Over(kv{k.store.OpenKVStore(ctx)})
}

// kv is a module's store as chain/queue wants it.
type kv struct {
	corestore.KVStore
}

// Ascend visits keys in order; see queue.Store. The store's iterators call their own end an error, so there is no error
// of theirs to look at afterwards.
func (s kv) Ascend(start, end []byte, visit func(key []byte) bool) (err error) {
	it, err := s.Iterator(start, end)
	if err != nil {
		return err
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	for ; it.Valid(); it.Next() {
		if !visit(it.Key()) {
			break
		}
	}
	return nil
}
