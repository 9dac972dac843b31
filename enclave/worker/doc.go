// Package worker is the role of an enclave that executes clusters: it gets their keys from gatekeepers, executes their
// commands in topic order, reports the results at checkpoint marks, and answers queries and requests for receipts.
//
// [New] makes the [Role]; dispatch drives it through Step, Places and Deliver, and the doors call Query, Receipt,
// Status and the three methods of the state transfer.
//
// # What is promised
//
// Execution is a function of the cluster's own topic alone: everything that influences it is in the topic or in the
// cluster's state, which is under the state root. A message is executed once, whatever crashes: its effects, its
// receipt and the topic's count become durable together, and only then can anybody see them. A message that cannot be
// opened, decoded, paid for, or that repeats a nonce, is counted and changes nothing else.
//
// A query runs on an immutable view, without locks, and changes nothing. Its reply names the view by topic count and
// root, and the newest verified header whose proven head equals that count.
//
// What contracts log is kept in memory, encrypted to each contract's owner from a key that is erased at once, and given to
// the owner alone: of commands once they are durable, and never at the cost of anybody's state, receipt or root.
//
// ClusterKeys and everything below them live in memory only, and are erased when the worker leaves the cluster.
//
// # The cluster's state
//
// The state tree holds, under the contract id of 32 zero bytes, what the cluster itself remembers (integers in keys
// are big-endian, values are SCALE but for those in brackets):
//
//	"system"                        the [system] record
//	"b/" ‖ account                  balance, u128
//	"c/" ‖ contract id              the [contractEntry]
//	"d/" ‖ contract id              (nothing): a terminated contract whose storage is still to be dropped
//	"e/" ‖ contract id              the head of its events: count u64, hash
//	"s/" ‖ code hash                the code's size, u64 big-endian
//	"w/" ‖ code hash                the code
//	"u/" ‖ identity ‖ code hash     the [upload] under way
//	"v/" ‖ identity ‖ code hash ‖ part: u16   a part of it
//	"n/" ‖ identity                 the [nonceSet]: height u64 ‖ nonces u64, little-endian
//	"r/" ‖ topic index: u64         the [receiptEntry]
//	"m/" ‖ mark: u64                the [markEntry]
//	"x/" ‖ number: u64              the unpaid withdrawal
//
// and under each contract's id that contract's storage.
package worker
