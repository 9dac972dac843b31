package abi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// hop leads from a value to one inside it: a field, a variant or a member of a tuple by name or number, an element of a
// list by place. It never holds the key of a map, which may be secret.
type hop struct {
	name  string // empty for an element
	place int
}

func element(place int) hop { return hop{place: place} }

func member(place int) hop { return hop{name: strconv.Itoa(place)} }

// String returns the hop as in Rust: `.field`, `.0`, `[2]`.
func (s hop) String() string {
	if s.name == "" {
		return "[" + strconv.Itoa(s.place) + "]"
	}
	return "." + s.name
}

func joinSteps(path []hop) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteString(s.String())
	}
	return b.String()
}

// insideError is what is wrong with a value inside an argument.
type insideError struct {
	path []hop // from the innermost value outwards
	err  error
}

func (e *insideError) Error() string { return fmt.Sprintf("%s: %v", e.way(), e.err) }

func (e *insideError) Unwrap() error { return e.err }

func (e *insideError) way() string {
	var b strings.Builder
	for i := len(e.path) - 1; i >= 0; i-- {
		b.WriteString(e.path[i].String())
	}
	return b.String()
}

// inside adds a hop to the way to what is wrong.
func inside(s hop, err error) error {
	var e *insideError
	if !errors.As(err, &e) {
		e = &insideError{err: err}
	}
	e.path = append(e.path, s)
	return e
}
