// Package nitrotest makes Nitro attestation documents of genuine form under a test root, for tests of what verifies them.
package nitrotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"
)

// ES384 is the protected header of a genuine document.
var ES384 = []byte{0xa1, 0x01, 0x38, 0x22}

// Authority is a root, two authorities below it and an enclave's key, as AWS has them (with one authority more).
type Authority struct {
	bundle [][]byte // from the root down
	leaf   []byte
	key    *ecdsa.PrivateKey // the enclave's
}

// New returns an authority whose root holds for 30 years, and whose other certificates for three hours, from now on.
func New(now time.Time) (*Authority, error) {
	a := &Authority{}
	names := []string{"aws.nitro-enclaves", "test-1.aws.nitro-enclaves", "i-0test.test-1.aws.nitro-enclaves", "i-0test-enc0.test-1.aws"}
	var parent *x509.Certificate
	for i, name := range names {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{Organization: []string{"Test"}, CommonName: name},
			NotBefore: now, NotAfter: now.Add(3 * time.Hour), SignatureAlgorithm: x509.ECDSAWithSHA384,
			BasicConstraintsValid: true, IsCA: i < len(names)-1, KeyUsage: x509.KeyUsageCertSign,
		}
		switch i {
		case 0:
			template.NotAfter = now.AddDate(30, 0, 0)
		case len(names) - 1:
			template.KeyUsage = x509.KeyUsageDigitalSignature
		}
		key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			return nil, err
		}
		signer := a.key
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			return nil, fmt.Errorf("certify %s: %w", name, err)
		}
		if parent, err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
		a.key, a.leaf = key, der
		if template.IsCA {
			a.bundle = append(a.bundle, der)
		}
	}
	return a, nil
}

// Root returns the root certificate in DER.
func (a *Authority) Root() []byte { return a.bundle[0] }

// Field is one entry of a payload: a name and the CBOR of its value.
type Field struct {
	Name  string
	Value []byte
}

// Fields returns the entries of a genuine payload: PCR0 is 48 times the byte 0xc0, PCR1 0xc1 and so on up to PCR15, and
// all of them are zero in debug mode.
func (a *Authority) Fields(at time.Time, userData []byte, debug bool) []Field {
	pcrs := Head(5, 16)
	for i := range 16 {
		value := make([]byte, 48)
		for j := range value {
			if !debug {
				value[j] = 0xc0 | byte(i)
			}
		}
		pcrs = append(append(pcrs, Head(0, uint64(i))...), Bytes(value)...)
	}
	bundle := Head(4, uint64(len(a.bundle)))
	for _, der := range a.bundle {
		bundle = append(bundle, Bytes(der)...)
	}
	return []Field{
		{"module_id", Text("i-0test-enc0")}, {"digest", Text("SHA384")},
		{"timestamp", Head(0, uint64(at.UnixMilli()))}, {"pcrs", pcrs}, {"certificate", Bytes(a.leaf)},
		{"cabundle", bundle}, {"public_key", Null()}, {"user_data", Bytes(userData)}, {"nonce", Null()},
	}
}

// Payload encodes entries as the Nitro module does: a map without a length.
func Payload(fields []Field) []byte {
	b := []byte{0xbf}
	for _, f := range fields {
		b = append(append(b, Text(f.Name)...), f.Value...)
	}
	return append(b, 0xff)
}

// Sign returns the document of a payload, whatever it is, under a protected header.
func (a *Authority) Sign(header, payload []byte) ([]byte, error) {
	text := append([]byte{0x84}, Text("Signature1")...)
	text = append(append(text, Bytes(header)...), Bytes(nil)...)
	text = append(text, Bytes(payload)...)
	digest := sha512.Sum384(text)
	r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 96)
	r.FillBytes(signature[:48])
	s.FillBytes(signature[48:])
	document := append([]byte{0x84}, Bytes(header)...)
	document = append(append(document, 0xa0), Bytes(payload)...)
	return append(document, Bytes(signature)...), nil
}

// Document returns a genuine document.
func (a *Authority) Document(at time.Time, userData []byte, debug bool) ([]byte, error) {
	return a.Sign(ES384, Payload(a.Fields(at, userData, debug)))
}

// Head returns the shortest head of a CBOR item: its major type and length or value.
func Head(major byte, v uint64) []byte {
	switch {
	case v < 24:
		return []byte{major<<5 | byte(v)}
	case v < 1<<8:
		return []byte{major<<5 | 24, byte(v)}
	case v < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(v))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, v)
}

// Bytes returns a byte string.
func Bytes(b []byte) []byte { return append(Head(2, uint64(len(b))), b...) }

// Text returns a text string.
func Text(s string) []byte { return append(Head(3, uint64(len(s))), s...) }

// Null returns null.
func Null() []byte { return []byte{0xf6} }
