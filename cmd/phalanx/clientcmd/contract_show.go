package clientcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/wire"
)

func contractShowCommand(o *options) *cobra.Command {
	f := &contractFlags{options: o}
	cmd := &cobra.Command{
		Use: "show CONTRACT", Short: "Show a contract's record, proven, and its messages", Args: cobra.ExactArgs(1),
		Example: "  phalanx contract show 0x4f1c…",
		RunE:    o.online(f.show),
	}
	f.addFile(cmd)
	return cmd
}

func contractListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List a cluster's contracts, as the node has them, each proven", Args: cobra.NoArgs,
		RunE: o.online(func(ctx context.Context, s *session, _ []string) (result, error) {
			if err := s.needCluster(); err != nil {
				return nil, err
			}
			list, err := s.client.Contracts(ctx, s.net.Cluster)
			if err != nil {
				return nil, err
			}
			out := contractList{Cluster: s.net.Cluster, Contracts: []contractView{}}
			for _, x := range list {
				r, err := s.client.Contract(ctx, x.ID)
				if err != nil {
					return nil, err
				}
				v := recordView(x.ID, r)
				if c, err := s.metadata(x.ID, ""); err == nil {
					v.Name = c.Name
				}
				out.Contracts = append(out.Contracts, v)
			}
			return out, nil
		}),
	}
}

// contractView is a contract's proven record, and what its file says.
type contractView struct {
	Contract wire.ContractID `json:"contract"`
	Cluster  wire.ClusterID  `json:"cluster"`
	CodeHash wire.CodeHash   `json:"code_hash"`
	Index    uint64          `json:"index"`
	Height   uint64          `json:"height"`
	ProvenAt uint64          `json:"proven_at"`
	Name     string          `json:"name,omitempty"`
	Messages []messageView   `json:"messages,omitempty"`
}

type messageView struct {
	Name      string `json:"name"`
	Signature string `json:"signature"`
	Mutates   bool   `json:"mutates"`
	Payable   bool   `json:"payable"`
}

func recordView(id wire.ContractID, r client.Proven[wire.ContractRecord]) contractView {
	x := &r.Record
	return contractView{
		Contract: id, Cluster: x.Cluster, CodeHash: x.CodeHash, Index: x.Index, Height: x.Height, ProvenAt: r.Header.Height,
	}
}

func (f *contractFlags) show(ctx context.Context, s *session, args []string) (result, error) {
	id, err := parseContract(args[0])
	if err != nil {
		return nil, err
	}
	r, err := s.client.Contract(ctx, id)
	if err != nil {
		return nil, err
	}
	v := recordView(id, r)
	c, err := s.metadata(id, f.file)
	if errors.Is(err, errUsage) && f.file == "" {
		s.note(yellow, "%v", err)
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	if hash := wire.CodeHash(c.CodeHash()); hash != r.Record.CodeHash {
		return nil, usage("the file is of other code (%s) than the contract (%s)", hash, r.Record.CodeHash)
	}
	v.describe(c)
	return v, nil
}

func (v *contractView) describe(c *abi.Contract) {
	v.Name = c.Name
	for _, m := range c.Messages() {
		v.Messages = append(v.Messages, messageView{m.Label, m.Signature(), m.Mutates, m.Payable})
	}
}

func (v contractView) text(w io.Writer) {
	fmt.Fprintf(w, "contract  %s\ncluster   %s\ncode      %s\nmade by   message %d of the cluster; on the chain since height %d (proven at %d)\n",
		v.Contract, v.Cluster, v.CodeHash, v.Index, v.Height, v.ProvenAt)
	if v.Name != "" {
		fmt.Fprintf(w, "name      %s\n", v.Name)
	}
	for _, m := range v.Messages {
		how := "query"
		if m.Mutates {
			how = "call"
		}
		if m.Payable {
			how += ", takes value"
		}
		fmt.Fprintf(w, "  %s  [%s]\n", m.Signature, how)
	}
}

type contractList struct {
	Cluster   wire.ClusterID `json:"cluster"`
	Contracts []contractView `json:"contracts"`
}

func (l contractList) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTRACT\tNAME\tSINCE\tCODE")
	for _, v := range l.Contracts {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.18s…\n", v.Contract, dash(v.Name), v.Height, v.CodeHash)
	}
	t.Flush()
}
