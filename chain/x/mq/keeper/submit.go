package keeper

import (
	"context"
	"errors"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Submit delivers signed messages of enclaves.
func (s msgServer) Submit(ctx context.Context, m *types.MsgSubmit) (*types.MsgSubmitResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	if _, err := parseAccount(m.Relayer); err != nil {
		return nil, err
	}
	uid, err := s.registry.ChainUID(ctx)
	if err != nil {
		return nil, err
	}
	d := delivery{keeper: s.Keeper, uid: uid, acted: make(map[sr25519.PublicKey]bool)}
	outcomes := make([]types.SubmitOutcome, 0, len(m.Messages))
	for i, raw := range m.Messages {
		outcome, err := d.deliver(ctx, raw)
		if err != nil {
			return nil, errorsmod.Wrapf(err, "message %d", i)
		}
		outcomes = append(outcomes, outcome)
	}
	return &types.MsgSubmitResponse{Outcomes: outcomes}, nil
}

// delivery is one transaction's messages on their way.
type delivery struct {
	keeper *Keeper
	uid    wire.ChainUID
	acted  map[sr25519.PublicKey]bool // whose messages this transaction has accepted
}

// deliver judges one message and carries out its act. An error fails the whole transaction, so it is kept for messages
// that should not have been sent in this order or at all.
func (d *delivery) deliver(ctx context.Context, raw []byte) (types.SubmitOutcome, error) {
	var m wire.SignedMessage
	if err := scale.Unmarshal(raw, &m); err != nil {
		return 0, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(types.VerifyGas, "signature of an enclave")
	if err := m.Verify(d.uid); err != nil {
		return 0, errorsmod.Wrap(types.ErrSignature, err.Error())
	}
	worker, err := d.sender(ctx, m.Message.Identity)
	if errors.Is(err, types.ErrInactive) && d.acted[m.Message.Identity] {
		// A message before this one has cost its sender the right to act. Failing now would undo that very judgment.
		return types.OutcomeIgnored, nil
	}
	if err != nil {
		return 0, err
	}
	fresh, err := d.keeper.queue(ctx).Accept(&m.Message, worker.Incarnation)
	switch {
	case errors.Is(err, queue.ErrIncarnation):
		return 0, errorsmod.Wrap(types.ErrIncarnation, err.Error())
	case errors.Is(err, queue.ErrGap):
		return 0, errorsmod.Wrap(types.ErrSequenceGap, err.Error())
	case err != nil:
		return 0, err
	case !fresh:
		return types.OutcomeDuplicate, nil
	}
	d.acted[m.Message.Identity] = true
	return d.keeper.act(ctx, &m.Message)
}

// sender returns an identity that may act.
func (d *delivery) sender(ctx context.Context, pk sr25519.PublicKey) (wire.WorkerState, error) {
	worker, registered, err := d.keeper.registry.Worker(ctx, pk)
	if err != nil {
		return worker, err
	}
	if !registered {
		return worker, errorsmod.Wrap(types.ErrNotRegistered, pk.String())
	}
	if worker.Status != wire.WorkerActive {
		return worker, errorsmod.Wrapf(types.ErrInactive, "%s is %s", pk, worker.Status)
	}
	return worker, nil
}

// act carries out an accepted message's act. A refusal undoes what the act wrote and nothing else: were the sequence
// given back too, one act that came too late would block its enclave for ever.
func (k *Keeper) act(ctx context.Context, m *wire.EnclaveMessage) (types.SubmitOutcome, error) {
	outer := sdk.UnwrapSDKContext(ctx)
	inner, write := outer.CacheContext()
	refusal := k.handle(inner, m)
	if refusal == nil {
		write()
		return types.OutcomeAccepted, nil
	}
	return types.OutcomeRefused, outer.EventManager().EmitTypedEvent(&types.EventActRefused{
		Identity:    m.Identity.String(),
		Incarnation: m.Incarnation.String(),
		Sequence:    m.Sequence,
		Act:         uint32(m.Act.Kind),
		Reason:      refusal.Error(),
	})
}

func (k *Keeper) handle(ctx context.Context, m *wire.EnclaveMessage) error {
	if m.Act.Kind == wire.ActPost {
		return k.post(ctx, m.Identity, m.Act.Post)
	}
	h, ok := k.handlers[m.Act.Kind]
	if !ok {
		return errorsmod.Wrapf(types.ErrNoHandler, "kind %d", m.Act.Kind)
	}
	return h.HandleAct(ctx, wire.WorkerLife{Identity: m.Identity, Incarnation: m.Incarnation}, &m.Act)
}

// post appends what an enclave posts to an entity or to the gatekeepers.
func (k *Keeper) post(ctx context.Context, from sr25519.PublicKey, p *wire.Post) error {
	gatekeepers, err := k.registry.Gatekeepers(ctx)
	if err != nil {
		return err
	}
	if err := queue.CheckPost(gatekeepers.Has(from), p); err != nil {
		return errorsmod.Wrap(types.ErrPost, err.Error())
	}
	_, err = k.append(ctx, wire.Sender{Variant: wire.SenderEnclave, Enclave: from}, p.Topic, p.Payload)
	return err
}
