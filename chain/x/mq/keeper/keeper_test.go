package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cosmossdk.io/math"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/phalanx-network/phalanx/chain/x/mq/keeper"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	"github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

var (
	one   = wire.ClusterID{1}
	two   = wire.ClusterID{2}
	alice = func() string { _, text := mqtest.Account(200); return text }()
)

// clusters knows two clusters and counts their commands.
type clusters struct {
	commands map[wire.ClusterID]int
}

func (c *clusters) HasCluster(_ context.Context, id wire.ClusterID) (bool, error) {
	return id == one || id == two, nil
}

func (c *clusters) CommandAppended(_ context.Context, id wire.ClusterID) error {
	c.commands[id]++
	return nil
}

// handler is an act handler of the test's.
type handler func(ctx context.Context, from wire.WorkerLife, act *wire.Act) error

func (h handler) HandleAct(ctx context.Context, from wire.WorkerLife, act *wire.Act) error {
	return h(ctx, from, act)
}

type fixture struct {
	*mqtest.Network
	clusters *clusters
	msg      types.MsgServer
	query    types.QueryServer
}

func setup(tb testing.TB) *fixture {
	tb.Helper()
	f := &fixture{Network: mqtest.New(tb), clusters: &clusters{make(map[wire.ClusterID]int)}}
	f.Queue.SetClusters(f.clusters)
	f.msg = keeper.NewMsgServer(f.Queue)
	f.query = keeper.NewQueryServer(f.Queue)
	account, _ := mqtest.Account(200)
	if err := f.Bank.Mint(f.Ctx, account[:], 1000); err != nil {
		tb.Fatal(err)
	}
	return f
}

func (f *fixture) submit(raw ...[]byte) ([]types.SubmitOutcome, error) {
	r, err := f.msg.Submit(f.Ctx, &types.MsgSubmit{Relayer: alice, Messages: raw})
	if err != nil {
		return nil, err
	}
	return r.Outcomes, nil
}

// events returns the events of a type, each as "key=value" joined.
func (f *fixture) events(name string) []string {
	var out []string
	for _, e := range f.Ctx.EventManager().Events() {
		if e.Type != name {
			continue
		}
		var attrs []string
		for _, a := range e.Attributes {
			attrs = append(attrs, a.Key+"="+a.Value)
		}
		out = append(out, strings.Join(attrs, " "))
	}
	return out
}

func entry(tb testing.TB, id wire.ClusterID, log2 uint32) types.PushEntry {
	return types.PushEntry{Cluster: id[:], GasLog2: log2, Envelope: mqtest.Envelope(tb, commkey.OnChain, 10)}
}

func (f *fixture) push(entries ...types.PushEntry) ([]uint64, error) {
	r, err := f.msg.Push(f.Ctx, &types.MsgPush{Sender: alice, Entries: entries})
	if err != nil {
		return nil, err
	}
	return r.Indexes, nil
}

func same[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPush(t *testing.T) {
	f := setup(t)
	f.Registry.Params.GasPrice = 5
	indexes, err := f.push(entry(t, one, 20), entry(t, two, 21), entry(t, one, 0))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "indexes", fmt.Sprint(indexes), "[0 0 1]")
	// 5 for 2^20 gas, 10 for 2^21, and 1 for a single gas, rounded up.
	fees := f.Bank.GetBalance(f.Ctx, authtypes.NewModuleAddress(mqtest.FeeCollector), "uphx")
	same(t, "fees", fees.Amount.String(), "16")
	same(t, "commands", f.clusters.commands[one], 2)
	same(t, "events", len(f.events("phalanx.mq.v1.EventMessage")), 3)
}

func TestGasFee(t *testing.T) {
	for _, c := range []struct {
		log2  uint8
		price uint64
		want  string
	}{
		{20, 5, "5"}, {19, 5, "3"}, {0, 1, "1"}, {0, 0, "0"}, {40, 1, "1048576"},
		{40, ^uint64(0), math.NewIntFromUint64(^uint64(0)).MulRaw(1 << 20).String()},
	} {
		same(t, fmt.Sprint(c), keeper.GasFee(c.log2, c.price).String(), c.want)
	}
}

func TestPushRefused(t *testing.T) {
	var tooMany []types.PushEntry
	for range types.MaxEntries + 1 {
		tooMany = append(tooMany, entry(t, one, 0))
	}
	with := func(change func(*types.PushEntry)) []types.PushEntry {
		e := entry(t, one, 0)
		change(&e)
		return []types.PushEntry{entry(t, two, 0), e}
	}
	for name, c := range map[string]struct {
		entries []types.PushEntry
		want    error
	}{
		"none":          {nil, types.ErrMalformed},
		"too many":      {tooMany, types.ErrMalformed},
		"short id":      {with(func(e *types.PushEntry) { e.Cluster = e.Cluster[1:] }), types.ErrMalformed},
		"gas":           {with(func(e *types.PushEntry) { e.GasLog2 = 41 }), types.ErrMalformed},
		"gas wraps":     {with(func(e *types.PushEntry) { e.GasLog2 = 256 }), types.ErrMalformed},
		"oversize":      {with(func(e *types.PushEntry) { e.Envelope = make([]byte, wire.MaxEnvelope+1) }), types.ErrMalformed},
		"no cluster":    {with(func(e *types.PushEntry) { e.Cluster = make([]byte, 32) }), types.ErrNoCluster},
		"no envelope":   {with(func(e *types.PushEntry) { e.Envelope = []byte("?") }), types.ErrEnvelope},
		"trailing byte": {with(func(e *types.PushEntry) { e.Envelope = append(e.Envelope, 0) }), types.ErrEnvelope},
		"truncated":     {with(func(e *types.PushEntry) { e.Envelope = e.Envelope[:len(e.Envelope)-1] }), types.ErrEnvelope},
		"purpose": {with(func(e *types.PushEntry) { e.Envelope = mqtest.Envelope(t, commkey.Query, 1) }),
			types.ErrEnvelope},
		"funds": {[]types.PushEntry{entry(t, one, 40)}, mqtest.ErrFunds},
	} {
		f := setup(t)
		f.Ctx, _ = f.Ctx.CacheContext()
		if _, err := f.push(c.entries...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// rotate is an act for the test's handlers.
func rotate(tb testing.TB, epoch uint32) wire.Act {
	return wire.Act{Kind: wire.ActRotateEcdh, RotateEcdh: &wire.RotateEcdh{
		Key: mqtest.Ecdh(tb, 7).Public(), Epoch: epoch,
	}}
}

func TestSubmitOnceInOrder(t *testing.T) {
	f := setup(t)
	var got []uint32
	f.Queue.SetActHandler(handler(func(_ context.Context, _ wire.WorkerLife, act *wire.Act) error {
		got = append(got, act.RotateEcdh.Epoch)
		return nil
	}), wire.ActRotateEcdh)
	e := f.Enroll(t, 0)
	a, b, c := e.Sign(t, rotate(t, 0)), e.Sign(t, rotate(t, 1)), e.Sign(t, rotate(t, 2))

	if _, err := f.submit(b); !errors.Is(err, types.ErrSequenceGap) {
		t.Fatalf("a message too early: %v", err)
	}
	outcomes, err := f.submit(a, a, b, a, b)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", fmt.Sprint(outcomes), "[SUBMIT_OUTCOME_ACCEPTED SUBMIT_OUTCOME_DUPLICATE "+
		"SUBMIT_OUTCOME_ACCEPTED SUBMIT_OUTCOME_DUPLICATE SUBMIT_OUTCOME_DUPLICATE]")
	if _, err = f.submit(b, a, c); err != nil {
		t.Fatal(err)
	}
	same(t, "acts", fmt.Sprint(got), "[0 1 2]")

	// A new incarnation starts at 0, and the old one is dead, replays included.
	old := e.Incarnation
	f.Restart(t, e)
	if _, err := f.submit(a); !errors.Is(err, types.ErrIncarnation) {
		t.Fatalf("a dead incarnation's replay: %v", err)
	}
	if _, err := f.submit(e.SignAs(t, mqtest.UID, old, 3, rotate(t, 3))); !errors.Is(err, types.ErrIncarnation) {
		t.Fatalf("a dead incarnation's next: %v", err)
	}
	if _, err := f.submit(e.Sign(t, rotate(t, 3))); err != nil {
		t.Fatal(err)
	}
	same(t, "acts", fmt.Sprint(got), "[0 1 2 3]")
}

func TestSubmitForged(t *testing.T) {
	f := setup(t)
	f.Queue.SetActHandler(handler(func(context.Context, wire.WorkerLife, *wire.Act) error {
		t.Error("a forged act was carried out")
		return nil
	}), wire.ActRotateEcdh)
	e, idle := f.Enroll(t, 0), f.Enroll(t, 1)
	good := e.SignAs(t, mqtest.UID, e.Incarnation, 0, rotate(t, 0))
	flipped := append([]byte(nil), good...)
	flipped[40] ^= 1 // within the incarnation
	var m wire.SignedMessage
	if err := scale.Unmarshal(good, &m); err != nil {
		t.Fatal(err)
	}
	m.Message.Identity = idle.ID()
	other := f.Enroll(t, 2)
	w, _, err := f.Registry.Worker(f.Ctx, other.ID())
	if err != nil {
		t.Fatal(err)
	}
	w.Status = wire.WorkerExpired
	if err := f.Registry.Put(f.Ctx, &w); err != nil {
		t.Fatal(err)
	}
	stranger := mqtest.New(t).Enroll(t, 9)
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"another chain":     {e.SignAs(t, wire.ChainUID{1}, e.Incarnation, 0, rotate(t, 0)), types.ErrSignature},
		"a flipped bit":     {flipped, types.ErrSignature},
		"another identity":  {scale.MustMarshal(&m), types.ErrSignature},
		"truncated":         {good[:len(good)-1], types.ErrMalformed},
		"trailing":          {append(append([]byte(nil), good...), 0), types.ErrMalformed},
		"oversize":          {make([]byte, wire.MaxSignedMessage+1), types.ErrMalformed},
		"not registered":    {stranger.Sign(t, rotate(t, 0)), types.ErrNotRegistered},
		"expired":           {other.Sign(t, rotate(t, 0)), types.ErrInactive},
		"other incarnation": {e.SignAs(t, mqtest.UID, wire.Incarnation{9}, 0, rotate(t, 0)), types.ErrIncarnation},
		"gap":               {e.SignAs(t, mqtest.UID, e.Incarnation, 1, rotate(t, 0)), types.ErrSequenceGap},
	} {
		before := f.Dump(wire.StoreQueue)
		if _, err := f.submit(c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		same(t, name+": store", f.Dump(wire.StoreQueue), before)
	}
	if _, err := f.msg.Submit(f.Ctx, &types.MsgSubmit{Relayer: alice}); !errors.Is(err, types.ErrMalformed) {
		t.Errorf("no messages: %v", err)
	}
}

// TestRefusal: a refused act leaves no write, uses its sequence and says why; the next act goes on.
func TestRefusal(t *testing.T) {
	f := setup(t)
	f.Queue.SetActHandler(handler(func(ctx context.Context, _ wire.WorkerLife, act *wire.Act) error {
		body := wire.Body{Kind: wire.BodyMark, Mark: &wire.Mark{Number: 1}}
		if _, err := f.Queue.Append(ctx, wire.Sender{}, wire.ClusterTopic(one), &body); err != nil {
			return err
		}
		if act.RotateEcdh.Epoch == 0 {
			return errors.New("too late")
		}
		return nil
	}), wire.ActRotateEcdh)
	e := f.Enroll(t, 0)
	unknown := wire.Act{Kind: wire.ActKeyReport, KeyReport: &wire.KeyReport{Key: mqtest.Ecdh(t, 7).Public()}}
	outcomes, err := f.submit(e.Sign(t, rotate(t, 0)), e.Sign(t, unknown), e.Sign(t, rotate(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", fmt.Sprint(outcomes),
		"[SUBMIT_OUTCOME_REFUSED SUBMIT_OUTCOME_REFUSED SUBMIT_OUTCOME_ACCEPTED]")
	head, err := f.Queue.Head(f.Ctx, wire.ClusterTopic(one))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "messages", head.Count, 1)
	refused := f.events("phalanx.mq.v1.EventActRefused")
	same(t, "refusals", len(refused), 2)
	if !strings.Contains(refused[0], `reason="too late"`) || !strings.Contains(refused[0], `sequence="0"`) {
		t.Errorf("event: %s", refused[0])
	}
	seq, err := f.query.Sequence(f.Ctx, &types.QuerySequenceRequest{Identity: e.ID().String()})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "next", seq.Next, 3)
}

// TestSuspendedInOneTransaction: messages after the one that costs an enclave its standing must not undo that judgment.
func TestSuspendedInOneTransaction(t *testing.T) {
	f := setup(t)
	f.Queue.SetActHandler(handler(func(ctx context.Context, from wire.WorkerLife, _ *wire.Act) error {
		return f.Registry.Suspend(ctx, from.Identity)
	}), wire.ActRotateEcdh)
	e := f.Enroll(t, 0)
	outcomes, err := f.submit(e.Sign(t, rotate(t, 0)), e.Sign(t, rotate(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", fmt.Sprint(outcomes), "[SUBMIT_OUTCOME_ACCEPTED SUBMIT_OUTCOME_IGNORED]")
	if _, err := f.submit(e.Sign(t, rotate(t, 2))); !errors.Is(err, types.ErrInactive) {
		t.Fatalf("after the suspension: %v", err)
	}
}

func TestPosts(t *testing.T) {
	f := setup(t)
	worker, keeper := f.Enroll(t, 0), f.Enroll(t, 1)
	if err := f.Registry.NameGatekeepers(f.Ctx, keeper.ID()); err != nil {
		t.Fatal(err)
	}
	request := func(first, last uint32) *wire.Body {
		return &wire.Body{Kind: wire.BodyKeyRequest, KeyRequest: &wire.KeyRequest{
			Cluster: one, First: first, Last: last, OneTime: mqtest.Ecdh(t, 7).Public(),
		}}
	}
	grant := func(purpose commkey.Purpose) *wire.Body {
		return &wire.Body{Kind: wire.BodyKeyGrant, KeyGrant: &wire.KeyGrant{
			Cluster: one, Envelope: mqtest.Envelope(t, purpose, 10),
		}}
	}
	mark := &wire.Body{Kind: wire.BodyMark, Mark: &wire.Mark{Number: 1}}
	fixed := &wire.Body{Kind: wire.BodyKeyFixed, KeyFixed: &wire.KeyFixed{Key: mqtest.Ecdh(t, 7).Public()}}
	for name, c := range map[string]struct {
		from  *mqtest.Enclave
		topic wire.Topic
		body  *wire.Body
		want  types.SubmitOutcome
	}{
		"request":                 {worker, wire.GatekeepersTopic(), request(0, 63), types.OutcomeAccepted},
		"grant":                   {keeper, wire.EntityTopic(worker.ID()), grant(commkey.KeyDistribution), types.OutcomeAccepted},
		"request by gatekeeper":   {keeper, wire.GatekeepersTopic(), request(0, 0), types.OutcomeRefused},
		"request backwards":       {worker, wire.GatekeepersTopic(), request(1, 0), types.OutcomeRefused},
		"request too wide":        {worker, wire.GatekeepersTopic(), request(0, 64), types.OutcomeRefused},
		"request whole range":     {worker, wire.GatekeepersTopic(), request(0, ^uint32(0)), types.OutcomeRefused},
		"request to an entity":    {worker, wire.EntityTopic(keeper.ID()), request(0, 0), types.OutcomeRefused},
		"grant by worker":         {worker, wire.EntityTopic(keeper.ID()), grant(commkey.KeyDistribution), types.OutcomeRefused},
		"grant of purpose 0":      {keeper, wire.EntityTopic(worker.ID()), grant(commkey.OnChain), types.OutcomeRefused},
		"grant to gatekeepers":    {keeper, wire.GatekeepersTopic(), grant(commkey.KeyDistribution), types.OutcomeRefused},
		"mark to a cluster":       {worker, wire.ClusterTopic(one), mark, types.OutcomeRefused},
		"key to a cluster":        {keeper, wire.ClusterTopic(one), fixed, types.OutcomeRefused},
		"mark to gatekeepers":     {worker, wire.GatekeepersTopic(), mark, types.OutcomeRefused},
		"request to a cluster":    {worker, wire.ClusterTopic(one), request(0, 0), types.OutcomeRefused},
		"key fixed to gatekeeper": {worker, wire.EntityTopic(keeper.ID()), fixed, types.OutcomeRefused},
	} {
		head, err := f.Queue.Head(f.Ctx, c.topic)
		if err != nil {
			t.Fatal(err)
		}
		act := wire.Act{Kind: wire.ActPost, Post: &wire.Post{Topic: c.topic, Payload: scale.MustMarshal(c.body)}}
		outcomes, err := f.submit(c.from.Sign(t, act))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, name, outcomes[0], c.want)
		after, err := f.Queue.Head(f.Ctx, c.topic)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name+" count", after.Count-head.Count, map[bool]uint64{true: 1}[c.want == types.OutcomeAccepted])
	}
	act := wire.Act{Kind: wire.ActPost, Post: &wire.Post{Topic: wire.GatekeepersTopic(), Payload: []byte{0xff}}}
	outcomes, err := f.submit(worker.Sign(t, act))
	if err != nil || outcomes[0] != types.OutcomeRefused {
		t.Fatalf("a payload that is no body: %v %v", outcomes, err)
	}
}
