package types_test

import (
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

// A policy that proves nothing about who reads the program is for simulated networks alone, whoever decides it.
func TestParseTrustOfProduction(t *testing.T) {
	hardware := tee.Acceptance{Kind: tee.KindSEVSNP, Programs: []tee.Program{tee.Exactly([]byte{1})}}
	imitation := tee.Acceptance{Kind: tee.KindSimulated, Programs: []tee.Program{tee.Exactly([]byte{1})}}
	roots := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSimulated, Keys: [][]byte{{1}}}}}
	tests := []struct {
		name        string
		policy      tee.Policy
		roots       tee.Roots
		gatekeepers uint32
		refused     bool // in production; a simulated network takes all
	}{
		{"hardware", tee.Policy{Accept: []tee.Acceptance{hardware}}, tee.Roots{}, 1, false},
		{"simulated kind", tee.Policy{Accept: []tee.Acceptance{imitation}}, tee.Roots{}, 1, true},
		{"simulated root", tee.Policy{}, roots, 1, true},
		{"gatekeepers of no confidence", tee.Policy{}, tee.Roots{}, 0, true},
		{"memory that the host reads", tee.Policy{Accept: []tee.Acceptance{hardware}, AllowDebug: true}, tee.Roots{}, 1, true},
	}
	for _, tt := range tests {
		policy, rootsRaw := scale.MustMarshal(&tt.policy), scale.MustMarshal(&tt.roots)
		if _, err := types.ParseTrust(policy, rootsRaw, tt.gatekeepers, false); errors.Is(err, types.ErrParams) != tt.refused || (err != nil) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := types.ParseTrust(policy, rootsRaw, tt.gatekeepers, true); err != nil {
			t.Errorf("%s on a simulated network: %v", tt.name, err)
		}
	}
}
