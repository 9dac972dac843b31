package keeper_test

import (
	"fmt"
	"testing"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	"github.com/phalanx-network/phalanx/wire"
)

func TestCreate(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(3)
	id := w.create(e...)
	creator, _ := mqtest.Account(0xff)
	same(t, "id", id, wire.NewClusterID(mqtest.UID, creator, 0))
	c := w.cluster(id)
	same(t, "members", len(c.Members), 3)
	same(t, "height", c.CreatedAt, 1)
	bodies := w.bodies(id, 0)
	same(t, "topic", fmt.Sprint(kinds(bodies)),
		fmt.Sprint([]wire.BodyKind{wire.BodyParams, wire.BodyMembers, wire.BodyKeyEpoch}))
	same(t, "version", bodies[0].Params.ExecutionVersion, 1)
	same(t, "members in the topic", fmt.Sprint(bodies[1].Members.Members), fmt.Sprint(c.Members))
	same(t, "events", len(w.events("phalanx.cluster.v1.EventClusterCreated")), 1)
	second := w.create(e...)
	same(t, "second id", second, wire.NewClusterID(mqtest.UID, creator, 1))
	state, _, err := w.Registry.Worker(w.Ctx, e[0].ID())
	w.must(err)
	same(t, "worker's clusters", fmt.Sprint(state.Clusters), fmt.Sprint([]wire.ClusterID{id, second}))
}

func TestCreateRefused(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(4)
	w.must(w.Registry.NameGatekeepers(w.Ctx, e[1].ID()))
	w.expire(e[2])
	_, operator := mqtest.Account(0)
	var tooMany [][]byte
	for range wire.MaxMembers + 1 {
		tooMany = append(tooMany, e[0].ID().Bytes())
	}
	stranger := mqtest.New(t).Enroll(t, 50)
	for name, c := range map[string]struct {
		signer  string
		members [][]byte
		want    error
	}{
		"none":            {mqtest.Authority, nil, types.ErrMalformed},
		"too many":        {mqtest.Authority, tooMany, types.ErrMalformed},
		"short key":       {mqtest.Authority, [][]byte{{1}}, types.ErrMalformed},
		"identity point":  {mqtest.Authority, [][]byte{make([]byte, 32)}, types.ErrMalformed},
		"twice":           {mqtest.Authority, keysOf(e[0], e[0]), types.ErrWorker},
		"gatekeeper":      {mqtest.Authority, keysOf(e[0], e[1]), types.ErrWorker},
		"expired":         {mqtest.Authority, keysOf(e[2]), types.ErrWorker},
		"unknown":         {mqtest.Authority, keysOf(stranger), types.ErrWorker},
		"others' workers": {operator, keysOf(e[0], e[3]), types.ErrNotAllowed},
		"bad address":     {"phx1", keysOf(e[0]), types.ErrMalformed},
	} {
		_, err := w.msg.CreateCluster(w.Ctx, &types.MsgCreateCluster{Creator: c.signer, Members: c.members})
		fails(t, name, err, c.want)
	}
}

func TestTooManyClusters(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	for range wire.MaxWorkerClusters {
		w.create(e...)
	}
	_, err := w.msg.CreateCluster(w.Ctx, &types.MsgCreateCluster{Creator: mqtest.Authority, Members: keysOf(e...)})
	fails(t, "one more", err, types.ErrWorker)
}

func TestChangeMembersRights(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(3)
	owner, operator := mqtest.Account(0)
	// Account 0 operates workers 0 and 2.
	state, _, err := w.Registry.Worker(w.Ctx, e[2].ID())
	w.must(err)
	state.Operator = owner
	w.must(w.Registry.Put(w.Ctx, &state))
	r, err := w.msg.CreateCluster(w.Ctx, &types.MsgCreateCluster{Creator: operator, Members: keysOf(e[0])})
	w.must(err)
	_, other := mqtest.Account(1)
	add := func(signer string, workers ...*mqtest.Enclave) error {
		_, err := w.msg.AddMembers(w.Ctx, &types.MsgAddMembers{
			Signer: signer, Cluster: r.Cluster, Members: keysOf(workers...)})
		return err
	}
	remove := func(signer string, workers ...*mqtest.Enclave) error {
		_, err := w.msg.RemoveMembers(w.Ctx, &types.MsgRemoveMembers{
			Signer: signer, Cluster: r.Cluster, Members: keysOf(workers...)})
		return err
	}
	fails(t, "a stranger adds its own worker", add(other, e[1]), types.ErrNotAllowed)
	fails(t, "the creator adds another's worker", add(operator, e[1]), types.ErrNotAllowed)
	fails(t, "the creator adds its worker", add(operator, e[2]), nil)
	fails(t, "the creator adds it again", add(operator, e[2]), types.ErrWorker)
	fails(t, "the authority adds any worker", add(mqtest.Authority, e[1]), nil)
	fails(t, "an operator removes its worker", remove(other, e[1]), types.ErrNotAllowed)
	fails(t, "the creator removes any worker", remove(operator, e[1]), nil)
	fails(t, "the creator removes who is no member", remove(operator, e[1]), types.ErrNotMember)
	undo := w.Ctx
	w.Ctx, _ = w.Ctx.CacheContext()
	fails(t, "the authority removes all", remove(mqtest.Authority, e[0], e[2]), types.ErrLastMember)
	w.Ctx = undo
	same(t, "members", len(w.cluster(wire.ClusterID(r.Cluster)).Members), 2)
	same(t, "key epoch", w.cluster(wire.ClusterID(r.Cluster)).KeyEpoch, 1)
	_, err = w.msg.AddMembers(w.Ctx, &types.MsgAddMembers{
		Signer: mqtest.Authority, Cluster: make([]byte, 32), Members: keysOf(e[1])})
	fails(t, "no cluster", err, types.ErrNoCluster)
}

func TestKeyFixedByQuorum(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(5)
	id := w.create(e[:4]...)
	w.refused(e[4], keyReport(t, id, 0, 1), types.ErrNotMember)
	w.refused(e[0], keyReport(t, wire.ClusterID{9}, 0, 1), types.ErrNoCluster)
	w.refused(e[0], keyReport(t, id, 1, 1), types.ErrStale)
	w.accepted(e[0], keyReport(t, id, 0, 1))
	w.accepted(e[0], keyReport(t, id, 0, 1)) // again, and it counts once
	w.refused(e[0], keyReport(t, id, 0, 2), types.ErrConflict)
	w.accepted(e[1], keyReport(t, id, 0, 2)) // a liar
	w.accepted(e[2], keyReport(t, id, 0, 1))
	if w.cluster(id).Fixed != nil {
		t.Fatal("two of four have fixed the key")
	}
	w.accepted(e[3], keyReport(t, id, 0, 1))
	c := w.cluster(id)
	if c.Fixed == nil || c.Fixed.Key != mqtest.Ecdh(t, 1).Public() || c.Fixed.Height != w.Height() {
		t.Fatalf("fixed is %+v", c.Fixed)
	}
	bodies := w.bodies(id, 3)
	same(t, "topic", fmt.Sprint(kinds(bodies)), fmt.Sprint([]wire.BodyKind{wire.BodyKeyFixed}))
	same(t, "key in the topic", bodies[0].KeyFixed.Key, c.Fixed.Key)
	// Afterwards the truth is harmless and anything else refused.
	w.accepted(e[0], keyReport(t, id, 0, 1))
	w.refused(e[1], keyReport(t, id, 0, 2), types.ErrConflict)
}

// TestLostMember: expiry, suspension and removal start a new key epoch; the old key stays in force until the new one is
// fixed, by those who may still act.
func TestLostMember(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(3)
	id := w.running(e...)
	for i, lose := range []func(){
		func() { w.expire(e[2]) },
		func() { w.must(w.Registry.Suspend(w.Ctx, e[1].ID())) },
		func() {
			_, err := w.msg.RemoveMembers(w.Ctx, &types.MsgRemoveMembers{
				Signer: mqtest.Authority, Cluster: id[:], Members: keysOf(e[2])})
			w.must(err)
		},
	} {
		from := w.head(id).Count
		lose()
		c := w.cluster(id)
		same(t, "key epoch", c.KeyEpoch, uint32(i+1))
		same(t, "epoch in force", c.Fixed.Epoch, uint32(i))
		bodies := w.bodies(id, from)
		last := bodies[len(bodies)-1]
		same(t, "last body", last.Kind, wire.BodyKeyEpoch)
		same(t, "epoch in the topic", last.KeyEpoch.Epoch, uint32(i+1))
		w.refused(e[0], keyReport(t, id, uint32(i), byte(i+50)), types.ErrConflict)
		switch i {
		case 0:
			// Two of three may act, and both are needed.
			w.accepted(e[0], keyReport(t, id, 1, 1))
			same(t, "epoch in force", w.cluster(id).Fixed.Epoch, 0)
			w.fix(id, e[1])
		default:
			w.fix(id, e[0])
		}
	}
	// Whoever lost its place for a time keeps it: registered afresh, it reports and votes again.
	same(t, "members", len(w.cluster(id).Members), 2)
}

// TestEpochReplaced: reports on an epoch that was replaced before it was fixed do not count for the next.
func TestEpochReplaced(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(4)
	id := w.create(e...)
	w.accepted(e[0], keyReport(t, id, 0, 1))
	w.accepted(e[1], keyReport(t, id, 0, 1))
	w.expire(e[3])
	w.refused(e[2], keyReport(t, id, 0, 1), types.ErrStale)
	w.accepted(e[2], keyReport(t, id, 1, 1))
	if w.cluster(id).Fixed != nil {
		t.Fatal("reports of epoch 0 counted for epoch 1")
	}
	w.accepted(e[0], keyReport(t, id, 1, 1))
	same(t, "epoch", w.cluster(id).Fixed.Epoch, 1)
}

// TestJoiner: its keys begin with the last finalized root's epoch, or with an older one that messages behind that root
// may still be encrypted to; and a mark follows in the same block.
func TestJoiner(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(3)
	id := w.running(e[0])
	w.accepted(e[0], w.report(id, 1, 1))
	w.blocks(1)
	w.expire(e[0])
	w.Restart(t, e[0])
	w.fix(id, e[0])
	w.blocks(6)
	mark := w.cluster(id).Marks
	report := w.report(id, mark, 2)
	report.Checkpoint.KeyEpoch = 1
	w.accepted(e[0], report)
	_, err := w.msg.AddMembers(w.Ctx, &types.MsgAddMembers{
		Signer: mqtest.Authority, Cluster: id[:], Members: keysOf(e[1])})
	w.must(err)
	m, _ := w.cluster(id).Member(e[1].ID())
	same(t, "since, within the old key's grace", m.SinceEpoch, 0)
	w.blocks(1)
	same(t, "marks", w.cluster(id).Marks, mark+1)
	w.blocks(20)
	same(t, "marks while idle", w.cluster(id).Marks, mark+1)

	w.blocks(wire.KeyEpochGrace)
	w.push(id)
	w.blocks(6)
	mark = w.cluster(id).Marks
	for _, member := range e[:2] {
		report := w.report(id, mark, 3)
		report.Checkpoint.KeyEpoch = 1
		w.accepted(member, report)
	}
	same(t, "finalized", w.cluster(id).Finalized.Mark, mark)
	_, err = w.msg.AddMembers(w.Ctx, &types.MsgAddMembers{
		Signer: mqtest.Authority, Cluster: id[:], Members: keysOf(e[2])})
	w.must(err)
	m, _ = w.cluster(id).Member(e[2].ID())
	same(t, "since, after it", m.SinceEpoch, 1)
}

// TestSilentBeforeTheFix: whoever does not report the key while another does is removed, and the rest go on.
func TestSilentBeforeTheFix(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(2)
	id := w.create(e...)
	w.blocks(40)
	same(t, "members while nobody reports", len(w.cluster(id).Members), 2)
	w.accepted(e[0], keyReport(t, id, 0, 1))
	w.blocks(10)
	same(t, "members after two misses", len(w.cluster(id).Members), 2)
	w.blocks(5)
	if w.isMember(id, e[1].ID()) || !w.isMember(id, e[0].ID()) {
		t.Fatalf("members are %v", w.cluster(id).Members)
	}
	same(t, "key epoch", w.cluster(id).KeyEpoch, 1)
	w.blocks(40)
	same(t, "the last stays", len(w.cluster(id).Members), 1)
	w.fix(id, e[0])
}
