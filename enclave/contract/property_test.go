package contract

import (
	"fmt"
	"maps"
	"testing"

	"lukechampine.com/uint128"
	"pgregory.net/rapid"
)

// step is one thing that a contract of a random tree does: it is known both as script and to the model.
type step struct {
	kind  int
	key   string
	value string
	of    int    // of model.accounts
	money uint64 // that goes along
	flags int
	then  plan // of what is called
}

// plan is what one call of a contract does, and how it ends.
type plan struct {
	steps []step
	end   int
}

// Kinds of steps and ends.
const (
	stepSet = iota
	stepClear
	stepKeep // in transient storage
	stepEvent
	stepTransfer
	stepCall
	stepDelegate
	stepCreate
)

const (
	endDone = iota
	endRevert
	endTrap
	endTerminate
)

// model is a cluster in plain Go: what the engine should make of a plan. A nested transaction is a copy of its state.
type model struct {
	modelState
	accounts [][32]byte // that plans name
	stack    []modelFrame
	code     [32]byte
}

type modelFrame struct {
	account    [32]byte
	reentrable bool
	readOnly   bool
}

type modelState struct {
	values, transient map[string]string
	balances          map[[32]byte]uint64
	gone              map[[32]byte]bool
	made              map[[32]byte]bool
	heirs             [][32]byte // terminated contracts; all leave their money to nobody
	events            []string
}

func (s modelState) clone() modelState {
	s.values, s.transient = maps.Clone(s.values), maps.Clone(s.transient)
	s.balances, s.gone, s.made = maps.Clone(s.balances), maps.Clone(s.gone), maps.Clone(s.made)
	s.events, s.heirs = append([]string(nil), s.events...), append([][32]byte(nil), s.heirs...)
	return s
}

// script gives a plan as the scripted contract takes it.
func (m *model) script(p plan) *script {
	s := new(script)
	for _, st := range p.steps {
		switch st.kind {
		case stepSet:
			s.set(st.key, st.value)
		case stepClear:
			s.host("seal1", "clear_storage", st.key, len(st.key))
		case stepKeep:
			s.keep(st.key, st.value)
		case stepEvent:
			s.event(st.value)
		case stepTransfer:
			s.host("seal0", "transfer", m.accounts[st.of], 32, uint128.From64(st.money), 16)
		case stepCall:
			s.call(st.flags, m.accounts[st.of], st.money, m.script(st.then))
		case stepDelegate:
			s.delegate(st.flags, m.code, m.script(st.then))
		case stepCreate:
			s.create(m.code, st.money, m.script(st.then), st.key)
		}
	}
	switch p.end {
	case endRevert:
		s.give(1, "")
	case endTrap:
		s.operation(opTrap)
	case endTerminate:
		s.host("seal1", "terminate", nobody)
	case endDone:
		s.results()
	}
	return s
}

// ending is how the model sees a call end.
type ending struct {
	code   int32 // as the caller gets it
	output []int32
	tail   bool
}

// errTrapped leaves a plan whose contract the engine would stop.
type errTrapped struct{}

// run does a plan as the innermost call and gives its end; the state is as if nothing had been unless the code is 0.
func (m *model) run(f modelFrame, p plan) (e ending) {
	before := m.modelState.clone()
	m.stack = append(m.stack, f)
	depth := len(m.stack)
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(errTrapped); !ok {
				panic(r)
			}
			e = ending{code: codeCalleeTrapped}
		}
		m.stack = m.stack[:depth-1]
		if e.code != codeSuccess {
			m.modelState = before
		}
	}()
	return m.play(&m.stack[depth-1], depth, p)
}

func (m *model) play(_ *modelFrame, depth int, p plan) ending {
	f := func() *modelFrame { return &m.stack[depth-1] } // the stack may move
	var results []int32
	for _, st := range p.steps {
		code, e := m.step(f, st)
		if e != nil {
			return *e
		}
		if st.kind != stepEvent {
			results = append(results, code)
		}
	}
	switch p.end {
	case endRevert:
		return ending{code: codeCalleeReverted}
	case endTrap:
		panic(errTrapped{})
	case endTerminate:
		m.demand(!f().readOnly)
		for _, other := range m.stack[:depth-1] {
			m.demand(other.account != f().account)
		}
		m.gone[f().account] = true
		m.heirs = append(m.heirs, f().account)
		for key := range m.values {
			if key[:32] == string(f().account[:]) {
				delete(m.values, key)
			}
		}
		return ending{}
	}
	return ending{output: results}
}

func (m *model) demand(ok bool) {
	if !ok {
		panic(errTrapped{})
	}
}

// size is what set and clear give.
func size(values map[string]string, path string) int32 {
	if old, ok := values[path]; ok {
		return int32(len(old))
	}
	return -1
}

// step does one; an ending is that of the whole call.
func (m *model) step(f func() *modelFrame, st step) (int32, *ending) {
	own := string(f().account[:])
	switch st.kind {
	case stepSet, stepClear:
		m.demand(!f().readOnly)
		old := size(m.values, own+st.key)
		delete(m.values, own+st.key)
		if st.kind == stepSet {
			m.values[own+st.key] = st.value
		}
		return old, nil
	case stepKeep:
		old := size(m.transient, own+st.key)
		m.transient[own+st.key] = st.value
		return old, nil
	case stepEvent:
		m.demand(!f().readOnly)
		m.events = append(m.events, own+st.value)
		return 0, nil
	case stepTransfer:
		m.demand(!f().readOnly)
		if !m.move(f().account, m.accounts[st.of], st.money) {
			return codeTransferFailed, nil
		}
		return 0, nil
	case stepCall:
		return m.call(f, st)
	case stepDelegate:
		m.demand(st.flags&(flagAllowReentry|flagReadOnly) == 0)
		m.demand(len(m.stack) < DefaultLimits().CallDepth)
		e := m.run(modelFrame{account: f().account, reentrable: true, readOnly: f().readOnly}, st.then)
		return m.after(st, e)
	}
	return m.create(f, st)
}

func (m *model) call(f func() *modelFrame, st step) (int32, *ending) {
	callee := m.accounts[st.of]
	readOnly := f().readOnly || st.flags&flagReadOnly != 0
	m.demand(st.money == 0 || !readOnly)
	f().reentrable = st.flags&flagAllowReentry != 0
	defer func() { f().reentrable = true }()
	for _, other := range m.stack {
		m.demand(other.account != callee || other.reentrable)
	}
	m.demand(len(m.stack) < DefaultLimits().CallDepth)
	if m.gone[callee] || callee == nobody {
		return codeNotCallable, nil
	}
	before := m.modelState.clone()
	if !m.move(f().account, callee, st.money) {
		return codeTransferFailed, nil
	}
	e := m.run(modelFrame{account: callee, reentrable: true, readOnly: readOnly}, st.then)
	if e.code != codeSuccess {
		m.modelState = before
	}
	return m.after(st, e)
}

func (m *model) after(st step, e ending) (int32, *ending) {
	if st.flags&flagTailCall != 0 && e.code != codeCalleeTrapped {
		e.tail = true
		return 0, &e
	}
	return e.code, nil
}

func (m *model) create(f func() *modelFrame, st step) (int32, *ending) {
	m.demand(!f().readOnly)
	m.demand(len(m.stack) < DefaultLimits().CallDepth)
	id := childID(f().account, m.code, m.script(st.then).b, []byte(st.key))
	m.demand(!m.made[id])
	before := m.modelState.clone()
	m.made[id] = true
	e := ending{code: codeTransferFailed}
	if m.move(f().account, id, st.money) {
		e = m.run(modelFrame{account: id, reentrable: true}, st.then)
	}
	if e.code != codeSuccess {
		m.modelState = before
	}
	m.demand(e.code != codeSuccess || !m.gone[id])
	return e.code, nil
}

// move moves money as the engine does: to oneself, or none, always succeeds.
func (m *model) move(from, to [32]byte, amount uint64) bool {
	if from == to || amount == 0 {
		return true
	}
	if m.balances[from] < amount {
		return false
	}
	m.balances[from] -= amount
	m.balances[to] += amount
	return true
}

// kinds are weighted: calls are what matters.
var kinds = []int{stepCall, stepDelegate, stepCreate, stepSet, stepKeep, stepKeep, stepClear, stepEvent, stepTransfer, stepCall, stepCall}

// plans draws a random plan.
func plans(depth int) *rapid.Generator[plan] {
	return rapid.Custom(func(t *rapid.T) plan {
		var p plan
		for range rapid.SampledFrom([]int{5, 4, 3, 2, 1}).Draw(t, "steps") {
			st := step{
				kind:  rapid.SampledFrom(kinds).Draw(t, "kind"),
				key:   rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"),
				value: rapid.SampledFrom([]string{"", "1", "22", "333"}).Draw(t, "value"),
				of:    rapid.IntRange(0, 3).Draw(t, "of"),
				money: rapid.SampledFrom([]uint64{0, 0, 1, 40, 1000}).Draw(t, "money"),
			}
			if st.kind >= stepCall {
				if depth == 0 {
					continue
				}
				if st.kind != stepCreate {
					st.flags = rapid.SampledFrom([]int{flagAllowReentry, 0, flagAllowReentry, flagTailCall, flagReadOnly,
						flagReadOnly | flagAllowReentry, flagTailCall | flagAllowReentry}).Draw(t, "flags")
				}
				if st.kind == stepDelegate {
					st.flags &= flagTailCall
				}
				st.then = plans(depth-1).Draw(t, "then")
			}
			p.steps = append(p.steps, st)
		}
		p.end = rapid.SampledFrom([]int{endDone, endRevert, endDone, endTrap, endDone, endTerminate, endDone, endDone}).Draw(t, "end")
		return p
	})
}

// TestRandomTrees: random trees of calls leave on both engines what a plain model says: results, storage, money, events,
// contracts made and ended, with every rollback.
func TestRandomTrees(t *testing.T) {
	w := newWorld(t)
	start := w.storage
	rapid.Check(t, func(rt *rapid.T) {
		p := plans(4).Draw(rt, "plan")
		w.storage = start.Clone()
		w.rich(100, alice, bob, carol)
		m := &model{
			modelState: modelState{
				values: map[string]string{}, transient: map[string]string{}, gone: map[[32]byte]bool{}, made: map[[32]byte]bool{},
				balances: map[[32]byte]uint64{alice: 100, bob: 100, carol: 100},
			},
			accounts: [][32]byte{alice, bob, carol, nobody}, code: w.code,
		}
		p.end = endDone
		e := m.run(modelFrame{account: alice, reentrable: true}, p)
		out := w.run(m.script(p))
		want := map[int32]Status{codeSuccess: Done, codeCalleeReverted: Reverted, codeCalleeTrapped: out.Status}[e.code]
		if out.Status != want || (e.code == codeCalleeTrapped && (out.Status == Done || out.Status == Reverted)) {
			rt.Fatalf("status %s (%s), the model says %d", out.Status, out.Reason, e.code)
		}
		if e.code != codeSuccess {
			return
		}
		for _, id := range m.heirs {
			m.move(id, nobody, m.balances[id])
		}
		m.check(rt, w, out, e)
	})
}

// check compares what is left of a tree that ended well.
func (m *model) check(rt *rapid.T, w *world, out Outcome, e ending) {
	same := func(what string, got, want any) {
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			rt.Fatalf("%s: got %s, the model says %s", what, g, w)
		}
	}
	same("output", words(out.Output), e.output)
	values := map[string]string{}
	for path, value := range w.storage.values {
		values[path[:32]+path[33:]] = value
	}
	same("values", values, m.values)
	var events []string
	for _, ev := range out.Events {
		events = append(events, string(ev.Contract[:])+string(ev.Data))
	}
	same("events", events, m.events)
	for id, amount := range m.balances {
		same(fmt.Sprintf("balance of %x", id[:2]), w.storage.balances[id], amount)
	}
	alive := map[[32]byte]bool{}
	for id := range m.made {
		alive[id] = !m.gone[id]
		if _, ok := w.storage.CodeHash(id); ok != alive[id] {
			rt.Fatalf("contract %x alive: %v", id[:2], ok)
		}
	}
	for _, c := range out.Created {
		if !alive[c.Contract] {
			rt.Fatalf("contract %x is told as made", c.Contract[:2])
		}
		delete(alive, c.Contract)
	}
	for id, left := range alive {
		if left {
			rt.Fatalf("contract %x is not told", id[:2])
		}
	}
}
