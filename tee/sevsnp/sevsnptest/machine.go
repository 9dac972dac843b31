// Package sevsnptest makes SEV-SNP reports of genuine format under a test root, for tests of what verifies them. The
// certificates come from go-sev-guest's simulator of AMD's keys, whose secrets are public.
package sevsnptest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	sim "github.com/google/go-sev-guest/testing"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Offsets of a report's fields, after table 23 of AMD's document 56860.
const (
	OffsetVersion     = 0x00
	OffsetPolicy      = 0x08
	OffsetVMPL        = 0x30
	OffsetAlgorithm   = 0x34
	OffsetCurrentTCB  = 0x38
	OffsetSigner      = 0x48
	OffsetReportData  = 0x50
	OffsetMeasurement = 0x90
	OffsetReportedTCB = 0x180
	OffsetCPU         = 0x188
	OffsetChipID      = 0x1a0
	OffsetSignature   = 0x2a0
)

// PolicyDebug is the bit of the guest policy that opens the guest's memory to the host.
const PolicyDebug = 1 << 19

// PolicyMigrate is the bit of the guest policy that lets a migration agent, which the host chooses, take the guest's memory.
const PolicyMigrate = 1 << 18

// SignerVLEK is the value of the signer field in reports that a VLEK signs.
const SignerVLEK = 1 << 2

// Serials of the intermediates, which lists may revoke.
var (
	SerialASK  = big.NewInt(0x10001)
	SerialASVK = big.NewInt(0x10002)
)

// Setup says which machine a test wants. The zero value has a Milan with TCB 0 and certificates from 2025 on.
type Setup struct {
	Product string // as certificates name it, "Genoa-B1" say; empty for "Milan-B0"
	TCB     sevsnp.TCB
	ChipID  [sevsnp.ChipIDSize]byte
	Since   time.Time // from which the root and the intermediates hold, for 25 years
	EKUntil time.Time // until which VCEK and VLEK hold; zero for 7 years from Since
	// OtherRoot gives the root of the same name another key.
	OtherRoot bool
}

// Machine signs reports with a VCEK and a VLEK.
type Machine struct {
	setup  Setup
	signer *sim.AmdSigner
}

// New returns a machine with fresh certificates.
func New(s Setup) (*Machine, error) {
	if s.Product == "" {
		s.Product = "Milan-B0"
	}
	if s.Since.IsZero() {
		s.Since = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	created := s.Since
	if !s.EKUntil.IsZero() {
		created = s.EKUntil.Add(-7 * 365 * 24 * time.Hour)
	}
	parts := kds.TCBParts{BlSpl: s.TCB.BootLoader, TeeSpl: s.TCB.TEE, SnpSpl: s.TCB.SNP, UcodeSpl: s.TCB.Microcode}
	keys := sim.DefaultAmdKeys()
	if s.OtherRoot {
		keys.Ark, keys.Ask, keys.Asvk = keys.Asvk, keys.Ark, keys.Ask
	}
	b := &sim.AmdSignerBuilder{
		Keys: keys, ProductName: s.Product,
		ArkCreationTime: s.Since, AskCreationTime: s.Since, AsvkCreationTime: s.Since,
		VcekCreationTime: created, VlekCreationTime: created,
		AskCustom:  sim.CertOverride{SerialNumber: SerialASK},
		AsvkCustom: sim.CertOverride{SerialNumber: SerialASVK},
		VcekCustom: sim.CertOverride{Extensions: sim.CustomExtensions(parts, s.ChipID[:], "", s.Product)},
		VlekCustom: sim.CertOverride{Extensions: sim.CustomExtensions(parts, nil, "test cloud", s.Product)},
	}
	signer, err := b.TestOnlyCertChain()
	if err != nil {
		return nil, err
	}
	return &Machine{setup: s, signer: signer}, nil
}

// Report returns a signed report of version 3 about a guest whose measurement is 48 times the byte 0xa5. edit, if not nil,
// changes it before it is signed.
func (m *Machine) Report(edit func(raw []byte)) ([]byte, error) {
	raw := make([]byte, sevsnp.ReportSize)
	le := binary.LittleEndian
	le.PutUint32(raw[OffsetVersion:], 3)
	le.PutUint64(raw[OffsetPolicy:], 1<<17|1<<16)
	le.PutUint32(raw[OffsetAlgorithm:], abi.SignEcdsaP384Sha384)
	for i := range sevsnp.MeasurementSize {
		raw[OffsetMeasurement+i] = 0xa5
	}
	for _, at := range []int{OffsetCurrentTCB, OffsetReportedTCB, 0x1e0, 0x1f0} {
		raw[at], raw[at+1], raw[at+6], raw[at+7] = m.setup.TCB.BootLoader, m.setup.TCB.TEE, m.setup.TCB.SNP, m.setup.TCB.Microcode
	}
	copy(raw[OffsetCPU:], []byte{0x19, 0x01, 0x01})
	if kds.ProductLineOfProductName(m.setup.Product) == "Genoa" {
		raw[OffsetCPU+1] = 0x11
	}
	copy(raw[OffsetChipID:], m.setup.ChipID[:])
	if edit != nil {
		edit(raw)
	}
	key := m.signer.Keys.Vcek
	if raw[OffsetSigner]&SignerVLEK != 0 {
		key = m.signer.Keys.Vlek
	}
	digest := sha512.Sum384(abi.SignedComponent(raw))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return nil, err
	}
	return raw, abi.SetSignature(r, s, raw)
}

// Collateral returns the certificates beside a report that the VCEK signed.
func (m *Machine) Collateral() *sevsnp.Collateral {
	return &sevsnp.Collateral{EndorsementKey: m.signer.Vcek.Raw, Intermediate: m.signer.Ask.Raw}
}

// CollateralVLEK returns the certificates beside a report that the VLEK signed.
func (m *Machine) CollateralVLEK() *sevsnp.Collateral {
	return &sevsnp.Collateral{EndorsementKey: m.signer.Vlek.Raw, Intermediate: m.signer.Asvk.Raw}
}

// Root returns the machine's root certificate in DER.
func (m *Machine) Root() []byte { return m.signer.Ark.Raw }

// CRL returns the root's revocation list in DER, which holds for 30 days from since on and names the serials.
func (m *Machine) CRL(since time.Time, serials ...*big.Int) ([]byte, error) {
	list := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: since, NextUpdate: since.Add(30 * 24 * time.Hour),
		SignatureAlgorithm: x509.SHA384WithRSAPSS,
	}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: since})
	}
	return x509.CreateRevocationList(rand.Reader, list, m.signer.Ark, m.signer.Keys.Ark)
}
