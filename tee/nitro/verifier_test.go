package nitro_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/nitro"
	nt "github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
)

// TestVerifier takes documents through package tee, as a chain does.
func TestVerifier(t *testing.T) {
	a := must(nt.New(start))
	program := bytes.Repeat([]byte{0xc0}, 48)
	roots := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindNitro, Keys: [][]byte{a.Root()}}}}
	aws := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindNitro, Keys: nitro.Roots()}}}
	document := func(userData []byte, debug bool) tee.Evidence {
		return tee.Evidence{Kind: tee.KindNitro, Data: must(a.Document(now, userData, debug))}
	}
	good := document(bound, false)
	extra := good
	extra.Collateral = []byte{0}
	tests := []struct {
		name  string
		ev    tee.Evidence
		roots tee.Roots
		age   uint32
		want  error
	}{
		{"good", good, roots, 60, nil},
		{"production's roots refuse a test enclave", good, aws, 60, tee.ErrChain},
		{"no roots", good, tee.Roots{}, 60, tee.ErrChain},
		{"collateral", extra, roots, 60, tee.ErrFormat},
		{"no user data", document(nil, false), roots, 60, tee.ErrReportData},
		{"long user data", document(append(bytes.Clone(bound), 0), false), roots, 60, tee.ErrReportData},
		{"debug, whose registers are zero", document(bound, true), roots, 60, tee.ErrMeasurement},
	}
	for _, tt := range tests {
		policy := tee.Policy{
			Accept:   []tee.Acceptance{{Kind: tee.KindNitro, Programs: []tee.Program{tee.Exactly(program)}, MaxAge: tt.age}},
			Statuses: []tee.TCBStatus{tee.TCBUpToDate},
		}
		_, err := tee.Verify(tee.Verifiers{nitro.Verifier{}}, tt.ev, tee.Question{ReportData: [64]byte(bound), Now: now}, policy, tt.roots)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := (nitro.Verifier{}).Verify(tee.Evidence{Kind: tee.KindTPM}, roots, now); !errors.Is(err, tee.ErrKind) {
		t.Errorf("another kind: %v", err)
	}
}
