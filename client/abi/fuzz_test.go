package abi

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// FuzzParse: whatever is read as a contract can be shown, called and decoded without a panic.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/everything.json", ledgers[3], ledgers[4], ledgers[5], counterFile, auctionFile} {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"source":{"hash":"0x0000000000000000000000000000000000000000000000000000000000000000"},"version":"4",
		"types":[{"id":0,"type":{"def":{"composite":{"fields":[{"type":0}]}}}}],
		"spec":{"messages":[{"label":"m","selector":"0x00000000","args":[{"label":"a","type":{"type":0}}],"returnType":{"type":0}}]}}`))
	f.Add([]byte(`{"source":{"hash":"0x0000000000000000000000000000000000000000000000000000000000000000"},"V1":{
		"types":[{"id":0,"type":{"def":{"bitsequence":{"bit_store_type":1,"bit_order_type":2}}}},{"id":1,"type":{"def":{"primitive":"u16"}}},
			{"id":2,"type":{"path":["Msb0"],"def":{"composite":{}}}}],
		"spec":{"messages":[{"name":["T","m"],"selector":"0x00000000","args":[{"name":"a","type":{"type":0}}],"returnType":{"type":0}}]}}}`))
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
		if name, fields, err := c.DecodeEvent([][32]byte{{}}, []byte{0, 1, 4}); err == nil && !json.Valid(fields) {
			t.Fatalf("%s: decoded to %q", name, fields)
		}
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

// FuzzVectors is FuzzDecode for the types that Rust's own libraries describe, without a wrapper around them.
func FuzzVectors(f *testing.F) {
	v := loadVectors(f)
	c := echoes(f, v)
	for i, e := range v.Vectors {
		raw, err := hex.DecodeString(e.Scale)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(i), raw)
	}
	f.Fuzz(func(t *testing.T, which uint16, data []byte) {
		i := int(which) % len(c.Messages())
		m := c.Messages()[i]
		out, _, err := c.DecodeOutput(m, data)
		if err != nil || len(out) > MaxArgument/2 {
			return
		}
		input, err := c.EncodeCallJSON(m, append(append([]byte("["), out...), ']'))
		if err != nil || !bytes.Equal(input[4:], data) {
			t.Fatalf("%s: %x decodes to %s, which encodes to %x, %v", v.Vectors[i].Rust, data, out, input, err)
		}
	})
}

// FuzzEvents: an event of whatever topics and bytes is refused or has a name of the metadata and valid JSON as fields.
func FuzzEvents(f *testing.F) {
	paid, err := hex.DecodeString("0000" + aliceHex + "46000000000000000000000000000000")
	if err != nil {
		f.Fatal(err)
	}
	signature := bytes.Repeat([]byte{0x70}, 32)
	f.Add(uint8(3), []byte{}, paid)
	f.Add(uint8(4), signature, []byte("\x01\x04x"))
	f.Add(uint8(5), signature, paid[1:])
	f.Add(uint8(5), []byte{}, []byte("\x04x"))
	contracts := []*Contract{load(f, ledgers[3]), load(f, ledgers[4]), load(f, ledgers[5]), load(f, "testdata/everything.json")}
	f.Fuzz(func(t *testing.T, which uint8, topic, data []byte) {
		var topics [][32]byte
		if len(topic) >= 32 {
			topics = append(topics, [32]byte(topic))
		}
		c := contracts[int(which)%len(contracts)]
		name, fields, err := c.DecodeEvent(topics, data)
		if err != nil {
			return
		}
		known := slices.ContainsFunc(c.Events(), func(e *Event) bool { return e.Label == name })
		if !known || !json.Valid(fields) || fields[0] != '{' {
			t.Fatalf("%x, %x: decoded to %s %q", topic, data, name, fields)
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
