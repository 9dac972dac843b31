package dcap

import (
	"bytes"
	"encoding/hex"
	"slices"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of JSON that is parsed here.
const (
	maxJSONDepth  = 16 // nested objects and arrays
	maxJSONFields = 64 // members of one object; also keeps the search for doubles short
)

// jsonReader reads RFC 8259 JSON forward, once. It is stricter than encoding/json, for what it reads decides trust:
// names match in their exact case, no name occurs twice in an object, strings are valid UTF-8, numbers are unsigned
// integers in one spelling. The first error sticks, and every method then does nothing.
type jsonReader struct {
	data  []byte
	pos   int
	depth int
	err   error
}

func (r *jsonReader) fail(text string) {
	if r.err == nil {
		r.err = refuse(ErrFormat, "JSON at byte %d: %s", r.pos, text)
	}
}

func (r *jsonReader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// next skips white space and returns the byte that follows, 0 at the end.
func (r *jsonReader) next() byte {
	if r.space(); r.pos < len(r.data) && r.err == nil {
		return r.data[r.pos]
	}
	return 0
}

func (r *jsonReader) accept(c byte) bool {
	if r.next() != c || r.err != nil || r.pos >= len(r.data) {
		return false
	}
	r.pos++
	return true
}

func (r *jsonReader) expect(c byte) {
	if !r.accept(c) {
		r.fail("expected " + string(rune(c)))
	}
}

// end fails unless nothing but white space is left.
func (r *jsonReader) end() error {
	if r.space(); r.pos != len(r.data) {
		r.fail("something follows the value")
	}
	return r.err
}

// list reads a bracketed list, calling item for each element.
func (r *jsonReader) list(begin, end byte, item func()) {
	r.expect(begin)
	if r.depth++; r.depth > maxJSONDepth {
		r.fail("nested too deep")
	}
	if !r.accept(end) {
		for r.err == nil {
			item()
			if r.accept(end) {
				break
			}
			r.expect(',')
		}
	}
	r.depth--
}

// object reads an object. field reads the value of a name that it knows, and returns false for one that it does not;
// that value is then skipped. A name of required that does not occur is an error.
func (r *jsonReader) object(field func(name string) bool, required ...string) {
	var seen []string
	r.list('{', '}', func() {
		name := r.text()
		r.expect(':')
		if r.err != nil {
			return
		}
		if len(seen) == maxJSONFields || slices.Contains(seen, name) {
			r.fail("too many members or one twice")
			return
		}
		seen = append(seen, name)
		if !field(name) {
			r.skip()
		}
	})
	for _, name := range required {
		if r.err == nil && !slices.Contains(seen, name) {
			r.fail("no member " + name)
		}
	}
}

func (r *jsonReader) array(item func()) { r.list('[', ']', item) }

// text reads a string.
func (r *jsonReader) text() string { return string(r.bytes()) }

// special are the bytes that end a run of plain ones within a string.
var special = func() (t [256]bool) {
	for c := range ' ' {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// plain returns how many bytes from pos on stand for themselves.
func (r *jsonReader) plain() int {
	rest := r.data[r.pos:]
	for i, c := range rest {
		if special[c] {
			return i
		}
	}
	return len(rest)
}

// bytes reads a string. The result aliases the input unless the string has escapes.
func (r *jsonReader) bytes() []byte {
	s, _ := r.string()
	return s
}

// own reads a string into bytes of its own.
func (r *jsonReader) own() []byte {
	s, aliases := r.string()
	if aliases {
		return bytes.Clone(s)
	}
	return s
}

func (r *jsonReader) string() (s []byte, aliases bool) {
	if r.expect('"'); r.err != nil {
		return nil, false
	}
	start := r.pos
	r.pos += r.plain()
	if r.pos < len(r.data) && r.data[r.pos] == '"' {
		r.pos++
		return r.utf8(r.data[start : r.pos-1]), true
	}
	return r.escaped(start), false
}

func (r *jsonReader) utf8(s []byte) []byte {
	if !utf8.Valid(s) {
		r.fail("string is not UTF-8")
		return nil
	}
	return s
}

// rawLength returns how many bytes of input the string that begins at start has, which is no fewer than it will have.
func (r *jsonReader) rawLength(start int) int {
	for i := start; i < len(r.data); i++ {
		switch r.data[i] {
		case '"':
			return i - start
		case '\\':
			i++
		}
	}
	return len(r.data) - start
}

// escaped reads a string that begins at start and of which all before pos is plain.
func (r *jsonReader) escaped(start int) []byte {
	out := append(make([]byte, 0, r.rawLength(start)), r.data[start:r.pos]...)
	for r.pos < len(r.data) && r.err == nil {
		c := r.data[r.pos]
		r.pos++
		switch c {
		case '"':
			return r.utf8(out)
		case '\\':
			out = r.escape(out)
		default:
			r.fail("control character in a string")
		}
		n := r.plain()
		out = append(out, r.data[r.pos:r.pos+n]...)
		r.pos += n
	}
	r.fail("string without an end")
	return nil
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what the escape at pos, behind its backslash, stands for.
func (r *jsonReader) escape(out []byte) []byte {
	if r.pos >= len(r.data) {
		return out
	}
	c := r.data[r.pos]
	r.pos++
	if e := escapes[c]; e != 0 {
		return append(out, e)
	}
	if c != 'u' {
		r.fail("unknown escape")
		return out
	}
	u := r.unit()
	if utf16.IsSurrogate(u) {
		if r.pos+1 >= len(r.data) || r.data[r.pos] != '\\' || r.data[r.pos+1] != 'u' {
			r.fail("half a surrogate pair")
			return out
		}
		r.pos += 2
		if u = utf16.DecodeRune(u, r.unit()); u == utf8.RuneError {
			r.fail("half a surrogate pair")
		}
	}
	return utf8.AppendRune(out, u)
}

// unit reads four hexadecimal digits.
func (r *jsonReader) unit() rune {
	var b [2]byte
	if len(r.data)-r.pos < 4 {
		r.fail("short escape")
		return 0
	}
	if _, err := hex.Decode(b[:], r.data[r.pos:r.pos+4]); err != nil {
		r.fail("escape is not hexadecimal")
	}
	r.pos += 4
	return rune(b[0])<<8 | rune(b[1])
}

// uint reads an unsigned integer of at most limit.
func (r *jsonReader) uint(limit uint32) uint32 {
	r.space()
	start, v := r.pos, uint64(0)
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' && v <= uint64(limit) {
		v = v*10 + uint64(r.data[r.pos]-'0')
		r.pos++
	}
	digits := r.pos - start
	if digits == 0 || v > uint64(limit) || (digits > 1 && r.data[start] == '0') {
		r.fail("not an unsigned integer within its bounds")
		return 0
	}
	if r.pos < len(r.data) && (r.data[r.pos] == '.' || r.data[r.pos] == 'e' || r.data[r.pos] == 'E') {
		r.fail("not an integer")
	}
	return uint32(v)
}

// hex reads a string of exactly 2·len(out) hexadecimal digits of either case.
func (r *jsonReader) hex(out []byte) {
	s := r.bytes()
	if r.err != nil {
		return
	}
	if len(s) != 2*len(out) {
		r.fail("hexadecimal string of another length")
		return
	}
	if _, err := hex.Decode(out, s); err != nil {
		r.fail("not hexadecimal")
	}
}

// time reads an instant as Intel writes it, in UTC and whole seconds.
func (r *jsonReader) time() time.Time {
	s := r.text()
	if r.err != nil {
		return time.Time{}
	}
	t, err := time.Parse("2006-01-02T15:04:05Z", s)
	if err != nil || t.Format("2006-01-02T15:04:05Z") != s {
		r.fail("not an instant in UTC")
	}
	return t
}

// skip reads any value and forgets it.
func (r *jsonReader) skip() {
	switch r.next() {
	case '{':
		r.object(func(string) bool { return false })
	case '[':
		r.array(r.skip)
	case '"':
		r.bytes()
	case 't':
		r.word("true")
	case 'f':
		r.word("false")
	case 'n':
		r.word("null")
	default:
		r.number()
	}
}

func (r *jsonReader) word(w string) {
	if r.err != nil || len(r.data)-r.pos < len(w) || string(r.data[r.pos:r.pos+len(w)]) != w {
		r.fail("unknown word")
		return
	}
	r.pos += len(w)
}

// number skips a number in the grammar of JSON: -? int frac? exp?.
func (r *jsonReader) number() {
	if r.pos < len(r.data) && r.data[r.pos] == '-' {
		r.pos++
	}
	if r.pos < len(r.data) && r.data[r.pos] == '0' {
		r.pos++
	} else {
		r.digits()
	}
	if r.pos < len(r.data) && r.data[r.pos] == '.' {
		r.pos++
		r.digits()
	}
	if r.pos < len(r.data) && (r.data[r.pos] == 'e' || r.data[r.pos] == 'E') {
		r.pos++
		if r.pos < len(r.data) && (r.data[r.pos] == '+' || r.data[r.pos] == '-') {
			r.pos++
		}
		r.digits()
	}
}

// digits skips at least one digit.
func (r *jsonReader) digits() {
	start := r.pos
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	if r.pos == start {
		r.fail("not a value")
	}
}
