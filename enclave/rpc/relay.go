package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/light"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

// outboxBytes is the most that one call of Outbox returns.
const outboxBytes = 512 << 10

// Chain is the enclave's view of the chain; *dispatch.Dispatcher is one.
type Chain interface {
	Advance(ctx context.Context, blocks [][]byte, proofs []dispatch.Proof, batches []dispatch.Batch) error
	Status() dispatch.Status
	// Header never waits, as Status does while Advance runs.
	Header() (h light.Header, age time.Duration, ok bool)
	Outbox(from uint64, limit int) [][]byte
}

// Clusters are the enclave's clusters; *worker.Role is one.
type Clusters interface {
	Status() []worker.ClusterStatus
	Query(ctx context.Context, cluster wire.ClusterID, envelope []byte) ([]byte, error)
	Receipt(ctx context.Context, cluster wire.ClusterID, index uint64, wait bool) (worker.Receipt, error)
	RequestState(cluster wire.ClusterID, member sr25519.PublicKey) ([]byte, error)
	ExportState(ctx context.Context, request []byte, chunk uint32) (offer, envelope []byte, err error)
	ImportState(ctx context.Context, offer []byte, index uint32, chunk []byte) (done bool, err error)
}

// Registration is what the enclave says of itself to the registry, SCALE and signature.
type Registration struct {
	Registration []byte
	Evidence     []byte
	Signature    []byte
}

// Self is who the enclave is.
type Self interface {
	// Register makes a registration for the newest verified header.
	Register(ctx context.Context, operator wire.Account) (Registration, error)
	// About names the enclave.
	About() About
}

// About names an enclave.
type About struct {
	Identity    []byte
	Ecdh        []byte
	EcdhEpoch   uint32
	Incarnation wire.Incarnation
	UID         wire.ChainUID
	Platform    string
	Simulated   bool
	Software    string
}

type relayDoor struct {
	chain    Chain
	clusters Clusters
	self     Self
	custody  Custody
}

// NewRelayHandler returns the handler of the relay's door.
func NewRelayHandler(chain Chain, clusters Clusters, self Self, custody Custody) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(enclavev1connect.NewRelayServiceHandler(&relayDoor{chain, clusters, self, custody},
		connect.WithReadMaxBytes(maxRelayRequest), connect.WithRecover(recovered)))
	return mux
}

var errInternal = errors.New("internal fault")

// recovered answers a request whose handler panicked. The panic's value may hold anything, so it goes nowhere.
func recovered(context.Context, connect.Spec, http.Header, any) error {
	return connect.NewError(connect.CodeInternal, errInternal)
}

func (r *relayDoor) Status(context.Context, *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error) {
	return connect.NewResponse(r.status()), nil
}

func (r *relayDoor) status() *pb.StatusResponse {
	s, about := r.chain.Status(), r.self.About()
	out := &pb.StatusResponse{
		Identity:          about.Identity,
		Ecdh:              about.Ecdh,
		Incarnation:       about.Incarnation[:],
		ChainUid:          about.UID[:],
		Trusted:           s.Trusted,
		NeedsRoot:         s.NeedsRoot,
		NeedsRegistration: s.NeedsRegistration,
		Role:              s.Role,
		OutboxFirst:       s.OutboxFirst,
		OutboxNext:        s.OutboxNext,
		Problem:           s.Problem,
		Platform:          about.Platform,
		Software:          about.Software,
		Clusters:          clusterStatuses(r.clusters.Status()),
	}
	if s.Seen {
		out.Height, out.BlockHash = s.Header.Height, s.Header.Hash[:]
		out.BlockTime = s.Header.UnixMillis()
	}
	for _, k := range s.Wants {
		out.Wants = append(out.Wants, &pb.Record{Store: k.Store, Key: []byte(k.Key)})
	}
	for _, p := range s.Places {
		out.Topics = append(out.Topics, &pb.TopicPlace{Topic: p.Topic.Bytes(), Count: p.Head.Count})
	}
	return out
}

func clusterStatuses(statuses []worker.ClusterStatus) []*pb.ClusterStatus {
	out := make([]*pb.ClusterStatus, len(statuses))
	for i, s := range statuses {
		out[i] = &pb.ClusterStatus{
			Cluster:   append([]byte(nil), s.Cluster[:]...),
			Phase:     s.Phase,
			Count:     s.Count,
			Head:      s.Head,
			StateRoot: append([]byte(nil), s.Root[:]...),
			Noops:     s.Noops,
			Contracts: s.Contracts,
			Entries:   s.Entries,
			Bytes:     s.Bytes,
			Problem:   s.Problem,
		}
		for _, pk := range s.Ask {
			out[i].Members = append(out[i].Members, pk.Bytes())
		}
	}
	return out
}

func (r *relayDoor) Register(ctx context.Context, req *connect.Request[pb.RegisterRequest]) (*connect.Response[pb.RegisterResponse], error) {
	operator, err := account(req.Msg.Operator)
	if err != nil {
		return nil, err
	}
	reg, err := r.self.Register(ctx, operator)
	if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	return connect.NewResponse(&pb.RegisterResponse{
		Registration: reg.Registration, Evidence: reg.Evidence, Signature: reg.Signature,
	}), nil
}

func (r *relayDoor) Advance(ctx context.Context, req *connect.Request[pb.AdvanceRequest]) (*connect.Response[pb.AdvanceResponse], error) {
	batches := make([]dispatch.Batch, len(req.Msg.Batches))
	for i, b := range req.Msg.Batches {
		var err error
		if batches[i], err = batch(b); err != nil {
			return nil, invalid(fmt.Errorf("batch %d: %w", i, err))
		}
	}
	proofs := make([]dispatch.Proof, len(req.Msg.Proofs))
	for i, p := range req.Msg.Proofs {
		proofs[i] = dispatch.Proof{
			Key:    wire.RecordKey{Store: p.GetRecord().GetStore(), Key: string(p.GetRecord().GetKey())},
			Header: p.Header, Value: p.Value, Absent: p.Absent, Ops: p.Ops,
		}
	}
	if err := r.chain.Advance(ctx, req.Msg.LightBlocks, proofs, batches); err != nil {
		return nil, advanceError(err)
	}
	return connect.NewResponse(&pb.AdvanceResponse{Status: r.status()}), nil
}

func batch(b *pb.Batch) (dispatch.Batch, error) {
	out := dispatch.Batch{From: b.From, Messages: b.Messages, Pruned: b.PrunedBelow}
	if err := scale.Unmarshal(b.Topic, &out.Topic); err != nil {
		return out, fmt.Errorf("topic: %w", err)
	}
	if len(b.Digests) > dispatch.MaxDigests {
		return out, fmt.Errorf("%d digests", len(b.Digests))
	}
	out.Digests = make([]wire.Hash, len(b.Digests))
	for i, d := range b.Digests {
		if len(d) != len(out.Digests[i]) {
			return out, fmt.Errorf("digest %d has %d bytes", i, len(d))
		}
		copy(out.Digests[i][:], d)
	}
	return out, nil
}

// advanceError gives the relay a code that says what to do: OutOfRange, bring a header between the two; Aborted, look
// at the status and try again; InvalidArgument, the data is false.
func advanceError(err error) error {
	switch {
	case errors.Is(err, light.ErrNeedIntermediate):
		return connect.NewError(connect.CodeOutOfRange, err)
	case errors.Is(err, dispatch.ErrStaleProof), errors.Is(err, dispatch.ErrBatch), errors.Is(err, dispatch.ErrNoHeader):
		return connect.NewError(connect.CodeAborted, err)
	case errors.Is(err, light.ErrExpired), errors.Is(err, dispatch.ErrOtherChain), errors.Is(err, light.ErrConflict):
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case errors.Is(err, dispatch.ErrRequest), errors.Is(err, light.ErrForged), errors.Is(err, light.ErrMalformed),
		errors.Is(err, light.ErrProof), errors.Is(err, light.ErrChain), errors.Is(err, light.ErrRoot),
		errors.Is(err, light.ErrFuture):
		return invalid(err)
	}
	return connect.NewError(connect.CodeUnavailable, err)
}

func invalid(err error) error { return connect.NewError(connect.CodeInvalidArgument, err) }

func (r *relayDoor) Outbox(_ context.Context, req *connect.Request[pb.OutboxRequest]) (*connect.Response[pb.OutboxResponse], error) {
	return connect.NewResponse(&pb.OutboxResponse{Messages: r.chain.Outbox(req.Msg.From, outboxBytes)}), nil
}

func (r *relayDoor) RequestState(_ context.Context, req *connect.Request[pb.RequestStateRequest]) (*connect.Response[pb.RequestStateResponse], error) {
	cluster, err := clusterID(req.Msg.Cluster)
	if err != nil {
		return nil, invalid(err)
	}
	member, err := sr25519.ParsePublicKey(req.Msg.Member)
	if err != nil {
		return nil, invalid(fmt.Errorf("member: %w", err))
	}
	signed, err := r.clusters.RequestState(cluster, member)
	if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	return connect.NewResponse(&pb.RequestStateResponse{Request: signed}), nil
}

func (r *relayDoor) ExportState(ctx context.Context, req *connect.Request[pb.ExportStateRequest]) (*connect.Response[pb.ExportStateResponse], error) {
	offer, chunk, err := r.clusters.ExportState(ctx, req.Msg.Request, req.Msg.Chunk)
	if err != nil {
		return nil, transferError(err)
	}
	return connect.NewResponse(&pb.ExportStateResponse{Offer: offer, Chunk: chunk}), nil
}

func (r *relayDoor) ImportState(ctx context.Context, req *connect.Request[pb.ImportStateRequest]) (*connect.Response[pb.ImportStateResponse], error) {
	done, err := r.clusters.ImportState(ctx, req.Msg.Offer, req.Msg.Index, req.Msg.Chunk)
	if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	return connect.NewResponse(&pb.ImportStateResponse{Done: done}), nil
}

// transferError tells the relay that asks whether to ask again: Unavailable, or not.
func transferError(err error) error {
	for _, again := range []error{worker.ErrNotYet, worker.ErrBusy, worker.ErrNotRunning, keys.ErrReceiving, keys.ErrHandedOver} {
		if errors.Is(err, again) {
			return connect.NewError(connect.CodeUnavailable, err)
		}
	}
	return connect.NewError(connect.CodeFailedPrecondition, err)
}

func clusterID(b []byte) (wire.ClusterID, error) {
	var id wire.ClusterID
	if len(b) != len(id) {
		return id, fmt.Errorf("cluster id has %d bytes, want %d", len(b), len(id))
	}
	copy(id[:], b)
	return id, nil
}
