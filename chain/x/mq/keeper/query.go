package keeper

import (
	"context"
	"errors"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// queryServer answers the module's Query service.
type queryServer struct{ *Keeper }

// NewQueryServer returns the module's Query service.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{k} }

// Head returns a topic's running head.
func (s queryServer) Head(ctx context.Context, r *types.QueryHeadRequest) (*types.QueryHeadResponse, error) {
	topic, err := parseTopic(r.Topic)
	if err != nil {
		return nil, err
	}
	q := s.queue(ctx)
	head, err := q.Head(topic)
	if err != nil {
		return nil, err
	}
	lowest, err := q.Lowest(topic)
	if err != nil {
		return nil, err
	}
	return &types.QueryHeadResponse{Count: head.Count, Hash: head.Hash[:], Lowest: lowest}, nil
}

// Sequence returns how far an enclave's messages have been accepted.
func (s queryServer) Sequence(
	ctx context.Context, r *types.QuerySequenceRequest,
) (*types.QuerySequenceResponse, error) {
	var pk sr25519.PublicKey
	if err := pk.UnmarshalText([]byte(r.Identity)); err != nil {
		return nil, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	seq, err := s.queue(ctx).Sequence(pk)
	if err != nil {
		return nil, err
	}
	return &types.QuerySequenceResponse{Incarnation: seq.Incarnation[:], Next: seq.Next}, nil
}

// Messages returns bodies and, for those that follow, digests.
func (s queryServer) Messages(
	ctx context.Context, r *types.QueryMessagesRequest,
) (*types.QueryMessagesResponse, error) {
	topic, err := parseTopic(r.Topic)
	if err != nil {
		return nil, err
	}
	page, err := s.queue(ctx).Page(topic, r.From, r.Until, r.MaxBytes)
	switch {
	case errors.Is(err, queue.ErrPruned):
		return nil, errorsmod.Wrap(types.ErrPruned, err.Error())
	case errors.Is(err, queue.ErrBeyond):
		return nil, errorsmod.Wrap(types.ErrRange, err.Error())
	case err != nil:
		return nil, err
	}
	digests := make([]byte, 0, 32*len(page.Digests))
	for _, d := range page.Digests {
		digests = append(digests, d[:]...)
	}
	return &types.QueryMessagesResponse{
		Messages: page.Messages,
		Digests:  digests,
		Count:    page.Head.Count,
		Hash:     page.Head.Hash[:],
		Lowest:   page.Lowest,
	}, nil
}

func parseTopic(text string) (wire.Topic, error) {
	topic, err := queue.ParseTopic(text)
	if err != nil {
		return topic, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	return topic, nil
}
