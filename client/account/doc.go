// Package account holds a user's secrets: one BIP-39 mnemonic, from which come the account on the chain that posts and
// pays, and the identity that signs invocations, which the chain never sees.
//
// [Generate] and [FromMnemonic] make an [Account]; [Open] opens a [Store] of them in files, one for each name.
//
//	mnemonic ── BIP-39 seed ── m/44'/118'/0'/0/0 ── secp256k1: the chain account, bech32 prefix phx
//	       └── entropy ── PBKDF2-HMAC-SHA512(entropy, "mnemonic", 2048) ── first 32 bytes: the mini-secret of the
//	                                                  sr25519 identity, and of the ed25519 one (as substrate-bip39 does)
//
// The two keys are not derivable from each other. What is promised: no secret is printed by any formatting verb,
// marshalled, or part of an error; a key file is written atomically with mode 0600, and, unless it says that it is
// unprotected, holds the mnemonic only under a passphrase (scrypt, AES-256-GCM).
package account
