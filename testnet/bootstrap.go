package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/wire"
	pb "github.com/phalanx-network/phalanx/wire/enclavev1"
	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

const (
	bootstrapGas = 2_000_000
	callTimeout  = 5 * time.Second
)

// firstHeader returns the hash of the chain's first header. The devnet believes its own node.
func firstHeader(ctx context.Context, n *node.Node) (wire.ChainUID, error) {
	raw, err := n.LightBlock(ctx, 1)
	if err != nil {
		return wire.ChainUID{}, err
	}
	var block cmtproto.LightBlock
	if err := block.Unmarshal(raw); err != nil {
		return wire.ChainUID{}, fmt.Errorf("first block: %w", err)
	}
	header, err := cmttypes.HeaderFromProto(block.SignedHeader.Header)
	if err != nil {
		return wire.ChainUID{}, fmt.Errorf("first block: %w", err)
	}
	return wire.ChainUID(header.Hash()), nil
}

// founder does what the people of a real network would: it names the gatekeeper and creates the cluster.
type founder struct {
	*Devnet
	node   *node.Node
	sender *tx.Sender
}

// bootstrap brings a new network, or one that was stopped, to where its workers run its cluster.
func (d *Devnet) bootstrap(ctx context.Context) error {
	n, err := node.Dial(d.rpc())
	if err != nil {
		return err
	}
	defer n.Close()
	authority, err := account.Open(d.plan.home).Get(authorityAccount, nil)
	if err != nil {
		return err
	}
	defer authority.Zero()
	sender, err := tx.New(n, authority, tx.Config{ChainID: chainID})
	if err != nil {
		return err
	}
	f := &founder{d, n, sender}
	for _, step := range []func(context.Context) error{f.registered, f.found, f.running} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// registered waits until the chain knows every enclave.
func (f *founder) registered(ctx context.Context) error {
	for _, u := range f.units {
		err := f.await(ctx, u.id+" to be registered", u.main, func() (bool, error) {
			var answer registrytypes.QueryWorkerResponse
			request := &registrytypes.QueryWorkerRequest{Identity: u.identity.String()}
			err := f.node.Query(ctx, "/phalanx.registry.v1.Query/Worker", request, &answer)
			if errors.Is(err, node.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	f.say("%d enclaves are registered", len(f.units))
	return nil
}

// found names the gatekeeper and creates the cluster of all workers, in one transaction, unless that was done before.
// The workers' requests for keys come two blocks later, when the gatekeeper has its place in its topic.
func (f *founder) found(ctx context.Context) error {
	var named registrytypes.QueryGatekeepersResponse
	if err := f.query(ctx, "/phalanx.registry.v1.Query/Gatekeepers", &registrytypes.QueryGatekeepersRequest{}, &named); err != nil {
		return err
	}
	var there clustertypes.QueryClustersResponse
	if err := f.query(ctx, "/phalanx.cluster.v1.Query/Clusters", &clustertypes.QueryClustersRequest{}, &there); err != nil {
		return err
	}
	name := &registrytypes.MsgNameGatekeepers{Authority: f.sender.Address()}
	create := &clustertypes.MsgCreateCluster{Creator: f.sender.Address()}
	for _, u := range f.units {
		if u.enclave.Gatekeeper {
			name.Identities = append(name.Identities, u.identity.Bytes())
		} else {
			create.Members = append(create.Members, u.identity.Bytes())
		}
	}
	var msgs []sdk.Msg
	if len(named.Identities) == 0 {
		msgs = append(msgs, name)
	}
	if len(there.Clusters) == 0 {
		msgs = append(msgs, create)
	} else {
		id, err := wire.ParseDigest[wire.ClusterID](there.Clusters[0].Id)
		if err != nil {
			return err
		}
		f.cluster = id
	}
	if len(msgs) == 0 {
		return nil
	}
	result, err := f.sender.Do(ctx, tx.Options{Gas: bootstrapGas}, msgs...)
	if err != nil {
		return fmt.Errorf("name the gatekeeper and create the cluster: %w", err)
	}
	if len(there.Clusters) > 0 {
		return nil
	}
	var made clustertypes.MsgCreateClusterResponse
	if err := result.Response(len(msgs)-1, &made); err != nil {
		return err
	}
	if len(made.Cluster) != len(f.cluster) {
		return fmt.Errorf("create the cluster: its id has %d bytes", len(made.Cluster))
	}
	f.cluster = wire.ClusterID(made.Cluster)
	f.say("the gatekeeper is named, cluster %s is created", f.cluster)
	return nil
}

// running waits until the cluster's key is fixed and each worker says that it runs the cluster.
func (f *founder) running(ctx context.Context) error {
	err := f.await(ctx, "the cluster's key to be fixed", nil, func() (bool, error) {
		var c clustertypes.QueryClusterResponse
		err := f.query(ctx, "/phalanx.cluster.v1.Query/Cluster", &clustertypes.QueryClusterRequest{Cluster: f.cluster.String()}, &c)
		return err == nil && c.Cluster.Fixed != nil, err
	})
	if err != nil {
		return err
	}
	f.say("the cluster's key is fixed")
	for _, u := range f.units {
		if u.enclave.Gatekeeper {
			continue
		}
		if err := f.await(ctx, u.id+" to run the cluster", u.main, func() (bool, error) { return f.runs(ctx, u) }); err != nil {
			return err
		}
	}
	return nil
}

func (f *founder) query(ctx context.Context, method string, request, response proto.Message) error {
	return f.node.Query(ctx, method, request, response)
}

// runs asks a worker's client port.
func (f *founder) runs(ctx context.Context, u *unit) (bool, error) {
	client := enclavev1connect.NewClientServiceClient(&http.Client{Timeout: callTimeout}, u.endpoint)
	r, err := client.Info(ctx, connect.NewRequest(&pb.InfoRequest{}))
	if err != nil {
		return false, fmt.Errorf("%s: %w", u.id, err)
	}
	for _, c := range r.Msg.Clusters {
		if string(c.Cluster) == string(f.cluster[:]) && c.Phase == "running" {
			return true, nil
		}
	}
	return false, nil
}
