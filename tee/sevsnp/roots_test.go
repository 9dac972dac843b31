package sevsnp

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/certchain"
)

// TestEmbedded checks the links that verification takes as given.
func TestEmbedded(t *testing.T) {
	all := embedded()
	if len(all.roots) != 2 || len(all.intermediates) != 4 {
		t.Fatalf("%d roots, %d intermediates", len(all.roots), len(all.intermediates))
	}
	for i, intermediate := range all.intermediates {
		root := all.roots[i%2]
		if err := root.CheckSignatureFrom(root); err != nil {
			t.Errorf("%s: %v", root.Subject.CommonName, err)
		}
		if err := intermediate.CheckSignatureFrom(root); err != nil {
			t.Errorf("%s: %v", intermediate.Subject.CommonName, err)
		}
		if intermediate.SignatureAlgorithm != algorithm || root.MaxPathLen == 0 {
			t.Errorf("%s: %v", intermediate.Subject.CommonName, intermediate.SignatureAlgorithm)
		}
		err := certchain.Verify(root, []*x509.Certificate{intermediate}, algorithm, time.Now())
		if err == nil {
			t.Errorf("%s passes as an end entity", intermediate.Subject.CommonName)
		}
	}
	for _, der := range Roots() {
		der[0] ^= 1
	}
	if Roots()[0][0] != 0x30 {
		t.Error("a caller may change the embedded roots")
	}
}
