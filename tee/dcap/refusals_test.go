package dcap

import (
	"errors"
	"testing"
)

// TestReasonsAreStable pins every word: tools and chains tell them to others.
func TestReasonsAreStable(t *testing.T) {
	words := map[Refusal]string{
		ErrFormat: "format", ErrTrailing: "trailing", ErrChain: "chain", ErrCRL: "crl", ErrRevoked: "revoked",
		ErrExpired: "expired", ErrNotYetValid: "not yet valid", ErrSignature: "signature", ErrMismatch: "mismatch",
		ErrFMSPC: "fmspc", ErrPCEID: "pceid", ErrEvaluation: "evaluation", ErrQE: "qe", ErrModule: "module", ErrTCB: "tcb",
	}
	for r, word := range words {
		if err := refuse(r, "text"); Reason(err) != word || !errors.Is(err, r) {
			t.Errorf("%v, want %s", err, word)
		}
		if refusals[r] == nil {
			t.Errorf("%s has no refusal of package tee", word)
		}
	}
	if len(refusals) != len(words) {
		t.Errorf("%d reasons are mapped, %d are known", len(refusals), len(words))
	}
	if Reason(nil) != "" || Reason(errors.New("other")) != "" {
		t.Error("an error without a reason has one")
	}
}
