package dcap_test

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// evidence returns what a chain gets, and the roots in its genesis.
func evidence(t *testing.T, w *dcaptest.World) (tee.Evidence, tee.Roots) {
	t.Helper()
	ev := build(t, w)
	text, err := ev.Collateral.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return tee.Evidence{Kind: w.Kind, Data: ev.Quote, Collateral: text},
		tee.Roots{Kinds: []tee.KindRoots{{Kind: w.Kind, Keys: [][]byte{ev.Roots[0].Raw}}}}
}

var verifiers = tee.Verifiers{dcap.Verifier{Of: tee.KindSGX}, dcap.Verifier{Of: tee.KindTDX}}

// measurement is what the package says that it is, computed anew.
func measurement(w *dcaptest.World) []byte {
	if w.Kind == tee.KindSGX {
		return w.Enclave.MRENCLAVE[:]
	}
	h := sha512.New384()
	h.Write(w.TD.MRTD[:])
	for _, r := range w.TD.RTMR {
		h.Write(r[:])
	}
	return h.Sum(nil)
}

// TestUnderPolicy judges evidence as a chain does.
func TestUnderPolicy(t *testing.T) {
	cases := []struct {
		name string
		edit func(*dcaptest.World)
		want *tee.Refusal
	}{
		{"all is well", func(*dcaptest.World) {}, nil},
		{"padded", func(w *dcaptest.World) { w.Padding = 9 }, nil},
		{"debug", func(w *dcaptest.World) { w.TD.TDAttributes[0], w.Enclave.Attributes[0] = 1, 7 }, tee.ErrDebug},
		{"a service domain may take the memory", func(w *dcaptest.World) { w.TD.TDAttributes[3] |= 0x20; w.Enclave.Attributes[0] = 7 }, tee.ErrDebug},
		{"other program", func(w *dcaptest.World) { w.TD.RTMR[3][0]++; w.Enclave.MRENCLAVE[0]++ }, tee.ErrMeasurement},
		{"other report data", func(w *dcaptest.World) { w.TD.ReportData[0]++; w.Enclave.ReportData[0]++ }, tee.ErrReportData},
		{"out of date", func(w *dcaptest.World) { w.QE.ISVSVN = 6 }, tee.ErrStatus},
		{"revoked platform", func(w *dcaptest.World) { w.TCBInfo.Levels[0].Status = "Revoked" }, tee.ErrStatus},
		{"revoked PCK", func(w *dcaptest.World) { w.Revoked = []dcaptest.Role{dcaptest.PCK} }, tee.ErrChain},
		{"collateral ended", func(w *dcaptest.World) { w.TCBInfo.NextUpdate = w.Now.Add(-day) }, tee.ErrChain},
		{"another processor", func(w *dcaptest.World) { w.TCBInfo.FMSPC = "000000000000" }, tee.ErrStatus},
		{"another QE", func(w *dcaptest.World) { w.QE.ISVProdID = 77 }, tee.ErrChain},
	}
	for _, f := range forms {
		genuine := f.world()
		policy := tee.Policy{
			Accept: []tee.Acceptance{{Kind: f.kind, Programs: []tee.Program{tee.Exactly(measurement(genuine))}}}, MinConfidence: 1,
			Statuses: []tee.TCBStatus{tee.TCBUpToDate},
		}
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				w := f.world()
				c.edit(w)
				ev, roots := evidence(t, w)
				claims, err := tee.Verify(verifiers, ev, tee.Question{Now: w.Now}, policy, roots)
				if c.want != nil {
					if !errors.Is(err, c.want) {
						t.Errorf("%v, want %v", err, c.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if claims.Confidence != 1 || claims.TCBStatus != tee.TCBUpToDate || claims.IssuedAt != 0 ||
					!bytes.Equal(claims.Measurement, measurement(w)) {
					t.Errorf("%+v", claims)
				}
			})
		}
	}
}

// TestEveryReasonHasARefusal maps damage of each kind to one reason of package tee.
func TestEveryReasonHasARefusal(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	ev, roots := evidence(t, w)
	v := dcap.Verifier{Of: tee.KindTDX}
	cases := []struct {
		name string
		v    dcap.Verifier
		edit func(*tee.Evidence, *tee.Roots)
		want *tee.Refusal
	}{
		{"other kind of verifier", dcap.Verifier{Of: tee.KindSGX}, func(*tee.Evidence, *tee.Roots) {}, tee.ErrKind},
		{"quote under another kind", dcap.Verifier{Of: tee.KindSGX}, func(ev *tee.Evidence, r *tee.Roots) {
			ev.Kind, r.Kinds[0].Kind = tee.KindSGX, tee.KindSGX
		}, tee.ErrFormat},
		{"no roots", v, func(_ *tee.Evidence, r *tee.Roots) { *r = tee.Roots{} }, tee.ErrChain},
		{"root is no certificate", v, func(_ *tee.Evidence, r *tee.Roots) { r.Kinds[0].Keys[0] = []byte{1} }, tee.ErrChain},
		{"no collateral", v, func(ev *tee.Evidence, _ *tee.Roots) { ev.Collateral = nil }, tee.ErrFormat},
		{"trailing", v, func(ev *tee.Evidence, _ *tee.Roots) { ev.Data = append(ev.Data, 1) }, tee.ErrFormat},
		{"signature", v, func(ev *tee.Evidence, _ *tee.Roots) { ev.Data[100]++ }, tee.ErrSignature},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := tee.Evidence{Kind: ev.Kind, Data: bytes.Clone(ev.Data), Collateral: bytes.Clone(ev.Collateral)}
			r := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindTDX, Keys: [][]byte{roots.Kinds[0].Keys[0]}}}}
			c.edit(&e, &r)
			if _, err := c.v.Verify(e, r, w.Now); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestConfidence(t *testing.T) {
	for s, want := range []uint8{1, 2, 3, 4, 5, 5, 5, 5} {
		if got := dcap.Confidence(tee.TCBStatus(s), false); got != want {
			t.Errorf("%s: %d, want %d", tee.TCBStatus(s), got, want)
		}
	}
	if got := dcap.Confidence(tee.TCBUpToDate, true); got != 2 {
		t.Errorf("UpToDate with an advisory: %d", got)
	}
}

// A policy can ask how a domain was started: the host of one that was started without SEPT_VE_DISABLE may take pages from it
// and have it go on in a handler.
func TestPolicyNamesAttributes(t *testing.T) {
	for _, f := range forms {
		genuine := f.world()
		if f.kind != tee.KindTDX {
			continue
		}
		attributes := genuine.TD.TDAttributes
		program := tee.Exactly(measurement(genuine))
		program.Registers = append(program.Registers, tee.Register{Name: "td_attributes", Value: attributes[:]})
		policy := tee.Policy{
			Accept:   []tee.Acceptance{{Kind: tee.KindTDX, Programs: []tee.Program{program}}},
			Statuses: []tee.TCBStatus{tee.TCBUpToDate}, MinConfidence: 1,
		}
		for _, started := range []struct {
			as   [8]byte
			want error
		}{{attributes, nil}, {[8]byte{}, tee.ErrMeasurement}} {
			w := f.world()
			w.TD.TDAttributes = started.as
			ev, roots := evidence(t, w)
			if _, err := tee.Verify(verifiers, ev, tee.Question{Now: w.Now}, policy, roots); !errors.Is(err, started.want) {
				t.Errorf("%s, %x: %v, want %v", f.name, started.as, err, started.want)
			}
		}
	}
}
