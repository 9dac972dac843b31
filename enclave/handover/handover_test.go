package handover_test

import (
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/handover"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
)

var theChain = wire.Sender{Variant: wire.SenderChain}

// TestHandover moves a worker's and a gatekeeper's keys on the chain's word; afterwards the old release follows nothing, signs
// nothing and registers nothing, and the new one registers.
func TestHandover(t *testing.T) {
	for name, gatekeeper := range map[string]bool{"worker": false, "gatekeeper": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gatekeeper)
			if s := w.old.chain.Status(); s.Role != name || s.NeedsRegistration {
				t.Fatalf("%+v", s)
			}
			if s := w.fresh.chain.Status(); s.Role != "receiving" || s.NeedsRegistration || len(s.Places) != 0 {
				t.Fatalf("%+v", s)
			}
			w.tell(theChain, w.word())
			w.block()
			s := w.old.chain.Status()
			if w.old.keys.Standing() != keys.HandedOver || s.Role != "handed over" || s.NeedsRegistration || len(s.Places) != 0 || s.OutboxNext != 0 {
				t.Fatalf("%+v", s)
			}
			steps := w.old.role.steps
			w.block()
			if w.old.role.steps != steps || w.old.role.suspended == 0 {
				t.Fatal("the old release's role goes on")
			}
			offer, err := w.old.custody.Handed()
			w.ok(err)
			w.ok(w.accept(offer))
			w.ok(w.accept(offer))
			w.block()
			if s := w.fresh.chain.Status(); w.fresh.keys.Standing() != keys.Holding || s.Role != "none" || !s.NeedsRegistration {
				t.Fatalf("%+v", s)
			}
			if _, ok := w.fresh.keys.MasterPublic(); ok != gatekeeper {
				t.Fatal("the MasterKey did not come with the gatekeeper's keys")
			}
			w.run(w.old) // a start
			w.block()
			if s := w.old.chain.Status(); s.Role != "handed over" || s.NeedsRegistration {
				t.Fatalf("after a start: %+v", s)
			}
		})
	}
}

// TestWordsThatDoNotCount: the host, accounts, other enclaves and the chain's word to others move nothing.
func TestWordsThatDoNotCount(t *testing.T) {
	change := func(f func(*wire.Handover)) func(*wire.Body) { return func(b *wire.Body) { f(b.Handover) } }
	tests := []struct {
		name   string
		sender wire.Sender
		edit   func(*wire.Body)
		record *wire.ProgramRecord // nil for none
	}{
		{"by an account", wire.Sender{Variant: wire.SenderAccount, Account: operator}, nil, &wire.ProgramRecord{}},
		{"to another identity", theChain, change(func(h *wire.Handover) { h.Request.Identity = otherIdentity(t) }), &wire.ProgramRecord{}},
		{"of another chain", theChain, change(func(h *wire.Handover) { h.Request.UID[0]++ }), &wire.ProgramRecord{}},
		{"by another operator", theChain, change(func(h *wire.Handover) { h.Request.Operator[0]++ }), &wire.ProgramRecord{}},
		{"of another version", theChain, change(func(h *wire.Handover) { h.Request.Version++ }), &wire.ProgramRecord{}},
		{"a program that is not allowed", theChain, nil, nil},
		{"a program that is allowed later", theChain, nil, &wire.ProgramRecord{Decided: 1, Since: 1 << 30}},
		{"a program without the delay", theChain, nil, &wire.ProgramRecord{Decided: 8, Since: 8 + delay - 1}},
		{"a program that was in force before its decision", theChain, nil, &wire.ProgramRecord{Decided: 9, Since: 8}},
	}
	for _, tt := range tests {
		for _, gatekeeper := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(t, gatekeeper)
				w.allow(tt.record)
				word := w.word()
				if tt.edit != nil {
					tt.edit(word)
				}
				w.tell(tt.sender, word)
				w.block()
				w.block()
				if w.old.keys.Standing() != keys.Holding {
					t.Fatal("it has given its keys away")
				}
				w.allow(&wire.ProgramRecord{Decided: 1, Since: 1 + delay})
				w.tell(theChain, w.word()) // the control: the same, as it should be
				w.block()
				if w.old.keys.Standing() != keys.HandedOver {
					t.Fatal("it holds back what it should give")
				}
			})
		}
	}
}

// TestTwoRequests: of two that come together the later one counts; one that comes after the keys are given gets nothing.
func TestTwoRequests(t *testing.T) {
	w := newWorld(t, false)
	first, second := w.fresh, w.start("next", t.TempDir(), w.old.keys)
	w.others = []*node{first, second}
	w.block()
	w.tell(theChain, w.word())
	w.fresh = second
	w.tell(theChain, w.word())
	w.block()
	offer, err := w.old.custody.Handed()
	w.ok(err)
	w.fresh = first
	w.tell(theChain, w.word())
	w.block()
	if again, err := w.old.custody.Handed(); err != nil || string(again) != string(offer) {
		t.Fatal("a later request has changed what was given")
	}
	w.want(w.accept(offer), keys.ErrOffer)
	w.fresh = second
	w.ok(w.accept(offer))
}

// TestAccept: the new release proves for itself that it is allowed, above the message's height.
func TestAccept(t *testing.T) {
	w := newWorld(t, false)
	w.tell(theChain, w.word())
	w.block()
	offer, err := w.old.custody.Handed()
	w.ok(err)
	w.want(w.fresh.custody.Accept(t.Context(), offer), handover.ErrNotReady)
	w.allow(nil) // governance has changed its mind
	w.block()
	w.want(w.accept(offer), handover.ErrNotAllowed)
	w.allow(&wire.ProgramRecord{Decided: 10, Since: 12})
	w.block()
	w.want(w.accept(offer), handover.ErrNotAllowed)
	if w.fresh.keys.Standing() != keys.Receiving {
		t.Fatal("it took the keys")
	}
	w.allow(&wire.ProgramRecord{Decided: 10, Since: 10 + delay})
	w.block()
	w.ok(w.accept(offer))
}

// TestAcceptBehind: a new release whose relay withholds blocks takes nothing until it has seen the message's height pass.
func TestAcceptBehind(t *testing.T) {
	w := newWorld(t, false)
	fresh := w.fresh
	w.tell(theChain, w.word())
	w.fresh = nil
	w.block()
	offer, err := w.old.custody.Handed()
	w.ok(err)
	w.want(fresh.custody.Accept(t.Context(), offer), handover.ErrNotReady)
	w.fresh = fresh
	w.ok(w.accept(offer))
}

// TestWithheldMessage: a relay that brings no messages stops the handover and nothing else.
func TestWithheldMessage(t *testing.T) {
	w := newWorld(t, false)
	w.tell(theChain, w.word())
	w.blockWithoutOld()
	if w.old.keys.Standing() != keys.Holding || w.old.chain.Status().Role != "worker" {
		t.Fatal("it acted on nothing")
	}
	w.block()
	if w.old.keys.Standing() != keys.HandedOver {
		t.Fatal("the message came, and it did not act")
	}
}

// TestPrepare: a request is made only of what is proven, for the operator of the record, by a release that waits.
func TestPrepare(t *testing.T) {
	w := newWorld(t, false)
	_, err := w.old.custody.Prepare(t.Context(), operator)
	w.want(err, keys.ErrNotReceiver)
	_, err = w.fresh.custody.Prepare(t.Context(), wire.Account{1})
	w.want(err, handover.ErrOperator)
	early := w.start("next", t.TempDir(), w.old.keys)
	_, err = early.custody.Prepare(t.Context(), operator)
	w.want(err, handover.ErrNotReady)
	q, err := w.fresh.custody.Prepare(t.Context(), operator)
	w.ok(err)
	w.block()
	p, err := w.fresh.custody.Prepare(t.Context(), operator)
	w.ok(err)
	var a, b wire.HandoverRequest
	w.ok(scale.Unmarshal(q.Request, &a))
	w.ok(scale.Unmarshal(p.Request, &b))
	if a.OneTime != b.OneTime || a.HeaderHeight >= b.HeaderHeight || b.HeaderHash != w.light.Header(w.height).Hash {
		t.Fatalf("%+v then %+v", a, b)
	}
	delete(w.records, wire.KeyWorker(w.old.keys.Identity()))
	w.blockWithoutOld()
	_, err = w.fresh.custody.Prepare(t.Context(), operator)
	w.want(err, handover.ErrNoIdentity)
}

var _ handover.View = (*dispatch.Dispatcher)(nil)
