// Package dcaptest makes DCAP quotes and the collateral that goes with them, under a root of its own: what no recorded
// evidence shows, such as a revoked platform, can be had from it. It is for tests; nothing that it signs is worth
// anything, for its keys are derived from a seed that is in the source.
//
//	w := dcaptest.New(tee.KindTDX, 4)
//	w.TCBInfo.Levels[0].Status = "OutOfDate"
//	ev, err := w.Build()
//	res, err := dcap.Verify(ev.Quote, ev.Collateral, dcap.Options{Roots: ev.Roots, Now: w.Now})
//
// Equal worlds build equal bytes: signatures follow RFC 6979.
package dcaptest

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// World is a machine and the authorities that vouch for it. [New] returns one in which all is well; a test changes it
// and then builds.
type World struct {
	Seed    string    // of all keys
	Now     time.Time // everything was issued a day before and ends 30 days after, certificates a year
	Kind    tee.Kind
	Version int  // of the quote
	V15     bool // quote version 5 holds a report of TDX 1.5

	Processor  bool // the Processor CA issues the PCK certificate, not the Platform CA
	FMSPC      [6]byte
	PCEID      [2]byte
	Components [16]byte // SGX TCB component SVNs in the PCK certificate
	PCESVN     uint16

	Enclave dcap.EnclaveReport // what an SGX quote says
	TD      dcap.TDReport      // what a TDX quote says
	QE      dcap.EnclaveReport // the quoting enclave; Build fills in its report data
	QEAuth  []byte

	TCBInfo    TCBInfo
	QEIdentity QEIdentity

	Revoked []Role // whose certificates are on their issuer's list
	// Certificate and List, if set, may change what an authority is about to sign.
	Certificate func(Role, *x509.Certificate)
	List        func(Role, *x509.RevocationList)
	Padding     int // zeros behind the quote
}

// Role names a key and its certificate.
type Role string

// The roles. Attestation has a key alone.
const (
	Root        Role = "Intel SGX Root CA"
	PlatformCA  Role = "Intel SGX PCK Platform CA"
	ProcessorCA Role = "Intel SGX PCK Processor CA"
	PCK         Role = "Intel SGX PCK Certificate"
	TCBSigning  Role = "Intel SGX TCB Signing"
	Attestation Role = "attestation key"
)

// Evidence is what a world shows.
type Evidence struct {
	Quote      []byte
	Collateral *dcap.Collateral
	Roots      []*x509.Certificate
}

// New returns a world whose platform, TDX module and quoting enclave are up to date. kind is KindSGX with version 3, or
// KindTDX with version 4 or 5.
func New(kind tee.Kind, version int) *World {
	w := &World{
		Seed: "phalanx dcaptest", Now: time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC), Kind: kind, Version: version,
		FMSPC:      [6]byte{0x00, 0xa0, 0x6d, 0x08, 0xcc, 0x10},
		Components: [16]byte{7, 7, 3, 3, 5, 1, 0, 4}, PCESVN: 13, QEAuth: []byte("quoting enclave's own data"),
	}
	for i := range w.Enclave.MRENCLAVE {
		w.Enclave.MRENCLAVE[i], w.Enclave.MRSIGNER[i] = 0xe0^byte(i), 0x50^byte(i)
	}
	w.Enclave.Attributes, w.Enclave.ISVProdID, w.Enclave.ISVSVN = [16]byte{0: 0x05, 8: 0x03}, 4, 2
	for i := range w.TD.MRTD {
		w.TD.MRTD[i] = 0x70 ^ byte(i)
		for j := range w.TD.RTMR {
			w.TD.RTMR[j][i] = byte(0x10*j) ^ byte(i)
		}
	}
	w.TD.TEETCBSVN = [16]byte{5, 1, 6}
	w.TD.TDAttributes = [8]byte{3: 0x10}
	w.TD.XFAM = [8]byte{0xe7, 0x02, 0x06}
	w.QE.Attributes, w.QE.ISVSVN, w.QE.ISVProdID = [16]byte{0: 0x15, 8: 0xe7}, 8, 1
	for i := range w.QE.MRSIGNER {
		w.QE.MRSIGNER[i] = 0x9e ^ byte(i)
	}
	if kind == tee.KindTDX {
		w.QE.ISVProdID = 2
	}
	w.documents()
	return w
}

// Build makes the quote and its collateral.
func (w *World) Build() (*Evidence, error) {
	b := &builder{World: w, keys: map[Role]*signer{}, certs: map[Role]*x509.Certificate{}}
	ca := PlatformCA
	if w.Processor {
		ca = ProcessorCA
	}
	for _, link := range [][2]Role{{Root, Root}, {ca, Root}, {TCBSigning, Root}, {PCK, ca}} {
		if err := b.issue(link[0], link[1]); err != nil {
			return nil, fmt.Errorf("dcaptest: %s: %w", link[0], err)
		}
	}
	c := &dcap.Collateral{
		PCKCRLChain:     b.pem(ca, Root),
		TCBInfoChain:    b.pem(TCBSigning, Root),
		QEIdentityChain: b.pem(TCBSigning, Root),
	}
	var err error
	if c.RootCRL, err = b.list(Root, ca, TCBSigning); err != nil {
		return nil, err
	}
	if c.PCKCRL, err = b.list(ca, PCK); err != nil {
		return nil, err
	}
	if c.TCBInfo, c.TCBInfoSignature, err = b.document(w.TCBInfo); err != nil {
		return nil, err
	}
	if c.QEIdentity, c.QEIdentitySignature, err = b.document(w.QEIdentity); err != nil {
		return nil, err
	}
	quote, err := b.quote(ca)
	if err != nil {
		return nil, err
	}
	return &Evidence{append(quote, make([]byte, w.Padding)...), c, []*x509.Certificate{b.certs[Root]}}, nil
}

func (b *builder) revokes(r Role) bool {
	for _, revoked := range b.Revoked {
		if revoked == r {
			return true
		}
	}
	return false
}

// serial is the serial number of a role's certificate.
func serial(r Role) *big.Int {
	return new(big.Int).SetBytes(derive("serial", string(r))[:16])
}
