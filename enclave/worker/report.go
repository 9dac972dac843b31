package worker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/phalanx-network/phalanx/crypto/commkey"
	"github.com/phalanx-network/phalanx/crypto/envelope"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/enclave/contract/state"
	"github.com/phalanx-network/phalanx/enclave/dispatch"
	"github.com/phalanx-network/phalanx/enclave/keys"
	"github.com/phalanx-network/phalanx/wire"
)

// keyRequest is a request for ClusterKeys that awaits its grant.
type keyRequest struct {
	oneTime *keys.OneTime // nil when nothing is awaited
	first   uint32
	last    uint32
	height  uint64
}

func (q *keyRequest) zero() {
	if q.oneTime != nil {
		q.oneTime.Zero()
	}
	*q = keyRequest{}
}

// firstEpoch is the first key epoch that a member asks for: the first it may have, as far as one request reaches back.
func firstEpoch(m wire.Member, rec *wire.Cluster) uint32 {
	if rec.KeyEpoch >= wire.MaxKeyEpochs && m.SinceEpoch < rec.KeyEpoch-wire.MaxKeyEpochs+1 {
		return rec.KeyEpoch - wire.MaxKeyEpochs + 1
	}
	return m.SinceEpoch
}

// stepKeys asks the gatekeepers for the keys that are missing, and again, with another one-time key, when no answer has
// come or a newer epoch has begun.
func (cl *cluster) stepKeys(c dispatch.Chain, m wire.Member) error {
	first, last, some := cl.keys.missing(firstEpoch(m, cl.record), cl.record.KeyEpoch)
	if !some {
		cl.request.zero()
		return nil
	}
	height := c.Header().Height
	if q := &cl.request; q.oneTime != nil && q.first == first && q.last == last && height < q.height+reportAgain {
		return nil
	}
	cl.request.zero()
	oneTime, err := cl.cfg.Keys.NewOneTime()
	if err != nil {
		return fmt.Errorf("one-time key: %w", err)
	}
	cl.request = keyRequest{oneTime, first, last, height}
	body := wire.Body{Kind: wire.BodyKeyRequest, KeyRequest: &wire.KeyRequest{
		Cluster: cl.id, First: first, Last: last, OneTime: oneTime.Public(),
	}}
	payload, err := scale.Marshal(&body)
	if err != nil {
		return err
	}
	post := &wire.Post{Topic: wire.GatekeepersTopic(), Payload: payload}
	return c.Act(wire.Act{Kind: wire.ActPost, Post: post})
}

// grant takes the keys of a gatekeeper's answer, if it answers the request that is awaited. Anything else in it is
// ignored: an old or foreign grant is no reason to stop.
func (cl *cluster) grant(g *wire.KeyGrant) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	q := &cl.request
	if q.oneTime == nil {
		return
	}
	e, err := envelope.Parse(g.Envelope)
	if err != nil || e.Recipient != q.oneTime.Public() {
		return
	}
	plain, err := q.oneTime.Open(e, commkey.KeyDistribution)
	if err != nil {
		return
	}
	defer clear(plain)
	var granted wire.GrantedKeys
	defer granted.Zero()
	if scale.Unmarshal(plain, &granted) != nil {
		return
	}
	for _, k := range granted.Keys {
		if k.Epoch < q.first || k.Epoch > q.last {
			continue
		}
		if err := cl.keys.add(k.Epoch, k.Key); err != nil {
			cl.problem = fmt.Sprintf("granted key of epoch %d: %v", k.Epoch, err)
			return
		}
	}
	cl.problem = ""
}

// stepReports says what the chain's records do not show yet: the cluster's public key of the newest epoch, contracts,
// and checkpoints.
func (cl *cluster) stepReports(c dispatch.Chain) error {
	if err := cl.reportKey(c); err != nil {
		return err
	}
	if err := cl.reportContracts(c); err != nil {
		return err
	}
	return cl.reportCheckpoints(c)
}

func (cl *cluster) reportKey(c dispatch.Chain) error {
	rec, r, height := cl.record, &cl.reports, c.Header().Height
	if rec.Fixed != nil && rec.Fixed.Epoch == rec.KeyEpoch {
		return nil
	}
	if r.keyAt != 0 && r.keyEpoch == rec.KeyEpoch && height < r.keyAt+reportAgain {
		return nil
	}
	k, ok := cl.keys.epoch(rec.KeyEpoch)
	if !ok {
		return nil
	}
	r.keyEpoch, r.keyAt = rec.KeyEpoch, height
	report := &wire.KeyReport{Cluster: cl.id, Epoch: rec.KeyEpoch, Key: k.ecdh.Public()}
	return c.Act(wire.Act{Kind: wire.ActKeyReport, KeyReport: report})
}

// reportContracts reports the oldest contracts of which no record is proven yet, until there is one.
func (cl *cluster) reportContracts(c dispatch.Chain) error {
	r, height := &cl.reports, c.Header().Height
	window := r.contracts[:min(len(r.contracts), maxContractReports)]
	var open []watched
	for i := range window {
		x := &window[i]
		f, known := c.Record(wire.KeyContract(x.report.Contract))
		if known && f.Value != nil {
			r.registered = max(r.registered, x.report.Index+1)
			continue
		}
		// After a start the chain may know it already: report only once it is proven not to.
		due := x.sentAt == 0 || height >= x.sentAt+reportAgain
		if due && (known || x.fresh) {
			if err := c.Act(wire.Act{Kind: wire.ActContract, Contract: &x.report}); err != nil {
				return err
			}
			x.sentAt = height
		}
		open = append(open, *x)
	}
	r.contracts = append(open, r.contracts[len(window):]...)
	if len(r.contracts) > 0 {
		r.registered = min(r.registered, r.contracts[0].report.Index)
	}
	return nil
}

// reportCheckpoints reports the newest marks that are not finalized, and repeats only while the chain does not move on.
func (cl *cluster) reportCheckpoints(c dispatch.Chain) error {
	r, height := &cl.reports, c.Header().Height
	for i := range r.checkpoints {
		p := &r.checkpoints[i]
		if _, sent := r.sent[p.Mark]; sent {
			continue
		}
		if err := c.Act(wire.Act{Kind: wire.ActCheckpoint, Checkpoint: p}); err != nil {
			return err // said again when the outbox has room
		}
		r.sent[p.Mark] = height
	}
	return nil
}

// restoreContracts watches the contracts of which no record was known when the reports were stored.
func (r *reports) restoreContracts(id wire.ClusterID, view *state.View) error {
	var err error
	view.Ascend(systemID, []byte("c/"), func(key, value []byte) bool {
		var e contractEntry
		if err = unmarshal(value, &e); err != nil {
			return false
		}
		if e.Index >= r.registered && e.Deployer == nil {
			r.contracts = append(r.contracts, watched{report: wire.ContractReport{
				Cluster: id, Contract: wire.ContractID(key[2:]), CodeHash: e.Born, Index: e.Index,
			}})
		}
		return true
	})
	slices.SortFunc(r.contracts, func(a, b watched) int { return cmp.Compare(a.report.Index, b.report.Index) })
	return err
}
