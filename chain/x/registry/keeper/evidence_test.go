package keeper_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/crypto/ecdh"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/wire"
)

// hardware are the verifiers that a chain has.
var hardware = tee.Verifiers{
	dcap.Verifier{Of: tee.KindSGX}, dcap.Verifier{Of: tee.KindTDX}, sevsnp.Verifier{}, nitro.Verifier{},
}

// flaw is what is wrong with a platform or its evidence.
type flaw int

const (
	sound flaw = iota
	otherProgram
	debugged
	outdated    // the maker's verdict, or below the policy's floor
	uncovered   // collateral older than policy asks, or none
	foreign     // report data of something else
	malleated   // other bytes that mean the same
	longExpired // judged when the collateral has ended
)

// platform makes evidence of one form under a test root. Its values do not depend on the run but for signatures.
type platform struct {
	name  string
	kind  tee.Kind
	now   time.Time
	root  []byte
	build func(t *testing.T, data [tee.ReportDataSize]byte, f flaw) tee.Evidence
}

func unwrap[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// platforms are made once: AMD's keys take a while.
var platforms = sync.OnceValue(func() []platform {
	return []platform{
		quotes("SGX 3", tee.KindSGX, 3), quotes("TDX 4", tee.KindTDX, 4), quotes("TDX 5", tee.KindTDX, 5), snp(), document(),
	}
})

func quotes(name string, kind tee.Kind, version int) platform {
	first := dcaptest.New(kind, version)
	return platform{name: name, kind: kind, now: first.Now, root: unwrap(first.Build()).Roots[0].Raw,
		build: func(_ *testing.T, data [tee.ReportDataSize]byte, f flaw) tee.Evidence {
			w := dcaptest.New(kind, version)
			w.Enclave.ReportData, w.TD.ReportData = data, data
			switch f {
			case otherProgram:
				w.Enclave.MRENCLAVE[0]++
				w.TD.RTMR[2][0]++
			case debugged:
				w.Enclave.Attributes[0] |= 2
				w.TD.TDAttributes[0] |= 1
			case outdated:
				w.TCBInfo.Levels[0].Status = "OutOfDate"
			case uncovered:
				w.QEIdentity.Evaluation--
			case foreign:
				w.Enclave.ReportData[0]++
				w.TD.ReportData[0]++
			case malleated:
				w.Padding = 100
			}
			ev := unwrap(w.Build())
			return tee.Evidence{Kind: kind, Data: ev.Quote, Collateral: unwrap(json.Marshal(ev.Collateral))}
		}}
}

func snp() platform {
	levels := sevsnp.TCB{BootLoader: 4, SNP: 23, Microcode: 213}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	m := unwrap(sevsnptest.New(sevsnptest.Setup{TCB: levels, ChipID: [64]byte{1}}))
	levels.SNP--
	old := unwrap(sevsnptest.New(sevsnptest.Setup{TCB: levels, ChipID: [64]byte{1}}))
	crl := unwrap(m.CRL(now.Add(-time.Hour)))
	return platform{name: "SEV-SNP", kind: tee.KindSEVSNP, now: now, root: m.Root(),
		build: func(_ *testing.T, data [tee.ReportDataSize]byte, f flaw) tee.Evidence {
			of := m
			if f == outdated {
				of = old
			}
			report := unwrap(of.Report(func(raw []byte) {
				copy(raw[sevsnptest.OffsetReportData:], data[:])
				switch f {
				case otherProgram:
					raw[sevsnptest.OffsetMeasurement]++
				case debugged:
					raw[sevsnptest.OffsetPolicy+2] |= sevsnptest.PolicyDebug >> 16
				case foreign:
					raw[sevsnptest.OffsetReportData]++
				}
			}))
			if f == malleated {
				negate(report[sevsnptest.OffsetSignature+72:][:72])
			}
			c := of.Collateral()
			if f != uncovered {
				c.CRLs = [][]byte{crl}
			}
			return tee.Evidence{Kind: tee.KindSEVSNP, Data: report, Collateral: scale.MustMarshal(c)}
		}}
}

// negate replaces s by n−s, which signs the same on P-384; s is little-endian.
func negate(s []byte) {
	n, _ := new(big.Int).SetString("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
	slices.Reverse(s)
	n.Sub(n, new(big.Int).SetBytes(s)).FillBytes(s)
	slices.Reverse(s)
}

func document() platform {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	a := unwrap(nitrotest.New(now))
	return platform{name: "Nitro", kind: tee.KindNitro, now: now, root: a.Root(),
		build: func(_ *testing.T, data [tee.ReportDataSize]byte, f flaw) tee.Evidence {
			if f == foreign {
				data[0]++
			}
			at := now
			if f == uncovered {
				at = now.Add(-time.Hour)
			}
			return tee.Evidence{Kind: tee.KindNitro, Data: unwrap(a.Document(at, data[:], f == debugged))}
		}}
}

// claims is what the platform's sound evidence says.
func (p *platform) claims(t *testing.T) tee.Claims {
	t.Helper()
	roots := p.roots()
	return unwrap(hardware.Of(p.kind).Verify(p.build(t, [tee.ReportDataSize]byte{}, sound), roots, p.now))
}

func (p *platform) roots() tee.Roots {
	return tee.Roots{Kinds: []tee.KindRoots{{Kind: p.kind, Keys: [][]byte{p.root}}}}
}

// genesis believes the platform under its test root, for its program, at its newest collateral.
func (p *platform) genesis(t *testing.T) *types.GenesisState {
	t.Helper()
	claims := p.claims(t)
	rule := tee.Acceptance{Kind: p.kind, Programs: []tee.Program{tee.Exactly(claims.Measurement)}, MaxAge: 10, MaxAhead: 5, MinEvaluation: claims.Evaluation}
	if p.kind == tee.KindTDX { // by its registers, as people name it
		rule.Programs[0].Registers = slices.DeleteFunc(slices.Clone(claims.Registers), func(r tee.Register) bool {
			return r.Name != "mrtd" && !strings.HasPrefix(r.Name, "rtmr")
		})
	}
	if p.kind == tee.KindSEVSNP {
		rule.RequireCRL, rule.MinTCB = true, []tee.TCBFloor{{Product: "Milan", Levels: claims.Levels}}
	}
	policy := &tee.Policy{Accept: []tee.Acceptance{rule}, Statuses: []tee.TCBStatus{tee.TCBUpToDate}, MinConfidence: tee.ConfidenceWorst}
	roots := p.roots()
	g := types.DefaultGenesis()
	g.Params.Policy, g.Params.Roots = scale.MustMarshal(policy), scale.MustMarshal(&roots)
	return g
}

// chain is a chain of hardware at the platform's time.
func (p *platform) chain(t *testing.T, g *types.GenesisState, f flaw) *chain {
	t.Helper()
	now := p.now
	if f == longExpired {
		now = now.AddDate(30, 0, 0)
	}
	return newChainAt(t, g, now, hardware)
}

// message registers an enclave on the platform, the same one each time.
func (p *platform) message(c *chain, f flaw) (*types.MsgRegisterWorker, sr25519.PublicKey) {
	c.t.Helper()
	identity := unwrap(sr25519.FromMiniSecret(bytes.Repeat([]byte{7}, 32)))
	h := c.height() - 1
	r := wire.Registration{
		Version: wire.RegistrationVersion, Identity: identity.Public(), Ecdh: unwrap(ecdh.FromMiniSecret(bytes.Repeat([]byte{8}, 32))).Public(),
		UID: wire.ChainUID(headerHash(1)), Incarnation: wire.Incarnation{1}, HeaderHeight: h, HeaderHash: headerHash(h),
		Operator: account(1), Software: "v1",
	}
	sig := unwrap(identity.Sign(c.random, unwrap(r.SigningText())))
	ev := p.build(c.t, unwrap(r.ReportData()), f)
	return &types.MsgRegisterWorker{
		Operator: accountText(1), Registration: scale.MustMarshal(&r), Evidence: scale.MustMarshal(&ev), Signature: sig[:],
	}, identity.Public()
}

// Evidence of every form, under a test root that genesis names.
func TestHardwareRegisters(t *testing.T) {
	for _, p := range platforms() {
		t.Run(p.name, func(t *testing.T) {
			var states [][]byte
			flaws := []flaw{sound, sound, malleated} // twice the same, and other bytes that mean the same
			for _, f := range flaws {
				c := p.chain(t, p.genesis(t), f)
				m, pk := p.message(c, f)
				ok(t, c.send(m))
				w := c.worker(pk)
				claims := p.claims(t)
				if w.EvidenceKind != uint8(p.kind) || w.Confidence != tee.ConfidenceBest || !bytes.Equal(w.Measurement, claims.Measurement) {
					t.Fatalf("recorded %+v", w)
				}
				states = append(states, scale.MustMarshal(&w), c.multi.Commit().Hash)
			}
			for i := 2; i < len(states); i += 2 {
				if !bytes.Equal(states[i], states[0]) || !bytes.Equal(states[i+1], states[1]) {
					t.Fatal("the same facts gave two states")
				}
			}
		})
	}
}

func TestHardwareThatIsRefused(t *testing.T) {
	tests := []struct {
		name string
		f    flaw
		want *tee.Refusal
		but  map[tee.Kind]*tee.Refusal // nil: the kind has no such flaw
	}{
		{"another program", otherProgram, tee.ErrMeasurement, map[tee.Kind]*tee.Refusal{tee.KindNitro: nil}},
		{"under a debugger", debugged, tee.ErrDebug, map[tee.Kind]*tee.Refusal{tee.KindNitro: tee.ErrMeasurement}}, // its registers are zero
		{"out of date", outdated, tee.ErrStatus, map[tee.Kind]*tee.Refusal{tee.KindNitro: nil}},
		{"old or missing collateral", uncovered, tee.ErrStatus, map[tee.Kind]*tee.Refusal{tee.KindSEVSNP: tee.ErrRevocation, tee.KindNitro: tee.ErrAge}},
		{"for something else", foreign, tee.ErrReportData, nil},
		{"collateral ended", longExpired, tee.ErrChain, nil},
	}
	for _, p := range platforms() {
		for _, tt := range tests {
			refusal := tt.want
			if other, differs := tt.but[p.kind]; differs {
				refusal = other
			}
			if refusal == nil {
				continue
			}
			t.Run(p.name+"/"+tt.name, func(t *testing.T) {
				c := p.chain(t, p.genesis(t), tt.f)
				m, _ := p.message(c, tt.f)
				err := c.send(m)
				want(t, err, types.ErrEvidence)
				if !strings.Contains(err.Error(), refusal.Error()) {
					t.Fatalf("refused with %q, want %q", err, refusal)
				}
			})
		}
	}
}

// A production network trusts the makers' roots alone, and a network without the kind trusts nothing of it.
func TestTestRootsAreForTheirGenesisOnly(t *testing.T) {
	makers := tee.Roots{Kinds: []tee.KindRoots{
		{Kind: tee.KindSGX, Keys: [][]byte{dcap.IntelRoot().Raw}}, {Kind: tee.KindTDX, Keys: [][]byte{dcap.IntelRoot().Raw}},
		{Kind: tee.KindSEVSNP, Keys: sevsnp.Roots()}, {Kind: tee.KindNitro, Keys: nitro.Roots()},
	}}
	for _, p := range platforms() {
		for name, roots := range map[string]tee.Roots{"makers": makers, "none": {}} {
			g := p.genesis(t)
			g.Params.Roots = scale.MustMarshal(&roots)
			c := p.chain(t, g, sound)
			m, _ := p.message(c, sound)
			err := c.send(m)
			want(t, err, types.ErrEvidence)
			if !strings.Contains(err.Error(), tee.ErrChain.Error()) {
				t.Errorf("%s, %s: %v", p.name, name, err)
			}
		}
	}
}

// Kinds that sign no time are as old as the header that their report data names.
func TestOldHeadersMakeOldEvidence(t *testing.T) {
	for _, p := range platforms() {
		if p.kind == tee.KindNitro {
			continue
		}
		for blocks, old := range map[int]bool{19: false, 22: true} { // of half a second; the header is one older
			c := p.chain(t, p.genesis(t), sound)
			m, _ := p.message(c, sound)
			c.advance(blocks)
			err := c.send(m)
			if !old {
				ok(t, err)
				continue
			}
			want(t, err, types.ErrEvidence)
			if !strings.Contains(err.Error(), tee.ErrAge.Error()) {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}
