package keeper_test

import (
	"encoding/binary"
	"testing"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/phalanx-network/phalanx/chain/x/cluster/types"
	"github.com/phalanx-network/phalanx/chain/x/mq/mqtest"
	"github.com/phalanx-network/phalanx/wire"
)

func contractReport(id wire.ClusterID, contract, code byte, index uint64) wire.Act {
	return wire.Act{Kind: wire.ActContract, Contract: &wire.ContractReport{
		Cluster: id, Contract: wire.ContractID{contract}, CodeHash: wire.CodeHash{code}, Index: index,
	}}
}

func (w *world) contract(id byte) *types.Contract {
	r, err := w.query.Contract(w.Ctx, &types.QueryContractRequest{Contract: wire.ContractID{id}.String()})
	if err != nil {
		fails(w.t, "contract", err, types.ErrNotFound)
		return nil
	}
	return &r.Contract
}

func TestContract(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(5)
	id := w.running(e[:4]...)
	w.refused(e[4], contractReport(id, 1, 1, 0), types.ErrNotMember)
	w.refused(e[0], contractReport(id, 1, 1, w.head(id).Count), types.ErrMalformed)
	w.refused(e[0], contractReport(wire.ClusterID{9}, 1, 1, 0), types.ErrNoCluster)
	w.accepted(e[0], contractReport(id, 1, 1, 2))
	w.accepted(e[0], contractReport(id, 1, 1, 2))
	w.refused(e[0], contractReport(id, 1, 2, 2), types.ErrConflict)
	w.accepted(e[1], contractReport(id, 1, 2, 2))
	w.accepted(e[2], contractReport(id, 1, 1, 2))
	if w.contract(1) != nil {
		t.Fatal("two of four have registered a contract")
	}
	w.accepted(e[3], contractReport(id, 1, 1, 2))
	c := w.contract(1)
	if c == nil || c.Index != 2 || c.Cluster != id.String() || c.Height != w.Height() {
		t.Fatalf("contract is %+v", c)
	}
	// The truth is harmless afterwards, a lie refused, from this cluster and from another.
	w.accepted(e[0], contractReport(id, 1, 1, 2))
	w.refused(e[1], contractReport(id, 1, 2, 2), types.ErrConflict)
	same(t, "events", len(w.events("phalanx.cluster.v1.EventContract")), 1)
	other := w.running(e[4])
	w.refused(e[4], contractReport(other, 1, 1, 2), types.ErrConflict)
	r, err := w.query.Contracts(w.Ctx, &types.QueryContractsRequest{Cluster: id.String()})
	w.must(err)
	same(t, "listed", len(r.Contracts), 1)
	r, err = w.query.Contracts(w.Ctx, &types.QueryContractsRequest{Cluster: other.String()})
	w.must(err)
	same(t, "listed elsewhere", len(r.Contracts), 0)
}

// TestContractVotesOfTheLost: what a member said before it lost its vote does not count.
func TestContractVotesOfTheLost(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(4)
	id := w.running(e...)
	w.accepted(e[0], contractReport(id, 1, 1, 2))
	w.expire(e[0])
	w.accepted(e[1], contractReport(id, 1, 1, 2))
	if w.contract(1) != nil {
		t.Fatal("an expired member's report made a quorum")
	}
	w.accepted(e[2], contractReport(id, 1, 1, 2))
	if w.contract(1) == nil {
		t.Fatal("two of three have not registered a contract")
	}
}

// TestContractOfEarlierMembers: members that joined after a contract cannot report it, and do not stand in its way.
func TestContractOfEarlierMembers(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(4)
	id := w.running(e[0])
	w.push(id)
	index := w.head(id).Count - 1
	w.blocks(5) // mark 2 covers it
	_, err := w.msg.AddMembers(w.Ctx, &types.MsgAddMembers{
		Signer: mqtest.Authority, Cluster: id[:], Members: keysOf(e[1:]...)})
	w.must(err)
	w.accepted(e[0], contractReport(id, 1, 1, index))
	if w.contract(1) != nil {
		t.Fatal("one of four has registered a contract")
	}
	w.accepted(e[0], w.report(id, 2, 2))
	if w.contract(1) == nil {
		t.Fatal("the one member at the mark has not registered its contract")
	}
}

// TestBogusContracts: reports that nobody confirms are dropped, and are bounded until then.
func TestBogusContracts(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(4)
	id := w.running(e...)
	before := len(w.Dump(wire.StoreCluster))
	bogus := func(i uint64) wire.Act {
		a := contractReport(id, 0, 1, 0)
		binary.LittleEndian.PutUint64(a.Contract.Contract[1:], i+1)
		return a
	}
	for i := range uint64(types.MaxContractVotes) {
		w.accepted(e[3], bogus(i))
	}
	w.refused(e[3], bogus(types.MaxContractVotes), types.ErrTooMany)
	w.accepted(e[2], contractReport(id, 1, 1, 1)) // another member has room of its own
	for mark := uint64(1); mark <= 2; mark++ {
		for _, x := range e[:3] {
			w.accepted(x, w.report(id, mark, byte(mark)))
		}
		w.push(id)
		w.blocks(5)
	}
	after := len(w.Dump(wire.StoreCluster))
	if after > before+4000 {
		t.Errorf("the store went from %d to %d", before, after)
	}
	w.accepted(e[3], bogus(1))
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	e := w.enroll(1)
	id := w.running(e...)
	for range 4 {
		w.create(e...)
	}
	for i := range byte(5) {
		w.accepted(e[0], contractReport(id, i, 1, 0))
	}
	seen := 0
	var next []byte
	for {
		r, err := w.query.Clusters(w.Ctx, &types.QueryClustersRequest{Pagination: &query.PageRequest{Key: next, Limit: 2}})
		w.must(err)
		seen += len(r.Clusters)
		if next = r.Pagination.NextKey; next == nil {
			break
		}
	}
	same(t, "clusters", seen, 5)
	r, err := w.query.Contracts(w.Ctx, &types.QueryContractsRequest{
		Cluster: id.String(), Pagination: &query.PageRequest{Offset: 3, Limit: 2},
	})
	w.must(err)
	same(t, "contracts", len(r.Contracts), 2)
	same(t, "fourth", r.Contracts[0].Id, wire.ContractID{3}.String())
	_, err = w.query.Clusters(w.Ctx, &types.QueryClustersRequest{Pagination: &query.PageRequest{Limit: 1 << 40}})
	fails(t, "too large a page", err, types.ErrMalformed)
	_, err = w.query.Cluster(w.Ctx, &types.QueryClusterRequest{Cluster: "0x12"})
	fails(t, "no id", err, types.ErrMalformed)
	_, err = w.query.Cluster(w.Ctx, &types.QueryClusterRequest{Cluster: wire.ClusterID{}.String()})
	fails(t, "no cluster", err, types.ErrNoCluster)
	one, err := w.query.Cluster(w.Ctx, &types.QueryClusterRequest{Cluster: id.String()})
	w.must(err)
	same(t, "record", string(one.Record), string(w.Raw(wire.KeyCluster(id))))
}
