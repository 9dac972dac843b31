// Package tx makes, signs and sends transactions of an account.
//
// [New] makes a [Sender] for one account on one chain; [Sender.Send] signs messages in SIGN_MODE_DIRECT and hands them
// in, [Sender.Wait] waits for the block and returns a [Result], and [Sender.Do] does both. [Result.Response] decodes
// what a message answered, [Result.Events] finds typed events.
//
// A sender counts its account's sequence itself, so that many transactions may be under way at once; where the chain
// expects another one, it takes the chain's word and signs again. A transaction that the node did not answer for may or
// may not be in its mempool: sending again gets a later sequence, so messages that must not happen twice need
// protection of their own, as everything that enclaves sign has.
package tx
