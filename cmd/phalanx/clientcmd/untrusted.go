package clientcmd

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unsafe reports whether a character could do something to the user's terminal other than to appear where it stands:
// controls, escapes, and what turns the direction of the text or begins a line where none is seen to end.
func unsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// printable keeps a contract, or whoever else wrote a text, from writing to the user's terminal what is no text. Lines
// and tabs stay.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if unsafe(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(string(b), string(utf8.RuneError)))
}

// oneLine is printable for what stands within a line: a line of its own could pass for one of this program's.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, printable([]byte(s)))
}

// escaped is JSON in which unsafe characters, which can only stand in strings, are escapes. It means the same.
func escaped(raw []byte) []byte {
	if utf8.Valid(raw) && !bytes.ContainsFunc(raw, func(r rune) bool { return unsafe(r) && r != '\n' }) {
		return raw
	}
	var out bytes.Buffer
	for _, r := range string(raw) {
		if unsafe(r) && r != '\n' {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

// printableError is an error that may quote what others wrote.
type printableError struct{ error }

// Error is the error's text without what is no text.
func (e printableError) Error() string { return printable([]byte(e.error.Error())) }

// Unwrap returns the error.
func (e printableError) Unwrap() error { return e.error }
