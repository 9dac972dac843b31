package keys

import (
	"crypto/hkdf"
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
		key, err = hkdf.Key(sha256.New, mini, nil, localTag+string(k.binding.uid[:])+kind, secretSize)
		return err
	})
	return key, err
}
