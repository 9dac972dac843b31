// Package enclavetest plays a chain, its gatekeeper and its clients towards real workers in one process, for tests and
// benchmarks. Nothing of the worker is faked: keys, sealed files, contract engine, encrypted state and execution are
// those of a pRuntime on the simulated platform.
//
// A [World] is the chain as one cluster sees it: a clock, the cluster's topic and its records. Its methods append to
// the topic what accounts and the chain would. A [Worker] is a pRuntime's worker role with its keys and its disk:
// [Worker.Sync] brings it everything that is new, in batches that the caller may choose, and answers its requests for
// keys. A [Client] signs and encrypts invocations and opens what comes back. [CatchUp] drives the whole way from light
// blocks to the roles.
//
// Errors are panics: a harness that cannot play its part has no result to give. The package does not import testing,
// so that programs may use it; nothing that runs in a TEE links it.
package enclavetest
