package abi

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// ledgers are the metadata of one contract as the crates of ink! 3, 4 and 5 lay it out.
var ledgers = map[int]string{3: "testdata/ink3.json", 4: "testdata/ink4.json", 5: "testdata/ink5.json"}

func tree(t *testing.T, path string) file {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// early returns the ledger as a release candidate of ink! 3 would describe it: under the name of its version, and in
// version 1 with names, an array for what can belong to a trait, and without the constructors' payable.
func early(t *testing.T, version string) *Contract {
	t.Helper()
	f := tree(t, ledgers[3])
	metadata := f["V3"].(file)
	delete(f, "V3")
	f[version] = metadata
	spec := metadata["spec"].(file)
	for _, list := range []string{"constructors", "messages", "events"} {
		for _, e := range spec[list].([]any) {
			if version == "V1" {
				rename(e.(file), list)
			}
		}
	}
	c, err := parseTree(t, f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rename(e file, list string) {
	label := e["label"].(string)
	delete(e, "label")
	e["name"] = label
	if list != "events" {
		var segments []any
		for _, s := range strings.Split(label, "::") {
			segments = append(segments, s)
		}
		e["name"] = segments
	}
	if list == "constructors" {
		delete(e, "payable")
	}
	for _, a := range e["args"].([]any) {
		a.(file)["name"] = a.(file)["label"]
		delete(a.(file), "label")
	}
}

// TestLayouts reads one contract from the metadata of each version of ink!, and finds the same in all of them.
func TestLayouts(t *testing.T) {
	read := map[int]*Contract{1: early(t, "V1"), 2: early(t, "V2")}
	for version, path := range ledgers {
		read[version] = load(t, path)
	}
	for version, c := range read {
		if c.MetadataVersion != version || c.Name != "ledger" || c.Version != "0.3.0" {
			t.Errorf("version %d: %s %s, metadata %d", version, c.Name, c.Version, c.MetadataVersion)
		}
		constructor := "new(limit: Option<u128>)"
		if version >= 4 {
			constructor += " -> Result<(), Error>"
		}
		if version >= 2 {
			constructor += " payable"
		}
		same(t, "constructors", signatures(c.Constructors()), []string{constructor + " mutates"})
		same(t, "messages", signatures(c.Messages()), []string{
			"pay(to: AccountId, value: u128) -> Result<(), Error> mutates",
			"deposit() payable mutates",
			"balance_of(who: AccountId) -> u128",
			"Ledger::history(of: Vec<Entry<AccountId>>) -> BTreeMap<AccountId, Vec<u128>>",
		})
		var events []string
		for _, e := range c.Events() {
			events = append(events, e.Text())
		}
		same(t, "events", events, []string{
			"Paid { #[topic] from: Option<AccountId>, #[topic] to: AccountId, value: u128 }", "Noted { text: String }",
		})
		if m := message(t, c, "pay"); m.Docs != "The message pay." || m.Selector != [4]byte{1, 2, 3, 4} {
			t.Errorf("version %d: %+v", version, m)
		}
	}
	module := read[5].Events()[0].Module
	if module != "ledger::ledger" || read[5].Events()[1].Signature != nil || read[4].Events()[0].Signature != nil {
		t.Errorf("events of version 5: %q", module)
	}
}

// TestOutputsOfVersions: from ink! 4 on an output is wrapped, and a constructor has one.
func TestOutputsOfVersions(t *testing.T) {
	seventy := "46" + strings.Repeat("00", 15)
	cases := []struct {
		message, bare, json string
		isErr               bool
	}{
		{"pay", "00", `{"Ok":null}`, false},
		{"pay", "0101", `{"Err":"Closed"}`, true},
		{"pay", "0100" + seventy, `{"Err":{"TooPoor":{"least":"70"}}}`, true},
		{"deposit", "", `null`, false},
		{"balance_of", seventy, `"70"`, false},
		{"Ledger::history", "04" + aliceHex + "08" + seventy + seventy, `{"` + alice + `":["70","70"]}`, false},
	}
	for version, path := range ledgers {
		c := load(t, path)
		for _, e := range cases {
			text := e.bare
			if version >= 4 {
				text = "00" + text
			}
			data, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			got, isErr, err := c.DecodeOutput(message(t, c, e.message), data)
			if err != nil || string(got) != e.json || isErr != e.isErr {
				t.Errorf("ink! %d: %s %s: %s, %v, %v; want %s", version, e.message, text, got, isErr, err, e.json)
			}
		}
		input, err := c.EncodeCall(message(t, c, "pay"), []string{alice, "70"})
		if want := "01020304" + aliceHex + seventy; err != nil || hex.EncodeToString(input) != want {
			t.Errorf("ink! %d: pay encodes to %x, %v; want %s", version, input, err, want)
		}
		lang, isErr, err := c.DecodeOutput(message(t, c, "deposit"), []byte{1, 1})
		if version == 3 {
			if !errors.Is(err, ErrData) {
				t.Errorf("ink! 3: an output where there is none: %s, %v", lang, err)
			}
		} else if err != nil || !isErr || string(lang) != `{"LangError":"CouldNotReadInput"}` {
			t.Errorf("ink! %d: %s, %v, %v", version, lang, isErr, err)
		}
	}
}

func TestConstructorOutputs(t *testing.T) {
	cases := []struct {
		version int
		output  string
		json    string
		isErr   bool
	}{
		{3, "", `null`, false},
		{3, "0101", `"0x0101"`, true}, // an error, of a type that metadata 3 does not tell
		{4, "0000", `{"Ok":null}`, false},
		{4, "000101", `{"Err":"Closed"}`, true},
		{5, "0000", `{"Ok":null}`, false},
		{5, "0101", `{"LangError":"CouldNotReadInput"}`, true},
	}
	for _, e := range cases {
		c := load(t, ledgers[e.version])
		m, err := c.Constructor("")
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(e.output)
		if err != nil {
			t.Fatal(err)
		}
		got, isErr, err := c.DecodeOutput(m, data)
		if err != nil || string(got) != e.json || isErr != e.isErr {
			t.Errorf("ink! %d: %q: %s, %v, %v; want %s", e.version, e.output, got, isErr, err, e.json)
		}
	}
}

// TestEventsOfVersions: up to ink! 4 the first byte of an event names it and its topics are hashes; from ink! 5 on the
// first topic names it, and an anonymous event is known by its shape.
func TestEventsOfVersions(t *testing.T) {
	paid := "00" + aliceHex + "46" + strings.Repeat("00", 15)
	const fields = `{"from":null,"to":"` + alice + `","value":"70"}`
	signature, other := [32]byte{}, [32]byte{1}
	for i := range signature {
		signature[i] = 0x70
	}
	cases := []struct {
		versions   []int
		topics     [][32]byte
		data       string
		name, json string
	}{
		{[]int{3, 4}, [][32]byte{other, signature}, "00" + paid, "Paid", fields},
		{[]int{3, 4}, nil, "01" + "0478", "Noted", `{"text":"x"}`},
		{[]int{5}, [][32]byte{signature, other}, paid, "Paid", fields},
		{[]int{5}, nil, "0478", "Noted", `{"text":"x"}`},
		{[]int{5}, [][32]byte{other}, "0478", "Noted", `{"text":"x"}`}, // a topic of its fields is no signature
	}
	for _, e := range cases {
		data, err := hex.DecodeString(e.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range e.versions {
			name, got, err := load(t, ledgers[version]).DecodeEvent(e.topics, data)
			if err != nil || name != e.name || string(got) != e.json {
				t.Errorf("ink! %d: %s: %s %s, %v; want %s %s", version, e.data, name, got, err, e.name, e.json)
			}
		}
	}
	if _, _, err := load(t, ledgers[3]).DecodeEvent(nil, []byte{2}); !errors.Is(err, ErrUnknown) {
		t.Errorf("ink! 3: an event past the last: %v", err)
	}
	if _, _, err := load(t, ledgers[5]).DecodeEvent([][32]byte{signature}, []byte{0, 1}); !errors.Is(err, ErrData) {
		t.Errorf("ink! 5: an event cut short: %v", err)
	}
}

// TestForeignLayouts are refused with the reason.
func TestForeignLayouts(t *testing.T) {
	before := tree(t, ledgers[4])
	delete(before, "version")
	before["metadataVersion"] = "0.1.0"
	after := tree(t, ledgers[5])
	after["version"] = 6
	for reason, f := range map[string]file{"build the contract with ink! 3.0": before, "version 6; versions 1 to 5": after} {
		if _, err := parseTree(t, f); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v; want %q", err, reason)
		}
	}
	for what, label := range map[string]any{
		"a number": 7, "an array of numbers": []any{1}, "an object": file{}, "no name": nil,
		"what steers a terminal": "get\x1b[2J", "what turns text around": "a\u202eb", "a line break": []any{"a\n", "b"},
	} {
		f := tree(t, ledgers[3])
		f["V3"].(file)["spec"].(file)["messages"].([]any)[0].(file)["label"] = label
		if _, err := parseTree(t, f); !errors.Is(err, ErrFile) {
			t.Errorf("a label that is %s: %v", what, err)
		}
	}
}
