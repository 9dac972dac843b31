package certchain

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/reason"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now   = start.Add(time.Hour)
)

const alg = x509.ECDSAWithSHA384

type entity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue returns an entity that issuer certified, itself if nil. edit changes the template.
func (issuer *entity) issue(t *testing.T, name string, edit func(*x509.Certificate)) *entity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
		SignatureAlgorithm: alg, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if edit != nil {
		edit(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := Parse(name, der)
	if err != nil {
		t.Fatal(err)
	}
	return &entity{cert, key}
}

func leaf(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }

func TestVerify(t *testing.T) {
	var none *entity
	root := none.issue(t, "root", nil)
	impostor := none.issue(t, "root", nil)
	ca := root.issue(t, "ca", nil)
	end := ca.issue(t, "end", leaf)
	with := func(edit func(*x509.Certificate)) []*x509.Certificate {
		mid := root.issue(t, "mid", edit)
		return []*x509.Certificate{mid.cert, mid.issue(t, "end", leaf).cert}
	}
	endWith := func(edit func(*x509.Certificate)) []*x509.Certificate {
		return []*x509.Certificate{ca.cert, ca.issue(t, "end", func(c *x509.Certificate) { leaf(c); edit(c) }).cert}
	}
	unknown := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	short := none.issue(t, "root", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	shortCA := short.issue(t, "ca", nil)
	tests := []struct {
		name string
		root *entity
		path []*x509.Certificate
		now  time.Time
		want reason.Word
	}{
		{"good", root, []*x509.Certificate{ca.cert, end.cert}, now, ""},
		{"at the first second", root, []*x509.Certificate{ca.cert, end.cert}, start, ""},
		{"empty", root, nil, now, reason.Chain},
		{"another root of the name", impostor, []*x509.Certificate{ca.cert, end.cert}, now, reason.Chain},
		{"link left out", root, []*x509.Certificate{end.cert}, now, reason.Chain},
		{"wrong order", root, []*x509.Certificate{end.cert, ca.cert}, now, reason.Chain},
		{"ends with an authority", root, []*x509.Certificate{ca.cert}, now, reason.Chain},
		{"issuer is no authority", root, with(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false }), now, reason.Chain},
		{"issuer may not sign", root, with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), now, reason.Chain},
		{"names constrained", root, with(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.org"} }), now, reason.Chain},
		{"critical extension", root, endWith(func(c *x509.Certificate) { c.ExtraExtensions = unknown }), now, reason.Chain},
		{"other algorithm", root, with(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA256 }), now, reason.Algorithm},
		{"path too long", short, []*x509.Certificate{shortCA.cert, shortCA.issue(t, "end", leaf).cert}, now, reason.Chain},
		{"path long enough", short, []*x509.Certificate{short.issue(t, "end", leaf).cert}, now, ""},
		{"before", root, []*x509.Certificate{ca.cert, end.cert}, start.Add(-time.Second), reason.Expired},
		{"end expired", root, endWith(func(c *x509.Certificate) { c.NotAfter = start.Add(time.Minute) }), now, reason.Expired},
		{"middle expired", root, with(func(c *x509.Certificate) { c.NotAfter = start.Add(time.Minute) }), now, reason.Expired},
	}
	for _, tt := range tests {
		if err := Verify(tt.root.cert, tt.path, alg, tt.now); reason.Of(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCheckRevoked(t *testing.T) {
	var none *entity
	root := none.issue(t, "root", nil)
	mute := none.issue(t, "root", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	ca := root.issue(t, "ca", nil)
	partial := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	list := func(edit func(*x509.RevocationList)) []byte {
		l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: start, NextUpdate: start.AddDate(0, 1, 0), SignatureAlgorithm: alg}
		if edit != nil {
			edit(l)
		}
		der, err := x509.CreateRevocationList(rand.Reader, l, root.cert, root.key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	tests := []struct {
		name   string
		issuer *entity
		der    []byte
		want   reason.Word
	}{
		{"clean", root, list(nil), ""},
		{"revoked", root, list(func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: start}}
		}), reason.Revoked},
		{"partial", root, list(func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{partial} }), reason.CRL},
		{"old", root, list(func(l *x509.RevocationList) { l.NextUpdate = start.Add(time.Minute) }), reason.Expired},
		{"other algorithm", root, list(func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.ECDSAWithSHA256 }), reason.CRL},
		{"of another name", ca, list(nil), reason.CRL},
		{"of another key", none.issue(t, "root", nil), list(nil), reason.CRL},
		{"key may not", mute, list(nil), reason.CRL},
	}
	for _, tt := range tests {
		crl, err := ParseCRL(tt.der)
		if err == nil {
			err = CheckRevoked(crl, tt.issuer.cert, ca.cert, alg, now)
		}
		if reason.Of(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, der := range map[string][]byte{"empty": nil, "huge": make([]byte, MaxCRL+1), "garbage": {0x30, 0x80}} {
		if _, err := Parse("x", der); reason.Of(err) != reason.Format {
			t.Errorf("certificate, %s: %v", name, err)
		}
		if _, err := ParseCRL(der); reason.Of(err) != reason.Format {
			t.Errorf("list, %s: %v", name, err)
		}
	}
}
