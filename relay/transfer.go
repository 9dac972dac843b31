package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
)

const (
	phaseState     = "waiting for state"
	transferPoll   = 500 * time.Millisecond
	transferWait   = time.Minute      // for a member to have seen who asks
	transferBounds = 30 * time.Minute // of one transfer
)

var errNoPeer = errors.New("member publishes no peer URL")

// fetchStates begins to fetch the state of each cluster that waits for it, unless that is under way.
func (s *session) fetchStates(ctx context.Context) {
	for _, c := range s.status.Clusters {
		if c.Phase != phaseState || len(c.Members) == 0 || len(c.Cluster) != len(wire.ClusterID{}) {
			continue
		}
		id := wire.ClusterID(c.Cluster)
		s.mu.Lock()
		busy := s.fetching[id]
		s.fetching[id] = true
		s.mu.Unlock()
		if busy {
			continue
		}
		members := c.Members
		s.transfers.Go(func() {
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.fetching, id)
			}()
			s.fetchState(ctx, id, members)
		})
	}
}

// fetchState asks one member after the other.
func (s *session) fetchState(ctx context.Context, id wire.ClusterID, members [][]byte) {
	ctx, cancel := context.WithTimeout(ctx, transferBounds)
	defer cancel()
	for _, m := range members {
		if ctx.Err() != nil {
			return
		}
		start := time.Now()
		chunks, err := s.fetchFrom(ctx, id, m)
		if err == nil {
			s.metrics.states.Add(1)
			s.cfg.Log.Info("state fetched", "cluster", short(id[:]), "from", short(m), "chunks", chunks,
				"took", time.Since(start).Round(time.Millisecond))
			return
		}
		if ctx.Err() == nil {
			s.cfg.Log.Warn("state not fetched", "cluster", short(id[:]), "from", short(m), "error", err)
		}
	}
	wait(ctx, transferPoll)
}

// fetchFrom carries a member's snapshot into the enclave and returns how many chunks it had.
func (s *session) fetchFrom(ctx context.Context, id wire.ClusterID, member []byte) (uint32, error) {
	urls, err := s.peersOf(ctx, member)
	if err != nil {
		return 0, err
	}
	r, err := s.enclave.RequestState(ctx, connect.NewRequest(&pb.RequestStateRequest{Cluster: id[:], Member: member}))
	if err != nil {
		return 0, atEnclave("request state", err)
	}
	errs := errNoPeer
	for _, url := range urls {
		chunks, err := s.carry(ctx, url, r.Msg.Request)
		if err == nil {
			return chunks, nil
		}
		errs = errors.Join(errs, err)
		var at *enclaveError
		if errors.As(err, &at) {
			break // the enclave has given up this request
		}
	}
	return 0, errs
}

// peersOf returns a worker's peer doors, from its record on the chain. A node that lies about it makes the transfer
// fail and nothing else.
func (s *session) peersOf(ctx context.Context, member []byte) ([]string, error) {
	identity, err := sr25519.ParsePublicKey(member)
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	var answer registrytypes.QueryWorkerResponse
	request := &registrytypes.QueryWorkerRequest{Identity: identity.String()}
	if err := s.chain.Query(ctx, "/phalanx.registry.v1.Query/Worker", request, &answer); err != nil {
		return nil, err
	}
	var w wire.WorkerState
	if err := scale.Unmarshal(answer.Worker.Record, &w); err != nil {
		return nil, fmt.Errorf("record of worker %s: %w", identity, err)
	}
	return w.Info.PeerURLs, nil
}

// carry fetches chunk after chunk from a peer door and hands each to the enclave, which knows how many there are.
func (s *session) carry(ctx context.Context, url string, request []byte) (uint32, error) {
	peer := dialPeer(strings.TrimSuffix(url, "/"))
	patience := time.Now().Add(transferWait)
	for chunk := uint32(0); chunk < wire.MaxTransferChunks; {
		answer, err := peer.CallUnary(ctx, connect.NewRequest(&pb.ExportStateRequest{Request: request, Chunk: chunk}))
		// Only its own word for it counts: a door that nobody opens is unavailable too.
		asksLater := connect.IsWireError(err) && connect.CodeOf(err) == connect.CodeUnavailable
		if asksLater && time.Now().Before(patience) && ctx.Err() == nil {
			wait(ctx, transferPoll) // it has to see who asks, or has no finalized mark at hand yet
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("peer %s: %w", url, err)
		}
		r, err := s.enclave.ImportState(ctx, connect.NewRequest(&pb.ImportStateRequest{
			Offer: answer.Msg.Offer, Index: chunk, Chunk: answer.Msg.Chunk,
		}))
		if err != nil {
			return 0, atEnclave("import state", err)
		}
		chunk++
		patience = time.Now().Add(transferWait)
		if r.Msg.Done {
			return chunk, nil
		}
	}
	return 0, fmt.Errorf("peer %s: over %d chunks", url, wire.MaxTransferChunks)
}
