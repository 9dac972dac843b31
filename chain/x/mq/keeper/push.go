package keeper

import (
	"context"
	"fmt"
	"math/big"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/chain/x/mq/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/wire"
)

// msgServer answers the module's Msg service.
type msgServer struct{ *Keeper }

// NewMsgServer returns the module's Msg service.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k} }

// Push posts commands and takes the price of their gas.
func (s msgServer) Push(ctx context.Context, m *types.MsgPush) (*types.MsgPushResponse, error) {
	if err := m.ValidateBasic(); err != nil {
		return nil, err
	}
	account, err := parseAccount(m.Sender)
	if err != nil {
		return nil, err
	}
	if err := s.charge(ctx, account, m.Entries); err != nil {
		return nil, err
	}
	sender := wire.Sender{Variant: wire.SenderAccount, Account: account}
	indexes := make([]uint64, 0, len(m.Entries))
	for i := range m.Entries {
		index, err := s.command(ctx, sender, &m.Entries[i])
		if err != nil {
			return nil, errorsmod.Wrapf(err, "entry %d", i)
		}
		indexes = append(indexes, index)
	}
	return &types.MsgPushResponse{Indexes: indexes}, nil
}

// command appends one command to its cluster's topic.
func (k *Keeper) command(ctx context.Context, sender wire.Sender, e *types.PushEntry) (uint64, error) {
	id := wire.ClusterID(e.Cluster)
	exists, err := k.clusters.HasCluster(ctx, id)
	if err != nil {
		return 0, err
	}
	if !exists {
		return 0, errorsmod.Wrap(types.ErrNoCluster, id.String())
	}
	if err := queue.CheckEnvelope(e.Envelope); err != nil {
		return 0, errorsmod.Wrap(types.ErrEnvelope, err.Error())
	}
	body := wire.Body{
		Kind:    wire.BodyCommand,
		Command: &wire.Command{GasLog2: uint8(e.GasLog2), Envelope: e.Envelope},
	}
	index, err := k.Append(ctx, sender, wire.ClusterTopic(id), &body)
	if err != nil {
		return 0, err
	}
	return index, k.clusters.CommandAppended(ctx, id)
}

// charge takes the price of all entries' gas, each rounded up.
func (k *Keeper) charge(ctx context.Context, account wire.Account, entries []types.PushEntry) error {
	params, err := k.registry.NetworkParams(ctx)
	if err != nil {
		return err
	}
	price := math.ZeroInt()
	for i := range entries {
		price = price.Add(GasFee(uint8(entries[i].GasLog2), params.GasPrice))
	}
	if price.IsZero() {
		return nil
	}
	coins := sdk.NewCoins(sdk.NewCoin(registrytypes.Denom, price))
	if err := k.bank.SendCoinsFromAccountToModule(ctx, account[:], k.feesTo, coins); err != nil {
		return fmt.Errorf("prepaid gas: %w", err)
	}
	return nil
}

// GasFee returns the price of 2^log2 gas: ⌈2^log2 · price / 2^20⌉, in the chain's smallest unit.
func GasFee(log2 uint8, price uint64) math.Int {
	fee := new(big.Int).SetUint64(price)
	fee.Lsh(fee, uint(log2))
	fee.Add(fee, big.NewInt(1<<20-1))
	return math.NewIntFromBigInt(fee.Rsh(fee, 20))
}

// parseAccount reads an account's address. It returns ErrMalformed for one that is not 20 bytes long.
func parseAccount(text string) (wire.Account, error) {
	raw, err := registrytypes.AccountCodec().StringToBytes(text)
	if err != nil {
		return wire.Account{}, errorsmod.Wrapf(types.ErrMalformed, "address: %v", err)
	}
	if len(raw) != len(wire.Account{}) {
		return wire.Account{}, errorsmod.Wrapf(types.ErrMalformed, "address of %d bytes, want 20", len(raw))
	}
	return wire.Account(raw), nil
}
