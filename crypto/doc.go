// Package crypto is the root of the cryptography that every entity of the network shares. It has no code of its own;
// below it are
//
//   - scale: the canonical encoding of everything hashed, signed or encrypted
//   - sr25519: identity keys and signatures
//   - ecdh: channel keys
//   - commkey: from two channel keys to one symmetric key per purpose, direction and epoch
//   - envelope: the sealed message
//   - group: ristretto255 for the MasterKey
//   - hierarchy: MasterKey, ClusterKey, ContractKey and what lies below them
//
// testdata holds test vectors in JSON, byte strings as lower-case hexadecimal without a prefix, for implementations in
// other languages: those named after a standard are that standard's, the others are the product's own and frozen.
package crypto
