package keeper

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2/prefix"
	"github.com/cosmos/cosmos-sdk/types/query"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// MaxPage bounds the entries of one page of an answer.
const MaxPage = 200

type queryServer struct{ k *Keeper }

// NewQueryServer returns the registry's queries.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{k} }

func (q queryServer) Worker(ctx context.Context, r *types.QueryWorkerRequest) (*types.QueryWorkerResponse, error) {
	var pk sr25519.PublicKey
	text := r.GetIdentity()
	if len(text) < 2 || text[:2] != "0x" {
		text = "0x" + text
	}
	if err := pk.UnmarshalText([]byte(text)); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	w, found, err := q.k.Worker(ctx, pk)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, status.Errorf(codes.NotFound, "no worker %s", pk)
	}
	return &types.QueryWorkerResponse{Worker: view(&w)}, nil
}

func (q queryServer) Workers(ctx context.Context, r *types.QueryWorkersRequest) (*types.QueryWorkersResponse, error) {
	page, err := bounded(r.GetPagination())
	if err != nil {
		return nil, err
	}
	answer := &types.QueryWorkersResponse{}
	answer.Pagination, err = query.Paginate(q.under(ctx, []byte(prefixWorker)), page, func(_, raw []byte) error {
		var w wire.WorkerState
		if err := scale.Unmarshal(raw, &w); err != nil {
			return err
		}
		answer.Workers = append(answer.Workers, view(&w))
		return nil
	})
	return answer, err
}

func (q queryServer) OperatorWorkers(
	ctx context.Context, r *types.QueryOperatorWorkersRequest,
) (*types.QueryOperatorWorkersResponse, error) {
	operator, err := parseAccount(r.GetOperator())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	page, err := bounded(r.GetPagination())
	if err != nil {
		return nil, err
	}
	answer := &types.QueryOperatorWorkersResponse{}
	index := append([]byte(prefixOperator), operator[:]...)
	answer.Pagination, err = query.Paginate(q.under(ctx, index), page, func(identity, _ []byte) error {
		pk, err := sr25519.ParsePublicKey(identity)
		if err != nil {
			return err
		}
		w, err := q.k.worker(ctx, pk)
		if err != nil {
			return err
		}
		answer.Workers = append(answer.Workers, view(&w))
		return nil
	})
	return answer, err
}

func (q queryServer) Gatekeepers(
	ctx context.Context, _ *types.QueryGatekeepersRequest,
) (*types.QueryGatekeepersResponse, error) {
	list, err := q.k.Gatekeepers(ctx)
	if err != nil {
		return nil, err
	}
	answer := &types.QueryGatekeepersResponse{Since: list.Since}
	for _, pk := range list.Members {
		answer.Identities = append(answer.Identities, pk.String())
	}
	master, found, err := q.k.MasterKey(ctx)
	if found {
		answer.MasterKey = master.Key.String()
	}
	return answer, err
}

func (q queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	p, err := q.k.Params(ctx)
	if err != nil {
		return nil, err
	}
	answer := &types.QueryParamsResponse{Params: p}
	var next pendingTrust
	found, err := q.k.load(ctx, keyPendingTrust, &next)
	if found {
		answer.Pending = &types.PendingPolicy{
			Since: next.Since, Policy: scale.MustMarshal(&next.Trust.Policy), Roots: scale.MustMarshal(&next.Trust.Roots),
			GatekeeperConfidence: uint32(next.Trust.GatekeeperConfidence),
		}
	}
	return answer, err
}

func (q queryServer) ChainUid(ctx context.Context, _ *types.QueryChainUidRequest) (*types.QueryChainUidResponse, error) {
	uid, err := q.k.ChainUID(ctx)
	if errors.Is(err, types.ErrNoUID) {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &types.QueryChainUidResponse{ChainUid: uid.String()}, err
}

func (q queryServer) under(ctx context.Context, p []byte) prefix.Store {
	return prefix.NewStore(runtime.KVStoreAdapter(q.k.store.OpenKVStore(ctx)), p)
}

// bounded refuses pages over MaxPage, and counting all entries, which reads all of them.
func bounded(p *query.PageRequest) (*query.PageRequest, error) {
	if p == nil {
		return &query.PageRequest{Limit: MaxPage}, nil
	}
	if p.Limit > MaxPage || p.CountTotal || p.Offset > 0 {
		return nil, status.Errorf(codes.InvalidArgument, "at most %d entries a page, by key, without a total", MaxPage)
	}
	if p.Limit == 0 {
		p.Limit = MaxPage
	}
	return p, nil
}

// view returns a worker's record in readable form.
func view(w *wire.WorkerState) types.Worker {
	v := types.Worker{
		Identity:     w.Identity.String(),
		Ecdh:         viewKey(w.Ecdh),
		Endpoints:    w.Info.Endpoints,
		PeerUrls:     w.Info.PeerURLs,
		Software:     w.Info.Software,
		Features:     w.Info.Features,
		Operator:     accountText(w.Operator),
		Incarnation:  w.Incarnation.String(),
		EvidenceKind: tee.Kind(w.EvidenceKind).String(),
		Confidence:   uint32(w.Confidence),
		Measurement:  hex.EncodeToString(w.Measurement),
		AttestedAt:   w.AttestedAt,
		AttestedTime: w.AttestedTime,
		HeaderHeight: w.HeaderHeight,
		Status:       w.Status.String(),
		Record:       scale.MustMarshal(w),
	}
	if w.PreviousEcdh != nil {
		previous := viewKey(*w.PreviousEcdh)
		v.PreviousEcdh = &previous
	}
	for _, id := range w.Clusters {
		v.Clusters = append(v.Clusters, id.String())
	}
	return v
}

func viewKey(e wire.EcdhEpoch) types.EcdhKey {
	return types.EcdhKey{Key: e.Key.String(), Epoch: e.Epoch, Since: e.Since}
}
