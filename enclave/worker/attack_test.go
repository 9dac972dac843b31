package worker_test

import (
	"crypto/rand"
	"errors"
	"math"
	"testing"

	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/enclave/worker"
	"github.com/phalanx-network/phalanx/wire"
)

// counterStage is two workers with a counter at 0.
func counterStage(t *testing.T) (*stage, *enclavetest.Client, wire.ContractID, *enclavetest.Code) {
	t.Helper()
	return counterStageOf(t, 2)
}

func counterStageOf(t *testing.T, workers int) (*stage, *enclavetest.Client, wire.ContractID, *enclavetest.Code) {
	t.Helper()
	s, code := newStage(t, workers), example(t, "counter")
	alice := enclavetest.NewClient(s.World)
	return s, alice, s.deploy(alice, code.Wasm, code.Input("default")), code
}

// value asks every worker for the counter.
func (s *stage) value(c *enclavetest.Client, id wire.ContractID, code *enclavetest.Code) int {
	s.Helper()
	first := -1
	for i, x := range s.workers {
		r, err := c.Query(x, id, code.Input("get"))
		if err != nil {
			s.Fatal(err)
		}
		if len(r.Outcome.Output) != 5 || r.Outcome.Output[0] != 0 {
			s.Fatalf("outcome %+v", r.Outcome)
		}
		v := int(r.Outcome.Output[1])
		if i > 0 && v != first {
			s.Fatalf("worker %d has %d, worker 0 %d", i, v, first)
		}
		first = v
	}
	return first
}

// Whatever is wrong with a command makes it a no-op on every worker; a good one after it still works.
func TestCommandsThatAreNoOps(t *testing.T) {
	s, alice, id, code := counterStage(t)
	inc := code.Input("inc")
	good := func() *wire.Invocation { return alice.New(wire.ActionCommand, id, inc) }
	fixed := s.Cluster.Fixed
	sent := func(inv *wire.Invocation, target wire.Target) func() {
		return func() { s.Push(alice.Seal(alice.Sign(inv, target), fixed.Key, fixed.Epoch)) }
	}
	other := alice.Target()
	other.Cluster[0] ^= 1
	foreign := alice.Target()
	foreign.UID[0] ^= 1
	replay := alice.Seal(alice.Sign(good(), alice.Target()), fixed.Key, fixed.Epoch)
	again := good()
	again.Nonce--
	with := func(change func(*wire.Invocation)) *wire.Invocation {
		inv := good()
		change(inv)
		return inv
	}
	s.Push(replay)
	s.sync()
	stranger := enclavetest.Must(ecdh.Generate(rand.Reader)).Public()
	cases := map[string]func(){
		"replayed":               func() { s.Push(replay) },
		"nonce again":            sent(again, alice.Target()),
		"lock-out by u64 max":    sent(with(func(i *wire.Invocation) { i.Nonce = math.MaxUint64 }), alice.Target()),
		"nonce just too far":     sent(with(func(i *wire.Invocation) { i.Nonce = s.Millis() + wire.NonceClock + 100_000 }), alice.Target()),
		"expired":                sent(with(func(i *wire.Invocation) { i.NotAfter = s.Height - 1 }), alice.Target()),
		"too far ahead":          sent(with(func(i *wire.Invocation) { i.NotAfter = s.Height + wire.MaxLifetime + 1000 }), alice.Target()),
		"not_after at the limit": sent(with(func(i *wire.Invocation) { i.NotAfter = math.MaxUint64 }), alice.Target()),
		"another cluster's":      sent(good(), other),
		"another chain's":        sent(good(), foreign),
		"a query as a command":   sent(with(func(i *wire.Invocation) { i.Kind.Action = wire.ActionQuery }), alice.Target()),
		"signed for a worker":    sent(good(), alice.Life(s.workers[0])),
		"gas over the prepaid":   sent(with(func(i *wire.Invocation) { i.GasLimit = 1<<34 + 1 }), alice.Target()),
		"to a stranger's key":    func() { s.Push(alice.Seal(alice.Sign(good(), alice.Target()), stranger, 0)) },
		"in an epoch to come": func() {
			s.Push(alice.Seal(alice.Sign(good(), alice.Target()), s.Public(1), 1))
		},
		"right key, wrong epoch": func() { s.Push(alice.Seal(alice.Sign(good(), alice.Target()), fixed.Key, 1)) },
		"another's signature": func() {
			inv := alice.Sign(good(), alice.Target())
			inv.From = enclavetest.NewClient(s.World).Identity()
			s.Push(alice.Seal(inv, fixed.Key, fixed.Epoch))
		},
		"empty":            func() { s.Post(enclavetest.Account(1), nil) },
		"garbage":          func() { s.Post(enclavetest.Account(1), []byte{0, 34, 4, 1}) },
		"garbage envelope": func() { s.Push(wire.Body{Kind: wire.BodyCommand, Command: &wire.Command{Envelope: make([]byte, 400)}}) },
		"from an enclave": func() {
			b := alice.Seal(alice.Sign(good(), alice.Target()), fixed.Key, fixed.Epoch)
			s.Post(wire.Sender{Variant: wire.SenderEnclave, Enclave: s.workers[0].Keys.Identity()}, encode(t, &b))
		},
	}
	value := s.value(alice, id, code)
	for what, post := range cases {
		s.noop(what, post)
	}
	if got := s.value(alice, id, code); got != value {
		t.Fatalf("the counter is %d, was %d", got, value)
	}
	alice.Nonce++
	at := alice.Call(id, inc)
	s.sync()
	s.want(alice, at, wire.StatusDone)
	s.agree()
}

// A flipped bit anywhere in a command makes it a no-op.
func TestFlippedBits(t *testing.T) {
	s, alice, id, code := counterStage(t)
	b := alice.Seal(alice.Sign(alice.New(wire.ActionCommand, id, code.Input("inc")), alice.Target()), s.Cluster.Fixed.Key, 0)
	raw := encode(t, &b)
	s.noop("flipped bits", func() {
		for i := 2; i < len(raw); i++ { // byte 1 is the prepaid gas, which is the sender's own business
			bad := append([]byte(nil), raw...)
			bad[i] ^= 1 << (i % 8)
			s.Post(enclavetest.Account(1), bad)
		}
	})
	at := s.Post(enclavetest.Account(1), raw)
	s.sync()
	s.want(alice, at, wire.StatusDone)
}

// What only the chain may say is a no-op from anybody else.
func TestForgedChainBodies(t *testing.T) {
	s, alice, _, _ := counterStage(t)
	mine := alice.Identity()
	bodies := []wire.Body{
		{Kind: wire.BodyParams, Params: &wire.ClusterParams{ExecutionVersion: 99}},
		{Kind: wire.BodyMembers, Members: &wire.Members{}},
		{Kind: wire.BodyKeyEpoch, KeyEpoch: &wire.KeyEpoch{Epoch: 9}},
		{Kind: wire.BodyKeyFixed, KeyFixed: &wire.KeyFixed{Epoch: 9, Key: s.Public(9)}},
		{Kind: wire.BodyMark, Mark: &wire.Mark{Number: 9}},
		{Kind: wire.BodyPaid, Paid: &wire.Paid{Number: 0}},
		{Kind: wire.BodyDeposit, Deposit: &wire.Deposit{Amount: uint128.From64(1 << 40), Beneficiary: encode(t, &mine)}},
	}
	for _, sender := range []wire.Sender{enclavetest.Account(1), {Variant: wire.SenderEnclave, Enclave: s.Gatekeeper}} {
		for _, b := range bodies {
			s.noop("forged", func() { s.Post(sender, encode(t, &b)) })
		}
	}
	w := alice.Withdraw(1)
	s.sync()
	s.want(alice, w, wire.StatusRefused)
}

// The set of nonces slides: what is below the lowest of a full set stays refused for ever.
func TestNonceWindow(t *testing.T) {
	s, alice, id, code := counterStageOf(t, 1)
	alice.Nonce = 10_000
	for range wire.NonceWindow {
		inv := alice.New(wire.ActionCommand, id, code.Input("get"))
		inv.GasLimit = 1
		alice.Send(inv)
	}
	s.sync()
	s.noop("below the window", func() {
		inv := alice.New(wire.ActionCommand, id, code.Input("inc"))
		inv.Nonce = 5_000
		alice.Send(inv)
	})
	alice.Nonce += wire.NonceAhead - 1
	at := alice.Call(id, code.Input("inc"))
	alice.Nonce = s.Millis() + wire.NonceClock - 1
	clock := alice.Call(id, code.Input("inc"))
	s.sync()
	s.want(alice, at, wire.StatusDone)
	s.want(alice, clock, wire.StatusDone)
	// After the idle time the set is forgotten, and no command of before can still be in time.
	s.Blocks(wire.NonceIdle + 1)
	inv := alice.New(wire.ActionCommand, id, code.Input("inc"))
	inv.Nonce = 1
	fresh := alice.Send(inv)
	s.sync()
	s.want(alice, fresh, wire.StatusDone)
}

// A message that is refused, fails or traps has a receipt, uses its nonce and changes nothing else.
func TestFailuresChangeNothing(t *testing.T) {
	s, alice, id, code := counterStage(t)
	bob := enclavetest.NewClient(s.World)
	s.Deposit(bob.Identity(), 100)
	send := func(change func(*wire.Invocation)) uint64 {
		inv := bob.New(wire.ActionCommand, id, code.Input("inc"))
		change(inv)
		return bob.Send(inv)
	}
	cases := []struct {
		what   string
		status wire.Status
		change func(*wire.Invocation)
	}{
		{"no such contract", wire.StatusRefused, func(i *wire.Invocation) { i.Payload.To[0] ^= 1 }},
		{"the system's own id", wire.StatusRefused, func(i *wire.Invocation) { i.Payload.To = wire.ContractID{} }},
		{"value over balance", wire.StatusRefused, func(i *wire.Invocation) { i.Value = uint128.From64(101) }},
		{"value at the limit", wire.StatusRefused, func(i *wire.Invocation) { i.Value = uint128.Max }},
		{"gas below the base", wire.StatusOutOfGas, func(i *wire.Invocation) { i.GasLimit = 1 }},
		{"no gas", wire.StatusOutOfGas, func(i *wire.Invocation) { i.GasLimit = 0 }},
		{"gas for nothing", wire.StatusOutOfGas, func(i *wire.Invocation) { i.GasLimit = 160_000 }},
		{"overflow traps", wire.StatusTrapped, func(i *wire.Invocation) { i.Payload.Input = []byte{1, 2, 3, 4} }},
		{"no input", wire.StatusTrapped, func(i *wire.Invocation) { i.Payload.Input = nil }},
		{"too much input", wire.StatusTrapped, func(i *wire.Invocation) { i.Payload.Input = make([]byte, wire.MaxInput) }},
		{"contract's own error", wire.StatusReverted, func(i *wire.Invocation) {
			i.Payload.Input = append(code.Input("withdraw"), make([]byte, 15)...)
			i.Payload.Input = append(i.Payload.Input, 1)
		}},
		{"value to a message that takes none", wire.StatusTrapped, func(i *wire.Invocation) { i.Value = uint128.From64(1) }},
		{"withdrawal over balance", wire.StatusRefused, func(i *wire.Invocation) {
			i.Kind = wire.Kind{Action: wire.ActionWithdraw, Amount: uint128.From64(101)}
			i.Payload = wire.Payload{}
		}},
		{"withdrawal of nothing", wire.StatusRefused, func(i *wire.Invocation) {
			i.Kind, i.Payload = wire.Kind{Action: wire.ActionWithdraw}, wire.Payload{}
		}},
		{"instantiation of unknown code", wire.StatusRefused, func(i *wire.Invocation) {
			i.Kind = wire.Kind{Action: wire.ActionInstantiate, CodeHash: wire.CodeHash{1}}
			i.Payload.To = wire.NewContractID(s.Cluster.ID, i.From, i.Kind.CodeHash, i.Kind.Salt)
		}},
		{"instantiation under another id", wire.StatusRefused, func(i *wire.Invocation) {
			i.Kind = wire.Kind{Action: wire.ActionInstantiate, CodeHash: wire.NewCodeHash(code.Wasm)}
		}},
	}
	s.sync()
	before := s.value(alice, id, code)
	for _, c := range cases {
		at := send(c.change)
		s.sync()
		out := s.outcome(bob, at)
		if out.Status != c.status && !(c.status == wire.StatusTrapped && out.Status == wire.StatusReverted) {
			t.Errorf("%s: %s (%s), want %s", c.what, out.Status, out.Fault, c.status)
		}
		if out.Status == wire.StatusDone || len(out.Events) != 0 {
			t.Errorf("%s: %+v", c.what, out)
		}
	}
	if got := s.value(alice, id, code); got != before {
		t.Fatalf("the counter is %d, was %d", got, before)
	}
	paid := bob.Withdraw(100) // the balance is whole
	s.sync()
	s.want(bob, paid, wire.StatusDone)
	s.agree()
}

// Money: deposits, payable calls, pay-outs, withdrawals, payments. Nothing is minted or lost.
func TestLedger(t *testing.T) {
	s, alice, id, code := counterStage(t)
	bob := enclavetest.NewClient(s.World)
	s.Deposit(bob.Identity(), 1000)
	pay := bob.New(wire.ActionCommand, id, code.Input("deposit"))
	pay.Value = uint128.From64(600)
	paid := bob.Send(pay)
	amount := make([]byte, 16)
	amount[0] = 100
	out := bob.Call(id, code.Input("withdraw", amount))
	theft := alice.Call(id, code.Input("withdraw", amount))
	first := bob.Withdraw(450)
	// One that does not open goes back to whom it came from.
	s.Chain(wire.Body{Kind: wire.BodyDeposit, Deposit: &wire.Deposit{
		Depositor: wire.Account{5}, Amount: uint128.From64(70), Beneficiary: []byte("nonsense"),
	}})
	second := bob.Withdraw(50)
	over := bob.Withdraw(1)
	s.sync()
	for _, at := range []uint64{paid, out, first, second} {
		s.want(bob, at, wire.StatusDone)
	}
	s.want(bob, over, wire.StatusRefused)
	if got := s.outcome(alice, theft); got.Status == wire.StatusDone {
		t.Fatal("a caller is paid what it has not deposited")
	}
	p := s.agree()
	want := []wire.Withdrawal{
		{Number: 0, Account: wire.Account{3}, Amount: uint128.From64(450)},
		{Number: 1, Account: wire.Account{5}, Amount: uint128.From64(70)},
		{Number: 2, Account: wire.Account{3}, Amount: uint128.From64(50)},
	}
	check := func(p wire.Checkpoint, want []wire.Withdrawal) {
		t.Helper()
		if len(p.Withdrawals) != len(want) {
			t.Fatalf("unpaid are %+v, want %+v", p.Withdrawals, want)
		}
		for i := range want {
			if p.Withdrawals[i] != want[i] {
				t.Fatalf("unpaid are %+v, want %+v", p.Withdrawals, want)
			}
		}
	}
	check(p, want)
	s.Chain(wire.Body{Kind: wire.BodyPaid, Paid: &wire.Paid{Number: 0}})
	s.Chain(wire.Body{Kind: wire.BodyPaid, Paid: &wire.Paid{Number: 77}})
	check(s.agree(), want[1:])
	reply, err := bob.Query(s.workers[1], id, code.Input("balance"))
	if err != nil || len(reply.Outcome.Output) != 17 || uint128.FromBytes(reply.Outcome.Output[1:]) != uint128.From64(500) {
		t.Fatalf("the contract's balance: %v %+v", err, reply)
	}
	// More than 2¹²⁸ is refused as a deposit, and stops nobody.
	for range 2 {
		s.Chain(wire.Body{Kind: wire.BodyDeposit, Deposit: &wire.Deposit{
			Depositor: wire.Account{6}, Amount: uint128.Max,
			Beneficiary: beneficiary(s, bob.Identity()),
		}})
	}
	if p := s.agree(); len(p.Withdrawals) != 3 || p.Withdrawals[2].Account != (wire.Account{6}) {
		t.Fatalf("unpaid are %+v", p.Withdrawals)
	}
}

func beneficiary(s *stage, who wire.Identity) []byte {
	s.Deposit(who, 0)
	last := s.Messages(s.Count() - 1)[0]
	var b wire.Body
	if err := scale.Unmarshal(last.Payload, &b); err != nil {
		s.Fatal(err)
	}
	return b.Deposit.Beneficiary
}

// Code comes in parts, in any order, by anybody; what does not fit together is refused and wedges nothing.
func TestUploads(t *testing.T) {
	s, code := newStage(t, 2), example(t, "counter")
	alice, mallory := enclavetest.NewClient(s.World), enclavetest.NewClient(s.World)
	hash := wire.NewCodeHash(code.Wasm)
	part := func(c *enclavetest.Client, n, of uint16, hash wire.CodeHash, data []byte) uint64 {
		inv := c.New(wire.ActionUpload, wire.ContractID{}, data)
		inv.Kind.Part, inv.Kind.Of, inv.Kind.CodeHash = n, of, hash
		return c.Send(inv)
	}
	want := func(c *enclavetest.Client, at uint64, status wire.Status) {
		t.Helper()
		s.sync()
		s.want(c, at, status)
	}
	half := len(code.Wasm) / 2
	want(alice, part(alice, 1, 2, hash, code.Wasm[half:]), wire.StatusDone)
	want(alice, part(alice, 0, 3, hash, code.Wasm[:half]), wire.StatusRefused) // another division
	want(mallory, part(mallory, 0, 2, hash, []byte("mine")), wire.StatusDone)  // in its own upload
	want(alice, part(alice, 2, 2, hash, []byte("x")), wire.StatusRefused)
	want(alice, part(alice, 0, 0, hash, []byte("x")), wire.StatusRefused)
	want(alice, part(alice, 0, wire.MaxCodeParts+1, hash, []byte("x")), wire.StatusRefused)
	want(alice, part(alice, 0, 2, hash, nil), wire.StatusRefused)
	want(alice, part(alice, 0, 2, hash, []byte("wrong")), wire.StatusRefused)     // the whole has another hash
	want(alice, part(alice, 0, 2, hash, code.Wasm[:half]), wire.StatusDone)       // sent again
	want(alice, part(alice, 0, 2, hash, code.Wasm[:half]), wire.StatusDone)       // known already
	want(mallory, part(mallory, 1, 2, hash, []byte("anything")), wire.StatusDone) // known already
	garbage := []byte("no module at all")
	want(mallory, part(mallory, 0, 1, wire.NewCodeHash(garbage), garbage), wire.StatusRefused)
	for i := range byte(6) {
		status := wire.StatusDone
		if i >= 3 { // with the one above four are under way
			status = wire.StatusRefused
		}
		want(mallory, part(mallory, 0, 2, wire.CodeHash{i}, []byte("x")), status)
	}
	s.Blocks(wire.MaxLifetime + 1)
	for range 16 {
		s.agree()
	}
	want(mallory, part(mallory, 0, 2, wire.CodeHash{9}, []byte("x")), wire.StatusDone)
	id, at := alice.Instantiate(hash, 1, code.Input("default"))
	want(alice, at, wire.StatusDone)
	_, at = alice.Instantiate(hash, 1, code.Input("default"))
	want(alice, at, wire.StatusRefused)
	if s.value(alice, id, code) != 0 {
		t.Fatal("counter is not 0")
	}
	s.agree()
}

// Queries are for one life of one worker, once, and in time.
func TestQueriesThatAreRefused(t *testing.T) {
	s, alice, id, code := counterStage(t)
	x := s.workers[0]
	get := code.Input("get")
	query := func(change func(*wire.Invocation), target wire.Target) error {
		inv := alice.New(wire.ActionQuery, id, get)
		change(inv)
		_, err := x.Role.Query(t.Context(), s.Cluster.ID, alice.SealQuery(x, alice.Sign(inv, target)))
		return err
	}
	nothing := func(*wire.Invocation) {}
	dead := alice.Life(x)
	dead.Worker.Incarnation[0] ^= 1
	otherUID := alice.Life(x)
	otherUID.UID[0] ^= 1
	cases := map[string]struct {
		err  error
		want error
	}{
		"good":               {query(nothing, alice.Life(x)), nil},
		"for another worker": {query(nothing, alice.Life(s.workers[1])), worker.ErrQuery},
		"for a dead life":    {query(nothing, dead), worker.ErrQuery},
		"another chain":      {query(nothing, otherUID), worker.ErrQuery},
		"for no worker":      {query(nothing, alice.Target()), worker.ErrQuery},
		"a command":          {query(func(i *wire.Invocation) { i.Kind.Action = wire.ActionCommand }, alice.Life(x)), worker.ErrQuery},
		"expired":            {query(func(i *wire.Invocation) { i.NotAfter = s.Height - 1 }, alice.Life(x)), worker.ErrExpired},
		"too far ahead":      {query(func(i *wire.Invocation) { i.NotAfter = s.Height + 101 }, alice.Life(x)), worker.ErrExpired},
		"ahead as can be":    {query(func(i *wire.Invocation) { i.NotAfter = math.MaxUint64 }, alice.Life(x)), worker.ErrExpired},
		"the last block":     {query(func(i *wire.Invocation) { i.NotAfter = s.Height + 100 }, alice.Life(x)), nil},
	}
	for what, c := range cases {
		if !errors.Is(c.err, c.want) || c.want == nil && c.err != nil {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	raw := alice.SealQuery(x, alice.Sign(alice.New(wire.ActionQuery, id, get), alice.Life(x)))
	if _, err := x.Role.Query(t.Context(), s.Cluster.ID, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Role.Query(t.Context(), s.Cluster.ID, raw); !errors.Is(err, worker.ErrReplayed) {
		t.Errorf("replayed: %v", err)
	}
	if _, err := s.workers[1].Role.Query(t.Context(), s.Cluster.ID, raw); !errors.Is(err, worker.ErrQuery) {
		t.Errorf("another worker's: %v", err)
	}
	if _, err := x.Role.Query(t.Context(), wire.ClusterID{1}, raw); !errors.Is(err, worker.ErrUnknownCluster) {
		t.Errorf("unknown cluster: %v", err)
	}
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1 << (i % 8)
		if _, err := x.Role.Query(t.Context(), s.Cluster.ID, bad); !errors.Is(err, worker.ErrQuery) {
			t.Fatalf("flipped byte %d: %v", i, err)
		}
	}
	if _, err := x.Role.Query(t.Context(), s.Cluster.ID, raw[:len(raw)/2]); !errors.Is(err, worker.ErrQuery) {
		t.Errorf("half a query: %v", err)
	}
	x.Age(worker.StaleAfter + 1)
	if err := query(nothing, alice.Life(x)); !errors.Is(err, worker.ErrStale) {
		t.Errorf("stale: %v", err)
	}
	raw = alice.SealQuery(x, alice.Sign(alice.New(wire.ActionQuery, id, get), alice.Life(x)))
	x.Restart()
	s.sync()
	if _, err := x.Role.Query(t.Context(), s.Cluster.ID, raw); !errors.Is(err, worker.ErrQuery) {
		t.Errorf("after a restart: %v", err)
	}
}

// A reply key that cannot be encrypted to harms nobody but its owner.
func TestReplyToTheWorkerItself(t *testing.T) {
	s, alice, id, code := counterStage(t)
	own, _, err := s.workers[0].Keys.EcdhKey()
	if err != nil {
		t.Fatal(err)
	}
	inv := alice.New(wire.ActionCommand, id, code.Input("inc"))
	inv.ReplyTo = own
	at := alice.Send(inv)
	s.sync()
	if _, err := s.workers[0].Role.Receipt(t.Context(), s.Cluster.ID, at, false); err == nil {
		t.Error("a receipt to the worker's own key")
	}
	s.agree()
}
