package clientcmd

import (
	"bytes"
	"context"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/spf13/cobra"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

func nameGatekeepersCommand(o *options) *cobra.Command {
	p := &proposing{options: o}
	cmd := &cobra.Command{
		Use: "name IDENTITY…", Short: "Propose to governance who the gatekeepers are", Args: cobra.RangeArgs(1, wire.MaxGatekeepers),
		Long: "Propose to governance who the gatekeepers are, which hold the MasterKey: all of them, by their identities. Each must be registered, in " +
			"no cluster, and as trustworthy as the policy asks of gatekeepers. `phalanx proposal vote` votes on it; it comes into force after the " +
			"network's delay. On a devnet, the key of the registry's authority decides it at once.",
		Example: "  phalanx gatekeeper name 0x9c01… --payer alice\n  phalanx gatekeeper name 0x9c01… --payer authority",
		RunE: o.online(func(ctx context.Context, s *session, args []string) (result, error) {
			identities, err := identitiesOf(args)
			if err != nil {
				return nil, err
			}
			return p.decide(ctx, s, "gatekeepers", func(authority string) sdk.Msg {
				return &registrytypes.MsgNameGatekeepers{Authority: authority, Identities: identities}
			})
		}),
	}
	p.addTo(cmd)
	return cmd
}

// identitiesOf reads identities, each once.
func identitiesOf(words []string) ([][]byte, error) {
	var out [][]byte
	for _, word := range words {
		var pk sr25519.PublicKey
		if err := pk.UnmarshalText([]byte(word)); err != nil {
			return nil, usage("identity %.80q: %v", word, err)
		}
		if slices.ContainsFunc(out, func(before []byte) bool { return bytes.Equal(before, pk.Bytes()) }) {
			return nil, usage("identity %s comes twice", pk)
		}
		out = append(out, pk.Bytes())
	}
	return out, nil
}
