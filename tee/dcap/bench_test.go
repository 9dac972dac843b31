package dcap_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/dcap"
)

// check is one signature on the path, ready to verify.
type check struct {
	key *ecdsa.PublicKey
	msg []byte
	sig []byte // ASN.1
}

func raw(key *ecdsa.PublicKey, msg, sig []byte) check {
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		panic(err)
	}
	return check{key, msg, der}
}

// bareChecks returns every signature on the path of a quote once, with certificates and lists parsed: on PCK, PCK CA,
// TCB signing, both lists, both documents, QE report and quote.
func bareChecks(tb testing.TB, s *subject) []check {
	tb.Helper()
	c, err := dcap.ParseCollateral(s.collateral)
	if err != nil {
		tb.Fatal(err)
	}
	certs := func(text []byte) (out []*x509.Certificate) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				tb.Fatal(err)
			}
			out = append(out, cert)
		}
		return out
	}
	list := func(der []byte) *x509.RevocationList {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			tb.Fatal(err)
		}
		return l
	}
	key := func(cert *x509.Certificate) *ecdsa.PublicKey { return cert.PublicKey.(*ecdsa.PublicKey) }

	signed := map[int]int{3: 48 + 384, 4: 48 + 584, 5: 48 + 6 + 584}[s.want.Version]
	if s.want.TD != nil && s.want.TD.V15 {
		signed += 64
	}
	auth := s.quote[signed+4:]
	qe := auth[128:]
	if s.want.Version >= 4 {
		qe = qe[6:]
	}
	attestation, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, auth[64:128]...))
	if err != nil {
		tb.Fatal(err)
	}
	pck := certs(qe[bytes.Index(qe, []byte("-----BEGIN")):])
	signing := certs(c.TCBInfoChain)
	rootCRL, pckCRL := list(c.RootCRL), list(c.PCKCRL)
	root := key(pck[2])
	return []check{
		{root, pck[1].RawTBSCertificate, pck[1].Signature},
		{key(pck[1]), pck[0].RawTBSCertificate, pck[0].Signature},
		{root, signing[0].RawTBSCertificate, signing[0].Signature},
		{root, rootCRL.RawTBSRevocationList, rootCRL.Signature},
		{key(pck[1]), pckCRL.RawTBSRevocationList, pckCRL.Signature},
		raw(key(signing[0]), c.TCBInfo, c.TCBInfoSignature[:]),
		raw(key(signing[0]), c.QEIdentity, c.QEIdentitySignature[:]),
		raw(key(pck[0]), qe[:384], qe[384:448]),
		raw(attestation, s.quote[:signed], auth[:64]),
	}
}

func runChecks(checks []check) bool {
	for _, c := range checks {
		if digest := sha256.Sum256(c.msg); !ecdsa.VerifyASN1(c.key, digest[:], c.sig) {
			return false
		}
	}
	return true
}

// BenchmarkVerify measures a full verification from bytes, collateral parsed and lists searched, beside the bare
// signature checks, and the ratio of the two. Run it with -cpu 1.
func BenchmarkVerify(b *testing.B) {
	for _, s := range subjects(b) {
		checks := bareChecks(b, &s)
		full := func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.verify(s.quote, s.collateral); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(s.name+"/full", full)
		b.Run(s.name+"/bare", func(b *testing.B) {
			for b.Loop() {
				if !runChecks(checks) {
					b.Fatal("a signature is wrong")
				}
			}
		})
	}
}

// BenchmarkRatio alternates full verifications and bare checks, so that both see the same machine, and reports the
// median of each and how many times the bare checks a verification costs.
func BenchmarkRatio(b *testing.B) {
	for _, s := range subjects(b) {
		checks := bareChecks(b, &s)
		b.Run(s.name, func(b *testing.B) {
			var full, bare []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := s.verify(s.quote, s.collateral); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if !runChecks(checks) {
					b.Fatal("a signature is wrong")
				}
				full, bare = append(full, middle.Sub(start)), append(bare, time.Since(middle))
			}
			slices.Sort(full)
			slices.Sort(bare)
			f, c := full[len(full)/2], bare[len(bare)/2]
			b.ReportMetric(f.Seconds()*1e3, "ms-full")
			b.ReportMetric(c.Seconds()*1e3, "ms-bare")
			b.ReportMetric(f.Seconds()/c.Seconds(), "ratio")
		})
	}
}
