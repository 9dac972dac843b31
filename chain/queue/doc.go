// Package queue holds the rules of the message queue: how messages enter topics and move their running heads, in what
// order an enclave's signed messages are accepted, who may post what, and which bodies are kept for how long. It knows
// no Cosmos type; x/mq gives it a store, the block and the roles, and turns what it answers into transactions.
//
// Start with [Over], which makes a [Queue] of a [Store]. [Queue.Append] adds a message, [Queue.Accept] judges the
// sequence of an enclave's message, [Queue.Page] reads bodies, [Queue.Cover] and [Queue.Prune] drop them again.
//
// What is stored, every key below being raw bytes and every topic its SCALE bytes, which are prefix-free:
//
//	head/ topic                SCALE of wire.Head           proven; never deleted
//	sequence/ identity         SCALE of wire.Sequence       proven; never deleted
//	message/ topic u64be       SCALE of wire.Message        until pruned
//	digest/ topic u64be        SHA-256 of that ‖ u64be height, until pruned
//	shelf/ topic               SCALE of Shelf               what is kept of the topic
//	due/ u64be topic           1                            the height at which the topic is looked at for pruning
//
// What is promised: an index is given once; a head is the chain of wire.Head.Next over the stored messages; a body is
// dropped only after its retention and, in a cluster's topic, only below the covered count; the work of one Prune is
// bounded by its budget and grows with what is due, never with what is stored.
package queue
