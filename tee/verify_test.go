package tee_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

// fixed is a verifier that has established the given claims, so that the policy is tested alone.
type fixed struct {
	kind   tee.Kind
	claims tee.Claims
	err    error
}

func (f fixed) Kind() tee.Kind { return f.kind }
func (f fixed) Verify(tee.Evidence, tee.Roots, time.Time) (tee.Claims, error) {
	return f.claims, f.err
}

var (
	now    = time.Unix(2_000_000_000, 0)
	bound  = [64]byte{1, 2, 3}
	snp    = tee.KindSEVSNP
	goodMR = bytes.Repeat([]byte{7}, 48)
)

func good() (tee.Claims, tee.Policy) {
	cl := tee.Claims{Kind: snp, Measurement: goodMR, Registers: tee.Exactly(goodMR).Registers, ReportData: bound, Confidence: 2, IssuedAt: now.Unix()}
	p := tee.Policy{
		Accept:        []tee.Acceptance{{Kind: snp, Programs: []tee.Program{tee.Exactly(goodMR)}, MaxAge: 60, MaxAhead: 5}},
		Statuses:      []tee.TCBStatus{tee.TCBUpToDate, tee.TCBSWHardeningNeeded},
		MinConfidence: 3,
	}
	return cl, p
}

func TestPolicy(t *testing.T) {
	tests := []struct {
		name   string
		change func(*tee.Claims, *tee.Policy)
		want   error
	}{
		{"good", func(*tee.Claims, *tee.Policy) {}, nil},
		{"zero policy", func(_ *tee.Claims, p *tee.Policy) { *p = tee.Policy{} }, tee.ErrKind},
		{"other kind accepted", func(_ *tee.Claims, p *tee.Policy) { p.Accept[0].Kind = tee.KindTDX }, tee.ErrKind},
		{"claims of another kind", func(c *tee.Claims, _ *tee.Policy) { c.Kind = tee.KindTDX }, tee.ErrKind},
		{"report data", func(c *tee.Claims, _ *tee.Policy) { c.ReportData[63] = 1 }, tee.ErrReportData},
		{"measurement", func(c *tee.Claims, _ *tee.Policy) { c.Registers = tee.Exactly(goodMR[1:]).Registers }, tee.ErrMeasurement},
		{"no measurement", func(c *tee.Claims, _ *tee.Policy) { c.Registers = nil }, tee.ErrMeasurement},
		{"debug", func(c *tee.Claims, _ *tee.Policy) { c.Debug = true }, tee.ErrDebug},
		{"debug allowed", func(c *tee.Claims, p *tee.Policy) { c.Debug, p.AllowDebug = true, true }, nil},
		{"second status", func(c *tee.Claims, _ *tee.Policy) { c.TCBStatus = tee.TCBSWHardeningNeeded }, nil},
		{"status", func(c *tee.Claims, _ *tee.Policy) { c.TCBStatus = tee.TCBOutOfDate }, tee.ErrStatus},
		{"revoked", func(c *tee.Claims, _ *tee.Policy) { c.TCBStatus = tee.TCBRevoked }, tee.ErrStatus},
		{"policy takes revoked", func(_ *tee.Claims, p *tee.Policy) { p.Statuses = []tee.TCBStatus{tee.TCBRevoked} }, tee.ErrPolicy},
		{"confidence", func(c *tee.Claims, _ *tee.Policy) { c.Confidence = 4 }, tee.ErrConfidence},
		{"best confidence", func(c *tee.Claims, _ *tee.Policy) { c.Confidence = 1 }, nil},
		{"weakest confidence", func(c *tee.Claims, _ *tee.Policy) { c.Confidence = 3 }, nil},
		{"hardware without level", func(c *tee.Claims, p *tee.Policy) { c.Confidence, p.MinConfidence = 0, 0 }, tee.ErrConfidence},
		{"level out of range", func(c *tee.Claims, _ *tee.Policy) { c.Confidence = 6 }, tee.ErrConfidence},
		{"oldest", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt -= 60 }, nil},
		{"too old", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt -= 61 }, tee.ErrAge},
		{"furthest ahead", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt += 5 }, nil},
		{"too far ahead", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt += 6 }, tee.ErrAge},
		{"end of time", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt = math.MaxInt64 }, tee.ErrAge},
		{"before time", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt = math.MinInt64 }, tee.ErrAge},
		{"no time, asked", func(c *tee.Claims, _ *tee.Policy) { c.IssuedAt = 0 }, tee.ErrAge},
		{"no time, not asked", func(c *tee.Claims, p *tee.Policy) { c.IssuedAt, p.Accept[0].MaxAge = 0, 0 }, nil},
		{"kind twice", func(_ *tee.Claims, p *tee.Policy) { p.Accept = append(p.Accept, p.Accept[0]) }, tee.ErrPolicy},
		{"empty measurement", func(_ *tee.Claims, p *tee.Policy) { p.Accept[0].Programs = []tee.Program{tee.Exactly(nil)} }, tee.ErrPolicy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cl, p := good()
			tt.change(&cl, &p)
			got, err := tee.Verify(tee.Verifiers{fixed{kind: snp, claims: cl}}, tee.Evidence{Kind: snp}, tee.Question{ReportData: bound, Now: now}, p, tee.Roots{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil && got.Measurement != nil {
				t.Fatal("claims came with the refusal")
			}
		})
	}
}

// TestSimulatedClaimsNoLevel: a verifier of simulated evidence cannot lend it a level of hardware.
func TestSimulatedClaimsNoLevel(t *testing.T) {
	cl, p := good()
	cl.Kind, p.Accept[0].Kind = tee.KindSimulated, tee.KindSimulated
	v := tee.Verifiers{fixed{kind: tee.KindSimulated, claims: cl}}
	if _, err := tee.Verify(v, tee.Evidence{}, tee.Question{ReportData: bound, Now: now}, p, tee.Roots{}); !errors.Is(err, tee.ErrConfidence) {
		t.Fatal(err)
	}
}

func TestVerifierErrorStands(t *testing.T) {
	_, p := good()
	v := tee.Verifiers{fixed{kind: snp, err: fmt.Errorf("%w: byte 7", tee.ErrSignature)}}
	_, err := tee.Verify(v, tee.Evidence{Kind: snp}, tee.Question{ReportData: bound, Now: now}, p, tee.Roots{})
	var r *tee.Refusal
	if !errors.Is(err, tee.ErrSignature) || !errors.As(err, &r) || r.Code != 4 {
		t.Fatal(err)
	}
}

func TestEvidenceOverItsBounds(t *testing.T) {
	cl, p := good()
	v := tee.Verifiers{fixed{kind: snp, claims: cl}}
	for _, ev := range []tee.Evidence{
		{Kind: snp, Data: make([]byte, tee.MaxData+1)}, {Kind: snp, Collateral: make([]byte, tee.MaxCollateral+1)},
	} {
		if _, err := tee.Verify(v, ev, tee.Question{ReportData: bound, Now: now}, p, tee.Roots{}); !errors.Is(err, tee.ErrFormat) {
			t.Fatal(err)
		}
		if _, err := scale.Marshal(&ev); !errors.Is(err, scale.ErrBound) {
			t.Fatal(err)
		}
	}
}

// TestRefusalCodes freezes the codes, which chains store and clients match.
func TestRefusalCodes(t *testing.T) {
	want := []*tee.Refusal{
		tee.ErrKind, tee.ErrFormat, tee.ErrChain, tee.ErrSignature, tee.ErrReportData,
		tee.ErrMeasurement, tee.ErrDebug, tee.ErrStatus, tee.ErrConfidence, tee.ErrAge, tee.ErrRevocation,
	}
	for i, r := range want {
		if int(r.Code) != i+1 {
			t.Errorf("%v has code %d, want %d", r, r.Code, i+1)
		}
	}
}

// TestReportData freezes the derivation: DO NOT CHANGE.
// It is SHA-512("phalanx/registration/v1" ‖ 32 × 01 ‖ "body"), computed apart with sha512sum.
func TestReportData(t *testing.T) {
	uid := [32]byte(bytes.Repeat([]byte{1}, 32))
	got := tee.ReportData("registration", uid, []byte("body"))
	if hex.EncodeToString(got[:]) != reportDataVector {
		t.Fatalf("%x", got)
	}
	seen := map[[64]byte]bool{got: true}
	for _, other := range [][64]byte{
		tee.ReportData("registratio", uid, []byte("body")), tee.ReportData("registration", [32]byte{}, []byte("body")),
		tee.ReportData("registration", uid, []byte("bodz")), tee.ReportData("registration", uid, nil),
	} {
		if seen[other] {
			t.Fatal("two inputs, one report data")
		}
		seen[other] = true
	}
}

func TestNames(t *testing.T) {
	if tee.KindSEVSNP.String() != "sev-snp" || tee.Kind(9).String() != "kind-9" || tee.TCBStatus(9).String() != "TCBStatus-9" {
		t.Fatal("names changed")
	}
	if tee.TCBOutOfDate.String() != "OutOfDate" {
		t.Fatal(tee.TCBOutOfDate)
	}
}
