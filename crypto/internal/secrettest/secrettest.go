// Package secrettest is the test that every type holding key material must pass.
package secrettest

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/internal/secret"
)

// Check fails the test unless key, a pointer to a struct, hides raw: from fmt with every verb, also inside another
// struct, from slog, and from the marshallers, which must refuse; and unless its type cannot be compared with ==.
func Check(t *testing.T, key any, raw []byte) {
	t.Helper()
	if len(raw) < 32 {
		t.Fatal("no secret to look for")
	}
	value := reflect.ValueOf(key).Elem()
	if value.Comparable() {
		t.Errorf("%T compares with ==", value.Interface())
	}
	deep := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "K", Type: value.Type()}})).Elem()
	deep.Field(0).Set(value)
	for _, v := range []any{key, value.Interface(), deep.Interface(), hidden{key, value.Interface()}, []any{key}} {
		printed(t, v, raw)
	}
	marshalled(t, key)
	marshalled(t, value.Interface())
	marshalled(t, struct{ K any }{key})
	unmarshalled(t, key)
}

// hidden keeps keys in unexported fields, whose methods fmt does not call.
type hidden struct {
	pointer, value any
}

func printed(t *testing.T, v any, raw []byte) {
	t.Helper()
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "100.100"} {
			leaks(t, fmt.Sprintf("%"+flags+string(verb), v), raw)
		}
	}
	leaks(t, fmt.Sprint(v), raw)
	leaks(t, fmt.Errorf("%w", fmt.Errorf("%v", v)).Error(), raw)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", v)
	leaks(t, log.String(), raw)
}

// leaks looks for any eight bytes of raw: as they are, in hexadecimal and as fmt prints a byte slice.
func leaks(t *testing.T, text string, raw []byte) {
	t.Helper()
	lower := strings.ToLower(text)
	for i := 0; i+8 <= len(raw); i++ {
		part := raw[i : i+8]
		decimal := strings.Trim(fmt.Sprint(part), "[]")
		if strings.Contains(text, string(part)) || strings.Contains(lower, hex.EncodeToString(part)) ||
			strings.Contains(text, decimal) || strings.Contains(text, strings.ReplaceAll(decimal, " ", ",")) {
			t.Fatal("the secret was printed")
		}
	}
}

func marshalled(t *testing.T, v any) {
	t.Helper()
	if out, err := json.Marshal(v); !errors.Is(err, secret.ErrMarshal) {
		t.Errorf("json: %T gives %d bytes, %v", v, len(out), err)
	}
	if out, err := xml.Marshal(v); err == nil && len(out) > 0 {
		t.Errorf("xml: %T gives %d bytes", v, len(out))
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err == nil {
		t.Errorf("gob: %T gives %d bytes", v, b.Len())
	}
	if m, ok := v.(interface{ MarshalBinary() ([]byte, error) }); ok {
		if _, err := m.MarshalBinary(); !errors.Is(err, secret.ErrMarshal) {
			t.Errorf("binary: %v", err)
		}
	}
}

func unmarshalled(t *testing.T, key any) {
	t.Helper()
	text := `"` + strings.Repeat("01", 32) + `"`
	if err := json.Unmarshal([]byte(text), key); !errors.Is(err, secret.ErrMarshal) {
		t.Errorf("json: unmarshal: %v", err)
	}
	type parser interface {
		UnmarshalText([]byte) error
		UnmarshalBinary([]byte) error
		GobDecode([]byte) error
	}
	p, ok := key.(parser)
	if !ok {
		t.Fatalf("%T does not refuse unmarshalling", key)
	}
	for _, f := range []func([]byte) error{p.UnmarshalText, p.UnmarshalBinary, p.GobDecode} {
		if err := f([]byte(text)); !errors.Is(err, secret.ErrMarshal) {
			t.Errorf("unmarshal: %v", err)
		}
	}
}
