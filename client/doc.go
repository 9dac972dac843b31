// Package client is the Go SDK: it deploys, calls and queries confidential contracts of a Phalanx network, and believes
// nothing that a node, a relay or a worker's host says without proof.
//
// [Dial] makes a [Client] from the chain's id and uid and a node's address. Identities sign as a [Signer]: [Of] makes
// one of an account of package client/account, [Sr25519] and [Ed25519] of bare keys. What goes to the chain is posted by
// a [Payer], a [tx.Sender] of any account: the chain sees who posts, not who signs.
//
//	c, err := client.Dial(ctx, client.Config{ChainID: "phalanx-devnet", UID: uid, NodeURL: "http://127.0.0.1:26657"})
//	defer c.Close()
//	made, err := c.Deploy(ctx, payer, client.Deployment{Cluster: id, From: client.Of(alice), Code: wasm, Input: constructor})
//	receipt, err := c.Command(ctx, payer, client.Request{Cluster: id, From: client.Of(alice), To: made.Contract, Input: call})
//	answer, err := c.Query(ctx, client.Query{Cluster: id, From: client.Of(bob), To: made.Contract, Input: question})
//
// Inputs and outputs are the contract's own serialization; package client/abi makes and reads them by ink! metadata. The
// package's example is a whole program.
//
// # What is promised
//
// Headers: the client runs a light client from the trust root (the first header, whose hash is the uid, unless
// [Config.TrustRoot] names a later one), verifies by skipping, and refuses to act on a chain whose newest header is more
// than [MaxAge] old. Facts: [Client.Worker], [Client.Cluster], [Client.Contract], [Client.Params], [Client.Gatekeepers],
// [Client.MasterKey] and [Client.Finalized] return records that an ICS23 proof shows to be, or shows not to be, in the
// state of a verified header. Lists ([Client.Workers], [Client.Clusters], [Client.Contracts]) are a node's word and say
// so. A node that gives anything else is refused as [ErrNodeLied].
//
// Commands are encrypted to the cluster's proven key from a key made for one message, with a reply key made for one
// receipt. [Client.Send] returns once they are in a block, [Pending.Receipt] waits for the receipt, from any member, and
// checks that it is this command's and sealed by a key that the chain names as the member's; [Client.Command] does both.
// A receipt is then the word of one attested enclave; [Client.WaitFinal] waits for a checkpoint that a quorum of the
// members reported and verifies that it covers the receipt. Whether a command did what it was to do is in its
// [wire.Outcome]: [Check] makes an error of one that did not. A command whose receipt could not be had may still be
// executed until [Pending.NotAfter], once at most.
//
// Queries are encrypted to one worker's proven key and signed for its present incarnation alone. A reply is refused
// unless it is to this query, from that worker, on a header that the own light client confirms, not older than asked,
// not before the last command whose receipt this client saw, and within [MaxAge] of the own clock. Where the worker has
// started anew in between, its proof is read again and the query repeated once.
//
// Evidence: [Client.VerifyWorker] judges a worker's evidence here, under a policy and roots of one's own (package
// client/attestation), whatever the validators made of it. With [Config.Attested] workers whose evidence that policy
// refuses are asked nothing: no query, receipt or log. A command goes to all members of a cluster: whoever wants to know that all of them
// are genuine before it is sent verifies each, as the example does.
//
// [Client.Logs] and [Client.LogsOfAll] read what contracts of the signer logged: a query that workers answer for the
// contract's owner alone, whose entries are encrypted to the owner's identity key besides. They are one worker's word, are
// under no root, and are lost when that worker starts anew.
//
// Errors are the package's sentinels and types, to be matched with errors.Is and errors.As; they hold no secret.
//
// # What is kept
//
// [Config.CacheDir] holds, for each network, the verified header, and for each identity and cluster the last nonce and
// the height of the last receipt; several processes may share it. It holds no secret, but who can write there decides
// what this client takes for verified.
package client
