package nitrotest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"math/big"

	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/p384"
)

// Bare returns a function that checks every signature on the path of a genuine document once and nothing else: on the
// certificates below the root and on the document. Certificates are parsed beforehand. It is what measurements compare a
// verification with.
func Bare(document []byte) (func() error, error) {
	var certs []*x509.Certificate
	for at := 0; at < len(document)-4; at++ { // certificates are the byte strings that begin like one
		if document[at] != 0x59 || document[at+3] != 0x30 || document[at+4] != 0x82 {
			continue
		}
		size := int(document[at+1])<<8 | int(document[at+2])
		if at+3+size > len(document) {
			return nil, errors.New("nitrotest: a certificate ends behind the document")
		}
		cert, err := x509.ParseCertificate(document[at+3:][:size])
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) < 2 {
		return nil, errors.New("nitrotest: too few certificates")
	}
	leaf, path := certs[0], append(certs[1:len(certs):len(certs)], certs[0])
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("nitrotest: the enclave's key is not ECDSA's")
	}
	payload := document[10:][:int(document[8])<<8+int(document[9])]
	text := bytes.Join([][]byte{{0x84}, Text("Signature1"), Bytes(ES384), Bytes(nil), Bytes(payload)}, nil)
	r := new(big.Int).SetBytes(document[len(document)-96:][:48])
	s := new(big.Int).SetBytes(document[len(document)-48:])
	return func() error {
		for i, cert := range path[1:] {
			if err := certchain.CheckSignature(path[i], cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
				return err
			}
		}
		digest := sha512.Sum384(text)
		if !p384.Verify(key, digest, r, s) {
			return errors.New("nitrotest: the document's signature is wrong")
		}
		return nil
	}, nil
}
