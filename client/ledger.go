package client

import (
	"context"
	"fmt"

	sdkmath "cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"lukechampine.com/uint128"

	clustertypes "github.com/phalanx-network/phalanx/chain/x/cluster/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// Deposited says where a deposit is.
type Deposited struct {
	Index  uint64
	Height uint64
	TxHash []byte
}

// Deposit moves amount uphx of the payer into the cluster's escrow and credits it to an identity inside the cluster.
// The chain sees payer and amount, not the beneficiary.
func (c *Client) Deposit(ctx context.Context, payer Payer, cluster wire.ClusterID, to wire.Identity, amount uint128.Uint128) (Deposited, error) {
	x, err := c.keyed(ctx, cluster)
	if err != nil {
		return Deposited{}, err
	}
	sealed, err := c.sealTo(&x.Record, &to)
	if err != nil {
		return Deposited{}, err
	}
	var answer clustertypes.MsgDepositResponse
	result, err := c.post(ctx, payer, &answer, &clustertypes.MsgDeposit{
		Depositor: payer.Address(), Cluster: cluster[:], Beneficiary: sealed,
		Amount: sdk.Coin{Denom: registrytypes.Denom, Amount: sdkmath.NewIntFromBigInt(amount.Big())},
	})
	if err != nil {
		return Deposited{}, err
	}
	// What the beneficiary asks next is to be answered from a state that has the deposit. The height is the node's word,
	// so that it counts only as far as it is verified.
	header, err := c.headers.latest(ctx, 0)
	if err == nil {
		err = c.memory.saw(cluster, min(result.Height, header.Height))
	}
	return Deposited{answer.Index, result.Height, result.Hash}, err
}

// Withdraw moves amount uphx from the signer's balance in the cluster to an account of the chain. The chain pays when
// a checkpoint that lists it is finalized.
func (c *Client) Withdraw(ctx context.Context, payer Payer, cluster wire.ClusterID, from Signer, to wire.Account, amount uint128.Uint128) (*Receipt, error) {
	return c.Command(ctx, payer, Request{Cluster: cluster, From: from, Kind: wire.Kind{
		Action: wire.ActionWithdraw, Account: to, Amount: amount,
	}})
}

// Balance asks a worker for the signer's balance in the cluster: a query whose target is zero and whose input is empty.
func (c *Client) Balance(ctx context.Context, cluster wire.ClusterID, worker sr25519.PublicKey, from Signer) (uint128.Uint128, *Answer, error) {
	var out balance
	a, err := c.Query(ctx, Query{Cluster: cluster, Worker: worker, From: from})
	if err != nil {
		return out.amount, nil, err
	}
	if err := Check(a.Outcome); err != nil {
		return out.amount, nil, err
	}
	if err := scale.Unmarshal(a.Outcome.Output, &out); err != nil {
		return out.amount, nil, fmt.Errorf("%w: balance: %w", ErrReply, err)
	}
	return out.amount, a, nil
}

// balance is the output of a query of a balance.
type balance struct{ amount uint128.Uint128 }

// Scale visits the amount.
func (b *balance) Scale(c *scale.Codec) { c.U128(&b.amount) }

// CreateCluster makes a cluster of registered workers and returns its id. The payer is the registry's authority, or the
// operator of every worker.
func (c *Client) CreateCluster(ctx context.Context, payer Payer, members []sr25519.PublicKey) (wire.ClusterID, error) {
	var answer clustertypes.MsgCreateClusterResponse
	_, err := c.post(ctx, payer, &answer, &clustertypes.MsgCreateCluster{Creator: payer.Address(), Members: keyBytes(members)})
	if err != nil {
		return wire.ClusterID{}, err
	}
	if len(answer.Cluster) != len(wire.ClusterID{}) {
		return wire.ClusterID{}, fmt.Errorf("%w: cluster id has %d bytes", ErrAnswer, len(answer.Cluster))
	}
	return wire.ClusterID(answer.Cluster), nil
}

// AddMembers adds workers to a cluster.
func (c *Client) AddMembers(ctx context.Context, payer Payer, cluster wire.ClusterID, members []sr25519.PublicKey) error {
	_, err := c.post(ctx, payer, &clustertypes.MsgAddMembersResponse{},
		&clustertypes.MsgAddMembers{Signer: payer.Address(), Cluster: cluster[:], Members: keyBytes(members)})
	return err
}

// RemoveMembers removes workers from a cluster, which starts a new key epoch.
func (c *Client) RemoveMembers(ctx context.Context, payer Payer, cluster wire.ClusterID, members []sr25519.PublicKey) error {
	_, err := c.post(ctx, payer, &clustertypes.MsgRemoveMembersResponse{},
		&clustertypes.MsgRemoveMembers{Signer: payer.Address(), Cluster: cluster[:], Members: keyBytes(members)})
	return err
}

func keyBytes(keys []sr25519.PublicKey) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = k.Bytes()
	}
	return out
}
