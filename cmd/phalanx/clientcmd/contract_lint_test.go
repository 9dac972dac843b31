package clientcmd

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/client/abi"
)

// pins is metadata of a message that compares, of one with values of many sizes, and of a constructor.
const pins = `{
  "source": {"hash": "0x0000000000000000000000000000000000000000000000000000000000000000", "language": "ink! 3.4.0", "compiler": "rustc"},
  "contract": {"name": "pins", "version": "0.1.0"},
  "V3": {
    "types": [
      {"id": 0, "type": {"def": {"primitive": "u8"}}},
      {"id": 1, "type": {"def": {"array": {"len": 4, "type": 0}}}},
      {"id": 2, "type": {"def": {"primitive": "i64"}}},
      {"id": 3, "type": {"def": {"sequence": {"type": 4}}}},
      {"id": 4, "type": {"path": ["Bid"], "def": {"composite": {"fields": [{"name": "who", "type": 1}, {"name": "amount", "type": 2}]}}}}
    ],
    "spec": {
      "constructors": [{"label": "new", "selector": "0x00000001", "payable": false, "args": [{"label": "pin", "type": {"type": 1}}], "docs": []}],
      "messages": [
        {"label": "open", "selector": "0x00000002", "payable": false, "mutates": true, "docs": [], "returnType": null,
          "args": [{"label": "guess", "type": {"type": 1}}, {"label": "pin", "type": {"type": 1}}]},
        {"label": "place", "selector": "0x00000003", "payable": false, "mutates": true, "docs": [], "returnType": null,
          "args": [{"label": "bids", "type": {"type": 3}}, {"label": "least", "type": {"type": 2}}]}
      ],
      "events": [], "docs": []
    }
  }
}`

// planOf makes a plan of a message's call with secrets.
func planOf(t *testing.T, message string, secrets ...string) *lintPlan {
	t.Helper()
	c, err := abi.Parse([]byte(pins))
	if err != nil {
		t.Fatal(err)
	}
	made, err := parseCall("new", c.Constructor)
	if err != nil {
		t.Fatal(err)
	}
	observed, err := parseCall(message, c.Message)
	if err != nil {
		t.Fatal(err)
	}
	p := &lintPlan{contract: c, calls: []*lintCall{made, observed}, seed: 1}
	if err := p.markAll(secrets); err != nil {
		t.Fatal(err)
	}
	return p
}

func drawPair(t *testing.T, p *lintPlan, number int) drawnPair {
	t.Helper()
	pair, err := p.pair(number, map[string]int{})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestPairs: within a pair only secrets differ, each way of drawing differs as it says, and all follows from the seed.
func TestPairs(t *testing.T) {
	p := planOf(t, "open", "guess")
	other := planOf(t, "open", "guess")
	other.seed = 2
	changed := false
	for i := range 10 * len(pairings) {
		how := pairings[i%len(pairings)]
		pair := drawPair(t, p, i)
		if !reflect.DeepEqual(pair, drawPair(t, p, i)) {
			t.Fatalf("pair %d is drawn in two ways", i)
		}
		changed = changed || !reflect.DeepEqual(pair, drawPair(t, other, i))
		a, b := pair.a[1].Input, pair.b[1].Input
		if !reflect.DeepEqual(pair.a[0], pair.b[0]) || string(a[:4]) != string(b[:4]) || string(a[8:]) != string(b[8:]) {
			t.Errorf("pair %d, %s: what is public differs: %x, %x", i, how.name, a, b)
		}
		if string(a[4:8]) == string(b[4:8]) && how.a != magnitude {
			t.Errorf("pair %d, %s: the secrets are equal: %x", i, how.name, a)
		}
		var differ []int
		for k := range 4 {
			if a[4+k] != b[4+k] {
				differ = append(differ, k)
			}
		}
		want := map[change][]int{firstPart: {0}, lastPart: {3}}[how.change]
		if want != nil && (!slices.Equal(differ, want) || string(a[4:8]) != string(a[8:]) || string(a[8:]) != string(pair.a[0].Input[4:])) {
			t.Errorf("pair %d, %s: %x, %x after a constructor with %x", i, how.name, a, b, pair.a[0].Input)
		}
	}
	if !changed {
		t.Error("the seed changes nothing")
	}
}

// TestSecretPaths: a part of an argument is the secret, and all else of it is not.
func TestSecretPaths(t *testing.T) {
	p := planOf(t, "place", "bids[].amount", secretCaller)
	sizes := map[bool]bool{}
	for i := range 10 * len(pairings) {
		pair := drawPair(t, p, i)
		a, b := pair.a[1], pair.b[1]
		if a.Caller == b.Caller {
			t.Errorf("pair %d: one caller", i)
		}
		sizes[len(a.Input) == len(b.Input)] = true
		if len(pair.secrets) != 2 || pair.secrets[0].name != "bids" || pair.secrets[1].name != secretCaller {
			t.Fatalf("pair %d: %+v", i, pair.secrets)
		}
		whos := func(bids string) (out []string) {
			for _, bid := range strings.Split(bids, `"who":`)[1:] {
				out = append(out, bid[:12])
			}
			return out
		}
		if x, y := whos(pair.secrets[0].a), whos(pair.secrets[0].b); !slices.Equal(x, y) {
			t.Errorf("pair %d: %v and %v bid", i, x, y)
		}
	}
	// The amounts are of one length, and how many there are is no secret.
	if sizes[false] || !sizes[true] {
		t.Errorf("sizes are equal: %v", sizes)
	}
	whole := planOf(t, "place", "bids")
	for i, how := range pairings {
		pair := drawPair(t, whole, i)
		if !how.resize && len(pair.a[1].Input) != len(pair.b[1].Input) {
			t.Errorf("%s: inputs of %d and %d bytes", how.name, len(pair.a[1].Input), len(pair.b[1].Input))
		}
	}
}

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "  a  b ": {"a", "b"}, `new 10 "A painting"`: {"new", "10", `"A painting"`},
		`@bob:5phx bid {"who": [1, "x ]"], "b": 1} _`: {"@bob:5phx", "bid", `{"who": [1, "x ]"], "b": 1}`, "_"},
		`say "a \" b" c`: {"say", `"a \" b"`, "c"}, `say "\\" c`: {"say", `"\\"`, "c"},
		"[": {"error"}, `"`: {"error"}, "]": {"error"}, `"\"`: {"error"}, "][": {"error"},
	} {
		words, err := splitWords(text)
		if err != nil {
			words = []string{"error"}
		}
		if !slices.Equal(words, want) {
			t.Errorf("%s: %q, %v; want %q", text, words, err, want)
		}
	}
}

// TestSources draws within bounds, and both bounds.
func TestSources(t *testing.T) {
	c, err := abi.Parse([]byte(pins))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Message("place")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for f := uniform; f <= highest; f++ {
		s := &side{plan: &lintPlan{}, name: "a"}
		source := s.source(fmt.Sprint(f), f, true)
		for range 200 {
			text, err := c.Draw(m.Args[1], func(string) abi.Source { return source })
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.EncodeCall(m, []string{"[]", text}); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			seen[fmt.Sprintf("%d:%d", f, len(text))] = true
			seen[text] = true
		}
	}
	if !seen[`"-9223372036854775808"`] || !seen[`"9223372036854775807"`] {
		t.Error("the bounds are not drawn")
	}
	if !seen[fmt.Sprintf("%d:3", magnitude)] || !seen[fmt.Sprintf("%d:20", magnitude)] {
		t.Error("magnitudes are of one size")
	}
}

// TestGuideShowsLint: the guide's example is what the command writes.
func TestGuideShowsLint(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/guide/contracts.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/lint.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, golden, found := strings.Cut(string(script), "-- caller.golden --\n")
	golden, _, ended := strings.Cut(golden, "-- ")
	if !found || !ended {
		t.Fatal("the script has no caller.golden")
	}
	for _, line := range strings.Split(strings.TrimSpace(golden), "\n") {
		if line != "" && !strings.Contains(string(guide), "\n    "+line+"\n") {
			t.Errorf("the guide does not have the line %s", line)
		}
	}
}
