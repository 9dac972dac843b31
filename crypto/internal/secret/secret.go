// Package secret gives types that hold key material the manners such a type needs: it cannot be printed, marshalled,
// or compared with ==.
//
// Embed [Opaque] through an unexported alias, and keep the bytes in a [Box], so that a copy shares the bytes and is
// erased with them:
//
//	type opaque = secret.Opaque
//	type Key struct {
//		opaque
//		b secret.Box[[32]byte]
//	}
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrMarshal is what every marshaller of a secret type returns.
var ErrMarshal = errors.New("secret: key material is never marshalled")

// Redacted is what every printer of a secret type prints.
const Redacted = "[redacted]"

// Box holds a pointer that reflection cannot follow. An Opaque alone does not hide a key in an unexported field of
// another struct: fmt calls no methods there but walks the fields, and for a verb that does not suit a pointer (%s, say)
// it prints what the pointer points to. Of a func it prints the address.
type Box[T any] struct {
	get func() *T
}

// NewBox returns a Box of v.
func NewBox[T any](v *T) Box[T] { return Box[T]{func() *T { return v }} }

// Get returns the pointer. It panics for the zero Box.
func (b Box[T]) Get() *T { return b.get() }

// Opaque, embedded, redacts the type that embeds it.
type Opaque struct {
	_ [0]func() // makes the embedding type uncomparable
}

// String returns [Redacted].
func (Opaque) String() string { return Redacted }

// GoString returns [Redacted].
func (Opaque) GoString() string { return Redacted }

// Format prints [Redacted] for every verb and flag.
func (Opaque) Format(f fmt.State, _ rune) {
	// A printer's error surfaces at the printer; fmt offers no way to return it.
	_, _ = io.WriteString(f, Redacted)
}

// LogValue makes log/slog print [Redacted].
func (Opaque) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalBinary fails.
func (Opaque) MarshalBinary() ([]byte, error) { return nil, ErrMarshal }

// MarshalText fails.
func (Opaque) MarshalText() ([]byte, error) { return nil, ErrMarshal }

// MarshalJSON fails.
func (Opaque) MarshalJSON() ([]byte, error) { return nil, ErrMarshal }

// GobEncode fails.
func (Opaque) GobEncode() ([]byte, error) { return nil, ErrMarshal }

// UnmarshalBinary fails.
func (*Opaque) UnmarshalBinary([]byte) error { return ErrMarshal }

// UnmarshalText fails.
func (*Opaque) UnmarshalText([]byte) error { return ErrMarshal }

// UnmarshalJSON fails.
func (*Opaque) UnmarshalJSON([]byte) error { return ErrMarshal }

// GobDecode fails.
func (*Opaque) GobDecode([]byte) error { return ErrMarshal }
