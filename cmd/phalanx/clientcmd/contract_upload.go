package clientcmd

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/wire"
)

func uploadCommand(o *options) *cobra.Command {
	f := &contractFlags{options: o}
	cmd := &cobra.Command{
		Use: "upload FILE.contract", Short: "Upload a contract's code, encrypted, and make no contract of it",
		Long: `Upload the code of a .contract file, encrypted and in parts, to the cluster. Contracts can then be made of it, and take
it in the place of their own (set_code_hash), by the hash that this prints. ` + "`contract deploy`" + ` uploads by itself.`,
		Example: "  phalanx contract upload counter-2.contract --from alice",
		Args:    cobra.ExactArgs(1),
		RunE:    o.online(f.upload),
	}
	f.addSigner(cmd)
	return cmd
}

func (f *contractFlags) upload(ctx context.Context, s *session, args []string) (result, error) {
	_, c, err := readContract(args[0])
	if err != nil {
		return nil, err
	}
	if len(c.Wasm()) == 0 {
		return nil, usage("%s holds no code", args[0])
	}
	if err := s.needCluster(); err != nil {
		return nil, err
	}
	w, err := s.signer(f.from, f.payer)
	if err != nil {
		return nil, err
	}
	hash, err := s.client.Upload(ctx, w.payer, s.net.Cluster, client.Of(w.from), c.Wasm())
	if err != nil {
		return nil, err
	}
	return uploaded{CodeHash: hash, CodeSize: len(c.Wasm()), Cluster: s.net.Cluster, Payer: w.named}, nil
}

// uploaded is code that a cluster has.
type uploaded struct {
	CodeHash wire.CodeHash  `json:"code_hash"`
	CodeSize int            `json:"code_size"`
	Cluster  wire.ClusterID `json:"cluster"`
	Payer    string         `json:"payer"`
}

func (u uploaded) text(w io.Writer) {
	fmt.Fprintf(w, "code      %s (%d bytes)\ncluster   %s (posted by %s)\n", u.CodeHash, u.CodeSize, u.Cluster, u.Payer)
}
