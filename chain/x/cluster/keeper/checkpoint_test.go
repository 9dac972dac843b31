package keeper_test

import (
	"fmt"
	"testing"

	mqtypes "github.com/phalanx-network/phalanx/chain/x/mq/types"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/wire"
)

func (w *world) finalized(id wire.ClusterID, mark uint64) *wire.Finalized {
	w.t.Helper()
	raw := w.Raw(wire.KeyFinalized(id, mark))
	if raw == nil {
		return nil
	}
	var f wire.Finalized
	w.must(scale.Unmarshal(raw, &f))
	return &f
}

// TestMarks: a mark follows what is new, not more often than the interval, and nothing follows a mark or a payment.
func TestMarks(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.create(e...)
	w.push(id)
	w.blocks(20)
	same(t, "marks before the fix", w.cluster(id).Marks, 0)
	w.fix(id, e...)
	w.blocks(1)
	same(t, "marks after the fix", w.cluster(id).Marks, 1)
	first := w.Height() - 1
	w.blocks(30)
	same(t, "marks of an idle cluster", w.cluster(id).Marks, 1)
	w.push(id)
	w.blocks(1)
	same(t, "marks after a pause", w.cluster(id).Marks, 2)
	for range 12 {
		w.push(id)
		w.blocks(1)
	}
	same(t, "marks of 12 busy blocks", w.cluster(id).Marks, 4)
	bodies := w.bodies(id, 0)
	same(t, "count at mark 4", w.markCount(id, 4) <= uint64(len(bodies)), true)
	same(t, "body at mark 4", bodies[w.markCount(id, 4)-1].Kind, wire.BodyMark)
	same(t, "number of mark 4", bodies[w.markCount(id, 4)-1].Mark.Number, 4)
	w.must(w.deposit(id, 1, 100))
	w.blocks(6)
	mark := w.cluster(id).Marks
	w.accepted(e[0], w.report(id, mark, 1, withdrawal(0, 2, 30)))
	w.blocks(30)
	same(t, "marks after a payment", w.cluster(id).Marks, mark)
	same(t, "first mark", first, 21)
}

func TestFinalize(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(5)
	id := w.running(e[:4]...)
	w.push(id)
	w.blocks(6)
	w.refused(e[4], w.report(id, 1, 1), types.ErrNotMember)
	wrong := w.report(id, 1, 1)
	wrong.Checkpoint.Count++
	w.refused(e[0], wrong, types.ErrConflict)
	wrong = w.report(id, 1, 1)
	wrong.Checkpoint.KeyEpoch = 1
	w.refused(e[0], wrong, types.ErrConflict)
	wrong = w.report(id, 1, 1)
	wrong.Checkpoint.Mark = 3
	w.refused(e[0], wrong, types.ErrNoMark)
	wrong = w.report(id, 1, 1)
	wrong.Checkpoint.Cluster = wire.ClusterID{9}
	w.refused(e[0], wrong, types.ErrNoCluster)

	// The second mark is finalized before the first; the record keeps the second.
	for _, x := range e[:3] {
		if w.finalized(id, 2) != nil {
			t.Fatal("two of four have finalized")
		}
		w.accepted(x, w.report(id, 2, 2))
	}
	for _, x := range e[:3] {
		w.accepted(x, w.report(id, 1, 1))
	}
	f := w.finalized(id, 2)
	want := wire.Finalized{
		Mark: 2, Count: w.markCount(id, 2), StateRoot: wire.Hash{2}, Height: w.Height(), Reports: 3, Members: 4,
	}
	same(t, "finalized", *f, want)
	same(t, "in the record", *w.cluster(id).Finalized, want)
	same(t, "first", w.finalized(id, 1).StateRoot, wire.Hash{1})

	// Late and right changes nothing; late and wrong suspends.
	epoch := w.cluster(id).KeyEpoch
	w.accepted(e[3], w.report(id, 1, 1))
	same(t, "status", w.status(e[3]), wire.WorkerActive)
	w.accepted(e[3], w.report(id, 2, 9))
	same(t, "status", w.status(e[3]), wire.WorkerSuspended)
	same(t, "key epoch", w.cluster(id).KeyEpoch, epoch+1)
	same(t, "finalized stays", w.finalized(id, 2).StateRoot, wire.Hash{2})
	same(t, "events", len(w.events("phalanx.cluster.v1.EventSuspended")), 1)
}

// TestDisagreement: a report that a quorum contradicts costs its signer the right to act, however early it was.
func TestDisagreement(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(3)
	id := w.running(e...)
	w.accepted(e[2], w.report(id, 1, 9))
	w.accepted(e[0], w.report(id, 1, 1))
	same(t, "nobody judged yet", w.status(e[2]), wire.WorkerActive)
	w.accepted(e[1], w.report(id, 1, 1))
	same(t, "liar", w.status(e[2]), wire.WorkerSuspended)
	same(t, "honest", w.status(e[0]), wire.WorkerActive)
	c := w.cluster(id)
	same(t, "key epoch", c.KeyEpoch, 1)
	same(t, "finalized", c.Finalized.StateRoot, wire.Hash{1})
	same(t, "place is kept", w.isMember(id, e[2].ID()), true)
}

// TestDoubleVote: two reports of one worker on one mark suspend it, and the second never counts.
func TestDoubleVote(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(3)
	id := w.running(e...)
	w.accepted(e[2], w.report(id, 1, 1))
	w.accepted(e[2], w.report(id, 1, 1))
	same(t, "twice the same", w.status(e[2]), wire.WorkerActive)
	w.accepted(e[2], w.report(id, 1, 2))
	same(t, "two reports", w.status(e[2]), wire.WorkerSuspended)
	w.accepted(e[0], w.report(id, 1, 2))
	if w.finalized(id, 1) != nil {
		t.Fatal("the second report of one worker made a quorum")
	}
	w.accepted(e[1], w.report(id, 1, 2))
	same(t, "finalized", w.finalized(id, 1).Reports, 2)
}

// TestDoubleVoteSurvivesItsTransaction: whatever the signer puts behind its second report, the judgment stays.
func TestDoubleVoteSurvivesItsTransaction(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(2)
	id := w.running(e...)
	_, relayer := mqtest.Account(210)
	one, two := e[1].Sign(t, w.report(id, 1, 1)), e[1].Sign(t, w.report(id, 1, 2))
	r, err := w.queue.Submit(w.Ctx, &mqtypes.MsgSubmit{
		Relayer: relayer, Messages: [][]byte{one, two, e[1].Sign(t, w.report(id, 1, 3))},
	})
	w.must(err)
	same(t, "outcomes", fmt.Sprint(r.Outcomes),
		"[SUBMIT_OUTCOME_ACCEPTED SUBMIT_OUTCOME_ACCEPTED SUBMIT_OUTCOME_IGNORED]")
	same(t, "status", w.status(e[1]), wire.WorkerSuspended)
}

// TestElectorsAreThoseAtTheMark: joiners do not raise the quorum of an earlier mark nor vote on it, the expired do not
// vote, and whoever has left since still does.
func TestElectorsAreThoseAtTheMark(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(5)
	id := w.running(e[:4]...)
	w.expire(e[3])
	w.blocks(6) // mark 2, for the key epoch
	_, err := w.msg.AddMembers(w.Ctx, &types.MsgAddMembers{
		Signer: mqtest.Authority, Cluster: id[:], Members: keysOf(e[4])})
	w.must(err)
	_, err = w.msg.RemoveMembers(w.Ctx, &types.MsgRemoveMembers{
		Signer: mqtest.Authority, Cluster: id[:], Members: keysOf(e[1])})
	w.must(err)
	w.Restart(t, e[3])
	w.refused(e[4], w.report(id, 2, 2), types.ErrNotMember)
	w.accepted(e[3], w.report(id, 2, 2)) // no vote at mark 2
	w.accepted(e[0], w.report(id, 2, 2))
	if w.finalized(id, 2) != nil {
		t.Fatal("a member without a vote was counted")
	}
	w.accepted(e[1], w.report(id, 2, 2))
	f := w.finalized(id, 2)
	same(t, "reports", f.Reports, 2)
	same(t, "members", f.Members, 3)
	r, err := w.query.Reports(w.Ctx, &types.QueryReportsRequest{Cluster: id.String(), Mark: 2})
	w.must(err)
	voting := 0
	for _, x := range r.Reports {
		if x.Voting {
			voting++
		}
	}
	same(t, "voting", voting, 3)
	same(t, "electors", len(r.Reports), 4)
}

func TestUnchecked(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.running(e...)
	w.accepted(e[0], w.report(id, 1, 1))
	r, err := w.query.Finalized(w.Ctx, &types.QueryFinalizedRequest{Cluster: id.String(), Mark: 1})
	w.must(err)
	same(t, "unchecked", r.Finalized.Unchecked, true)
	_, err = w.query.Finalized(w.Ctx, &types.QueryFinalizedRequest{Cluster: id.String(), Mark: 2})
	fails(t, "not finalized", err, types.ErrNotFound)
}

// TestMarkWindow: reports and results of old marks do not pile up.
func TestMarkWindow(t *testing.T) {
	w := newWorld(t)
	w.Registry.Params.MarkInterval = 1
	e := w.enroll(1)
	id := w.running(e...)
	var sizes []int
	for i := uint64(1); i <= 3*types.MarkWindow; i++ {
		w.accepted(e[0], w.report(id, i, 1))
		w.push(id)
		w.blocks(1)
		if i%types.MarkWindow == 0 {
			sizes = append(sizes, len(w.Dump(wire.StoreCluster)))
		}
	}
	same(t, "size of the store", sizes[1], sizes[2])
	last := w.cluster(id).Marks
	if w.finalized(id, last-types.MarkWindow) != nil || w.finalized(id, last-types.MarkWindow+1) == nil {
		t.Error("not exactly the last marks are kept")
	}
	old := wire.Act{Kind: wire.ActCheckpoint, Checkpoint: &wire.Checkpoint{Cluster: id, Mark: 1}}
	w.refused(e[0], old, types.ErrNoMark)
}

// TestMissedMarks: three in a row cost the place, a late report or a restart begins a new row, and the last stays.
func TestMissedMarks(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(2)
	id := w.running(e...)
	round := func(reporters ...*mqtest.Enclave) {
		t.Helper()
		mark := w.cluster(id).Marks
		for _, x := range reporters {
			w.accepted(x, w.report(id, mark, 1))
		}
		w.push(id)
		w.blocks(5)
	}
	for range 6 {
		round() // nobody reports: nobody is to blame
	}
	round(e[0])
	round(e[0])
	w.accepted(e[1], w.report(id, w.cluster(id).Marks-1, 1)) // late
	round(e[0])
	round(e[0])
	same(t, "after a late report", w.isMember(id, e[1].ID()), true)
	w.Restart(t, e[1])
	round(e[0])
	round(e[0])
	same(t, "after a restart", w.isMember(id, e[1].ID()), true)
	epoch := w.cluster(id).KeyEpoch
	round(e[0])
	round(e[0])
	same(t, "after three", w.isMember(id, e[1].ID()), false)
	same(t, "key epoch", w.cluster(id).KeyEpoch, epoch+1)
	for range 6 {
		round()
	}
	same(t, "the last stays", w.isMember(id, e[0].ID()), true)
	w.refused(e[1], keyReport(t, id, epoch+1, 1), types.ErrNotMember)
}

// TestAllLost: without an active member there is no mark; with the first to return it comes.
func TestAllLost(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.running(e...)
	w.expire(e[0])
	w.push(id)
	w.blocks(20)
	same(t, "marks", w.cluster(id).Marks, 1)
	w.Restart(t, e[0])
	w.blocks(1)
	same(t, "marks", w.cluster(id).Marks, 2)
	w.accepted(e[0], w.report(id, 1, 1))
	w.accepted(e[0], w.report(id, 2, 2))
	same(t, "finalized", w.cluster(id).Finalized.Mark, 2)

	// With all finalized, a new life still brings a mark, for its worker holds the state of none; and so does what was
	// posted while nobody was there.
	w.fix(id, e[0])
	w.blocks(6)
	w.accepted(e[0], w.report(id, 3, 3))
	w.Restart(t, e[0])
	w.blocks(20)
	same(t, "marks after a restart", w.cluster(id).Marks, 4)
	w.expire(e[0])
	w.push(id)
	w.blocks(20)
	w.Restart(t, e[0])
	w.blocks(1)
	same(t, "marks after the return", w.cluster(id).Marks, 5)
}

// TestStuckMark: a mark whose only voter is gone for good is followed by one on which those who returned have a vote.
func TestStuckMark(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(2)
	id := w.running(e...)
	w.expire(e[0])
	w.blocks(6) // mark 2, on which only the second votes
	w.accepted(e[1], w.report(id, 1, 1))
	w.expire(e[1])
	w.blocks(20)
	marks := w.cluster(id).Marks
	w.Restart(t, e[0])
	w.blocks(6)
	same(t, "marks", w.cluster(id).Marks, marks+1)
	w.accepted(e[0], w.report(id, marks+1, 3))
	same(t, "finalized", w.cluster(id).Finalized.Mark, marks+1)
}

// TestFailedDuty: a failure in one cluster undoes what was half done, stops neither the chain nor another cluster, and is
// tried again.
func TestFailedDuty(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(2)
	id, other := w.running(e[0]), w.running(e[1])
	w.blocks(6)
	raw := w.Raw(wire.KeyWorker(e[0].ID()))
	w.SetRaw(wire.KeyWorker(e[0].ID()), []byte{1})
	w.push(id)
	w.push(other)
	count := w.head(id).Count
	w.blocks(6)
	same(t, "marks of the damaged", w.cluster(id).Marks, 1)
	same(t, "messages of the damaged", w.head(id).Count, count)
	same(t, "marks of the other", w.cluster(other).Marks, 2)
	w.SetRaw(wire.KeyWorker(e[0].ID()), raw)
	w.blocks(6)
	same(t, "marks once repaired", w.cluster(id).Marks, 2)
}

// TestBusyNeighbours: a block reads what is due, not every cluster.
func TestBusyNeighbours(t *testing.T) {
	w := newWorld(t)
	var idle []*mqtest.Enclave
	for i := range 20 {
		idle = append(idle, w.Enroll(t, byte(i)))
	}
	for i := range 200 {
		w.running(idle[i/10])
	}
	w.blocks(10)
	cost := func() uint64 {
		meter := w.Ctx.WithGasMeter(newMeter())
		w.must(w.k.EndBlock(meter))
		w.must(w.Queue.EndBlock(meter))
		return meter.GasMeter().GasConsumed()
	}
	many := cost()
	few := newWorld(t)
	few.running(few.Enroll(t, 0))
	few.blocks(10)
	meter := few.Ctx.WithGasMeter(newMeter())
	few.must(few.k.EndBlock(meter))
	few.must(few.Queue.EndBlock(meter))
	same(t, "cost of an idle block", many, meter.GasMeter().GasConsumed())
}
