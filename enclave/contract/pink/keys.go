package pink

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// keyTag begins the info of HKDF, before the salt of the contract.
const keyTag = "phalanx pink sr25519 v1"

// deriveKey gives a contract's key for a salt: the mini-secret HKDF-SHA-256(secret, info = keyTag ‖ salt), with an empty
// salt of HKDF, expanded. It is 64 bytes, as Phala's are; contracts take the first 32 as a seed of other schemes.
func deriveKey(secret, salt []byte) ([]byte, error) {
	info := append([]byte(keyTag), salt...)
	mini, err := hkdf.Key(sha256.New, secret, nil, string(info), sr25519.MiniSecretSize)
	if err != nil {
		return nil, fmt.Errorf("derive: %w", err)
	}
	defer clear(mini)
	key, err := sr25519.FromMiniSecret(mini)
	if err != nil {
		return nil, fmt.Errorf("derive: %w", err)
	}
	defer key.Zero()
	return key.ExposeExpandedSecret(), nil
}

func (c *call) deriveSr25519Key() (uint32, []byte, error) {
	var salt []byte
	if err := c.arguments(func(s *scale.Codec) { s.Bytes(&salt, MaxInput) }); err != nil {
		return 0, nil, err
	}
	secret := c.env.Secret()
	defer clear(secret[:])
	key, err := deriveKey(secret[:], salt)
	if err != nil {
		return 0, nil, err
	}
	defer clear(key)
	return vector(key)
}
