package abi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// vectors are types as scale-info describes them, values as parity-scale-codec encodes them, and the form that each has
// here; testdata/oracle wrote them.
type vectors struct {
	Types   json.RawMessage `json:"types"`
	Vectors []struct {
		Type  uint32          `json:"type"`
		Rust  string          `json:"rust"`
		Scale string          `json:"scale"`
		JSON  json.RawMessage `json:"json"`
	} `json:"vectors"`
}

// echoes is a contract of ink! 3, whose outputs have no wrapper, with a message for each vector that returns its
// argument.
func echoes(t testing.TB, v *vectors) *Contract {
	t.Helper()
	var messages []string
	for i, e := range v.Vectors {
		messages = append(messages, fmt.Sprintf(`{"label":"m%d","selector":"0x%08x","args":[{"label":"value","type":{"type":%d}}],
			"returnType":{"type":%d}}`, i, i, e.Type, e.Type))
	}
	c, err := Parse([]byte(`{"source":{"hash":"0x` + strings.Repeat("00", 32) + `"},"V3":{"types":` + string(v.Types) +
		`,"spec":{"messages":[` + strings.Join(messages, ",") + `]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func loadVectors(t testing.TB) *vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectors)
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Rust's own codec and this package agree on every vector, both ways.
func TestVectors(t *testing.T) {
	v := loadVectors(t)
	kinds := map[string]bool{}
	c := echoes(t, v)
	for i, e := range v.Vectors {
		kinds[e.Rust] = true
		m := c.Messages()[i]
		input, err := c.EncodeCallJSON(m, json.RawMessage("["+string(e.JSON)+"]"))
		if err != nil || hex.EncodeToString(input[4:]) != e.Scale {
			t.Errorf("%s: %s encodes to %x, %v; want %s", e.Rust, e.JSON, input, err, e.Scale)
		}
		data, err := hex.DecodeString(e.Scale)
		if err != nil {
			t.Fatal(err)
		}
		got, isErr, err := c.DecodeOutput(m, data)
		if err != nil || !sameJSON(t, got, e.JSON) {
			t.Errorf("%s: %s decodes to %s, %v; want %s", e.Rust, e.Scale, got, err, e.JSON)
		}
		if want := strings.HasPrefix(string(e.JSON), `{"Err":`); isErr != want {
			t.Errorf("%s: %s is an error: %v, want %v", e.Rust, e.JSON, isErr, want)
		}
		if len(data) == 0 {
			continue
		}
		if got, _, err := c.DecodeOutput(m, data[:len(data)-1]); err == nil {
			t.Errorf("%s: %s without its last byte decodes to %s", e.Rust, e.Scale, got)
		}
		if got, _, err := c.DecodeOutput(m, append(data, 0)); err == nil {
			t.Errorf("%s: %s and a byte decodes to %s", e.Rust, e.Scale, got)
		}
	}
	if len(v.Vectors) < 170 || len(kinds) < 60 {
		t.Errorf("%d vectors of %d types: some are missing", len(v.Vectors), len(kinds))
	}
}

// sameJSON compares what two texts say; the order of an object's fields says nothing.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	for text, into := range map[*any][]byte{&x: a, &y: b} {
		d := json.NewDecoder(strings.NewReader(string(into)))
		d.UseNumber()
		if err := d.Decode(text); err != nil {
			t.Fatalf("%s: %v", into, err)
		}
	}
	return reflect.DeepEqual(x, y)
}
