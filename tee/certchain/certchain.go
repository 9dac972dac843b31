// Package certchain checks a path of X.509 certificates whose order is known, at a time that the caller gives. Platform
// makers certify attestation keys on straight paths with one signature algorithm, so there is nothing to search: each
// certificate is checked against the one before it, once. That makes the result, and the time it takes, depend on the
// bytes alone; x509.Certificate.Verify would also ask about host names, and tries every combination it is given.
//
// Errors are those of package reason: "format", "algorithm", "chain" and "expired". Signatures are checked before dates,
// so "expired" is said only of certificates that the root really made.
package certchain

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"time"

	"github.com/phalanx-network/phalanx/tee/p384"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// MaxCertificate is the size of a certificate that [Parse] takes, in bytes of DER.
const MaxCertificate = 8 << 10

// Parse reads one DER certificate of at most MaxCertificate bytes with nothing after it. role names it in errors.
func Parse(role string, der []byte) (*x509.Certificate, error) {
	if len(der) == 0 || len(der) > MaxCertificate {
		return nil, reason.New(reason.Format, "%s has %d bytes, 1 to %d are allowed", role, len(der), MaxCertificate)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, reason.New(reason.Format, "%s: %v", role, err)
	}
	if cert.Version != 3 {
		return nil, reason.New(reason.Format, "%s is an X.509 version %d certificate", role, cert.Version)
	}
	return cert, nil
}

// Verify checks that root certifies path[0], each certificate of the path the next, all with alg, and that all of them,
// root included, hold at now. The last of the path is an end entity. root itself is trusted as it is.
func Verify(root *x509.Certificate, path []*x509.Certificate, alg x509.SignatureAlgorithm, now time.Time) error {
	if len(path) == 0 {
		return reason.New(reason.Chain, "the path is empty")
	}
	parent := root
	for i, cert := range path {
		if err := issued(parent, cert, alg, len(path)-1-i); err != nil {
			return err
		}
		parent = cert
	}
	if path[len(path)-1].IsCA {
		return reason.New(reason.Chain, "%q signed evidence and is an authority", parent.Subject.CommonName)
	}
	if err := Holds(root, now); err != nil {
		return err
	}
	for _, cert := range path {
		if err := Holds(cert, now); err != nil {
			return err
		}
	}
	return nil
}

// issued checks one link. below is the number of authorities between parent and the end of the path.
func issued(parent, cert *x509.Certificate, alg x509.SignatureAlgorithm, below int) error {
	name := cert.Subject.CommonName
	if cert.SignatureAlgorithm != alg {
		return reason.New(reason.Algorithm, "certificate %q is signed with %v, want %v", name, cert.SignatureAlgorithm, alg)
	}
	if len(cert.UnhandledCriticalExtensions) != 0 {
		return reason.New(reason.Chain, "certificate %q has critical extension %v", name, cert.UnhandledCriticalExtensions[0])
	}
	if !bytes.Equal(cert.RawIssuer, parent.RawSubject) {
		return reason.New(reason.Chain, "certificate %q is issued by %q, not by %q", name, cert.Issuer.CommonName, parent.Subject.CommonName)
	}
	if !parent.BasicConstraintsValid || !parent.IsCA || parent.KeyUsage&x509.KeyUsageCertSign == 0 {
		return reason.New(reason.Chain, "%q may not issue certificates", parent.Subject.CommonName)
	}
	if parent.MaxPathLen >= 0 && below > parent.MaxPathLen {
		return reason.New(reason.Chain, "%q allows %d authorities below it, %d are", parent.Subject.CommonName, parent.MaxPathLen, below)
	}
	if constrained(parent) {
		return reason.New(reason.Chain, "%q has name constraints", parent.Subject.CommonName)
	}
	if err := CheckSignature(parent, alg, cert.RawTBSCertificate, cert.Signature); err != nil {
		return reason.New(reason.Chain, "certificate %q: %v", name, err)
	}
	return nil
}

// CheckSignature reports whether a certificate's key signed a text: x509's CheckSignature, with the faster P-384.
func CheckSignature(by *x509.Certificate, alg x509.SignatureAlgorithm, signed, signature []byte) error {
	key, ok := by.PublicKey.(*ecdsa.PublicKey)
	if !ok || alg != x509.ECDSAWithSHA384 || key.Curve != elliptic.P384() {
		return by.CheckSignature(alg, signed, signature)
	}
	if !p384.VerifyASN1(key, sha512.Sum384(signed), signature) {
		return errors.New("ECDSA verification failure")
	}
	return nil
}

// constrained reports name constraints. No maker uses them, so they are refused rather than judged.
func constrained(c *x509.Certificate) bool {
	return len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+
		len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses)+len(c.PermittedURIDomains)+len(c.ExcludedURIDomains) != 0
}

// Holds checks that now lies within a certificate's dates.
func Holds(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return reason.New(reason.Expired, "certificate %q holds from %s to %s, not at %s", cert.Subject.CommonName,
			stamp(cert.NotBefore), stamp(cert.NotAfter), stamp(now))
	}
	return nil
}

// Until returns the earliest end of certificates, in UTC; the zero time for none.
func Until(certs ...*x509.Certificate) time.Time {
	var end time.Time
	for _, cert := range certs {
		if end.IsZero() || cert.NotAfter.Before(end) {
			end = cert.NotAfter
		}
	}
	return end.UTC()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// MaxCRL is the size of a revocation list that [ParseCRL] takes, in bytes of DER.
const MaxCRL = 64 << 10

// ParseCRL reads one DER revocation list of at most MaxCRL bytes with nothing after it.
func ParseCRL(der []byte) (*x509.RevocationList, error) {
	if len(der) == 0 || len(der) > MaxCRL {
		return nil, reason.New(reason.Format, "revocation list has %d bytes, 1 to %d are allowed", len(der), MaxCRL)
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, reason.New(reason.Format, "revocation list: %v", err)
	}
	if len(crl.Raw) != len(der) { // which the parser does not look at
		return nil, reason.New(reason.Format, "revocation list has %d bytes behind it", len(der)-len(crl.Raw))
	}
	return crl, nil
}

// CheckRevoked checks that issuer signed crl with alg, that it holds at now, and that cert is not on it. A list with a
// critical extension, a partial one say, is refused.
func CheckRevoked(crl *x509.RevocationList, issuer, cert *x509.Certificate, alg x509.SignatureAlgorithm, now time.Time) error {
	name := issuer.Subject.CommonName
	if !bytes.Equal(crl.RawIssuer, issuer.RawSubject) {
		return reason.New(reason.CRL, "list is of %q, not of %q", crl.Issuer.CommonName, name)
	}
	if crl.SignatureAlgorithm != alg || issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return reason.New(reason.CRL, "list of %q is signed with %v by a key that may not or with another algorithm", name, crl.SignatureAlgorithm)
	}
	for _, e := range crl.Extensions {
		if e.Critical {
			return reason.New(reason.CRL, "list of %q has critical extension %v", name, e.Id)
		}
	}
	if err := CheckSignature(issuer, alg, crl.RawTBSRevocationList, crl.Signature); err != nil {
		return reason.New(reason.CRL, "list of %q: %v", name, err)
	}
	if now.Before(crl.ThisUpdate) || now.After(crl.NextUpdate) {
		return reason.New(reason.Expired, "list of %q holds from %s to %s, not at %s", name, stamp(crl.ThisUpdate), stamp(crl.NextUpdate), stamp(now))
	}
	for _, entry := range crl.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return reason.New(reason.Revoked, "%q has revoked %q, serial %x", name, cert.Subject.CommonName, cert.SerialNumber)
		}
	}
	return nil
}
