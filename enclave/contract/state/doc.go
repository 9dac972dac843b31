// Package state holds the confidential state of one cluster: a copy-on-write tree in enclave memory with a hidden
// multiset root, and an encrypted, authenticated log with snapshots on disk (protocol section 11).
//
// Start with [Open], which recovers and verifies what a directory holds, and read [Store.View]. To execute messages,
// buffer their writes in an [Overlay] over that view, with [Overlay.Begin] for each nested call; then give
// [Overlay.WriteSet] to [Store.Append] with the topic count that the state stands at after them:
//
//	view := store.View()
//	block := state.NewOverlay(view)
//	call := block.Begin()
//	... call.Get, call.Set, call.Delete ...
//	err := call.Commit()               // or forget call: nothing happened
//	err = store.Append(count, block.WriteSet(), meta)
//
// # Memory
//
// A [View] is immutable. Any number of goroutines read it without locks while the one writer goes on. Keys are
// (contract, key) in byte order; what Get and Ascend return belongs to the caller.
//
// # Root
//
// The root is an incremental multiset hash (LtHash with 1,024 lanes of 16 bits), so that it depends on the content
// alone and never on its history:
//
//	leaf   = HMAC-SHA256(RootKey, SCALE(contract: [u8; 32], key: Vec<u8>, value: Vec<u8>))
//	lanes  = the first 2,048 bytes of BLAKE3(leaf) in extendable output, as 1,024 little-endian u16
//	sum    = expand(HMAC-SHA256(RootKey, "phalanx/state-empty/v1")) + all leaves' lanes, each modulo 2¹⁶
//	root   = SHA-256("phalanx/state-root/v1" ‖ sum in 2,048 bytes)
//
// Who lacks the RootKey can test no guess of the content, not even that it is empty. A new RootKey is brought in with
// [Store.BeginRehash], [Rehash.Run] beside execution, and [Store.AppendRehashed].
//
// # Disk
//
// The directory holds files named snapshot-GGGGGGGGGGGGGGGG and log-GGGGGGGGGGGGGGGG (the generation, 16 hex digits).
// snapshot-G is the state at which log-G begins. log-G+1 begins where log-G ended. Every file begins with a plain
// header of 512 bytes:
//
//	"phxstate" ‖ version: u16 = 1 ‖ kind: u8 (1 log, 2 snapshot) ‖ key epoch: u32 ‖ generation: u64 ‖
//	cluster: [u8; 32] ‖ file id: [u8; 32] ‖ key check: [u8; 16] ‖ zeros
//
// (little-endian). Key and key check are the 48 bytes HKDF-SHA256(state key of the epoch, salt = file id, info =
// "phalanx/state-file/v1" ‖ kind ‖ generation ‖ cluster). The file id is random and new for every file, and no file is
// ever written to after the process that made it ended, or after 2³² frames; the IV is the frame's number in its file.
// So no key and IV ever meet twice, whatever older disk the host presents. After the header come frames, each of a
// multiple of 512 bytes:
//
//	n: u32 (bytes of the frame) ‖ ^n: u32 ‖ AES-256-GCM(u32 length ‖ body ‖ zeros)
//	IV              = 4 zero bytes ‖ number: u64 big-endian
//	associated data = "phalanx/state-frame/v1" ‖ SHA-256(header) ‖ number: u64 ‖ sequence: u64 ‖ kind: u8 ‖ n: u32
//
// Frame 0 of every file is its base, with sequence 0; a log's further frames are one batch each, their sequence running
// on from file to file; a snapshot's are the chunks of [Export], with the sequence of the last batch in it. The bodies:
//
//	mark  = sequence: u64 ‖ topic count: u64 ‖ root's key epoch: u32 ‖ root: [u8; 32] ‖ meta: Vec<u8>
//	base  = mark ‖ id of the log before, or zeros after a snapshot: [u8; 32]
//	batch = mark ‖ Vec<contract: [u8; 32] ‖ key: Vec<u8> ‖ value: Option<Vec<u8>>>   in byte order, None deletes
//
// What is promised: Append returns nil only when the batch is durable; a crash at any instant loses nothing that was
// acknowledged and repeats nothing; what is recovered is verified whole against the root of its last frame; damage is a
// [FileError] and then no file is written, renamed or removed. The host can present an older disk that is intact in
// itself: that shows in the count alone, which the caller compares with what the chain says. A last frame of which
// whole 512-byte sectors are absent or zero is what a crash leaves and is cut; that too shows in the count.
//
// Opening and compacting write the whole state anew beside the old, so a disk needs room for it twice, and for a log.
//
// One process at a time may have a directory open; the caller holds its lock.
//
// The package erases file keys and frame plaintext after use. The tree itself, and the RootKey inside HMAC's state,
// live in enclave memory until they are collected.
package state
