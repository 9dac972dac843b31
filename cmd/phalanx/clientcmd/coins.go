package clientcmd

import (
	"context"
	"fmt"
	"io"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/spf13/cobra"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/tx"
)

// coinsCommand is what accounts of the chain do with their coins outside clusters.
func coinsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "coins", Short: "Coins of the chain's accounts, in public", Args: cobra.NoArgs,
		Long: "Coins of the chain's accounts. Everything here is public; what moves inside a cluster is not: see " +
			"`phalanx cluster deposit`.",
	}
	o := new(options)
	o.addTo(cmd)
	cmd.AddCommand(coinsSendCommand(o), coinsBalanceCommand(o))
	return cmd
}

type coinsSent struct {
	To     string `json:"to"`
	Amount string `json:"amount"` // uphx
	Height uint64 `json:"height"`
	TxHash string `json:"tx_hash"`
}

func (c coinsSent) text(w io.Writer) {
	fmt.Fprintf(w, "sent    %s uphx\nto      %s\nheight  %d\n", c.Amount, c.To, c.Height)
}

func coinsSendCommand(o *options) *cobra.Command {
	var payer string
	cmd := &cobra.Command{
		Use: "send TO AMOUNT", Short: "Send coins to an account", Args: cobra.ExactArgs(2),
		Example: "  phalanx coins send phx1… 10phx --payer alice\n  phalanx coins send bob 500 --payer alice",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			to, err := s.address(args[0])
			if err != nil {
				return nil, err
			}
			amount, err := parseAmount(args[1])
			if err != nil || amount.IsZero() {
				return nil, usage("amount: %v", errAmount)
			}
			_, sender, err := s.poster(payer, "payer")
			if err != nil {
				return nil, err
			}
			coin := sdk.NewCoin(registrytypes.Denom, math.NewIntFromBigInt(amount.Big()))
			r, err := sender.Do(ctx, tx.Options{}, &banktypes.MsgSend{
				FromAddress: sender.Address(), ToAddress: to, Amount: sdk.NewCoins(coin),
			})
			if err != nil {
				return nil, err
			}
			return coinsSent{to, amount.String(), r.Height, upperHex(r.Hash)}, nil
		}),
	}
	cmd.Flags().StringVar(&payer, "payer", "", "key whose account pays")
	required(cmd, "payer")
	return cmd
}

type coinsBalance struct {
	Address string `json:"address"`
	Amount  string `json:"amount"` // uphx
}

func (c coinsBalance) text(w io.Writer) { fmt.Fprintf(w, "%s uphx at %s\n", c.Amount, c.Address) }

func coinsBalanceCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "balance ACCOUNT", Short: "Show an account's coins, on the node's word", Args: cobra.ExactArgs(1),
		Example: "  phalanx coins balance alice\n  phalanx coins balance phx1… -o json",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			address, err := s.address(args[0])
			if err != nil {
				return nil, err
			}
			request := &banktypes.QueryBalanceRequest{Address: address, Denom: registrytypes.Denom}
			var held banktypes.QueryBalanceResponse
			if err := s.node.Query(ctx, "/cosmos.bank.v1beta1.Query/Balance", request, &held); err != nil {
				return nil, err
			}
			return coinsBalance{address, held.Balance.Amount.String()}, nil
		}),
	}
}

// address reads an account: a key's name, or an address.
func (s *session) address(text string) (string, error) {
	if e, err := s.keys.Entry(text); err == nil {
		return e.Address, nil
	}
	a, err := account.ParseBech32(text)
	if err != nil {
		return "", usage("%q is neither the name of a key nor an address: %v", text, err)
	}
	return account.Bech32(a), nil
}
