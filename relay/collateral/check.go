package collateral

import (
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// makers are the verifiers of what this package completes, and the makers' own roots.
var (
	makers = tee.Verifiers{dcap.Verifier{Of: tee.KindSGX}, dcap.Verifier{Of: tee.KindTDX}, sevsnp.Verifier{}}
	roots  = tee.Roots{Kinds: []tee.KindRoots{
		{Kind: tee.KindSGX, Keys: [][]byte{dcap.IntelRoot().Raw}},
		{Kind: tee.KindTDX, Keys: [][]byte{dcap.IntelRoot().Raw}},
		{Kind: tee.KindSEVSNP, Keys: sevsnp.Roots()},
	}}
)

// Check verifies completed evidence under the makers' own roots, without a policy. A network may trust others: then this
// refuses what the network accepts, so a refusal is worth a warning and no more. Evidence of other kinds passes.
func Check(ev tee.Evidence, now time.Time) error {
	v := makers.Of(ev.Kind)
	if v == nil {
		return nil
	}
	_, err := v.Verify(ev, roots, now)
	return err
}
