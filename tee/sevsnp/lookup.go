package sevsnp

import (
	"github.com/google/go-sev-guest/abi"

	"github.com/phalanx-network/phalanx/tee/reason"
)

// Lookup is what AMD's key distribution service must be asked for to get the collateral of a report.
type Lookup struct {
	// Product is "Milan" or "Genoa"; empty for a report of version 2, which does not name its processor.
	Product string
	// VLEK says that a provider's key signed, whose certificate only the provider's host has.
	VLEK     bool
	ChipID   [ChipIDSize]byte // names the chip; zero where the host hides it
	Reported TCB              // that the signing key was derived for
}

// ChipMasked reports whether the host hides the chip, so that nobody can ask for its certificate.
func (l Lookup) ChipMasked() bool { return l.ChipID == [ChipIDSize]byte{} }

// LookupOf reads what a report says of its platform. Nothing is verified: the answer serves to fetch collateral, and
// [Verify] tells whether that fits. Errors carry the words that those of Verify do.
func LookupOf(report []byte) (Lookup, error) {
	r, err := parseReport(report)
	if err != nil {
		return Lookup{}, err
	}
	signer, err := abi.ParseSignerInfo(r.SignerInfo)
	if err != nil {
		return Lookup{}, reason.New(reason.Format, "signer: %v", err)
	}
	if signer.MaskChipKey || signer.SigningKey == abi.NoneReportSigner {
		return Lookup{}, reason.New(reason.Unsigned, "the platform was told not to sign with its key")
	}
	l := Lookup{VLEK: signer.SigningKey == abi.VlekReportSigner}
	copy(l.ChipID[:], r.ChipId)
	if l.Reported, err = parseTCB("reported", r.ReportedTcb); err != nil {
		return Lookup{}, err
	}
	if r.Version >= 3 {
		l.Product, err = cpuProduct(r.Cpuid1EaxFms)
	}
	return l, err
}

// Products returns the names of the product lines whose reports are read.
func Products() []string { return append([]string(nil), products...) }
