package collateral

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// maxChain is the size of a product's certificates in PEM.
const maxChain = 3 * certchain.MaxCertificate

// completeAMD fetches what a report needs. What the guest has brought of its host, the endorsement key's certificate say,
// is kept; revocation lists are fetched.
func completeAMD(ctx context.Context, r *run, ev tee.Evidence) (tee.Evidence, error) {
	lookup, err := sevsnp.LookupOf(ev.Data)
	if err != nil {
		return ev, err
	}
	var c sevsnp.Collateral
	if len(ev.Collateral) > 0 {
		if err := scale.Unmarshal(ev.Collateral, &c); err != nil {
			return ev, fmt.Errorf("%w: what the guest has brought: %w", ErrAnswer, err)
		}
	}
	product, err := r.endorsement(ctx, lookup, &c)
	if err != nil {
		return ev, err
	}
	q := &amdRequests{r.amd, product, lookup}
	if len(c.Intermediate) == 0 {
		d, err := r.get(ctx, q.chain())
		if err != nil {
			return ev, err
		}
		c.Intermediate = d.body
	}
	list, err := r.get(ctx, q.crl())
	if err != nil {
		return ev, err
	}
	c.CRLs = [][]byte{list.body}
	if ev.Collateral, err = scale.Marshal(&c); err != nil {
		return ev, fmt.Errorf("collateral: %w", err)
	}
	return ev, nil
}

// endorsement sees to the certificate of the key that signed, and returns the product.
func (r *run) endorsement(ctx context.Context, l sevsnp.Lookup, c *sevsnp.Collateral) (string, error) {
	if len(c.EndorsementKey) > 0 {
		cert, err := certchain.Parse("endorsement key", c.EndorsementKey)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		r.expiry.Until = earlier(r.expiry.Until, cert.NotAfter)
		return productOf(l, cert)
	}
	if l.VLEK {
		return "", fmt.Errorf("%w: the report is signed by a provider's key (VLEK), and the host has given the guest no certificate of it; "+
			"have the host load its certificates (snphost import, or the provider's agent)", ErrPlatform)
	}
	if l.ChipMasked() {
		return "", fmt.Errorf("%w: the host hides the chip's identity and has given the guest no certificate; "+
			"have the host load its certificates, or unset MASK_CHIP_ID", ErrPlatform)
	}
	candidates := []string{l.Product}
	if l.Product == "" {
		candidates = sevsnp.Products()
	}
	var errs error
	for _, product := range candidates {
		d, err := r.get(ctx, (&amdRequests{r.amd, product, l}).vcek())
		if err == nil {
			c.EndorsementKey = d.body
			return product, nil
		}
		errs = errors.Join(errs, err)
		if !errors.Is(err, ErrAnswer) { // another product would not be known either
			break
		}
	}
	return "", errs
}

// productOf is the report's product, or for a report that does not say it that of the authority over the certificate.
func productOf(l sevsnp.Lookup, cert *x509.Certificate) (string, error) {
	if l.Product != "" {
		return l.Product, nil
	}
	for _, product := range sevsnp.Products() {
		if strings.HasSuffix(cert.Issuer.CommonName, "-"+product) {
			return product, nil
		}
	}
	return "", fmt.Errorf("%w: the endorsement key's certificate is of %.64q, of no product that is known", ErrAnswer, cert.Issuer.CommonName)
}

// amdRequests are those about one report.
type amdRequests struct {
	base    *url.URL
	product string
	lookup  sevsnp.Lookup
}

// key is the service's name of the kind of key.
func (q *amdRequests) key() string {
	if q.lookup.VLEK {
		return "vlek"
	}
	return "vcek"
}

func (q *amdRequests) vcek() *request {
	chip, level := hex.EncodeToString(q.lookup.ChipID[:]), q.lookup.Reported
	u := q.base.JoinPath("vcek", "v1", q.product, chip)
	v := url.Values{}
	for name, n := range map[string]uint8{
		"blSPL": level.BootLoader, "teeSPL": level.TEE, "snpSPL": level.SNP, "ucodeSPL": level.Microcode,
	} {
		v.Set(name, strconv.Itoa(int(n)))
	}
	u.RawQuery = v.Encode()
	sum := sha256.Sum256([]byte(u.Path + "?" + u.RawQuery))
	return &request{
		name: "amd-vcek-" + q.product + "-" + hex.EncodeToString(sum[:16]), url: u, limit: certchain.MaxCertificate,
		parse: parseCertificate("SEV-VCEK"),
		hint:  "the service knows no such " + q.product + " chip at the reported level; is the firmware a released one?",
	}
}

func (q *amdRequests) chain() *request {
	authority := "SEV-" + q.product
	if q.lookup.VLEK {
		authority = "SEV-VLEK-" + q.product
	}
	return &request{
		name: "amd-" + q.key() + "-chain-" + q.product, url: q.base.JoinPath(q.key(), "v1", q.product, "cert_chain"),
		limit: maxChain, parse: parseProductChain(authority), hint: "check the base URL of AMD's service",
	}
}

func (q *amdRequests) crl() *request {
	return &request{
		name: "amd-" + q.key() + "-crl-" + q.product, url: q.base.JoinPath(q.key(), "v1", q.product, "crl"),
		limit: 2*certchain.MaxCRL + 1<<10, parse: parseCRLAnswer("ARK-"+q.product, certchain.MaxCRL, false),
		hint: "check the base URL of AMD's service",
	}
}

// parseCertificate returns the parser of one certificate with a common name.
func parseCertificate(name string) func(answer) (*document, error) {
	return func(a answer) (*document, error) {
		der, err := derOf(a.body, "CERTIFICATE")
		if err != nil {
			return nil, err
		}
		cert, err := certchain.Parse("certificate", der)
		if err != nil {
			return nil, malformed("%w", err)
		}
		return certificate(cert, name)
	}
}

func certificate(cert *x509.Certificate, name string) (*document, error) {
	if cert.Subject.CommonName != name {
		return nil, malformed("it is the certificate of %.64q, that of %q was asked for", cert.Subject.CommonName, name)
	}
	return &document{body: cert.Raw, begins: cert.NotBefore, ends: cert.NotAfter}, nil
}

// parseProductChain returns the parser of a product's certificates: the intermediate's, which is kept, and the root's.
func parseProductChain(intermediate string) func(answer) (*document, error) {
	return func(a answer) (*document, error) {
		first, rest := pem.Decode(a.body)
		root, rest := pem.Decode(rest)
		if first == nil || root == nil || len(bytes.TrimSpace(rest)) != 0 {
			return nil, malformed("it is not two certificates in PEM")
		}
		cert, err := certchain.Parse("intermediate", first.Bytes)
		if err != nil {
			return nil, malformed("%w", err)
		}
		return certificate(cert, intermediate)
	}
}
