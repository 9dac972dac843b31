package pink

import (
	"errors"
	"io"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract"
)

// randomness reads the randomness of the call: true in a query, the same on every worker in a command.
type randomness struct{ env contract.ExtensionEnv }

// Read implements io.Reader.
func (r randomness) Read(b []byte) (int, error) {
	r.env.Random("pink sr25519", b)
	return len(b), nil
}

var _ io.Reader = randomness{}

// signed gives the result of a function that reads a secret key.
func signed(b []byte, err error, encode func([]byte) (uint32, []byte, error)) (uint32, []byte, error) {
	switch {
	case errors.Is(err, errKey):
		return 0, nil, trap("invalid key")
	case err != nil:
		return 0, nil, err
	}
	return encode(b)
}

// fixed is the result [u8; n].
func fixed(b []byte) (uint32, []byte, error) {
	return result(func(s *scale.Codec) { s.Fixed(b) })
}

func (c *call) sign() (uint32, []byte, error) {
	var (
		kind         uint8
		key, message []byte
	)
	defer func() { clear(key) }()
	err := c.arguments(func(s *scale.Codec) {
		s.Variant(&kind, uint8(len(schemes)))
		s.Bytes(&key, MaxInput)
		s.Bytes(&message, MaxInput)
	})
	if err != nil {
		return 0, nil, err
	}
	signature, err := schemes[kind].sign(key, message, randomness{c.env})
	return signed(signature, err, vector)
}

func (c *call) verify() (uint32, []byte, error) {
	var (
		kind                       uint8
		public, message, signature []byte
	)
	err := c.arguments(func(s *scale.Codec) {
		s.Variant(&kind, uint8(len(schemes)))
		s.Bytes(&public, MaxInput)
		s.Bytes(&message, MaxInput)
		s.Bytes(&signature, MaxInput)
	})
	if err != nil {
		return 0, nil, err
	}
	scheme := &schemes[kind]
	if len(public) != scheme.public {
		return 0, nil, trap("invalid public key")
	}
	if len(signature) != scheme.signature {
		return 0, nil, trap("invalid signature")
	}
	return boolean(scheme.verify(public, message, signature))
}

func (c *call) getPublicKey() (uint32, []byte, error) {
	var (
		kind uint8
		key  []byte
	)
	defer func() { clear(key) }()
	err := c.arguments(func(s *scale.Codec) {
		s.Variant(&kind, uint8(len(schemes)))
		s.Bytes(&key, MaxInput)
	})
	if err != nil {
		return 0, nil, err
	}
	public, err := schemes[kind].publicOf(key)
	return signed(public, err, vector)
}

func (c *call) ecdsaSignPrehashed() (uint32, []byte, error) {
	var (
		key  []byte
		hash [32]byte
	)
	defer func() { clear(key) }()
	if err := c.arguments(func(s *scale.Codec) { s.Bytes(&key, MaxInput); s.Fixed(hash[:]) }); err != nil {
		return 0, nil, err
	}
	signature, err := ecdsaSignHash(key, hash)
	return signed(signature, err, fixed)
}

func (c *call) ecdsaVerifyPrehashed() (uint32, []byte, error) {
	var (
		signature [65]byte
		hash      [32]byte
		public    [33]byte
	)
	err := c.arguments(func(s *scale.Codec) { s.Fixed(signature[:]); s.Fixed(hash[:]); s.Fixed(public[:]) })
	if err != nil {
		return 0, nil, err
	}
	return boolean(ecdsaVerifyHash(public[:], hash, signature[:]))
}
