package relay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

// Bounds of one request to the enclave, below the enclave's own.
const (
	maxProofs    = 512
	maxBatches   = 8
	batchBytes   = 4 << 20
	maxDigests   = 1 << 17
	parallel     = 16 // queries to the node at a time
	digestLength = 32
)

// gather makes the next request for the header at a height: the light block, if the enclave is not there yet, the
// proofs of what it wants that were not brought at this header, and messages up to the proven heads. It is nil when
// there is nothing to bring. took names the topics with messages and the place where they begin.
func (s *session) gather(ctx context.Context, height uint64) (request *pb.AdvanceRequest, took map[wire.Topic]uint64, err error) {
	s.view.at(height)
	request = &pb.AdvanceRequest{}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	bring := s.status.Height < height
	if bring {
		group.Go(func() error {
			block, err := s.chain.LightBlock(gctx, height)
			request.LightBlocks = [][]byte{block}
			return err
		})
	}
	proofs := s.prove(gctx, group, height)
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for _, p := range proofs {
		if err := s.note(p); err != nil {
			return nil, nil, err
		}
		request.Proofs = append(request.Proofs, proofMessage(p, height))
	}
	took, err = s.gatherMessages(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	if !bring && len(request.Proofs) == 0 && len(request.Batches) == 0 {
		return nil, nil, nil
	}
	return request, took, nil
}

// firstProven is the first header against which a node gives proofs: of the state before it, whose height must be above
// 1 there.
const firstProven = 3

// prove fetches the proofs that are wanted and missing.
func (s *session) prove(ctx context.Context, group *errgroup.Group, height uint64) []*node.Proof {
	var proofs []*node.Proof
	if height < firstProven {
		return nil
	}
	for _, want := range s.status.Wants {
		key := wire.RecordKey{Store: want.Store, Key: string(want.Key)}
		if s.view.proven[key] || len(proofs) == maxProofs {
			continue
		}
		p := new(node.Proof)
		proofs = append(proofs, p)
		group.Go(func() (err error) {
			*p, err = s.chain.Prove(ctx, key, height-1)
			return err
		})
	}
	return proofs
}

func proofMessage(p *node.Proof, header uint64) *pb.Proof {
	return &pb.Proof{
		Record: &pb.Record{Store: p.Key.Store, Key: []byte(p.Key.Key)},
		Header: header, Value: p.Value, Absent: p.Absent, Ops: p.Ops,
	}
}

const headPrefix = "head/"

// note remembers what was proven, and what this relay itself learns from it: heads, and the enclave's own record. It
// takes the node's word; the enclave does not.
func (s *session) note(p *node.Proof) error {
	s.view.proven[p.Key] = true
	if p.Absent {
		return nil
	}
	if p.Key.Store == wire.StoreQueue && len(p.Key.Key) > len(headPrefix) && p.Key.Key[:len(headPrefix)] == headPrefix {
		topic, err := parseTopic([]byte(p.Key.Key[len(headPrefix):]))
		if err != nil {
			return err
		}
		var head wire.Head
		if err := scale.Unmarshal(p.Value, &head); err != nil {
			return fmt.Errorf("head of topic %x: %w", topic.Bytes(), err)
		}
		s.view.heads[topic] = head
		return nil
	}
	identity, err := sr25519.ParsePublicKey(s.status.Identity)
	if err != nil {
		return fmt.Errorf("enclave's identity: %w", err)
	}
	if p.Key != wire.KeyWorker(identity) {
		return nil
	}
	self := new(wire.WorkerState)
	if err := scale.Unmarshal(p.Value, self); err != nil {
		return fmt.Errorf("record of worker %s: %w", identity, err)
	}
	s.once.self = self
	return nil
}

func parseTopic(raw []byte) (wire.Topic, error) {
	var t wire.Topic
	if err := scale.Unmarshal(raw, &t); err != nil {
		return t, fmt.Errorf("%w: %w", errTopic, err)
	}
	return t, nil
}

// gatherMessages adds the messages that lie between the enclave's places and the heads proven at this header.
func (s *session) gatherMessages(ctx context.Context, request *pb.AdvanceRequest) (map[wire.Topic]uint64, error) {
	took := map[wire.Topic]uint64{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, p := range s.status.Topics {
		topic, err := parseTopic(p.Topic)
		if err != nil {
			return nil, err
		}
		head, known := s.view.heads[topic]
		if at, stalled := s.view.stalled[topic]; !known || head.Count <= p.Count || stalled && at == p.Count {
			continue
		}
		if len(took) == maxBatches {
			break
		}
		took[topic] = p.Count
		group.Go(func() error {
			b, err := s.batch(ctx, topic, p.Count, head.Count)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			request.Batches = append(request.Batches, b)
			return nil
		})
	}
	return took, group.Wait()
}

// batch fetches messages of a topic from a place on, as many as fit, and the digests of the rest before until.
func (s *session) batch(ctx context.Context, topic wire.Topic, from, until uint64) (*pb.Batch, error) {
	out := &pb.Batch{Topic: topic.Bytes(), From: from}
	page, err := s.page(ctx, topic, from, until, batchBytes)
	var refusal *node.QueryError
	if errors.As(err, &refusal) {
		lowest, lerr := s.lowest(ctx, topic)
		if lerr != nil || lowest <= from {
			return nil, errors.Join(err, lerr)
		}
		out.PrunedBelow = lowest // the bodies are gone; what follows from that is for the enclave to decide
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Messages, out.PrunedBelow = page.Messages, page.Lowest
	for {
		for d := page.Digests; len(d) >= digestLength; d = d[digestLength:] {
			out.Digests = append(out.Digests, d[:digestLength:digestLength])
		}
		next := from + uint64(len(out.Messages)+len(out.Digests))
		if next >= until {
			return out, nil
		}
		if len(out.Digests) > maxDigests {
			return nil, fmt.Errorf("topic %x: %d messages behind its head, more than an enclave follows at once",
				topic.Bytes(), until-from)
		}
		// A page holds a bounded number of digests: the next one begins with at least one message.
		if page, err = s.page(ctx, topic, next, until, 1); err != nil {
			return nil, err
		}
		if len(page.Messages) == 0 {
			return nil, fmt.Errorf("topic %x: node sent no message %d", topic.Bytes(), next)
		}
		for _, m := range page.Messages {
			digest := sha256.Sum256(m)
			out.Digests = append(out.Digests, digest[:])
		}
	}
}

func (s *session) page(ctx context.Context, topic wire.Topic, from, until, bytes uint64) (*mqtypes.QueryMessagesResponse, error) {
	request := &mqtypes.QueryMessagesRequest{
		Topic: hex.EncodeToString(topic.Bytes()), From: from, Until: until, MaxBytes: bytes,
	}
	var page mqtypes.QueryMessagesResponse
	err := s.chain.Query(ctx, "/phalanx.mq.v1.Query/Messages", request, &page)
	return &page, err
}

func (s *session) lowest(ctx context.Context, topic wire.Topic) (uint64, error) {
	var head mqtypes.QueryHeadResponse
	request := &mqtypes.QueryHeadRequest{Topic: hex.EncodeToString(topic.Bytes())}
	err := s.chain.Query(ctx, "/phalanx.mq.v1.Query/Head", request, &head)
	return head.Lowest, err
}
