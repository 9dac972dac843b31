package dcap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"sync"
	"time"
)

// IntelRootSHA256 is the SHA-256, in hexadecimal, of the DER of Intel's SGX Root CA.
const IntelRootSHA256 = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"

//go:embed intel_sgx_root_ca.der
var intelRootDER []byte

var intelRoot = sync.OnceValue(func() *x509.Certificate {
	if sum := sha256.Sum256(intelRootDER); hex.EncodeToString(sum[:]) != IntelRootSHA256 {
		panic("dcap: the embedded root is not Intel's")
	}
	root, err := x509.ParseCertificate(intelRootDER)
	if err != nil {
		panic("dcap: the embedded root cannot be parsed: " + err.Error())
	}
	return root
})

// IntelRoot returns Intel's SGX Root CA, under which every production platform lies. It is not to be changed.
func IntelRoot() *x509.Certificate { return intelRoot() }

// Common names that Intel gives the certificates. A test PKI gives the same.
const (
	nameRoot        = "Intel SGX Root CA"
	namePlatformCA  = "Intel SGX PCK Platform CA"
	nameProcessorCA = "Intel SGX PCK Processor CA"
	namePCK         = "Intel SGX PCK Certificate"
	nameTCBSigning  = "Intel SGX TCB Signing"
)

// judge holds what one verification works with, and what it has found out so far.
type judge struct {
	roots []*x509.Certificate
	now   time.Time
	known []*known
	// expires is the earliest end of anything that was relied on.
	expires time.Time
}

// known is a certificate that was parsed in this verification, so that one that occurs in two chains costs once.
type known struct {
	cert     *x509.Certificate
	signedBy *x509.Certificate // whose signature on it was checked
}

// within checks that now is neither before begin nor after end, which are inclusive as in RFC 5280.
func (j *judge) within(what string, begin, end time.Time) error {
	if j.now.Before(begin) {
		return refuse(ErrNotYetValid, "%s is valid from %s", what, begin.UTC().Format(time.RFC3339))
	}
	if j.now.After(end) {
		return refuse(ErrExpired, "%s was valid until %s", what, end.UTC().Format(time.RFC3339))
	}
	if j.expires.IsZero() || end.Before(j.expires) {
		j.expires = end.UTC()
	}
	return nil
}

// parse reads one certificate, or finds it among those already read.
func (j *judge) parse(der []byte) (*known, error) {
	for _, k := range j.known {
		if bytes.Equal(k.cert.Raw, der) {
			return k, nil
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refuse(ErrFormat, "certificate: %v", err)
	}
	if err := checkAlgorithms(cert); err != nil {
		return nil, err
	}
	k := &known{cert: cert}
	j.known = append(j.known, k)
	return k, nil
}

// checkAlgorithms takes ECDSA with SHA-256 on P-256 alone, as all of Intel's certificates are.
func checkAlgorithms(cert *x509.Certificate) error {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || cert.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return refuse(ErrChain, "%q is not ECDSA with SHA-256 on P-256", cert.Subject.CommonName)
	}
	if cert.Version != 3 || len(cert.UnhandledCriticalExtensions) != 0 {
		return refuse(ErrChain, "%q has a version or critical extension that is unknown", cert.Subject.CommonName)
	}
	return nil
}

// signs reports whether cert's key made the ASN.1 signature of message.
func signs(cert *x509.Certificate, message, signature []byte) bool {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	digest := sha256.Sum256(message)
	return ok && ecdsa.VerifyASN1(key, digest[:], signature)
}

// link checks that issuer signed k. The signature is checked once however often the pair occurs.
func (j *judge) link(k *known, issuer *x509.Certificate) error {
	if !bytes.Equal(k.cert.RawIssuer, issuer.RawSubject) {
		return refuse(ErrChain, "%q was issued by another than %q", k.cert.Subject.CommonName, issuer.Subject.CommonName)
	}
	if k.signedBy == issuer {
		return nil
	}
	if !signs(issuer, k.cert.RawTBSCertificate, k.cert.Signature) {
		return refuse(ErrChain, "signature on %q is wrong", k.cert.Subject.CommonName)
	}
	k.signedBy = issuer
	return nil
}

func checkCA(cert *x509.Certificate, names ...string) error {
	const usage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	if !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage&usage != usage {
		return refuse(ErrChain, "%q is no authority", cert.Subject.CommonName)
	}
	return checkName(cert, names...)
}

func checkLeaf(cert *x509.Certificate, name string) error {
	if cert.IsCA || cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refuse(ErrChain, "%q is not for signatures on data", cert.Subject.CommonName)
	}
	return checkName(cert, name)
}

func checkName(cert *x509.Certificate, names ...string) error {
	for _, name := range names {
		if cert.Subject.CommonName == name {
			return nil
		}
	}
	return refuse(ErrChain, "a certificate of %q stands where %q should", cert.Subject.CommonName, names[0])
}

// root returns the trusted root that der is, or that der is another edition of: the same name and key, signed by it.
// Intel has issued its root anew with the same key before.
func (j *judge) root(der []byte) (*x509.Certificate, error) {
	for _, r := range j.roots {
		if bytes.Equal(r.Raw, der) {
			return r, j.checkRoot(r)
		}
	}
	k, err := j.parse(der)
	if err != nil {
		return nil, err
	}
	for _, r := range j.roots {
		if !bytes.Equal(r.RawSubject, k.cert.RawSubject) ||
			!bytes.Equal(r.RawSubjectPublicKeyInfo, k.cert.RawSubjectPublicKeyInfo) {
			continue
		}
		if err := j.link(k, r); err != nil {
			return nil, err
		}
		if err := j.checkRoot(k.cert); err != nil {
			return nil, err
		}
		return r, j.checkRoot(r)
	}
	return nil, refuse(ErrChain, "%q is no trusted root", k.cert.Subject.CommonName)
}

func (j *judge) checkRoot(root *x509.Certificate) error {
	if err := checkAlgorithms(root); err != nil {
		return err
	}
	if err := checkCA(root, nameRoot); err != nil {
		return err
	}
	return j.within("root", root.NotBefore, root.NotAfter)
}

// authority checks a PCK CA under its root.
func (j *judge) authority(der []byte, root *x509.Certificate) (*x509.Certificate, error) {
	k, err := j.parse(der)
	if err != nil {
		return nil, err
	}
	if err := checkCA(k.cert, namePlatformCA, nameProcessorCA); err != nil {
		return nil, err
	}
	if root.MaxPathLen == 0 && root.MaxPathLenZero {
		return nil, refuse(ErrChain, "root allows no authority below it")
	}
	if err := j.link(k, root); err != nil {
		return nil, err
	}
	return k.cert, j.within("PCK CA", k.cert.NotBefore, k.cert.NotAfter)
}

// leaf checks a certificate that signs data, under its issuer.
func (j *judge) leaf(der []byte, issuer *x509.Certificate, name string) (*x509.Certificate, error) {
	k, err := j.parse(der)
	if err != nil {
		return nil, err
	}
	if err := checkLeaf(k.cert, name); err != nil {
		return nil, err
	}
	if err := j.link(k, issuer); err != nil {
		return nil, err
	}
	return k.cert, j.within(name, k.cert.NotBefore, k.cert.NotAfter)
}

// pckChain is the path from a platform's key to a root.
type pckChain struct {
	pck, ca, root *x509.Certificate
}

// pckChain checks the three certificates in a quote.
func (j *judge) pckChain(pem []byte) (*pckChain, error) {
	ders, rest, err := splitPEM(pem, 3)
	if err != nil {
		return nil, err
	}
	if i := firstNonZero(rest); i >= 0 {
		return nil, refuse(ErrTrailing, "byte %d behind the PCK chain is not zero", i)
	}
	c := new(pckChain)
	if c.root, err = j.root(ders[2]); err != nil {
		return nil, err
	}
	if c.ca, err = j.authority(ders[1], c.root); err != nil {
		return nil, err
	}
	if c.pck, err = j.leaf(ders[0], c.ca, namePCK); err != nil {
		return nil, err
	}
	return c, nil
}

// pair splits a chain of collateral: a certificate and its root, and nothing else.
func (j *judge) pair(what string, pem []byte) (der []byte, root *x509.Certificate, err error) {
	ders, rest, err := splitPEM(pem, 2)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) != 0 {
		return nil, nil, refuse(ErrFormat, "%s issuer chain is followed by something", what)
	}
	root, err = j.root(ders[1])
	return ders[0], root, err
}
