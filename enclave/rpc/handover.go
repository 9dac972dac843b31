package rpc

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/enclave/handover"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// Custody moves the identity's keys between releases; *handover.Custody is one.
type Custody interface {
	Prepare(ctx context.Context, operator wire.Account) (handover.Request, error)
	Handed() (offer []byte, err error)
	Accept(ctx context.Context, offer []byte) error
}

// PrepareHandover makes the new release's request.
func (r *relayDoor) PrepareHandover(
	ctx context.Context, req *connect.Request[pb.PrepareHandoverRequest],
) (*connect.Response[pb.PrepareHandoverResponse], error) {
	operator, err := account(req.Msg.Operator)
	if err != nil {
		return nil, err
	}
	q, err := r.custody.Prepare(ctx, operator)
	if err != nil {
		return nil, handoverError(err)
	}
	return connect.NewResponse(&pb.PrepareHandoverResponse{Request: q.Request, Evidence: q.Evidence}), nil
}

// Handover returns the old release's offer.
func (r *relayDoor) Handover(
	context.Context, *connect.Request[pb.HandoverRequest],
) (*connect.Response[pb.HandoverResponse], error) {
	offer, err := r.custody.Handed()
	if err != nil {
		return nil, handoverError(err)
	}
	return connect.NewResponse(&pb.HandoverResponse{Offer: offer}), nil
}

// AcceptHandover takes an offer's keys. What was believed of the offer is carried through when the relay goes away.
func (r *relayDoor) AcceptHandover(
	ctx context.Context, req *connect.Request[pb.AcceptHandoverRequest],
) (*connect.Response[pb.AcceptHandoverResponse], error) {
	if len(req.Msg.Offer) > keys.MaxOffer {
		return nil, invalid(fmt.Errorf("offer has %d bytes, at most %d", len(req.Msg.Offer), keys.MaxOffer))
	}
	if err := r.custody.Accept(context.WithoutCancel(ctx), req.Msg.Offer); err != nil {
		return nil, handoverError(err)
	}
	return connect.NewResponse(&pb.AcceptHandoverResponse{}), nil
}

// handoverError tells the one who drives a handover whether to ask again: Unavailable, or not.
func handoverError(err error) error {
	switch {
	case errors.Is(err, handover.ErrNotReady):
		return connect.NewError(connect.CodeUnavailable, err)
	case errors.Is(err, keys.ErrNotHandedOver):
		return connect.NewError(connect.CodeNotFound, err)
	case errors.Is(err, keys.ErrOffer):
		return invalid(err)
	}
	return connect.NewError(connect.CodeFailedPrecondition, err)
}

func account(b []byte) (wire.Account, error) {
	var a wire.Account
	if len(b) != len(a) {
		return a, invalid(fmt.Errorf("operator has %d bytes, want %d", len(b), len(a)))
	}
	copy(a[:], b)
	return a, nil
}
