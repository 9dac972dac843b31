package nitro

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"math/big"
	"sync"
	"time"

	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/p384"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// algorithm is the one with which AWS signs certificates.
const algorithm = x509.ECDSAWithSHA384

// rootSHA256 is the fingerprint of the root certificate that AWS publishes in its manual.
const rootSHA256 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"

//go:embed roots/aws-nitro-enclaves-root-g1.der
var rootG1 []byte

// embedded is AWS's root. A binary whose embedded data is damaged does not get past this.
var embedded = sync.OnceValue(func() [][]byte {
	if sum := sha256.Sum256(rootG1); hex.EncodeToString(sum[:]) != rootSHA256 {
		panic("nitro: embedded root is damaged")
	}
	return [][]byte{rootG1}
})

// Roots returns AWS's root certificate in DER, which [Verify] trusts where [Options] name none.
func Roots() [][]byte { return [][]byte{bytes.Clone(embedded()[0])} }

// Options say against what a document is verified.
type Options struct {
	// Now is the time at which the certificates must hold. The enclave's own lives about three hours.
	Now time.Time
	// Roots are the trusted root certificates (DER). nil means AWS's, see [Roots].
	Roots [][]byte
}

// Verify checks a document's form and signature, and the path from its key to a root. The result is data for a policy to
// judge. Errors carry one of the words format, trailing, algorithm, chain, expired and signature.
func Verify(document []byte, o Options) (*Result, error) {
	m, err := parseMessage(document)
	if err != nil {
		return nil, err
	}
	p, err := parsePayload(m.payload)
	if err != nil {
		return nil, err
	}
	roots := o.Roots
	if roots == nil {
		roots = embedded()
	}
	leaf, err := p.verifyPath(roots, o.Now)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(m, leaf); err != nil {
		return nil, err
	}
	return &p.Result, nil
}

// verifyPath checks the certificates from a root, which the bundle starts with, to the enclave's, which it returns.
func (p *payload) verifyPath(roots [][]byte, now time.Time) (*x509.Certificate, error) {
	if len(p.authority) == 0 || !contains(roots, p.authority[0]) {
		return nil, reason.New(reason.Chain, "the bundle does not start with a trusted root")
	}
	var path []*x509.Certificate
	for _, der := range p.authority {
		cert, err := certchain.Parse("certificate of the bundle", der)
		if err != nil {
			return nil, err
		}
		path = append(path, cert)
	}
	leaf, err := certchain.Parse("the enclave's certificate", p.leaf)
	if err != nil {
		return nil, err
	}
	path = append(path, leaf)
	p.Expires = certchain.Until(path...)
	return leaf, certchain.Verify(path[0], path[1:], algorithm, now)
}

func contains(roots [][]byte, der []byte) bool {
	for _, root := range roots {
		if bytes.Equal(root, der) {
			return true
		}
	}
	return false
}

func checkSignature(m *message, leaf *x509.Certificate) error {
	pub, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P384() {
		return reason.New(reason.Algorithm, "the enclave's key is not on P-384")
	}
	digest := sha512.Sum384(m.signedText())
	r := new(big.Int).SetBytes(m.signature[:signature/2])
	s := new(big.Int).SetBytes(m.signature[signature/2:])
	if !p384.Verify(pub, digest, r, s) {
		return reason.New(reason.Signature, "the key of the certificate did not sign the document")
	}
	return nil
}
