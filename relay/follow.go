package relay

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

const (
	maxRounds  = 64 // of requests at one header, before the next block is looked at
	maxRetries = 4  // after the enclave has moved on under another relay's hand
	maxBisect  = 64 // pending headers; heights are below 2^63
)

// view is what was brought at one header.
type view struct {
	header  uint64
	proven  map[wire.RecordKey]bool
	heads   map[wire.Topic]wire.Head
	stalled map[wire.Topic]uint64 // topics whose messages the enclave does not take now, and where it stands
}

func (v *view) at(header uint64) {
	if v.header != header || v.proven == nil {
		*v = view{header, map[wire.RecordKey]bool{}, map[wire.Topic]wire.Head{}, map[wire.Topic]uint64{}}
	}
}

// follow brings the enclave to the header at a height, with everything that it wants there.
func (s *session) follow(ctx context.Context, height uint64) error {
	if err := s.refresh(ctx); err != nil {
		return err
	}
	if s.status.Role == roleHandedOver {
		return nil // its identity is another release's, whose own relay follows
	}
	if err := s.bringRoot(ctx); err != nil {
		return err
	}
	retries := 0
	for range maxRounds {
		if s.status.Height > height || s.status.Trusted > height {
			return nil // another relay was faster, or this node lags: its next block will do
		}
		request, took, err := s.gather(ctx, height)
		if err != nil {
			return err
		}
		if request == nil {
			return nil
		}
		err = s.advance(ctx, request)
		switch {
		case connect.CodeOf(err) == connect.CodeOutOfRange:
			if err := s.bisect(ctx, height); err != nil {
				return err
			}
		case connect.CodeOf(err) == connect.CodeAborted && retries < maxRetries:
			retries++
			if err := s.refresh(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			s.noteStalls(took)
		}
	}
	return nil
}

// refresh asks the enclave where it stands.
func (s *session) refresh(ctx context.Context) error {
	r, err := s.enclave.Status(ctx, connect.NewRequest(&pb.StatusRequest{}))
	if err != nil {
		return atEnclave("status", err)
	}
	s.setStatus(r.Msg)
	return nil
}

// setStatus takes a status; an enclave that was started anew knows nothing of what was brought.
func (s *session) setStatus(st *pb.StatusResponse) {
	if s.status != nil && (string(s.status.Incarnation) != string(st.Incarnation) || st.Height != s.status.Height) {
		s.view = view{}
	}
	s.status = st
}

func (s *session) advance(ctx context.Context, request *pb.AdvanceRequest) error {
	r, err := s.enclave.Advance(ctx, connect.NewRequest(request))
	if err != nil {
		s.view = view{} // nobody knows how much of it was taken
		return atEnclave("advance", err)
	}
	proven, header := s.view, s.view.header
	s.setStatus(r.Msg.Status)
	if s.status.Height == header {
		s.view = proven
	}
	s.metrics.brought(request)
	return nil
}

// bringRoot brings the block at the trust root, which only its hash makes trusted.
func (s *session) bringRoot(ctx context.Context) error {
	if !s.status.NeedsRoot {
		return nil
	}
	block, err := s.chain.LightBlock(ctx, s.status.Trusted)
	if err != nil {
		return fmt.Errorf("trust root: %w", err)
	}
	return s.advance(ctx, &pb.AdvanceRequest{LightBlocks: [][]byte{block}})
}

// bisect brings headers between the trusted one and a height until the enclave accepts that: each time it cannot skip
// so far, the one in the middle comes first.
func (s *session) bisect(ctx context.Context, height uint64) error {
	pending := []uint64{height}
	for len(pending) > 0 {
		target := pending[len(pending)-1]
		if target <= s.status.Trusted {
			pending = pending[:len(pending)-1]
			continue
		}
		block, err := s.chain.LightBlock(ctx, target)
		if err != nil {
			return err
		}
		err = s.advance(ctx, &pb.AdvanceRequest{LightBlocks: [][]byte{block}})
		if err == nil {
			pending = pending[:len(pending)-1]
			continue
		}
		middle := s.status.Trusted + (target-s.status.Trusted)/2
		if connect.CodeOf(err) != connect.CodeOutOfRange || middle <= s.status.Trusted || len(pending) >= maxBisect {
			return err
		}
		pending = append(pending, middle)
	}
	return nil
}

// noteStalls remembers the topics of which the enclave was given messages and took none: it waits for a key, say. They
// are brought again at the next header.
func (s *session) noteStalls(took map[wire.Topic]uint64) {
	for _, p := range s.status.Topics {
		topic, err := parseTopic(p.Topic)
		if err != nil {
			continue
		}
		if from, given := took[topic]; given && from == p.Count {
			s.view.stalled[topic] = p.Count
		}
	}
}

var errTopic = errors.New("enclave follows a topic that this relay does not know")
