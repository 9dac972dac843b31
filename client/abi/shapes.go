package abi

import "slices"

// What a type is beyond its kind: the types that have a JSON form of their own, told by path and shape.

// isByte reports whether a type is u8.
func (r registry) isByte(id uint32) bool {
	return r[id].kind == primitive && r[id].prim.name == "u8"
}

// isBytes reports whether a type is a sequence or array of u8.
func (r registry) isBytes(id uint32) bool {
	t := &r[id]
	return (t.kind == sequence || t.kind == array) && r.isByte(t.elem)
}

// isAccount reports whether a type is an AccountId: a newtype of that name around 32 bytes.
func (r registry) isAccount(id uint32) bool {
	t := &r[id]
	if len(t.path) == 0 || !t.newtype() {
		return false
	}
	inner := &r[t.fields[0].id]
	name := t.path[len(t.path)-1]
	return (name == "AccountId" || name == "AccountId32") &&
		inner.kind == array && inner.length == 32 && r.isByte(inner.elem)
}

// newtype reports whether a type is a struct with one unnamed field, which stands for that field.
func (t *typ) newtype() bool {
	return t.kind == composite && len(t.fields) == 1 && t.fields[0].name == ""
}

// bare returns the type inside all newtypes around it, or false where there is none, as in a type that is a newtype of
// itself.
func (r registry) bare(id uint32) (uint32, bool) {
	for range maxDepth {
		if !r[id].newtype() {
			return id, true
		}
		id = r[id].fields[0].id
	}
	return 0, false
}

// option returns T of Option<T>.
func (r registry) option(id uint32) (inner uint32, ok bool) {
	t := &r[id]
	if t.kind != variants || !slices.Equal(t.path, []string{"Option"}) || len(t.variants) != 2 {
		return 0, false
	}
	none, some := &t.variants[0], &t.variants[1]
	if none.name != "None" || none.index != 0 || len(none.fields) != 0 ||
		some.name != "Some" || some.index != 1 || len(some.fields) != 1 || some.fields[0].name != "" {
		return 0, false
	}
	return some.fields[0].id, true
}

// result returns T and E of Result<T, E>.
func (r registry) result(id uint32) (okType, errType uint32, is bool) {
	t := &r[id]
	if t.kind != variants || !slices.Equal(t.path, []string{"Result"}) || len(t.variants) != 2 {
		return 0, 0, false
	}
	good, bad := &t.variants[0], &t.variants[1]
	if good.name != "Ok" || good.index != 0 || len(good.fields) != 1 || good.fields[0].name != "" ||
		bad.name != "Err" || bad.index != 1 || len(bad.fields) != 1 || bad.fields[0].name != "" {
		return 0, 0, false
	}
	return good.fields[0].id, bad.fields[0].id, true
}

// langResult returns T of ink!'s wrapper of every output, Result<T, LangError>.
func (r registry) langResult(id uint32) (inner uint32, is bool) {
	inner, errType, ok := r.result(id)
	if !ok {
		return 0, false
	}
	path := r[errType].path
	return inner, len(path) > 0 && path[len(path)-1] == "LangError"
}

// unwrapped returns a message's result: what it returns without ink!'s wrapper.
func (r registry) unwrapped(id uint32) uint32 {
	if inner, is := r.langResult(id); is {
		return inner
	}
	return id
}

// mapping returns K and V of BTreeMap<K, V>.
func (r registry) mapping(id uint32) (key, value uint32, ok bool) {
	t := &r[id]
	if !slices.Equal(t.path, []string{"BTreeMap"}) || !t.newtype() {
		return 0, 0, false
	}
	list := &r[t.fields[0].id]
	if list.kind != sequence || r[list.elem].kind != tuple || len(r[list.elem].members) != 2 {
		return 0, 0, false
	}
	pair := r[list.elem].members
	return pair[0], pair[1], true
}

// keyed reports whether values of a type can be the names of an object: their JSON is a string or a number.
func (r registry) keyed(id uint32) bool {
	id, ok := r.bare(id)
	if !ok {
		return false
	}
	t := &r[id]
	return r.isBytes(id) || (t.kind == primitive && t.prim.name != "bool")
}

// nullable reports whether a value of a type can have the form null, which an Option of it must tell from None.
func (r registry) nullable(id uint32) bool {
	id, ok := r.bare(id)
	if !ok {
		return true
	}
	t := &r[id]
	if _, is := r.option(id); is {
		return true
	}
	return (t.kind == tuple && len(t.members) == 0) || (t.kind == composite && len(t.fields) == 0)
}

// objectLike reports whether a value of a type can have the form of an object.
func (r registry) objectLike(id uint32) bool {
	if _, _, is := r.mapping(id); is {
		return true
	}
	id, ok := r.bare(id)
	return !ok || r[id].kind == composite || r[id].kind == variants
}

// integer returns the integer type below newtypes and Compact.
func (r registry) integer(id uint32) (prim, bool) {
	id, ok := r.bare(id)
	if !ok || r[id].kind != primitive || r[id].prim.size == 0 {
		return prim{}, false
	}
	return r[id].prim, true
}
