package abi

import (
	"strconv"
	"strings"
)

// name returns a type as in Rust, shortened where it is long or deep.
func (r registry) name(id uint32) string {
	var b strings.Builder
	r.writeName(&b, id, 6)
	text := b.String()
	if len(text) > maxTypeText {
		text = strings.ToValidUTF8(text[:maxTypeText], "") + "…"
	}
	return text
}

func (r registry) writeName(b *strings.Builder, id uint32, depth int) {
	if depth == 0 || b.Len() > maxTypeText {
		b.WriteString("…")
		return
	}
	t := &r[id]
	switch t.kind {
	case composite, variants:
		r.writePath(b, t, depth)
	case sequence:
		r.writeGeneric(b, "Vec", []uint32{t.elem}, depth)
	case compact:
		r.writeGeneric(b, "Compact", []uint32{t.elem}, depth)
	case array:
		b.WriteByte('[')
		r.writeName(b, t.elem, depth-1)
		b.WriteString("; " + strconv.FormatUint(uint64(t.length), 10) + "]")
	case tuple:
		b.WriteByte('(')
		r.writeNames(b, t.members, depth)
		if len(t.members) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case primitive:
		b.WriteString(t.prim.rust())
	case bits:
		b.WriteString("BitSequence")
	}
}

func (r registry) writePath(b *strings.Builder, t *typ, depth int) {
	name := "struct"
	if t.kind == variants {
		name = "enum"
	}
	if len(t.path) > 0 {
		name = t.path[len(t.path)-1]
	}
	var params []uint32
	for _, p := range t.params {
		if p != nil {
			params = append(params, *p)
		}
	}
	r.writeGeneric(b, name, params, depth)
}

func (r registry) writeGeneric(b *strings.Builder, name string, params []uint32, depth int) {
	b.WriteString(name)
	if len(params) == 0 {
		return
	}
	b.WriteByte('<')
	r.writeNames(b, params, depth)
	b.WriteByte('>')
}

func (r registry) writeNames(b *strings.Builder, ids []uint32, depth int) {
	for i, id := range ids {
		if b.Len() > maxTypeText {
			b.WriteString("…")
			return
		}
		if i > 0 {
			b.WriteString(", ")
		}
		r.writeName(b, id, depth-1)
	}
}

// rust returns the type's name in Rust.
func (p prim) rust() string {
	if p.name == "str" {
		return "String"
	}
	return p.name
}
