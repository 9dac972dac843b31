package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

// Bit sequences of bitvec: the number of bits, compact, and then whole elements of the store type, each little-endian,
// whose bits are counted from the least (Lsb0) or the most significant one (Msb0). Bits past the last are zero.

// bitLayout is how a bit sequence lies in bytes.
type bitLayout struct {
	size int  // bytes of an element
	msb  bool // the first bit is the most significant one of its element
}

func (r registry) parseBits(t *typ, def json.RawMessage) error {
	var in struct {
		Store *uint32 `json:"bit_store_type"`
		Order *uint32 `json:"bit_order_type"`
	}
	if err := json.Unmarshal(def, &in); err != nil {
		return err
	}
	if in.Store == nil || in.Order == nil {
		return errors.New("has no store type or order")
	}
	t.kind, t.elem, t.order = bits, *in.Store, *in.Order
	return errors.Join(r.check(t.elem), r.check(t.order))
}

// bitLayout returns how a bit sequence lies in bytes. Errors are ErrUnsupported for a store or order that bitvec lacks.
func (r registry) bitLayout(t *typ) (bitLayout, error) {
	store, path := &r[t.elem], r[t.order].path
	if store.kind != primitive || store.prim.signed || store.prim.size == 0 || store.prim.size > 8 || len(path) == 0 {
		return bitLayout{}, fmt.Errorf("%w: a bit sequence of such elements", ErrUnsupported)
	}
	switch path[len(path)-1] {
	case "Lsb0":
		return bitLayout{size: store.prim.size}, nil
	case "Msb0":
		return bitLayout{size: store.prim.size, msb: true}, nil
	}
	return bitLayout{}, fmt.Errorf("%w: a bit sequence of such an order", ErrUnsupported)
}

// place returns where bit i is: its byte and the mask in it.
func (l bitLayout) place(i int) (at int, mask byte) {
	width := 8 * l.size
	element, bit := i/width, i%width
	if l.msb {
		bit = width - 1 - bit
	}
	return element*l.size + bit/8, 1 << (bit % 8)
}

// bytes returns how many bytes n bits take.
func (l bitLayout) bytes(n uint64) uint64 {
	width := uint64(8 * l.size)
	return (n/width + (n%width+width-1)/width) * uint64(l.size)
}

func (r registry) encodeBits(b []byte, t *typ, n *node) ([]byte, error) {
	const want = "0b and bits, as 0b1011"
	layout, err := r.bitLayout(t)
	if err != nil {
		return nil, err
	}
	if n.kind != stringNode {
		return nil, expected(want, n)
	}
	digits, ok := strings.CutPrefix(n.text, "0b")
	if !ok || strings.Trim(digits, "01") != "" {
		return nil, errors.New("expected " + want)
	}
	raw := make([]byte, layout.bytes(uint64(len(digits))))
	for i := range len(digits) {
		if digits[i] == '1' {
			at, mask := layout.place(i)
			raw[at] |= mask
		}
	}
	return append(scale.AppendCompact(b, uint64(len(digits))), raw...), nil
}

func (d *decoding) bits(t *typ) {
	layout, err := d.types.bitLayout(t)
	if err != nil {
		d.c.Fail(err)
		return
	}
	n := d.count()
	if size := layout.bytes(n); d.failed() || size > uint64(d.length) {
		d.fail("%d bits are more than there is data", n)
		return
	}
	raw := make([]byte, layout.bytes(n))
	d.c.Fixed(raw)
	text := bytes.Repeat([]byte{'0'}, int(n))
	for i := range text {
		at, mask := layout.place(i)
		if raw[at]&mask != 0 {
			text[i] = '1'
			raw[at] &^= mask
		}
	}
	if len(bytes.Trim(raw, "\x00")) != 0 {
		d.c.Fail(scale.ErrCanonical) // what is left lies past the last bit
		return
	}
	d.write(`"0b` + string(text) + `"`)
}
