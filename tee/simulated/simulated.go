// Package simulated verifies the evidence of the simulated platform, which imitates the shape of hardware attestation
// and protects nothing: see [Banner]. It lets a network run on any machine, for development and tests. The device's side
// is in simulated/device.
//
// The shape: a root key signs a [Certificate] of each machine's attestation key, as AMD's keys sign a VCEK; the machine's
// key signs a [Report]. The report is the evidence's data, the certificate its collateral. The root's secret is public
// knowledge ([RootSeed]), so whoever likes can make any evidence. For that reason the kind has an index of its own, the
// confidence level 0 that no hardware has, and no place in a production policy.
package simulated

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

// Banner is what every program that links the simulated platform must show its user, in red where there is colour.
const Banner = `WARNING: SIMULATED PLATFORM. NO CONFIDENTIALITY.
No TEE protects this process. Whoever controls this machine can read every key, message and state in it, and anybody
can forge its attestation. Use it for development and tests only; never put a real secret into it.`

// version is the layout of certificates and reports.
const version = 1

const (
	certificateDomain = "phalanx simulated certificate v1"
	reportDomain      = "phalanx simulated report v1"
)

// RootSeed returns the ed25519 seed of the simulated root: SHA-256 of a published text. It is no secret and gives no
// security.
func RootSeed() [32]byte {
	return sha256.Sum256([]byte("phalanx simulated root v1: public knowledge, gives no security"))
}

// RootKey returns the simulated root's public key, 32 bytes.
func RootKey() []byte {
	seed := RootSeed()
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// Roots returns roots that hold the simulated root alone.
func Roots() tee.Roots {
	return tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSimulated, Keys: [][]byte{RootKey()}}}}
}

// Measurement returns what stands for the measurement of a program: SHA-256 of a domain tag and a name that the
// program gives itself, a release say. Hardware measures; here the program is believed.
func Measurement(name string) [32]byte {
	return sha256.Sum256([]byte("phalanx simulated measurement v1" + name))
}

// Certificate is the root's statement that an attestation key is a machine's.
type Certificate struct {
	Machine   [32]byte // ed25519 public key
	Signature [64]byte // the root's, over SignedText
}

// Scale visits the certificate: version u8, machine, signature; 97 bytes.
func (ct *Certificate) Scale(c *scale.Codec) {
	scaleVersion(c)
	c.Fixed(ct.Machine[:])
	c.Fixed(ct.Signature[:])
}

// SignedText returns what the root signs: domain ‖ machine.
func (ct *Certificate) SignedText() []byte {
	return append([]byte(certificateDomain), ct.Machine[:]...)
}

// Report is the machine's statement about a program in it.
type Report struct {
	Machine     [32]byte // the attestation key that signs
	Measurement [32]byte
	ReportData  [tee.ReportDataSize]byte
	IssuedAt    uint64 // Unix seconds
	Debug       bool
	TCBStatus   tee.TCBStatus // as the simulated machine likes to have it
	Signature   [64]byte      // the machine's, over SignedText
}

// Scale visits the report: version u8, machine, measurement, report_data, issued_at u64, debug bool, tcb_status u8,
// signature; 203 bytes.
func (r *Report) Scale(c *scale.Codec) {
	r.body(c)
	c.Fixed(r.Signature[:])
}

func (r *Report) body(c *scale.Codec) {
	scaleVersion(c)
	c.Fixed(r.Machine[:])
	c.Fixed(r.Measurement[:])
	c.Fixed(r.ReportData[:])
	c.U64(&r.IssuedAt)
	c.Bool(&r.Debug)
	r.TCBStatus.Scale(c)
}

type unsigned struct{ *Report }

func (u unsigned) Scale(c *scale.Codec) { u.body(c) }

// SignedText returns what the machine signs: domain ‖ the encoding without the signature. It panics on a TCBStatus that
// does not exist.
func (r *Report) SignedText() []byte {
	return append([]byte(reportDomain), scale.MustMarshal(unsigned{r})...)
}

func scaleVersion(c *scale.Codec) {
	v := uint8(version)
	c.U8(&v)
	if c.Err() == nil && v != version {
		c.Fail(fmt.Errorf("version %d, %d is known", v, version))
	}
}

// Verifier checks simulated evidence. It is stateless.
type Verifier struct{}

var _ tee.Verifier = Verifier{}

// Kind returns tee.KindSimulated.
func (Verifier) Kind() tee.Kind { return tee.KindSimulated }

// Verify checks report, certificate and root, as tee.Verifier says. Simulated certificates do not expire, so it does
// not look at now; the report's age is for the policy.
func (Verifier) Verify(ev tee.Evidence, roots tee.Roots, _ time.Time) (tee.Claims, error) {
	if ev.Kind != tee.KindSimulated {
		return tee.Claims{}, fmt.Errorf("%w: %s", tee.ErrKind, ev.Kind)
	}
	var report Report
	if err := scale.Unmarshal(ev.Data, &report); err != nil {
		return tee.Claims{}, fmt.Errorf("%w: report: %v", tee.ErrFormat, err)
	}
	var cert Certificate
	if err := scale.Unmarshal(ev.Collateral, &cert); err != nil {
		return tee.Claims{}, fmt.Errorf("%w: certificate: %v", tee.ErrFormat, err)
	}
	if report.IssuedAt > math.MaxInt64 {
		return tee.Claims{}, fmt.Errorf("%w: time is out of range", tee.ErrFormat)
	}
	if !signedByRoot(&cert, roots) {
		return tee.Claims{}, fmt.Errorf("%w: no root signed the machine's certificate", tee.ErrChain)
	}
	if report.Machine != cert.Machine {
		return tee.Claims{}, fmt.Errorf("%w: report and certificate name two machines", tee.ErrChain)
	}
	if !ed25519.Verify(cert.Machine[:], report.SignedText(), report.Signature[:]) {
		return tee.Claims{}, tee.ErrSignature
	}
	return tee.Claims{
		Kind:        tee.KindSimulated,
		Measurement: report.Measurement[:],
		Registers:   tee.Exactly(report.Measurement[:]).Registers,
		ReportData:  report.ReportData,
		TCBStatus:   report.TCBStatus,
		Debug:       report.Debug,
		Confidence:  tee.ConfidenceNone,
		IssuedAt:    int64(report.IssuedAt),
	}, nil
}

func signedByRoot(cert *Certificate, roots tee.Roots) bool {
	text := cert.SignedText()
	for _, key := range roots.Of(tee.KindSimulated) {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, text, cert.Signature[:]) {
			return true
		}
	}
	return false
}
