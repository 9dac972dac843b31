package contracts_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/enclave/contract"
)

var update = flag.Bool("update", false, "write the transcripts anew; read the difference before it is committed")

var (
	word   = regexp.MustCompile(`\$[a-z][a-z0-9:]*`)
	levels = []string{"unknown", "error", "warn", "info", "debug", "trace"}
)

// expand puts accounts, code hashes and addresses in the place of "$name".
func (w *world) expand(text string) string {
	return word.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := w.words[name[1:]]
		if !ok {
			w.t.Fatalf("nothing is called %s", name)
		}
		return value
	})
}

// contract does the reverse.
func (w *world) contract(text string) string {
	for _, name := range slices.Sorted(maps.Keys(w.words)) {
		text = strings.ReplaceAll(text, w.words[name], "$"+name)
	}
	return text
}

// trace is what one step of a transcript came to, for the comparison of engines.
type trace struct {
	outcome contract.Outcome
	stored  map[string]map[string]string
}

// perform does one step of a transcript and gives the lines that it answers with.
//
//	new NAME CODE CALLER VALUE CONSTRUCTOR ARGS    deploys a contract
//	call NAME CALLER VALUE MESSAGE ARGS            sends a command
//	query NAME CALLER VALUE MESSAGE ARGS           asks a query
//	adopt NAME CODE OTHER                          from now on NAME is OTHER, spoken to as CODE
//	load CODE                                      makes code known
//	balance NAME                                   what an account has
//	code NAME                                      which code a contract runs
//	wait SECONDS                                   moves the worker's clock on
func (w *world) perform(step string) ([]string, *contract.Outcome) {
	w.t.Helper()
	verb, rest, _ := strings.Cut(step, " ")
	switch f := strings.SplitN(rest, " ", 6); verb {
	case "new":
		outcome, message := w.deploy(f[0], f[1], request{caller: f[2], value: w.number(f[3]), message: f[4], args: f[5]})
		return w.answer(f[0], message, outcome), &outcome
	case "call", "query":
		f = strings.SplitN(rest, " ", 5)
		r := request{on: f[0], caller: f[1], value: w.number(f[2]), message: f[3], args: f[4], query: verb == "query"}
		outcome, message := w.run(r)
		return w.answer(f[0], message, outcome), &outcome
	case "adopt":
		w.contracts[f[0]] = contractAt{w.contracts[f[2]].id, w.load(f[1])}
		return nil, nil
	case "load":
		w.load(f[0])
		return nil, nil
	case "wait":
		w.now = w.now.Add(time.Duration(w.number(f[0])) * time.Second)
		return nil, nil
	case "balance":
		return []string{w.state.Balance(w.account(f[0])).String()}, nil
	case "code":
		if hash, ok := w.state.CodeHash(w.account(f[0])); ok {
			return []string{w.codeName(hash)}, nil
		}
		return []string{"none"}, nil
	}
	w.t.Fatalf("no step is called %q", verb)
	return nil, nil
}

func (w *world) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) account(name string) [32]byte {
	if c, ok := w.contracts[name]; ok {
		return c.id
	}
	return person(name)
}

// answer gives an outcome in lines: how it ended with what result or why, the events, logs and contracts made.
func (w *world) answer(on string, message *abi.Message, outcome contract.Outcome) []string {
	w.t.Helper()
	first := outcome.Status.String()
	switch {
	case len(outcome.Output) > 0:
		first += " " + w.result(on, message, outcome.Output)
	case outcome.Reason != "":
		first += ": " + outcome.Reason
	}
	lines := []string{first}
	for _, e := range outcome.Events {
		name, fields := w.event(e)
		lines = append(lines, fmt.Sprintf("event of %s: %s %s, %d topics", w.name(e.Contract), name, fields, len(e.Topics)))
	}
	for _, l := range outcome.Logs {
		level := levels[0]
		if int(l.Level) < len(levels) {
			level = levels[l.Level]
		}
		lines = append(lines, fmt.Sprintf("log of %s: %s %q", w.name(l.Contract), level, l.Text))
	}
	for _, made := range outcome.Created {
		lines = append(lines, fmt.Sprintf("made %s of %s", w.name(made.Contract), w.codeName(made.CodeHash)))
	}
	for i := range lines {
		lines[i] = short(w.contract(lines[i]))
	}
	return lines
}

// short gives a long line by its beginning, length and hash.
func short(line string) string {
	const most = 1000
	if len(line) <= most {
		return line
	}
	return fmt.Sprintf("%s… of %d bytes, SHA-256 %x", line[:40], len(line), sha256.Sum256([]byte(line)))
}

// event decodes an event by the contract that emitted it, or by code that ran for it. Events of no metadata, as those that
// Phat Contracts tell the worker something by, are given in hex.
func (w *world) event(e contract.Event) (string, json.RawMessage) {
	w.t.Helper()
	var topics [][32]byte
	for _, topic := range e.Topics {
		topics = append(topics, [32]byte(topic))
	}
	hash, _ := w.state.CodeHash(e.Contract)
	all := []string{w.codeName(hash)}
	for _, name := range append(all, slices.Sorted(maps.Keys(w.codes))...) {
		if c := w.codes[name]; c != nil {
			if label, fields, err := c.DecodeEvent(topics, e.Data); err == nil {
				return label, fields
			}
		}
	}
	return "unknown", json.RawMessage(hex.EncodeToString(e.Data))
}

// play performs the steps of a transcript and gives it with the answers that came, and the traces.
func (w *world) play(text string) (string, []trace) {
	w.t.Helper()
	var (
		out    strings.Builder
		traces []trace
	)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "\t") {
			continue // an answer
		}
		out.WriteString(line)
		step := strings.TrimSpace(line)
		if step == "" || strings.HasPrefix(step, "#") {
			continue
		}
		answers, outcome := w.perform(step)
		for _, answer := range answers {
			out.WriteString("\t" + answer + "\n")
		}
		if outcome != nil {
			traces = append(traces, w.trace(*outcome))
		}
	}
	return out.String(), traces
}

// trace takes down an outcome and the state after it. What is left to be done after a commit are functions, which cannot
// be compared: their number is.
func (w *world) trace(outcome contract.Outcome) trace {
	outcome.AfterCommit = make([]func(), len(outcome.AfterCommit))
	stored := map[string]map[string]string{}
	for name, c := range w.contracts {
		stored[name] = w.state.Stored(c.id)
	}
	return trace{outcome, stored}
}

// runners are the engines that must agree: two of the compiler, the second of which begins with nothing prepared, and the
// interpreter.
var runners = []struct {
	name  string
	start func(context.Context, contract.Limits) (*contract.Engine, error)
}{
	{"compiler", contract.NewEngine}, {"another compiler", contract.NewEngine}, {"interpreter", contract.NewInterpretingEngine},
}

// transcripts are the files of testdata, and the contracts all of whose messages each of them uses.
var transcripts = map[string][]string{
	"token": {"token3"}, "calls": {"caller5", "callee5", "proxy5"}, "environment": {"env5"}, "chain": {"chain5"},
	"pink": {"pink4"}, "script": {"script"},
}

// TestTranscripts plays each transcript on each engine: the answers are those that the contracts' sources promise, and
// outcomes with their gas, and the state after every step, are the same on all.
func TestTranscripts(t *testing.T) {
	for name, codes := range transcripts {
		t.Run(name, func(t *testing.T) { playOnAll(t, filepath.Join("testdata", name+".txt"), codes) })
	}
}

func playOnAll(t *testing.T, path string, codes []string) {
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(file)
	var first []trace
	for i, runner := range runners {
		w := newWorld(t, startEngine(t, runner.start))
		got, traces := w.play(want)
		if i == 0 {
			first = traces
		}
		if i == 0 && *update {
			want = got
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compareLines(t, runner.name, got, want)
		compareTraces(t, runner.name, traces, first)
		w.requireAllCalled(codes)
	}
}

func compareLines(t *testing.T, runner, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Fatalf("%s, line %d:\n%s\nwant\n%s", runner, i+1, strings.Join(a[min(i, len(a)):min(i+3, len(a))], "\n"),
				strings.Join(b[min(i, len(b)):min(i+3, len(b))], "\n"))
		}
	}
}

func compareTraces(t *testing.T, runner string, got, want []trace) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d calls, want %d", runner, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s, call %d:\n%+v\nwant\n%+v", runner, i, got[i], want[i])
		}
	}
}

// requireAllCalled fails where a message or constructor of the contracts was never called.
func (w *world) requireAllCalled(codes []string) {
	w.t.Helper()
	for _, code := range codes {
		c := w.load(code)
		for _, m := range append(c.Constructors(), c.Messages()...) {
			if !w.called[c.Name+" "+m.Label] {
				w.t.Errorf("%s of %s is never called", m.Label, code)
			}
		}
	}
}
