package leak

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/phalanx-network/phalanx/enclave/contract"
)

// Observer is who sees a difference. Each sees also what those before it see.
type Observer string

// The observers.
const (
	Everybody Observer = "everybody" // who reads the chain, or, where the call is a query, the network
	Host      Observer = "host"      // who runs a worker
	Caller    Observer = "caller"    // who is told the result anyway
)

// Aspect is in what two observations differ.
type Aspect string

// The aspects, in the order of reports.
const (
	CallClass    Aspect = "size of the call" // padded
	GasClass     Aspect = "prepaid gas"      // the power of two that the call needs
	Status       Aspect = "status"
	Gas          Aspect = "gas"
	HostCalls    Aspect = "host calls"
	Accesses     Aspect = "storage accesses"
	ValueSizes   Aspect = "sizes of stored values"
	Logs         Aspect = "logs"
	ReplyClass   Aspect = "size of the reply" // padded; of the receipt of a command
	OutputLength Aspect = "output length"
	Events       Aspect = "events"
)

// advice says what to do about each aspect.
var advice = map[Aspect]string{
	CallClass:    "pad the argument to one length before it is sent",
	GasClass:     "prepay one amount whatever the secret is, or make the costs equal",
	Status:       "decide by a value that is stored or returned, not by an error: a failed command writes nothing, which shows",
	Gas:          "let both ways do the same work: no early return, no branch and no loop bound by the secret",
	HostCalls:    "make the same host calls in the same order whatever the secret is",
	Accesses:     "do not make a secret part of a key, and read and write the same entries in any case",
	ValueSizes:   "store values of one length: fixed arrays instead of String and Vec, and no Option around a secret",
	Logs:         "log neither secrets nor in dependence of them",
	ReplyClass:   "return and emit values of one length",
	OutputLength: "return a value of one length if the caller is not to learn this",
	Events:       "emit the same events with values of one length",
}

// Advice says in a line what to do about an aspect.
func (a Aspect) Advice() string { return advice[a] }

// Difference is one aspect in which two observations differ.
type Difference struct {
	Aspect Aspect
	SeenBy Observer
	A, B   string // what each showed there: numbers, hex and fixed words
	Place  int    // of the first difference: a host call's number, from 1; 0 where there is none
	During string // the host function there, in the first observation that has one
}

// Compare returns the differences between two observations of one message, in the order of the aspects.
func Compare(a, b *Observation) []Difference {
	var out []Difference
	add := func(aspect Aspect, by Observer, x, y string) {
		if x != y {
			out = append(out, Difference{Aspect: aspect, SeenBy: by, A: x, B: y})
		}
	}
	sizes := func(aspect Aspect, by Observer, x, y []string) {
		if !slices.Equal(x, y) {
			out = append(out, Difference{Aspect: aspect, SeenBy: by, A: listing(x), B: listing(y)})
		}
	}
	teller := Host // who sees how the call ends: a failed command writes nothing
	if a.query {
		teller = Caller
	}
	add(CallClass, Everybody, size(a.call), size(b.call))
	if !a.query {
		add(GasClass, Everybody, class(a.gas), class(b.gas))
	}
	add(Status, teller, a.Status.String(), b.Status.String())
	add(Gas, Host, fmt.Sprint(a.gas), fmt.Sprint(b.gas))
	out = append(out, sequences(a, b)...)
	sizes(Logs, Host, a.logs, b.logs)
	add(ReplyClass, Host, size(a.reply), size(b.reply))
	add(OutputLength, Caller, fmt.Sprintf("%d bytes", len(a.Output)), fmt.Sprintf("%d bytes", len(b.Output)))
	sizes(Events, Caller, a.events, b.events)
	return out
}

func size(padded int) string {
	if padded == 0 {
		return "too large"
	}
	return fmt.Sprintf("%d bytes padded", padded)
}

// class is the power of two that pays for an amount of gas.
func class(gas uint64) string { return fmt.Sprintf("2^%d", bits.Len64(max(gas, 1)-1)) }

// maxListed is how many sizes are shown.
const maxListed = 4

// listing shows how many there are, and their sizes as far as they are few.
func listing(sizes []string) string {
	if len(sizes) == 0 {
		return "none"
	}
	shown, more := sizes[:min(len(sizes), maxListed)], ""
	if len(shown) < len(sizes) {
		more = ", …"
	}
	return fmt.Sprintf("%d (%s%s)", len(sizes), strings.Join(shown, ", "), more)
}

// sequences compares what the two did in order.
func sequences(a, b *Observation) []Difference {
	var out []Difference
	calls := func(s *step) bool { return !s.access }
	accesses := func(s *step) bool { return s.access }
	if d, ok := first(a, b, calls, (*step).at, (*step).words); !ok {
		d.Aspect = HostCalls
		out = append(out, d)
	}
	d, ok := first(a, b, accesses, (*step).at, (*step).words)
	if !ok {
		d.Aspect = Accesses
		return append(out, d)
	}
	sameSize := func(x, y *step) bool { return x.size == y.size }
	if d, ok := first(a, b, accesses, sameSize, sized); !ok {
		d.Aspect = ValueSizes
		out = append(out, d)
	}
	return out
}

// sized describes a step with the size of its value.
func sized(s *step) string {
	if s.size == absent {
		return s.words() + ", nothing"
	}
	return fmt.Sprintf("%s, %d bytes", s.words(), s.size)
}

// first finds the first of the chosen steps in which two observations differ; ok means that they do not.
func first(a, b *Observation, chosen func(*step) bool, same func(x, y *step) bool, words func(*step) string) (d Difference, ok bool) {
	x, y := places(a.steps, chosen), places(b.steps, chosen)
	i := 0
	for i < len(x) && i < len(y) && same(&a.steps[x[i]], &b.steps[y[i]]) {
		i++
	}
	if i == len(x) && i == len(y) {
		return Difference{}, true
	}
	d = Difference{SeenBy: Host, A: "nothing more", B: "nothing more"}
	for _, side := range []struct {
		o      *Observation
		places []int
		show   *string
	}{{b, y, &d.B}, {a, x, &d.A}} {
		if i < len(side.places) {
			s := &side.o.steps[side.places[i]]
			*side.show = words(s)
			d.Place, d.During = side.o.hostCall(s.during)
		}
	}
	return d, false
}

func places(steps []step, chosen func(*step) bool) (out []int) {
	for i := range steps {
		if chosen(&steps[i]) {
			out = append(out, i)
		}
	}
	return out
}

// hostCall gives the number, from 1, and the function of the host call at a place.
func (o *Observation) hostCall(place int) (number int, function string) {
	for i := range o.steps[:place+1] {
		if !o.steps[i].access {
			number++
		}
	}
	return number, o.steps[place].what
}

// Failed reports whether the call did not end well.
func (o *Observation) Failed() bool { return o.Status != contract.Done }

// Why says in words how the call ended.
func (o *Observation) Why() string { return why(o.Status, o.Reason) }

// SameLengths reports whether the calls that led to two observations have inputs of the same lengths.
func SameLengths(a, b *Observation) bool { return slices.Equal(a.inputs, b.inputs) }
