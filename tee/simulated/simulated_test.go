package simulated_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/simulated"
)

// forge makes evidence with a machine key of its own and the given root.
func forge(rootSeed [32]byte, change func(*simulated.Certificate, *simulated.Report)) tee.Evidence {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	cert := simulated.Certificate{Machine: [32]byte(key.Public().(ed25519.PublicKey))}
	cert.Signature = [64]byte(ed25519.Sign(ed25519.NewKeyFromSeed(rootSeed[:]), cert.SignedText()))
	report := simulated.Report{
		Machine: cert.Machine, Measurement: simulated.Measurement("p"), ReportData: [64]byte{5}, IssuedAt: 1_800_000_000,
	}
	report.Signature = [64]byte(ed25519.Sign(key, report.SignedText()))
	if change != nil {
		change(&cert, &report)
	}
	return tee.Evidence{Data: scale.MustMarshal(&report), Collateral: scale.MustMarshal(&cert)}
}

func verify(ev tee.Evidence) (tee.Claims, error) {
	return simulated.Verifier{}.Verify(ev, simulated.Roots(), time.Unix(0, 0))
}

func TestRefusals(t *testing.T) {
	root := simulated.RootSeed()
	resign := func(r *simulated.Report, seed byte) {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
		r.Signature = [64]byte(ed25519.Sign(key, r.SignedText()))
	}
	tests := []struct {
		name   string
		root   [32]byte
		change func(*simulated.Certificate, *simulated.Report)
		want   error
	}{
		{"good", root, nil, nil},
		{"self-made root", [32]byte{1}, nil, tee.ErrChain},
		{"no certificate signature", root, func(c *simulated.Certificate, _ *simulated.Report) { c.Signature = [64]byte{} }, tee.ErrChain},
		{"report of another machine", root, func(_ *simulated.Certificate, r *simulated.Report) {
			r.Machine = [32]byte(simulated.RootKey())
			resign(r, 3)
		}, tee.ErrChain},
		{"signed by another machine", root, func(_ *simulated.Certificate, r *simulated.Report) { resign(r, 4) }, tee.ErrSignature},
		{"certificate signature as report's", root, func(c *simulated.Certificate, r *simulated.Report) { r.Signature = c.Signature }, tee.ErrSignature},
		{"debug hidden", root, func(_ *simulated.Certificate, r *simulated.Report) { r.Debug = true }, tee.ErrSignature},
		{"time beyond int64", root, func(_ *simulated.Certificate, r *simulated.Report) {
			r.IssuedAt = 1 << 63
			resign(r, 3)
		}, tee.ErrFormat},
	}
	for _, tt := range tests {
		if _, err := verify(forge(tt.root, tt.change)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestGolden freezes the root and the evidence: DO NOT CHANGE.
func TestGolden(t *testing.T) {
	const rootKey = "a9206487d5187aee210073ebde3e4074171eec6902690892c4684dfe738bc7a2"
	if got := hex.EncodeToString(simulated.RootKey()); got != rootKey {
		t.Errorf("root key %s", got)
	}
	ev := forge(simulated.RootSeed(), nil)
	if len(ev.Data) != 203 || len(ev.Collateral) != 97 {
		t.Errorf("%d and %d bytes", len(ev.Data), len(ev.Collateral))
	}
	got := tee.ReportData("golden", [32]byte{}, scale.MustMarshal(&ev))
	const digest = "61a95519782bca8400b4c51781427aa2"
	if hex.EncodeToString(got[:16]) != digest {
		t.Errorf("evidence digest %x", got[:16])
	}
}

func TestBannerIsLoud(t *testing.T) {
	for _, word := range []string{"WARNING", "SIMULATED", "NO CONFIDENTIALITY"} {
		if !strings.Contains(simulated.Banner, word) {
			t.Errorf("banner lacks %q", word)
		}
	}
}

// FuzzVerify: no bytes make the verifier panic, and what it accepts encodes to itself.
func FuzzVerify(f *testing.F) {
	ev := forge(simulated.RootSeed(), nil)
	f.Add(ev.Data, ev.Collateral)
	f.Add([]byte{}, []byte{})
	f.Add(ev.Collateral, ev.Data)
	f.Fuzz(func(t *testing.T, data, collateral []byte) {
		_, err := verify(tee.Evidence{Data: data, Collateral: collateral})
		var r *tee.Refusal
		if err != nil && !errors.As(err, &r) {
			t.Fatalf("%v is no refusal", err)
		}
		if err == nil && (!bytes.Equal(collateral, ev.Collateral) || len(data) != 203) {
			t.Fatal("accepted evidence that nobody signed")
		}
	})
}
