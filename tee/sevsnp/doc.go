// Package sevsnp verifies AMD SEV-SNP attestation reports of the versions 2 and 3, of Milan and Genoa processors, signed
// by a VCEK (a chip's own key) or a VLEK (a cloud provider's key that AMD certified).
//
//	result, err := sevsnp.Verify(report, &sevsnp.Collateral{EndorsementKey: vcek}, sevsnp.Options{Now: blockTime})
//
// [Verify] is pure: report, certificates, revocation lists and time go in, data comes out. It reads no clock, file or
// network and keeps nothing. Whether a debug guest, a measurement or a TCB is good enough is for the caller's policy: the
// result tells it all. Errors carry a word of package reason and wrap a refusal of package tee.
//
// Layouts and certificate extensions are read by github.com/google/go-sev-guest (packages abi and kds), after AMD's
// documents 56860 (SEV-SNP ABI) and 57230 (VCEK and KDS). Its package verify is not used: it takes the wall clock and the
// network where it is not told otherwise, checks the signature over a re-encoding in which bits of the report are lost,
// compares neither chip nor TCB with the certificate, and tells its refusals apart by text alone. Tests run it beside
// this package. What is added here: exact lengths, no reserved bit, a version that is known, the raw bytes under the
// signature, chip and TCB bound to the certificate, and one product from report to root.
//
// Turin is refused: its TCB has another layout and its certificates a shorter chip identity.
package sevsnp
