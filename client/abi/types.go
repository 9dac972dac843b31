package abi

import (
	"encoding/json"
	"fmt"
)

// A portable registry as JSON (scale-info).
type (
	typeEntryJSON struct {
		ID   uint32 `json:"id"`
		Type struct {
			Path   []string `json:"path"`
			Params []struct {
				Name string  `json:"name"`
				Type *uint32 `json:"type"`
			} `json:"params"`
			Def map[string]json.RawMessage `json:"def"`
		} `json:"type"`
	}
	fieldJSON struct {
		Name *string `json:"name"`
		Type *uint32 `json:"type"`
	}
	variantJSON struct {
		Name   string      `json:"name"`
		Index  *uint8      `json:"index"`
		Fields []fieldJSON `json:"fields"`
	}
)

type kind uint8

const (
	composite kind = iota
	variants
	sequence
	array
	tuple
	primitive
	compact
	bits
)

// typ is one type of a registry. References to others are places in the registry, checked when it was parsed.
type typ struct {
	kind     kind
	path     []string  // of a composite or enum
	params   []*uint32 // of a generic one; nil for a phantom
	fields   []field   // of a composite: all named or none
	variants []variant // of an enum
	elem     uint32    // of a sequence, array or compact; the store of a bit sequence
	order    uint32    // of a bit sequence
	length   uint32    // of an array
	members  []uint32  // of a tuple
	prim     prim      // of a primitive
}

type field struct {
	name string // empty for an unnamed one
	id   uint32
}

type variant struct {
	name   string
	index  uint8
	fields []field
}

// prim is a primitive type: an integer, or one of those that are no integers, with size 0.
type prim struct {
	name   string
	size   int // bytes of an integer
	signed bool
}

var prims = map[string]prim{
	"bool": {name: "bool"}, "char": {name: "char"}, "str": {name: "str"},
	"u8": {"u8", 1, false}, "u16": {"u16", 2, false}, "u32": {"u32", 4, false}, "u64": {"u64", 8, false},
	"u128": {"u128", 16, false}, "u256": {"u256", 32, false},
	"i8": {"i8", 1, true}, "i16": {"i16", 2, true}, "i32": {"i32", 4, true}, "i64": {"i64", 8, true},
	"i128": {"i128", 16, true}, "i256": {"i256", 32, true},
}

// registry holds the types of a contract, each at the place of its id.
type registry []typ

func parseTypes(entries []typeEntryJSON) (registry, error) {
	if len(entries) > maxTypes {
		return nil, fmt.Errorf("%w: %d types are over %d", ErrFile, len(entries), maxTypes)
	}
	r := make(registry, len(entries))
	for i := range entries {
		if err := r.parse(i, &entries[i]); err != nil {
			return nil, fmt.Errorf("%w: type %d: %v", ErrFile, i, err)
		}
	}
	for i := range r {
		r.widen(&r[i])
	}
	return r, nil
}

// words are the integers that Rust has no type for: structs of primitive_types, of so many u64 each.
var words = map[string]prim{
	"U128": {"U128", 16, false},
	"U256": {"U256", 32, false},
}

// widen makes an integer of such a struct. Its words lie in the order of their weight, as an integer's bytes do.
func (r registry) widen(t *typ) {
	if len(t.path) != 2 || t.path[0] != "primitive_types" || !t.newtype() {
		return
	}
	p, ok := words[t.path[1]]
	inner := &r[t.fields[0].id]
	if ok && inner.kind == array && int64(inner.length)*8 == int64(p.size) && r[inner.elem].prim.name == "u64" {
		*t = typ{kind: primitive, path: t.path, prim: p}
	}
}

func (r registry) parse(place int, e *typeEntryJSON) error {
	if int64(e.ID) != int64(place) {
		return fmt.Errorf("has the id %d", e.ID)
	}
	t := &r[place]
	t.path = e.Type.Path
	if len(t.path) > maxMembers || len(e.Type.Params) > maxMembers {
		return fmt.Errorf("path or parameters are too long")
	}
	for _, segment := range t.path {
		if err := checkName(segment); err != nil {
			return err
		}
	}
	for _, p := range e.Type.Params {
		if p.Type != nil {
			if err := r.check(*p.Type); err != nil {
				return err
			}
		}
		t.params = append(t.params, p.Type)
	}
	if len(e.Type.Def) != 1 {
		return fmt.Errorf("must have one definition, has %d", len(e.Type.Def))
	}
	for name, def := range e.Type.Def {
		read, ok := definitions[name]
		if !ok {
			return fmt.Errorf("is of an unknown kind")
		}
		return read(r, t, def)
	}
	return nil
}

// definitions reads each kind of type.
var definitions = map[string]func(registry, *typ, json.RawMessage) error{
	"composite":   registry.parseComposite,
	"variant":     registry.parseVariants,
	"sequence":    registry.parseSequence,
	"array":       registry.parseArray,
	"tuple":       registry.parseTuple,
	"primitive":   registry.parsePrimitive,
	"compact":     registry.parseCompact,
	"bitsequence": registry.parseBits,
}

func (r registry) parseComposite(t *typ, def json.RawMessage) (err error) {
	var in struct {
		Fields []fieldJSON `json:"fields"`
	}
	if err := json.Unmarshal(def, &in); err != nil {
		return err
	}
	t.kind = composite
	t.fields, err = r.parseFields(in.Fields)
	return err
}

func (r registry) parseVariants(t *typ, def json.RawMessage) error {
	var in struct {
		Variants []variantJSON `json:"variants"`
	}
	if err := json.Unmarshal(def, &in); err != nil {
		return err
	}
	t.kind = variants
	names, indexes := map[string]bool{}, map[uint8]bool{}
	for _, v := range in.Variants {
		if err := checkName(v.Name); err != nil {
			return err
		}
		if v.Index == nil {
			return fmt.Errorf("variant %q has no index", v.Name)
		}
		if names[v.Name] || indexes[*v.Index] {
			return fmt.Errorf("two variants have the name or index of %q", v.Name)
		}
		names[v.Name], indexes[*v.Index] = true, true
		fields, err := r.parseFields(v.Fields)
		if err != nil {
			return fmt.Errorf("variant %q: %v", v.Name, err)
		}
		t.variants = append(t.variants, variant{v.Name, *v.Index, fields})
	}
	return nil
}

func (r registry) parseFields(in []fieldJSON) ([]field, error) {
	if len(in) > maxMembers {
		return nil, fmt.Errorf("%d fields are over %d", len(in), maxMembers)
	}
	var out []field
	seen := map[string]bool{}
	for i, f := range in {
		if f.Type == nil {
			return nil, fmt.Errorf("field %d has no type", i)
		}
		if err := r.check(*f.Type); err != nil {
			return nil, fmt.Errorf("field %d: %v", i, err)
		}
		if (f.Name == nil) != (in[0].Name == nil) {
			return nil, fmt.Errorf("some fields are named and some not")
		}
		if f.Name == nil {
			out = append(out, field{id: *f.Type})
			continue
		}
		if err := checkName(*f.Name); err != nil {
			return nil, err
		}
		if seen[*f.Name] {
			return nil, fmt.Errorf("two fields are called %q", *f.Name)
		}
		seen[*f.Name] = true
		out = append(out, field{*f.Name, *f.Type})
	}
	return out, nil
}

func (r registry) parseElement(t *typ, k kind, def json.RawMessage) error {
	var in struct {
		Type *uint32 `json:"type"`
		Len  *uint32 `json:"len"`
	}
	if err := json.Unmarshal(def, &in); err != nil {
		return err
	}
	if in.Type == nil || (k == array && in.Len == nil) {
		return fmt.Errorf("has no element type or length")
	}
	t.kind, t.elem = k, *in.Type
	if k == array {
		t.length = *in.Len
	}
	return r.check(t.elem)
}

func (r registry) parseSequence(t *typ, def json.RawMessage) error {
	return r.parseElement(t, sequence, def)
}

func (r registry) parseArray(t *typ, def json.RawMessage) error {
	return r.parseElement(t, array, def)
}

func (r registry) parseCompact(t *typ, def json.RawMessage) error {
	return r.parseElement(t, compact, def)
}

func (r registry) parseTuple(t *typ, def json.RawMessage) error {
	t.kind = tuple
	if err := json.Unmarshal(def, &t.members); err != nil {
		return err
	}
	if len(t.members) > maxMembers {
		return fmt.Errorf("%d members are over %d", len(t.members), maxMembers)
	}
	for _, id := range t.members {
		if err := r.check(id); err != nil {
			return err
		}
	}
	return nil
}

func (r registry) parsePrimitive(t *typ, def json.RawMessage) error {
	var name string
	if err := json.Unmarshal(def, &name); err != nil {
		return err
	}
	p, ok := prims[name]
	if !ok {
		return fmt.Errorf("is of an unknown primitive type")
	}
	t.kind, t.prim = primitive, p
	return nil
}

// check refuses a reference that leads out of the registry.
func (r registry) check(id uint32) error {
	if int64(id) >= int64(len(r)) {
		return fmt.Errorf("there is no type %d", id)
	}
	return nil
}
