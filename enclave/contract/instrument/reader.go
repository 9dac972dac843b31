package instrument

import (
	"fmt"
	"unicode/utf8"
)

// reader takes WebAssembly's binary primitives from a buffer. The first failure sticks: every later read gives zero
// and consumes nothing, so callers check err where it matters, at least once per loop iteration.
type reader struct {
	buf  []byte
	pos  int
	base int // offset of buf in the module, for messages
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrRefused, r.base+r.pos, fmt.Sprintf(format, args...))
	}
}

func (r *reader) done() bool { return r.err != nil || r.pos == len(r.buf) }

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.pos >= len(r.buf) {
		r.fail("unexpected end")
		return 0
	}
	b := r.buf[r.pos]
	r.pos++
	return b
}

func (r *reader) bytes(n uint32) []byte {
	if r.err != nil {
		return nil
	}
	if uint64(n) > uint64(len(r.buf)-r.pos) {
		r.fail("unexpected end: %d bytes wanted, %d left", n, len(r.buf)-r.pos)
		return nil
	}
	b := r.buf[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// sub returns a reader of the next n bytes alone. Its error must be handed back with join.
func (r *reader) sub(n uint32) *reader {
	base := r.base + r.pos
	return &reader{buf: r.bytes(n), base: base, err: r.err}
}

// join takes over the sub reader's error and demands that it was read to its end.
func (r *reader) join(s *reader, what string) {
	if s.err == nil && s.pos != len(s.buf) {
		s.fail("%d bytes left over in %s", len(s.buf)-s.pos, what)
	}
	if r.err == nil {
		r.err = s.err
	}
}

// u32 reads an unsigned LEB128 number of at most five bytes.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			r.fail("number exceeds 32 bits")
			return 0
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	return 0
}

// signed reads a signed LEB128 number of width bits (32 or 64).
func (r *reader) signed(width int) int64 {
	var v int64
	for shift := 0; shift < width; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if left := width - shift; left < 7 {
			// The last byte's unused bits repeat the sign.
			top := int8(b<<1) >> left
			if b >= 0x80 || (top != 0 && top != -1) {
				r.fail("number exceeds %d bits", width)
				return 0
			}
		}
		if b < 0x80 {
			if shift+7 < 64 {
				v = v << (57 - shift) >> (57 - shift)
			}
			return v
		}
	}
	return 0
}

// count reads a vector's length and refuses one above limit.
func (r *reader) count(limit int, what string) int {
	n := r.u32()
	if uint64(n) > uint64(limit) {
		r.fail("%d %s exceed %d", n, what, limit)
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.fail("name is not UTF-8")
	}
	return string(b)
}

func (r *reader) valueType() ValueType {
	t := ValueType(r.byte())
	if r.err == nil && !t.valid() {
		r.fail("value type %#x is not supported", byte(t))
	}
	return t
}

func (t ValueType) valid() bool { return t >= F64 && t <= I32 }

func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	}
	return "unknown"
}
