package leak

import (
	"cmp"
	"slices"
)

// Finding is a difference that pairs have shown.
type Finding struct {
	Difference      // as the first pair showed it
	Pair       int  // that pair's number, as it was added
	Pairs      int  // how many showed a difference of this aspect
	SameLength bool // in pairs whose inputs have the same lengths; otherwise in the others
}

// Report adds up what pairs show. Its zero value is empty.
type Report struct {
	// SameLength and OtherLength count the pairs whose inputs have the same lengths, and the others.
	SameLength, OtherLength int
	// Failed counts the pairs in which neither call ended well.
	Failed int
	// Cut says that a call made more than [MaxSteps] steps, of which only the first were compared.
	Cut bool
	// Findings are ordered: same lengths first, and then by aspect.
	Findings []Finding
}

// aspects are all, in the order of reports.
var aspects = []Aspect{
	CallClass, GasClass, Status, Gas, HostCalls, Accesses, ValueSizes, Logs, ReplyClass, OutputLength, Events,
}

// Add compares the two observations of a pair.
func (r *Report) Add(pair int, a, b *Observation) {
	same := SameLengths(a, b)
	if same {
		r.SameLength++
	} else {
		r.OtherLength++
	}
	if a.Failed() && b.Failed() {
		r.Failed++
	}
	r.Cut = r.Cut || a.cut || b.cut
	for _, d := range Compare(a, b) {
		r.add(Finding{Difference: d, Pair: pair, Pairs: 1, SameLength: same})
	}
}

// add counts a finding in. There is at most one for each aspect and kind of pair.
func (r *Report) add(f Finding) {
	at, found := slices.BinarySearchFunc(r.Findings, f, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(group(x), group(y)), cmp.Compare(slices.Index(aspects, x.Aspect), slices.Index(aspects, y.Aspect)))
	})
	if found {
		r.Findings[at].Pairs++
		return
	}
	r.Findings = slices.Insert(r.Findings, at, f)
}

func group(f Finding) int {
	if f.SameLength {
		return 0
	}
	return 1
}
