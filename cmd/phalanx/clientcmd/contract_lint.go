package clientcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/abi"
	"github.com/phalanx-network/phalanx/enclave/contract"
	"github.com/phalanx-network/phalanx/enclave/contract/leak"
	"github.com/phalanx-network/phalanx/wire"
)

// maxPairs is how many pairs are run at most.
const maxPairs = 10_000

// errLeak is what lint ends with where it found something.
var errLeak = errors.New("what is observed depends on a secret")

// lintFlags are the flags of the leak linter.
type lintFlags struct {
	*options
	message, constructor string
	before, secrets      []string
	pairs                int
	seed, gas            uint64
	query                bool
}

func contractLintCommand(o *options) *cobra.Command {
	f := &lintFlags{options: o}
	cmd := &cobra.Command{
		Use: "lint FILE", Short: "Look for what a contract's message shows of secrets", Args: cobra.ExactArgs(1),
		Long: `Run a message of a .contract file in pairs that differ in secrets alone, in the engine that workers run, and report where
what can be observed from outside the enclave differs: gas, host calls, storage accesses, sizes of values, output and
events. Each difference is shown with who sees it, with the secrets that show it, and with what to do about it. No
network is needed.

--message, --constructor and --before are calls: [@CALLER[:VALUE]] MESSAGE [ARGS…], with arguments as contract call takes them,
separated by spaces; ` + drawn + ` stands for one that is drawn, and so do all where none is given. Names of callers are free; calls without
one have the same. Each pair begins with a new contract: the constructor, the calls of --before in order, and then the
message, which alone is compared.

--secrets names arguments of the message, or parts of them (bid.amount, bids[].amount), arguments of set-up calls
(new.reserve), or @caller: who calls the message. They are drawn as lowest and highest, equal to public values but for one part,
random, of random magnitudes and of random sizes; all else is the same on both sides of a pair. The report tells pairs whose
inputs have the same lengths from the others, since a call's size shows.

It ends with 0 where nothing differs. That is no proof: other values may differ, and what happens between the contract's
memory and the processor (which address is read, what costs the same) is not compared. Calls to other contracts and to chain
extensions have nobody to answer them here.`,
		Example: "  phalanx contract lint auction.contract --message bid --secrets amount --constructor 'new 10 \"A painting\"'\n" +
			"  phalanx contract lint auction.contract --message my_bid --before 'bid _' --secrets bid.amount,@caller -o json",
		RunE: o.run(f.lint),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.message, "message", "", "the call to compare: a message or constructor, with arguments or without")
	flags.StringSliceVar(&f.secrets, "secrets", nil, "what differs within a pair, separated by commas")
	flags.StringVar(&f.constructor, "constructor", "", "the call that makes the contract (default: the contract's default one, or new)")
	flags.StringArrayVar(&f.before, "before", nil, "a call before the message; may be given several times")
	flags.IntVar(&f.pairs, "pairs", 140, fmt.Sprintf("how many pairs to run, at most %d", maxPairs))
	flags.Uint64Var(&f.seed, "seed", 1, "what is drawn follows from it")
	flags.Uint64Var(&f.gas, "gas", client.DefaultGas, "gas limit of each call")
	flags.BoolVar(&f.query, "query", false, "the message is sent as a query (default: if it changes nothing)")
	required(cmd, "message")
	required(cmd, "secrets")
	return cmd
}

func (f *lintFlags) lint(ctx context.Context, s *session, args []string) (result, error) {
	_, c, err := readContract(args[0])
	if err != nil {
		return nil, err
	}
	plan, err := f.plan(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	engine, err := contract.NewEngine(ctx, contract.DefaultLimits())
	if err != nil {
		return nil, err
	}
	view, err := f.compare(ctx, s, engine, plan)
	if err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	if n := len(view.Findings); n > 0 {
		return view, fmt.Errorf("%w: differences: %d", errLeak, n)
	}
	return view, nil
}

// plan reads the calls and the secrets.
func (f *lintFlags) plan(c *abi.Contract) (*lintPlan, error) {
	if len(c.Wasm()) == 0 {
		return nil, usage("the file holds no code")
	}
	if f.pairs < 1 || f.pairs > maxPairs {
		return nil, usage("--pairs %d: from 1 to %d", f.pairs, maxPairs)
	}
	p := &lintPlan{contract: c, seed: f.seed}
	constructor := false
	observed, err := parseCall(f.message, func(label string) (*abi.Message, error) {
		m, err := c.Message(label)
		if err == nil || label == "" {
			return m, err
		}
		if made, failed := c.Constructor(label); failed == nil {
			constructor = true
			return made, nil
		}
		return nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("--message: %w", err)
	}
	if constructor {
		p.calls = []*lintCall{observed}
		return p, p.markAll(f.secrets)
	}
	observed.query = f.query || !observed.message.Mutates
	made, err := parseCall(f.constructor, c.Constructor)
	if err != nil {
		return nil, fmt.Errorf("--constructor: %w", err)
	}
	p.calls = append(p.calls, made)
	for _, text := range f.before {
		call, err := parseCall(text, c.Message)
		if err != nil {
			return nil, fmt.Errorf("--before: %w", err)
		}
		p.calls = append(p.calls, call)
	}
	p.calls = append(p.calls, observed)
	return p, p.markAll(f.secrets)
}

// markAll marks the secrets, and makes sure that there are values of each.
func (p *lintPlan) markAll(secrets []string) error {
	for _, name := range secrets {
		if err := p.mark(name); err != nil {
			return fmt.Errorf("--secrets: %w", err)
		}
	}
	asked := map[string]int{}
	for i := range 10 * len(pairings) {
		if _, err := p.pair(i, asked); err != nil {
			return err
		}
	}
	for _, name := range secrets {
		if name != secretCaller && asked[name] == 0 {
			return usage("--secrets: there is no value at %s; fields are .name or .0, elements []", name)
		}
	}
	return nil
}

// compare runs the pairs.
func (f *lintFlags) compare(ctx context.Context, s *session, engine *contract.Engine, p *lintPlan) (*lintView, error) {
	sandbox, err := leak.NewSandbox(ctx, engine, p.contract.Wasm(), f.gas)
	if err != nil {
		return nil, err
	}
	view := newLintView(f, p)
	var report leak.Report
	var failed error
	for i := range f.pairs {
		s.progress.say(fmt.Sprintf("pair %d of %d", i+1, f.pairs))
		pair, err := p.pair(i, map[string]int{})
		if err != nil {
			return nil, err
		}
		a, b, err := observe(ctx, sandbox, pair)
		if err == nil {
			report.Add(i, a, b)
			if a.Failed() {
				view.Failure = a.Why()
				failed = p.failure(len(p.calls)-1, view.Failure, a.Output)
			}
			continue
		}
		var setup *leak.SetupError
		if !errors.As(err, &setup) {
			return nil, fmt.Errorf("pair %d: %w", i+1, err)
		}
		view.Skipped++
		failed = p.failure(setup.Call, setup.Error(), setup.Output)
	}
	if len(report.Findings) == 0 && report.Failed+view.Skipped == f.pairs {
		return nil, failed
	}
	if report.Failed < f.pairs {
		view.Failure = ""
	}
	return view, view.fill(p, &report)
}

// observe runs both sides of a pair.
func observe(ctx context.Context, sandbox *leak.Sandbox, pair drawnPair) (a, b *leak.Observation, err error) {
	if a, err = sandbox.Observe(ctx, pair.a); err != nil {
		return nil, nil, err
	}
	b, err = sandbox.Observe(ctx, pair.b)
	return a, b, err
}

// failure says that a call fails in every pair.
func (p *lintPlan) failure(call int, why string, output []byte) error {
	m := p.calls[call].message
	if value, _, err := p.contract.DecodeOutput(m, output); err == nil && len(output) > 0 {
		why += " " + printable(value)
	}
	return usage("%s fails in every pair, so that there is nothing to compare: %s; give arguments that it takes (as --message '%s …', "+
		"with %s for those to be drawn), and what it needs before it with --before", m.Label, why, m.Label, drawn)
}

// lintView is the report.
type lintView struct {
	Contract string        `json:"contract"`
	CodeHash wire.CodeHash `json:"code_hash"`
	Message  string        `json:"message"`
	Query    bool          `json:"query"`
	Secrets  []string      `json:"secrets"`
	Seed     uint64        `json:"seed"`
	Pairs    int           `json:"pairs"`
	Same     int           `json:"same_length"`       // pairs whose inputs have the same lengths
	Other    int           `json:"other_length"`      // the other pairs
	Failed   int           `json:"failed"`            // pairs in which the message failed on both sides
	Failure  string        `json:"failure,omitempty"` // how it failed in the last of them, where they are all
	Skipped  int           `json:"skipped"`           // pairs in which a set-up call failed
	Cut      bool          `json:"cut"`               // not all that a call did was compared
	Findings []findingView `json:"findings"`

	signature string
}

// findingView is one aspect in which pairs differ, with the first pair that does.
type findingView struct {
	Aspect     leak.Aspect   `json:"aspect"`
	SeenBy     leak.Observer `json:"seen_by"`
	SameLength bool          `json:"same_length"`
	Pairs      int           `json:"pairs"`
	Pair       int           `json:"pair"` // from 1
	How        string        `json:"how"`  // the secrets of that pair differ
	Secrets    []secretView  `json:"secrets"`
	A          string        `json:"a"`
	B          string        `json:"b"`
	HostCall   int           `json:"host_call,omitempty"` // from 1
	Function   string        `json:"function,omitempty"`
	Advice     string        `json:"advice"`
}

// secretView is a secret's two values.
type secretView struct {
	Name string          `json:"name"`
	A    json.RawMessage `json:"a"`
	B    json.RawMessage `json:"b"`
}

func newLintView(f *lintFlags, p *lintPlan) *lintView {
	last := p.calls[len(p.calls)-1]
	return &lintView{
		Contract: p.contract.Name, CodeHash: p.contract.CodeHash(), Message: last.message.Label, Query: last.query,
		Secrets: f.secrets, Seed: f.seed, Pairs: f.pairs, Findings: []findingView{}, signature: last.message.Signature(),
	}
}

// fill takes over what the pairs have shown.
func (v *lintView) fill(p *lintPlan, r *leak.Report) error {
	v.Same, v.Other, v.Failed, v.Cut = r.SameLength, r.OtherLength, r.Failed, r.Cut
	for _, d := range r.Findings {
		pair, err := p.pair(d.Pair, map[string]int{})
		if err != nil {
			return err
		}
		f := findingView{
			Aspect: d.Aspect, SeenBy: d.SeenBy, SameLength: d.SameLength, Pairs: d.Pairs, Pair: d.Pair + 1, How: pair.how,
			A: d.A, B: d.B, HostCall: d.Place, Function: d.During, Advice: d.Aspect.Advice(),
		}
		for _, s := range pair.secrets {
			f.Secrets = append(f.Secrets, secretView{s.name, json.RawMessage(s.a), json.RawMessage(s.b)})
		}
		v.Findings = append(v.Findings, f)
	}
	return nil
}

// noProof is what a report without findings deserves.
const noProof = "That is no proof: other values, callers and states may differ, and memory accesses inside the contract are not compared."

func (v *lintView) text(w io.Writer) {
	fmt.Fprintf(w, "contract  %s\nmessage   %s [%s]\nsecrets   %s\npairs     %d: %d of the same lengths, %d of others; seed %d\n", dash(v.Contract), v.signature,
		map[bool]string{true: "query", false: "call"}[v.Query], strings.Join(v.Secrets, ", "), v.Pairs, v.Same, v.Other, v.Seed)
	for _, note := range []struct {
		pairs int
		what  string
	}{{v.Failed, "the message failed on both sides"}, {v.Skipped, "a set-up call failed, so that nothing was compared"}} {
		if note.pairs > 0 {
			fmt.Fprintf(w, "          in %d of them %s\n", note.pairs, note.what)
		}
	}
	if v.Failure != "" {
		fmt.Fprintf(w, "          so that no more than its beginning was compared; the last failure: %s\n", oneLine(v.Failure))
	}
	if v.Cut {
		fmt.Fprintf(w, "          a call did more than is compared: its first %d host calls and storage accesses are\n", leak.MaxSteps)
	}
	if len(v.Findings) == 0 {
		fmt.Fprintf(w, "\nNo difference. %s\n", noProof)
	}
	for i, f := range v.Findings {
		if i == 0 || v.Findings[i-1].SameLength != f.SameLength {
			fmt.Fprintf(w, "\n%s\n", map[bool]string{true: "inputs of the same lengths", false: "inputs of other lengths"}[f.SameLength])
		}
		if i == 0 || v.Findings[i-1].Pair != f.Pair {
			f.example(w)
		}
		f.text(w, map[bool]int{true: v.Same, false: v.Other}[f.SameLength])
	}
}

// example writes the secrets of the pair that shows a difference.
func (f *findingView) example(w io.Writer) {
	fmt.Fprintf(w, "  pair %d, %s\n", f.Pair, f.How)
	for _, s := range f.Secrets {
		fmt.Fprintf(w, "    %s: %s | %s\n", s.Name, shortened(s.A), shortened(s.B))
	}
}

// observers says in words who sees a difference.
var observers = map[leak.Observer]string{
	leak.Everybody: "everybody", leak.Host: "the worker's host", leak.Caller: "the caller alone",
}

// maxSideBySide is how many bytes two values have that are shown in one line.
const maxSideBySide = 80

func (f *findingView) text(w io.Writer, of int) {
	place, between := "", " | "
	if f.Function != "" {
		place = fmt.Sprintf(", host call %d: %s", f.HostCall, f.Function)
	}
	if len(f.A)+len(f.B) > maxSideBySide {
		between = "\n      | "
	}
	fmt.Fprintf(w, "    %s, seen by %s, in %d of %d pairs%s\n        %s%s%s\n        → %s\n",
		f.Aspect, observers[f.SeenBy], f.Pairs, of, place, f.A, between, f.B, f.Advice)
}

// maxShownSecret is how much of a secret's value people are shown.
const maxShownSecret = 48

func shortened(value json.RawMessage) string {
	text := []rune(printable(value))
	if len(text) > maxShownSecret {
		text = append(text[:maxShownSecret], '…')
	}
	return string(text)
}
