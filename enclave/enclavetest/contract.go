package enclavetest

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
)

// Code is a contract's module and the selectors of its constructors and messages.
type Code struct {
	Wasm      []byte
	selectors map[string][]byte
}

// ReadContract reads a .contract file.
func ReadContract(path string) (*Code, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseContract(raw)
}

// ParseContract parses a .contract file.
func ParseContract(raw []byte) (*Code, error) {
	var file struct {
		Source struct{ Wasm string }
		Spec   struct {
			Constructors, Messages []struct{ Label, Selector string }
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	c := &Code{selectors: map[string][]byte{}}
	var err error
	if c.Wasm, err = unhex(file.Source.Wasm); err != nil {
		return nil, err
	}
	for _, m := range append(file.Spec.Constructors, file.Spec.Messages...) {
		if c.selectors[m.Label], err = unhex(m.Selector); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func unhex(s string) ([]byte, error) { return hex.DecodeString(strings.TrimPrefix(s, "0x")) }

// Input is the input of a constructor or message with these SCALE arguments. It panics on an unknown label.
func (c *Code) Input(label string, args ...[]byte) []byte {
	selector, ok := c.selectors[label]
	if !ok {
		panic("no message " + label)
	}
	out := append([]byte(nil), selector...)
	for _, a := range args {
		out = append(out, a...)
	}
	return out
}

// I32 is the SCALE of an i32.
func I32(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
