package abi

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

const (
	alice    = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
	aliceHex = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
)

func load(t testing.TB, path string) *Contract {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func message(t testing.TB, c *Contract, label string) *Message {
	t.Helper()
	m, err := c.Message(label)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// echo is the result's bytes of a message of testdata/everything.json that returns its argument: the argument after
// the Ok of ink!'s wrapper.
func echo(input []byte) []byte { return append([]byte{0}, input[4:]...) }

// Every kind of type: the argument as text, the SCALE bytes, and the JSON that comes back.
var everyType = []struct{ message, argument, scale, json string }{
	{"u8", "255", "ff", "255"},
	{"u8", "0xff", "ff", "255"},
	{"u16", "65535", "ffff", "65535"},
	{"u32", "16777216", "00000001", "16777216"},
	{"u64", "18446744073709551615", "ffffffffffffffff", `"18446744073709551615"`},
	{"u128", "340282366920938463463374607431768211455", strings.Repeat("ff", 16), `"340282366920938463463374607431768211455"`},
	{"u128", `"9007199254740993"`, "01000000000020000000000000000000", `"9007199254740993"`},
	{"u256", "1", "01" + strings.Repeat("00", 31), `"1"`},
	{"i8", "-128", "80", "-128"},
	{"i16", "-2", "feff", "-2"},
	{"i32", "-1", "ffffffff", "-1"},
	{"i64", "-9223372036854775808", "0000000000000080", `"-9223372036854775808"`},
	{"i128", "-170141183460469231731687303715884105728", strings.Repeat("00", 15) + "80", `"-170141183460469231731687303715884105728"`},
	{"i256", "-1", strings.Repeat("ff", 32), `"-1"`},
	{"bool", "true", "01", "true"},
	{"char", "é", "e9000000", `"é"`},
	{"str", "A painting", "28412070" + "61696e74696e67", `"A painting"`},
	{"str", `"quoted\n"`, "1c71756f7465640a", `"quoted\n"`},
	{"str", "123", "0c313233", `"123"`},
	{"str", "<&>", "0c3c263e", `"<&>"`},
	{"unit", "null", "", "null"},
	{"bytes", "0x00ff", "0800ff", `"0x00ff"`},
	{"bytes", "[0, 255]", "0800ff", `"0x00ff"`},
	{"bytes", "0x", "00", `"0x"`},
	{"bytes4", "0xdeadbeef", "deadbeef", `"0xdeadbeef"`},
	{"bytes0", "0x", "", `"0x"`},
	{"AccountId", alice, aliceHex, `"` + alice + `"`},
	{"AccountId", "0x" + aliceHex, aliceHex, `"` + alice + `"`},
	{"AccountId", "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5", aliceHex, `"` + alice + `"`},
	{"Hash", "0x" + aliceHex, aliceHex, `"0x` + aliceHex + `"`},
	{"opt_u32", "null", "00", "null"},
	{"opt_u32", "7", "0107000000", "7"},
	{"opt_u32", `{"Some": 7}`, "0107000000", "7"},
	{"opt_str", "text", "011074657874", `"text"`},
	{"opt_unit", "null", "00", "null"},
	{"opt_unit", `{"Some": null}`, "01", `{"Some":null}`},
	{"opt_opt_bool", `{"Some": null}`, "0100", `{"Some":null}`},
	{"opt_opt_bool", `{"Some": 5}`, "010105000000", `{"Some":5}`},
	{"opt_account", alice, "01" + aliceHex, `"` + alice + `"`},
	{"Error", "NotOwner", "00", `"NotOwner"`},
	{"Error", `"NotOwner"`, "00", `"NotOwner"`},
	{"Error", `{"NotOwner": null}`, "00", `"NotOwner"`},
	{"Error", `{"TooLow": "3"}`, "0103000000000000000000000000000000", `{"TooLow":"3"}`},
	{"Error", `{"Two": [1, "x"]}`, "05010478", `{"Two":[1,"x"]}`},
	{"Error", `{"Named": {"final": true, "least": 2}}`, "c8020000000000000001", `{"Named":{"least":"2","final":true}}`},
	{"res_u128", `{"Ok": 1}`, "0001000000000000000000000000000000", `{"Ok":"1"}`},
	{"res_u128", `{"Err": "NotOwner"}`, "0100", `{"Err":"NotOwner"}`},
	{"Empty", "null", "", "null"},
	{"Pair", `[1, "x"]`, "010478", `[1,"x"]`},
	{"Named", `{"what": "0x01", "who": "` + alice + `", "when": null}`, aliceHex + "000401",
		`{"who":"` + alice + `","when":null,"what":"0x01"}`},
	{"Wrapped", "5", "05000000000000000000000000000000", `"5"`},
	{"vec_named", "[]", "00", "[]"},
	{"arr_u16", "[1, 2, 3]", "010002000300", "[1,2,3]"},
	{"tuple", `[1, "x", false]`, "01047800", `[1,"x",false]`},
	{"tuple1", "[9]", "09000000", "[9]"},
	{"vec_unit", "[null, null]", "08", "[null,null]"},
	{"map_account", `{"` + alice + `": 1}`, "04" + aliceHex + "01000000000000000000000000000000", `{"` + alice + `":"1"}`},
	{"map_u32", `{"1": "a", "2": "b"}`, "08010000000461020000000462", `{"1":"a","2":"b"}`},
	{"map_u32", `[[1, "a"]]`, "04010000000461", `{"1":"a"}`},
	{"map_tuple", `[[[1, "x", true], false]]`, "040104780100", `[[[1,"x",true],false]]`},
	{"set", `["a", "b"]`, "0804610462", `["a","b"]`},
	{"compact_u8", "63", "fc", "63"},
	{"compact_u32", "64", "0101", "64"},
	{"compact_u32", "16384", "02000100", "16384"},
	{"compact_u32", "1073741824", "0300000040", "1073741824"},
	{"compact_u128", "18446744073709551616", "17000000000000000001", `"18446744073709551616"`},
	{"compact_wrapped", "1", "04", `"1"`},
	{"bits", "0b", "00", `"0b"`},
	{"bits", `"0b1011"`, "100d", `"0b1011"`},
	{"bits", "0b100000001", "240101", `"0b100000001"`},
	{"Tree", `{"Node": [{"Leaf": 1}, {"Node": []}]}`, "010800010100", `{"Node":[{"Leaf":1},{"Node":[]}]}`},
	{"opt_tree", `{"Leaf": 1}`, "010001", `{"Leaf":1}`},
}

func TestEveryType(t *testing.T) {
	c := load(t, "testdata/everything.json")
	for _, e := range everyType {
		m := message(t, c, e.message)
		input, err := c.EncodeCall(m, []string{e.argument})
		if err != nil {
			t.Errorf("%s %s: %v", e.message, e.argument, err)
			continue
		}
		if got := hex.EncodeToString(input[4:]); got != e.scale || !bytes.Equal(input[:4], m.Selector[:]) {
			t.Errorf("%s %s: encoded %s, want %s", e.message, e.argument, got, e.scale)
		}
		got, _, err := c.DecodeOutput(m, echo(input))
		if err != nil || string(got) != e.json || !json.Valid(got) {
			t.Errorf("%s %s: decoded %s, %v; want %s", e.message, e.argument, got, err, e.json)
		}
	}
}

// Each argument is refused, with its label and type named and its content not.
func TestArgumentsRefused(t *testing.T) {
	c := load(t, "testdata/everything.json")
	cases := []struct{ message, argument, typeName, reason string }{
		{"u8", "256", "u8", "from 0 to 255, got one out of range"},
		{"u8", "-1", "u8", "out of range"},
		{"u8", "1e2", "u8", "whole number"},
		{"u8", "1.0", "u8", "whole number"},
		{"u8", "1_0", "u8", "whole number"},
		{"u8", "+1", "u8", "whole number"},
		{"u8", "0x-1", "u8", "whole number"},
		{"u8", "", "u8", "whole number"},
		{"u8", "null", "u8", "got null"},
		{"u128", strings.Repeat("9", 1000), "u128", "from 0 to 2^128-1"},
		{"i128", "0x01", "i128", "from -2^127 to 2^127-1"},
		{"i8", "128", "i8", "from -128 to 127"},
		{"bool", "1", "bool", "true or false"},
		{"char", "ab", "char", "one character"},
		{"bytes", "00ff", "Vec<u8>", "0x"},
		{"bytes", "0x0", "Vec<u8>", "even number"},
		{"bytes4", "0x00", "[u8; 4]", "expected 4 bytes"},
		{"AccountId", alice[:47] + "Z", "AccountId", "checksum"},
		{"AccountId", "0x00", "AccountId", "64 hex digits"},
		{"AccountId", "7", "AccountId", "got a number"},
		{"opt_u32", "x", "Option<u32>", "whole number"},
		{"opt_opt_bool", "5", "Option<Option<u32>>", `{"Some": …}`},
		{"Error", "Unknown", "Error", "NotOwner, TooLow, Two, Named"},
		{"Error", "TooLow", "Error", "has fields"},
		{"Error", `{"Two": [1]}`, "Error", `argument value.Two (value is of type Error): expected an array of 2`},
		{"Error", `{"NotOwner": 1}`, "Error", "expected null"},
		{"Error", `{"Named": {"least": 1, "finally": true}}`, "Error", `field "final" is missing`},
		{"Named", `{"who": 1}`, "Named", "who, when, what"},
		{"Named", `{"who": 1, "when": 1, "what": 1}`, "Named", `argument value.who (value is of type Named): expected an account`},
		{"Named", `{"who": 1, "who": 1, "what": 1}`, "Named", "two fields of one name"},
		{"arr_u16", "[1, 2]", "[u16; 3]", "array of 3, got 2"},
		{"arr_u16", "[1, 2, 70000]", "[u16; 3]", "argument value[2] (value is of type [u16; 3]): expected a whole number"},
		{"arr_u16", "[1, 2", "[u16; 3]", "not valid JSON"},
		{"arr_u16", "[1, 2, 3] 4", "[u16; 3]", "not valid JSON"},
		{"tuple", "[1]", "(u8, String, bool)", "array of 3"},
		{"map_tuple", "{}", "BTreeMap<(u8, String, bool), bool>", "pairs"},
		{"map_u32", `{"x": "a"}`, "BTreeMap<u32, String>", "argument value[0].key (value is of type BTreeMap<u32, String>): expected a whole number"},
		{"compact_str", "x", "Compact<String>", "unsupported"},
		{"map_u32", `[[1, "a"], [2, 3]]`, "BTreeMap<u32, String>", "argument value[1].1 (value is of type BTreeMap<u32, String>): expected a string"},
		{"vec_named", `[{"who": "` + alice + `", "when": [], "what": "0x"}]`, "Vec<Named>", "argument value[0].when (value is of type Vec<Named>): expected a whole number"},
		{"Error", `{"Named": {"least": -1, "final": true}}`, "Error", "argument value.Named.least (value is of type Error): expected a whole number"},
		{"Tree", `{"Node": [{"Leaf": 1}, {"Node": [{"Leaf": 256}]}]}`, "Tree", "argument value.Node[1].Node[0].Leaf (value is of type Tree): expected a whole number"},
		{"bits", "[true]", "BitSequence", "0b1011"},
		{"bits", "101", "BitSequence", "0b1011"},
		{"bits", "0b102", "BitSequence", "0b1011"},
		{"str", strings.Repeat("x", MaxArgument+1), "String", "over"},
		{"vec_unit", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "Vec<()>", "deeper"},
	}
	for _, e := range cases {
		m := message(t, c, e.message)
		_, err := c.EncodeCall(m, []string{e.argument})
		var bad *ArgumentError
		if !errors.As(err, &bad) || bad.Argument != "value" || bad.Type != e.typeName ||
			!strings.Contains(err.Error(), e.reason) {
			t.Errorf("%s %.40s: %v; want type %s and %q", e.message, e.argument, err, e.typeName, e.reason)
		}
		if _, err := c.EncodeCallJSON(m, json.RawMessage(`{"value": {"u": []}}`)); err == nil {
			t.Errorf("%s: accepted nonsense", e.message)
		}
	}
}

func TestErrorsHoldNoContent(t *testing.T) {
	c := load(t, "testdata/everything.json")
	const secret = "98761234987612349876123498761234987612349876"
	for _, m := range c.Messages() {
		if len(m.Args) != 1 {
			continue
		}
		for _, argument := range []string{secret, `"` + secret + `"`, "[" + secret + "]", `{"` + secret + `":1}`, "0x" + secret + "z"} {
			_, err := c.EncodeCall(m, []string{argument})
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error holds the argument: %v", m.Label, err)
			}
		}
	}
}

func TestCallsByJSON(t *testing.T) {
	c := load(t, "testdata/everything.json")
	m := message(t, c, "bare")
	want, err := c.EncodeCall(m, []string{"1", "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{`[1, "x"]`, `{"b": "x", "a": 1}`} {
		got, err := c.EncodeCallJSON(m, json.RawMessage(args))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", args, got, err, want)
		}
	}
	for _, args := range []string{`[1]`, `[1,"x",2]`, `{"a":1,"c":"x"}`, `{"a":1}`, `1`, `null`, ``, `{"a":1,"a":1}`} {
		if _, err := c.EncodeCallJSON(m, json.RawMessage(args)); err == nil {
			t.Errorf("%s: accepted", args)
		}
	}
	if _, err := c.EncodeCall(m, nil); !errors.Is(err, ErrArguments) || !strings.Contains(err.Error(), "bare(a: u8, b: String)") {
		t.Errorf("too few arguments: %v", err)
	}
}

func TestOutputs(t *testing.T) {
	c := load(t, "testdata/everything.json")
	cases := []struct {
		message, output, json string
		isErr                 bool
	}{
		{"unit", "00", "null", false},
		{"unit", "0101", `{"LangError":"CouldNotReadInput"}`, true},
		{"res_u128", "000001000000000000000000000000000000", `{"Ok":"1"}`, false},
		{"res_u128", "000100", `{"Err":"NotOwner"}`, true},
		{"Error", "0000", `"NotOwner"`, false},
		{"bare", "", "null", false},
	}
	for _, e := range cases {
		raw, err := hex.DecodeString(e.output)
		if err != nil {
			t.Fatal(err)
		}
		got, isErr, err := c.DecodeOutput(message(t, c, e.message), raw)
		if err != nil || string(got) != e.json || isErr != e.isErr {
			t.Errorf("%s %s: %s, %v, %v; want %s, %v", e.message, e.output, got, isErr, err, e.json, e.isErr)
		}
	}
}

func TestOutputsRefused(t *testing.T) {
	c := load(t, "testdata/everything.json")
	cases := []struct{ message, output, reason string }{
		{"unit", "", "short"},
		{"unit", "0000", "after the end"},
		{"unit", "02", "variant"},
		{"unit", "0100", "variant"}, // LangError has no variant 0
		{"u128", "0001", "short"},
		{"bool", "0002", "variant"},
		{"char", "0000d80000", "character"},
		{"char", "00ffffffff", "character"},
		{"str", "0004ff", "UTF-8"},
		{"str", "00046162", "after the end"},
		{"opt_u32", "0002", "variant"},
		{"Error", "0003", "variant"},
		{"bytes", "00feffffff61", "bound"},
		{"vec_named", "00feffffff", "bound"},
		{"vec_unit", "00feffffff", "bound"},
		{"compact_u32", "000100", "canonical"},
		{"compact_u32", "0002000000", "canonical"},
		{"compact_u32", "0003ffffff3f", "canonical"},
		{"compact_u32", "00070000004000", "canonical"},
		{"compact_u32", "000700000000" + "01", "does not fit"},
		{"compact_u8", "000104", "does not fit"},
		{"compact_u128", "00ff" + strings.Repeat("ff", 67), "does not fit"},
		{"map_u32", "0008" + "010000000461" + "010000000462", "twice"},
		{"bits", "00", "short"},
		{"bits", "001010", "canonical"},
		{"bits", "0010f0", "canonical"},
		{"bits", "0013ffffffffffffffff", "more than there is data"},
		{"vec_named", "0008" + aliceHex + "0000" + aliceHex + "02", "[1].when: "},
		{"map_u32", "00040100000008", "[0].value: "},
		{"Error", "00c80200000000000000", "Named.final: "},
		{"Tree", "000108000101" + "02", "Node[1]"},
		{"compact_str", "0000", "unsupported"},
		{"Tree", "00" + strings.Repeat("0104", 200) + "0001", "deeper"},
		{"bare", "00", "after the end"},
	}
	for _, e := range cases {
		raw, err := hex.DecodeString(e.output)
		if err != nil {
			t.Fatal(e.output, err)
		}
		got, _, err := c.DecodeOutput(message(t, c, e.message), raw)
		if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), e.reason) {
			t.Errorf("%s %s: %s, %v; want an error with %q", e.message, e.output, got, err, e.reason)
		}
	}
	big := message(t, c, "bytes")
	if _, _, err := c.DecodeOutput(big, make([]byte, MaxData+1)); !errors.Is(err, ErrData) {
		t.Errorf("an output over the bound: %v", err)
	}
}

func TestEvents(t *testing.T) {
	c := load(t, "testdata/everything.json")
	topic := func(b byte) (out [32]byte) {
		copy(out[:], bytes.Repeat([]byte{b}, 32))
		return out
	}
	cases := []struct {
		topics     [][32]byte
		data       string
		name, json string
	}{
		{[][32]byte{topic(0x11), topic(9)}, aliceHex + "01000000000000000000000000000000", "Signed", `{"from":"` + alice + `","value":"1"}`},
		{[][32]byte{topic(0x22)}, "", "Bare", `{}`},
		{nil, "0478", "Anonymous", `{"text":"x"}`},
		{[][32]byte{topic(0x33)}, "010478", "AnonymousPair", `{"pair":[1,"x"]}`},
	}
	for _, e := range cases {
		raw, _ := hex.DecodeString(e.data)
		name, fields, err := c.DecodeEvent(e.topics, raw)
		if err != nil || name != e.name || string(fields) != e.json {
			t.Errorf("%s: %s %s, %v", e.name, name, fields, err)
		}
	}
	if _, _, err := c.DecodeEvent([][32]byte{topic(0x11)}, []byte{1}); !errors.Is(err, ErrData) {
		t.Errorf("a short event: %v", err)
	}
	if _, _, err := c.DecodeEvent([][32]byte{topic(0x22)}, []byte{1}); !errors.Is(err, ErrData) {
		t.Errorf("bytes after an event: %v", err)
	}
	if _, _, err := c.DecodeEvent([][32]byte{topic(0x77)}, []byte{1, 2, 3}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown event: %v", err)
	}
}

func TestTypesForPeople(t *testing.T) {
	var got []string
	for _, d := range load(t, "testdata/everything.json").Types() {
		got = append(got, d.Text)
	}
	same(t, "types", got, []string{
		"struct Hash([u8; 32])",
		"enum Error { NotOwner, TooLow(u128), Two(u8, String), Named { least: u64, final: bool } }",
		"struct Empty",
		"struct Pair(u8, String)",
		"struct Named { who: AccountId, when: Option<u32>, what: Vec<u8> }",
		"struct Wrapped(u128)",
		"enum Tree { Leaf(u8), Node(Vec<Tree>) }",
	})
}

func TestSignatures(t *testing.T) {
	c := load(t, "testdata/everything.json")
	want := map[string]string{
		"res_u128":         "res_u128(value: Result<u128, Error>) -> Result<u128, Error>",
		"Trait::nothing":   "Trait::nothing()",
		"bare":             "bare(a: u8, b: String)",
		"map_account":      "map_account(value: BTreeMap<AccountId, u128>) -> BTreeMap<AccountId, u128>",
		"compact_u32":      "compact_u32(value: Compact<u32>) -> Compact<u32>",
		"vec_named":        "vec_named(value: Vec<Named>) -> Vec<Named>",
		"bytes4":           "bytes4(value: [u8; 4]) -> [u8; 4]",
		"opt_opt_bool":     "opt_opt_bool(value: Option<Option<u32>>) -> Option<Option<u32>>",
		"does not matter ": "",
	}
	for label, text := range want {
		m, err := c.Message(label)
		if text == "" {
			if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "Trait::nothing") {
				t.Errorf("an unknown message: %v", err)
			}
			continue
		}
		if err != nil || m.Signature() != text {
			t.Errorf("%s: %v, %v", label, m.Signature(), err)
		}
	}
	if m, err := c.Constructor(""); err != nil || m.Label != "other" || !m.Default || !m.Mutates || !m.Payable {
		t.Errorf("the default constructor: %+v, %v", m, err)
	}
	if m, err := c.Constructor("new"); err != nil || m.Selector != [4]byte{0x9b, 0xae, 0x9d, 0x5e} {
		t.Errorf("new: %+v, %v", m, err)
	}
}
