package sevsnp_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// TestVerifier takes reports through package tee, as a chain does.
func TestVerifier(t *testing.T) {
	m := machine(sevsnptest.Setup{})
	bound := [64]byte{1, 2, 3}
	report := must(m.Report(func(raw []byte) { copy(raw[sevsnptest.OffsetReportData:], bound[:]) }))
	ev := tee.Evidence{Kind: tee.KindSEVSNP, Data: report, Collateral: scale.MustMarshal(m.Collateral())}
	roots := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: [][]byte{m.Root()}}}}
	program := slices.Repeat([]byte{0xa5}, 48)
	policy := func(edit func(*tee.Acceptance)) tee.Policy {
		p := tee.Policy{
			Accept:   []tee.Acceptance{{Kind: tee.KindSEVSNP, Programs: []tee.Program{tee.Exactly(program)}}},
			Statuses: []tee.TCBStatus{tee.TCBUpToDate}, MinConfidence: tee.ConfidenceBest,
		}
		edit(&p.Accept[0])
		return p
	}
	floor := func(product string, l tee.Levels) func(*tee.Acceptance) {
		return func(a *tee.Acceptance) { a.MinTCB = []tee.TCBFloor{{Product: product, Levels: l}} }
	}
	plain := func(*tee.Acceptance) {}
	without, trailing := ev, ev
	without.Collateral = nil
	trailing.Collateral = append(slices.Clone(ev.Collateral), 0)
	migrated, lower := ev, ev
	migrated.Data = must(m.Report(func(raw []byte) {
		copy(raw[sevsnptest.OffsetReportData:], bound[:])
		raw[sevsnptest.OffsetPolicy+2] |= sevsnptest.PolicyMigrate >> 16
	}))
	lower.Data = must(m.Report(func(raw []byte) {
		copy(raw[sevsnptest.OffsetReportData:], bound[:])
		raw[sevsnptest.OffsetVMPL] = 3
	}))
	naming := func(register string, value ...byte) func(*tee.Acceptance) {
		return func(a *tee.Acceptance) {
			p := &a.Programs[0]
			p.Registers = append(p.Registers, tee.Register{Name: register, Value: value})
			tee.SortRegisters(p.Registers)
		}
	}
	amd := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: sevsnp.Roots()}}}
	tests := []struct {
		name  string
		rule  func(*tee.Acceptance)
		ev    tee.Evidence
		bound [64]byte
		roots tee.Roots
		want  error
	}{
		{"good", plain, ev, bound, roots, nil},
		{"production's roots refuse a test machine", plain, ev, bound, amd, tee.ErrChain},
		{"no roots", plain, ev, bound, tee.Roots{}, tee.ErrChain},
		{"other report data", plain, ev, [64]byte{1}, roots, tee.ErrReportData},
		{"no collateral", plain, without, bound, roots, tee.ErrFormat},
		{"trailing collateral", plain, trailing, bound, roots, tee.ErrFormat},
		{"no list", func(a *tee.Acceptance) { a.RequireCRL = true }, ev, bound, roots, tee.ErrRevocation},
		{"a migration agent may take the memory", plain, migrated, bound, roots, tee.ErrDebug},
		{"of the level asked for", naming("vmpl", 0), ev, bound, roots, nil},
		{"of less privilege", naming("vmpl", 0), lower, bound, roots, tee.ErrMeasurement},
		{"under the guest policy asked for", naming("guest_policy", 0, 0, 0, 0, 0, 3, 0, 0), ev, bound, roots, nil},
		{"shares its cores", naming("guest_policy", 0, 0, 0, 0, 0, 2, 0, 0), ev, bound, roots, tee.ErrMeasurement},
		{"at its floor", floor("Milan", levels), ev, bound, roots, nil},
		{"below its floor", floor("Milan", tee.Levels{SNP: 24}), ev, bound, roots, tee.ErrStatus},
		{"product without a floor", floor("Genoa", tee.Levels{}), ev, bound, roots, tee.ErrStatus},
	}
	for _, tt := range tests {
		q := tee.Question{ReportData: tt.bound, Now: now}
		if _, err := tee.Verify(tee.Verifiers{sevsnp.Verifier{}}, tt.ev, q, policy(tt.rule), tt.roots); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	var none tee.Roots
	ours := tee.Evidence{Kind: tee.KindSEVSNP, Data: samples(t)[0].report,
		Collateral: scale.MustMarshal(samples(t)[0].collateral)}
	if _, err := (sevsnp.Verifier{}).Verify(ours, none, samples(t)[0].options.Now); !errors.Is(err, tee.ErrChain) {
		t.Errorf("AMD's evidence without AMD's roots: %v", err)
	}
	if _, err := (sevsnp.Verifier{}).Verify(tee.Evidence{Kind: tee.KindNitro}, roots, now); !errors.Is(err, tee.ErrKind) {
		t.Errorf("another kind: %v", err)
	}
}

// TestCollateralLayout freezes the encoding: DO NOT CHANGE.
func TestCollateralLayout(t *testing.T) {
	got := scale.MustMarshal(&sevsnp.Collateral{EndorsementKey: []byte{1}, CRLs: [][]byte{{2, 3}}})
	if want := []byte{4, 1, 0, 4, 8, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("% x", got)
	}
}
