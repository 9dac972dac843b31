// Package dcap verifies Intel's DCAP quotes, SGX version 3 and TDX versions 4 and 5, on the standard library's
// cryptography. [Verify] is a pure function of the quote, the [Collateral] that Intel publishes, the time and the
// roots: no network, no clock, no file. Validators run it, so equal arguments give equal results everywhere, and no
// input makes it panic.
//
// A quote is believed if each of these holds, checked in this order; the first that does not gives the [Refusal]:
//
//  1. The quote has its format, every length fits exactly, and only zeros follow (format, trailing).
//  2. Its PCK certificate, PCK CA and root form a path to a trusted root, all within their dates (format, chain, expired,
//     not yet valid).
//  3. The root's and the PCK CA's revocation lists are of those authorities and current, and none of the certificates
//     is on them (crl, revoked, expired, not yet valid).
//  4. TCB info and QE identity are signed by Intel's TCB signing key under the same root, and current (chain, revoked,
//     signature, format, expired, not yet valid).
//  5. The PCK signed the QE's report, the report names the attestation key, and that key signed the quote (signature).
//  6. The collateral is for this technology, processor family and PCE, and of the evaluation that is asked (mismatch,
//     fmspc, pceid, evaluation).
//  7. The quoting enclave and TDX module are Intel's, and all parts reach a TCB level (qe, module, tcb).
//
// How good those levels are is no ground for refusal: [Result] returns the status of each part, all of them combined
// by [Combine], and the advisories. So it does with debug mode. A caller must judge both; [Verifier] hands them to
// package tee, whose policy does.
//
// What nothing signs may still be changed: a quote has other valid spellings (r, n−s) of its signatures, and may have
// zeros behind it and behind its chain. Key nothing on a quote's bytes or hash; key it on the fields of [Result].
//
// Who fetches collateral asks [LookupOf] what a quote needs; who stores a quote cuts its padding off with [Trim]. Both
// verify nothing.
//
// Package dcaptest makes quotes and collateral under a root of its own.
package dcap
