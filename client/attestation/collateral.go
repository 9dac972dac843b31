package attestation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// material is the collateral of one kind; Nitro's evidence has none.
type material struct {
	snp   *sevsnp.Collateral
	quote *dcap.Collateral
}

// ofFiles reads collateral as people keep it.
func ofFiles(kind tee.Kind, files [][]byte) (m material, err error) {
	switch kind {
	case tee.KindNitro:
	case tee.KindSEVSNP:
		m.snp, err = snpCollateral(files)
	default:
		m.quote, err = quoteCollateral(kind, files)
	}
	return m, err
}

// ofRecord reads collateral as a chain takes it.
func ofRecord(ev tee.Evidence) (m material, err error) {
	switch ev.Kind {
	case tee.KindNitro:
		if len(ev.Collateral) != 0 {
			return m, reason.New(reason.Format, "a document takes no collateral, %d bytes are given", len(ev.Collateral))
		}
		return m, nil
	case tee.KindSEVSNP:
		m.snp = new(sevsnp.Collateral)
		err = scale.Unmarshal(ev.Collateral, m.snp)
	case tee.KindSGX, tee.KindTDX:
		m.quote, err = dcap.ParseCollateral(ev.Collateral)
	default:
		return m, reason.New(reason.Kind, "nothing here verifies evidence of %s", ev.Kind)
	}
	if err != nil {
		return m, reason.New(reason.Format, "collateral: %v", err)
	}
	return m, nil
}

// maxBlocks is how many certificates and lists a file may hold.
const maxBlocks = 16

// block is a certificate or a revocation list in DER.
type block struct {
	list bool
	der  []byte
}

// readPEM returns the certificates and revocation lists of a file, in PEM or one certificate or list in DER.
func readPEM(file []byte) ([]block, error) {
	if bytes.HasPrefix(file, []byte{0x30}) {
		_, err := x509.ParseCertificate(file)
		return []block{{list: err != nil, der: file}}, nil
	}
	var out []block
	for rest := file; len(bytes.TrimSpace(rest)) != 0; {
		p, after := pem.Decode(rest)
		if p == nil || (p.Type != "CERTIFICATE" && p.Type != "X509 CRL") || len(out) == maxBlocks {
			return nil, reason.New(reason.Format, "collateral is not up to %d certificates and revocation lists in PEM", maxBlocks)
		}
		out, rest = append(out, block{p.Type == "X509 CRL", p.Bytes}), after
	}
	return out, nil
}

// snpCollateral sorts certificates and lists of AMD by their names. Roots are passed over: policies name what is trusted.
func snpCollateral(files [][]byte) (*sevsnp.Collateral, error) {
	c := &sevsnp.Collateral{}
	for _, file := range files {
		blocks, err := readPEM(file)
		if err != nil {
			return nil, err
		}
		for _, b := range blocks {
			if b.list {
				c.CRLs = append(c.CRLs, b.der)
				continue
			}
			cert, err := x509.ParseCertificate(b.der)
			if err != nil {
				return nil, reason.New(reason.Format, "collateral: %v", err)
			}
			place := &c.Intermediate
			switch name := cert.Subject.CommonName; {
			case name == "SEV-VCEK" || name == "SEV-VLEK":
				place = &c.EndorsementKey
			case strings.HasPrefix(name, "ARK-"):
				continue
			}
			if *place != nil && !bytes.Equal(*place, b.der) {
				return nil, reason.New(reason.Format, "collateral holds two certificates for one place: %q", cert.Subject.CommonName)
			}
			*place = b.der
		}
	}
	if c.EndorsementKey == nil {
		return nil, reason.New(reason.Missing, "the certificate of the chip's (VCEK) or the provider's key (VLEK) is needed")
	}
	return c, nil
}

// quoteCollateral reads Intel's collateral, which is one file of JSON.
func quoteCollateral(kind tee.Kind, files [][]byte) (*dcap.Collateral, error) {
	if len(files) != 1 {
		return nil, reason.New(reason.Missing, "a quote of %s needs its collateral, one file of JSON; %d are given", kind, len(files))
	}
	c, err := dcap.ParseCollateral(files[0])
	if err != nil {
		return nil, reason.New(reason.Format, "collateral: %v", err)
	}
	return c, nil
}
