package point

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// known holds public keys that were checked lately, each in the one place that its bytes give it. A worker sees its own
// key in every envelope and its callers' keys again and again, and to decode a point costs as much as a tenth of a query.
// Keys are public, so it does not matter that they stay, nor that finding one takes less time.
var known [256]atomic.Pointer[[Size]byte]

func place(p *[Size]byte) *atomic.Pointer[[Size]byte] {
	return &known[binary.LittleEndian.Uint64(p[:])%uint64(len(known))]
}

// ParsePublic is [Parse] for public keys, which are remembered. It is not for points that may be secret.
func ParsePublic(b []byte) (out [Size]byte, err error) {
	if len(b) == Size {
		p := [Size]byte(b)
		if k := place(&p).Load(); k != nil && *k == p {
			return p, nil
		}
	}
	if out, err = Parse(b); err == nil {
		kept := out
		place(&kept).Store(&kept)
	}
	return out, err
}

// ScalePublic is [Scale] for public keys, which are remembered.
func ScalePublic(c *scale.Codec, p *[Size]byte) { visit(c, p, ParsePublic) }
