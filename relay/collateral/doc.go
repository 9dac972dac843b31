// Package collateral completes evidence with what its makers publish about the platform: TCB info, QE identity and
// revocation lists of Intel, certificates and revocation lists of AMD. An enclave has no network that it could trust, so
// its relay asks.
//
//	source, err := collateral.New(collateral.Config{Cache: dir})
//	evidence, expiry, err := source.Complete(ctx, evidence)
//
// Intel's is asked for as API version 4 of its provisioning certification service says, of Intel or of a caching service
// (PCCS) with the same paths; AMD's as the key distribution service's interface (document 57230) says. Nitro documents and
// simulated evidence are returned as they are.
//
// What is promised: nothing that comes from a server is believed here, for validators judge it all again. It is only
// bounded, parsed, asked whether it is what was asked for and within its dates, so that a server's fault becomes a sentence
// in a log and not a refused transaction. A server that answers slowly, endlessly, with redirects or with rubbish gives an
// error within [Config.Timeout]. Failures of a service are asked again at growing intervals, and its Retry-After is kept.
//
// What was fetched is kept in memory and, with [Config.Cache], on disk, until it ends. It is fetched again when two thirds
// of its life are over, and what is at hand serves on if that fails. An older answer never takes the place of a newer one.
// A file on disk counts no more than a server's answer: it is parsed and judged as one.
//
// What is not: freshness beyond the makers' dates. Who controls the relay may hold newer collateral back for as long as the
// older holds; the network's policy sets a least evaluation number against that. Requests tell the makers, and who listens
// where a base URL is not https, which platform asks.
package collateral
