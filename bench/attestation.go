package main

import (
	"bytes"
	"context"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// proof is evidence as a chain gets it, with all that judging it takes.
type proof struct {
	row      string
	goal     float64 // ms
	verifier tee.Verifier
	evidence tee.Evidence
	question tee.Question
	policy   tee.Policy
	roots    tee.Roots
	bare     func() error // the signatures alone
}

// attestationRows times the whole judgement of evidence, from bytes, against the time that it may take and against the
// bare signature checks on its path.
func attestationRows(ctx context.Context, b *bench) error {
	var proofs []proof
	for _, make := range []func() (proof, error){
		func() (proof, error) { return quoteProof("attest_sgx", tee.KindSGX, 3) },
		func() (proof, error) { return quoteProof("attest_tdx", tee.KindTDX, 4) },
		snpProof, nitroProof,
	} {
		p, err := make()
		if err != nil {
			return err
		}
		proofs = append(proofs, p)
	}
	for i := range proofs {
		p := &proofs[i]
		d, err := medians(ctx, b.samples(400),
			step{p.row, func(int) error {
				_, err := tee.Verify(tee.Verifiers{p.verifier}, p.evidence, p.question, p.policy, p.roots)
				return err
			}},
			step{p.row + " bare", func(int) error { return p.bare() }},
		)
		if err != nil {
			return err
		}
		b.add(p.row, millis(d[0]), "ms", p.goal)
		b.add(p.row+"_vs_bare", millis(d[0]), "ms", millis(d[1]))
	}
	return nil
}

// accepts is a policy that takes one program, up to date.
func accepts(rule tee.Acceptance, measurement []byte) tee.Policy {
	rule.Programs = []tee.Program{tee.Exactly(measurement)}
	return tee.Policy{Accept: []tee.Acceptance{rule}, Statuses: []tee.TCBStatus{tee.TCBUpToDate}, MinConfidence: tee.ConfidenceBest}
}

func rootOf(kind tee.Kind, der []byte) tee.Roots {
	return tee.Roots{Kinds: []tee.KindRoots{{Kind: kind, Keys: [][]byte{der}}}}
}

func quoteProof(row string, kind tee.Kind, version int) (proof, error) {
	w := dcaptest.New(kind, version)
	ev, err := w.Build()
	if err != nil {
		return proof{}, err
	}
	text, err := ev.Collateral.MarshalJSON()
	if err != nil {
		return proof{}, err
	}
	bare, err := dcaptest.Bare(ev.Quote, ev.Collateral)
	measurement := w.TD.Measurement()
	program := measurement[:]
	if kind == tee.KindSGX {
		program = w.Enclave.MRENCLAVE[:]
	}
	return proof{
		row: row, goal: 3, verifier: dcap.Verifier{Of: kind}, bare: bare,
		evidence: tee.Evidence{Kind: kind, Data: ev.Quote, Collateral: text},
		question: tee.Question{Now: w.Now, Bound: w.Now},
		policy:   accepts(tee.Acceptance{Kind: kind, MinEvaluation: 18, MaxAge: 600}, program),
		roots:    rootOf(kind, ev.Roots[0].Raw),
	}, err
}

func snpProof() (proof, error) {
	now := time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC)
	m, err := sevsnptest.New(sevsnptest.Setup{TCB: tee.Levels{BootLoader: 4, SNP: 23, Microcode: 213}})
	if err != nil {
		return proof{}, err
	}
	report, err := m.Report(nil)
	if err != nil {
		return proof{}, err
	}
	list, err := m.CRL(now.Add(-time.Hour))
	if err != nil {
		return proof{}, err
	}
	c := m.Collateral()
	c.CRLs = [][]byte{list}
	bare, err := sevsnptest.Bare(report, c, m.Root())
	return proof{
		row: "attest_snp", goal: 2, verifier: sevsnp.Verifier{}, bare: bare,
		evidence: tee.Evidence{Kind: tee.KindSEVSNP, Data: report, Collateral: scale.MustMarshal(c)},
		question: tee.Question{Now: now, Bound: now},
		policy: accepts(tee.Acceptance{
			Kind: tee.KindSEVSNP, MaxAge: 600, RequireCRL: true,
			MinTCB: []tee.TCBFloor{{Product: "Milan", Levels: tee.Levels{SNP: 20}}},
		}, bytes.Repeat([]byte{0xa5}, sevsnp.MeasurementSize)),
		roots: rootOf(tee.KindSEVSNP, m.Root()),
	}, err
}

func nitroProof() (proof, error) {
	now := time.Date(2026, 6, 18, 0, 0, 0, 0, time.UTC)
	a, err := nitrotest.New(now.Add(-time.Hour))
	if err != nil {
		return proof{}, err
	}
	document, err := a.Document(now, make([]byte, tee.ReportDataSize), false)
	if err != nil {
		return proof{}, err
	}
	bare, err := nitrotest.Bare(document)
	return proof{
		row: "attest_nitro", goal: 4, verifier: nitro.Verifier{}, bare: bare,
		evidence: tee.Evidence{Kind: tee.KindNitro, Data: document},
		question: tee.Question{Now: now},
		policy:   accepts(tee.Acceptance{Kind: tee.KindNitro, MaxAge: 600}, bytes.Repeat([]byte{0xc0}, nitro.PCRSize)),
		roots:    rootOf(tee.KindNitro, a.Root()),
	}, err
}
