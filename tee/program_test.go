package tee_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

// program names registers, each with 48 times the byte of its place, from 1 on.
func program(names ...string) tee.Program {
	var p tee.Program
	for i, name := range names {
		p.Registers = append(p.Registers, tee.Register{Name: name, Value: bytes.Repeat([]byte{byte(i + 1)}, 48)})
	}
	return p
}

// TestProgramID freezes the derivation: DO NOT CHANGE. The digests were computed apart.
func TestProgramID(t *testing.T) {
	exact, domain := tee.Exactly(goodMR), program("mrtd", "rtmr0", "rtmr1", "rtmr2")
	for _, tt := range []struct {
		p    *tee.Program
		kind tee.Kind
		want string
	}{
		{&exact, tee.KindSEVSNP, "cd9bcada66d4e71bfaa5dde40570e2893524179217feb2d6f12e06f0460bf199"},
		{&domain, tee.KindTDX, "be1b51be566afe25dd9d2032432b0228d257e83c83e4014e0ca13549e77c2fbb"},
	} {
		if got := tt.p.ID(tt.kind); hex.EncodeToString(got[:]) != tt.want {
			t.Errorf("%s: %x", tt.kind, got)
		}
	}
	if exact.ID(tee.KindSEVSNP) == exact.ID(tee.KindTDX) {
		t.Error("one name for programs of two kinds")
	}
}

func TestProgramHolds(t *testing.T) {
	claims := program("a", "b", "c", "d").Registers
	other := program("a", "b")
	other.Registers[1].Value = other.Registers[1].Value[:47]
	tests := []struct {
		name string
		p    tee.Program
		want bool
	}{
		{"all", program("a", "b", "c", "d"), true},
		{"first", program("a"), true},
		{"values of other places", program("b", "c"), false},
		{"the start of a value", other, false},
		{"a register that is lacking", program("a", "b", "c", "d", "e"), false},
		{"one before all", program("A"), false},
		{"nothing named", tee.Program{}, false},
	}
	for _, tt := range tests {
		if got := tt.p.Holds(claims); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	last := tee.Program{Registers: claims[3:]}
	if !last.Holds(claims) || last.Holds(nil) {
		t.Error("the last register alone")
	}
}

// TestValidatePrograms says which registers fix a program of a kind. A maker's key or an owner's id never does.
func TestValidatePrograms(t *testing.T) {
	tests := []struct {
		kind  tee.Kind
		names string
		valid bool
	}{
		{tee.KindSimulated, "measurement", true},
		{tee.KindSimulated, "mrenclave", false},
		{tee.KindSGX, "measurement", true},
		{tee.KindSGX, "mrenclave", true},
		{tee.KindSGX, "configid mrenclave mrsigner", true},
		{tee.KindSGX, "measurement mrsigner", true},
		{tee.KindSGX, "mrsigner", false},
		{tee.KindSGX, "configid mrsigner", false},
		{tee.KindTDX, "measurement", true},
		{tee.KindTDX, "mrtd rtmr0 rtmr1 rtmr2", true},
		{tee.KindTDX, "mrconfigid mrowner mrownerconfig mrseam mrservicetd mrsignerseam mrtd rtmr0 rtmr1 rtmr2 rtmr3", true},
		{tee.KindTDX, "measurement td_attributes xfam", true},
		{tee.KindTDX, "td_attributes xfam", false},
		{tee.KindTDX, "mrtd", false},
		{tee.KindTDX, "mrtd rtmr0 rtmr1", false},
		{tee.KindTDX, "mrtd rtmr1 rtmr2", false},
		{tee.KindTDX, "rtmr0 rtmr1 rtmr2 rtmr3", false},
		{tee.KindTDX, "mrowner", false},
		{tee.KindSEVSNP, "host_data measurement", true},
		{tee.KindSEVSNP, "guest_policy measurement vmpl", true},
		{tee.KindSEVSNP, "guest_policy vmpl", false},
		{tee.KindSEVSNP, "author_key_digest family_id host_data id_key_digest image_id", false},
		{tee.KindNitro, "pcr0", true},
		{tee.KindNitro, "pcr0 pcr1 pcr31 pcr8", true},
		{tee.KindNitro, "pcr1 pcr2", false},
		{tee.KindNitro, "pcr8", false},
		{tee.KindNitro, "pcr0 pcr32", false},
		{tee.KindTPM, "measurement", true},
		{tee.KindTPM, "pcr0", false},
		{tee.KindTDX, "rtmr0 mrtd rtmr1 rtmr2", false}, // order
		{tee.KindSGX, "mrenclave mrenclave", false},
		{tee.KindSGX, "MRENCLAVE", false},
		{tee.KindSGX, "measurement mrenclav", false},
		{tee.KindSGX, "", false},
		{tee.KindNitro, "pcr0 pcr1 pcr10 pcr11 pcr12 pcr13 pcr14 pcr15 pcr16 pcr17 pcr18 pcr19 pcr2 pcr20 pcr21 pcr22", true},
		{tee.KindNitro, "pcr0 pcr1 pcr10 pcr11 pcr12 pcr13 pcr14 pcr15 pcr16 pcr17 pcr18 pcr19 pcr2 pcr20 pcr21 pcr22 pcr23", false},
	}
	for _, tt := range tests {
		p := program(strings.Fields(tt.names)...)
		if err := p.Validate(tt.kind); (err == nil) != tt.valid || err != nil && !errors.Is(err, tee.ErrPolicy) {
			t.Errorf("%s %q: %v", tt.kind, tt.names, err)
		}
	}
	for _, size := range []int{0, 65} {
		if p := tee.Exactly(make([]byte, size)); !errors.Is(p.Validate(tee.KindSGX), tee.ErrPolicy) {
			t.Errorf("a value of %d bytes", size)
		}
	}
}

func TestValidateRules(t *testing.T) {
	many := func(n int) (out []tee.Program) {
		for i := range n {
			out = append(out, tee.Exactly([]byte{byte(i)}))
		}
		return out
	}
	floors := func(names ...string) (out []tee.TCBFloor) {
		for _, name := range names {
			out = append(out, tee.TCBFloor{Product: name})
		}
		return out
	}
	tests := []struct {
		name  string
		rule  tee.Acceptance
		valid bool
	}{
		{"most programs", tee.Acceptance{Kind: tee.KindTPM, Programs: many(tee.MaxPrograms)}, true},
		{"too many programs", tee.Acceptance{Kind: tee.KindTPM, Programs: many(tee.MaxPrograms + 1)}, false},
		{"a program twice", tee.Acceptance{Kind: tee.KindTPM, Programs: append(many(2), many(1)...)}, false},
		{"evaluation of SGX", tee.Acceptance{Kind: tee.KindSGX, MinEvaluation: 17}, true},
		{"evaluation of TDX", tee.Acceptance{Kind: tee.KindTDX, MinEvaluation: math.MaxUint32}, true},
		{"evaluation of AMD", tee.Acceptance{Kind: tee.KindSEVSNP, MinEvaluation: 17}, false},
		{"evaluation of AWS", tee.Acceptance{Kind: tee.KindNitro, MinEvaluation: 1}, false},
		{"floors", tee.Acceptance{Kind: tee.KindSEVSNP, MinTCB: floors("Genoa", "Milan"), RequireCRL: true}, true},
		{"floors descend", tee.Acceptance{Kind: tee.KindSEVSNP, MinTCB: floors("Milan", "Genoa")}, false},
		{"a floor twice", tee.Acceptance{Kind: tee.KindSEVSNP, MinTCB: floors("Milan", "Milan")}, false},
		{"unknown product", tee.Acceptance{Kind: tee.KindSEVSNP, MinTCB: floors("milan")}, false},
		{"floor of Intel", tee.Acceptance{Kind: tee.KindSGX, MinTCB: floors("Milan")}, false},
		{"list of Intel", tee.Acceptance{Kind: tee.KindTDX, RequireCRL: true}, false},
		{"list of the simulated", tee.Acceptance{RequireCRL: true}, false},
	}
	for _, tt := range tests {
		p := tee.Policy{Accept: []tee.Acceptance{tt.rule}}
		err := p.Validate()
		if (err == nil) != tt.valid || err != nil && !errors.Is(err, tee.ErrPolicy) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := scale.Marshal(&p); (err == nil) != tt.valid {
			t.Errorf("%s is encoded: %v", tt.name, err)
		}
	}
}

// TestPlatformRules judges what one maker's platform alone shows.
func TestPlatformRules(t *testing.T) {
	milan := tee.Levels{BootLoader: 4, SNP: 23, Microcode: 213}
	floor := []tee.TCBFloor{{Product: "Milan", Levels: milan}}
	tests := []struct {
		name   string
		kind   tee.Kind
		change func(*tee.Claims, *tee.Acceptance)
		want   error
	}{
		{"evaluation reached", tee.KindTDX, func(c *tee.Claims, a *tee.Acceptance) { c.Evaluation, a.MinEvaluation = 17, 17 }, nil},
		{"older evaluation", tee.KindTDX, func(c *tee.Claims, a *tee.Acceptance) { c.Evaluation, a.MinEvaluation = 16, 17 }, tee.ErrStatus},
		{"list there", snp, func(c *tee.Claims, a *tee.Acceptance) { c.CRLChecked, a.RequireCRL = true, true }, nil},
		{"no list", snp, func(_ *tee.Claims, a *tee.Acceptance) { a.RequireCRL = true }, tee.ErrRevocation},
		{"at the floor", snp, func(c *tee.Claims, a *tee.Acceptance) { c.Product, c.Levels, a.MinTCB = "Milan", milan, floor }, nil},
		{"below the floor", snp, func(c *tee.Claims, a *tee.Acceptance) {
			c.Product, c.Levels, a.MinTCB = "Milan", tee.Levels{BootLoader: 9, SNP: 22, Microcode: 255}, floor
		}, tee.ErrStatus},
		{"another product's floor", snp, func(c *tee.Claims, a *tee.Acceptance) {
			c.Product, c.Levels, a.MinTCB = "Genoa", tee.Levels{BootLoader: 9, TEE: 9, SNP: 99, Microcode: 255}, floor
		}, tee.ErrStatus},
		{"no floor", snp, func(c *tee.Claims, _ *tee.Acceptance) { c.Product = "Genoa" }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cl, p := good()
			cl.Kind, p.Accept[0].Kind = tt.kind, tt.kind
			tt.change(&cl, &p.Accept[0])
			if _, err := judged(cl, p, tee.Question{ReportData: bound, Now: now}); !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
		})
	}
}

func judged(cl tee.Claims, p tee.Policy, q tee.Question) (tee.Claims, error) {
	return tee.Verify(tee.Verifiers{fixed{kind: cl.Kind, claims: cl}}, tee.Evidence{Kind: cl.Kind}, q, p, tee.Roots{})
}

// TestBelowFloorIsSaid: where policy takes outdated platforms, the claims say that this one is, and do not lend it the
// confidence of a good one.
func TestBelowFloorIsSaid(t *testing.T) {
	cl, p := good()
	cl.Confidence, cl.Product = 1, "Milan"
	p.Accept[0].MinTCB = []tee.TCBFloor{{Product: "Milan", Levels: tee.Levels{SNP: 1}}}
	p.Statuses, p.MinConfidence = append(p.Statuses, tee.TCBOutOfDate), tee.ConfidenceWorst
	got, err := judged(cl, p, tee.Question{ReportData: bound, Now: now})
	if err != nil || got.TCBStatus != tee.TCBOutOfDate || got.Confidence != tee.ConfidenceWorst {
		t.Fatalf("%+v, %v", got, err)
	}
	p.MinConfidence = 4
	if _, err := judged(cl, p, tee.Question{ReportData: bound, Now: now}); !errors.Is(err, tee.ErrConfidence) {
		t.Fatal(err)
	}
}

// TestProgramIsNamed: the claims name the first program that holds.
func TestProgramIsNamed(t *testing.T) {
	cl, p := good()
	cl.Registers = append([]tee.Register{{Name: "host_data", Value: []byte{1}}}, cl.Registers...)
	both, wide := tee.Program{Registers: cl.Registers}, tee.Exactly(goodMR)
	for _, order := range [][]tee.Program{{tee.Exactly([]byte{1}), both, wide}, {wide, both}} {
		p.Accept[0].Programs = order
		want := order[len(order)-2].ID(snp)
		if got, err := judged(cl, p, tee.Question{ReportData: bound, Now: now}); err != nil || got.Program != want {
			t.Fatalf("%x, %v, want %x", got.Program, err, want)
		}
	}
}

// TestBound is about the time that stands in for evidence without one: a replayed report is as old as the newest header
// that it names, whatever its host says.
func TestBound(t *testing.T) {
	at := func(seconds int64) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	tests := []struct {
		name   string
		kind   tee.Kind
		issued int64
		bound  time.Time
		want   error
	}{
		{"oldest", snp, 0, at(-60), nil},
		{"too old", snp, 0, at(-61), tee.ErrAge},
		{"furthest ahead", snp, 0, at(5), nil},
		{"too far ahead", snp, 0, at(6), tee.ErrAge},
		{"nothing named", snp, 0, time.Time{}, tee.ErrAge},
		{"at the epoch", snp, 0, time.Unix(0, 0), tee.ErrAge},
		{"before the epoch", snp, 0, time.Unix(-1<<40, 0), tee.ErrAge},
		{"own time counts", snp, now.Unix() - 61, at(0), tee.ErrAge},
		{"own time before all", snp, math.MinInt64, at(0), tee.ErrAge},
		{"a kind that signs a time, without", tee.KindNitro, 0, at(0), tee.ErrAge},
		{"a kind that signs a time, with", tee.KindNitro, now.Unix(), time.Time{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cl, p := good()
			cl.Kind, p.Accept[0].Kind, cl.IssuedAt = tt.kind, tt.kind, tt.issued
			_, err := judged(cl, p, tee.Question{ReportData: bound, Bound: tt.bound, Now: now})
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
		})
	}
}

// full is a policy that uses every field.
func full() *tee.Policy {
	return &tee.Policy{
		Accept: []tee.Acceptance{
			{Kind: tee.KindSimulated, Programs: []tee.Program{tee.Exactly([]byte{9})}, MaxAge: 600, MaxAhead: 3600},
			{Kind: tee.KindSGX, Programs: []tee.Program{program("mrenclave", "mrsigner")}, MinEvaluation: 17},
			{Kind: tee.KindTDX, Programs: []tee.Program{program("mrtd", "rtmr0", "rtmr1", "rtmr2"), tee.Exactly(goodMR)}, MinEvaluation: 18},
			{Kind: tee.KindSEVSNP, Programs: []tee.Program{program("host_data", "measurement")}, RequireCRL: true, MinTCB: []tee.TCBFloor{
				{Product: "Genoa", Levels: tee.Levels{BootLoader: 1, TEE: 2, SNP: 3, Microcode: 4}}, {Product: "Milan"},
			}},
			{Kind: tee.KindNitro, Programs: []tee.Program{program("pcr0", "pcr8")}, MaxAge: 60},
		},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate}, AllowDebug: true, MinConfidence: 2,
	}
}

// TestMutatedPolicies changes encoded policies, from a fixed seed: what decodes is the only encoding of what it says, and
// validates; judging with it neither panics nor believes what it does not name.
func TestMutatedPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	whole, decoded := scale.MustMarshal(full()), 0
	cl, _ := good()
	for i := range 20_000 {
		b := mutated(rng, whole)
		var p tee.Policy
		if scale.Unmarshal(b, &p) != nil {
			continue
		}
		decoded++
		if again := scale.MustMarshal(&p); !bytes.Equal(again, b) {
			t.Fatalf("%d: %x became %x", i, b, again)
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("%d: decoded, and %v", i, err)
		}
		if claims, err := judged(cl, p, tee.Question{ReportData: bound, Now: now}); err == nil {
			t.Fatalf("%d: believed %+v under %+v", i, claims, p)
		}
	}
	if decoded < 1000 {
		t.Fatalf("only %d of the policies decoded: the test shows little", decoded)
	}
}

func mutated(rng *rand.Rand, whole []byte) []byte {
	b := bytes.Clone(whole)
	for range 1 + rng.IntN(3) {
		at := rng.IntN(len(b))
		switch rng.IntN(4) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b[at] = byte(rng.Uint32())
		case 2:
			b = append(b[:at:at], b[min(len(b), at+1+rng.IntN(8)):]...)
		default:
			b = append(b[:at:at], append(bytes.Clone(b[at:min(len(b), at+8)]), b[at:]...)...)
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}

// TestValidateIsTotal validates policies that no encoding gave, at their bounds and beyond.
func TestValidateIsTotal(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	names := []string{"", "measurement", "mrtd", "rtmr0", "rtmr1", "rtmr2", "pcr0", "\xff", strings.Repeat("x", 25), "mrsigner", "mrenclave"}
	valid := 0
	for range 20_000 {
		p := tee.Policy{MinConfidence: uint8(rng.IntN(8))}
		for range rng.IntN(3) {
			a := tee.Acceptance{Kind: tee.Kind(rng.IntN(8)), MinEvaluation: rng.Uint32N(2), RequireCRL: rng.IntN(4) == 0}
			for range rng.IntN(3) {
				var pr tee.Program
				for range rng.IntN(3) {
					pr.Registers = append(pr.Registers, tee.Register{Name: names[rng.IntN(len(names))], Value: make([]byte, rng.IntN(66))})
				}
				a.Programs = append(a.Programs, pr)
			}
			p.Accept = append(p.Accept, a)
		}
		err := p.Validate()
		if err != nil && !errors.Is(err, tee.ErrPolicy) {
			t.Fatal(err)
		}
		_, encoding := scale.Marshal(&p)
		if (err == nil) != (encoding == nil) {
			t.Fatalf("%+v validates with %v and encodes with %v", p, err, encoding)
		}
		if err == nil {
			valid++
		}
	}
	if valid < 500 {
		t.Fatalf("only %d were valid", valid)
	}
}

func ExampleProgram() {
	enclave := tee.Program{Registers: []tee.Register{{Name: "mrsigner", Value: make([]byte, 32)}}}
	fmt.Println(enclave.Validate(tee.KindSGX))
	// Output: tee: invalid policy: a program of kind sgx-dcap-v3 must name measurement, or all of mrenclave
}
