package abi

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"
)

// file is a contract file as a tree that a test can damage.
type file = map[string]any

func everything(t testing.TB) file {
	t.Helper()
	raw, err := os.ReadFile("testdata/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func parseTree(t testing.TB, f file) (*Contract, error) {
	t.Helper()
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(raw)
}

func TestVersions(t *testing.T) {
	for _, version := range []any{4, "4", 5, "5"} {
		f := everything(t)
		f["version"] = version
		c, err := parseTree(t, f)
		if err != nil || fmt.Sprint(c.MetadataVersion) != fmt.Sprint(version) {
			t.Errorf("version %v: %v", version, err)
		}
	}

	f := everything(t)
	f["V3"] = file{"spec": f["spec"], "types": f["types"], "storage": f["storage"]}
	for _, name := range []string{"version", "spec", "types", "storage"} {
		delete(f, name)
	}
	c, err := parseTree(t, f)
	if err != nil || c.MetadataVersion != 3 || len(c.Messages()) == 0 {
		t.Errorf("version 3: %v", err)
	}

	for version, want := range map[any]error{1: ErrUnsupported, "6": ErrUnsupported, "x": ErrFile, nil: ErrFile, true: ErrFile} {
		f := everything(t)
		f["version"] = version
		if _, err := parseTree(t, f); !errors.Is(err, want) {
			t.Errorf("version %v: %v; want %v", version, err, want)
		}
	}
}

// Before version 5 the first byte of an event is its place, topics say nothing, and there are no signatures.
func TestIndexedEvents(t *testing.T) {
	f := everything(t)
	f["version"] = "4"
	c, err := parseTree(t, f)
	if err != nil {
		t.Fatal(err)
	}
	name, fields, err := c.DecodeEvent(nil, []byte{2, 4, 'x'})
	if err != nil || name != "Anonymous" || string(fields) != `{"text":"x"}` {
		t.Errorf("%s %s, %v", name, fields, err)
	}
	if _, _, err := c.DecodeEvent(nil, []byte{9}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown event: %v", err)
	}
	if _, _, err := c.DecodeEvent(nil, nil); !errors.Is(err, ErrData) {
		t.Errorf("an empty event: %v", err)
	}
}

func TestCodeHash(t *testing.T) {
	code := []byte("\x00asm\x01\x00\x00\x00")
	hash := blake2b.Sum256(code)
	f := everything(t)
	source := f["source"].(file)
	source["wasm"] = "0x" + hex.EncodeToString(code)
	if _, err := parseTree(t, f); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "hash") {
		t.Errorf("code under another hash: %v", err)
	}
	source["hash"] = "0x" + hex.EncodeToString(hash[:])
	c, err := parseTree(t, f)
	if err != nil || string(c.Wasm()) != string(code) || c.CodeHash() != hash {
		t.Errorf("code under its hash: %v", err)
	}
	for _, bad := range []string{"", "0x", "00", "0x" + strings.Repeat("0", 63), "0x" + strings.Repeat("g", 64)} {
		source["hash"] = bad
		if _, err := parseTree(t, f); !errors.Is(err, ErrFile) {
			t.Errorf("hash %q: %v", bad, err)
		}
	}
}

// Each case damages one thing of a good file, which must then be refused.
func TestDamagedFiles(t *testing.T) {
	types := func(f file) []any { return f["types"].([]any) }
	def := func(f file, id int, d any) { types(f)[id].(file)["type"].(file)["def"] = d }
	spec := func(f file, list string, i int) file { return f["spec"].(file)[list].([]any)[i].(file) }
	field := func(id any) file { return file{"type": id} }
	long := strings.Repeat("x", maxName+1)
	cases := map[string]func(f file){
		"no types":           func(f file) { f["types"] = []any{} },
		"types in disorder":  func(f file) { types(f)[3].(file)["id"] = 4 },
		"no definition":      func(f file) { def(f, 0, file{}) },
		"two definitions":    func(f file) { def(f, 0, file{"primitive": "u8", "tuple": []any{}}) },
		"unknown definition": func(f file) { def(f, 0, file{"thing": 1}) },
		"unknown primitive":  func(f file) { def(f, 0, file{"primitive": "f64"}) },
		"reference outside":  func(f file) { def(f, 0, file{"sequence": field(9999)}) },
		"reference below":    func(f file) { def(f, 0, file{"sequence": field(-1)}) },
		"reference missing":  func(f file) { def(f, 0, file{"sequence": file{}}) },
		"tuple outside":      func(f file) { def(f, 0, file{"tuple": []any{9999}}) },
		"array length":       func(f file) { def(f, 0, file{"array": file{"type": 1}}) },
		"array length huge":  func(f file) { def(f, 0, file{"array": file{"type": 1, "len": 1 << 33}}) },
		"path too long":      func(f file) { types(f)[0].(file)["type"].(file)["path"] = []any{long} },
		"parameter outside":  func(f file) { types(f)[0].(file)["type"].(file)["params"] = []any{field(9999)} },
		"field twice": func(f file) {
			def(f, 0, file{"composite": file{"fields": []any{file{"name": "a", "type": 1}, file{"name": "a", "type": 1}}}})
		},
		"field name empty": func(f file) { def(f, 0, file{"composite": file{"fields": []any{file{"name": "", "type": 1}}}}) },
		"field half named": func(f file) {
			def(f, 0, file{"composite": file{"fields": []any{file{"name": "a", "type": 1}, field(1)}}})
		},
		"field without type": func(f file) { def(f, 0, file{"composite": file{"fields": []any{file{"name": "a"}}}}) },
		"variant twice": func(f file) {
			def(f, 0, file{"variant": file{"variants": []any{file{"name": "a", "index": 0}, file{"name": "a", "index": 1}}}})
		},
		"index twice": func(f file) {
			def(f, 0, file{"variant": file{"variants": []any{file{"name": "a", "index": 0}, file{"name": "b", "index": 0}}}})
		},
		"index missing":       func(f file) { def(f, 0, file{"variant": file{"variants": []any{file{"name": "a"}}}}) },
		"index too large":     func(f file) { def(f, 0, file{"variant": file{"variants": []any{file{"name": "a", "index": 256}}}}) },
		"message twice":       func(f file) { spec(f, "messages", 0)["label"] = spec(f, "messages", 1)["label"] },
		"selector twice":      func(f file) { spec(f, "messages", 0)["selector"] = spec(f, "messages", 1)["selector"] },
		"selector short":      func(f file) { spec(f, "messages", 0)["selector"] = "0x00" },
		"message unnamed":     func(f file) { spec(f, "messages", 0)["label"] = "" },
		"message name long":   func(f file) { spec(f, "messages", 0)["label"] = long },
		"message docs long":   func(f file) { spec(f, "messages", 0)["docs"] = []any{strings.Repeat("x", maxDocs+1)} },
		"return type outside": func(f file) { spec(f, "messages", 0)["returnType"] = field(9999) },
		"argument outside":    func(f file) { spec(f, "messages", 0)["args"] = []any{file{"label": "a", "type": field(9999)}} },
		"argument untyped":    func(f file) { spec(f, "messages", 0)["args"] = []any{file{"label": "a"}} },
		"argument twice": func(f file) {
			spec(f, "messages", 0)["args"] = []any{file{"label": "a", "type": field(0)}, file{"label": "a", "type": field(0)}}
		},
		"event signature":       func(f file) { spec(f, "events", 0)["signature_topic"] = "0x11" },
		"event signature twice": func(f file) { spec(f, "events", 0)["signature_topic"] = "0x" + strings.Repeat("22", 32) },
		"event field outside":   func(f file) { spec(f, "events", 0)["args"] = []any{file{"label": "a", "type": field(9999)}} },
		"name long":             func(f file) { f["contract"].(file)["name"] = long },
	}
	for name, damage := range cases {
		f := everything(t)
		damage(f)
		if _, err := parseTree(t, f); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "not JSON": "\x00asm", "an array": "[]", "empty object": "{}", "truncated": `{"source":{"hash":"0x`,
		"too large": strings.Repeat(" ", MaxFile+1), "deep": strings.Repeat(`{"spec":`, 20000),
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedCode damages the code of a bundle, or says something twice.
func TestDamagedCode(t *testing.T) {
	code := "0x0061736d01000000"
	hash := func(code string) string {
		raw, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		sum := blake2b.Sum256(raw)
		return "0x" + hex.EncodeToString(sum[:])
	}
	good := hash(code[2:])
	bundle := func(wasm, hash string) string {
		return `{"source":{"hash":"` + hash + `","wasm":"` + wasm + `"},"version":5,"types":[{"id":0,"type":{"def":{"tuple":[]}}}],"spec":{"messages":[]}}`
	}
	if _, err := Parse([]byte(bundle(code, good))); err != nil {
		t.Fatalf("the undamaged bundle: %v", err)
	}
	for name, text := range map[string]string{
		"no prefix":     bundle(code[2:], good),
		"odd digits":    bundle(code[:len(code)-1], good),
		"no hex":        bundle(code[:len(code)-1]+"g", good),
		"a space":       bundle(code+" ", good),
		"code changed":  bundle(code[:len(code)-1]+"1", good),
		"code cut":      bundle(code[:len(code)-2], good),
		"hash changed":  bundle(code, good[:len(good)-1]+map[bool]string{true: "1", false: "0"}[good[len(good)-1] == '0']),
		"hash too long": bundle(code, good+"00"),
		"wasm a number": strings.Replace(bundle(code, good), `"`+code+`"`, "7", 1),
		"deep types":    strings.Replace(bundle(code, good), `{"tuple":[]}`, strings.Repeat(`{"tuple":[`, 20000)+strings.Repeat(`]}`, 20000), 1),
		"huge code":     bundle("0x"+strings.Repeat("00", MaxFile/2), hash(strings.Repeat("00", MaxFile/2))),
		"two documents": bundle(code, good) + bundle(code, good),
	} {
		start := time.Now()
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// hostile is a contract with one message that takes and returns the type 0 of types.
func hostile(t testing.TB, types string) (*Contract, *Message) {
	t.Helper()
	c, err := Parse([]byte(`{"source":{"hash":"0x` + strings.Repeat("00", 32) + `"},"version":5,"types":[` + types + `],
		"spec":{"messages":[{"label":"m","selector":"0x00000000","args":[{"label":"a","type":{"type":0}}],"returnType":{"type":0}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return c, c.Messages()[0]
}

// Types that never end, or that make a value of astronomic size out of no bytes, cost little and end in an error.
func TestHostileTypes(t *testing.T) {
	doubling := make([]string, 50) // type n is a pair of type n+1: 2^50 units in all, within the depth
	for i := range doubling {
		doubling[i] = fmt.Sprintf(`{"id":%d,"type":{"def":{"tuple":[%d,%d]}}}`, i, i+1, i+1)
	}
	doubling = append(doubling, `{"id":50,"type":{"def":{"tuple":[]}}}`)
	wide := make([]string, 256)
	for i := range wide {
		wide[i] = fmt.Sprintf(`{"name":"%s%d","index":%d,"fields":[{"name":"a","type":0},{"name":"b","type":0}]}`, strings.Repeat("x", 200), i, i)
	}
	cases := map[string]string{
		"enum of many":          `{"id":0,"type":{"path":["pkg","Wide"],"def":{"variant":{"variants":[` + strings.Join(wide, ",") + `]}}}}`,
		"newtype of itself":     `{"id":0,"type":{"def":{"composite":{"fields":[{"type":0}]}}}}`,
		"struct of itself":      `{"id":0,"type":{"def":{"composite":{"fields":[{"name":"a","type":0},{"name":"b","type":0}]}}}}`,
		"tuple of itself":       `{"id":0,"type":{"def":{"tuple":[0,0]}}}`,
		"array of itself":       `{"id":0,"type":{"def":{"array":{"len":4294967295,"type":0}}}}`,
		"compact of itself":     `{"id":0,"type":{"def":{"compact":{"type":0}}}}`,
		"sequence of itself":    `{"id":0,"type":{"def":{"sequence":{"type":0}}}}`,
		"huge array of units":   `{"id":0,"type":{"def":{"array":{"len":4294967295,"type":1}}}},{"id":1,"type":{"def":{"tuple":[]}}}`,
		"huge array of bytes":   `{"id":0,"type":{"def":{"array":{"len":4294967295,"type":1}}}},{"id":1,"type":{"def":{"primitive":"u8"}}}`,
		"huge array of arrays":  `{"id":0,"type":{"def":{"array":{"len":65535,"type":1}}}},{"id":1,"type":{"def":{"array":{"len":65535,"type":2}}}},{"id":2,"type":{"def":{"tuple":[]}}}`,
		"doubling":              strings.Join(doubling, ","),
		"option of itself":      `{"id":0,"type":{"path":["Option"],"def":{"variant":{"variants":[{"name":"None","index":0},{"name":"Some","index":1,"fields":[{"type":0}]}]}}}}`,
		"map of itself":         `{"id":0,"type":{"path":["BTreeMap"],"def":{"composite":{"fields":[{"type":1}]}}}},{"id":1,"type":{"def":{"sequence":{"type":2}}}},{"id":2,"type":{"def":{"tuple":[0,0]}}}`,
		"parameter of itself":   `{"id":0,"type":{"path":["A"],"params":[{"name":"T","type":0},{"name":"U","type":0}],"def":{"compact":{"type":0}}}}`,
		"enum without variants": `{"id":0,"type":{"path":["Never"],"def":{"variant":{}}}}`,
	}
	for name, types := range cases {
		c, m := hostile(t, types)
		start := time.Now()
		if len(m.Signature()) > 4*maxTypeText {
			t.Errorf("%s: the signature has %d bytes", name, len(m.Signature()))
		}
		for _, d := range c.Types() {
			if len(d.Text) > 2*maxDefinition {
				t.Errorf("%s: the definition of %s has %d bytes", name, d.Name, len(d.Text))
			}
		}
		for _, data := range [][]byte{{}, {1}, make([]byte, 100), []byte(strings.Repeat("\x04", 1000)), []byte(strings.Repeat("\x01", 1000))} {
			out, _, err := c.DecodeOutput(m, data)
			if err == nil && !json.Valid(out) {
				t.Errorf("%s: decoded %x to %s", name, data, out)
			}
			if err == nil && len(data) != 1 && len(data) != 0 {
				t.Errorf("%s: accepted %d bytes as %.60s", name, len(data), out)
			}
		}
		for _, argument := range []string{"0x00", "null", "[]", strings.Repeat("[", 120) + strings.Repeat("]", 120), `{"a":1,"b":2}`, `{"Some":{"Some":null}}`} {
			_, _ = c.EncodeCall(m, []string{argument}) // it ends, which is all that is asked
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// Many anonymous events, each of which costs the whole bound of values, share that bound.
func TestManyAnonymousEvents(t *testing.T) {
	event := `{"label":"e","args":[{"label":"a","type":{"type":0}}],"signature_topic":null}`
	c, err := Parse([]byte(`{"source":{"hash":"0x` + strings.Repeat("00", 32) + `"},"version":5,
		"types":[{"id":0,"type":{"def":{"array":{"len":200000,"type":1}}}},{"id":1,"type":{"def":{"tuple":[]}}}],
		"spec":{"events":[` + strings.TrimSuffix(strings.Repeat(event+",", maxMembers), ",") + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, _, err := c.DecodeEvent(nil, []byte{1}); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}
