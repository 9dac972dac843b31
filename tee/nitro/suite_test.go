package nitro_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha512"
	"math/big"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/nitro"
	nt "github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/teetest"
)

// TestSuite runs the suite of package tee's verifiers on synthetic documents.
func TestSuite(t *testing.T) {
	begun := now.Add(-time.Hour).Truncate(time.Second)
	ours, other := must(nt.New(begun)), must(nt.New(begun))
	roots := func(a *nt.Authority) tee.Roots {
		return tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindNitro, Keys: [][]byte{a.Root()}}}}
	}
	program := func(name string) []byte { m := sha512.Sum384([]byte(name)); return m[:] }
	teetest.RunVerifier(t, teetest.Provider{
		Verifier: nitro.Verifier{}, Now: now, Measurement: program, DebugMeasurement: make([]byte, 48),
		Roots: roots(ours), OtherRoots: roots(other),
		Evidence: func(t *testing.T, s teetest.Setup, data [64]byte) tee.Evidence {
			a := ours
			if s.OtherRoot {
				a = other
			}
			fields := a.Fields(s.Now, data[:], s.Debug)
			if !s.Debug { // PCR0, the first of the registers, begins behind the heads of the map, of its key and of itself
				for i := range fields {
					if fields[i].Name == "pcrs" {
						copy(fields[i].Value[4:], program(s.Program))
					}
				}
			}
			return tee.Evidence{Kind: tee.KindNitro, Data: must(a.Sign(nt.ES384, nt.Payload(fields)))}
		},
		HasTime: true, Expires: true, Stride: 13,
		Resigned: func(ev tee.Evidence) tee.Evidence {
			ev.Data = bytes.Clone(ev.Data)
			s := ev.Data[len(ev.Data)-48:]
			new(big.Int).Sub(elliptic.P384().Params().N, new(big.Int).SetBytes(s)).FillBytes(s)
			return ev
		},
	})
}
