package abi

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// FuzzParse: whatever is read as a contract can be shown, called and decoded without a panic.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/everything.json", counterFile, auctionFile} {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"source":{"hash":"0x0000000000000000000000000000000000000000000000000000000000000000"},"version":"4",
		"types":[{"id":0,"type":{"def":{"composite":{"fields":[{"type":0}]}}}}],
		"spec":{"messages":[{"label":"m","selector":"0x00000000","args":[{"label":"a","type":{"type":0}}],"returnType":{"type":0}}]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Parse(file)
		if err != nil {
			return
		}
		for _, m := range append(c.Constructors(), c.Messages()...) {
			args := make([]string, len(m.Args))
			for i := range args {
				args[i] = `{"Ok":[1,"0x00"]}`
			}
			_, _ = c.EncodeCall(m, args)
			if out, _, err := c.DecodeOutput(m, []byte{0, 1, 4, 0, 0, 0}); err == nil && !json.Valid(out) {
				t.Fatalf("%s: decoded to %q", m.Signature(), out)
			}
		}
		_, _, _ = c.DecodeEvent([][32]byte{{}}, []byte{0, 1, 4})
	})
}

// FuzzDecode: what decodes as a type is valid JSON, and that JSON encodes to the same bytes. So nothing is lost, and no
// two values have one form.
func FuzzDecode(f *testing.F) {
	c := load(f, "testdata/everything.json")
	place := map[string]uint16{}
	for i, m := range c.Messages() {
		place[m.Label] = uint16(i)
	}
	for _, e := range everyType {
		raw, err := hex.DecodeString(e.scale)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(place[e.message], raw)
	}
	f.Fuzz(func(t *testing.T, which uint16, data []byte) {
		m := c.Messages()[int(which)%len(c.Messages())]
		out, _, err := c.DecodeOutput(m, append([]byte{0}, data...))
		if err != nil || len(m.Args) != 1 {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%s: %x decodes to %q", m.Label, data, out)
		}
		if len(out) > MaxArgument/2 {
			return
		}
		input, err := c.EncodeCallJSON(m, append(append([]byte("["), out...), ']'))
		if err != nil {
			t.Fatalf("%s: %x decodes to %s, which does not encode: %v", m.Label, data, out, err)
		}
		if !bytes.Equal(input[4:], data) {
			t.Fatalf("%s: %x decodes to %s, which encodes to %x", m.Label, data, out, input[4:])
		}
	})
}

// FuzzEncode: whatever text is taken as an argument comes back as the same value.
func FuzzEncode(f *testing.F) {
	c := load(f, "testdata/everything.json")
	for _, e := range everyType {
		for i, m := range c.Messages() {
			if m.Label == e.message {
				f.Add(uint16(i), e.argument)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, text string) {
		m := c.Messages()[int(which)%len(c.Messages())]
		if len(m.Args) != 1 {
			return
		}
		input, err := c.EncodeCall(m, []string{text})
		if err != nil {
			return
		}
		if m.Label == "map_u32" || m.Label == "map_account" {
			return // pairs may name a key twice, which only the contract resolves
		}
		out, _, err := c.DecodeOutput(m, echo(input))
		if err != nil {
			t.Fatalf("%s: %q encodes to %x, which does not decode: %v", m.Label, text, input, err)
		}
		again, err := c.EncodeCallJSON(m, append(append([]byte("["), out...), ']'))
		if err != nil || !bytes.Equal(again, input) {
			t.Fatalf("%s: %q encodes to %x, and its form %s to %x, %v", m.Label, text, input, out, again, err)
		}
	})
}
