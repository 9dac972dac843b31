package dcap_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// combined is the table of Intel's specification, written out: what a platform's status becomes beside a QE or TDX
// module that is UpToDate, OutOfDate or Revoked.
var combined = []struct {
	platform                     string
	upToDate, outOfDate, revoked string
}{
	{"UpToDate", "UpToDate", "OutOfDate", "Revoked"},
	{"SWHardeningNeeded", "SWHardeningNeeded", "OutOfDate", "Revoked"},
	{"ConfigurationNeeded", "ConfigurationNeeded", "OutOfDateConfigurationNeeded", "Revoked"},
	{"ConfigurationAndSWHardeningNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDateConfigurationNeeded", "Revoked"},
	{"OutOfDate", "OutOfDate", "OutOfDate", "Revoked"},
	{"OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded", "Revoked"},
	{"Revoked", "Revoked", "Revoked", "Revoked"},
}

func (f form) statusWorld(platform string, svn byte) *dcaptest.World {
	w := f.world()
	w.TCBInfo.Levels[0].Status = platform
	w.TD.TEETCBSVN[0] = svn
	return w
}

// TestStatusBesideQE gives each platform status a QE of each status.
func TestStatusBesideQE(t *testing.T) {
	for _, f := range forms {
		for _, row := range combined {
			for svn, want := range map[uint16]string{8: row.upToDate, 7: row.outOfDate, 5: row.revoked} {
				t.Run(fmt.Sprintf("%s/%s/QE of SVN %d", f.name, row.platform, svn), func(t *testing.T) {
					w := f.statusWorld(row.platform, 5)
					w.QE.ISVSVN = svn
					expectStatus(t, w, want)
				})
			}
		}
	}
}

// TestStatusBesideModule gives each platform status a TDX module of each status, and both a QE of each.
func TestStatusBesideModule(t *testing.T) {
	byName := map[string]int{}
	for i, row := range combined {
		byName[row.platform] = i
	}
	for _, f := range forms {
		if f.kind != tee.KindTDX {
			continue
		}
		for _, row := range combined {
			for svn, want := range map[byte]string{5: row.upToDate, 4: row.outOfDate, 2: row.revoked} {
				t.Run(fmt.Sprintf("%s/%s/module of SVN %d", f.name, row.platform, svn), func(t *testing.T) {
					w := f.statusWorld(row.platform, svn)
					expectStatus(t, w, want)
					w.QE.ISVSVN = 6
					expectStatus(t, w, combined[byName[want]].outOfDate)
					w.QE.ISVSVN = 4
					expectStatus(t, w, "Revoked")
				})
			}
		}
	}
}

func expectStatus(t *testing.T, w *dcaptest.World, want string) {
	t.Helper()
	r, err := verify(t, w, build(t, w))
	if err != nil {
		t.Fatal(err)
	}
	if r.Status.String() != want {
		t.Errorf("%s, want %s", r.Status, want)
	}
	if r.Platform.Status.String() != w.TCBInfo.Levels[0].Status {
		t.Errorf("platform alone is %s", r.Platform.Status)
	}
}

// TestParts checks what is said of each part when all three are behind.
func TestParts(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	w.Components[0]--
	w.TD.TEETCBSVN[0], w.QE.ISVSVN = 3, 6
	w.QEIdentity.Levels[1].Advisories = []string{"INTEL-SA-70001", "INTEL-SA-10000"}
	r, err := verify(t, w, build(t, w))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*dcap.Part{"platform": &r.Platform, "module": r.Module, "QE": &r.QE} {
		if p.Status != tee.TCBOutOfDate || !p.TCBDate.Equal(dcaptest.DateOld) || len(p.Advisories) == 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	want := []string{"INTEL-SA-70001", "INTEL-SA-80001", "INTEL-SA-10000"}
	if !slices.Equal(r.Advisories, want) || !r.TCBDate.Equal(dcaptest.DateOld) {
		t.Errorf("%v of %s", r.Advisories, r.TCBDate)
	}
}

// TestFirstLevelCounts keeps to Intel's order: of two levels that a platform reaches, the first is its own.
func TestFirstLevelCounts(t *testing.T) {
	for _, f := range forms {
		w := f.world()
		l := w.TCBInfo.Levels
		w.TCBInfo.Levels = []dcaptest.PlatformLevel{l[1], l[0]}
		r, err := verify(t, w, build(t, w))
		if err != nil || r.Status != tee.TCBOutOfDate {
			t.Errorf("%s: %v %v", f.name, r, err)
		}
	}
}

// TestModuleSVNsAreTheModules: from version 1 on, the first two TEE TCB SVNs are judged by the module's levels and not
// by the platform's; in version 0 it is the reverse.
func TestModuleSVNsAreTheModules(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 4)
	w.TCBInfo.Levels[0].TCB.TDX[0].SVN, w.TCBInfo.Levels[0].TCB.TDX[1].SVN = 200, 200
	expectStatus(t, w, "UpToDate")

	w = dcaptest.New(tee.KindTDX, 4)
	w.TD.TEETCBSVN[1] = 0
	w.TCBInfo.Levels[0].TCB.TDX[1].SVN = 0
	expectStatus(t, w, "UpToDate")
	r, err := verify(t, w, build(t, w))
	if err != nil || r.Module != nil {
		t.Errorf("%+v, %v", r, err)
	}
	w.TD.TEETCBSVN[0] = 4
	r, err = verify(t, w, build(t, w))
	if err != nil || r.Status != tee.TCBOutOfDate {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestHexInEitherCase(t *testing.T) {
	for _, fmspc := range []string{"00a06d08cc10", "00A06D08CC10", "00a06D08cC10"} {
		w := dcaptest.New(tee.KindTDX, 4)
		w.TCBInfo.FMSPC = fmspc
		w.TCBInfo.Modules[0].ID = "tdx_01"
		expectStatus(t, w, "UpToDate")
	}
}

// TestRelaunchAdvised: a domain started by an old module under which the module was since brought up to date.
func TestRelaunchAdvised(t *testing.T) {
	cases := []struct {
		name string
		edit func(*dcaptest.World)
		want bool
	}{
		{"module since updated", func(*dcaptest.World) {}, true},
		{"module still old", func(w *dcaptest.World) { w.TD.TEETCBSVN2[0] = 3 }, false},
		{"loader still old", func(w *dcaptest.World) { w.TD.TEETCBSVN2[2] = 5 }, false},
		{"unknown module now", func(w *dcaptest.World) { w.TD.TEETCBSVN2[1] = 9 }, false},
		{"nothing was old", func(w *dcaptest.World) { w.TD.TEETCBSVN[0] = 5 }, false},
		{"module was revoked", func(w *dcaptest.World) { w.TD.TEETCBSVN[0] = 1 }, false},
		{"platform is old too", func(w *dcaptest.World) { w.Components[0]-- }, false},
		{"QE is old too", func(w *dcaptest.World) { w.QE.ISVSVN = 6 }, false},
		{"report cannot tell", func(w *dcaptest.World) { w.V15 = false }, false},
		{"module of version 0 now, old", func(w *dcaptest.World) { w.TD.TEETCBSVN2 = [16]byte{4, 0, 6} }, false},
		{"module of version 0 now", func(w *dcaptest.World) { w.TD.TEETCBSVN2 = [16]byte{5, 0, 6} }, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := dcaptest.New(tee.KindTDX, 5)
			w.V15, w.TD.TEETCBSVN[0], w.TD.TEETCBSVN2 = true, 3, [16]byte{5, 1, 6}
			c.edit(w)
			r, err := verify(t, w, build(t, w))
			if err != nil {
				t.Fatal(err)
			}
			if r.RelaunchAdvised != c.want {
				t.Errorf("relaunch advised: %v", r.RelaunchAdvised)
			}
			if c.want && r.Status != tee.TCBOutOfDate {
				t.Errorf("status %s", r.Status)
			}
		})
	}
}

// TestMinEvaluation takes an evaluation that is exactly the least.
func TestMinEvaluation(t *testing.T) {
	w := dcaptest.New(tee.KindSGX, 3)
	ev := build(t, w)
	for least, want := range map[uint32]string{0: "", 17: "", 18: "", 19: "evaluation", 1 << 31: "evaluation"} {
		_, err := dcap.Verify(ev.Quote, ev.Collateral, dcap.Options{Roots: ev.Roots, Now: w.Now, MinEvaluation: least})
		if dcap.Reason(err) != want {
			t.Errorf("at least %d: %v", least, err)
		}
	}
}
