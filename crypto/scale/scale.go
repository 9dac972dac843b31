// Package scale is the SCALE codec (Simple Concatenated Aggregate Little-Endian, Substrate's serialization) in a form
// that cannot drift: a record describes its layout once, in a method that both encodes and decodes.
//
// Start with [Record]: implement Scale with calls on the [Codec] in the order of the fields, then use [Marshal] and
// [Unmarshal].
//
//	func (h *Head) Scale(c *scale.Codec) { c.U64(&h.Count); c.Fixed(h.Hash[:]) }
//
// What is promised: the encoding is canonical, so that decoding and encoding again gives the same bytes or decoding
// fails; trailing bytes are an error; a length is checked against its bound, and against the bytes that are left,
// before memory is reserved; a failed decode never panics. The first error sticks and every later call is a no-op.
package scale

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"lukechampine.com/uint128"
)

// Errors that a decoder or encoder returns, wrapped with the offset at which it stood.
var (
	// ErrShort says that the input ended inside a value.
	ErrShort = errors.New("scale: input is too short")
	// ErrTrailing says that bytes were left after the record.
	ErrTrailing = errors.New("scale: bytes after the end of the record")
	// ErrCanonical says that a value has a shorter or other encoding than the one read.
	ErrCanonical = errors.New("scale: encoding is not canonical")
	// ErrBound says that a length is over its bound.
	ErrBound = errors.New("scale: length is over its bound")
	// ErrVariant says that the index of an enum names no variant.
	ErrVariant = errors.New("scale: unknown enum variant")
)

// Record is a value with one fixed layout. Scale visits the fields in order; the codec reads or writes them.
type Record interface {
	Scale(c *Codec)
}

// Codec walks a record, either writing it or reading it. The zero value encodes.
type Codec struct {
	buf      []byte
	pos      int
	decoding bool
	err      error
}

// Marshal returns the encoding of r, or an error where a field is over its bound.
func Marshal(r Record) ([]byte, error) {
	c := &Codec{}
	r.Scale(c)
	if c.err != nil {
		return nil, c.err
	}
	return c.buf, nil
}

// MustMarshal is [Marshal] for records whose bounds the caller has established; it panics on an error, which names
// the bound and no content.
func MustMarshal(r Record) []byte {
	b, err := Marshal(r)
	if err != nil {
		panic(err)
	}
	return b
}

// Unmarshal decodes the whole of b into r. Byte fields of r are copies, never views of b. After an error r may hold some
// of the fields and is not to be used.
func Unmarshal(b []byte, r Record) error {
	c := &Codec{buf: b, decoding: true}
	r.Scale(c)
	if c.err != nil {
		return c.err
	}
	if c.pos != len(b) {
		return fmt.Errorf("%w: %d of %d read", ErrTrailing, c.pos, len(b))
	}
	return nil
}

// Decoding reports whether the codec reads.
func (c *Codec) Decoding() bool { return c.decoding }

// Err returns the first error.
func (c *Codec) Err() error { return c.err }

// Fail makes err the codec's error unless it has one. A record calls it for a value that its type does not allow.
func (c *Codec) Fail(err error) {
	if c.err == nil && err != nil {
		c.err = fmt.Errorf("at byte %d: %w", c.offset(), err)
	}
}

func (c *Codec) offset() int {
	if c.decoding {
		return c.pos
	}
	return len(c.buf)
}

// put appends to the output, unless there was an error.
func (c *Codec) put(b ...byte) {
	if c.err == nil {
		c.buf = append(c.buf, b...)
	}
}

// take returns the next n bytes of the input, or nil after an error.
func (c *Codec) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n > len(c.buf)-c.pos {
		c.Fail(ErrShort)
		return nil
	}
	b := c.buf[c.pos : c.pos+n]
	c.pos += n
	return b
}

// U8 visits one byte.
func (c *Codec) U8(v *uint8) {
	if !c.decoding {
		c.put(*v)
		return
	}
	if b := c.take(1); b != nil {
		*v = b[0]
	}
}

// U16 visits two bytes, little-endian.
func (c *Codec) U16(v *uint16) {
	if !c.decoding {
		c.put(binary.LittleEndian.AppendUint16(nil, *v)...)
		return
	}
	if b := c.take(2); b != nil {
		*v = binary.LittleEndian.Uint16(b)
	}
}

// U32 visits four bytes, little-endian.
func (c *Codec) U32(v *uint32) {
	if !c.decoding {
		c.put(binary.LittleEndian.AppendUint32(nil, *v)...)
		return
	}
	if b := c.take(4); b != nil {
		*v = binary.LittleEndian.Uint32(b)
	}
}

// U64 visits eight bytes, little-endian.
func (c *Codec) U64(v *uint64) {
	if !c.decoding {
		c.put(binary.LittleEndian.AppendUint64(nil, *v)...)
		return
	}
	if b := c.take(8); b != nil {
		*v = binary.LittleEndian.Uint64(b)
	}
}

// U128 visits sixteen bytes, little-endian.
func (c *Codec) U128(v *uint128.Uint128) {
	c.U64(&v.Lo)
	c.U64(&v.Hi)
}

// Bool visits one byte, 0 or 1.
func (c *Codec) Bool(v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	c.Variant(&b, 2)
	if c.decoding && c.err == nil {
		*v = b == 1
	}
}

// Variant visits the index of an enum with n variants, of which the index must be one. Decoding sets *index to an
// index below n or leaves it alone.
func (c *Codec) Variant(index *uint8, n uint8) {
	i := *index
	c.U8(&i)
	if c.err == nil && i >= n {
		c.Fail(fmt.Errorf("%w: %d of %d", ErrVariant, i, n))
	}
	if c.err == nil {
		*index = i
	}
}

// Fixed visits len(b) bytes in place.
func (c *Codec) Fixed(b []byte) {
	if !c.decoding {
		c.put(b...)
		return
	}
	copy(b, c.take(len(b)))
}

// Bytes visits a vector of at most bound bytes with a compact length. Decoding sets *b to a copy.
func (c *Codec) Bytes(b *[]byte, bound int) {
	n := c.length(len(*b), bound, 1)
	if c.err != nil {
		return
	}
	if !c.decoding {
		c.put(*b...)
		return
	}
	*b = append([]byte(nil), c.take(n)...)
}

// Text visits a UTF-8 string of at most bound bytes with a compact length.
func (c *Codec) Text(s *string, bound int) {
	if !c.decoding && !utf8.ValidString(*s) {
		c.Fail(fmt.Errorf("%w: text is not UTF-8", ErrCanonical))
		return
	}
	b := []byte(*s)
	c.Bytes(&b, bound)
	if !c.decoding || c.err != nil {
		return
	}
	if !utf8.Valid(b) {
		c.Fail(fmt.Errorf("%w: text is not UTF-8", ErrCanonical))
		return
	}
	*s = string(b)
}

// Compact visits an integer below 2⁶⁴ in SCALE's compact form, of which only the shortest is accepted.
func (c *Codec) Compact(v *uint64) {
	if !c.decoding {
		c.put(AppendCompact(nil, *v)...)
		return
	}
	first := c.take(1)
	if first == nil {
		return
	}
	switch first[0] & 3 {
	case 0:
		*v = uint64(first[0] >> 2)
	case 1:
		c.wide(v, first[0], 2, 1<<6)
	case 2:
		c.wide(v, first[0], 4, 1<<14)
	case 3:
		c.big(v, int(first[0]>>2)+4)
	}
}

// wide reads the two- and four-byte modes, whose values must be at least least.
func (c *Codec) wide(v *uint64, first byte, size int, least uint64) {
	rest := c.take(size - 1)
	if rest == nil {
		return
	}
	var b [8]byte
	b[0] = first
	copy(b[1:], rest)
	n := binary.LittleEndian.Uint64(b[:]) >> 2
	if n < least {
		c.Fail(ErrCanonical)
		return
	}
	*v = n
}

// big reads the mode in which the first byte gives the number of bytes that follow.
func (c *Codec) big(v *uint64, size int) {
	if size > 8 {
		c.Fail(ErrBound)
		return
	}
	raw := c.take(size)
	if raw == nil {
		return
	}
	var b [8]byte
	copy(b[:], raw)
	n := binary.LittleEndian.Uint64(b[:])
	if raw[size-1] == 0 || n < 1<<30 {
		c.Fail(ErrCanonical)
		return
	}
	*v = n
}

// AppendCompact appends the compact form of v to b.
func AppendCompact(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v<<2))
	case v < 1<<14:
		return binary.LittleEndian.AppendUint16(b, uint16(v<<2)|1)
	case v < 1<<30:
		return binary.LittleEndian.AppendUint32(b, uint32(v<<2)|2)
	}
	size := 8
	for size > 4 && v>>(8*(size-1)) == 0 {
		size--
	}
	b = append(b, byte((size-4)<<2)|3)
	for range size {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

// length visits the compact length of a vector and returns it, checked against bound and, when decoding, against the
// bytes that are left, of which each element takes at least least.
func (c *Codec) length(n, bound, least int) int {
	v := uint64(n)
	if !c.decoding && n > bound {
		c.Fail(fmt.Errorf("%w: %d over %d", ErrBound, n, bound))
		return 0
	}
	c.Compact(&v)
	if c.err != nil || !c.decoding {
		return n
	}
	if v > math.MaxInt32 || int(v) > bound {
		c.Fail(fmt.Errorf("%w: %d over %d", ErrBound, v, bound))
		return 0
	}
	if int(v) > (len(c.buf)-c.pos)/least {
		c.Fail(ErrShort)
		return 0
	}
	return int(v)
}

// Slice visits a vector of at most bound elements, each of which takes at least one byte; each visits one element.
func Slice[T any](c *Codec, xs *[]T, bound int, each func(*T)) {
	n := c.length(len(*xs), bound, 1)
	if c.err != nil {
		return
	}
	if !c.decoding {
		for i := range *xs {
			if c.err != nil {
				return
			}
			each(&(*xs)[i])
		}
		return
	}
	var out []T
	for range n {
		var x T
		each(&x)
		if c.err != nil {
			return
		}
		out = append(out, x)
	}
	*xs = out
}

// Option visits a value that may be absent: one byte 0, or 1 and the value.
func Option[T any](c *Codec, v **T, each func(*T)) {
	some := *v != nil
	c.Bool(&some)
	if c.err != nil {
		return
	}
	if !some {
		*v = nil
		return
	}
	if c.decoding {
		*v = new(T)
	}
	each(*v)
}
