package sevsnptest

import (
	"crypto/ecdsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"

	"github.com/google/go-sev-guest/abi"

	"github.com/phalanx-network/phalanx/tee/p384"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

const algorithm = x509.SHA384WithRSAPSS

// Bare returns a function that checks every signature on the path of a genuine report once and nothing else: on the
// intermediate, the endorsement key, the root's lists and the report. Certificates and lists are parsed beforehand. It is
// what measurements compare a verification with.
func Bare(report []byte, c *sevsnp.Collateral, root []byte) (func() error, error) {
	var certs []*x509.Certificate
	for _, der := range [][]byte{root, c.Intermediate, c.EndorsementKey} {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	var lists []*x509.RevocationList
	for _, der := range c.CRLs {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	key, ok := certs[2].PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("sevsnptest: the endorsement key is not ECDSA's")
	}
	der, err := abi.ReportToSignatureDER(report)
	if err != nil {
		return nil, err
	}
	return func() error {
		for i, cert := range certs[1:] {
			if err := certs[i].CheckSignature(algorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
				return err
			}
		}
		for _, list := range lists {
			if err := certs[0].CheckSignature(algorithm, list.RawTBSRevocationList, list.Signature); err != nil {
				return err
			}
		}
		digest := sha512.Sum384(report[:OffsetSignature])
		if !p384.VerifyASN1(key, digest, der) {
			return errors.New("sevsnptest: the report's signature is wrong")
		}
		return nil
	}, nil
}
