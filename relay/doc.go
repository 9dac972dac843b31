// Package relay is the untrusted host's half of a worker or gatekeeper: it carries blocks, proofs and messages from a
// node into the enclave, and what the enclave has signed to the chain.
//
// Call [Run] with a [Config]; it returns when its context ends. [Command] is `phalanx relay`.
//
// A relay follows the node's blocks. At each it brings the newest light block, the proofs of the records that the
// enclave wants, against that header, and the messages that the proven heads cover; then it carries out what is in the
// enclave's outbox. It registers the enclave when that asks for it, publishes the endpoints, and takes part in state
// transfers: it serves its enclave's snapshot to other relays on the peer door, and fetches one from them.
//
// What is promised: the relay holds the operator's account and never a secret of the enclave; it prints sizes, never
// contents. It may be stopped, killed, restarted or run twice for one enclave at any time: the enclave and the chain
// take everything exactly once. A node or an enclave that does not answer is asked again, at growing intervals.
//
// What is not: a relay can delay its enclave or keep it from the network, and can show everybody that it does. No
// enclave believes it anything.
package relay
