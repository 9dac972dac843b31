package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
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

// registered waits until the chain knows every enclave, or the rest of the registrations wait for the next block: what
// is sent now comes behind them, in that block.
func (f *founder) registered(ctx context.Context) error {
	pool, err := rpchttp.New(f.rpc(), "/websocket")
	if err != nil {
		return err
	}
	return f.await(ctx, "the enclaves to register", nil, func() (bool, error) {
		missing, err := f.missing(ctx)
		if err != nil || missing == 0 {
			return missing == 0, err
		}
		waiting, err := pool.NumUnconfirmedTxs(ctx)
		return err == nil && waiting.Total >= missing, err
	})
}

// missing is how many enclaves the chain does not know yet.
func (f *founder) missing(ctx context.Context) (int, error) {
	count := 0
	for _, u := range f.units {
		if u.main.pid() == 0 {
			return 0, fmt.Errorf("%s has ended", u.id)
		}
		var answer registrytypes.QueryWorkerResponse
		request := &registrytypes.QueryWorkerRequest{Identity: u.identity.String()}
		err := f.query(ctx, "/phalanx.registry.v1.Query/Worker", request, &answer)
		if err != nil && !errors.Is(err, node.ErrNotFound) {
			return 0, err
		}
		if err != nil {
			count++
		}
	}
	return count, nil
}

// send sends messages that need every enclave to be registered. If the chain refuses them, a registration came behind
// them, and they are sent once more.
func (f *founder) send(ctx context.Context, msgs []sdk.Msg) (tx.Result, error) {
	result, err := f.sender.Do(ctx, tx.Options{Gas: bootstrapGas}, msgs...)
	var refused *node.TxError
	if !errors.As(err, &refused) {
		return result, err
	}
	err = f.await(ctx, "the enclaves to be registered", nil, func() (bool, error) {
		missing, err := f.missing(ctx)
		return missing == 0, err
	})
	if err != nil {
		return result, errors.Join(refused, err)
	}
	return f.sender.Do(ctx, tx.Options{Gas: bootstrapGas}, msgs...)
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
	if f.hardware != nil && len(there.Clusters) == 0 {
		return f.founding(ctx, name, create)
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
	result, err := f.send(ctx, msgs)
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
	f.say("%d enclaves are registered, the gatekeeper is named, cluster %s is created", len(f.units), f.cluster)
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
