package tee

import (
	"crypto/sha512"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bounds of evidence, in bytes.
const (
	MaxData       = 64 << 10  // the report, quote or document
	MaxCollateral = 256 << 10 // what its verification needs beside it
)

// ReportDataSize is the number of bytes that a caller may bind into evidence.
const ReportDataSize = 64

// Evidence is a platform's statement that a program runs in it, and all that is needed to check it but the roots.
type Evidence struct {
	Kind       Kind
	Data       []byte // at most MaxData bytes, in the kind's own format
	Collateral []byte // at most MaxCollateral bytes, in the provider's format; may be empty
}

// Scale visits the evidence: kind u8, data, collateral.
func (e *Evidence) Scale(c *scale.Codec) {
	e.Kind.Scale(c)
	c.Bytes(&e.Data, MaxData)
	c.Bytes(&e.Collateral, MaxCollateral)
}

// Claims is what verified evidence says. A [Verifier] returns claims whose signatures and chain it has checked up to a
// trusted root; whether they are good enough is for the policy.
type Claims struct {
	Kind        Kind
	Measurement []byte // digest of the program, 1 to MaxRegister bytes, in the kind's own form
	// Registers are all that the evidence measures, ascending by name, RegisterMeasurement among them.
	Registers  []Register
	ReportData [ReportDataSize]byte
	TCBStatus  TCBStatus
	Advisories []string // open security advisories, as the maker names them, in the maker's order
	Debug      bool     // the host can read or change the program, by a debugger or by migrating it
	Confidence uint8    // ConfidenceNone, or ConfidenceBest (1) to ConfidenceWorst (5)
	IssuedAt   int64    // Unix seconds, signed by the platform; 0 where the kind signs no time
	// Expires is the earliest end of the certificates, lists and documents that were relied on, in Unix seconds; 0 where
	// there is none. The same evidence is refused after it.
	Expires int64
	// Evaluation (Intel) is the lower of the TCB evaluation numbers of TCB info and QE identity.
	Evaluation uint32
	// Product and Levels (AMD) are what [Acceptance.MinTCB] judges: "Milan" or "Genoa", and the reported levels.
	Product string
	Levels  Levels
	// CRLChecked says that the root's revocation list was there and names nothing on the path.
	CRLChecked bool
	// Program is the [Program.ID] of the policy's program that holds. [Verify] sets it; a [Verifier] leaves it zero.
	Program [32]byte
}

// Verifier checks evidence of one kind. Verify is pure: it depends on its arguments alone, never blocks and never
// panics, whatever the bytes. It returns an error that wraps a [Refusal].
type Verifier interface {
	Kind() Kind
	Verify(ev Evidence, roots Roots, now time.Time) (Claims, error)
}

// ReportData returns what evidence for body must carry: SHA-512 of `phalanx/<tag>/v1` ‖ chainUID ‖ body. The tag keeps
// evidence that was made for one record from being shown with another; chainUID does so between networks.
func ReportData(tag string, chainUID [32]byte, body []byte) [ReportDataSize]byte {
	h := sha512.New()
	h.Write([]byte("phalanx/" + tag + "/v1"))
	h.Write(chainUID[:])
	h.Write(body)
	var out [ReportDataSize]byte
	h.Sum(out[:0])
	return out
}
