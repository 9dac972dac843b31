package sevsnp

import (
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"sync"
)

// AMD's certificates, as its key distribution service publishes them: a root (ARK) for each product, below it one key that
// certifies chips (ASK) and one that certifies providers' keys (ASVK).
var (
	//go:embed roots/ark-milan.der
	arkMilan []byte
	//go:embed roots/ark-genoa.der
	arkGenoa []byte
	//go:embed roots/ask-milan.der
	askMilan []byte
	//go:embed roots/ask-genoa.der
	askGenoa []byte
	//go:embed roots/asvk-milan.der
	asvkMilan []byte
	//go:embed roots/asvk-genoa.der
	asvkGenoa []byte
)

// pinned names each embedded certificate by its SHA-256.
var pinned = []struct {
	der    *[]byte
	sha256 string
}{
	{&arkMilan, "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"},
	{&arkGenoa, "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"},
	{&askMilan, "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b"},
	{&askGenoa, "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521"},
	{&asvkMilan, "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5"},
	{&asvkGenoa, "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372"},
}

// embedded is AMD's certificates, parsed once: roots of Milan and Genoa, then in the same order ASKs and ASVKs. A binary
// whose embedded data is damaged does not get past this.
var embedded = sync.OnceValue(func() (all struct{ roots, intermediates []*x509.Certificate }) {
	for i, p := range pinned {
		sum := sha256.Sum256(*p.der)
		cert, err := x509.ParseCertificate(*p.der)
		if err != nil || hex.EncodeToString(sum[:]) != p.sha256 {
			panic("sevsnp: embedded certificate is damaged")
		}
		if i < 2 {
			all.roots = append(all.roots, cert)
		} else {
			all.intermediates = append(all.intermediates, cert)
		}
	}
	return all
})

// Roots returns AMD's root certificates in DER, which [Verify] trusts where [Options] name none.
func Roots() [][]byte {
	return [][]byte{append([]byte(nil), arkMilan...), append([]byte(nil), arkGenoa...)}
}
