package abi

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
)

// dice is a source of chances.
type dice struct{ sizes, content *rand.Rand }

func roll(sizes, content uint64) dice {
	return dice{rand.New(rand.NewPCG(sizes, 1)), rand.New(rand.NewPCG(content, 2))}
}

func (d dice) Size(most int) int { return d.sizes.IntN(most + 1) }

func (d dice) Integer(low, high *big.Int) *big.Int {
	span := new(big.Int).Sub(high, low)
	raw := make([]byte, 40)
	for i := range raw {
		raw[i] = byte(d.content.Uint32())
	}
	n := new(big.Int).SetBytes(raw)
	return n.Add(n.Mod(n, span.Add(span, big.NewInt(1))), low)
}

// edge chooses the highest of everything, or the lowest.
type edge bool

func (e edge) Size(most int) int {
	if e {
		return most
	}
	return 0
}

func (e edge) Integer(low, high *big.Int) *big.Int {
	if e {
		return high
	}
	return low
}

func from(s Source) func(string) Source {
	return func(path string) Source {
		if path == "" {
			return s
		}
		return nil
	}
}

// undrawn are messages whose argument is of a type without values, or with values that are too large.
var undrawn = map[string]bool{"compact_str": true}

// TestDraw draws values of every type that the metadata of the tests has: each must encode, and those that were asked
// for the same sizes must encode to the same length.
func TestDraw(t *testing.T) {
	c := load(t, "testdata/everything.json")
	drawn := 0
	for _, m := range c.Messages() {
		for _, a := range m.Args {
			if undrawn[m.Label] {
				if _, err := c.Draw(a, from(edge(true))); !errors.Is(err, ErrUnsupported) {
					t.Errorf("%s %s: %v", m.Label, a.Type, err)
				}
				continue
			}
			one := &Message{Label: m.Label, Args: []Argument{a}}
			length := func(s Source) int {
				t.Helper()
				text, err := c.Draw(a, from(s))
				if err != nil {
					t.Errorf("%s %s: %v", m.Label, a.Type, err)
					return 0
				}
				input, err := c.EncodeCall(one, []string{text})
				if err != nil {
					t.Errorf("%s %s: %s: %v", m.Label, a.Type, text, err)
				}
				drawn++
				return len(input)
			}
			length(edge(false))
			length(edge(true))
			for seed := range uint64(20) {
				if x, y := length(roll(seed, 1)), length(roll(seed, 2)); x != y {
					t.Errorf("%s %s: lengths %d and %d for the same sizes", m.Label, a.Type, x, y)
				}
			}
		}
	}
	if drawn < 1000 {
		t.Errorf("%d values are drawn", drawn)
	}
}

// TestDrawInside has one part of a value drawn from another source: all else must stay as it is.
func TestDrawInside(t *testing.T) {
	c := load(t, "testdata/everything.json")
	a := message(t, c, "Named").Args[0]
	paths := map[string]bool{}
	draw := func(at string, own Source) string {
		text, err := c.Draw(a, func(path string) Source {
			paths[path] = true
			switch path {
			case at:
				return own
			case "":
				return roll(7, 7)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	whole := draw("none", nil)
	for path := range paths {
		if path == "" {
			continue
		}
		low, high := draw(path, edge(false)), draw(path, edge(true))
		if low == high {
			t.Errorf("%s: the source at the path is not asked: %s", path, low)
		}
	}
	if again := draw("none", nil); again != whole || len(paths) < 2 {
		t.Errorf("drawn %s and then %s, with %d paths", whole, again, len(paths))
	}
}
