package dcap_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// form is a form of quotes.
type form struct {
	name      string
	kind      tee.Kind
	version   int
	v15       bool
	processor bool
}

var forms = []form{
	{"SGX v3", tee.KindSGX, 3, false, false},
	{"SGX v3 of the Processor CA", tee.KindSGX, 3, false, true},
	{"TDX v4", tee.KindTDX, 4, false, false},
	{"TDX v5", tee.KindTDX, 5, false, false},
	{"TDX v5 of TDX 1.5", tee.KindTDX, 5, true, false},
}

func (f form) world() *dcaptest.World {
	w := dcaptest.New(f.kind, f.version)
	w.V15, w.Processor = f.v15, f.processor
	return w
}

func build(tb testing.TB, w *dcaptest.World) *dcaptest.Evidence {
	tb.Helper()
	ev, err := w.Build()
	if err != nil {
		tb.Fatal(err)
	}
	return ev
}

// verify asks for the evaluation that worlds have, so that an older one is refused.
func verify(tb testing.TB, w *dcaptest.World, ev *dcaptest.Evidence) (*dcap.Result, error) {
	tb.Helper()
	return dcap.Verify(ev.Quote, ev.Collateral, dcap.Options{Roots: ev.Roots, Now: w.Now, MinEvaluation: 18})
}

func TestFormsVerify(t *testing.T) {
	for _, f := range forms {
		for _, padding := range []int{0, 1, 7, 4096} {
			t.Run(fmt.Sprintf("%s and %d zeros", f.name, padding), func(t *testing.T) {
				w := f.world()
				for i := range w.TD.ReportData {
					w.TD.ReportData[i], w.Enclave.ReportData[i] = byte(i), byte(i)
				}
				w.TD.V15 = f.v15
				w.TD.TEETCBSVN2[0], w.TD.MRSERVICETD[0] = 9, 8
				w.Padding = padding
				ev := build(t, w)
				r, err := verify(t, w, ev)
				if err != nil {
					t.Fatal(err)
				}
				if r.Kind != f.kind || r.Version != f.version || r.ProcessorCA != f.processor || r.Debug {
					t.Errorf("%s version %d, Processor CA %v, debug %v", r.Kind, r.Version, r.ProcessorCA, r.Debug)
				}
				if r.Status != tee.TCBUpToDate || len(r.Advisories) != 0 || !r.TCBDate.Equal(dcaptest.DateNew) {
					t.Errorf("%s %v %s", r.Status, r.Advisories, r.TCBDate)
				}
				if r.TrimmedQuote != len(ev.Quote)-padding {
					t.Errorf("trimmed to %d of %d bytes", r.TrimmedQuote, len(ev.Quote))
				}
				if r.FMSPC != w.FMSPC || r.PCEID != w.PCEID || r.TCBEvaluation != 18 || r.QEEvaluation != 18 {
					t.Errorf("platform %x %x, evaluations %d and %d", r.FMSPC, r.PCEID, r.TCBEvaluation, r.QEEvaluation)
				}
				if !r.Expires.Equal(w.TCBInfo.NextUpdate) {
					t.Errorf("expires %s, want %s", r.Expires, w.TCBInfo.NextUpdate)
				}
				checkBody(t, w, r)
			})
		}
	}
}

func checkBody(t *testing.T, w *dcaptest.World, r *dcap.Result) {
	t.Helper()
	if r.ReportData != w.TD.ReportData {
		t.Errorf("report data %x", r.ReportData)
	}
	if w.Kind == tee.KindSGX {
		if r.TD != nil || !reflect.DeepEqual(*r.Enclave, w.Enclave) {
			t.Errorf("enclave %+v", r.Enclave)
		}
		return
	}
	want := w.TD
	if !w.V15 {
		want.TEETCBSVN2, want.MRSERVICETD = [16]byte{}, [48]byte{}
	}
	if r.Enclave != nil || !reflect.DeepEqual(*r.TD, want) {
		t.Errorf("trust domain %+v", r.TD)
	}
}

func TestMeasurementsAreNamed(t *testing.T) {
	td := []string{
		"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner", "mrownerconfig", "mrseam", "mrsignerseam", "td_attributes", "xfam",
	}
	want := map[string][]string{
		"SGX v3":            {"mrenclave", "mrsigner", "configid"},
		"TDX v4":            td,
		"TDX v5 of TDX 1.5": append(slices.Clone(td), "mrservicetd"),
	}
	for _, f := range forms {
		names, listed := want[f.name]
		if !listed {
			continue
		}
		w := f.world()
		r, err := verify(t, w, build(t, w))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range r.Measurements() {
			got = append(got, m.Name)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: %v", f.name, got)
		}
	}
}

func TestDebugIsData(t *testing.T) {
	sgx := dcaptest.New(tee.KindSGX, 3)
	sgx.Enclave.Attributes[0] |= 0x02
	tdx := dcaptest.New(tee.KindTDX, 4)
	tdx.TD.TDAttributes[0] = 0x01
	for _, w := range []*dcaptest.World{sgx, tdx} {
		r, err := verify(t, w, build(t, w))
		if err != nil || !r.Debug {
			t.Errorf("%s: %v, %+v", w.Kind, err, r)
		}
	}
}

// TestPure verifies at once from many goroutines: equal results, and no argument is written to.
func TestPure(t *testing.T) {
	w := dcaptest.New(tee.KindTDX, 5)
	w.Padding = 64
	ev, copied := build(t, w), build(t, w)
	first, err := verify(t, w, ev)
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan *dcap.Result)
	for range 8 {
		go func() {
			r, err := verify(t, w, ev)
			if err != nil {
				t.Error(err)
			}
			results <- r
		}()
	}
	for range 8 {
		if r := <-results; !reflect.DeepEqual(r, first) {
			t.Errorf("%+v, want %+v", r, first)
		}
	}
	if !bytes.Equal(ev.Quote, copied.Quote) || !reflect.DeepEqual(ev.Collateral, copied.Collateral) {
		t.Error("an argument was changed, or equal worlds build different bytes")
	}
	for i := range ev.Quote {
		ev.Quote[i] = 0xff
	}
	if again, _ := verify(t, w, copied); !reflect.DeepEqual(first, again) {
		t.Error("the result aliases the quote")
	}
}

func TestCollateralRoundTrip(t *testing.T) {
	ev := build(t, dcaptest.New(tee.KindSGX, 3))
	text, err := ev.Collateral.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dcap.ParseCollateral(text)
	if err != nil || !reflect.DeepEqual(c, ev.Collateral) {
		t.Fatalf("%v\n%+v\n%+v", err, c, ev.Collateral)
	}
}
