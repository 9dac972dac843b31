package nitro

import (
	"fmt"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// Verifier is a [tee.Verifier] of documents. Evidence is a document, without collateral; its roots are certificates in
// DER. It trusts the roots that it is given and no other: that of [Roots] must be among them where AWS shall be believed.
type Verifier struct{}

var _ tee.Verifier = Verifier{}

// Kind returns tee.KindNitro.
func (Verifier) Kind() tee.Kind { return tee.KindNitro }

// Verify returns the claims of a document. Report data is the user data, which must have exactly 64 bytes; the measurement
// is PCR0. AWS publishes no levels of its platform, so it counts as up to date.
func (Verifier) Verify(ev tee.Evidence, roots tee.Roots, now time.Time) (tee.Claims, error) {
	if ev.Kind != tee.KindNitro {
		return tee.Claims{}, fmt.Errorf("%w: %s", tee.ErrKind, ev.Kind)
	}
	if len(ev.Collateral) != 0 {
		return tee.Claims{}, reason.New(reason.Format, "a document takes no collateral, %d bytes are given", len(ev.Collateral))
	}
	o := Options{Now: now, Roots: roots.Of(tee.KindNitro)}
	if o.Roots == nil {
		o.Roots = [][]byte{} // none, where nil would stand for AWS's
	}
	r, err := Verify(ev.Data, o)
	if err != nil {
		return tee.Claims{}, err
	}
	if len(r.UserData) != tee.ReportDataSize {
		return tee.Claims{}, reason.New(reason.ReportData, "user data has %d bytes, not %d", len(r.UserData), tee.ReportDataSize)
	}
	image := r.Measurement()
	return tee.Claims{
		Kind: tee.KindNitro, Measurement: image[:], Registers: r.Registers(), ReportData: [tee.ReportDataSize]byte(r.UserData), Debug: r.Debug(),
		TCBStatus: tee.TCBUpToDate, Confidence: tee.ConfidenceBest, IssuedAt: r.Timestamp.Unix(),
		Expires: r.Expires.Unix(),
	}, nil
}
