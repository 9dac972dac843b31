package dcaptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// builder holds the keys and certificates of one world while its evidence is made.
type builder struct {
	*World
	keys  map[Role]*signer
	certs map[Role]*x509.Certificate
}

// signer is a private key.
type signer struct{ *ecdsa.PrivateKey }

func derive(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

func (b *builder) key(r Role) *signer {
	if k := b.keys[r]; k != nil {
		return k
	}
	scalar := derive("key", b.Seed, string(r))
	scalar[0] >>= 1 // below the order of the group
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		panic("dcaptest: a scalar of 255 bits is no key: " + err.Error())
	}
	b.keys[r] = &signer{k}
	return b.keys[r]
}

// raw signs SHA-256 of a message and returns r ‖ s.
func (k *signer) raw(message []byte) (out [64]byte, err error) {
	digest := sha256.Sum256(message)
	der, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return out, err
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) != 0 {
		return out, errors.Join(errors.New("dcaptest: signature is malformed"), err)
	}
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

// public returns x ‖ y.
func (k *signer) public() ([]byte, error) {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return point[1:], nil
}

// issue makes the certificate of a role.
func (b *builder) issue(r, issuer Role) error {
	const year = 365 * 24 * time.Hour
	t := &x509.Certificate{
		SerialNumber: serial(r),
		Subject: pkix.Name{
			CommonName: string(r), Organization: []string{"Intel Corporation"}, Locality: []string{"Santa Clara"},
			Province: []string{"CA"}, Country: []string{"US"},
		},
		NotBefore: b.Now.Add(-24 * time.Hour), NotAfter: b.Now.Add(year),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		SubjectKeyId:          derive("key identifier", b.Seed, string(r))[:20],
		CRLDistributionPoints: []string{"https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"},
		BasicConstraintsValid: true, SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	switch r {
	case Root:
		t.IsCA, t.MaxPathLen, t.KeyUsage = true, 1, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	case PlatformCA, ProcessorCA:
		t.IsCA, t.MaxPathLenZero, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	case PCK:
		ext, err := b.extension()
		if err != nil {
			return err
		}
		t.ExtraExtensions = []pkix.Extension{{Id: oidSGX, Value: ext}}
	}
	if b.Certificate != nil {
		b.Certificate(r, t)
	}
	parent := b.certs[issuer]
	if r == issuer {
		parent = t
	}
	der, err := x509.CreateCertificate(nil, t, parent, b.key(r).Public(), b.key(issuer).PrivateKey)
	if err != nil {
		return err
	}
	b.certs[r], err = x509.ParseCertificate(der)
	return err
}

// list makes the revocation list of an authority that issued the certificates of roles.
func (b *builder) list(issuer Role, roles ...Role) ([]byte, error) {
	l := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: b.Now.Add(-24 * time.Hour), NextUpdate: b.Now.Add(30 * 24 * time.Hour),
		SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	for i := range 3 { // of other machines
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: big.NewInt(int64(1000 + i)), RevocationTime: l.ThisUpdate,
		})
	}
	for _, r := range roles {
		if b.revokes(r) {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: serial(r), RevocationTime: l.ThisUpdate, ReasonCode: 1,
			})
		}
	}
	if b.List != nil {
		b.List(issuer, l)
	}
	der, err := x509.CreateRevocationList(nil, l, b.certs[issuer], b.key(issuer).PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("dcaptest: list of %s: %w", issuer, err)
	}
	return der, nil
}

func (b *builder) pem(roles ...Role) []byte {
	var out []byte
	for _, r := range roles {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.certs[r].Raw})...)
	}
	return out
}

var oidSGX = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

// pair is a member of the SGX extension.
type pair struct {
	ID    asn1.ObjectIdentifier
	Value any
}

func sgx(value any, arcs ...int) pair { return pair{append(oidSGX[:7:7], arcs...), value} }

// extension makes the SGX extension of a PCK certificate.
func (b *builder) extension() ([]byte, error) {
	var tcb []pair
	for i, svn := range b.Components {
		tcb = append(tcb, sgx(int(svn), 2, i+1))
	}
	tcb = append(tcb, sgx(int(b.PCESVN), 2, 17), sgx(b.Components[:], 2, 18))
	members := []pair{
		sgx(derive("ppid", b.Seed)[:16], 1), sgx(tcb, 2), sgx(b.PCEID[:], 3), sgx(b.FMSPC[:], 4), sgx(asn1.Enumerated(0), 5),
	}
	if !b.Processor {
		members = append(members, sgx(derive("instance", b.Seed)[:16], 6))
	}
	return asn1.Marshal(members)
}
