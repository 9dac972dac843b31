package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cosmossdk.io/math"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"lukechampine.com/uint128"
	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/wire"
)

func newMeter() storetypes.GasMeter { return storetypes.NewInfiniteGasMeter() }

// balanced checks that the escrow holds exactly what clusters are owed.
func (w *world) balanced() {
	w.t.Helper()
	surplus, err := w.k.EscrowSurplus(w.Ctx)
	w.must(err)
	if !surplus.IsZero() {
		w.t.Fatalf("the escrow is off by %s", surplus)
	}
}

func TestDepositRefused(t *testing.T) {
	w := newWorld(t)
	id := w.running(w.enroll(1)...)
	account, text := mqtest.Account(1)
	w.must(w.Bank.Mint(w.Ctx, account[:], 100))
	good := mqtest.Envelope(t, commkey.OnChain, 40)
	huge, _ := math.NewIntFromString("340282366920938463463374607431768211456")
	for name, c := range map[string]struct {
		id          []byte
		amount      sdk.Coin
		beneficiary []byte
		want        error
	}{
		"no cluster":    {make([]byte, 32), sdk.NewInt64Coin("uphx", 1), good, types.ErrNoCluster},
		"short id":      {id[:31], sdk.NewInt64Coin("uphx", 1), good, types.ErrMalformed},
		"nothing":       {id[:], sdk.NewInt64Coin("uphx", 0), good, types.ErrAmount},
		"negative":      {id[:], sdk.Coin{Denom: "uphx", Amount: math.NewInt(-1)}, good, types.ErrAmount},
		"other coins":   {id[:], sdk.NewInt64Coin("stake", 1), good, types.ErrAmount},
		"over 128 bits": {id[:], sdk.NewCoin("uphx", huge), good, types.ErrAmount},
		"no funds":      {id[:], sdk.NewInt64Coin("uphx", 101), good, mqtest.ErrFunds},
		"no envelope":   {id[:], sdk.NewInt64Coin("uphx", 1), []byte{1}, types.ErrMalformed},
		"purpose":       {id[:], sdk.NewInt64Coin("uphx", 1), mqtest.Envelope(t, commkey.Reply, 1), types.ErrMalformed},
		"oversize": {id[:], sdk.NewInt64Coin("uphx", 1), mqtest.Envelope(t, commkey.OnChain, 4000),
			types.ErrMalformed},
	} {
		_, err := w.msg.Deposit(w.Ctx, &types.MsgDeposit{
			Depositor: text, Cluster: c.id, Amount: c.amount, Beneficiary: c.beneficiary})
		fails(t, name, err, c.want)
	}
	same(t, "balance", w.balance(1), 100)
}

// TestPayments: each number once and in order, whatever the reports repeat.
func TestPayments(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.running(e...)
	w.must(w.deposit(id, 1, 100))
	rich := w.running(w.Enroll(t, 1))
	w.must(w.deposit(rich, 1, 1000))
	next := func(list ...wire.Withdrawal) []wire.Body {
		t.Helper()
		w.push(id)
		w.blocks(6)
		from := w.head(id).Count
		w.accepted(e[0], w.report(id, w.cluster(id).Marks, 1, list...))
		w.balanced()
		return w.bodies(id, from)
	}
	bodies := next(withdrawal(0, 2, 10), withdrawal(1, 3, 20))
	same(t, "topic", fmt.Sprint(kinds(bodies)), fmt.Sprint([]wire.BodyKind{wire.BodyPaid, wire.BodyPaid}))
	same(t, "number", bodies[1].Paid.Number, 1)
	same(t, "bodies of a repeated list", len(next(withdrawal(0, 2, 10), withdrawal(1, 3, 20), withdrawal(2, 2, 5))), 1)
	same(t, "paid to 2", w.balance(2), 15)
	same(t, "paid to 3", w.balance(3), 20)

	same(t, "a number is skipped", len(next(withdrawal(4, 2, 1))), 0)
	same(t, "more than the escrow", len(next(withdrawal(3, 2, 66))), 0)
	same(t, "stopped", len(w.events("phalanx.cluster.v1.EventPaymentsStopped")), 1)
	same(t, "the other cluster's coins", w.cluster(rich).Escrow, uint128.From64(1000))
	huge := withdrawal(3, 2, 0)
	huge.Amount = uint128.Max
	same(t, "all there is", len(next(huge)), 0)
	same(t, "within it", len(next(withdrawal(3, 2, 65), withdrawal(4, 2, 0))), 2)
	same(t, "escrow", w.cluster(id).Escrow, uint128.Zero)
	same(t, "next", w.cluster(id).NextPaid, 5)
}

// TestManyWithdrawals: more than one report lists bring another mark, though nothing new is said to the cluster.
func TestManyWithdrawals(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.running(e...)
	w.must(w.deposit(id, 1, 1000))
	w.blocks(6)
	var list []wire.Withdrawal
	for i := range uint64(wire.MaxWithdrawals + 1) {
		list = append(list, withdrawal(i, 2, 1))
	}
	mark := w.cluster(id).Marks
	w.accepted(e[0], w.report(id, mark, 1, list[:wire.MaxWithdrawals]...))
	w.blocks(6)
	same(t, "marks", w.cluster(id).Marks, mark+1)
	w.accepted(e[0], w.report(id, mark+1, 1, list[wire.MaxWithdrawals:]...))
	w.blocks(20)
	same(t, "marks when all is paid", w.cluster(id).Marks, mark+1)
	same(t, "paid", w.balance(2), wire.MaxWithdrawals+1)
	w.balanced()
}

// TestHeld: an account that the bank refuses stops nobody's money, its own included.
func TestHeld(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.running(e...)
	w.must(w.deposit(id, 1, 100))
	w.blocks(6)
	blocked, _ := mqtest.Account(66)
	w.Bank.Blocked[string(blocked[:])] = true
	w.accepted(e[0], w.report(id, 2, 1, withdrawal(0, 66, 40), withdrawal(1, 2, 10)))
	same(t, "paid behind it", w.balance(2), 10)
	w.balanced()
	r, err := w.query.Held(w.Ctx, &types.QueryHeldRequest{Cluster: id.String()})
	w.must(err)
	same(t, "held", len(r.Held), 1)
	same(t, "amount", r.Held[0].Amount, "40")
	_, to := mqtest.Account(5)
	release := types.MsgReleaseHeld{Authority: to, Cluster: id[:], Recipient: to}
	_, err = w.msg.ReleaseHeld(w.Ctx, &release)
	fails(t, "by anybody", err, types.ErrNotAllowed)
	release.Authority = mqtest.Authority
	_, err = w.msg.ReleaseHeld(w.Ctx, &release)
	w.must(err)
	same(t, "released", w.balance(5), 40)
	w.balanced()
	_, err = w.msg.ReleaseHeld(w.Ctx, &release)
	fails(t, "twice", err, types.ErrNotFound)
}

// TestEscrowProperty: whatever is deposited and whatever members report, coins are neither made nor lost, and each
// number is paid once.
func TestEscrowProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		w.Registry.Params.MarkInterval = 1
		e := w.enroll(2)
		ids := []wire.ClusterID{w.running(e[0]), w.running(e[1])}
		blocked, _ := mqtest.Account(66)
		w.Bank.Blocked[string(blocked[:])] = true
		deposited := [2]uint64{}
		paid := [2]map[uint64]uint64{{}, {}}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "cluster")
			if rapid.Bool().Draw(r, "deposit") {
				amount := rapid.Int64Range(1, 50).Draw(r, "amount")
				w.must(w.deposit(ids[i], 1, amount))
				deposited[i] += uint64(amount)
			}
			w.push(ids[i])
			w.blocks(2)
			c := w.cluster(ids[i])
			next := c.NextPaid + uint64(rapid.IntRange(-2, 1).Draw(r, "first"))
			if next > 1<<60 {
				next = 0
			}
			var list []wire.Withdrawal
			for range rapid.IntRange(0, 4).Draw(r, "withdrawals") {
				account := rapid.SampledFrom([]byte{66, 2, 3}).Draw(r, "account")
				list = append(list, withdrawal(next, account, rapid.Uint64Range(0, 30).Draw(r, "sum")))
				next += uint64(rapid.SampledFrom([]int{1, 1, 1, 1, 0, 2}).Draw(r, "step"))
			}
			before := c.NextPaid
			w.accepted(e[i], w.report(ids[i], c.Marks, 1, list...))
			after := w.cluster(ids[i]).NextPaid
			for _, x := range list {
				if _, done := paid[i][x.Number]; !done && x.Number >= before && x.Number < after {
					paid[i][x.Number] = x.Amount.Lo
				}
			}
			w.balanced()
		}
		for i, id := range ids {
			sum := w.cluster(id).Escrow.Lo
			for _, amount := range paid[i] {
				sum += amount
			}
			if sum != deposited[i] || uint64(len(paid[i])) != w.cluster(id).NextPaid {
				r.Fatalf("cluster %d: %d deposited, %d there or paid", i, deposited[i], sum)
			}
		}
	})
}

// TestDeterminism: the same operations give the same app hash, and genesis carries the whole state.
func TestDeterminism(t *testing.T) {
	run := func() (*world, string) {
		w := newWorld(t)
		w.Registry.Params.MarkInterval = 2
		random := rand.New(rand.NewPCG(1, 2))
		e := w.enroll(5)
		id := w.running(e[:4]...)
		w.must(w.deposit(id, 1, 1000))
		for i := range 60 {
			w.push(id)
			w.blocks(1)
			c := w.cluster(id)
			x := e[random.IntN(4)]
			if w.status(x) != wire.WorkerActive || !w.isMember(id, x.ID()) {
				continue
			}
			w.act(x, w.report(id, c.Marks, byte(random.IntN(20)/19)))
			w.act(x, contractReport(id, byte(random.IntN(4)), 1, 1))
			w.act(x, keyReport(t, id, c.KeyEpoch, 1))
			if i == 30 {
				w.expire(e[0])
			}
		}
		return w, string(w.Commit())
	}
	a, first := run()
	_, second := run()
	same(t, "app hash", first, second)
	if a.cluster(wire.NewClusterID(mqtest.UID, wire.Account{0xac, 0xff}, 0)).Finalized == nil {
		t.Fatal("the run has finalized nothing")
	}

	g, err := a.k.ExportGenesis(a.Ctx)
	a.must(err)
	again := newWorld(t)
	fails(t, "without the coins", again.k.InitGenesis(again.Ctx, g), types.ErrCorrupt)
	again = newWorld(t)
	again.must(again.Bank.Mint(again.Ctx, a.moduleAccount(), 1000))
	again.must(again.k.InitGenesis(again.Ctx, g))
	same(t, "store", again.Dump(wire.StoreCluster), a.Dump(wire.StoreCluster))
	for i := range g.Records {
		damaged := *g
		damaged.Records = append([]types.GenesisRecord(nil), g.Records...)
		damaged.Records[i].Value = append([]byte{0xff}, damaged.Records[i].Value...)
		if newWorld(t).k.InitGenesis(newWorld(t).Ctx, &damaged) == nil {
			t.Fatalf("the damaged record %q was taken", g.Records[i].Key)
		}
		if i > 40 {
			break
		}
	}
}
