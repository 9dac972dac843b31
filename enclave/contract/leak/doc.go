// Package leak runs calls of a contract in pairs that differ in secrets alone, and says what somebody outside the enclave
// can tell apart.
//
// # Use
//
// Make a [Sandbox] of a contract's code. [Sandbox.Observe] deploys the contract in an empty state, runs the calls that set
// it up and records what the last call shows. [Compare] gives the differences between two observations; a [Report] adds
// up those of many pairs. Calls are bytes: making them, and making them in pairs, is the caller's business, who knows the
// contract's types.
//
// # What is compared
//
// Everything about the observed call that leaves the enclave, or that its host can see or time:
//
//	everybody             the size class of the call, the gas class that pays for it
//	the host of a worker  how a command ends, gas (which is time), host calls and storage accesses in their order, sizes of
//	                      values and logs, the size class of the receipt or reply
//	the caller            how a query ends, sizes of output and events within that class
//
// Gas is measured by the engine that workers run and size classes by the codecs and the padding of the network, so that
// each figure is what a worker would have. Memory accesses inside the contract are not recorded: a table in its memory that
// a secret is the index of goes unseen unless gas shows it. Neither do paths through the code show that cost the same.
//
// # What is promised
//
// The same calls give the same observations: height, time and randomness of the sandbox are constants. Package pink answers
// Phat Contracts there as on a worker whose operator allows no requests, so that a path behind a response goes unseen. Work and memory are
// bounded by the gas limit of a [Sandbox], the limits of its engine and [MaxSteps]. A [Difference] is told in fixed words,
// numbers and hex, so that a contract cannot steer a terminal with it. A report without findings proves nothing beyond its
// pairs.
package leak
