package contract

import (
	"crypto/sha256"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"
)

// hashed charges for and reads the input of a hash function.
func (x *execution) hashed(p price, a []uint64) []byte {
	x.pay(p, uint32(a[1]))
	return x.view(uint32(a[0]), uint32(a[1]))
}

func (x *execution) hashSha256(a []uint64) uint32 {
	sum := sha256.Sum256(x.hashed(priceSha256, a))
	x.write(uint32(a[2]), sum[:])
	return 0
}

func (x *execution) hashKeccak256(a []uint64) uint32 {
	h := sha3.NewLegacyKeccak256()
	h.Write(x.hashed(priceKeccak256, a))
	x.write(uint32(a[2]), h.Sum(nil))
	return 0
}

func (x *execution) hashBlake256(a []uint64) uint32 {
	sum := blake2b.Sum256(x.hashed(priceBlake2, a))
	x.write(uint32(a[2]), sum[:])
	return 0
}

func (x *execution) hashBlake128(a []uint64) uint32 {
	h, err := blake2b.New(16, nil)
	if err != nil {
		panic(err) // 16 bytes without a key are always a valid form
	}
	h.Write(x.hashed(priceBlake2, a))
	x.write(uint32(a[2]), h.Sum(nil))
	return 0
}
