package abi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/phalanx-network/phalanx/client/abi/ss58"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

// EncodeCall returns the input of a call of m: its selector and its arguments. Each argument is JSON in the form that
// the package comment gives, or bare text where JSON would only add quotes: an address, hex, a variant's name or, for
// a String, any text that is not itself a quoted JSON string. Errors are ErrArguments and *ArgumentError.
func (c *Contract) EncodeCall(m *Message, args []string) ([]byte, error) {
	if err := m.count(len(args)); err != nil {
		return nil, err
	}
	input := append([]byte(nil), m.Selector[:]...)
	for i, a := range m.Args {
		n, err := c.types.argument(a.id, args[i])
		if err != nil {
			return nil, m.failed(a, err)
		}
		if input, err = c.types.encode(input, a.id, &n, maxDepth); err != nil {
			return nil, m.failed(a, err)
		}
	}
	return input, nil
}

// EncodeCallJSON is EncodeCall with the arguments as one JSON value: an array in order, or an object by label.
func (c *Contract) EncodeCallJSON(m *Message, args json.RawMessage) ([]byte, error) {
	if len(args) > MaxArgument {
		return nil, fmt.Errorf("%w: %d bytes are over %d", ErrArguments, len(args), MaxArgument)
	}
	all, err := parseNode(string(args))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrArguments, err)
	}
	if all.kind != arrayNode && all.kind != objectNode {
		return nil, fmt.Errorf("%w: expected an array or object, got %s", ErrArguments, &all)
	}
	if err := m.count(len(all.items)); err != nil {
		return nil, err
	}
	input := append([]byte(nil), m.Selector[:]...)
	for i, a := range m.Args {
		n, err := all.member(i, a.Label)
		if err != nil {
			return nil, m.failed(a, err)
		}
		if input, err = c.types.encode(input, a.id, n, maxDepth); err != nil {
			return nil, m.failed(a, err)
		}
	}
	return input, nil
}

func (m *Message) count(n int) error {
	if n == len(m.Args) {
		return nil
	}
	return fmt.Errorf("%w: %s takes %d, got %d: %s", ErrArguments, m.Label, len(m.Args), n, m.Signature())
}

func (m *Message) failed(a Argument, err error) error {
	out := &ArgumentError{Message: m.Label, Argument: a.Label, Type: a.Type, Err: err}
	var in *insideError
	if errors.As(err, &in) {
		out.Path, out.Err = in.way(), in.err
	}
	return out
}

// member returns an array's item by its place or an object's by its name.
func (n *node) member(place int, name string) (*node, error) {
	if n.kind == arrayNode {
		return &n.items[place], nil
	}
	for i := range n.names {
		if n.names[i] == name {
			return &n.items[i], nil
		}
	}
	return nil, fmt.Errorf("field %q is missing", name)
}

// argument reads the text of an argument: JSON, or bare text as a string.
func (r registry) argument(id uint32, text string) (node, error) {
	if len(text) > MaxArgument {
		return node{}, fmt.Errorf("has %d bytes, over %d", len(text), MaxArgument)
	}
	n, err := parseNode(text)
	if r.isText(id) && (err != nil || n.kind != stringNode) {
		return node{kind: stringNode, text: text}, nil
	}
	if err == nil {
		return n, nil
	}
	if trimmed := strings.TrimSpace(text); trimmed != "" && strings.ContainsRune(`[{"`, rune(trimmed[0])) {
		return node{}, err
	}
	return node{kind: stringNode, text: text}, nil
}

// isText reports whether a type is a String or char, or a newtype of one.
func (r registry) isText(id uint32) bool {
	id, ok := r.bare(id)
	return ok && r[id].kind == primitive && (r[id].prim.name == "str" || r[id].prim.name == "char")
}

var errDepth = fmt.Errorf("is nested deeper than %d, or of a type without end", maxDepth)

func expected(what string, n *node) error { return fmt.Errorf("expected %s, got %s", what, n) }

// encode appends n as a value of a type to b. Its work is bounded by the size of n and by depth.
func (r registry) encode(b []byte, id uint32, n *node, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, errDepth
	}
	depth--
	if r.isAccount(id) {
		return encodeAccount(b, n)
	}
	if r.isBytes(id) && n.kind == stringNode {
		return r.encodeBytes(b, &r[id], n)
	}
	if inner, ok := r.option(id); ok {
		return r.encodeOption(b, inner, n, depth)
	}
	if key, value, ok := r.mapping(id); ok && n.kind == objectNode {
		return r.encodeMap(b, key, value, n, depth)
	}
	switch t := &r[id]; t.kind {
	case composite:
		return r.encodeComposite(b, t.fields, n, depth)
	case variants:
		return r.encodeVariant(b, id, n, depth)
	case sequence, array:
		return r.encodeList(b, id, n, depth)
	case tuple:
		return r.encodeTuple(b, t.members, n, depth)
	case primitive:
		return encodePrimitive(b, t.prim, n)
	case compact:
		return r.encodeCompact(b, t.elem, n)
	}
	return r.encodeBits(b, &r[id], n)
}

func encodeAccount(b []byte, n *node) ([]byte, error) {
	const want = "an account as SS58 address or 0x and 64 hex digits"
	if n.kind != stringNode {
		return nil, expected(want, n)
	}
	if strings.HasPrefix(n.text, "0x") {
		account, err := fixedHex(n.text, 32)
		if err != nil {
			return nil, fmt.Errorf("expected %s", want)
		}
		return append(b, account...), nil
	}
	account, _, err := ss58.Decode(n.text)
	if err != nil {
		return nil, fmt.Errorf("expected %s: %w", want, err)
	}
	return append(b, account[:]...), nil
}

func (r registry) encodeBytes(b []byte, t *typ, n *node) ([]byte, error) {
	raw, err := parseHex(n.text)
	if err != nil {
		return nil, err
	}
	if t.kind == sequence {
		return append(scale.AppendCompact(b, uint64(len(raw))), raw...), nil
	}
	if uint64(len(raw)) != uint64(t.length) {
		return nil, fmt.Errorf("expected %d bytes of hex, got %d", t.length, len(raw))
	}
	return append(b, raw...), nil
}

func (r registry) encodeOption(b []byte, inner uint32, n *node, depth int) ([]byte, error) {
	if n.kind == nullNode {
		return append(b, 0), nil
	}
	if r.nullable(inner) {
		some, ok := n.only("Some")
		if !ok {
			return nil, expected(`null or {"Some": …}`, n)
		}
		n = some
	} else if some, ok := n.only("Some"); ok && !r.objectLike(inner) {
		n = some
	}
	return r.encode(append(b, 1), inner, n, depth)
}

func (r registry) encodeMap(b []byte, key, value uint32, n *node, depth int) ([]byte, error) {
	if !r.keyed(key) {
		return nil, expected("an array of pairs", n)
	}
	b = scale.AppendCompact(b, uint64(len(n.items)))
	for i := range n.items {
		var err error
		if b, err = r.encode(b, key, &node{kind: stringNode, text: n.names[i]}, depth); err != nil {
			return nil, inside(element(i), inside(hop{name: "key"}, err))
		}
		if b, err = r.encode(b, value, &n.items[i], depth); err != nil {
			return nil, inside(element(i), inside(hop{name: "value"}, err))
		}
	}
	return b, nil
}

// encodeComposite encodes the fields of a struct or of a variant.
func (r registry) encodeComposite(b []byte, fields []field, n *node, depth int) ([]byte, error) {
	if len(fields) == 0 {
		if n.kind != nullNode {
			return nil, expected("null", n)
		}
		return b, nil
	}
	named := fields[0].name != ""
	if !named && len(fields) == 1 {
		return r.encode(b, fields[0].id, n, depth)
	}
	want := fmt.Sprintf("an array of %d", len(fields))
	if named {
		want = "an object with the fields " + fieldNames(fields)
	}
	if named != (n.kind == objectNode) || (!named && n.kind != arrayNode) {
		return nil, expected(want, n)
	}
	if len(n.items) != len(fields) {
		return nil, fmt.Errorf("expected %s, got %d of them", want, len(n.items))
	}
	for i, f := range fields {
		item, err := n.member(i, f.name)
		if err != nil {
			return nil, err
		}
		if b, err = r.encode(b, f.id, item, depth); err != nil {
			return nil, inside(f.hop(i), err)
		}
	}
	return b, nil
}

func (f field) hop(place int) hop {
	if f.name == "" {
		return member(place)
	}
	return hop{name: f.name}
}

func fieldNames(fields []field) string {
	return listed(len(fields), func(i int) string { return fields[i].name })
}

// listed joins names for an error, the first of them where there are many.
func listed(n int, name func(int) string) string {
	const most = 16
	var names []string
	for i := range min(n, most) {
		names = append(names, name(i))
	}
	if n > most {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

func (r registry) encodeVariant(b []byte, id uint32, n *node, depth int) ([]byte, error) {
	t := &r[id]
	name, content := n.text, &node{kind: nullNode}
	switch {
	case n.kind == objectNode && len(n.names) == 1:
		name, content = n.names[0], &n.items[0]
	case n.kind != stringNode:
		return nil, expected(r.variantForms(t), n)
	}
	for i := range t.variants {
		v := &t.variants[i]
		if v.name != name {
			continue
		}
		if n.kind == stringNode && len(v.fields) != 0 {
			return nil, fmt.Errorf("expected {%q: …}, for the variant has fields", name)
		}
		b, err := r.encodeComposite(append(b, v.index), v.fields, content, depth)
		if err != nil {
			return nil, inside(hop{name: name}, err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("expected %s", r.variantForms(t))
}

func (r registry) variantForms(t *typ) string {
	return "one of the variants " + listed(len(t.variants), func(i int) string { return t.variants[i].name })
}

func (r registry) encodeList(b []byte, id uint32, n *node, depth int) ([]byte, error) {
	t := &r[id]
	want := "an array"
	if r.isByte(t.elem) {
		want = "hex with 0x before it, or an array"
	}
	if n.kind != arrayNode {
		return nil, expected(want, n)
	}
	if t.kind == sequence {
		b = scale.AppendCompact(b, uint64(len(n.items)))
	} else if uint64(len(n.items)) != uint64(t.length) {
		return nil, fmt.Errorf("expected %s of %d, got %d", want, t.length, len(n.items))
	}
	for i := range n.items {
		var err error
		if b, err = r.encode(b, t.elem, &n.items[i], depth); err != nil {
			return nil, inside(element(i), err)
		}
	}
	return b, nil
}

func (r registry) encodeTuple(b []byte, members []uint32, n *node, depth int) ([]byte, error) {
	if len(members) == 0 {
		if n.kind != nullNode {
			return nil, expected("null", n)
		}
		return b, nil
	}
	if n.kind != arrayNode || len(n.items) != len(members) {
		return nil, expected(fmt.Sprintf("an array of %d", len(members)), n)
	}
	for i, id := range members {
		var err error
		if b, err = r.encode(b, id, &n.items[i], depth); err != nil {
			return nil, inside(member(i), err)
		}
	}
	return b, nil
}

func encodePrimitive(b []byte, p prim, n *node) ([]byte, error) {
	switch p.name {
	case "bool":
		if n.kind != boolNode {
			return nil, expected("true or false", n)
		}
		return append(b, map[bool]byte{true: 1}[n.text == "true"]), nil
	case "str":
		if n.kind != stringNode {
			return nil, expected("a string", n)
		}
		if !utf8.ValidString(n.text) {
			return nil, errors.New("expected UTF-8 text")
		}
		return append(scale.AppendCompact(b, uint64(len(n.text))), n.text...), nil
	case "char":
		c, size := utf8.DecodeRuneInString(n.text)
		if n.kind != stringNode || size != len(n.text) || (c == utf8.RuneError && size <= 1) {
			return nil, expected("a string of one character", n)
		}
		return append(b, byte(c), byte(c>>8), byte(c>>16), byte(c>>24)), nil
	}
	v, err := integer(p, n)
	if err != nil {
		return nil, err
	}
	return appendInteger(b, p.size, v), nil
}

// encodeCompact encodes an unsigned integer, which may lie in newtypes, in the compact form.
func (r registry) encodeCompact(b []byte, id uint32, n *node) ([]byte, error) {
	p, ok := r.integer(id)
	if !ok || p.signed {
		return nil, fmt.Errorf("%w: the compact form of %s", ErrUnsupported, r.name(id))
	}
	v, err := integer(p, n)
	if err != nil {
		return nil, err
	}
	if v.IsUint64() {
		return scale.AppendCompact(b, v.Uint64()), nil
	}
	size := (v.BitLen() + 7) / 8
	return appendInteger(append(b, byte(size-4)<<2|3), size, v), nil
}

// integer reads a number, or a string of digits or hex, within the range of p.
func integer(p prim, n *node) (*big.Int, error) {
	low, high := p.bounds()
	want := fmt.Sprintf("a whole number from %s to %s", bound(low), bound(high))
	if n.kind != numberNode && n.kind != stringNode {
		return nil, expected(want, n)
	}
	digits, base := n.text, 10
	if rest, ok := strings.CutPrefix(digits, "0x"); ok && !p.signed {
		digits, base = rest, 16
	}
	// No integer has more digits than one of 256 bits; longer texts are not worth the arithmetic.
	const mostDigits = 80
	if len(digits) > mostDigits || strings.HasPrefix(digits, "+") || (base == 16 && strings.HasPrefix(digits, "-")) {
		return nil, fmt.Errorf("expected %s", want)
	}
	v, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, fmt.Errorf("expected %s", want)
	}
	if v.Cmp(low) < 0 || v.Cmp(high) > 0 {
		return nil, fmt.Errorf("expected %s, got one out of range", want)
	}
	return v, nil
}

func (p prim) bounds() (low, high *big.Int) {
	one := big.NewInt(1)
	exponent := uint(p.size * 8)
	low = new(big.Int)
	if p.signed {
		exponent--
		low.Neg(new(big.Int).Lsh(one, exponent))
	}
	high = new(big.Int).Sub(new(big.Int).Lsh(one, exponent), one)
	return low, high
}

// bound writes a bound for people: in full up to 64 bits.
func bound(v *big.Int) string {
	switch {
	case v.BitLen() <= 64:
		return v.String()
	case v.Sign() < 0:
		return fmt.Sprintf("-2^%d", v.BitLen()-1)
	}
	return fmt.Sprintf("2^%d-1", v.BitLen())
}

// appendInteger appends v in size bytes, little-endian and, below zero, in two's complement.
func appendInteger(b []byte, size int, v *big.Int) []byte {
	if v.Sign() < 0 {
		v = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(size*8)))
	}
	raw := v.FillBytes(make([]byte, size))
	for i := size - 1; i >= 0; i-- {
		b = append(b, raw[i])
	}
	return b
}
