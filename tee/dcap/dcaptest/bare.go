package dcaptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/phalanx-network/phalanx/tee/dcap"
)

// bare is one signature on the path, ready to verify.
type bare struct {
	key *ecdsa.PublicKey
	msg []byte
	sig []byte // ASN.1
}

// Bare returns a function that checks every signature on the path of a genuine quote once and nothing else: on PCK, PCK
// CA, TCB signing, both lists, both documents, QE report and quote. Certificates and lists are parsed beforehand. It is
// what measurements compare a verification with.
func Bare(quote []byte, c *dcap.Collateral) (func() error, error) {
	if len(quote) < 48 {
		return nil, errors.New("dcaptest: no quote")
	}
	signed := 48 + map[uint16]int{3: 384, 4: 584}[binary.LittleEndian.Uint16(quote)]
	if signed == 48 { // version 5 says the size
		signed += 6 + int(binary.LittleEndian.Uint32(quote[50:]))
	}
	auth := quote[signed+4:]
	qe := auth[128:]
	if quote[0] >= 4 {
		qe = qe[6:]
	}
	attestation, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, auth[64:128]...))
	if err != nil {
		return nil, err
	}
	chain := qe[bytes.Index(qe, []byte("-----BEGIN")):]
	certs, keys, err := parsed(chain, c.TCBInfoChain)
	if err != nil {
		return nil, err
	}
	pck, ca, root, signing := 0, 1, 2, 3
	rootCRL, err := x509.ParseRevocationList(c.RootCRL)
	if err != nil {
		return nil, err
	}
	pckCRL, err := x509.ParseRevocationList(c.PCKCRL)
	if err != nil {
		return nil, err
	}
	all := []bare{
		{keys[root], certs[ca].RawTBSCertificate, certs[ca].Signature},
		{keys[ca], certs[pck].RawTBSCertificate, certs[pck].Signature},
		{keys[root], certs[signing].RawTBSCertificate, certs[signing].Signature},
		{keys[root], rootCRL.RawTBSRevocationList, rootCRL.Signature},
		{keys[ca], pckCRL.RawTBSRevocationList, pckCRL.Signature},
		raw(keys[signing], c.TCBInfo, c.TCBInfoSignature[:]),
		raw(keys[signing], c.QEIdentity, c.QEIdentitySignature[:]),
		raw(keys[pck], qe[:384], qe[384:448]),
		raw(attestation, quote[:signed], auth[:64]),
	}
	return func() error {
		for i, b := range all {
			if digest := sha256.Sum256(b.msg); !ecdsa.VerifyASN1(b.key, digest[:], b.sig) {
				return fmt.Errorf("dcaptest: signature %d is wrong", i)
			}
		}
		return nil
	}, nil
}

func raw(key *ecdsa.PublicKey, msg, sig []byte) bare {
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		panic("dcaptest: two integers do not encode: " + err.Error())
	}
	return bare{key, msg, der}
}

// parsed returns the certificates of a PCK chain and those of a document, with their keys.
func parsed(chains ...[]byte) (certs []*x509.Certificate, keys []*ecdsa.PublicKey, err error) {
	for _, text := range chains {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			key, ok := cert.PublicKey.(*ecdsa.PublicKey)
			if !ok {
				return nil, nil, errors.New("dcaptest: a certificate's key is not ECDSA's")
			}
			certs, keys = append(certs, cert), append(keys, key)
		}
	}
	if len(certs) != 5 {
		return nil, nil, fmt.Errorf("dcaptest: %d certificates, not 3 and 2", len(certs))
	}
	return certs, keys, nil
}
