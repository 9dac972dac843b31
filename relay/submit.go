package relay

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"
	sdk "github.com/cosmos/cosmos-sdk/types"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// Blocks after which what had no effect is sent again.
const (
	registerAgain = 8
	publishAgain  = 8
	submitAgain   = 6
)

// Bounds of one transaction, below the chain's.
const (
	submitMessages = 64
	submitBytes    = 1 << 20
)

// Gas of transactions. It is fixed: the state that a simulation would run on lacks the header that the registration
// names, and what a submission triggers (a fixed key, a finalized mark) depends on who else submits in the same block.
const (
	gasTx         = 200_000
	gasPerMessage = 400_000 // an act that completes a quorum pays for what follows from it
	gasPerByte    = 60      // the transaction's own bytes, and the same bytes stored
)

// once is what is done once and again only when it had no effect.
type once struct {
	self         *wire.WorkerState // the enclave's record, as last proven by this relay's nodes
	registered   string            // incarnation
	registeredAt uint64
	publishedAt  uint64
	hash         []byte // of the last registration
}

// outbox is how far the enclave's messages were sent.
type outbox struct {
	incarnation string
	next        uint64 // sequence that is sent next
	first       uint64 // the enclave's first undelivered one, when it was looked at last
	movedAt     uint64 // height at which first moved, or something was sent
	hash        []byte // of the last transaction
}

// publish tells the chain where the worker is reached, when its record says otherwise.
func (s *session) publish(ctx context.Context, height uint64) error {
	st, o := s.status, &s.once
	if st.Role != "worker" || o.self == nil || height < o.publishedAt+publishAgain && o.publishedAt != 0 {
		return nil
	}
	if slices.Equal(o.self.Info.Endpoints, s.cfg.Endpoints) && slices.Equal(o.self.Info.PeerURLs, s.peerURLs) {
		return nil
	}
	msg := &registrytypes.MsgUpdateEndpoints{
		Operator: s.sender.Address(), Identity: st.Identity, Endpoints: s.cfg.Endpoints, PeerUrls: s.peerURLs,
	}
	hash, err := s.send(ctx, 0, msg)
	if err != nil {
		return fmt.Errorf("publish endpoints: %w", err)
	}
	o.publishedAt = height
	s.cfg.Log.Info("endpoints sent", "endpoints", s.cfg.Endpoints, "peers", s.peerURLs, "tx", short(hash))
	return nil
}

// submit sends what is in the outbox and was not sent yet. When the chain has accepted nothing for some blocks it sends
// all of it again; what the chain had taken is a duplicate there, without effect.
func (s *session) submit(ctx context.Context, height uint64) error {
	st, o := s.status, &s.outbox
	if o.incarnation != string(st.Incarnation) {
		*o = outbox{incarnation: string(st.Incarnation), next: st.OutboxFirst, first: st.OutboxFirst, movedAt: height}
	}
	if st.OutboxFirst != o.first {
		o.first, o.movedAt = st.OutboxFirst, height
	}
	o.next = max(o.next, st.OutboxFirst)
	if o.next > st.OutboxFirst && height >= o.movedAt+submitAgain {
		s.explain(ctx, "messages had no effect, sending again", o.hash)
		s.metrics.resubmissions.Add(1)
		o.next, o.movedAt = st.OutboxFirst, height
	}
	for o.next < st.OutboxNext {
		r, err := s.enclave.Outbox(ctx, connect.NewRequest(&pb.OutboxRequest{From: o.next}))
		if err != nil {
			return atEnclave("outbox", err)
		}
		if len(r.Msg.Messages) == 0 {
			return nil
		}
		n, err := s.submitPart(ctx, r.Msg.Messages)
		if err != nil {
			return err
		}
		if o.next == o.first {
			o.movedAt = height
		}
		o.next += uint64(n)
	}
	return nil
}

// submitPart sends the first messages in one transaction and returns how many.
func (s *session) submitPart(ctx context.Context, messages [][]byte) (int, error) {
	n, size := 0, 0
	for n < len(messages) && n < submitMessages && (n == 0 || size+len(messages[n]) <= submitBytes) {
		size += len(messages[n])
		n++
	}
	msg := &mqtypes.MsgSubmit{Relayer: s.sender.Address(), Messages: messages[:n]}
	hash, err := s.send(ctx, uint64(n)*gasPerMessage, msg)
	if err != nil {
		return 0, fmt.Errorf("submit: %w", err)
	}
	s.outbox.hash = hash
	s.metrics.submitted.Add(uint64(n))
	s.cfg.Log.Debug("messages sent", "count", n, "bytes", size, "tx", short(hash))
	return n, nil
}

func (s *session) send(ctx context.Context, gas uint64, msg sdk.Msg) ([]byte, error) {
	sized, ok := msg.(interface{ Size() int })
	if !ok {
		return nil, fmt.Errorf("%T has no size", msg)
	}
	return s.sender.Send(ctx, tx.Options{Gas: gasTx + gas + uint64(sized.Size())*gasPerByte}, msg)
}

// explain logs why a transaction had no effect, as far as the node knows.
func (s *session) explain(ctx context.Context, text string, hash []byte) {
	_, err := s.chain.Tx(ctx, hash)
	var refused *node.TxError
	switch {
	case len(hash) == 0:
		s.cfg.Log.Warn(text)
	case errors.As(err, &refused):
		s.cfg.Log.Warn(text, "tx", short(hash), "refused", refused.Log, "codespace", refused.Codespace, "code", refused.Code)
	case err != nil:
		s.cfg.Log.Warn(text, "tx", short(hash), "reason", err)
	default:
		s.cfg.Log.Warn(text, "tx", short(hash), "reason", "it is in a block and did not change what the enclave waits for")
	}
}

// short is the beginning of an id in hexadecimal, for logs.
func short(id []byte) string { return hex.EncodeToString(id[:min(8, len(id))]) }
