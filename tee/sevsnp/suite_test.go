package sevsnp_test

import (
	"crypto/elliptic"
	"crypto/sha512"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/tee/teetest"
)

// suiteMachines keeps the machines of a test, whose certificates take many signatures.
type suiteMachines map[sevsnptest.Setup]*sevsnptest.Machine

// of returns the machine that the suite asks for. A provider's key is the same in all of its machines, so another machine
// has another level too.
func (ms suiteMachines) of(s teetest.Setup) *sevsnptest.Machine {
	setup := sevsnptest.Setup{TCB: levels, ChipID: chip, OtherRoot: s.OtherRoot}
	if s.Machine == "two" {
		setup.ChipID[0]++
		setup.TCB.SNP++
	}
	if ms[setup] == nil {
		ms[setup] = must(sevsnptest.New(setup))
	}
	return ms[setup]
}

// TestSuite runs the suite of package tee's verifiers on reports of both kinds of keys, with the root's list.
func TestSuite(t *testing.T) {
	for name, vlek := range map[string]bool{"VCEK": false, "VLEK": true} {
		t.Run(name, func(t *testing.T) {
			machines := suiteMachines{}
			roots := func(s teetest.Setup) tee.Roots {
				return tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: [][]byte{machines.of(s).Root()}}}}
			}
			program := func(name string) []byte { m := sha512.Sum384([]byte(name)); return m[:] }
			teetest.RunVerifier(t, teetest.Provider{
				Verifier: sevsnp.Verifier{}, Now: now, Measurement: program,
				Roots: roots(teetest.Setup{}), OtherRoots: roots(teetest.Setup{OtherRoot: true}),
				Evidence: func(t *testing.T, s teetest.Setup, data [64]byte) tee.Evidence {
					m := machines.of(s)
					report, c := suiteReport(t, m, vlek, func(raw []byte) {
						copy(raw[sevsnptest.OffsetMeasurement:], program(s.Program))
						copy(raw[sevsnptest.OffsetReportData:], data[:])
						if s.Debug {
							raw[sevsnptest.OffsetPolicy+2] |= sevsnptest.PolicyDebug >> 16
						}
					})
					c.CRLs = [][]byte{must(m.CRL(now.Add(-time.Hour)))}
					return tee.Evidence{Kind: tee.KindSEVSNP, Data: report, Collateral: scale.MustMarshal(c)}
				},
				Expires: true, Stride: 19, Resigned: resigned,
			})
		})
	}
}

func suiteReport(t *testing.T, m *sevsnptest.Machine, vlek bool, edit func([]byte)) ([]byte, *sevsnp.Collateral) {
	t.Helper()
	c := m.Collateral()
	if vlek {
		c = m.CollateralVLEK()
	}
	report, err := m.Report(func(raw []byte) {
		edit(raw)
		if vlek {
			raw[sevsnptest.OffsetSigner] |= sevsnptest.SignerVLEK
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return report, c
}

// resigned replaces s by n-s, which signs as well: nothing may be keyed on a report's bytes. Both are little endian.
func resigned(ev tee.Evidence) tee.Evidence {
	ev.Data = slices.Clone(ev.Data)
	field := ev.Data[sevsnptest.OffsetSignature+72:][:48]
	slices.Reverse(field)
	new(big.Int).Sub(elliptic.P384().Params().N, new(big.Int).SetBytes(field)).FillBytes(field)
	slices.Reverse(field)
	return ev
}
