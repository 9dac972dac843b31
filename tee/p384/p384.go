// Package p384 verifies ECDSA signatures on P-384 (FIPS 186-5) about twice as fast as the standard library, with which AMD
// signs its reports and AWS its documents. Verification of evidence is most of what a registration costs a validator.
//
// The curve is circl's, which multiplies two points at once by tables. A signature that it does not confirm is given to
// the standard library, whose word then counts: so a valid signature is never refused by a fault of the fast way, and only
// false evidence costs both. Everything here is public; nothing needs constant time.
package p384

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"math/big"

	"github.com/cloudflare/circl/ecc/p384"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// order is the number of points on the curve.
var order = elliptic.P384().Params().N

// Verify reports whether (r, s) is the key's signature of a digest. It is false for a key on another curve.
func Verify(key *ecdsa.PublicKey, digest [sha512.Size384]byte, r, s *big.Int) bool {
	if key.Curve != elliptic.P384() || r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(order) >= 0 || s.Cmp(order) >= 0 {
		return false
	}
	point, err := key.Bytes()
	if err != nil { // it is not on the curve
		return false
	}
	return confirmed(point, digest, r, s) || ecdsa.Verify(key, digest[:], r, s)
}

const coordinate = 48 // bytes

// confirmed computes the x coordinate of (e/s)·G + (r/s)·Q, Q being a point of the curve in SEC 1's uncompressed form. The point at infinity has none and is circl's (0, 0), which is
// no r.
func confirmed(point []byte, digest [sha512.Size384]byte, r, s *big.Int) bool {
	w := new(big.Int).ModInverse(s, order)
	u1 := new(big.Int).SetBytes(digest[:])
	u1.Mod(u1.Mul(u1, w), order)
	u2 := w.Mod(w.Mul(w, r), order)
	qx, qy := new(big.Int).SetBytes(point[1:1+coordinate]), new(big.Int).SetBytes(point[1+coordinate:])
	x, _ := p384.P384().CombinedMult(qx, qy, u1.Bytes(), u2.Bytes())
	return x.Mod(x, order).Cmp(r) == 0
}

// VerifyASN1 is Verify of a signature in DER: a sequence of r and s in their shortest forms and nothing behind it.
func VerifyASN1(key *ecdsa.PublicKey, digest [sha512.Size384]byte, signature []byte) bool {
	var inner cryptobyte.String
	r, s, input := new(big.Int), new(big.Int), cryptobyte.String(signature)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) || !inner.Empty() {
		return false
	}
	return Verify(key, digest, r, s)
}
