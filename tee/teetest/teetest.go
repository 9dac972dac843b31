// Package teetest is the suite that every provider of tee must pass: what a verifier refuses, what an attester binds and
// what a sealer keeps. A provider's test fills in a [Provider] and calls [Run], or [RunVerifier] where there is no device
// and evidence is synthetic, or [RunSealer] where there is only storage.
//
//	teetest.Run(t, teetest.Provider{Verifier: simulated.Verifier{}, Device: …})
//
// The suite changes evidence byte by byte and expects a refusal each time. So a provider's formats must leave no byte
// unsigned or ignored: padding is checked, encodings are canonical. Where a maker's format does, the provider says so in
// a field, and the suite checks that what may differ changes nothing in the claims.
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
	// Now is the verifier's time; zero for one of the suite's choice.
	Now time.Time
	// Measurement returns the measurement of a program.
	Measurement func(program string) []byte
	// DebugMeasurement is the measurement of every program in debug mode, where the platform does not measure then.
	DebugMeasurement []byte
	// Evidence returns evidence that a device made; nil takes it from Device.
	Evidence func(t *testing.T, s Setup, reportData [tee.ReportDataSize]byte) tee.Evidence
	// Device returns a device; a test may ask for the same Setup again, as after a restart.
	Device func(t *testing.T, s Setup) Device
	// Sealer returns the storage of a device, as Device does; nil takes the Device.
	Sealer func(t *testing.T, s Setup) tee.Sealer

	// HasTime says that the kind signs a time, Expires that evidence ends with what vouches for it.
	HasTime, Expires bool
	// ZeroPadding says that zeros may follow the data, as Intel's quoting libraries write them. Other bytes may not.
	ZeroPadding bool
	// Resigned returns the same evidence with the other signature that its key could have made: (r, n-s) for (r, s), of
	// plain ECDSA. nil where signatures are unique.
	Resigned func(tee.Evidence) tee.Evidence
	// Stride makes the suite damage every Stride-th byte only, others for each kind of damage, where a verification
	// takes milliseconds. 0 damages all.
	Stride int
}

type test struct {
	name string
	run  func(*testing.T)
}

// Run runs the whole suite against p, which has a Device.
func Run(t *testing.T, p Provider) {
	s := newSuite(p)
	t.Run("cancelled", s.cancelled)
	t.Run("kinds", s.kinds)
	RunVerifier(t, s.Provider)
	RunSealer(t, s.Provider)
}

// RunVerifier runs the tests of a verifier and of the policy's judgement on its claims. Of the makers of things p needs
// Evidence alone.
func RunVerifier(t *testing.T, p Provider) {
	s := newSuite(p)
	for _, tt := range []test{
		{"round trip", s.roundTrip},
		{"pure", s.pure},
		{"kind", s.kind},
		{"report data", s.reportData},
		{"root", s.root},
		{"measurement", s.measurement},
		{"registers", s.registers},
		{"debug", s.debug},
		{"status", s.status},
		{"confidence", s.confidence},
		{"age", s.age},
		{"expires", s.expires},
		{"flipped", s.flipped},
		{"truncated", s.truncated},
		{"extended", s.extended},
		{"resigned", s.resigned},
		{"spliced", s.spliced},
	} {
		t.Run(tt.name, tt.run)
	}
}

// RunSealer runs the tests of storage. Of the makers of things p needs Sealer alone.
func RunSealer(t *testing.T, p Provider) {
	s := newSuite(p)
	for _, tt := range []test{
		{"seal", s.seal},
		{"seal with other data", s.sealAAD},
		{"seal damaged", s.sealDamaged},
		{"seal elsewhere", s.sealElsewhere},
		{"seal never repeats", s.sealFresh},
		{"seal bounds", s.sealBounds},
	} {
		t.Run(tt.name, tt.run)
	}
}

type suite struct {
	Provider
	now time.Time
}

func newSuite(p Provider) *suite {
	s := &suite{Provider: p, now: p.Now}
	if s.now.IsZero() {
		s.now = time.Unix(1_800_000_000, 0)
	}
	if s.Evidence == nil && p.Device != nil {
		s.Evidence = func(t *testing.T, setup Setup, data [tee.ReportDataSize]byte) tee.Evidence {
			t.Helper()
			ev, err := p.Device(t, setup).Attest(context.Background(), data)
			if err != nil {
				t.Fatalf("attest: %v", err)
			}
			return ev
		}
	}
	if s.Sealer == nil && p.Device != nil {
		s.Sealer = func(t *testing.T, setup Setup) tee.Sealer { return p.Device(t, setup) }
	}
	return s
}

const maxAge = 600

var bound = tee.ReportData("teetest", [32]byte{1}, []byte("body"))

func (s *suite) setup(change func(*Setup)) Setup {
	setup := Setup{Machine: "one", Program: "good", Now: s.now}
	if change != nil {
		change(&setup)
	}
	return setup
}

func (s *suite) sealer(t *testing.T, change func(*Setup)) tee.Sealer {
	t.Helper()
	return s.Sealer(t, s.setup(change))
}

func (s *suite) attest(t *testing.T, change func(*Setup)) tee.Evidence {
	t.Helper()
	return s.Evidence(t, s.setup(change), bound)
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
	if ev.Kind != s.Verifier.Kind() {
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
	if good := tee.Exactly(s.Measurement("good")); claims.Program != good.ID(ev.Kind) {
		t.Fatalf("program %x, not the policy's second", claims.Program)
	}
	if !s.HasTime && claims.IssuedAt != 0 {
		t.Fatalf("issued at %d, and the kind signs no time", claims.IssuedAt)
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

// registers checks that claims show registers as policies name them, that each counts, and that a policy may name each
// beside the measurement.
func (s *suite) registers(t *testing.T) {
	ev := s.attest(t, nil)
	claims, err := s.verify(ev, s.policy())
	if err != nil {
		t.Fatal(err)
	}
	digest := tee.Exactly(claims.Measurement)
	if !digest.Holds(claims.Registers) {
		t.Fatalf("the measurement is not among the registers %v", claims.Registers)
	}
	for i, r := range claims.Registers {
		if i > 0 && r.Name <= claims.Registers[i-1].Name {
			t.Fatalf("register %q is not behind %q", r.Name, claims.Registers[i-1].Name)
		}
		p := s.policy()
		p.Accept[0].Programs = []tee.Program{named(digest.Registers[0], r)}
		got, err := s.verify(ev, p)
		if err != nil || got.Program != p.Accept[0].Programs[0].ID(ev.Kind) {
			t.Fatalf("register %q: %v", r.Name, err)
		}
		r.Value = slices.Clone(r.Value)
		r.Value[len(r.Value)-1] ^= 1
		p.Accept[0].Programs = []tee.Program{named(digest.Registers[0], r)}
		s.refused(t, ev, p, tee.ErrMeasurement)
	}
}

// named is the program of the digest and a register, which may be the digest itself.
func named(digest, r tee.Register) tee.Program {
	p := tee.Program{Registers: []tee.Register{r}}
	if r.Name != tee.RegisterMeasurement {
		p.Registers = append(p.Registers, digest)
	}
	tee.SortRegisters(p.Registers)
	return p
}

func (s *suite) debug(t *testing.T) {
	ev := s.attest(t, func(d *Setup) { d.Debug = true })
	p := s.policy()
	if s.DebugMeasurement != nil {
		s.refused(t, ev, p, tee.ErrMeasurement)
		p.Accept[0].Programs = []tee.Program{tee.Exactly(s.DebugMeasurement)}
	}
	s.refused(t, ev, p, tee.ErrDebug)
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

// age moves the platform's clock or, where the kind signs no time, that of the newest thing that its report data names.
func (s *suite) age(t *testing.T) {
	p := s.policy()
	p.Accept[0].MaxAge = maxAge
	if !s.HasTime {
		s.refused(t, s.attest(t, nil), p, tee.ErrAge)
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
		q := s.question(bound)
		q.Bound = s.now.Add(tt.issued)
		if s.HasTime {
			q.Bound = s.now // which makes nothing younger than it says
		}
		if _, err := tee.Verify(tee.Verifiers{s.Verifier}, ev, q, p, s.Roots); !errors.Is(err, tt.want) {
			t.Fatalf("issued %v from now: %v, want %v", tt.issued, err, tt.want)
		}
	}
}

// expires checks that evidence is believed up to the second that the claims name, and not after it.
func (s *suite) expires(t *testing.T) {
	ev := s.attest(t, nil)
	claims, err := s.Verifier.Verify(ev, s.Roots, s.now)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Expires {
		if claims.Expires != 0 {
			t.Fatalf("expires at %d, and nothing should", claims.Expires)
		}
		return
	}
	if claims.Expires < s.now.Unix() {
		t.Fatalf("believed, and expired at %d", claims.Expires)
	}
	end := time.Unix(claims.Expires, 0)
	if _, err := s.Verifier.Verify(ev, s.Roots, end); err != nil {
		t.Fatalf("at its end: %v", err)
	}
	if _, err := s.Verifier.Verify(ev, s.Roots, end.Add(time.Second)); !errors.Is(err, tee.ErrChain) {
		t.Fatalf("after its end: %v", err)
	}
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := s.Device(t, s.setup(nil))
	_, attestErr := d.Attest(ctx, bound)
	_, sealErr := d.Seal(ctx, []byte("x"), nil)
	_, unsealErr := d.Unseal(ctx, []byte("x"), nil)
	for name, err := range map[string]error{"attest": attestErr, "seal": sealErr, "unseal": unsealErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (s *suite) kinds(t *testing.T) {
	d := s.Device(t, s.setup(nil))
	ev, err := d.Attest(context.Background(), bound)
	if err != nil || d.Kind() != s.Verifier.Kind() || ev.Kind != d.Kind() {
		t.Fatalf("kinds differ: device %v, evidence %v, verifier %v, %v", d.Kind(), ev.Kind, s.Verifier.Kind(), err)
	}
}
