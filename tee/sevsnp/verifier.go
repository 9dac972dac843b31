package sevsnp

import (
	"fmt"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// Scale visits the collateral: endorsement_key, intermediate, crls, each in DER.
func (c *Collateral) Scale(s *scale.Codec) {
	s.Bytes(&c.EndorsementKey, certchain.MaxCertificate)
	s.Bytes(&c.Intermediate, certchain.MaxCertificate)
	scale.Slice(s, &c.CRLs, MaxCRLs, func(der *[]byte) { s.Bytes(der, certchain.MaxCRL) })
}

// Verifier is a [tee.Verifier] of reports. Evidence is a report; its collateral is SCALE of [Collateral]; its roots are
// certificates in DER. It trusts the roots that it is given and no other: those of [Roots] must be among them where
// production platforms shall be believed. Floors and required lists are policy's: see [tee.Acceptance].
type Verifier struct{}

var _ tee.Verifier = Verifier{}

// Kind returns tee.KindSEVSNP.
func (Verifier) Kind() tee.Kind { return tee.KindSEVSNP }

// Verify returns the claims of a report. IssuedAt is 0, for a report has no time.
func (Verifier) Verify(ev tee.Evidence, roots tee.Roots, now time.Time) (tee.Claims, error) {
	if ev.Kind != tee.KindSEVSNP {
		return tee.Claims{}, fmt.Errorf("%w: %s", tee.ErrKind, ev.Kind)
	}
	var c Collateral
	if err := scale.Unmarshal(ev.Collateral, &c); err != nil {
		return tee.Claims{}, reason.New(reason.Format, "collateral: %v", err)
	}
	o := Options{Now: now, Roots: roots.Of(tee.KindSEVSNP)}
	if o.Roots == nil {
		o.Roots = [][]byte{} // none, where nil would stand for AMD's
	}
	r, err := Verify(ev.Data, &c, o)
	if err != nil {
		return tee.Claims{}, err
	}
	return tee.Claims{
		Kind: tee.KindSEVSNP, Measurement: r.Measurement[:], Registers: r.Registers(), ReportData: r.ReportData, Debug: r.Debug(),
		TCBStatus: tee.TCBUpToDate, Confidence: tee.ConfidenceBest, Expires: r.Expires.Unix(),
		Product: r.Product, Levels: r.Reported, CRLChecked: r.CRLChecked,
	}, nil
}
