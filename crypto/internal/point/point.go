// Package point is the one door through which a compressed Ristretto point enters: every public key and group element
// of the product is checked here.
//
// The curve library decodes the identity (32 zero bytes) without complaint; a key that is the identity makes every
// shared secret the identity and every signature equation easy, so [Parse] refuses it, and with it every encoding that
// RFC 9496 section 4.3.1 does not call canonical.
package point

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Size is the length of a compressed point in bytes.
const Size = curve.CompressedPointSize

// Errors of the parsers.
var (
	// ErrSize says that the input is not 32 bytes.
	ErrSize = errors.New("a point has 32 bytes")
	// ErrIdentity says that the input encodes the identity, which is also the zero value of a key.
	ErrIdentity = errors.New("the identity point is not a key")
	// ErrEncoding says that the input is no canonical encoding of a point.
	ErrEncoding = errors.New("not a canonical ristretto255 encoding")
	// ErrText says that a text is not 0x and 64 hexadecimal digits.
	ErrText = errors.New("a point's text is 0x and 64 hexadecimal digits")
)

// Parse checks b and returns a copy.
func Parse(b []byte) (out [Size]byte, err error) {
	if len(b) != Size {
		return out, fmt.Errorf("%w, not %d", ErrSize, len(b))
	}
	p := [Size]byte(b)
	if _, err := Decode(&p); err != nil {
		return out, err
	}
	return p, nil
}

// Decode returns the point that p encodes, in the library's form for arithmetic.
func Decode(p *[Size]byte) (*curve.RistrettoPoint, error) {
	if *p == [Size]byte{} {
		return nil, ErrIdentity
	}
	c := curve.CompressedRistretto(*p)
	out, err := curve.NewRistrettoPoint().SetCompressed(&c)
	if err != nil {
		return nil, ErrEncoding
	}
	return out, nil
}

// Encode compresses p, or fails with [ErrIdentity].
func Encode(p *curve.RistrettoPoint) ([Size]byte, error) {
	var c curve.CompressedRistretto
	out := [Size]byte(*c.SetRistrettoPoint(p))
	if out == [Size]byte{} {
		return out, ErrIdentity
	}
	return out, nil
}

// Text returns 0x and the bytes in hexadecimal.
func Text(p *[Size]byte) string { return "0x" + hex.EncodeToString(p[:]) }

// ParseText is the inverse of [Text]; it checks the point as [Parse] does.
func ParseText(text []byte) (out [Size]byte, err error) {
	if len(text) != 2+2*Size || text[0] != '0' || text[1] != 'x' {
		return out, ErrText
	}
	var b [Size]byte
	if _, err := hex.Decode(b[:], text[2:]); err != nil {
		return out, ErrText
	}
	return Parse(b[:])
}

// Scale visits the 32 bytes of a point. Decoding checks them as [Parse] does and leaves *p alone on failure; encoding
// the zero value, which no parser produces, fails.
func Scale(c *scale.Codec, p *[Size]byte) { visit(c, p, Parse) }

func visit(c *scale.Codec, p *[Size]byte, parse func([]byte) ([Size]byte, error)) {
	if !c.Decoding() {
		if *p == [Size]byte{} {
			c.Fail(ErrIdentity)
			return
		}
		c.Fixed(p[:])
		return
	}
	var b [Size]byte
	c.Fixed(b[:])
	if c.Err() != nil {
		return
	}
	checked, err := parse(b[:])
	if err != nil {
		c.Fail(err)
		return
	}
	*p = checked
}
