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
	policy := tee.Policy{
		Accept:   []tee.Acceptance{{Kind: tee.KindSEVSNP, Measurements: [][]byte{program}}},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate}, MinConfidence: tee.ConfidenceBest,
	}
	verify := func(v sevsnp.Verifier, ev tee.Evidence, bound [64]byte, roots tee.Roots) error {
		_, err := tee.Verify(tee.Verifiers{v}, ev, bound, policy, roots, now)
		return err
	}
	without, trailing := ev, ev
	without.Collateral = nil
	trailing.Collateral = append(slices.Clone(ev.Collateral), 0)
	amd := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: sevsnp.Roots()}}}
	tests := []struct {
		name     string
		verifier sevsnp.Verifier
		ev       tee.Evidence
		bound    [64]byte
		roots    tee.Roots
		want     error
	}{
		{"good", sevsnp.Verifier{}, ev, bound, roots, nil},
		{"production's roots refuse a test machine", sevsnp.Verifier{}, ev, bound, amd, tee.ErrChain},
		{"no roots", sevsnp.Verifier{}, ev, bound, tee.Roots{}, tee.ErrChain},
		{"other report data", sevsnp.Verifier{}, ev, [64]byte{1}, roots, tee.ErrReportData},
		{"no collateral", sevsnp.Verifier{}, without, bound, roots, tee.ErrFormat},
		{"trailing collateral", sevsnp.Verifier{}, trailing, bound, roots, tee.ErrFormat},
		{"no list", sevsnp.Verifier{RequireCRL: true}, ev, bound, roots, tee.ErrFormat},
		{"out of date", sevsnp.Verifier{MinTCB: &sevsnp.TCB{SNP: 24}}, ev, bound, roots, tee.ErrStatus},
	}
	for _, tt := range tests {
		if err := verify(tt.verifier, tt.ev, tt.bound, tt.roots); !errors.Is(err, tt.want) {
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
