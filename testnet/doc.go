// Package testnet is a whole network on one machine, of real processes: validators, and for each worker and gatekeeper
// a pruntime on the simulated platform with a relay of its own. It is what `phalanx devnet` runs, and what end-to-end
// tests run against.
//
// [Start] makes the network in a home folder, or takes up the one that is there, and returns when its cluster's key is
// fixed and every worker answers. [Devnet.Kill] and [Devnet.Restart] do to a process what an operator could;
// [Devnet.Stop] ends everything in order. [Command] is `phalanx devnet`; while one runs, others control it through a
// socket in its home.
//
//	HOME/network.json     what clients need to find the network, and the processes' ids
//	HOME/devnet.json      what the network was made with
//	HOME/keys/NAME.json   accounts, unprotected: alice, bob, authority, and each relay's and validator's
//	HOME/nodes, workers, gatekeepers/ID   the processes' own folders
//	HOME/logs/ID.log      what each printed
//
// A test that has a platform of its own gives it as [Hardware]: its network takes no simulated evidence, and governance names its
// gatekeeper and creates its cluster.
//
// The processes die with their parent. A home belongs to one devnet at a time.
//
// It gives no confidentiality at all: the platform is simulated, and every key is on this disk.
package testnet
