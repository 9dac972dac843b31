package clientcmd

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/client/tx"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

func clusterCommand() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{Use: "cluster", Short: "Clusters of workers, and balances inside them", Args: cobra.NoArgs}
	o.addTo(cmd)
	cmd.AddCommand(clusterListCommand(o), clusterShowCommand(o), clusterCreateCommand(o),
		membersCommand(o, "add-member", "Add workers to a cluster", (*client.Client).AddMembers),
		membersCommand(o, "remove-member", "Remove workers from a cluster, which renews its keys", (*client.Client).RemoveMembers),
		depositCommand(o), withdrawCommand(o), balanceCommand(o))
	return cmd
}

// clusterView is a cluster's proven record.
type clusterView struct {
	Cluster   wire.ClusterID `json:"cluster"`
	Creator   string         `json:"creator"`
	CreatedAt uint64         `json:"created_at"`
	Members   []string       `json:"members"`
	KeyEpoch  uint32         `json:"key_epoch"`
	Key       string         `json:"key"` // empty until it is fixed
	FixedAt   uint64         `json:"fixed_at"`
	InForce   uint32         `json:"epoch_in_force"`
	Marks     uint64         `json:"marks"`
	Finalized *finalView     `json:"finalized"`
	Escrow    string         `json:"escrow"` // uphx
	ProvenAt  uint64         `json:"proven_at"`
}

func clusterOfRecord(p client.Proven[wire.Cluster]) clusterView {
	x := &p.Record
	v := clusterView{
		Cluster: x.ID, Creator: account.Bech32(x.Creator), CreatedAt: x.CreatedAt, Members: []string{}, KeyEpoch: x.KeyEpoch,
		Marks: x.Marks, Escrow: x.Escrow.String(), ProvenAt: p.Header.Height,
	}
	for _, m := range x.Members {
		v.Members = append(v.Members, m.Identity.String())
	}
	if x.Fixed != nil {
		v.Key, v.FixedAt, v.InForce = x.Fixed.Key.String(), x.Fixed.Height, x.Fixed.Epoch
	}
	if x.Finalized != nil {
		v.Finalized = finalRecord(x.Finalized)
	}
	return v
}

func (v clusterView) text(w io.Writer) {
	fmt.Fprintf(w, "cluster   %s\ncreator   %s, at height %d\n", v.Cluster, v.Creator, v.CreatedAt)
	for _, m := range v.Members {
		fmt.Fprintf(w, "member    %s\n", m)
	}
	if v.Key == "" {
		fmt.Fprintf(w, "key       none yet: its members still wait for theirs\n")
	} else {
		fmt.Fprintf(w, "key       %s of epoch %d, since height %d\n", v.Key, v.InForce, v.FixedAt)
	}
	if v.KeyEpoch != v.InForce {
		fmt.Fprintf(w, "          epoch %d has begun; its key is awaited\n", v.KeyEpoch)
	}
	fmt.Fprintf(w, "escrow    %s uphx\nmarks     %d\n", v.Escrow, v.Marks)
	if v.Finalized != nil {
		v.Finalized.text(w)
	}
	fmt.Fprintf(w, "proven    at height %d\n", v.ProvenAt)
}

func clusterShowCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "show [CLUSTER]", Short: "Show a cluster's record, proven", Args: cobra.MaximumNArgs(1),
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			id, err := s.clusterArg(args)
			if err != nil {
				return nil, err
			}
			x, err := s.client.Cluster(ctx, id)
			if err != nil {
				return nil, err
			}
			return clusterOfRecord(x), nil
		}),
	}
}

// clusterArg is the cluster that the arguments name, or the network's.
func (s *session) clusterArg(args []string) (wire.ClusterID, error) {
	if len(args) == 0 {
		return s.net.Cluster, s.needCluster()
	}
	id, err := wire.ParseDigest[wire.ClusterID](args[0])
	if err != nil {
		return id, usage("cluster id: %v", err)
	}
	return id, nil
}

type clusterList struct {
	Clusters []clusterView `json:"clusters"`
}

func (l clusterList) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLUSTER\tMEMBERS\tEPOCH\tMARK\tESCROW")
	for _, v := range l.Clusters {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\n", v.Cluster, len(v.Members), v.InForce, v.Marks, v.Escrow)
	}
	t.Flush()
}

func clusterListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the clusters, as the node has them, each proven", Args: cobra.NoArgs,
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			ids, err := s.client.Clusters(ctx)
			if err != nil {
				return nil, err
			}
			out := clusterList{Clusters: []clusterView{}}
			for _, id := range ids {
				x, err := s.client.Cluster(ctx, id)
				if err != nil {
					return nil, err
				}
				out.Clusters = append(out.Clusters, clusterOfRecord(x))
			}
			return out, nil
		}),
	}
}

// poster opens the account that posts.
func (s *session) poster(name, flag string) (*account.Account, *tx.Sender, error) {
	a, err := s.account(name, flag)
	if err != nil {
		return nil, nil, err
	}
	sender, err := tx.New(s.node, a, tx.Config{ChainID: s.net.ChainID})
	return a, sender, err
}

func clusterCreateCommand(o *options) *cobra.Command {
	var payer string
	cmd := &cobra.Command{
		Use: "create WORKER…", Short: "Make a cluster of registered workers", Args: cobra.MinimumNArgs(1),
		Long:    "Make a cluster of registered workers. The payer is the network's authority or operates every one of them.",
		Example: "  phalanx cluster create 0x52aa… 0x9c01… --payer operator",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			ids, err := s.workersNamed(ctx, args)
			if err != nil {
				return nil, err
			}
			_, sender, err := s.poster(payer, "payer")
			if err != nil {
				return nil, err
			}
			id, err := s.client.CreateCluster(ctx, sender, ids)
			if err != nil {
				return nil, err
			}
			x, err := s.client.Cluster(ctx, id)
			if err != nil {
				return nil, err
			}
			return clusterOfRecord(x), nil
		}),
	}
	cmd.Flags().StringVar(&payer, "payer", "", "key whose account posts and pays")
	required(cmd, "payer")
	return cmd
}

type changeMembers func(*client.Client, context.Context, client.Payer, wire.ClusterID, []sr25519.PublicKey) error

func membersCommand(o *options, name, short string, change changeMembers) *cobra.Command {
	var payer string
	cmd := &cobra.Command{
		Use: name + " CLUSTER WORKER…", Short: short, Args: cobra.MinimumNArgs(2),
		Example: "  phalanx cluster " + name + " 0x77b0… 0x52aa… --payer operator",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			id, err := s.clusterArg(args[:1])
			if err != nil {
				return nil, err
			}
			ids, err := s.workersNamed(ctx, args[1:])
			if err != nil {
				return nil, err
			}
			_, sender, err := s.poster(payer, "payer")
			if err != nil {
				return nil, err
			}
			if err := change(s.client, ctx, sender, id, ids); err != nil {
				return nil, err
			}
			x, err := s.client.Cluster(ctx, id)
			if err != nil {
				return nil, err
			}
			return clusterOfRecord(x), nil
		}),
	}
	cmd.Flags().StringVar(&payer, "payer", "", "key whose account posts and pays")
	required(cmd, "payer")
	return cmd
}

func (s *session) workersNamed(ctx context.Context, args []string) ([]sr25519.PublicKey, error) {
	out := make([]sr25519.PublicKey, len(args))
	for i, a := range args {
		pk, err := s.worker(ctx, a)
		if err != nil {
			return nil, err
		}
		out[i] = pk
	}
	return out, nil
}
