package keeper_test

import (
	"testing"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/tee/simulated/device"
	"github.com/phalanx-network/phalanx/wire"
)

func TestRegistrationIsStoredAsWireDefinesIt(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	w := c.worker(e.public())
	expected := wire.WorkerState{
		Identity: e.public(), Ecdh: wire.EcdhEpoch{Key: e.ecdh, Epoch: 0, Since: 3},
		Info: wire.WorkerInfo{Software: "v1"}, Operator: account(1), Incarnation: e.incarnation,
		EvidenceKind: uint8(tee.KindSimulated), Measurement: release[:], AttestedAt: 3,
		AttestedTime: 1_700_000_001_500, HeaderHeight: 2, Status: wire.WorkerActive,
	}
	if string(scale.MustMarshal(&w)) != string(scale.MustMarshal(&expected)) {
		t.Fatalf("stored %+v, want %+v", w, expected)
	}
	if len(c.hooks.registered) != 1 || c.hooks.registered[0].Identity != e.public() {
		t.Fatalf("hooks were told of %d registrations", len(c.hooks.registered))
	}
}

// An attack is a change to an honest registration, and what it must meet. The signature and the evidence are over the
// changed registration unless the attack is on them.
func TestRegistrationsThatAreRefused(t *testing.T) {
	type attack struct {
		name string
		want error
		r    func(e *enclave, r *wire.Registration)
		m    func(e *enclave, m *types.MsgRegisterWorker)
	}
	attacks := []attack{
		{name: "another chain's uid", want: types.ErrChain, r: func(_ *enclave, r *wire.Registration) { r.UID[0]++ }},
		{name: "a header that is not ours", want: types.ErrHeader, r: func(_ *enclave, r *wire.Registration) { r.HeaderHash[0]++ }},
		{name: "a header of another height", want: types.ErrHeader, r: func(_ *enclave, r *wire.Registration) { r.HeaderHeight-- }},
		{name: "the block that is being made", want: types.ErrHeader, r: func(e *enclave, r *wire.Registration) {
			r.HeaderHeight, r.HeaderHash = e.c.height(), headerHash(e.c.height())
		}},
		{name: "a block to come", want: types.ErrHeader, r: func(e *enclave, r *wire.Registration) {
			r.HeaderHeight, r.HeaderHash = e.c.height()+5, headerHash(e.c.height()+5)
		}},
		{name: "height 0", want: types.ErrHeader, r: func(_ *enclave, r *wire.Registration) { r.HeaderHeight = 0 }},
		{name: "the largest height", want: types.ErrHeader, r: func(_ *enclave, r *wire.Registration) { r.HeaderHeight = 1<<64 - 1 }},
		{name: "another version", want: types.ErrMalformed, r: func(_ *enclave, r *wire.Registration) { r.Version++ }},
		{name: "another operator", want: types.ErrUnauthorized, r: func(_ *enclave, r *wire.Registration) { r.Operator = account(9) }},
		{name: "an incarnation of zeros", want: types.ErrIncarnation, r: func(_ *enclave, r *wire.Registration) { r.Incarnation = wire.Incarnation{} }},
		{name: "somebody else brings it", want: types.ErrUnauthorized, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Operator = accountText(9) }},
		{name: "no account", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Operator = "phx1" }},
		{name: "a flipped signature", want: types.ErrSignature, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Signature[3] ^= 1 }},
		{name: "a short signature", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Signature = m.Signature[:63] }},
		{name: "no signature", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Signature = nil }},
		{name: "a flipped registration", want: types.ErrSignature, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Registration[len(m.Registration)-1] ^= 1 }},
		{name: "a truncated registration", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Registration = m.Registration[:40] }},
		{name: "bytes after the registration", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Registration = append(m.Registration, 0) }},
		{name: "a huge registration", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Registration = make([]byte, types.MaxRegistration+1) }},
		{name: "no evidence", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Evidence = nil }},
		{name: "truncated evidence", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Evidence = m.Evidence[:50] }},
		{name: "huge evidence", want: types.ErrMalformed, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Evidence = make([]byte, types.MaxEvidence+1) }},
		{name: "evidence for another registration", want: types.ErrEvidence, m: func(e *enclave, m *types.MsgRegisterWorker) {
			other := e.registration()
			other.Software = "v2"
			m.Evidence = e.message(other).Evidence
		}},
		{name: "evidence of another kind", want: types.ErrEvidence, m: func(_ *enclave, m *types.MsgRegisterWorker) { m.Evidence[0] = byte(tee.KindSEVSNP) }},
		{name: "the registration signed as a message", want: types.ErrSignature, m: func(e *enclave, m *types.MsgRegisterWorker) {
			r := e.registration()
			sig, err := e.identity.Sign(e.c.random, wire.SigningText(wire.KindMessage, r.UID, scale.MustMarshal(&r)))
			if err != nil {
				e.c.t.Fatal(err)
			}
			m.Signature = sig[:]
		}},
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			c := newChain(t, devnetGenesis())
			e := c.enclave(device.Options{})
			r := e.registration()
			if a.r != nil {
				a.r(e, &r)
			}
			m := e.message(r)
			if a.m != nil {
				a.m(e, m)
			}
			want(t, c.send(m), a.want)
			if _, found, err := c.k.Worker(c.ctx, e.public()); err != nil || found {
				t.Fatalf("refused worker is stored: %v, %v", found, err)
			}
			ok(t, e.register()) // the control: the honest one is taken
		})
	}
}

func TestPlatformsThatAreRefused(t *testing.T) {
	otherRoot := [32]byte{9}
	platforms := map[string]device.Options{
		"another program":   {Measurement: simulated.Measurement("other")},
		"debug mode":        {Debug: true},
		"an outdated TCB":   {TCBStatus: tee.TCBOutOfDate},
		"a root of its own": {RootSeed: &otherRoot},
	}
	for name, o := range platforms {
		t.Run(name, func(t *testing.T) {
			want(t, newChain(t, devnetGenesis()).enclave(o).register(), types.ErrEvidence)
		})
	}
}

func TestAnOldHeaderIsRefusedAndTheOldestAllowedIsTaken(t *testing.T) {
	c := newChain(t, devnetGenesis())
	old := c.enclave(device.Options{})
	r := old.registration() // names block 2
	c.advance(types.HeaderWindow)
	want(t, c.send(old.message(r)), types.ErrHeader)
	r.HeaderHeight, r.HeaderHash = 3, headerHash(3)
	ok(t, c.send(old.message(r)))
}

func TestARegistrationIsTakenOnce(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enclave(device.Options{})
	m := e.message(e.registration())
	ok(t, c.send(m))
	want(t, c.send(m), types.ErrHeader)
	c.advance(1)
	want(t, c.send(m), types.ErrHeader)
}

func TestAnEarlierHeaderThanTheLastIsRefused(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enclave(device.Options{})
	earlier := e.registration()
	c.advance(2)
	ok(t, e.register())
	c.advance(1)
	e.restart()
	earlier.Incarnation = e.incarnation
	want(t, c.send(e.message(earlier)), types.ErrHeader)
	ok(t, e.register())
}

func TestASupersededIncarnationIsRefusedForEver(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	first := e.incarnation
	for range 3 {
		c.advance(1)
		e.restart()
		ok(t, e.register())
	}
	newest := e.incarnation
	c.advance(expiry + 5)
	e.incarnation = first // the clone that ran on, with a header that it has verified just now
	want(t, e.register(), types.ErrIncarnation)
	e.incarnation = newest
	ok(t, e.register())
}

func TestEcdhKeysOfRegistrations(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	first := e.ecdh

	c.advance(1)
	e.ecdh = c.key()
	want(t, e.register(), types.ErrEcdhKey) // another key within one incarnation

	e.restart()
	ok(t, e.register()) // a fresh one with a fresh incarnation
	w := c.worker(e.public())
	if w.Ecdh.Key != e.ecdh || w.Ecdh.Epoch != 1 || w.Ecdh.Since != 4 || w.PreviousEcdh == nil || w.PreviousEcdh.Key != first {
		t.Fatalf("after a fresh key: %+v, previous %+v", w.Ecdh, w.PreviousEcdh)
	}

	c.advance(1)
	e.restart()
	second := e.ecdh
	e.ecdh = first // an older disk
	want(t, e.register(), types.ErrEcdhKey)

	e.ecdh = second
	ok(t, e.register()) // a restart with the sealed key
	w = c.worker(e.public())
	if w.Ecdh.Epoch != 1 || w.Ecdh.Since != 4 {
		t.Fatalf("a restart changed the key's epoch: %+v", w.Ecdh)
	}
}

func TestAnEcdhKeyThatIsTheIdentityKeyIsRefused(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enclave(device.Options{})
	var same wire.Registration
	raw := scale.MustMarshal(ptr(e.registration()))
	copy(raw[2+32:], e.identity.Public().Bytes())
	ok(t, scale.Unmarshal(raw, &same))
	want(t, c.send(e.message(same)), types.ErrEcdhKey)
}

func ptr[T any](v T) *T { return &v }

func TestASuspendedWorkerStaysSo(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	ok(t, c.k.Suspend(c.ctx, e.public()))
	c.advance(1)
	want(t, e.register(), types.ErrSuspended)
	e.restart()
	want(t, e.register(), types.ErrSuspended)
	c.advance(expiry + 1)
	if s := c.worker(e.public()).Status; s != wire.WorkerSuspended {
		t.Fatalf("status is %s", s)
	}
	ok(t, c.k.Suspend(c.ctx, e.public()))
	if len(c.hooks.lost) != 1 {
		t.Fatalf("hooks were told %d times", len(c.hooks.lost))
	}
}

func TestANewOperatorTakesTheWorkerOver(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enrolled()
	ok(t, c.k.SetEndpoints(c.ctx, account(1), e.public(), []string{"https://a.example"}, nil))
	c.advance(1)
	e.operator = 2
	ok(t, e.register())
	if w := c.worker(e.public()); w.Operator != account(2) || len(w.Info.Endpoints) != 0 {
		t.Fatalf("operator %s with endpoints %v", w.Operator, w.Info.Endpoints)
	}
	for n, count := range map[byte]int{1: 0, 2: 1} {
		r, err := c.query.OperatorWorkers(c.ctx, &types.QueryOperatorWorkersRequest{Operator: accountText(n)})
		ok(t, err)
		if len(r.Workers) != count {
			t.Fatalf("operator %d has %d workers, want %d", n, len(r.Workers), count)
		}
	}
}

func TestGasIsChargedBeforeEvidenceIsParsed(t *testing.T) {
	c := newChain(t, devnetGenesis())
	garbage := &types.MsgRegisterWorker{Operator: "nobody", Registration: make([]byte, 100), Evidence: make([]byte, 1000)}
	meter := storetypes.NewInfiniteGasMeter()
	_, err := c.msg.RegisterWorker(c.ctx.WithGasMeter(meter), garbage)
	want(t, err, types.ErrMalformed)
	if least := uint64(types.GasRegister + 1100*types.GasRegisterPerByte); meter.GasConsumed() < least {
		t.Fatalf("charged %d, want at least %d", meter.GasConsumed(), least)
	}
}

func TestAFailingHookUndoesTheRegistration(t *testing.T) {
	c := newChain(t, devnetGenesis())
	e := c.enclave(device.Options{})
	c.hooks.err = types.ErrMember
	want(t, e.register(), types.ErrMember)
	if _, found, err := c.k.Worker(c.ctx, e.public()); found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
}
