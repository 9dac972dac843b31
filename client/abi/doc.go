// Package abi is the application binary interface of ink! contracts: from a `.contract` file (the bundle of code and
// metadata that cargo-contract writes) it encodes calls and decodes what comes back.
//
// Start with [Parse]; then [Contract.Message] or [Contract.Constructor], [Contract.EncodeCall], and
// [Contract.DecodeOutput] and [Contract.DecodeEvent]. Metadata of versions 1 to 5 (ink! 3.0-rc5 to 5) is read. What
// differs between them:
//
//	version  ink!        where it lies      labels            outputs                     events are told by
//	1        3.0-rc5, 6  under "V1"         "name", an array  bare; constructors no type  the first byte of the data
//	2, 3     3.0 to 3.4  under "V2", "V3"   text              bare; constructors no type  the first byte of the data
//	4        4           "version": "4"     text              Result<T, LangError>        the first byte of the data
//	5        5           "version": 5       text              Result<T, LangError>        the first topic, their signature
//
// # Values as JSON
//
// Every type of the contract has one JSON form, which decoding writes and encoding accepts:
//
//	u8…u32, i8…i32        number                         7
//	wider integers        string of decimal digits       "340282366920938463463374607431768211455"
//	bool, String, char    true, "text", "x"
//	Vec<u8>, [u8; N]      hex                            "0x00ff"
//	AccountId             SS58, prefix 42                "5Grwva…"
//	Vec, array, tuple     array; () is null              [1, 2]
//	struct                object; of unnamed fields an array; of one unnamed field that field's form
//	enum                  "Variant", or {"Variant": …} with the field, an array of them or an object
//	Option<T>             null or the form of T; where T itself may be null, null or {"Some": …}
//	Result<T, E>          {"Ok": …} or {"Err": …}
//	BTreeMap<K, V>        object where K's form is a number of any width, a string, hex or an account; else pairs
//	Compact<T>            as T
//	BitVec                0b and the bits, the first one first  "0b1011"
//
// Encoding accepts a little more: numbers and strings of digits alike for every integer, "0x…" for unsigned integers,
// bytes as an array of numbers, an account as 0x-hex of 32 bytes or as an address of any SS58 prefix, {"Some": …} for an
// Option whose T is not itself an object, pairs for any map. No number passes through a float. Compact of what is no
// unsigned integer is refused by name.
//
// # What is promised
//
// The file and the bytes may come from an enemy. Sizes, counts and depths are bounded before memory is reserved, types may
// be cyclic, decoding is canonical (what is decoded encodes to the same bytes) and takes all bytes or fails. Nothing
// here panics. Errors name the argument, the way to the value inside it and the type that is expected. They never hold a
// value, a text or the key of a map, which may be secret; of an enum the way names the variant. Names are printable text:
// what a file calls things cannot steer a terminal.
package abi

import (
	"errors"
	"fmt"
	"strings"
)

// Errors, wrapped with what was wrong.
var (
	// ErrFile says that a file is not a contract bundle or that its metadata contradicts itself.
	ErrFile = errors.New("abi: not a valid contract file")
	// ErrUnsupported says that a file or type is of a kind this package does not read.
	ErrUnsupported = errors.New("abi: unsupported")
	// ErrUnknown says that the contract has no such message, constructor or event.
	ErrUnknown = errors.New("abi: unknown name")
	// ErrArguments says that the number of arguments is wrong.
	ErrArguments = errors.New("abi: wrong number of arguments")
	// ErrData says that an output or event is not of the type that the metadata gives.
	ErrData = errors.New("abi: data does not fit the contract's metadata")
)

// Bounds on what is read.
const (
	// MaxFile is the largest contract file, in bytes.
	MaxFile = 16 << 20
	// MaxArgument is the longest argument, in bytes of text.
	MaxArgument = 1 << 20
	// MaxData is the longest output or event, in bytes.
	MaxData = 1 << 20

	maxTypes    = 1 << 14 // in a registry
	maxMembers  = 1 << 12 // fields of a type, variants of an enum, arguments of a message, messages of a contract
	maxName     = 256     // bytes of a label, field or path segment
	maxDocs     = 1 << 16 // bytes of one item's documentation
	maxDepth    = 64      // nesting of values
	maxValues   = 1 << 18 // values in one output or event, counting those that take no bytes
	maxJSON     = 16 << 20
	maxTypeText = 200 // bytes of a type's name in an error or help text
)

// ArgumentError says which argument of which message could not be encoded, and of what type it should be.
type ArgumentError struct {
	Message  string // the message's or constructor's label
	Argument string // the argument's label
	Path     string // the way to what is wrong inside it, as `[2].who`; empty for the argument itself
	Type     string // the argument's type, as in Rust
	Err      error  // what is wrong, without the argument's content
}

// Error implements error.
func (e *ArgumentError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("abi: %s: argument %s (%s): %v", e.Message, e.Argument, e.Type, e.Err)
	}
	return fmt.Sprintf("abi: %s: argument %s%s (%s is of type %s): %v", e.Message, e.Argument, e.Path, e.Argument, e.Type, e.Err)
}

// Unwrap returns what is wrong.
func (e *ArgumentError) Unwrap() error { return e.Err }

// Argument is one argument of a message or constructor.
type Argument struct {
	Label string
	Type  string // as in Rust, for people

	id uint32
}

// Message is a message or constructor of a contract.
type Message struct {
	Label    string
	Selector [4]byte // the first bytes of its input
	Args     []Argument
	Returns  string // type of the result as in Rust, without ink!'s own wrapper; "()" for none
	Payable  bool   // accepts value
	Mutates  bool   // changes state: a command, not a query; true for constructors
	Default  bool   // what a tool takes if none is named
	Docs     string // the author's text, lines joined by newlines

	returns     *uint32 // type of the output; nil for an empty one
	constructor bool
}

// Signature returns the message as in Rust, for help texts: `bid(amount: u128) -> Result<(), Error>`.
func (m *Message) Signature() string {
	args := make([]string, len(m.Args))
	for i, a := range m.Args {
		args[i] = a.Label + ": " + a.Type
	}
	text := m.Label + "(" + strings.Join(args, ", ") + ")"
	if m.Returns != "()" {
		text += " -> " + m.Returns
	}
	return text
}

// Contract is a parsed contract file. It is immutable and may be used by several goroutines.
type Contract struct {
	// Name and Version are the contract package's, as its author wrote them.
	Name, Version string
	// Language and Compiler say what the code was made with, as the file claims.
	Language, Compiler string
	// MetadataVersion is 3, 4 or 5, as ink!'s own; 1 and 2 are of ink! 3's release candidates.
	MetadataVersion int

	wasm         []byte
	codeHash     [32]byte
	types        registry
	constructors []*Message
	messages     []*Message
	events       []*Event
}

// Wasm returns the code, or nil where the file holds metadata alone. The caller must not change it.
func (c *Contract) Wasm() []byte { return c.wasm }

// CodeHash returns BLAKE2b-256 of the code: computed where the file holds the code, as claimed by it otherwise.
func (c *Contract) CodeHash() [32]byte { return c.codeHash }

// Constructors returns the constructors in the file's order. The caller must not change them.
func (c *Contract) Constructors() []*Message { return c.constructors }

// Messages returns the messages in the file's order. The caller must not change them.
func (c *Contract) Messages() []*Message { return c.messages }

// Events returns the events in the file's order. The caller must not change them.
func (c *Contract) Events() []*Event { return c.events }

// Constructor returns the constructor of that name; for an empty name the one marked as default, else the only one, else
// `new`.
func (c *Contract) Constructor(name string) (*Message, error) {
	if name != "" {
		return find("constructor", c.constructors, name)
	}
	for _, m := range c.constructors {
		if m.Default {
			return m, nil
		}
	}
	if len(c.constructors) == 1 {
		return c.constructors[0], nil
	}
	return find("constructor", c.constructors, "new")
}

// Message returns the message of that name.
func (c *Contract) Message(name string) (*Message, error) {
	return find("message", c.messages, name)
}

func find(what string, among []*Message, name string) (*Message, error) {
	labels := make([]string, len(among))
	for i, m := range among {
		if m.Label == name {
			return m, nil
		}
		labels[i] = m.Label
	}
	return nil, fmt.Errorf("%w: no %s %q; there are: %s", ErrUnknown, what, name, strings.Join(labels, ", "))
}
