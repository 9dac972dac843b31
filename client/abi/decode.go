package abi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// DecodeOutput returns the output of m as JSON. ink!'s own wrapper of outputs is taken off: what is returned is the
// message's result, or {"LangError": …} where the contract could not read its input. The error of a constructor of ink! 3,
// whose type the metadata does not tell, is hex.
//
// isErr says that the message failed by its own account: its result is the Err of a Result, or a LangError. Errors are
// ErrData, wrapped, for bytes that are not exactly one output of m.
func (c *Contract) DecodeOutput(m *Message, output []byte) (result json.RawMessage, isErr bool, err error) {
	d := &decoding{types: c.types}
	err = d.run(output, func() { isErr = d.output(m) })
	if err != nil {
		return nil, false, fmt.Errorf("%w: output of %s (%s): %w", ErrData, m.Label, m.Returns, err)
	}
	return d.out, isErr, nil
}

// decoding is one walk over the bytes of a value, which writes its JSON.
type decoding struct {
	types  registry
	c      *scale.Codec
	walk   func()
	length int // of the input
	out    []byte
	values int
	path   []hop // to the value that is being decoded
}

// inside decodes a value inside the present one. After a failure the path stays where it happened.
func (d *decoding) inside(s hop, id uint32, depth int) {
	if d.failed() {
		return
	}
	d.path = append(d.path, s)
	d.value(id, depth)
	d.leave()
}

func (d *decoding) leave() {
	if !d.failed() {
		d.path = d.path[:len(d.path)-1]
	}
}

// Scale makes a decoding a record of the codec, which then also sees to it that no bytes are left.
func (d *decoding) Scale(c *scale.Codec) {
	d.c = c
	d.walk()
}

func (d *decoding) run(data []byte, walk func()) error {
	if len(data) > MaxData {
		return fmt.Errorf("%d bytes are over %d", len(data), MaxData)
	}
	d.length, d.walk = len(data), walk
	err := scale.Unmarshal(data, d)
	if err == nil || len(d.path) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", strings.TrimPrefix(joinSteps(d.path), "."), err)
}

func (d *decoding) failed() bool { return d.c.Err() != nil }

func (d *decoding) fail(format string, args ...any) { d.c.Fail(fmt.Errorf(format, args...)) }

func (d *decoding) write(s string) { d.out = append(d.out, s...) }

func (d *decoding) writeText(s string) { d.out = append(d.out, quote(s)...) }

// output decodes a message's output and reports whether it is an error.
func (d *decoding) output(m *Message) bool {
	if m.returns == nil {
		return d.untyped(m)
	}
	id := *m.returns
	inner, wrapped := d.types.langResult(id)
	if !wrapped {
		return d.value(id, maxDepth)
	}
	var index uint8
	d.c.Variant(&index, 2)
	if index == 0 {
		d.constructed(m, inner)
		return d.value(inner, maxDepth)
	}
	_, langError, _ := d.types.result(id)
	d.write(`{"LangError":`)
	d.value(langError, maxDepth)
	d.write("}")
	return true
}

// untyped decodes an output that the metadata gives no type. It is empty, but for a constructor of ink! 3 that fails: such
// a one writes its error.
func (d *decoding) untyped(m *Message) bool {
	if !m.constructor || d.length == 0 {
		d.write("null")
		return false
	}
	raw := make([]byte, d.length)
	d.c.Fixed(raw)
	d.write(`"0x` + hex.EncodeToString(raw) + `"`)
	return true
}

// constructed reads what the metadata leaves out: a constructor that returns the contract itself, and not a Result, has
// the type Result<(), LangError> there, but its code writes Result<Result<(), _>, LangError> all the same.
func (d *decoding) constructed(m *Message, inner uint32) {
	if _, _, is := d.types.result(inner); m.constructor && !is && d.length == 2 {
		var ok uint8
		d.c.Variant(&ok, 1)
	}
}

// value decodes one value. It reports whether that is the Err of a Result.
func (d *decoding) value(id uint32, depth int) (isErr bool) {
	if d.failed() {
		return false
	}
	if d.values++; d.values > maxValues || len(d.out) > maxJSON {
		d.fail("more than %d values or %d bytes of JSON", maxValues, maxJSON)
		return false
	}
	if depth == 0 {
		d.c.Fail(errDepth)
		return false
	}
	depth--
	if d.special(id, depth) {
		return false
	}
	switch t := &d.types[id]; t.kind {
	case composite:
		d.fields(t.fields, depth)
	case variants:
		return d.variant(id, depth)
	case sequence:
		d.list(t.elem, d.count(), depth)
	case array:
		d.list(t.elem, uint64(t.length), depth)
	case tuple:
		d.tuple(t.members, depth)
	case primitive:
		d.primitive(t.prim)
	case compact:
		d.compact(t.elem)
	case bits:
		d.bits(t)
	}
	return false
}

// special decodes the types that have a form of their own.
func (d *decoding) special(id uint32, depth int) bool {
	if d.types.isAccount(id) {
		d.account()
		return true
	}
	if d.types.isBytes(id) {
		d.bytes(&d.types[id])
		return true
	}
	if inner, ok := d.types.option(id); ok {
		d.option(inner, depth)
		return true
	}
	if key, value, ok := d.types.mapping(id); ok && d.types.keyed(key) {
		d.mapping(key, value, depth)
		return true
	}
	return false
}

func (d *decoding) account() {
	var account [32]byte
	d.c.Fixed(account[:])
	text, err := ss58.Encode(account, ss58.Generic)
	if err != nil {
		d.c.Fail(err)
	}
	d.writeText(text)
}

func (d *decoding) bytes(t *typ) {
	var raw []byte
	switch {
	case t.kind == sequence:
		d.c.Bytes(&raw, d.length)
	case uint64(t.length) > uint64(d.length):
		d.c.Fail(scale.ErrShort)
	default:
		raw = make([]byte, t.length)
		d.c.Fixed(raw)
	}
	d.write(`"0x` + hex.EncodeToString(raw) + `"`)
}

func (d *decoding) option(inner uint32, depth int) {
	var some bool
	d.c.Bool(&some)
	if !some {
		d.write("null")
		return
	}
	if !d.types.nullable(inner) {
		d.value(inner, depth)
		return
	}
	d.write(`{"Some":`)
	d.value(inner, depth)
	d.write("}")
}

// mapping writes an object, in the order of the bytes.
func (d *decoding) mapping(key, value uint32, depth int) {
	n := d.count()
	seen := map[string]bool{}
	d.write("{")
	for i := uint64(0); i < n && !d.failed(); i++ {
		if i > 0 {
			d.write(",")
		}
		start := len(d.out)
		d.path = append(d.path, element(int(i)))
		d.inside(hop{name: "key"}, key, depth)
		name := string(d.out[start:])
		if len(name) > 0 && name[0] != '"' { // a number; every other key is a string already
			name = `"` + name + `"`
		}
		if seen[name] {
			d.fail("a map has one key twice")
		}
		seen[name] = true
		d.out = append(d.out[:start], name...)
		d.write(":")
		d.inside(hop{name: "value"}, value, depth)
		d.leave()
	}
	d.write("}")
}

// fields writes the fields of a struct or variant.
func (d *decoding) fields(fields []field, depth int) {
	if len(fields) == 0 {
		d.write("null")
		return
	}
	if fields[0].name == "" {
		if len(fields) == 1 {
			d.value(fields[0].id, depth)
			return
		}
		members := make([]uint32, len(fields))
		for i, f := range fields {
			members[i] = f.id
		}
		d.tuple(members, depth)
		return
	}
	d.write("{")
	for i, f := range fields {
		if i > 0 {
			d.write(",")
		}
		d.writeText(f.name)
		d.write(":")
		d.inside(hop{name: f.name}, f.id, depth)
	}
	d.write("}")
}

func (d *decoding) variant(id uint32, depth int) (isErr bool) {
	t := &d.types[id]
	var index uint8
	d.c.U8(&index)
	if d.failed() {
		return false
	}
	for i := range t.variants {
		v := &t.variants[i]
		if v.index != index {
			continue
		}
		if len(v.fields) == 0 {
			d.writeText(v.name)
			return false
		}
		d.write("{")
		d.writeText(v.name)
		d.write(":")
		d.path = append(d.path, hop{name: v.name})
		d.fields(v.fields, depth)
		d.leave()
		d.write("}")
		_, _, isResult := d.types.result(id)
		return isResult && v.name == "Err"
	}
	d.c.Fail(fmt.Errorf("%w: %d of %s", scale.ErrVariant, index, d.types.name(id)))
	return false
}

// count reads the length of a sequence. Elements may take no bytes, so that the number of values bounds it too.
func (d *decoding) count() uint64 {
	var n uint64
	d.c.Compact(&n)
	return n
}

func (d *decoding) list(elem uint32, n uint64, depth int) {
	if n > uint64(maxValues-d.values) {
		d.fail("%d elements are over the bound of %d values", n, maxValues)
		return
	}
	d.write("[")
	for i := uint64(0); i < n && !d.failed(); i++ {
		if i > 0 {
			d.write(",")
		}
		d.inside(element(int(i)), elem, depth)
	}
	d.write("]")
}

func (d *decoding) tuple(members []uint32, depth int) {
	if len(members) == 0 {
		d.write("null")
		return
	}
	d.write("[")
	for i, id := range members {
		if i > 0 {
			d.write(",")
		}
		d.inside(member(i), id, depth)
	}
	d.write("]")
}

func (d *decoding) primitive(p prim) {
	switch p.name {
	case "bool":
		var v bool
		d.c.Bool(&v)
		d.write(strconv.FormatBool(v))
	case "str":
		var v string
		d.c.Text(&v, d.length)
		d.writeText(v)
	case "char":
		var v uint32
		d.c.U32(&v)
		if v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
			d.fail("%d is not a character", v)
			return
		}
		d.writeText(string(rune(v)))
	default:
		var raw [32]byte
		d.c.Fixed(raw[:p.size])
		d.integer(p, raw[:p.size])
	}
}

// integer writes an integer of p, which it takes in little-endian bytes.
func (d *decoding) integer(p prim, raw []byte) {
	raw = slices.Clone(raw)
	slices.Reverse(raw)
	v := new(big.Int).SetBytes(raw)
	if p.signed && raw[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(raw)*8)))
	}
	if p.size > 4 { // JSON's readers may hold numbers as floats of 53 bits
		d.write(`"` + v.String() + `"`)
		return
	}
	d.write(v.String())
}

// compact reads an integer of up to 256 bits in the compact form, of which only the shortest is accepted.
func (d *decoding) compact(id uint32) {
	p, ok := d.types.integer(id)
	if !ok || p.signed {
		d.c.Fail(fmt.Errorf("%w: the compact form of %s", ErrUnsupported, d.types.name(id)))
		return
	}
	v := d.compactInteger()
	if d.failed() {
		return
	}
	if (v.BitLen()+7)/8 > p.size {
		d.fail("a compact integer does not fit into %s", p.name)
		return
	}
	raw := v.FillBytes(make([]byte, p.size))
	slices.Reverse(raw)
	d.integer(p, raw)
}

// compactInteger reads the four modes that the two low bits of the first byte tell apart: one, two or four bytes with
// the value above those bits, or the number of bytes that follow less four.
func (d *decoding) compactInteger() *big.Int {
	var raw [67]byte
	d.c.Fixed(raw[:1])
	mode, size := raw[0]&3, 0
	switch mode {
	case 1:
		size = 2
	case 2:
		size = 4
	case 3:
		size = int(raw[0]>>2) + 4
		d.c.Fixed(raw[:size])
	default:
		return big.NewInt(int64(raw[0] >> 2))
	}
	if mode != 3 {
		d.c.Fixed(raw[1:size])
	}
	little := raw[:size]
	slices.Reverse(little)
	v := new(big.Int).SetBytes(little)
	if mode != 3 {
		v.Rsh(v, 2)
	}
	least := map[byte]uint{1: 6, 2: 14, 3: 30}[mode]
	short := mode == 3 && size > 4 && little[0] == 0
	if !d.failed() && (short || v.BitLen() <= int(least)) {
		d.c.Fail(scale.ErrCanonical)
	}
	return v
}
