// Package dispatch is the enclave's view of the chain. It takes what an untrusted relay brings — light blocks, proofs,
// messages — believes only what the chain's validators signed, and runs the enclave's roles on it in order.
//
// Start with [New], give it the roles, and hand every request of the relay to [Dispatcher.Advance]. A role sees the
// chain through [Chain]: it asks for records by key, and what is not proven yet becomes one of the wants that
// [Dispatcher.Status] shows to the relay; it follows topics by saying where it stands, and receives their messages in
// order; it acts by [Chain.Act], which signs, numbers and keeps the act until the chain is proven to have accepted it.
//
// An identity's keys may be in another release's hands ([Custody]): nothing is registered then and no role acts, but the chain is
// followed, so that the keys can come.
//
// What is promised: a role never sees a record that was not proven against a verified header, nor one older than it
// asked for; it receives every message of a topic exactly once, in the topic's order, and none that is not under a
// proven head, whatever the relay omits, repeats, reorders, changes or delays; an act is signed once in each
// incarnation. Memory is bounded by what the roles want, not by what the relay sends.
package dispatch
