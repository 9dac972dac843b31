// Package tee says what Phalanx asks of a trusted execution environment, whoever makes it: evidence that a program runs
// in one ([Evidence], [Attester]), a pure judgement of that evidence ([Verify]), and storage that only the same program
// on the same machine can read ([Sealer]).
//
// A chain calls [Verify] in its state machine. Verification is therefore deterministic and closed: it reads the evidence,
// the policy, the roots and the time that it is given, and nothing else. No network, no file, no clock, no randomness; a
// certificate, a TCB info or a revocation list that a platform needs travels in [Evidence.Collateral].
//
// [Verify] asks for the report data that the caller expects, for evidence that says nothing about the message beside it
// proves nothing. Compute it with [ReportData]. What comes back is either [Claims] that hold under the policy or an
// error that wraps one [Refusal], whose code is stable.
//
// Providers live below this package. Each has a verifier, which the chain and clients link, and a subpackage for access
// to the device, which only the enclave program links. Every provider passes the suite in tee/teetest.
package tee
