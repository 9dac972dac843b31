package dcap

import (
	"bytes"
	"crypto/x509"
	"math/big"
)

// CRL extensions that may be critical. Any other may narrow what a list says.
const (
	oidCRLNumber    = "2.5.29.20"
	oidAuthorityKey = "2.5.29.35"
)

// revocationList parses a CRL and checks that issuer signed it and that it is the current one.
func (j *judge) revocationList(what string, der []byte, issuer *x509.Certificate) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, refuse(ErrFormat, "%s: %v", what, err)
	}
	if len(list.Raw) != len(der) {
		return nil, refuse(ErrFormat, "%s is followed by something", what)
	}
	if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
		return nil, refuse(ErrCRL, "%s is of another authority than %q", what, issuer.Subject.CommonName)
	}
	if list.SignatureAlgorithm != x509.ECDSAWithSHA256 || !signs(issuer, list.RawTBSRevocationList, list.Signature) {
		return nil, refuse(ErrCRL, "signature on %s is wrong", what)
	}
	if list.Number == nil || list.NextUpdate.IsZero() {
		return nil, refuse(ErrCRL, "%s has no number or no end", what)
	}
	for _, e := range list.Extensions {
		if id := e.Id.String(); e.Critical && id != oidCRLNumber && id != oidAuthorityKey {
			return nil, refuse(ErrCRL, "%s has the critical extension %s", what, id)
		}
	}
	return list, j.within(what, list.ThisUpdate, list.NextUpdate)
}

// checkRevoked refuses a certificate that is on the list, whatever the reason or date that the list gives: an entry
// that is there means that the authority does not stand by the certificate.
func checkRevoked(list *x509.RevocationList, cert *x509.Certificate) error {
	for i := range list.RevokedCertificateEntries {
		entry := &list.RevokedCertificateEntries[i]
		if sameSerial(entry.SerialNumber, cert.SerialNumber) {
			return refuse(ErrRevoked, "%q is on its authority's revocation list", cert.Subject.CommonName)
		}
	}
	return nil
}

func sameSerial(a, b *big.Int) bool { return a != nil && b != nil && a.Cmp(b) == 0 }
