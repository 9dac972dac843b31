package dcap_test

import (
	"crypto/sha256"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/teetest"
)

// suiteWorld is the machine that the suite asks for. The same collateral serves every processor of a model, so another
// machine is one of another model.
func suiteWorld(f form, s teetest.Setup) *dcaptest.World {
	w := f.world()
	program := sha256.Sum256([]byte(s.Program))
	copy(w.TD.MRTD[:], program[:])
	w.Enclave.MRENCLAVE = program
	if s.Machine == "two" {
		w.FMSPC[5]++
		w.TCBInfo.FMSPC = "00A06D08CC11"
	}
	if s.OtherRoot {
		w.Seed = "another root"
	}
	if s.Debug {
		w.Enclave.Attributes[0] |= 2
		w.TD.TDAttributes[0] = 1
	}
	return w
}

func rootsOf(t *testing.T, w *dcaptest.World) tee.Roots {
	_, roots := evidence(t, w)
	return roots
}

// TestSuite runs the suite of package tee's verifiers on synthetic quotes. Every single byte is the matter of
// TestEveryFlippedByte.
func TestSuite(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			genuine := suiteWorld(f, teetest.Setup{})
			teetest.RunVerifier(t, teetest.Provider{
				Verifier:   dcap.Verifier{Of: f.kind},
				Now:        genuine.Now,
				Roots:      rootsOf(t, genuine),
				OtherRoots: rootsOf(t, suiteWorld(f, teetest.Setup{OtherRoot: true})),
				Measurement: func(program string) []byte {
					return measurement(suiteWorld(f, teetest.Setup{Program: program}))
				},
				Evidence: func(t *testing.T, s teetest.Setup, data [64]byte) tee.Evidence {
					w := suiteWorld(f, s)
					w.TD.ReportData, w.Enclave.ReportData = data, data
					ev, _ := evidence(t, w)
					return ev
				},
				Expires: true, ZeroPadding: true, Stride: 31,
				Resigned: func(ev tee.Evidence) tee.Evidence {
					ev.Data = append([]byte{}, ev.Data...)
					w := f.world()
					negate(ev.Data[signedSize(w.Version, w.V15)+4+32:][:32])
					return ev
				},
			})
		})
	}
}

// signedSize is the size of header and body.
func signedSize(version int, v15 bool) int {
	size := map[int]int{3: 48 + 384, 4: 48 + 584, 5: 48 + 6 + 584}[version]
	if v15 {
		size += 64
	}
	return size
}
