package keeper_test

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"lukechampine.com/uint128"

	"github.com/phalanx-network/phalanx/chain/x/cluster/keeper"
	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	mqkeeper "github.com/phalanx-network/phalanx/chain/x/mq/keeper"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/wire"
)

// world is a chain with both keepers, wired as the application wires them.
type world struct {
	*mqtest.Network
	t      testing.TB
	k      *keeper.Keeper
	msg    types.MsgServer
	query  types.QueryServer
	queue  mqtypes.MsgServer
	topics mqtypes.QueryServer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Network: mqtest.New(t, wire.StoreCluster), t: t}
	w.k = keeper.NewKeeper(w.Store(wire.StoreCluster), w.Registry, w.Queue, w.Bank)
	w.Registry.Hooks = w.k
	w.Registry.Params.GasPrice = 0
	w.Queue.SetClusters(w.k)
	w.Queue.SetActHandler(w.k, wire.ActKeyReport, wire.ActContract, wire.ActCheckpoint)
	w.msg, w.query = keeper.NewMsgServer(w.k), keeper.NewQueryServer(w.k)
	w.queue, w.topics = mqkeeper.NewMsgServer(w.Queue), mqkeeper.NewQueryServer(w.Queue)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// blocks ends so many blocks.
func (w *world) blocks(n int) {
	w.t.Helper()
	for range n {
		w.must(w.k.EndBlock(w.Ctx))
		w.must(w.Queue.EndBlock(w.Ctx))
		w.Next()
	}
}

func (w *world) enroll(n int) []*mqtest.Enclave {
	w.t.Helper()
	var out []*mqtest.Enclave
	for i := range n {
		out = append(out, w.Enroll(w.t, byte(i)))
	}
	return out
}

func keysOf(workers ...*mqtest.Enclave) [][]byte {
	var out [][]byte
	for _, e := range workers {
		out = append(out, e.ID().Bytes())
	}
	return out
}

func (w *world) create(workers ...*mqtest.Enclave) wire.ClusterID {
	w.t.Helper()
	r, err := w.msg.CreateCluster(w.Ctx, &types.MsgCreateCluster{Creator: mqtest.Authority, Members: keysOf(workers...)})
	w.must(err)
	return wire.ClusterID(r.Cluster)
}

// act delivers an enclave's act and returns what became of it.
func (w *world) act(e *mqtest.Enclave, a wire.Act) mqtypes.SubmitOutcome {
	w.t.Helper()
	_, relayer := mqtest.Account(210)
	r, err := w.queue.Submit(w.Ctx, &mqtypes.MsgSubmit{Relayer: relayer, Messages: [][]byte{e.Sign(w.t, a)}})
	w.must(err)
	return r.Outcomes[0]
}

func (w *world) accepted(e *mqtest.Enclave, a wire.Act) {
	w.t.Helper()
	if got := w.act(e, a); got != mqtypes.OutcomeAccepted {
		w.t.Fatalf("act is %s: %v", got, w.events("phalanx.mq.v1.EventActRefused"))
	}
}

// refused delivers an act that must be refused for a reason, and must change nothing in the cluster's store.
func (w *world) refused(e *mqtest.Enclave, a wire.Act, reason error) {
	w.t.Helper()
	before := w.Dump(wire.StoreCluster)
	got := w.act(e, a)
	events := w.events("phalanx.mq.v1.EventActRefused")
	if got != mqtypes.OutcomeRefused || !strings.Contains(events[len(events)-1], reason.Error()) {
		w.t.Fatalf("act is %s, want it refused: %v; events %v", got, reason, events)
	}
	if w.Dump(wire.StoreCluster) != before {
		w.t.Fatal("a refused act has changed the store")
	}
}

func (w *world) events(name string) []string {
	var out []string
	for _, e := range w.Ctx.EventManager().Events() {
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

// cluster decodes the proven record.
func (w *world) cluster(id wire.ClusterID) *wire.Cluster {
	w.t.Helper()
	var c wire.Cluster
	w.must(scale.Unmarshal(w.Raw(wire.KeyCluster(id)), &c))
	return &c
}

func (w *world) head(id wire.ClusterID) wire.Head {
	w.t.Helper()
	h, err := w.Queue.Head(w.Ctx, wire.ClusterTopic(id))
	w.must(err)
	return h
}

// bodies returns the topic's bodies from an index on.
func (w *world) bodies(id wire.ClusterID, from uint64) []wire.Body {
	w.t.Helper()
	topic := wire.ClusterTopic(id)
	var out []wire.Body
	for from < w.head(id).Count {
		r, err := w.topics.Messages(w.Ctx, &mqtypes.QueryMessagesRequest{
			Topic: hexOf(topic.Bytes()), From: from, MaxBytes: 4 << 20,
		})
		w.must(err)
		for _, raw := range r.Messages {
			var m wire.Message
			var b wire.Body
			w.must(scale.Unmarshal(raw, &m))
			w.must(scale.Unmarshal(m.Payload, &b))
			if m.Sender.Variant != wire.SenderChain && b.Kind != wire.BodyCommand {
				w.t.Fatalf("body %d is not from the chain", b.Kind)
			}
			out = append(out, b)
			from++
		}
	}
	return out
}

func kinds(bodies []wire.Body) []wire.BodyKind {
	var out []wire.BodyKind
	for _, b := range bodies {
		out = append(out, b.Kind)
	}
	return out
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, x := range b {
		s.WriteByte(digits[x>>4])
		s.WriteByte(digits[x&15])
	}
	return s.String()
}

func keyReport(t testing.TB, id wire.ClusterID, epoch uint32, key byte) wire.Act {
	return wire.Act{Kind: wire.ActKeyReport, KeyReport: &wire.KeyReport{
		Cluster: id, Epoch: epoch, Key: mqtest.Ecdh(t, key).Public(),
	}}
}

// fix has the workers report the key of the epoch that is awaited.
func (w *world) fix(id wire.ClusterID, workers ...*mqtest.Enclave) {
	w.t.Helper()
	epoch := w.cluster(id).KeyEpoch
	for _, e := range workers {
		w.accepted(e, keyReport(w.t, id, epoch, byte(epoch)))
	}
	if c := w.cluster(id); c.Fixed == nil || c.Fixed.Epoch != epoch {
		w.t.Fatalf("the key of epoch %d is not fixed: %+v", epoch, c.Fixed)
	}
}

// running returns a cluster with its key fixed and its first mark set, and goes on to the next block.
func (w *world) running(workers ...*mqtest.Enclave) wire.ClusterID {
	w.t.Helper()
	id := w.create(workers...)
	w.fix(id, workers...)
	w.blocks(1)
	if c := w.cluster(id); c.Marks != 1 {
		w.t.Fatalf("%d marks", c.Marks)
	}
	return id
}

func (w *world) push(id wire.ClusterID) {
	w.t.Helper()
	_, sender := mqtest.Account(200)
	_, err := w.queue.Push(w.Ctx, &mqtypes.MsgPush{Sender: sender, Entries: []mqtypes.PushEntry{{
		Cluster: id[:], Envelope: mqtest.Envelope(w.t, commkey.OnChain, 1),
	}}})
	w.must(err)
}

// markCount returns the count that a mark stands at.
func (w *world) markCount(id wire.ClusterID, mark uint64) uint64 {
	w.t.Helper()
	r, err := w.query.Reports(w.Ctx, &types.QueryReportsRequest{Cluster: id.String(), Mark: mark})
	w.must(err)
	return r.Count
}

// report returns a checkpoint of a mark whose state root is the given byte.
func (w *world) report(id wire.ClusterID, mark uint64, root byte, list ...wire.Withdrawal) wire.Act {
	w.t.Helper()
	return wire.Act{Kind: wire.ActCheckpoint, Checkpoint: &wire.Checkpoint{
		Cluster: id, Mark: mark, Count: w.markCount(id, mark), StateRoot: wire.Hash{root}, Withdrawals: list,
	}}
}

func (w *world) status(e *mqtest.Enclave) wire.WorkerStatus {
	w.t.Helper()
	s, _, err := w.Registry.Worker(w.Ctx, e.ID())
	w.must(err)
	return s.Status
}

func (w *world) expire(e *mqtest.Enclave) {
	w.t.Helper()
	w.must(w.Registry.Expire(w.Ctx, e.ID()))
}

func (w *world) isMember(id wire.ClusterID, pk sr25519.PublicKey) bool {
	_, ok := w.cluster(id).Member(pk)
	return ok
}

// deposit mints coins for an account and deposits them.
func (w *world) deposit(id wire.ClusterID, account byte, amount int64) error {
	w.t.Helper()
	a, text := mqtest.Account(account)
	w.must(w.Bank.Mint(w.Ctx, a[:], amount))
	_, err := w.msg.Deposit(w.Ctx, &types.MsgDeposit{
		Depositor: text, Cluster: id[:], Amount: sdk.NewInt64Coin("uphx", amount),
		Beneficiary: mqtest.Envelope(w.t, commkey.OnChain, 40),
	})
	return err
}

func (w *world) balance(account byte) int64 {
	a, _ := mqtest.Account(account)
	return w.Bank.GetBalance(w.Ctx, a[:], "uphx").Amount.Int64()
}

func withdrawal(number uint64, account byte, amount uint64) wire.Withdrawal {
	a, _ := mqtest.Account(account)
	return wire.Withdrawal{Number: number, Account: a, Amount: uint128.From64(amount)}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func fails(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (w *world) moduleAccount() sdk.AccAddress { return authtypes.NewModuleAddress(types.ModuleName) }
