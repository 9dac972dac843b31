package client

import (
	"context"
	"fmt"

	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/cosmos/gogoproto/proto"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// maxListed is the most entries that are read of a list.
const maxListed = 1000

// Listed is a contract as a node lists it, unproven.
type Listed struct {
	ID       wire.ContractID
	CodeHash wire.CodeHash
}

// Contracts asks the node for a cluster's contracts, at most 1,000. The list is not proven: prove each that matters
// with [Client.Contract].
func (c *Client) Contracts(ctx context.Context, cluster wire.ClusterID) ([]Listed, error) {
	var out []Listed
	err := pages(func(at *query.PageRequest) (*query.PageResponse, int, error) {
		var page clustertypes.QueryContractsResponse
		request := &clustertypes.QueryContractsRequest{Cluster: cluster.String(), Pagination: at}
		if err := c.ask(ctx, "/phalanx.cluster.v1.Query/Contracts", request, &page); err != nil {
			return nil, 0, err
		}
		for _, x := range page.Contracts {
			id, err := wire.ParseDigest[wire.ContractID](x.Id)
			if err != nil {
				return nil, 0, fmt.Errorf("%w: contract id: %w", ErrAnswer, err)
			}
			code, err := wire.ParseDigest[wire.CodeHash](x.CodeHash)
			if err != nil {
				return nil, 0, fmt.Errorf("%w: code hash: %w", ErrAnswer, err)
			}
			out = append(out, Listed{id, code})
		}
		return page.Pagination, len(page.Contracts), nil
	})
	return out, err
}

// Clusters asks the node for the ids of the network's clusters, at most 1,000. The list is not proven.
func (c *Client) Clusters(ctx context.Context) ([]wire.ClusterID, error) {
	var out []wire.ClusterID
	err := pages(func(at *query.PageRequest) (*query.PageResponse, int, error) {
		var page clustertypes.QueryClustersResponse
		request := &clustertypes.QueryClustersRequest{Pagination: at}
		if err := c.ask(ctx, "/phalanx.cluster.v1.Query/Clusters", request, &page); err != nil {
			return nil, 0, err
		}
		for _, x := range page.Clusters {
			id, err := wire.ParseDigest[wire.ClusterID](x.Id)
			if err != nil {
				return nil, 0, fmt.Errorf("%w: cluster id: %w", ErrAnswer, err)
			}
			out = append(out, id)
		}
		return page.Pagination, len(page.Clusters), nil
	})
	return out, err
}

// Workers asks the node for the identities of everybody in the registry, gatekeepers included, at most 1,000. The list
// is not proven.
func (c *Client) Workers(ctx context.Context) ([]sr25519.PublicKey, error) {
	var out []sr25519.PublicKey
	err := pages(func(at *query.PageRequest) (*query.PageResponse, int, error) {
		var page registrytypes.QueryWorkersResponse
		request := &registrytypes.QueryWorkersRequest{Pagination: at}
		if err := c.ask(ctx, "/phalanx.registry.v1.Query/Workers", request, &page); err != nil {
			return nil, 0, err
		}
		for _, x := range page.Workers {
			var id sr25519.PublicKey
			if err := id.UnmarshalText([]byte(x.Identity)); err != nil {
				return nil, 0, fmt.Errorf("%w: identity: %w", ErrAnswer, err)
			}
			out = append(out, id)
		}
		return page.Pagination, len(page.Workers), nil
	})
	return out, err
}

func (c *Client) ask(ctx context.Context, method string, request, response proto.Message) error {
	if err := c.node.Query(ctx, method, request, response); err != nil {
		return fmt.Errorf("%s: %w", method, unreached(err))
	}
	return nil
}

// pages reads a list page by page until it ends or has so many entries that it is cut.
func pages(read func(*query.PageRequest) (*query.PageResponse, int, error)) error {
	at := &query.PageRequest{Limit: 100}
	for total := 0; total < maxListed; {
		next, n, err := read(at)
		if err != nil {
			return err
		}
		if next == nil || len(next.NextKey) == 0 || n == 0 {
			return nil
		}
		total += n
		at = &query.PageRequest{Limit: 100, Key: next.NextKey}
	}
	return nil
}
