package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/wire"
)

// registerType is how a transaction names the message that registers a worker.
const registerType = "/phalanx.registry.v1.MsgRegisterWorker"

// maxCandidates is how many pieces of evidence for one registration are judged. Whoever makes a block can put copies of a
// registration, with other evidence, beside the one that succeeded: so many that the true one is not seen, and good evidence
// is refused, but never so that bad evidence is accepted.
const maxCandidates = 32

// Judging says how evidence is judged.
type Judging struct {
	Policy *attestation.Policy // nil for [attestation.DefaultPolicy]
	At     time.Time           // when everything must hold; the zero value for now, by the client's clock
}

// BoundKey says which EcdhKey a worker's evidence vouches for itself. Later ones are vouched for by the IdentityKey, which
// the chain has checked, and which the same enclave holds.
type BoundKey string

// The keys.
const (
	BoundCurrent  BoundKey = "current"
	BoundPrevious BoundKey = "previous" // the key has rotated once since
	BoundReplaced BoundKey = "replaced" // it has rotated more often
)

// WorkerEvidence is a worker's evidence and what it is worth.
type WorkerEvidence struct {
	Worker       Proven[wire.WorkerState]
	Registration wire.Registration // that the evidence vouches for, and that agrees with Worker
	Evidence     tee.Evidence
	At           time.Time // for which Report judges
	Report       *attestation.Report
	// Then judges at the block time of the registration, under the same policy: evidence that was good then is refused
	// later when its collateral has ended.
	Then  *attestation.Report
	Bound BoundKey
	// BlockProven tells that the own light client has verified the block that brought the evidence. Without it a lying node
	// can make good evidence look bad, but never bad evidence good.
	BlockProven bool
}

// RegisteredAt returns the block time of the registration.
func (e *WorkerEvidence) RegisteredAt() time.Time {
	return time.UnixMilli(int64(e.Worker.Record.AttestedTime)).UTC()
}

// VerifyWorker judges a worker's evidence here, under a policy and roots of the caller's, whatever the chain's validators
// made of it.
//
// The worker's record is proven as in [Client.Worker]. It names the block of the registration, from which the node is
// asked for the evidence. What is found there must be a registration of this network that the IdentityKey signed, with
// the record's identity, incarnation, operator, header height, software and features, and with the EcdhKey that the record has for
// that height; the evidence must be of the record's kind, and its report data must name this registration and no other. So
// it cannot be another worker's, an earlier one of the same worker, or changed. Whether the transaction succeeded need
// not be asked: the record shows that one with these fields did.
//
// The block is compared with a header that the own light client has verified. Where that is not possible (the block lies below
// the trust root, or beyond the trusting period), evidence is judged nevertheless, for it authenticates itself:
// [WorkerEvidence.BlockProven] says so.
//
// Evidence that the policy refuses is no error: see [attestation.Report.Err]. [ErrNoEvidence] says that there was none to
// judge.
func (c *Client) VerifyWorker(ctx context.Context, id sr25519.PublicKey, j Judging) (*WorkerEvidence, error) {
	w, err := c.Worker(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.verifyWorker(ctx, w, j)
}

func (c *Client) verifyWorker(ctx context.Context, w Proven[wire.WorkerState], j Judging) (*WorkerEvidence, error) {
	if j.Policy == nil {
		j.Policy = attestation.DefaultPolicy()
	}
	if j.At.IsZero() {
		j.At = c.cfg.Now()
	}
	c.cfg.Progress(StageEvidence)
	found, proven, err := c.evidence(ctx, &w.Record)
	if err != nil {
		return nil, fmt.Errorf("worker %s: %w", w.Record.Identity, err)
	}
	var best *WorkerEvidence
	for i := range found {
		e := &WorkerEvidence{
			Worker: w, Registration: found[i].registration, Evidence: found[i].evidence, At: j.At,
			Bound: found[i].bound, BlockProven: proven,
		}
		if err := e.judge(j.Policy); err != nil {
			return nil, err
		}
		if best == nil || rank(e) > rank(best) {
			best = e
		}
	}
	return best, nil
}

// judge fills in the reports.
func (e *WorkerEvidence) judge(p *attestation.Policy) error {
	data, err := e.Registration.ReportData()
	if err != nil {
		return err
	}
	at := func(now time.Time) *attestation.Report {
		r := attestation.JudgeRecorded(e.Evidence, p, attestation.Question{Now: now, ReportData: data[:]})
		if recorded := hex.EncodeToString(e.Worker.Record.Measurement); r.Err() == nil && r.Measurement() != recorded {
			r.Refuse("measurement", "the chain's record names another program: "+recorded)
		}
		return r
	}
	e.Report, e.Then = at(e.At), at(e.RegisteredAt())
	return nil
}

// rank orders evidence for one registration: copies that others have spoilt are below the true one.
func rank(e *WorkerEvidence) int {
	for i, r := range []*attestation.Report{e.Report, e.Then} {
		if r.Err() == nil {
			return 3 - i
		}
	}
	if e.Then.TCBStatus != "" && e.Then.Reason != "report_data" { // genuine, and not to the policy's liking
		return 1
	}
	return 0
}

// evidence fetches the evidence of a worker's registration. It returns at least one piece, and whether the block that
// it is from is verified.
func (c *Client) evidence(ctx context.Context, w *wire.WorkerState) ([]candidate, bool, error) {
	block, err := c.node.Block(ctx, w.AttestedAt)
	if errors.Is(err, node.ErrNotFound) {
		return nil, false, fmt.Errorf("%w: %w", ErrNoEvidence, err)
	}
	if err != nil {
		return nil, false, unreachable(err)
	}
	proven, err := c.provenBlock(ctx, w.AttestedAt, &block)
	if err != nil {
		return nil, false, err
	}
	found := candidatesOf(block.Txs, w, c.cfg.UID)
	if len(found) == 0 {
		return nil, proven, fmt.Errorf("%w: block %d holds no registration that agrees with the worker's record", ErrNoEvidence, w.AttestedAt)
	}
	return found, proven, nil
}

// provenBlock compares a block with the verified header at its height. It returns false where there is none to be had.
func (c *Client) provenBlock(ctx context.Context, height uint64, b *node.Block) (bool, error) {
	header, err := c.headers.at(ctx, height)
	if errors.Is(err, ErrUnconfirmed) || errors.Is(err, ErrTrustExpired) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	hash, data, err := hashesOf(b.Header)
	if err != nil {
		return false, fmt.Errorf("%w: header of block %d: %w", ErrNodeLied, height, err)
	}
	if !bytes.Equal(hash, header.Hash[:]) {
		return false, fmt.Errorf("%w: it gave another block for block %d", ErrNodeLied, height)
	}
	if !bytes.Equal(cmttypes.ToTxs(b.Txs).Hash(), data) {
		return false, fmt.Errorf("%w: it gave other transactions than those of block %d", ErrNodeLied, height)
	}
	return true, nil
}

// hashesOf returns the hash that names a header, and the root of the transactions that the header names.
func hashesOf(raw []byte) (hash, data []byte, err error) {
	var pb cmtproto.Header
	if err := pb.Unmarshal(raw); err != nil {
		return nil, nil, err
	}
	h, err := cmttypes.HeaderFromProto(&pb)
	return h.Hash(), h.DataHash, err
}

// candidate is evidence for a registration that agrees with a worker's record.
type candidate struct {
	registration wire.Registration
	evidence     tee.Evidence
	bound        BoundKey
}

// candidatesOf finds, in transactions that anybody may have written, the evidence for the registration that made a
// worker's record.
func candidatesOf(txs [][]byte, w *wire.WorkerState, uid wire.ChainUID) []candidate {
	var out []candidate
	seen := map[string]bool{}
	for _, raw := range txs {
		for _, m := range registrationsIn(raw) {
			x, ok := agreeing(m, w, uid)
			if !ok || seen[string(m.Evidence)] {
				continue
			}
			seen[string(m.Evidence)] = true
			if out = append(out, x); len(out) == maxCandidates {
				return out
			}
		}
	}
	return out
}

// registrationsIn returns the messages of a transaction that register workers. One that cannot be read registers nobody.
func registrationsIn(raw []byte) []*registrytypes.MsgRegisterWorker {
	var t txtypes.TxRaw
	var body txtypes.TxBody
	if t.Unmarshal(raw) != nil || body.Unmarshal(t.BodyBytes) != nil {
		return nil
	}
	var out []*registrytypes.MsgRegisterWorker
	for _, any := range body.Messages {
		m := new(registrytypes.MsgRegisterWorker)
		if any != nil && any.TypeUrl == registerType && m.Unmarshal(any.Value) == nil {
			out = append(out, m)
		}
	}
	return out
}

// agreeing reads a message and reports whether its registration is the one that made the record.
func agreeing(m *registrytypes.MsgRegisterWorker, w *wire.WorkerState, uid wire.ChainUID) (candidate, bool) {
	var x candidate
	r := &x.registration
	bounded := len(m.Registration) <= registrytypes.MaxRegistration && len(m.Evidence) <= registrytypes.MaxEvidence
	if !bounded || len(m.Signature) != len(sr25519.Signature{}) || scale.Unmarshal(m.Registration, r) != nil {
		return x, false
	}
	same := r.Version == wire.RegistrationVersion && r.UID == uid && r.Identity == w.Identity && r.Incarnation == w.Incarnation &&
		r.Operator == w.Operator && r.HeaderHeight == w.HeaderHeight && r.Software == w.Info.Software && r.Features == w.Info.Features
	if !same || scale.Unmarshal(m.Evidence, &x.evidence) != nil || uint8(x.evidence.Kind) != w.EvidenceKind {
		return x, false
	}
	var ok bool
	if x.bound, ok = boundKey(r, w); !ok {
		return x, false
	}
	text, err := r.SigningText()
	return x, err == nil && sr25519.Verify(r.Identity, text, sr25519.Signature(m.Signature)) == nil
}

// boundKey tells which of the record's keys a registration names. A key that took effect after the registration's block
// is not the registration's.
func boundKey(r *wire.Registration, w *wire.WorkerState) (BoundKey, bool) {
	keys := []*wire.EcdhEpoch{&w.Ecdh, w.PreviousEcdh}
	for i, bound := range []BoundKey{BoundCurrent, BoundPrevious} {
		k := keys[i]
		if k == nil {
			return "", false
		}
		if r.Ecdh == k.Key && k.Since <= w.AttestedAt {
			return bound, true
		}
		if k.Since < w.AttestedAt { // it was in force already, and another one is named
			return "", false
		}
	}
	return BoundReplaced, !slices.ContainsFunc(keys, func(k *wire.EcdhEpoch) bool { return k.Key == r.Ecdh })
}
