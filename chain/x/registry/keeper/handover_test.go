package keeper_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

var next = simulated.Measurement("next release")

// topics records what the registry tells identities.
type topics struct {
	told []wire.Handover
	to   []wire.Topic
}

func (q *topics) Append(_ context.Context, sender wire.Sender, topic wire.Topic, body *wire.Body) (uint64, error) {
	if sender.Variant != wire.SenderChain || body.Handover == nil {
		return 0, errors.New("not the chain's word of a handover")
	}
	q.told, q.to = append(q.told, *body.Handover), append(q.to, topic)
	return uint64(len(q.told) - 1), nil
}

// upgrade is a chain that allows two releases, a worker of the one, and a machine with the other.
func upgrade(t *testing.T) (c *chain, q *topics, old, fresh *enclave) {
	t.Helper()
	g := devnetGenesis()
	g.Params.Policy = scale.MustMarshal(policy(release[:], next[:]))
	c = newChain(t, g)
	q = &topics{}
	c.k.SetTopics(q)
	return c, q, c.enrolled(), c.enclave(device.Options{Measurement: next})
}

// asking is an honest request for another enclave's keys.
func (e *enclave) asking(whose sr25519.PublicKey) wire.HandoverRequest {
	h := e.c.height() - 1
	return wire.HandoverRequest{
		Version: wire.HandoverVersion, UID: wire.ChainUID(headerHash(1)), Identity: whose, OneTime: e.ecdh, HeaderHeight: h,
		HeaderHash: headerHash(h), Operator: account(e.operator), Software: "v2",
	}
}

func (e *enclave) ask(r wire.HandoverRequest) *types.MsgRequestHandover {
	e.c.t.Helper()
	data, err := r.ReportData()
	ok(e.c.t, err)
	evidence, err := e.device.Attest(context.Background(), data)
	ok(e.c.t, err)
	return &types.MsgRequestHandover{
		Operator: accountText(e.operator), Request: scale.MustMarshal(&r), Evidence: scale.MustMarshal(&evidence),
	}
}

func (c *chain) request(m *types.MsgRequestHandover) (*types.MsgRequestHandoverResponse, error) {
	var out *types.MsgRequestHandoverResponse
	err := c.tx(func(ctx sdk.Context) (err error) { out, err = c.msg.RequestHandover(ctx, m); return err })
	return out, err
}

func TestRequestHandover(t *testing.T) {
	c, q, old, fresh := upgrade(t)
	r := fresh.asking(old.public())
	out, err := c.request(fresh.ask(r))
	ok(t, err)
	program := tee.Exactly(next[:])
	id := program.ID(tee.KindSimulated)
	if len(q.told) != 1 || q.to[0] != wire.EntityTopic(old.public()) || [32]byte(out.Program) != id {
		t.Fatalf("told %+v", q)
	}
	told := q.told[0]
	if told.Request != r || string(told.Measurement) != string(next[:]) || told.Program != wire.Hash(id) || told.Kind != uint8(tee.KindSimulated) {
		t.Fatalf("told %+v", told)
	}
	_, err = c.request(fresh.ask(r)) // again, for a command that was interrupted
	ok(t, err)
}

func TestRequestHandoverRefused(t *testing.T) {
	type world struct {
		c          *chain
		old, fresh *enclave
	}
	with := func(f func(*wire.HandoverRequest)) func(*world) *types.MsgRequestHandover {
		return func(w *world) *types.MsgRequestHandover {
			r := w.fresh.asking(w.old.public())
			f(&r)
			return w.fresh.ask(r)
		}
	}
	tests := []struct {
		name string
		make func(*world) *types.MsgRequestHandover
		want error
	}{
		{"version", with(func(r *wire.HandoverRequest) { r.Version = 2 }), types.ErrMalformed},
		{"another chain", with(func(r *wire.HandoverRequest) { r.UID[0]++ }), types.ErrChain},
		{"another header", with(func(r *wire.HandoverRequest) { r.HeaderHash[0]++ }), types.ErrHeader},
		{"a header to come", with(func(r *wire.HandoverRequest) { r.HeaderHeight += 5 }), types.ErrHeader},
		{"an unknown identity", func(w *world) *types.MsgRequestHandover { return w.fresh.ask(w.fresh.asking(w.fresh.public())) }, types.ErrNoWorker},
		{"named operator", with(func(r *wire.HandoverRequest) { r.Operator = account(9) }), types.ErrUnauthorized},
		{"another operator", func(w *world) *types.MsgRequestHandover {
			w.fresh.operator = 9
			return w.fresh.ask(w.fresh.asking(w.old.public()))
		}, types.ErrUnauthorized},
		{"swapped one-time key", func(w *world) *types.MsgRequestHandover {
			r := w.fresh.asking(w.old.public())
			m := w.fresh.ask(r)
			r.OneTime = w.c.key()
			m.Request = scale.MustMarshal(&r)
			return m
		}, types.ErrEvidence},
		{"evidence of a registration", func(w *world) *types.MsgRequestHandover {
			m := w.fresh.ask(w.fresh.asking(w.old.public()))
			m.Evidence = w.fresh.message(w.fresh.registration()).Evidence
			return m
		}, types.ErrEvidence},
		{"a program that is not allowed", func(w *world) *types.MsgRequestHandover {
			stranger := w.c.enclave(device.Options{Measurement: simulated.Measurement("stranger")})
			return stranger.ask(stranger.asking(w.old.public()))
		}, types.ErrEvidence},
		{"debug", func(w *world) *types.MsgRequestHandover {
			open := w.c.enclave(device.Options{Measurement: next, Debug: true})
			return open.ask(open.asking(w.old.public()))
		}, types.ErrEvidence},
		{"suspended", func(w *world) *types.MsgRequestHandover {
			ok(w.c.t, w.c.k.Suspend(w.c.ctx, w.old.public()))
			return w.fresh.ask(w.fresh.asking(w.old.public()))
		}, types.ErrSuspended},
		{"expired", func(w *world) *types.MsgRequestHandover {
			w.c.advance(expiry + 1)
			return w.fresh.ask(w.fresh.asking(w.old.public()))
		}, types.ErrInactive},
		{"cut off", func(w *world) *types.MsgRequestHandover {
			m := w.fresh.ask(w.fresh.asking(w.old.public()))
			m.Request = m.Request[:len(m.Request)-1]
			return m
		}, types.ErrMalformed},
		{"too long", func(w *world) *types.MsgRequestHandover {
			m := w.fresh.ask(w.fresh.asking(w.old.public()))
			m.Request = make([]byte, wire.MaxHandoverRequest+1)
			return m
		}, types.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, q, old, fresh := upgrade(t)
			_, err := c.request(tt.make(&world{c, old, fresh}))
			want(t, err, tt.want)
			if len(q.told) != 0 {
				t.Fatal("the old release was told")
			}
		})
	}
}

// TestHandoverToACloseDecision: a refusal says from when on the decided policy would take the release.
func TestHandoverToACloseDecision(t *testing.T) {
	g := devnetGenesis()
	g.Params.Delay = 20
	c := newChain(t, g)
	c.k.SetTopics(&topics{})
	old, fresh := c.enrolled(), c.enclave(device.Options{Measurement: next})
	roots := simulated.Roots()
	_, err := c.msg.UpdatePolicy(c.ctx, &types.MsgUpdatePolicy{
		Authority: authority, Policy: scale.MustMarshal(policy(release[:], next[:])), Roots: scale.MustMarshal(&roots),
	})
	ok(t, err)
	before := c.ctx.GasMeter().GasConsumed()
	_, err = c.request(fresh.ask(fresh.asking(old.public())))
	want(t, err, types.ErrEvidence)
	if !strings.Contains(err.Error(), "in force from height 23 on") {
		t.Fatal(err)
	}
	if used := c.ctx.GasMeter().GasConsumed() - before; used < 2*types.GasRegister {
		t.Fatalf("two judgements cost %d gas", used)
	}
	c.advance(20)
	_, err = c.request(fresh.ask(fresh.asking(old.public())))
	ok(t, err)
}

// TestHandoverGas: what turns out to be malformed has paid for its verification.
func TestHandoverGas(t *testing.T) {
	c, _, old, fresh := upgrade(t)
	m := fresh.ask(fresh.asking(old.public()))
	before := c.ctx.GasMeter().GasConsumed()
	m.Evidence = m.Evidence[:len(m.Evidence)-1]
	if _, err := c.request(m); err == nil {
		t.Fatal("accepted")
	}
	if used := c.ctx.GasMeter().GasConsumed() - before; used < types.GasRegister {
		t.Fatalf("malformed evidence costs %d gas", used)
	}
}

// TestOldDiskAfterHandover: once the new release is registered, the old one, whose host has put an earlier sealed file back, is
// refused, also when its own program is still allowed.
func TestOldDiskAfterHandover(t *testing.T) {
	c, _, old, fresh := upgrade(t)
	_, err := c.request(fresh.ask(fresh.asking(old.public())))
	ok(t, err)
	c.advance(1)
	ok(t, old.register()) // it has not acted yet
	c.advance(1)

	heir := *fresh
	heir.identity, heir.ecdh = old.identity, old.ecdh
	heir.restart()
	ok(t, heir.register())
	if w := c.worker(old.public()); string(w.Measurement) != string(next[:]) || w.Incarnation != heir.incarnation {
		t.Fatalf("the record is %+v", w)
	}
	c.advance(1)
	old.restart()
	want(t, old.register(), types.ErrHandedOver)
	heir.restart()
	ok(t, heir.register())

	g, err := c.k.ExportGenesis(c.ctx)
	ok(t, err)
	if len(g.Heirs) != 1 {
		t.Fatalf("%d heirs are exported", len(g.Heirs))
	}
	ok(t, g.Validate())
	again := newChain(t, g)
	h, err := again.k.ExportGenesis(again.ctx)
	ok(t, err)
	if len(h.Heirs) != 1 || string(h.Heirs[0]) != string(g.Heirs[0]) {
		t.Fatal("heirs do not survive an export")
	}

	// The way back is a handover too.
	c.advance(1)
	back := c.enclave(device.Options{Measurement: release})
	_, err = c.request(back.ask(back.asking(old.public())))
	ok(t, err)
	c.advance(1)
	heir.restart()
	ok(t, heir.register())
	c.advance(1)
	back.identity, back.ecdh = old.identity, old.ecdh
	ok(t, back.register())
	c.advance(1)
	heir.restart()
	want(t, heir.register(), types.ErrHandedOver)
}

// TestSameReleaseMoves: to another machine with the same release; there the newest incarnation counts, as ever.
func TestSameReleaseMoves(t *testing.T) {
	c, _, old, _ := upgrade(t)
	moved := c.enclave(device.Options{Measurement: release})
	_, err := c.request(moved.ask(moved.asking(old.public())))
	ok(t, err)
	c.advance(1)
	moved.identity, moved.ecdh = old.identity, old.ecdh
	ok(t, moved.register())
	c.advance(1)
	want(t, old.register(), types.ErrIncarnation)
}

var _ types.Topics = (*topics)(nil)
