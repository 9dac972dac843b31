// Package keys owns every secret of a pRuntime that outlives a moment, and alone calls the platform's tee.Sealer
// (protocol sections 1, 7, 8 and 9).
//
// Start with [Open]: at the first start it draws the IdentityKey and the EcdhKey, seals them and returns a [Keyring];
// later it loads what was sealed. The Keyring then offers operations, never keys: [Keyring.Sign],
// [Keyring.OpenEnvelope], [Keyring.SealReply], rotation of the EcdhKey, the MasterKey's part in the hierarchy of keys,
// and one-time keys. Public keys, the [Keyring.Incarnation] and a [Keyring.LocalKey] for the own disk are all that can be
// read.
//
// What is promised:
//
//   - Whatever is announced was sealed before: a new EcdhKey, a MasterKey. A change is first sealed, written to a
//     temporary file, synced, renamed over the old file and synced in the directory, and only then believed; when any of
//     these steps fails, the Keyring is as it was.
//   - A sealed file that cannot be read is never overwritten, nor is anything created beside it. The errors say what is
//     wrong with it.
//   - An erased secret is gone from memory and from every later file. Earlier files that a host has kept stay readable
//     by this program on this machine: sealing does not protect from rollback. A rolled-back file loads; that the chain
//     then names another key than the file holds is [ErrUnknownOwnKey].
//   - The incarnation is drawn anew at each start and never sealed.
//   - ClusterKeys, one-time keys and everything below them are in no file.
//
// One process holds a directory at a time; the other gets [ErrInUse]. A Keyring's methods may be called at the same
// time.
//
// Rotation of the EcdhKey: [Keyring.BeginRotation] seals a pending key, the caller announces it, and
// [Keyring.AdoptEpoch], called with what a proof shows of the own WorkerState, makes it current once the chain says so.
// AdoptEpoch is also what a start calls: the chain may have moved on between the announcement and the crash. The old
// key opens envelopes until [Keyring.Expire] is told a height past its grace period.
//
// Handover between releases (docs/spec/handover.md): [OpenReceiver] opens a directory that waits for an identity's keys, and
// [Keyring.PrepareHandover] seals the one-time key that it asks with. [Keyring.HandOver] replaces the old release's keys by the
// finished offer, in one write, and [Keyring.Receive] the one-time key by the keys. So at every instant, and after a crash at
// any, either the old release's file holds the keys, or the offer is there and only the new release's one-time key opens it.
// [Keyring.Standing] says which; what needs keys that are not here fails with [ErrReceiving] or [ErrHandedOver].
package keys
