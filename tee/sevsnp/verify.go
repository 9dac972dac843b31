package sevsnp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"crypto/x509"
	"strings"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	spb "github.com/google/go-sev-guest/proto/sevsnp"

	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/p384"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// MaxCRLs is how many revocation lists [Collateral] may hold.
const MaxCRLs = 2

// algorithm is the one with which AMD signs certificates and lists.
const algorithm = x509.SHA384WithRSAPSS

// Collateral is what a report's verification needs beside it.
type Collateral struct {
	// EndorsementKey is the certificate (DER) of the key that signed: the VCEK or the VLEK.
	EndorsementKey []byte
	// Intermediate is the certificate (DER) of the key that signed EndorsementKey: the ASK or the ASVK. Empty means AMD's.
	Intermediate []byte
	// CRLs are revocation lists (DER), each signed by the root or by the intermediate.
	CRLs [][]byte
}

// Options say against what a report is verified.
type Options struct {
	// Now is the time at which certificates and lists must hold.
	Now time.Time
	// Roots are the trusted root certificates (DER), one a product. nil means AMD's, see [Roots].
	Roots [][]byte
	// RequireCRL asks for a revocation list of the root.
	RequireCRL bool
	// MinTCB is the reported level below which a platform is out of date; nil asks for none. It belongs to one product.
	MinTCB *TCB
}

// Verify checks a report's form and signature, and the path from its signing key to a root. The result is data for a
// policy to judge. Errors carry one of the words format, trailing, version, algorithm, product, unsigned, missing, chain,
// expired, revoked, crl, machine and signature.
func Verify(report []byte, c *Collateral, o Options) (*Result, error) {
	r, err := parseReport(report)
	if err != nil {
		return nil, err
	}
	signer, err := abi.ParseSignerInfo(r.SignerInfo)
	if err != nil {
		return nil, reason.New(reason.Format, "signer: %v", err)
	}
	if signer.MaskChipKey || signer.SigningKey == abi.NoneReportSigner {
		return nil, reason.New(reason.Unsigned, "the platform was told not to sign with its key")
	}
	out := &Result{Signer: signer.SigningKey.String()}
	if err := out.fill(r); err != nil {
		return nil, err
	}
	p, err := loadPath(c, o)
	if err != nil {
		return nil, err
	}
	if out.Product, err = p.product(signer.SigningKey); err != nil {
		return nil, err
	}
	if err := p.verify(o.Now); err != nil {
		return nil, err
	}
	if err := p.checkRevoked(c.CRLs, o, out); err != nil {
		return nil, err
	}
	if err := out.bind(p.key, signer.SigningKey, r); err != nil {
		return nil, err
	}
	if err := checkSignature(report, p.key); err != nil {
		return nil, err
	}
	out.UpToDate = o.MinTCB == nil || out.Reported.AtLeast(*o.MinTCB)
	return out, nil
}

// path is the certificates from the root to the key that signed.
type path struct{ root, intermediate, key *x509.Certificate }

func loadPath(c *Collateral, o Options) (*path, error) {
	if c == nil || len(c.EndorsementKey) == 0 {
		return nil, reason.New(reason.Missing, "no certificate of the key that signed")
	}
	if len(c.CRLs) > MaxCRLs {
		return nil, reason.New(reason.Format, "%d revocation lists, at most %d are allowed", len(c.CRLs), MaxCRLs)
	}
	key, err := certchain.Parse("endorsement key", c.EndorsementKey)
	if err != nil {
		return nil, err
	}
	p := &path{key: key}
	if len(c.Intermediate) != 0 {
		p.intermediate, err = certchain.Parse("intermediate", c.Intermediate)
	} else {
		p.intermediate, err = named(embedded().intermediates, key.RawIssuer, key.Issuer.CommonName)
	}
	if err != nil {
		return nil, err
	}
	roots := embedded().roots
	if o.Roots != nil {
		if roots, err = parseRoots(o.Roots); err != nil {
			return nil, err
		}
	}
	p.root, err = named(roots, p.intermediate.RawIssuer, p.intermediate.Issuer.CommonName)
	return p, err
}

func parseRoots(ders [][]byte) ([]*x509.Certificate, error) {
	var roots []*x509.Certificate
	for _, der := range ders {
		root, err := certchain.Parse("root", der)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// named returns the certificate whose subject is the one given.
func named(certs []*x509.Certificate, subject []byte, name string) (*x509.Certificate, error) {
	for _, cert := range certs {
		if bytes.Equal(cert.RawSubject, subject) {
			return cert, nil
		}
	}
	return nil, reason.New(reason.Chain, "no trusted certificate is named %q", name)
}

// verify checks the signatures and dates of the path. The link between AMD's own certificates is fixed with this package
// (pinned, and a test checks it), so it costs no RSA operation of half a millisecond.
func (p *path) verify(now time.Time) error {
	for i, known := range embedded().intermediates {
		root := embedded().roots[i%len(embedded().roots)]
		if p.intermediate.Equal(known) && p.root.Equal(root) {
			if err := certchain.Holds(root, now); err != nil {
				return err
			}
			return certchain.Verify(p.intermediate, []*x509.Certificate{p.key}, algorithm, now)
		}
	}
	return certchain.Verify(p.root, []*x509.Certificate{p.intermediate, p.key}, algorithm, now)
}

// products are the lines whose TCB and chip identity this package reads.
var products = []string{"Milan", "Genoa"}

// product tells the product by the names on the path and checks that they belong to the kind of key that the report
// names: a chip's key is certified by another authority than a provider's.
func (p *path) product(key abi.ReportSigner) (string, error) {
	want, prefix := "SEV-VCEK", "SEV-"
	if key == abi.VlekReportSigner {
		want, prefix = "SEV-VLEK", "SEV-VLEK-"
	}
	if got := p.key.Subject.CommonName; got != want {
		return "", reason.New(reason.Chain, "the report is signed by a %s, the certificate is of %q", key, got)
	}
	for _, line := range products {
		if p.intermediate.Subject.CommonName == prefix+line && p.root.Subject.CommonName == "ARK-"+line {
			return line, nil
		}
	}
	return "", reason.New(reason.Product, "%q under %q", p.intermediate.Subject.CommonName, p.root.Subject.CommonName)
}

// checkRevoked applies the lists, and notes in out whether the root's was among them and when what was relied on ends.
// The root's list is about the intermediate, the intermediate's about the key.
func (p *path) checkRevoked(crls [][]byte, o Options, out *Result) error {
	out.Expires = certchain.Until(p.root, p.intermediate, p.key)
	for _, der := range crls {
		crl, err := certchain.ParseCRL(der)
		if err != nil {
			return err
		}
		issuer, subject := p.root, p.intermediate
		if bytes.Equal(crl.RawIssuer, p.intermediate.RawSubject) {
			issuer, subject = p.intermediate, p.key
		}
		if err := certchain.CheckRevoked(crl, issuer, subject, algorithm, o.Now); err != nil {
			return err
		}
		out.CRLChecked = out.CRLChecked || issuer == p.root
		if crl.NextUpdate.Before(out.Expires) {
			out.Expires = crl.NextUpdate.UTC()
		}
	}
	if o.RequireCRL && !out.CRLChecked {
		return reason.New(reason.Missing, "no revocation list of %q", p.root.Subject.CommonName)
	}
	return nil
}

// bind checks that the certificate is of the product, the chip and the TCB that the report names.
func (out *Result) bind(cert *x509.Certificate, key abi.ReportSigner, r *spb.Report) error {
	ext, err := kds.CertificateExtensions(cert, key)
	if err != nil {
		return reason.New(reason.Format, "%s certificate: %v", key, err)
	}
	out.CSP = ext.CspID
	// Some chips carry another stepping, or a sibling's name, in the certificate than in the report; the report's own
	// processor identity is the better one where there is one.
	line, _, _ := strings.Cut(ext.ProductName, "-")
	if r.Version >= 3 {
		if line, err = cpuProduct(r.Cpuid1EaxFms); err != nil {
			return err
		}
	}
	if line != out.Product {
		return reason.New(reason.Product, "a %s processor under the root of %s", line, out.Product)
	}
	if key == abi.VcekReportSigner && !out.ChipMasked && !bytes.Equal(ext.HWID, out.ChipID[:]) {
		return reason.New(reason.Machine, "the report is of chip %x, the certificate of another", out.ChipID[:8])
	}
	certified, err := parseTCB("certified", uint64(ext.TCBVersion))
	if err != nil {
		return err
	}
	if certified != out.Reported {
		return reason.New(reason.Machine, "the report is of %v, the certificate of %v", out.Reported, certified)
	}
	return nil
}

// checkSignature verifies the report's raw bytes.
func checkSignature(report []byte, cert *x509.Certificate) error {
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P384() {
		return reason.New(reason.Algorithm, "the endorsement key is not on P-384")
	}
	der, err := abi.ReportToSignatureDER(report)
	if err != nil {
		return reason.New(reason.Format, "report signature: %v", err)
	}
	digest := sha512.Sum384(abi.SignedComponent(report))
	if !p384.VerifyASN1(pub, digest, der) {
		return reason.New(reason.Signature, "the key of the certificate did not sign the report")
	}
	return nil
}
