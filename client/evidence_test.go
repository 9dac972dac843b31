package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/client/node"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/tee/simulated"
	"github.com/phalanx-network/phalanx/wire"
)

// attester makes evidence that carries report data, and the measurement that a chain records of it.
type attester func(data [tee.ReportDataSize]byte) (tee.Evidence, []byte)

// rooted is a policy that trusts one root, in DER.
func rooted(kind tee.Kind, root []byte) *attestation.Policy {
	text := must(json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))))
	return must(attestation.ParsePolicy([]byte(`{"roots":{"` + kind.String() + `":` + string(text) + `}}`)))
}

// snp is a machine of a product whose guests measure 48 times a byte.
func snp(product string) (func(program byte) attester, *attestation.Policy) {
	m := must(sevsnptest.New(sevsnptest.Setup{Product: product, TCB: sevsnp.TCB{SNP: 23}}))
	return func(program byte) attester {
		return func(data [64]byte) (tee.Evidence, []byte) {
			measured := slices.Repeat([]byte{program}, sevsnp.MeasurementSize)
			report := must(m.Report(func(raw []byte) {
				copy(raw[sevsnptest.OffsetReportData:], data[:])
				copy(raw[sevsnptest.OffsetMeasurement:], measured)
			}))
			return tee.Evidence{Kind: tee.KindSEVSNP, Data: report, Collateral: scale.MustMarshal(m.Collateral())}, measured
		}
	}, rooted(tee.KindSEVSNP, m.Root())
}

func onNitro(now time.Time) (attester, *attestation.Policy) {
	a := must(nitrotest.New(now.Add(-time.Minute)))
	return func(data [64]byte) (tee.Evidence, []byte) {
		return tee.Evidence{Kind: tee.KindNitro, Data: must(a.Document(now, data[:], false))}, slices.Repeat([]byte{0xc0}, 48)
	}, rooted(tee.KindNitro, a.Root())
}

func onTDX(now time.Time) (attester, *attestation.Policy) {
	now = now.Truncate(time.Second)
	w := dcaptest.New(tee.KindTDX, 4)
	shift := now.Sub(w.Now)
	w.Now = now
	for _, t := range []*time.Time{&w.TCBInfo.IssueDate, &w.TCBInfo.NextUpdate, &w.QEIdentity.IssueDate, &w.QEIdentity.NextUpdate} {
		*t = t.Add(shift)
	}
	return func(data [64]byte) (tee.Evidence, []byte) {
		w.TD.ReportData = data
		ev, measured := must(w.Build()), w.TD.Measurement()
		return tee.Evidence{Kind: tee.KindTDX, Data: ev.Quote, Collateral: must(json.Marshal(ev.Collateral))}, measured[:]
	}, rooted(tee.KindTDX, must(w.Build()).Roots[0].Raw)
}

func onSimulation(now time.Time) attester {
	return func(data [64]byte) (tee.Evidence, []byte) {
		pub, key := must2(ed25519.GenerateKey(rand.Reader))
		seed := simulated.RootSeed()
		cert := simulated.Certificate{Machine: [32]byte(pub)}
		cert.Signature = [64]byte(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), cert.SignedText()))
		r := simulated.Report{Machine: cert.Machine, Measurement: simulated.Measurement("p"), ReportData: data, IssuedAt: uint64(now.Unix())}
		r.Signature = [64]byte(ed25519.Sign(key, r.SignedText()))
		return tee.Evidence{Kind: tee.KindSimulated, Data: scale.MustMarshal(&r), Collateral: scale.MustMarshal(&cert)}, r.Measurement[:]
	}
}

func must2[A, B any](a A, b B, err error) (A, B) { return a, must(b, err) }

// message is a worker's registration as its relay posts it.
func (w *worker) message(by attester, change func(*wire.Registration)) (*registrytypes.MsgRegisterWorker, wire.Registration, []byte) {
	r := wire.Registration{
		Version: wire.RegistrationVersion, Identity: w.identity.Public(), Ecdh: w.ecdh.Public(), UID: w.chain.uid,
		Incarnation: w.incarnation, HeaderHeight: w.chain.height - 1, Operator: wire.Account{7}, Software: "v1", Features: 2,
	}
	if change != nil {
		change(&r)
	}
	ev, measured := by(must(r.ReportData()))
	sig := must(w.identity.Sign(rand.Reader, must(r.SigningText())))
	return &registrytypes.MsgRegisterWorker{
		Operator: "op", Registration: scale.MustMarshal(&r), Evidence: scale.MustMarshal(&ev), Signature: sig[:]}, r, measured
}

// inTx is a transaction with messages.
func inTx(messages ...*registrytypes.MsgRegisterWorker) []byte {
	var body txtypes.TxBody
	for _, m := range messages {
		body.Messages = append(body.Messages, must(codectypes.NewAnyWithValue(m)))
	}
	return must((&txtypes.TxRaw{BodyBytes: must(body.Marshal())}).Marshal())
}

// registers puts a registration into a block of its own, between transactions of others, and its record into the state.
func (w *worker) registers(by attester, change func(*wire.WorkerState)) *registrytypes.MsgRegisterWorker {
	c := w.chain
	c.next(1)
	m, r, measured := w.message(by, nil)
	c.held[c.height] = [][]byte{{}, []byte("no transaction"), inTx(m), inTx()}
	w.register(func(s *wire.WorkerState) {
		s.Operator, s.HeaderHeight, s.Measurement = r.Operator, r.HeaderHeight, measured
		s.Info.Software, s.Info.Features = r.Software, r.Features
		ev, _ := by([64]byte{})
		s.EvidenceKind, s.AttestedAt, s.AttestedTime = uint8(ev.Kind), c.height, c.blocks.Header(c.height).UnixMillis()
		s.Ecdh.Since = s.AttestedAt
		if change != nil {
			change(s)
		}
	})
	c.next(2)
	return m
}

// blind is a client whose trust begins above every registration, so that no block of one is verified.
func (n *network) blind(t *testing.T) *client.Client {
	t.Helper()
	n.next(1)
	cfg := n.config()
	cfg.TrustRoot = n.blocks.Root(n.height)
	n.next(1)
	c := must(client.Dial(context.Background(), cfg))
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestVerifyWorker(t *testing.T) {
	n := newNetwork(t, 1)
	w, id := n.workers[0], n.workers[0].identity.Public()
	guest, amd := snp("Milan-B0")
	nitro, aws := onNitro(n.now())
	tdx, intel := onTDX(n.now())
	nothing := must(attestation.ParsePolicy([]byte(`{"allow_simulated":true}`)))
	tests := []struct {
		name    string
		by      attester
		policy  *attestation.Policy
		after   time.Duration
		verdict attestation.Verdict
		reason  string
		then    attestation.Verdict
		level   uint8
	}{
		{"SNP", guest(0xa5), amd, 0, attestation.Accepted, "", attestation.Accepted, 1},
		{"SNP under AMD's roots", guest(0xa5), nil, 0, attestation.Refused, "chain", attestation.Refused, 0},
		{"Nitro", nitro, aws, 0, attestation.Accepted, "", attestation.Accepted, 1},
		{"Nitro, later", nitro, aws, 4 * time.Hour, attestation.Refused, "expired", attestation.Accepted, 0},
		{"TDX", tdx, intel, 0, attestation.Accepted, "", attestation.Accepted, 1},
		{"TDX, later", tdx, intel, 31 * 24 * time.Hour, attestation.Refused, "expired", attestation.Accepted, 0},
		{"TDX, kind not taken", tdx, must(attestation.ParsePolicy([]byte(`{"accept":[]}`))), 0, attestation.Refused, "kind", attestation.Refused, 0},
		{"simulated", onSimulation(n.now()), nil, 0, attestation.Refused, "simulated", attestation.Refused, 0},
		{"simulated, allowed", onSimulation(n.now()), nothing, 0, attestation.Simulated, "", attestation.Simulated, 0},
	}
	for _, tt := range tests {
		w.registers(tt.by, nil)
		j := client.Judging{Policy: tt.policy}
		if tt.after != 0 {
			j.At = n.now().Add(tt.after)
		}
		for _, c := range []*client.Client{n.dial(t), n.blind(t)} {
			e, err := c.VerifyWorker(context.Background(), id, j)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			r := e.Report
			if r.Verdict != tt.verdict || r.Reason != tt.reason || e.Then.Verdict != tt.then || r.Confidence != tt.level || e.Bound != client.BoundCurrent {
				t.Errorf("%s: %+v, then %s, bound to %s", tt.name, r, e.Then.Verdict, e.Bound)
			}
			if e.BlockProven != (c.UID() == n.uid && e.Worker.Record.AttestedAt >= rootOf(c, n)) {
				t.Errorf("%s: block proven: %v", tt.name, e.BlockProven)
			}
			if tt.verdict == attestation.Accepted && (r.Measurement() == "" || r.ValidUntil == "") {
				t.Errorf("%s: claims are missing: %+v", tt.name, r)
			}
			if (r.Err() == nil) != (tt.reason == "") {
				t.Errorf("%s: %v", tt.name, r.Err())
			}
		}
	}
}

// rootOf is the height from which a client verifies blocks.
func rootOf(c *client.Client, n *network) uint64 {
	if _, err := c.HeaderAt(context.Background(), 2); err != nil {
		return n.height
	}
	return 1
}

// block is what a liar makes of the block of a worker's registration, which it also has another worker sign for.
type block struct {
	*network
	w, other *worker
	guest    func(program byte) attester
	policy   *attestation.Policy
	m        *registrytypes.MsgRegisterWorker // the true one
	height   uint64
}

func newBlock(t *testing.T) *block {
	t.Helper()
	n := newNetwork(t, 2)
	b := &block{network: n, w: n.workers[0], other: n.workers[1]}
	b.guest, b.policy = snp("Milan-B0")
	b.m = b.w.registers(b.guest(0xa5), nil)
	b.height = n.height - 2
	return b
}

// signs is a registration at the true one's height that a worker has signed.
func (b *block) signs(w *worker, by attester, change func(*wire.Registration)) *registrytypes.MsgRegisterWorker {
	x, _, _ := w.message(by, func(r *wire.Registration) {
		r.HeaderHeight = b.height - 1
		if change != nil {
			change(r)
		}
	})
	return x
}

// other than the true one by a change.
func (b *block) edited(edit func(*registrytypes.MsgRegisterWorker)) *registrytypes.MsgRegisterWorker {
	x := &registrytypes.MsgRegisterWorker{
		Registration: slices.Clone(b.m.Registration), Evidence: slices.Clone(b.m.Evidence), Signature: slices.Clone(b.m.Signature)}
	edit(x)
	return x
}

// spoilt are copies of the true one with changed evidence.
func (b *block) spoilt(count int) (out [][]byte) {
	for i := range count {
		out = append(out, inTx(b.edited(func(x *registrytypes.MsgRegisterWorker) { x.Evidence[200+i] ^= 1 })))
	}
	return out
}

// verify asks a client, whom the node shows txs.
func (b *block) verify(c *client.Client, txs [][]byte) (*client.WorkerEvidence, error) {
	b.lieTxs = func(uint64, [][]byte) [][]byte { return txs }
	return c.VerifyWorker(context.Background(), b.w.identity.Public(), client.Judging{Policy: b.policy})
}

// TestNodeShowsOtherEvidence has the node show what is not the worker's evidence. Where the own light client verifies the
// block, all of it is the node's lie; where it cannot, nothing of it is accepted.
func TestNodeShowsOtherEvidence(t *testing.T) {
	b := newBlock(t)
	by := b.guest(0xa5)
	one := func(w *worker, by attester, change func(*wire.Registration)) [][]byte {
		return [][]byte{inTx(b.signs(w, by, change))}
	}
	edited := func(edit func(*registrytypes.MsgRegisterWorker)) [][]byte { return [][]byte{inTx(b.edited(edit))} }
	elsewhere, others := b.signs(b.w, by, func(r *wire.Registration) { r.Features = 9 }), b.signs(b.other, by, nil)
	genoa, _ := snp("Genoa-B1")
	tests := []struct {
		name   string
		txs    [][]byte
		reason string // of the refusal; empty for no evidence at all
	}{
		{"none", nil, ""},
		{"another worker's", one(b.other, by, nil), ""},
		{"an earlier life's", one(b.w, by, func(r *wire.Registration) { r.Incarnation = wire.Incarnation{0xee} }), ""},
		{"an earlier one of this life", one(b.w, by, func(r *wire.Registration) { r.HeaderHeight-- }), ""},
		{"with another key", one(b.w, by, func(r *wire.Registration) { r.Ecdh = b.other.ecdh.Public() }), ""},
		{"for another operator", one(b.w, by, func(r *wire.Registration) { r.Operator = wire.Account{8} }), ""},
		{"for another network", one(b.w, by, func(r *wire.Registration) { r.UID = wire.ChainUID{1} }), ""},
		{"of another version", one(b.w, by, func(r *wire.Registration) { r.Version++ }), ""},
		{"of another release", one(b.w, by, func(r *wire.Registration) { r.Software = "v2" }), ""},
		{"of other features", [][]byte{inTx(elsewhere)}, ""},
		{"signed by another", edited(func(x *registrytypes.MsgRegisterWorker) { x.Signature = others.Signature }), ""},
		{"without a signature", edited(func(x *registrytypes.MsgRegisterWorker) { x.Signature = nil }), ""},
		{"cut", [][]byte{inTx(b.m)[:1000]}, ""},
		{"of the simulated platform", one(b.w, onSimulation(b.now()), nil), ""},
		{"for a registration that never was", edited(func(x *registrytypes.MsgRegisterWorker) { x.Evidence = elsewhere.Evidence }), "report_data"},
		{"for another worker's", edited(func(x *registrytypes.MsgRegisterWorker) { x.Evidence = others.Evidence }), "report_data"},
		{"changed", b.spoilt(1), "signature"},
		{"of another program", one(b.w, b.guest(0xa6), nil), "measurement"},
		{"of another machine", one(b.w, genoa(0xa5), nil), "chain"},
	}
	sees, blind := b.dial(t), b.blind(t)
	for _, tt := range tests {
		if _, err := b.verify(sees, tt.txs); !errors.Is(err, client.ErrNodeLied) {
			t.Errorf("%s: %v, want a lie", tt.name, err)
		}
		e, err := b.verify(blind, tt.txs)
		switch {
		case tt.reason == "":
			if !errors.Is(err, client.ErrNoEvidence) {
				t.Errorf("%s: %v", tt.name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case e.Report.Verdict != attestation.Refused || e.Report.Reason != tt.reason || e.BlockProven:
			t.Errorf("%s: %s, %s, proven %v", tt.name, e.Report.Verdict, e.Report.Reason, e.BlockProven)
		}
	}
	if e, err := b.verify(sees, b.held[b.height]); err != nil || !e.BlockProven || e.Report.Verdict != attestation.Accepted {
		t.Errorf("the true one: %v", err)
	}
}

// TestBlockIsAnother has the node show another block of the chain, whose transactions are its own.
func TestBlockIsAnother(t *testing.T) {
	b := newBlock(t)
	c := b.dial(t)
	b.lieAt = b.height + 1
	b.held[b.lieAt] = [][]byte{inTx(b.m)}
	if _, err := c.VerifyWorker(context.Background(), b.w.identity.Public(), client.Judging{Policy: b.policy}); !errors.Is(err, client.ErrNodeLied) {
		t.Error(err)
	}
}

// TestEvidenceAmongCopies finds the true evidence among copies that others have spoilt, before it and behind it, in one
// transaction or many.
func TestEvidenceAmongCopies(t *testing.T) {
	b := newBlock(t)
	c := b.blind(t)
	for name, txs := range map[string][][]byte{
		"before":       append(b.spoilt(31), inTx(b.m)),
		"behind":       append([][]byte{inTx(b.m)}, b.spoilt(200)...),
		"in one":       {inTx(b.signs(b.other, b.guest(0xa5), nil), b.m)},
		"many times":   slices.Repeat([][]byte{inTx(b.m)}, 100),
		"among others": {inTx(b.signs(b.w, b.guest(0xa6), nil)), inTx(b.m), inTx(b.signs(b.w, b.guest(0xa7), nil))},
	} {
		if e, err := b.verify(c, txs); err != nil || e.Report.Verdict != attestation.Accepted {
			t.Errorf("%s: %v, %v", name, err, e != nil)
		}
	}
}

func TestNoBlock(t *testing.T) {
	b := newBlock(t)
	c := b.dial(t)
	for _, tt := range []struct{ is, want error }{{node.ErrNotFound, client.ErrNoEvidence}, {errOffline, client.ErrUnreachable}} {
		b.noBlock = tt.is
		if _, err := b.verify(c, nil); !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.is, err, tt.want)
		}
	}
}

// TestKeysSinceRegistration follows the EcdhKey of the evidence through rotations.
func TestKeysSinceRegistration(t *testing.T) {
	guest, policy := snp("Milan-B0")
	fresh := func() ecdh.PublicKey { return must(ecdh.Generate(rand.Reader)).Public() }
	for name, tt := range map[string]struct {
		change func(s *wire.WorkerState)
		want   client.BoundKey // empty for no evidence
	}{
		"as registered":   {nil, client.BoundCurrent},
		"attested again":  {func(s *wire.WorkerState) { s.Ecdh.Since-- }, client.BoundCurrent},
		"rotated once":    {func(s *wire.WorkerState) { rotate(s, fresh(), 1) }, client.BoundPrevious},
		"at once":         {func(s *wire.WorkerState) { rotate(s, fresh(), 0) }, client.BoundPrevious},
		"rotated twice":   {func(s *wire.WorkerState) { rotate(s, fresh(), 1); rotate(s, fresh(), 2) }, client.BoundReplaced},
		"another before":  {func(s *wire.WorkerState) { s.Ecdh.Key, s.Ecdh.Since = fresh(), s.AttestedAt-1 }, ""},
		"never the key's": {func(s *wire.WorkerState) { s.Ecdh.Since = s.AttestedAt + 1 }, ""},
	} {
		n := newNetwork(t, 1)
		n.workers[0].registers(guest(0xa5), tt.change)
		e, err := n.dial(t).VerifyWorker(context.Background(), n.workers[0].identity.Public(), client.Judging{Policy: policy})
		if tt.want == "" && errors.Is(err, client.ErrNoEvidence) {
			continue
		}
		if err != nil || e.Bound != tt.want || e.Report.Verdict != attestation.Accepted {
			t.Errorf("%s: %v, %v", name, err, e != nil)
		}
	}
}

func rotate(s *wire.WorkerState, key ecdh.PublicKey, after uint64) {
	previous := s.Ecdh
	s.PreviousEcdh = &previous
	s.Ecdh = wire.EcdhEpoch{Key: key, Epoch: previous.Epoch + 1, Since: s.AttestedAt + after}
}

// TestAttestedWorkersOnly has a client that asks nobody whose evidence it refuses.
func TestAttestedWorkersOnly(t *testing.T) {
	n := newNetwork(t, 3)
	guest, policy := snp("Milan-B0")
	n.workers[0].registers(guest(0xa5), nil)
	n.workers[1].registers(onSimulation(n.now()), nil)
	cfg := n.config()
	cfg.Attested = policy
	c := must(client.Dial(context.Background(), cfg))
	defer c.Close()
	for range 8 {
		a, err := c.Query(context.Background(), n.query("question"))
		if err != nil || a.Worker != n.workers[0].identity.Public() {
			t.Fatalf("%v, %+v", err, a)
		}
	}
	for i, words := range map[int]string{1: "simulated", 2: "no evidence"} {
		q := n.query("question")
		q.Worker = n.workers[i].identity.Public()
		if _, err := c.Query(context.Background(), q); !errors.Is(err, client.ErrNotAttested) || !strings.Contains(err.Error(), words) {
			t.Errorf("worker %d: %v", i, err)
		}
		if len(n.workers[i].queried) != 0 {
			t.Errorf("worker %d was asked", i)
		}
	}
	// A worker that starts anew is judged anew.
	n.workers[0].incarnation = wire.Incarnation{0x55}
	n.workers[0].registers(onSimulation(n.now()), nil)
	n.next(10)
	if _, err := c.Query(context.Background(), n.query("question")); !errors.Is(err, client.ErrNotAttested) {
		t.Error(err)
	}
}
