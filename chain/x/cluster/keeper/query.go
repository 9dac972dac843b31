package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2/prefix"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// maxPage is the most records of one page.
const maxPage = 1000

// queryServer answers the module's Query service.
type queryServer struct{ *Keeper }

// NewQueryServer returns the module's Query service.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{k} }

// Cluster returns one cluster.
func (s queryServer) Cluster(ctx context.Context, r *types.QueryClusterRequest) (*types.QueryClusterResponse, error) {
	id, err := parseDigest[wire.ClusterID](r.Cluster)
	if err != nil {
		return nil, err
	}
	c, err := s.Keeper.Cluster(ctx, id)
	if err != nil {
		return nil, err
	}
	view, err := viewCluster(c)
	if err != nil {
		return nil, err
	}
	return &types.QueryClusterResponse{Cluster: view, Record: scale.MustMarshal(c)}, nil
}

// Clusters returns a page of all clusters.
func (s queryServer) Clusters(
	ctx context.Context, r *types.QueryClustersRequest,
) (*types.QueryClustersResponse, error) {
	out := &types.QueryClustersResponse{}
	var err error
	out.Pagination, err = s.page(ctx, "cluster/", r.Pagination, func(_, value []byte) error {
		var c wire.Cluster
		if err := scale.Unmarshal(value, &c); err != nil {
			return err
		}
		view, err := viewCluster(&c)
		out.Clusters = append(out.Clusters, view)
		return err
	})
	return out, err
}

// Contract returns one contract.
func (s queryServer) Contract(
	ctx context.Context, r *types.QueryContractRequest,
) (*types.QueryContractResponse, error) {
	id, err := parseDigest[wire.ContractID](r.Contract)
	if err != nil {
		return nil, err
	}
	var record wire.ContractRecord
	found, err := s.load(ctx, wire.KeyContract(id).Key, &record)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errorsmod.Wrapf(types.ErrNotFound, "contract %s", id)
	}
	return &types.QueryContractResponse{Contract: viewContract(id, &record), Record: scale.MustMarshal(&record)}, nil
}

// Contracts returns a page of a cluster's contracts.
func (s queryServer) Contracts(
	ctx context.Context, r *types.QueryContractsRequest,
) (*types.QueryContractsResponse, error) {
	id, err := s.existing(ctx, r.Cluster)
	if err != nil {
		return nil, err
	}
	out := &types.QueryContractsResponse{}
	out.Pagination, err = s.page(ctx, clusterKey(prefixListing, id), r.Pagination, func(key, _ []byte) error {
		if len(key) != len(wire.ContractID{}) {
			return errorsmod.Wrapf(types.ErrCorrupt, "listing %x", key)
		}
		contract := wire.ContractID(key)
		var record wire.ContractRecord
		found, err := s.load(ctx, wire.KeyContract(contract).Key, &record)
		if err != nil {
			return err
		}
		if !found {
			return errorsmod.Wrapf(types.ErrCorrupt, "contract %s is listed only", contract)
		}
		out.Contracts = append(out.Contracts, viewContract(contract, &record))
		return nil
	})
	return out, err
}

// Finalized returns what was finalized for a mark.
func (s queryServer) Finalized(
	ctx context.Context, r *types.QueryFinalizedRequest,
) (*types.QueryFinalizedResponse, error) {
	id, err := s.existing(ctx, r.Cluster)
	if err != nil {
		return nil, err
	}
	var f wire.Finalized
	found, err := s.load(ctx, wire.KeyFinalized(id, r.Mark).Key, &f)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errorsmod.Wrapf(types.ErrNotFound, "mark %d is not finalized, or no longer kept", r.Mark)
	}
	return &types.QueryFinalizedResponse{Finalized: viewFinalized(&f), Record: scale.MustMarshal(&f)}, nil
}

// Reports returns who has reported what for a mark.
func (s queryServer) Reports(
	ctx context.Context, r *types.QueryReportsRequest,
) (*types.QueryReportsResponse, error) {
	id, err := s.existing(ctx, r.Cluster)
	if err != nil {
		return nil, err
	}
	var m markRecord
	found, err := s.load(ctx, numberKey(prefixMark, id, r.Mark), &m)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errorsmod.Wrapf(types.ErrNoMark, "mark %d", r.Mark)
	}
	out := &types.QueryReportsResponse{Count: m.count, Height: m.height}
	for _, e := range m.electors {
		report := types.Report{Identity: e.identity.String(), Voting: e.voting}
		var h wire.Hash
		reported, err := s.load(ctx, reportKey(id, r.Mark, e.identity), &h)
		if err != nil {
			return nil, err
		}
		if reported {
			report.Hash = h.String()
		}
		out.Reports = append(out.Reports, report)
	}
	return out, nil
}

// Held returns a page of a cluster's withdrawals that the bank refused.
func (s queryServer) Held(ctx context.Context, r *types.QueryHeldRequest) (*types.QueryHeldResponse, error) {
	id, err := s.existing(ctx, r.Cluster)
	if err != nil {
		return nil, err
	}
	out := &types.QueryHeldResponse{}
	out.Pagination, err = s.page(ctx, clusterKey(prefixHeld, id), r.Pagination, func(_, value []byte) error {
		var w wire.Withdrawal
		if err := scale.Unmarshal(value, &w); err != nil {
			return err
		}
		address, err := accountText(w.Account)
		out.Held = append(out.Held, types.HeldWithdrawal{
			Number: w.Number, Account: address, Amount: w.Amount.String(),
		})
		return err
	})
	return out, err
}

// page visits one page of the entries whose keys begin with a prefix, without it.
func (s queryServer) page(
	ctx context.Context, first string, r *query.PageRequest, visit func(key, value []byte) error,
) (*query.PageResponse, error) {
	if r != nil && r.Limit > maxPage {
		return nil, errorsmod.Wrapf(types.ErrMalformed, "a page of %d, the most is %d", r.Limit, maxPage)
	}
	store := prefix.NewStore(runtime.KVStoreAdapter(s.store.OpenKVStore(ctx)), []byte(first))
	return query.Paginate(store, r, visit)
}

// existing parses the id of a cluster that exists.
func (s queryServer) existing(ctx context.Context, text string) (wire.ClusterID, error) {
	id, err := parseDigest[wire.ClusterID](text)
	if err != nil {
		return id, err
	}
	found, err := s.HasCluster(ctx, id)
	if err == nil && !found {
		err = errorsmod.Wrap(types.ErrNoCluster, id.String())
	}
	return id, err
}

func parseDigest[D ~[32]byte](text string) (D, error) {
	d, err := wire.ParseDigest[D](text)
	if err != nil {
		return d, errorsmod.Wrap(types.ErrMalformed, err.Error())
	}
	return d, nil
}
