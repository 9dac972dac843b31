package abi

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// guideRows are the rows of the guide's table of arguments, with the messages of testdata/everything.json one of which
// must take each example.
var guideRows = map[string][]string{
	"`u8`, `i32`":                     {"u8", "i32"},
	"`u128`, `U256`":                  {"u128", "u256"},
	"`bool`":                          {"bool"},
	"`String`, `char`":                {"str"},
	"`AccountId`":                     {"AccountId"},
	"`Vec<u8>`, `[u8; 4]`, `Hash`":    {"bytes", "bytes4"},
	"`Vec<T>`, `[T; 3]`, `(A, B, C)`": {"arr_u16", "tuple"},
	"`Option<T>`":                     {"opt_u32"},
	"`Result<T, E>`":                  {"res_u128"},
	"an enum":                         {"Error"},
	"a struct":                        {"Named"},
	"`BTreeMap<K, V>`":                {"map_u32"},
	"`BitVec`":                        {"bits"},
	"`Compact<T>`":                    nil,
}

var quoted = regexp.MustCompile("`([^`]*)`")

// TestGuide takes every example of the guide's table of arguments.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide/contracts.md")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, "testdata/everything.json")
	rows, examples := 0, 0
	for _, line := range strings.Split(string(guide), "\n") {
		cells := strings.Split(line, " | ")
		messages, ok := guideRows[strings.TrimPrefix(cells[0], "| ")]
		if !ok || len(cells) != 2 {
			continue
		}
		rows++
		for _, example := range quoted.FindAllStringSubmatch(cells[1], -1) {
			argument := strings.ReplaceAll(strings.Trim(example[1], "'"), "5Grwva…", alice)
			if argument == "0x" || argument == "T" { // words of the sentence around the examples
				continue
			}
			examples++
			if !taken(t, c, messages, argument) {
				t.Errorf("%s: %s is not taken", cells[0], argument)
			}
		}
	}
	if rows != len(guideRows) || examples < 25 {
		t.Errorf("the guide has %d rows of %d, with %d examples", rows, len(guideRows), examples)
	}
}

// taken reports whether one of the messages takes the argument, as a shell would pass it, and gives it back as JSON that
// it takes too.
func taken(t *testing.T, c *Contract, messages []string, argument string) bool {
	t.Helper()
	for _, label := range messages {
		m := message(t, c, label)
		input, err := c.EncodeCall(m, []string{argument})
		if err != nil {
			continue
		}
		form, _, err := c.DecodeOutput(m, echo(input))
		if err != nil {
			t.Errorf("%s: %s: %v", label, argument, err)
			return false
		}
		again, err := c.EncodeCall(m, []string{string(form)})
		return err == nil && bytes.Equal(input, again)
	}
	return false
}
