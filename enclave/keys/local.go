package keys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// localTag begins what a local key is derived for.
const localTag = "phalanx local key v1"

// LocalKey derives a key of this enclave alone, 32 bytes, for what it keeps on its own disk and no other enclave may be
// able to make:
//
//	HKDF-SHA-256(mini-secret of the IdentityKey, no salt, info = tag ‖ chain uid ‖ kind)
//
// It is the same after a restart. A kind is as for [Keyring.Sign], and belongs to one use. The caller clears the key.
func (k *Keyring) LocalKey(kind string) ([]byte, error) {
	if !wellFormed(kind) {
		return nil, fmt.Errorf("%w: %q", ErrKind, kind)
	}
	var key []byte
	err := k.read(func(s *state) (err error) {
		mini := s.identity.ExposeMiniSecret()
		defer clear(mini)
		extracted := extract(mini)
		defer clear(extracted)
		key, err = hkdf.Expand(sha256.New, extracted, localTag+string(k.binding.uid[:])+kind, secretSize)
		return err
	})
	return key, err
}

// extract is HKDF-Extract without a salt. The hash's own buffers hold the secret afterwards, and a keyring that hands its
// keys over leaves none behind in memory: they are written over.
func extract(secret []byte) []byte {
	h := hmac.New(sha256.New, make([]byte, sha256.Size))
	h.Write(secret)
	out := h.Sum(nil)
	var zeros [2 * sha256.BlockSize]byte
	h.Write(zeros[:sha256.BlockSize-len(secret)]) // ends the block that the secret is in
	h.Write(zeros[:sha256.BlockSize-1])           // and lies over it
	h.Sum(zeros[:0])                              // as does this over the copy that Sum has made
	return out
}
