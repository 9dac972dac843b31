package abi

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Source decides what [Contract.Draw] makes a value of. What decides the size of the value is asked for apart from what
// does not, so that two values of one size are drawn by asking for the same sizes.
type Source interface {
	// Size chooses from 0 to most: the elements of a list, the bytes of a text or of a compact integer, whether there is
	// Some of an Option, which variant of an enum that has fields.
	Size(most int) int
	// Integer chooses from low to high, both included: an integer, a byte, a bool, a character, which variant of an enum
	// without fields. The bounds must not be changed.
	Integer(low, high *big.Int) *big.Int
}

// Bounds on what is drawn.
const (
	maxDrawn     = 1 << 12 // values of one argument, and how often a source is asked for it
	enoughDrawn  = 1 << 7  // from which on lists are empty, options None and enums their smallest variant
	maxDrawnList = 8       // elements of a list
	maxDrawnText = 40      // bytes of a text, or of a list of bytes
)

// Draw returns a value of an argument's type as JSON, in the form of the package comment. The inside of the value has
// paths: `.name` for a field, `.0` for an unnamed one or a variant's, `[]` for the elements of a list. at is asked at each
// value, from the outermost on, whose path begins empty: the Source it returns is what this value and all inside it are
// drawn from, until one inside has another; nil leaves it as it was. The outermost must have one.
//
// Errors are ErrUnsupported for types that have no values of a bounded size.
func (c *Contract) Draw(a Argument, at func(path string) Source) (string, error) {
	d := &drawing{types: c.types, at: at}
	d.value("", a.id, nil, maxDepth)
	if d.err != nil {
		return "", fmt.Errorf("argument %s (%s): %w", a.Label, a.Type, d.err)
	}
	return d.out.String(), nil
}

type drawing struct {
	types registry
	at    func(path string) Source
	out   strings.Builder
	drawn int
	err   error
}

var byteMost, bitMost = big.NewInt(255), big.NewInt(1)

func (d *drawing) write(text string) { d.out.WriteString(text) }

// integer asks for one item.
func (d *drawing) integer(s Source, low, high *big.Int) *big.Int {
	if d.count(); d.err != nil {
		return low
	}
	return s.Integer(low, high)
}

func (d *drawing) count() {
	if d.drawn++; d.drawn > maxDrawn && d.err == nil {
		d.err = fmt.Errorf("%w: its values are over %d", ErrUnsupported, maxDrawn)
	}
}

func (d *drawing) value(path string, id uint32, s Source, depth int) {
	if d.count(); d.err != nil {
		return
	}
	if own := d.at(path); own != nil {
		s = own
	}
	if depth == 0 || s == nil {
		d.err = errors.Join(ErrUnsupported, errDepth)
		return
	}
	depth--
	if d.types.isAccount(id) {
		d.hex(s, 32)
		return
	}
	if inner, ok := d.types.option(id); ok {
		d.option(path, inner, s, depth)
		return
	}
	switch t := &d.types[id]; t.kind {
	case composite:
		d.fields(path, t.fields, s, depth)
	case variants:
		d.variant(path, t, s, depth)
	case sequence, array:
		d.list(path, t, s, depth)
	case tuple:
		d.members(path, t.members, s, depth)
	case primitive:
		d.primitive(t.prim, s)
	case compact:
		d.compact(t.elem, s)
	case bits:
		d.bits(s)
	}
}

// size chooses how many of at most most there are; none where the value is large or deep enough.
func (d *drawing) size(s Source, most, depth int) int {
	if d.drawn > enoughDrawn || depth < maxDepth/2 {
		return 0
	}
	return s.Size(most)
}

func (d *drawing) hex(s Source, n int) {
	d.write(`"0x`)
	for i := 0; i < n && d.err == nil; i++ {
		d.write(fmt.Sprintf("%02x", d.integer(s, new(big.Int), byteMost)))
	}
	d.write(`"`)
}

func (d *drawing) option(path string, inner uint32, s Source, depth int) {
	if d.size(s, 1, depth) == 0 {
		d.write("null")
		return
	}
	if !d.types.nullable(inner) {
		d.value(path, inner, s, depth)
		return
	}
	d.write(`{"Some":`)
	d.value(path, inner, s, depth)
	d.write("}")
}

func (d *drawing) list(path string, t *typ, s Source, depth int) {
	n, isBytes := int64(t.length), d.types.isByte(t.elem)
	if t.kind == sequence && isBytes {
		n = int64(d.size(s, maxDrawnText, depth))
	} else if t.kind == sequence {
		n = int64(d.size(s, maxDrawnList, depth))
	}
	if n > maxDrawn {
		d.err = fmt.Errorf("%w: a list of %d", ErrUnsupported, n)
		return
	}
	if isBytes {
		d.hex(s, int(n))
		return
	}
	d.write("[")
	for i := int64(0); i < n && d.err == nil; i++ {
		if i > 0 {
			d.write(",")
		}
		d.value(path+"[]", t.elem, s, depth)
	}
	d.write("]")
}

// fields draws what a struct or variant holds.
func (d *drawing) fields(path string, fields []field, s Source, depth int) {
	switch {
	case len(fields) == 0:
		d.write("null")
	case len(fields) == 1 && fields[0].name == "":
		d.value(path, fields[0].id, s, depth)
	case fields[0].name == "":
		members := make([]uint32, len(fields))
		for i, f := range fields {
			members[i] = f.id
		}
		d.members(path, members, s, depth)
	default:
		for i, f := range fields {
			d.write(map[bool]string{true: "{", false: ","}[i == 0] + string(quote(f.name)) + ":")
			d.value(path+"."+f.name, f.id, s, depth)
		}
		d.write("}")
	}
}

func (d *drawing) members(path string, members []uint32, s Source, depth int) {
	if len(members) == 0 {
		d.write("null")
		return
	}
	for i, id := range members {
		d.write(map[bool]string{true: "[", false: ","}[i == 0])
		d.value(path+"."+strconv.Itoa(i), id, s, depth)
	}
	d.write("]")
}

func (d *drawing) variant(path string, t *typ, s Source, depth int) {
	if len(t.variants) == 0 {
		d.err = fmt.Errorf("%w: an enum without variants", ErrUnsupported)
		return
	}
	fewest, plain := 0, true
	for i, v := range t.variants {
		if len(v.fields) < len(t.variants[fewest].fields) {
			fewest = i
		}
		plain = plain && len(v.fields) == 0
	}
	most := len(t.variants) - 1
	chosen := fewest
	if plain {
		chosen = int(d.integer(s, new(big.Int), big.NewInt(int64(most))).Int64())
	} else if n := d.size(s, most, depth); n > 0 {
		chosen = n - map[bool]int{true: 1}[n <= fewest] // the smallest in the place of the first
	}
	v := &t.variants[chosen]
	if len(v.fields) == 0 {
		d.write(string(quote(v.name)))
		return
	}
	d.write("{" + string(quote(v.name)) + ":")
	d.fields(path, v.fields, s, depth)
	d.write("}")
}

// The characters that texts are drawn from: printable ASCII, so that each takes one byte.
var textLow, textHigh = big.NewInt(' '), big.NewInt('~')

func (d *drawing) text(s Source, n int) {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.integer(s, textLow, textHigh).Int64())
	}
	d.write(string(quote(string(b))))
}

func (d *drawing) primitive(p prim, s Source) {
	switch p.name {
	case "bool":
		d.write(strconv.FormatBool(d.integer(s, new(big.Int), bitMost).Sign() != 0))
	case "str":
		d.text(s, s.Size(maxDrawnText))
	case "char":
		d.text(s, 1)
	default:
		low, high := p.bounds()
		d.write(`"` + d.integer(s, low, high).String() + `"`)
	}
}

// compact draws an integer of a number of bytes, all of which are in the encoding.
func (d *drawing) compact(id uint32, s Source) {
	p, ok := d.types.integer(id)
	if !ok || p.signed {
		d.err = fmt.Errorf("%w: the compact form of %s", ErrUnsupported, d.types.name(id))
		return
	}
	modes := compactRanges(p)
	m := modes[s.Size(len(modes)-1)]
	d.write(`"` + d.integer(s, m[0], m[1]).String() + `"`)
}

// compactRanges returns the ranges of the integers of a type whose compact forms are of one length.
func compactRanges(p prim) (out [][2]*big.Int) {
	_, most := p.bounds()
	one, low := big.NewInt(1), new(big.Int)
	widths := []uint{6, 14, 30}
	for w := uint(32); w <= uint(8*p.size); w += 8 {
		widths = append(widths, w)
	}
	for _, w := range widths {
		high := new(big.Int).Sub(new(big.Int).Lsh(one, w), one)
		if high.Cmp(most) > 0 {
			high = most
		}
		if low.Cmp(high) <= 0 {
			out = append(out, [2]*big.Int{low, high})
		}
		low = new(big.Int).Add(high, one)
	}
	return out
}

func (d *drawing) bits(s Source) {
	d.write(`"0b`)
	for n := s.Size(maxDrawnText); n > 0 && d.err == nil; n-- {
		d.write(d.integer(s, new(big.Int), bitMost).String())
	}
	d.write(`"`)
}
