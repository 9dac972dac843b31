package keeper

import (
	"context"
	"fmt"
	"math/big"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/chain/queue"
	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

// deposit moves coins into a cluster's escrow and tells its topic for whom.
func (k *Keeper) deposit(
	ctx context.Context, from wire.Account, id wire.ClusterID, coin sdk.Coin, beneficiary []byte,
) (uint64, error) {
	c, err := k.Cluster(ctx, id)
	if err != nil {
		return 0, err
	}
	if coin.Denom != registrytypes.Denom || !coin.Amount.IsPositive() || coin.Amount.BigInt().BitLen() > 128 {
		return 0, errorsmod.Wrapf(types.ErrAmount, "%s, want %s from 1 to 2^128-1", coin, registrytypes.Denom)
	}
	amount := uint128.FromBig(coin.Amount.BigInt())
	if c.Escrow.Cmp(uint128.Max.Sub(amount)) > 0 {
		return 0, errorsmod.Wrap(types.ErrAmount, "the cluster's escrow would exceed 2^128-1")
	}
	if err := queue.CheckEnvelope(beneficiary); err != nil {
		return 0, errorsmod.Wrapf(types.ErrMalformed, "beneficiary: %v", err)
	}
	err = k.bank.SendCoinsFromAccountToModule(ctx, from[:], types.ModuleName, sdk.NewCoins(coin))
	if err != nil {
		return 0, fmt.Errorf("deposit: %w", err)
	}
	c.Escrow = c.Escrow.Add(amount)
	if err := k.saveCluster(ctx, c); err != nil {
		return 0, err
	}
	body := wire.Deposit{Depositor: from, Amount: amount, Beneficiary: beneficiary}
	index, err := k.post(ctx, id, &wire.Body{Kind: wire.BodyDeposit, Deposit: &body})
	if err != nil {
		return 0, err
	}
	if err := k.touch(ctx, id); err != nil {
		return 0, err
	}
	address, err := accountText(from)
	if err != nil {
		return 0, err
	}
	return index, emit(ctx, &types.EventDeposit{
		Cluster: id.String(), Depositor: address, Amount: amount.String(), Index: index,
	})
}

// pay pays the withdrawals that are due, each number once and in order, and changes c, which the caller saves. It stops
// for good at a number that is skipped or at an amount over the escrow: members that all report such a thing are
// broken, and a coin of another cluster must not pay for it.
func (k *Keeper) pay(ctx context.Context, c *wire.Cluster, list []wire.Withdrawal) error {
	for i := range list {
		w := &list[i]
		if w.Number < c.NextPaid {
			continue
		}
		if w.Number > c.NextPaid || w.Amount.Cmp(c.Escrow) > 0 {
			return emit(ctx, &types.EventPaymentsStopped{
				Cluster: c.ID.String(), Number: w.Number, Amount: w.Amount.String(), Escrow: c.Escrow.String(),
			})
		}
		c.Escrow = c.Escrow.Sub(w.Amount)
		c.NextPaid++
		if err := k.payOne(ctx, c.ID, w); err != nil {
			return err
		}
	}
	return nil
}

// payOne pays a withdrawal, or holds it where the bank refuses the account, and tells the topic. To refuse the whole
// list instead would let one bad address stop everybody's money.
func (k *Keeper) payOne(ctx context.Context, id wire.ClusterID, w *wire.Withdrawal) error {
	inner, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	refusal := k.send(inner, w.Account, w.Amount)
	if refusal == nil {
		write()
	} else if err := k.save(ctx, numberKey(prefixHeld, id, w.Number), w); err != nil {
		return err
	}
	paid := wire.Paid{Number: w.Number}
	if _, err := k.post(ctx, id, &wire.Body{Kind: wire.BodyPaid, Paid: &paid}); err != nil {
		return err
	}
	address, err := accountText(w.Account)
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventPaid{
		Cluster: id.String(), Number: w.Number, Account: address, Amount: w.Amount.String(), Held: refusal != nil,
	})
}

func (k *Keeper) send(ctx context.Context, to wire.Account, amount uint128.Uint128) error {
	if amount.IsZero() {
		return nil
	}
	coins := sdk.NewCoins(sdk.NewCoin(registrytypes.Denom, math.NewIntFromBigInt(amount.Big())))
	return k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, to[:], coins)
}

// releaseHeld pays a held withdrawal to another account.
func (k *Keeper) releaseHeld(ctx context.Context, id wire.ClusterID, number uint64, to wire.Account) error {
	var w wire.Withdrawal
	key := numberKey(prefixHeld, id, number)
	found, err := k.load(ctx, key, &w)
	if err != nil {
		return err
	}
	if !found {
		return errorsmod.Wrapf(types.ErrNotFound, "withdrawal %d is not held", number)
	}
	if err := k.delete(ctx, key); err != nil {
		return err
	}
	if err := k.send(ctx, to, w.Amount); err != nil {
		return fmt.Errorf("held withdrawal: %w", err)
	}
	address, err := accountText(to)
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventPaid{
		Cluster: id.String(), Number: number, Account: address, Amount: w.Amount.String(),
	})
}

// EscrowSurplus returns how much the module account holds beyond what the clusters' records say it owes, which is
// nothing as long as nobody gives it coins for no reason. It reads every cluster, so it is for genesis and tests.
func (k *Keeper) EscrowSurplus(ctx context.Context) (math.Int, error) {
	owed := new(big.Int)
	err := k.ascend(ctx, "cluster/", func(_ string, value []byte) (bool, error) {
		var c wire.Cluster
		err := scale.Unmarshal(value, &c)
		owed.Add(owed, c.Escrow.Big())
		return true, err
	})
	if err != nil {
		return math.Int{}, err
	}
	err = k.ascend(ctx, prefixHeld, func(_ string, value []byte) (bool, error) {
		var w wire.Withdrawal
		err := scale.Unmarshal(value, &w)
		owed.Add(owed, w.Amount.Big())
		return true, err
	})
	if err != nil {
		return math.Int{}, err
	}
	held := k.bank.GetBalance(ctx, authtypes.NewModuleAddress(types.ModuleName), registrytypes.Denom)
	return math.NewIntFromBigInt(owed.Sub(held.Amount.BigInt(), owed)), nil
}
