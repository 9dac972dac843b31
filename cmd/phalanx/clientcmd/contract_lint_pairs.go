package clientcmd

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/enclave/contract/leak"
)

// drawn stands for an argument that is drawn.
const drawn = "_"

// secretCaller is the name of the observed call's caller among the secrets.
const secretCaller = "@caller"

// lintCall is one call of every pair.
type lintCall struct {
	message *abi.Message
	args    []string // as given; drawn ones are [drawn]
	caller  string   // a name
	value   uint128.Uint128
	query   bool
	secrets map[int]map[string]string // by argument and path inside it: the secret's name
}

// lintPlan is what all pairs have in common. The last call is the observed one.
type lintPlan struct {
	contract *abi.Contract
	calls    []*lintCall
	secrets  []string
	caller   bool // who makes the observed call is a secret
	seed     uint64
}

// parseCall reads a call: [@CALLER[:VALUE]] MESSAGE [ARGS…]. Without arguments all are drawn.
func parseCall(text string, find func(string) (*abi.Message, error)) (*lintCall, error) {
	words, err := splitWords(text)
	if err != nil {
		return nil, err
	}
	c := &lintCall{caller: "someone", secrets: map[int]map[string]string{}}
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		name, value, paid := strings.Cut(words[0][1:], ":")
		c.caller = name
		if paid {
			if c.value, err = parseAmount(value); err != nil {
				return nil, usage("%s: %v", words[0], err)
			}
		}
		words = words[1:]
	}
	label := ""
	if len(words) > 0 {
		label, words = words[0], words[1:]
	}
	if c.message, err = find(label); err != nil {
		return nil, err
	}
	c.args = words
	for len(words) == 0 && len(c.args) < len(c.message.Args) {
		c.args = append(c.args, drawn)
	}
	if len(c.args) != len(c.message.Args) {
		return nil, usage("%s is given %d arguments, not %d; %s stands for one that is drawn",
			c.message.Signature(), len(c.args), len(c.message.Args), drawn)
	}
	return c, nil
}

// splitWords splits at the spaces that are outside of double quotes and brackets, as JSON has them.
func splitWords(text string) (words []string, err error) {
	var word strings.Builder
	depth, quoted, escaped := 0, false, false
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range text {
		switch {
		case quoted:
			quoted = escaped || r != '"'
			escaped = !escaped && r == '\\'
		case r == '"':
			quoted = true
		case strings.ContainsRune("[{", r):
			depth++
		case strings.ContainsRune("]}", r):
			depth--
		case r == ' ' && depth == 0:
			end()
			continue
		}
		if depth < 0 {
			break
		}
		word.WriteRune(r)
	}
	end()
	if quoted || depth != 0 {
		return nil, usage("a quote or bracket of a call is not closed")
	}
	return words, nil
}

// mark makes a secret of what a name says: [CALL.]ARGUMENT[PATH], an argument of the observed call where CALL is not
// given, or [secretCaller].
func (p *lintPlan) mark(name string) error {
	p.secrets = append(p.secrets, name)
	if name == secretCaller {
		p.caller = true
		return nil
	}
	observed := p.calls[len(p.calls)-1]
	if found, err := observed.mark(name, name); found || err != nil {
		return err
	}
	call, rest, _ := strings.Cut(name, ".")
	marked := false
	var failed error
	for _, c := range p.calls {
		if c.message.Label != call {
			continue
		}
		found, err := c.mark(name, rest)
		if err != nil {
			failed = err
		}
		marked = marked || found && err == nil
	}
	switch {
	case marked:
		return nil
	case failed != nil:
		return failed
	}
	return usage("no secret %s: it is an argument of %s, CALL.ARGUMENT of a constructor or set-up call, or %s",
		name, observed.message.Signature(), secretCaller)
}

// mark makes a secret of an argument, or of a part of it. found says that the call has the argument.
func (c *lintCall) mark(secret, name string) (found bool, err error) {
	label := name
	if i := strings.IndexAny(name, ".["); i >= 0 {
		label = name[:i]
	}
	for i, a := range c.message.Args {
		if a.Label != label {
			continue
		}
		if c.args[i] != drawn {
			return true, usage("%s is secret and given; put %s in its place", secret, drawn)
		}
		if c.secrets[i] == nil {
			c.secrets[i] = map[string]string{}
		}
		c.secrets[i][name[len(label):]] = secret
		return true, nil
	}
	return false, nil
}

// fill says which of the possible values is taken.
type fill uint8

const (
	uniform fill = iota
	magnitude
	lowest
	highest
)

// pairing is a way to draw a pair: how the secrets of its two sides differ.
type pairing struct {
	name         string
	public, a, b fill
	echo         bool // values of one type are equal, but for what change says of the second side
	change       change
	resize       bool // the sizes of the two sides are drawn apart
}

// change is which of a secret's parts differs.
type change uint8

const (
	none change = iota
	firstPart
	lastPart
)

// pairings are gone through in turns. Echoes find what compares a secret with something, which random values hardly ever
// equal.
var pairings = []pairing{
	{name: "lowest and highest", public: lowest, a: lowest, b: highest},
	{name: "equal to what is public, and but for the first part", echo: true, change: firstPart},
	{name: "equal to what is public, and but for the last part", echo: true, change: lastPart},
	{name: "lowest and highest, the rest random", public: magnitude, a: lowest, b: highest},
	{name: "random", public: uniform, a: uniform, b: uniform},
	{name: "of random magnitudes", public: magnitude, a: magnitude, b: magnitude},
	{name: "of random sizes", public: magnitude, a: magnitude, b: magnitude, resize: true},
}

// drawnSecret is the two values of an argument that is or holds a secret.
type drawnSecret struct{ name, a, b string }

// drawnPair is a pair of runs.
type drawnPair struct {
	how     string
	a, b    []leak.Call
	secrets []drawnSecret
}

// pair draws a pair. It depends on the plan and the number alone. asked is told how much of each secret there was.
func (p *lintPlan) pair(number int, asked map[string]int) (drawnPair, error) {
	how := pairings[number%len(pairings)]
	out := drawnPair{how: how.name}
	first := &side{plan: p, how: how, number: number, fill: how.a, name: "a"}
	second := &side{plan: p, how: how, number: number, fill: how.b, name: "b", model: first}
	var err error
	if out.a, err = first.draw(); err != nil {
		return out, err
	}
	if out.b, err = second.draw(); err != nil {
		return out, err
	}
	for i, s := range first.shown {
		out.secrets = append(out.secrets, drawnSecret{s[0], s[1], second.shown[i][1]})
	}
	for _, s := range first.sources {
		asked[s.secret] += s.asked
	}
	return out, nil
}

// side draws one side of a pair.
type side struct {
	plan    *lintPlan
	how     pairing
	number  int
	fill    fill
	name    string
	model   *side           // the first side, where this is the second
	sources []*secretSource // in the order of the secrets
	shown   [][2]string     // the arguments that hold secrets: name and value
}

func (s *side) draw() ([]leak.Call, error) {
	var calls []leak.Call
	for i, c := range s.plan.calls {
		args := append([]string(nil), c.args...)
		for k, a := range c.message.Args {
			if args[k] != drawn {
				continue
			}
			text, err := s.plan.contract.Draw(a, s.at(i, k, c.secrets[k]))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.message.Label, err)
			}
			args[k] = text
			if len(c.secrets[k]) > 0 {
				s.show(i, a.Label, text)
			}
		}
		input, err := s.plan.contract.EncodeCall(c.message, args)
		if err != nil {
			return nil, badArguments(err)
		}
		calls = append(calls, leak.Call{Caller: callerNamed(c.caller), Input: input, Value: c.value, Query: c.query})
	}
	if s.plan.caller {
		last := &calls[len(calls)-1]
		last.Caller = sha256.Sum256(s.label(secretCaller, true))
		s.shown = append(s.shown, [2]string{secretCaller, fmt.Sprintf(`"0x%x"`, last.Caller)})
	}
	return calls, nil
}

// show keeps the value of an argument, with the call's label before its name where that is not the observed call.
func (s *side) show(call int, label, value string) {
	if call < len(s.plan.calls)-1 {
		label = s.plan.calls[call].message.Label + "." + label
	}
	s.shown = append(s.shown, [2]string{label, value})
}

// callerNamed gives the account of a caller's name.
func callerNamed(name string) [32]byte { return sha256.Sum256([]byte("phalanx lint caller " + name)) }

// at gives the sources of one argument.
func (s *side) at(call, arg int, secrets map[string]string) func(string) abi.Source {
	place := fmt.Sprintf("%d.%d", call, arg)
	own := map[string]*secretSource{}
	for _, path := range slices.Sorted(maps.Keys(secrets)) {
		source := &secretSource{source: s.source(place+path, s.fill, true), secret: secrets[path], changed: -1}
		if s.model != nil {
			source.changed = s.how.change.part(s.model.sources[len(s.sources)].asked)
		}
		s.sources = append(s.sources, source)
		own[path] = source
	}
	public := s.source(place, s.how.public, false)
	return func(path string) abi.Source {
		if source, ok := own[path]; ok {
			return source
		}
		if path == "" {
			return public
		}
		return nil
	}
}

// part gives the place of what differs of so many parts, or -1.
func (c change) part(parts int) int {
	switch c {
	case firstPart:
		return 0
	case lastPart:
		return parts - 1
	}
	return -1
}

// label names what is drawn, for its randomness; own tells the sides apart.
func (s *side) label(place string, own bool) []byte {
	b := binary.LittleEndian.AppendUint64([]byte("phalanx lint\x00"), s.plan.seed)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.number))
	if own {
		place += "\x00" + s.name
	}
	return append(b, place...)
}

func (s *side) source(place string, f fill, secret bool) *source {
	if s.how.echo {
		place, secret = "", false // one randomness for all
	}
	stream := func(kind string, own bool) *rand.Rand {
		return rand.New(rand.NewChaCha8(sha256.Sum256(append(s.label(place, own), "\x00"+kind...))))
	}
	return &source{fill: f, sizes: stream("sizes", secret && s.how.resize), parts: stream("parts", secret)}
}

// source draws values.
type source struct {
	fill         fill
	sizes, parts *rand.Rand
}

// Size implements [abi.Source].
func (s *source) Size(most int) int { return s.sizes.IntN(most + 1) }

// Integer implements [abi.Source].
func (s *source) Integer(low, high *big.Int) *big.Int {
	span := new(big.Int).Sub(high, low)
	switch s.fill {
	case lowest:
		return low
	case highest:
		return high
	case magnitude:
		// As many bits as chance gives; numbers may be negative, and then their magnitude is what it is about.
		v := s.bits(s.parts.IntN(high.BitLen() + 1))
		if low.Sign() < 0 && s.parts.IntN(2) == 0 {
			v.Neg(v)
		}
		if v.Cmp(low) >= 0 && v.Cmp(high) <= 0 {
			return v
		}
	}
	v := s.bits(span.BitLen() + 64)
	return v.Add(v.Mod(v, span.Add(span, big.NewInt(1))), low)
}

// bits draws a number of at most n bits.
func (s *source) bits(n int) *big.Int {
	v := new(big.Int)
	for range (n + 63) / 64 {
		v.Or(v.Lsh(v, 64), new(big.Int).SetUint64(s.parts.Uint64()))
	}
	return v.Rsh(v, uint((n+63)/64*64-n))
}

// secretSource draws a secret, one part of which may be other than the other side's.
type secretSource struct {
	*source
	secret  string
	asked   int
	changed int // which part, -1 for none
}

// Integer implements [abi.Source].
func (s *secretSource) Integer(low, high *big.Int) *big.Int {
	v := s.source.Integer(low, high)
	s.asked++
	if s.asked-1 != s.changed || low.Cmp(high) == 0 {
		return v
	}
	if v.Cmp(high) < 0 {
		return new(big.Int).Add(v, big.NewInt(1))
	}
	return new(big.Int).Sub(v, big.NewInt(1))
}
