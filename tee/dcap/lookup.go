package dcap

import (
	"crypto/x509"

	"github.com/phalanx-network/phalanx/tee"
)

// Trim returns a quote without the zeros behind it, aliasing data. It refuses what does not have a quote's format
// ([ErrFormat]) or is followed by something else ([ErrTrailing]), and verifies nothing.
func Trim(data []byte) ([]byte, error) {
	q, err := parseQuote(data)
	if err != nil {
		return nil, err
	}
	return data[:q.size:q.size], nil
}

// Bound returns the kind of a quote and the report data that it carries. Nothing is verified: it tells whether a quote is
// the one that was asked for. Errors are those of [Trim].
func Bound(data []byte) (tee.Kind, [tee.ReportDataSize]byte, error) {
	q, err := parseQuote(data)
	if err != nil {
		return 0, [tee.ReportDataSize]byte{}, err
	}
	if q.kind == tee.KindSGX {
		return q.kind, parseEnclaveReport(q.body).ReportData, nil
	}
	return q.kind, parseTDReport(q.body).ReportData, nil
}

// Lookup is what Intel's service must be asked for to get the collateral of a quote.
type Lookup struct {
	Kind      tee.Kind
	FMSPC     [6]byte // names the TCB info
	Processor bool    // the PCK CRL is the Processor CA's, not the Platform CA's
}

// LookupOf reads what a quote says of its platform. Nothing is verified: the answer serves to fetch collateral, and
// [Verify] tells whether that fits. Errors wrap [ErrFormat] or [ErrTrailing], or [ErrChain] for a PCK certificate of
// an unknown authority.
func LookupOf(data []byte) (Lookup, error) {
	q, err := parseQuote(data)
	if err != nil {
		return Lookup{}, err
	}
	ders, _, err := splitPEM(q.chain, 1)
	if err != nil {
		return Lookup{}, err
	}
	pck, err := x509.ParseCertificate(ders[0])
	if err != nil {
		return Lookup{}, refuse(ErrFormat, "PCK certificate: %v", err)
	}
	p, err := parsePlatform(pck)
	if err != nil {
		return Lookup{}, err
	}
	switch pck.Issuer.CommonName {
	case namePlatformCA:
		return Lookup{q.kind, p.fmspc, false}, nil
	case nameProcessorCA:
		return Lookup{q.kind, p.fmspc, true}, nil
	}
	return Lookup{}, refuse(ErrChain, "PCK certificate is of neither CA")
}
