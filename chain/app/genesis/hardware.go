package genesis

import (
	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// HardwareRoots returns the roots of the makers of real TEEs: Intel's for SGX and TDX, AMD's for SEV-SNP, AWS's for Nitro.
func HardwareRoots() tee.Roots {
	intel := [][]byte{dcap.IntelRoot().Raw}
	return tee.Roots{Kinds: []tee.KindRoots{
		{Kind: tee.KindSGX, Keys: intel},
		{Kind: tee.KindTDX, Keys: intel},
		{Kind: tee.KindSEVSNP, Keys: sevsnp.Roots()},
		{Kind: tee.KindNitro, Keys: nitro.Roots()},
	}}
}

// HardwareRegistry returns the registry of a production network that believes real TEEs as the policy says, under
// [HardwareRoots]. Everything later is for governance to decide. It fails with an error that wraps tee.ErrPolicy, or with
// types.ErrParams for a policy that a production network must not have. A test network may put its own roots in what is
// returned.
func HardwareRegistry(policy *tee.Policy) (*types.GenesisState, error) {
	raw, err := scale.Marshal(policy)
	if err != nil {
		return nil, err
	}
	roots := HardwareRoots()
	g := types.DefaultGenesis()
	g.Params.Policy = raw
	g.Params.Roots = scale.MustMarshal(&roots)
	return g, g.Validate()
}
