package nitro

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/phalanx-network/phalanx/tee/reason"
)

// The major types of CBOR (RFC 8949) that documents are made of.
const (
	majorUint  = 0
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
)

// Single bytes of CBOR.
const (
	cborNull       = 0xf6
	cborBreak      = 0xff
	cborEmptyMap   = 0xa0
	cborEmptyBytes = 0x40
	cborOpenMap    = 0xbf // a map without a length, up to a cborBreak
)

// decoder reads CBOR in the order in which the caller expects it. Its first error stays; after it every method returns
// zero values. It never recurses and never allocates: what it returns lies in the input.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = reason.New(reason.Format, format, args...)
	}
	d.rest = nil
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil {
		return nil
	}
	if n > uint64(len(d.rest)) {
		d.fail("document ends %d bytes early", n-uint64(len(d.rest)))
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// skip takes the next byte if it is b.
func (d *decoder) skip(b byte) bool {
	if len(d.rest) == 0 || d.rest[0] != b {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

// head reads the head of an item of one major type and returns its argument, which is at most most. Arguments that have
// a shorter form, and items without a length, are refused.
func (d *decoder) head(what string, major byte, most uint64) uint64 {
	first := d.take(1)
	if d.err != nil {
		return 0
	}
	if got := first[0] >> 5; got != major {
		d.fail("%s has CBOR type %d, not %d", what, got, major)
		return 0
	}
	v := uint64(first[0] & 31)
	if v >= 24 {
		v = d.argument(what, v)
	}
	if d.err == nil && v > most {
		d.fail("%s: %d is over %d", what, v, most)
	}
	if d.err != nil {
		return 0
	}
	return v
}

// argument reads the 1, 2, 4 or 8 bytes that the low bits 24 to 27 announce.
func (d *decoder) argument(what string, info uint64) uint64 {
	if info > 27 {
		d.fail("%s has no length, or a reserved one", what)
		return 0
	}
	size := uint64(1) << (info - 24)
	var b [8]byte
	copy(b[8-size:], d.take(size))
	v := binary.BigEndian.Uint64(b[:])
	least := uint64(24)
	if size > 1 {
		least = 1 << (4 * size) // what does not fit in half of the bytes
	}
	if d.err == nil && v < least {
		d.fail("%s: %d is not in its shortest form", what, v)
	}
	return v
}

func (d *decoder) uint(what string, most uint64) uint64 { return d.head(what, majorUint, most) }

func (d *decoder) array(what string, most uint64) int { return int(d.head(what, majorArray, most)) }

func (d *decoder) bytes(what string, most uint64) []byte {
	return d.take(d.head(what, majorBytes, most))
}

// optionalBytes returns nil for null.
func (d *decoder) optionalBytes(what string, most uint64) []byte {
	if d.skip(cborNull) {
		return nil
	}
	return d.bytes(what, most)
}

func (d *decoder) text(what string, most uint64) string {
	b := d.take(d.head(what, majorText, most))
	if !utf8.Valid(b) {
		d.fail("%s is not UTF-8", what)
		return ""
	}
	return string(b)
}

// each calls entry for every entry of a map with at most most of them. A map without a length is taken where open says so.
func (d *decoder) each(what string, most uint64, open bool, entry func()) {
	if open && d.skip(cborOpenMap) {
		for n := uint64(0); d.err == nil && !d.skip(cborBreak); n++ {
			if n == most {
				d.fail("%s has over %d entries", what, most)
				return
			}
			entry()
		}
		return
	}
	for range d.head(what, majorMap, most) {
		if d.err != nil {
			return
		}
		entry()
	}
}

// end reports anything that is left as trailing.
func (d *decoder) end(what string) {
	if d.err == nil && len(d.rest) != 0 {
		d.err = reason.New(reason.Trailing, "%s has %d bytes behind it", what, len(d.rest))
	}
}

// appendHead appends the shortest head of an item.
func appendHead(b []byte, major byte, v uint64) []byte {
	major <<= 5
	switch {
	case v < 24:
		return append(b, major|byte(v))
	case v < 1<<8:
		return append(b, major|24, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), v)
}
