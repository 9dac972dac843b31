package abi

import "strings"

// TypeText is a struct or enum of a contract, for people.
type TypeText struct {
	Name string // as in the signatures that use it
	Text string // as in Rust: `struct Bid { who: AccountId, amount: u128 }`; cut short where it is long
}

// Types returns the structs and enums that the constructors, messages and events use, directly or inside others, in the
// order of their first use. Rust's own (Option, Result, BTreeMap and so on) and AccountId, whose JSON forms the package
// comment gives, are not among them.
func (c *Contract) Types() []TypeText {
	w := walk{types: c.types, seen: make([]bool, len(c.types))}
	for _, list := range [][]*Message{c.constructors, c.messages} {
		for _, m := range list {
			for _, a := range m.Args {
				w.visit(a.id)
			}
			if m.returns != nil {
				w.visit(c.types.unwrapped(*m.returns))
			}
		}
	}
	for _, e := range c.events {
		for _, f := range e.fields {
			w.visit(f.id)
		}
	}
	return w.out
}

// walk goes through types, each once.
type walk struct {
	types registry
	seen  []bool
	out   []TypeText
}

// visit takes a type and all inside it, without recursion, for types may nest as deep as there are types.
func (w *walk) visit(id uint32) {
	next := []uint32{id}
	for len(next) > 0 {
		id, next = next[0], next[1:]
		if w.seen[id] {
			continue
		}
		w.seen[id] = true
		if w.types.isOwn(id) {
			w.out = append(w.out, TypeText{Name: w.types.name(id), Text: w.types.definition(id)})
		}
		next = append(next, w.types.inside(id)...)
	}
}

// isOwn reports whether a type is a struct or enum that a reader has to be told of.
func (r registry) isOwn(id uint32) bool {
	t := &r[id]
	if len(t.path) == 0 || (t.kind != composite && t.kind != variants) || r.isAccount(id) {
		return false
	}
	_, isOption := r.option(id)
	_, _, isResult := r.result(id)
	collection := len(t.path) == 1 && t.newtype() // BTreeMap, BTreeSet, NonZeroU8
	return !isOption && !isResult && !collection
}

// inside returns the types that a type is made of.
func (r registry) inside(id uint32) []uint32 {
	t := &r[id]
	switch t.kind {
	case sequence, array, compact:
		return []uint32{t.elem}
	case tuple:
		return t.members
	}
	var out []uint32
	for _, f := range t.fields {
		out = append(out, f.id)
	}
	for _, v := range t.variants {
		for _, f := range v.fields {
			out = append(out, f.id)
		}
	}
	return out
}

// maxDefinition is the most bytes of a type's definition that are shown, but for its last member's.
const maxDefinition = 4 << 10

func (r registry) definition(id uint32) string {
	t := &r[id]
	var b strings.Builder
	if t.kind == composite {
		b.WriteString("struct " + r.name(id))
		r.writeFields(&b, t.fields)
		return b.String()
	}
	b.WriteString("enum " + r.name(id) + " {")
	for i, v := range t.variants {
		if i > 0 {
			b.WriteByte(',')
		}
		if b.Len() > maxDefinition {
			b.WriteString(" …")
			break
		}
		b.WriteString(" " + v.name)
		r.writeFields(&b, v.fields)
	}
	b.WriteString(" }")
	return b.String()
}

func (r registry) writeFields(b *strings.Builder, fields []field) {
	if len(fields) == 0 {
		return
	}
	start, end := "(", ")"
	if fields[0].name != "" {
		start, end = " { ", " }"
	}
	b.WriteString(start)
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len() > maxDefinition {
			b.WriteString("…")
			break
		}
		if f.name != "" {
			b.WriteString(f.name + ": ")
		}
		b.WriteString(r.name(f.id))
	}
	b.WriteString(end)
}
