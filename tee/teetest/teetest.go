// Package teetest is the suite that every provider of tee must pass: what a verifier refuses, what an attester binds and
// what a sealer keeps. A provider's test fills in a [Provider] and calls [Run].
//
//	teetest.Run(t, teetest.Provider{Verifier: simulated.Verifier{}, …})
//
// The suite changes evidence byte by byte and expects a refusal each time. So a provider's formats must leave no byte
// unsigned or ignored: padding is checked, encodings are canonical.
package teetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

// Device is one program on one machine.
type Device interface {
	tee.Attester
	tee.Sealer
}

// Setup says which device a test wants. The same Machine is the same machine throughout one call of [Run].
type Setup struct {
	Machine   string
	Program   string // decides the measurement
	Debug     bool
	Now       time.Time // the platform's clock
	OtherRoot bool      // genuine in form, under Provider.OtherRoots
}

// Provider is a provider as the suite sees it.
type Provider struct {
	Verifier tee.Verifier
	// Roots are those of the devices; OtherRoots those of the devices that are asked for with OtherRoot. Neither may
	// certify the other's.
	Roots, OtherRoots tee.Roots
	// Measurement returns the measurement of a program.
	Measurement func(program string) []byte
	// Device returns a device; a test may ask for the same Setup again, as after a restart.
	Device func(t *testing.T, s Setup) Device
	// HasTime says that the kind signs a time.
	HasTime bool
}

// Run runs the whole suite against p.
func Run(t *testing.T, p Provider) {
	s := &suite{Provider: p, now: time.Unix(1_800_000_000, 0)}
	tests := []struct {
		name string
		run  func(*testing.T)
	}{
		{"round trip", s.roundTrip},
		{"pure", s.pure},
		{"kind", s.kind},
		{"report data", s.reportData},
		{"root", s.root},
		{"measurement", s.measurement},
		{"debug", s.debug},
		{"status", s.status},
		{"confidence", s.confidence},
		{"age", s.age},
		{"flipped", s.flipped},
		{"truncated", s.truncated},
		{"spliced", s.spliced},
		{"cancelled", s.cancelled},
		{"seal", s.seal},
		{"seal with other data", s.sealAAD},
		{"seal damaged", s.sealDamaged},
		{"seal elsewhere", s.sealElsewhere},
		{"seal never repeats", s.sealFresh},
		{"seal bounds", s.sealBounds},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

type suite struct {
	Provider
	now time.Time
}

const maxAge = 600

var bound = tee.ReportData("teetest", [32]byte{1}, []byte("body"))

func (s *suite) device(t *testing.T, change func(*Setup)) Device {
	t.Helper()
	setup := Setup{Machine: "one", Program: "good", Now: s.now}
	if change != nil {
		change(&setup)
	}
	return s.Device(t, setup)
}

func (s *suite) attest(t *testing.T, change func(*Setup)) tee.Evidence {
	t.Helper()
	ev, err := s.device(t, change).Attest(context.Background(), bound)
	if err != nil {
		t.Fatalf("attest: %v", err)
	}
	return ev
}

// policy accepts a good device.
func (s *suite) policy() tee.Policy {
	p := tee.Policy{
		Accept: []tee.Acceptance{{
			Kind:     s.Verifier.Kind(),
			Programs: []tee.Program{tee.Exactly(s.Measurement("another good")), tee.Exactly(s.Measurement("good"))},
			MaxAhead: 30,
		}},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate},
	}
	if s.HasTime {
		p.Accept[0].MaxAge = maxAge
	}
	return p
}

func (s *suite) question(data [tee.ReportDataSize]byte) tee.Question {
	return tee.Question{ReportData: data, Now: s.now}
}

func (s *suite) verify(ev tee.Evidence, p tee.Policy) (tee.Claims, error) {
	return tee.Verify(tee.Verifiers{s.Verifier}, ev, s.question(bound), p, s.Roots)
}

func (s *suite) refused(t *testing.T, ev tee.Evidence, p tee.Policy, want error) {
	t.Helper()
	claims, err := s.verify(ev, p)
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	var reason *tee.Refusal
	if !errors.As(err, &reason) || reason.Code == 0 {
		t.Fatalf("%v carries no refusal code", err)
	}
	if claims.Measurement != nil || claims.ReportData != [64]byte{} {
		t.Fatal("claims came with the refusal")
	}
}

func (s *suite) roundTrip(t *testing.T) {
	ev := s.attest(t, nil)
	if ev.Kind != s.Verifier.Kind() || s.device(t, nil).Kind() != ev.Kind {
		t.Fatalf("kinds differ: evidence %v, verifier %v", ev.Kind, s.Verifier.Kind())
	}
	var back tee.Evidence
	if err := scale.Unmarshal(scale.MustMarshal(&ev), &back); err != nil {
		t.Fatalf("evidence does not encode: %v", err)
	}
	claims, err := s.verify(back, s.policy())
	if err != nil {
		t.Fatal(err)
	}
	if claims.Kind != ev.Kind || claims.ReportData != bound || claims.Debug ||
		!bytes.Equal(claims.Measurement, s.Measurement("good")) {
		t.Fatalf("claims: %+v", claims)
	}
	if s.HasTime && claims.IssuedAt != s.now.Unix() {
		t.Fatalf("issued at %d, the platform's clock stood at %d", claims.IssuedAt, s.now.Unix())
	}
}

// pure checks that verification neither keeps nor changes what it is given.
func (s *suite) pure(t *testing.T) {
	ev := s.attest(t, nil)
	data, collateral := slices.Clone(ev.Data), slices.Clone(ev.Collateral)
	for range 3 {
		if _, err := s.verify(ev, s.policy()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(data, ev.Data) || !bytes.Equal(collateral, ev.Collateral) {
		t.Fatal("verification changed the evidence")
	}
}

func (s *suite) kind(t *testing.T) {
	ev := s.attest(t, nil)
	s.refused(t, ev, tee.Policy{Statuses: []tee.TCBStatus{tee.TCBUpToDate}}, tee.ErrKind)
	_, err := tee.Verify(nil, ev, s.question(bound), s.policy(), s.Roots)
	if !errors.Is(err, tee.ErrKind) {
		t.Fatalf("without a verifier: %v", err)
	}
	other := ev
	other.Kind = (ev.Kind + 1) % 6
	s.refused(t, other, s.policy(), tee.ErrKind)
	if _, err := s.Verifier.Verify(other, s.Roots, s.now); !errors.Is(err, tee.ErrKind) {
		t.Fatalf("verifier took evidence of another kind: %v", err)
	}
}

func (s *suite) reportData(t *testing.T) {
	ev := s.attest(t, nil)
	for i := range bound {
		wrong := bound
		wrong[i] ^= 1
		_, err := tee.Verify(tee.Verifiers{s.Verifier}, ev, s.question(wrong), s.policy(), s.Roots)
		if !errors.Is(err, tee.ErrReportData) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

func (s *suite) root(t *testing.T) {
	foreign := s.attest(t, func(d *Setup) { d.OtherRoot = true })
	s.refused(t, foreign, s.policy(), tee.ErrChain)
	if _, err := tee.Verify(tee.Verifiers{s.Verifier}, foreign, s.question(bound), s.policy(), s.OtherRoots); err != nil {
		t.Fatalf("under its own root: %v", err)
	}
	ev := s.attest(t, nil)
	for name, roots := range map[string]tee.Roots{"other": s.OtherRoots, "none": {}} {
		_, err := tee.Verify(tee.Verifiers{s.Verifier}, ev, s.question(bound), s.policy(), roots)
		if !errors.Is(err, tee.ErrChain) {
			t.Fatalf("%s roots: %v", name, err)
		}
	}
}

func (s *suite) measurement(t *testing.T) {
	s.refused(t, s.attest(t, func(d *Setup) { d.Program = "bad" }), s.policy(), tee.ErrMeasurement)
	p := s.policy()
	p.Accept[0].Programs = nil
	s.refused(t, s.attest(t, nil), p, tee.ErrMeasurement)
	p.Accept[0].Programs = []tee.Program{tee.Exactly(s.Measurement("good")[:16])}
	s.refused(t, s.attest(t, nil), p, tee.ErrMeasurement)
}

func (s *suite) debug(t *testing.T) {
	ev := s.attest(t, func(d *Setup) { d.Debug = true })
	s.refused(t, ev, s.policy(), tee.ErrDebug)
	p := s.policy()
	p.AllowDebug = true
	if claims, err := s.verify(ev, p); err != nil || !claims.Debug {
		t.Fatalf("debug allowed: %+v, %v", claims, err)
	}
}

func (s *suite) status(t *testing.T) {
	p := s.policy()
	p.Statuses = []tee.TCBStatus{tee.TCBOutOfDate}
	s.refused(t, s.attest(t, nil), p, tee.ErrStatus)
	p.Statuses = nil
	s.refused(t, s.attest(t, nil), p, tee.ErrStatus)
}

func (s *suite) confidence(t *testing.T) {
	ev := s.attest(t, nil)
	claims, err := s.verify(ev, s.policy())
	if err != nil {
		t.Fatal(err)
	}
	if (claims.Kind == tee.KindSimulated) != (claims.Confidence == tee.ConfidenceNone) {
		t.Fatalf("kind %v claims confidence %d", claims.Kind, claims.Confidence)
	}
	p := s.policy()
	for asked := uint8(tee.ConfidenceBest); asked <= tee.ConfidenceWorst; asked++ {
		p.MinConfidence = asked
		if !tee.ConfidenceAtLeast(claims.Confidence, asked) {
			s.refused(t, ev, p, tee.ErrConfidence)
			continue
		}
		if _, err := s.verify(ev, p); err != nil {
			t.Fatalf("level %d where %d is asked: %v", claims.Confidence, asked, err)
		}
	}
}

func (s *suite) age(t *testing.T) {
	p := s.policy()
	if !s.HasTime {
		p.Accept[0].MaxAge = maxAge
		s.refused(t, s.attest(t, nil), p, tee.ErrAge)
		return
	}
	tests := []struct {
		issued time.Duration // from now
		want   error
	}{
		{-maxAge * time.Second, nil},
		{-(maxAge + 1) * time.Second, tee.ErrAge},
		{30 * time.Second, nil},
		{31 * time.Second, tee.ErrAge},
	}
	for _, tt := range tests {
		ev := s.attest(t, func(d *Setup) { d.Now = s.now.Add(tt.issued) })
		if _, err := s.verify(ev, p); !errors.Is(err, tt.want) {
			t.Fatalf("issued %v from now: %v, want %v", tt.issued, err, tt.want)
		}
	}
}

// flipped changes each byte of data and collateral in three ways; none may be believed, whatever the policy and
// whatever the changed evidence says.
func (s *suite) flipped(t *testing.T) {
	ev := s.attest(t, nil)
	for part, field := range []*[]byte{&ev.Data, &ev.Collateral} {
		whole := *field
		for i := range whole {
			for _, mask := range []byte{0x01, 0x80, 0xff} {
				*field = slices.Clone(whole)
				(*field)[i] ^= mask
				_, err := s.Verifier.Verify(ev, s.Roots, s.now)
				var reason *tee.Refusal
				if !errors.As(err, &reason) {
					t.Fatalf("part %d, byte %d, mask %#x: %v", part, i, mask, err)
				}
			}
		}
		*field = whole
	}
}

func (s *suite) truncated(t *testing.T) {
	ev := s.attest(t, nil)
	for _, field := range []*[]byte{&ev.Data, &ev.Collateral} {
		whole := *field
		for n := range whole {
			*field = whole[:n:n]
			s.refusedByVerifier(t, ev, "cut")
		}
		*field = append(slices.Clone(whole), 0)
		s.refusedByVerifier(t, ev, "extended")
		*field = whole
	}
	ev.Data = make([]byte, tee.MaxData+1)
	s.refused(t, ev, s.policy(), tee.ErrFormat)
}

func (s *suite) refusedByVerifier(t *testing.T, ev tee.Evidence, what string) {
	t.Helper()
	var reason *tee.Refusal
	if _, err := s.Verifier.Verify(ev, s.Roots, s.now); !errors.As(err, &reason) {
		t.Fatalf("%s to %d and %d bytes: %v", what, len(ev.Data), len(ev.Collateral), err)
	}
}

// spliced shows one machine's report with another's collateral.
func (s *suite) spliced(t *testing.T) {
	one, two := s.attest(t, nil), s.attest(t, func(d *Setup) { d.Machine = "two" })
	if bytes.Equal(one.Collateral, two.Collateral) {
		t.Skip("the kind's collateral does not name the machine")
	}
	one.Collateral = two.Collateral
	s.refusedByVerifier(t, one, "spliced")
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := s.device(t, nil)
	_, attestErr := d.Attest(ctx, bound)
	_, sealErr := d.Seal(ctx, []byte("x"), nil)
	_, unsealErr := d.Unseal(ctx, []byte("x"), nil)
	for name, err := range map[string]error{"attest": attestErr, "seal": sealErr, "unseal": unsealErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
