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
		Long: `Show what the chain has of a contract, proven, and the messages that its file names.

The chain knows the code that a contract was made of. Which code it has now, whether it still exists, and that contracts
have made it, the cluster alone knows: --from asks a worker, with a query, and shows that too.`,
		Example: "  phalanx contract show 0x4f1c…\n" +
			"  phalanx contract show 0x4f1c… --from alice",
		RunE: o.online(f.show),
	}
	cmd.Flags().StringVar(&f.from, "from", "", "key that signs the question which code the contract has now (default: it is not asked)")
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
	Now      *codeView       `json:"now,omitempty"`
	Name     string          `json:"name,omitempty"`
	Messages []messageView   `json:"messages,omitempty"`
}

// codeView is what a worker says of a contract's code.
type codeView struct {
	CodeHash wire.CodeHash    `json:"code_hash"`
	Born     wire.CodeHash    `json:"made_of"`
	Deployer *wire.ContractID `json:"made_by,omitempty"` // the contract that made it
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
	v, err := f.record(ctx, s, id)
	if err != nil {
		return nil, err
	}
	c, err := s.metadata(id, f.file)
	if errors.Is(err, errUsage) && f.file == "" {
		s.note(yellow, "%v", err)
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	code := v.CodeHash
	if v.Now != nil {
		code = v.Now.CodeHash
	}
	hash := wire.CodeHash(c.CodeHash())
	if hash == code {
		v.describe(c)
		return v, nil
	}
	if f.file != "" && v.Now != nil {
		return nil, otherCode(hash, code)
	}
	if f.file != "" {
		return nil, usage("the file is of other code (%s) than the contract was made of (%s); --from asks which it has now", hash, code)
	}
	s.note(yellow, "The messages are not shown: the file that is known here is of code that the contract does not have; --contract-file gives the right one.")
	return v, nil
}

// record returns what the chain has of a contract and, if there is somebody to ask as, what a worker says.
func (f *contractFlags) record(ctx context.Context, s *session, id wire.ContractID) (contractView, error) {
	r, err := s.client.Contract(ctx, id)
	if f.from == "" && errors.Is(err, client.ErrNotFound) {
		return contractView{}, fmt.Errorf("%w; --from asks the cluster, which alone knows contracts that contracts made", err)
	}
	unknown := errors.Is(err, client.ErrNotFound)
	if err != nil && !unknown {
		return contractView{}, err
	}
	v := recordView(id, r)
	if unknown {
		v = contractView{Contract: id, Cluster: s.net.Cluster}
		if err := s.needCluster(); err != nil {
			return v, err
		}
	}
	if f.from == "" {
		return v, nil
	}
	from, err := s.account(f.from, "from")
	if err != nil {
		return v, err
	}
	now, err := s.client.ContractCode(ctx, v.Cluster, id, client.Of(from))
	var said *client.OutcomeError
	if !unknown && errors.As(err, &said) {
		s.note(yellow, "The cluster has it no more, or not yet: %v.", said)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.Now = &codeView{now.Code, now.Born, now.Deployer}
	if unknown {
		v.CodeHash = now.Born
	}
	return v, nil
}

func (v *contractView) describe(c *abi.Contract) {
	v.Name = c.Name
	for _, m := range c.Messages() {
		v.Messages = append(v.Messages, messageView{m.Label, m.Signature(), m.Mutates, m.Payable})
	}
}

func (v contractView) text(w io.Writer) {
	fmt.Fprintf(w, "contract  %s\ncluster   %s\ncode      %s\n", v.Contract, v.Cluster, v.CodeHash)
	if v.Now != nil && v.Now.CodeHash != v.CodeHash {
		fmt.Fprintf(w, "code now  %s\n", v.Now.CodeHash)
	}
	switch {
	case v.Height != 0:
		fmt.Fprintf(w, "made by   message %d of the cluster; on the chain since height %d (proven at %d)\n", v.Index, v.Height, v.ProvenAt)
	case v.Now != nil && v.Now.Deployer != nil:
		fmt.Fprintf(w, "made by   contract %s; the chain does not know it\n", v.Now.Deployer)
	}
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
