package clientcmd

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

type depositResult struct {
	Cluster     wire.ClusterID `json:"cluster"`
	Amount      string         `json:"amount"` // uphx
	Beneficiary string         `json:"beneficiary"`
	Index       uint64         `json:"index"`
	Height      uint64         `json:"height"`
	TxHash      string         `json:"tx_hash"`
}

func (d depositResult) text(w io.Writer) {
	fmt.Fprintf(w, "deposited    %s uphx\nbeneficiary  %s (inside the envelope)\nheight       %d (message %d of the cluster)\n",
		d.Amount, d.Beneficiary, d.Height, d.Index)
}

func depositCommand(o *options) *cobra.Command {
	var payer, to string
	cmd := &cobra.Command{
		Use: "deposit AMOUNT", Short: "Move coins from the chain into a balance in the cluster", Args: cobra.ExactArgs(1),
		Long: `Move coins of the payer's account into the cluster's escrow, and credit them to an identity inside the cluster. The
chain shows payer and amount; who is credited is encrypted.`,
		Example: "  phalanx cluster deposit 5phx --payer alice\n  phalanx cluster deposit 1000 --payer alice --to 0x46eb…",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			amount, err := parseAmount(args[0])
			if err != nil || amount.IsZero() {
				return nil, usage("amount: %v", errAmount)
			}
			if err := s.needCluster(); err != nil {
				return nil, err
			}
			a, sender, err := s.poster(payer, "payer")
			if err != nil {
				return nil, err
			}
			who, err := s.identity(to, a.Identity())
			if err != nil {
				return nil, err
			}
			d, err := s.client.Deposit(ctx, sender, s.net.Cluster, who, amount)
			if err != nil {
				return nil, err
			}
			return depositResult{s.net.Cluster, amount.String(), who.String(), d.Index, d.Height, upperHex(d.TxHash)}, nil
		}),
	}
	cmd.Flags().StringVar(&payer, "payer", "", "key whose account pays")
	required(cmd, "payer")
	cmd.Flags().StringVar(&to, "to", "", "who is credited: a key's name, or an sr25519 identity in hex (default: the payer's own identity)")
	return cmd
}

// identity reads whom a deposit is for.
func (s *session) identity(text string, own wire.Identity) (wire.Identity, error) {
	if text == "" {
		return own, nil
	}
	if e, err := s.keys.Entry(text); err == nil {
		text = e.Identity
	}
	var pk sr25519.PublicKey
	if err := pk.UnmarshalText([]byte(text)); err != nil {
		return own, usage("--to: neither the name of a key nor an identity: %v", err)
	}
	return wire.Sr25519Identity(pk), nil
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

type withdrawal struct {
	Cluster wire.ClusterID `json:"cluster"`
	Amount  string         `json:"amount"`
	To      string         `json:"to"`
	Status  string         `json:"status"`
	Fault   string         `json:"fault,omitempty"`
	GasUsed uint64         `json:"gas_used"`
	Height  uint64         `json:"height"`
	Index   uint64         `json:"index"`
}

func (x withdrawal) text(w io.Writer) {
	fmt.Fprintf(w, "status  %s\n", x.Status)
	if x.Fault != "" {
		fmt.Fprintf(w, "fault   %s\n", x.Fault)
	}
	fmt.Fprintf(w, "amount  %s uphx to %s; paid when the next checkpoint is finalized\nheight  %d (message %d of the cluster)\n",
		x.Amount, x.To, x.Height, x.Index)
}

func withdrawCommand(o *options) *cobra.Command {
	var from, payer, to string
	cmd := &cobra.Command{
		Use: "withdraw AMOUNT", Short: "Move coins from a balance in the cluster to an account of the chain", Args: cobra.ExactArgs(1),
		Example: "  phalanx cluster withdraw 2phx --from alice\n  phalanx cluster withdraw 500 --from alice --to phx1… --payer bob",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			amount, err := parseAmount(args[0])
			if err != nil || amount.IsZero() {
				return nil, usage("amount: %v", errAmount)
			}
			if err := s.needCluster(); err != nil {
				return nil, err
			}
			w, err := s.signer(from, payer)
			if err != nil {
				return nil, err
			}
			receiver := w.from.Address()
			if to != "" {
				if receiver, err = account.ParseBech32(to); err != nil {
					return nil, usage("--to: %v", err)
				}
			}
			r, err := s.client.Withdraw(ctx, w.payer, s.net.Cluster, client.Of(w.from), receiver, amount)
			if err != nil {
				return nil, err
			}
			out := r.Outcome()
			return withdrawal{
				s.net.Cluster, amount.String(), account.Bech32(receiver), out.Status.String(), out.Fault, out.GasUsed,
				r.Height(), r.Pending.Index,
			}, client.Check(out)
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "key whose balance it is")
	required(cmd, "from")
	cmd.Flags().StringVar(&payer, "payer", "", "key whose account posts and pays, in public (default: that of --from)")
	cmd.Flags().StringVar(&to, "to", "", "address that is paid, in public (default: that of --from)")
	return cmd
}

type balanceResult struct {
	Cluster wire.ClusterID `json:"cluster"`
	Balance string         `json:"balance"` // uphx
	Height  uint64         `json:"height"`
	Worker  string         `json:"worker"`
}

func (b balanceResult) text(w io.Writer) {
	fmt.Fprintf(w, "%s uphx at height %d\n", b.Balance, b.Height)
}

func balanceCommand(o *options) *cobra.Command {
	var from, worker string
	cmd := &cobra.Command{
		Use: "balance", Short: "Ask a worker for one's own balance in the cluster", Args: cobra.NoArgs,
		Example: "  phalanx cluster balance --from alice",
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			if err := s.needCluster(); err != nil {
				return nil, err
			}
			a, err := s.account(from, "from")
			if err != nil {
				return nil, err
			}
			id, err := s.worker(ctx, worker)
			if err != nil {
				return nil, err
			}
			amount, answer, err := s.client.Balance(ctx, s.net.Cluster, id, client.Of(a))
			if err != nil {
				return nil, err
			}
			return balanceResult{s.net.Cluster, amount.String(), answer.Height, answer.Worker.String()}, nil
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "key whose balance it is")
	required(cmd, "from")
	cmd.Flags().StringVar(&worker, "worker", "", "the worker to ask (default: any of the cluster)")
	return cmd
}
