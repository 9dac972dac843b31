package wire

import (
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// errEd25519Key says that a public key is not the canonical encoding of a point of large order.
var errEd25519Key = errors.New("ed25519 public key is not a canonical point of large order")

// checkEd25519 refuses encodings that verifiers treat differently: non-canonical ones, and points of small order.
func checkEd25519(key [32]byte) error {
	compressed, err := curve.NewCompressedEdwardsYFromBytes(key[:])
	if err != nil {
		return errEd25519Key
	}
	point, err := new(curve.EdwardsPoint).SetCompressedY(compressed)
	if err != nil || point.IsSmallOrder() {
		return errEd25519Key
	}
	var again curve.CompressedEdwardsY
	again.SetEdwardsPoint(point)
	if [32]byte(again) != key {
		return errEd25519Key
	}
	return nil
}
