// Package nitro verifies attestation documents of AWS Nitro Enclaves: a COSE_Sign1 message (RFC 9052) over a CBOR map, as
// https://docs.aws.amazon.com/enclaves/latest/user/verify-root.html describes it, up to AWS's root, which is embedded.
//
//	result, err := nitro.Verify(document, nitro.Options{Now: blockTime})
//
// The document brings its own certificates, so there is no collateral; they live for hours, so there are no revocation
// lists. [Verify] is pure: it reads no clock, file or network. Whether a measurement or a debug enclave is good enough is
// for the caller's policy. Errors carry a word of package reason and wrap a refusal of package tee.
//
// Only the signed payload and the signature may vary between documents: the frame around them has one encoding, and each
// head of CBOR its shortest one. The payload's outermost map alone may have no length up front, for the Nitro module
// writes it so; a key that comes twice or is not known is refused.
package nitro
