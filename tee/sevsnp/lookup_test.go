package sevsnp_test

import (
	"errors"
	"os"
	"testing"

	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

func TestLookupOf(t *testing.T) {
	setup := sevsnptest.Setup{TCB: levels, ChipID: chip}
	genoa := setup
	genoa.Product = "Genoa-B1"
	milan := must(sevsnptest.New(setup))
	version2 := func(raw []byte) {
		raw[sevsnptest.OffsetVersion] = 2
		clear(raw[sevsnptest.OffsetCPU:][:3])
	}
	for name, x := range map[string]struct {
		m    *sevsnptest.Machine
		edit func([]byte)
		want sevsnp.Lookup
	}{
		"Milan":     {milan, nil, sevsnp.Lookup{Product: "Milan", ChipID: chip, Reported: levels}},
		"Genoa":     {must(sevsnptest.New(genoa)), nil, sevsnp.Lookup{Product: "Genoa", ChipID: chip, Reported: levels}},
		"version 2": {milan, version2, sevsnp.Lookup{ChipID: chip, Reported: levels}},
		"VLEK": {milan, func(raw []byte) { raw[sevsnptest.OffsetSigner] |= sevsnptest.SignerVLEK },
			sevsnp.Lookup{Product: "Milan", VLEK: true, ChipID: chip, Reported: levels}},
		"masked chip": {milan, func(raw []byte) { clear(raw[sevsnptest.OffsetChipID:][:sevsnp.ChipIDSize]) },
			sevsnp.Lookup{Product: "Milan", Reported: levels}},
	} {
		got, err := sevsnp.LookupOf(must(x.m.Report(x.edit)))
		if err != nil || got != x.want || got.ChipMasked() != (x.want.ChipID == [64]byte{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, x := range map[string]struct {
		edit func([]byte)
		want reason.Word
	}{
		"not signed":      {func(raw []byte) { raw[sevsnptest.OffsetSigner] |= 7 << 2 }, reason.Unsigned},
		"other processor": {func(raw []byte) { raw[sevsnptest.OffsetCPU] = 0x06 }, reason.Product},
		"version 9":       {func(raw []byte) { raw[sevsnptest.OffsetVersion] = 9 }, reason.Version},
	} {
		_, err := sevsnp.LookupOf(must(milan.Report(x.edit)))
		if got := reason.Of(err); got != x.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sevsnp.LookupOf(nil); err == nil {
		t.Error("an empty report is read")
	}
}

// TestLookupOfRecorded reads the report of a real machine.
func TestLookupOfRecorded(t *testing.T) {
	report, err := os.ReadFile("../../../shared/attestation/sev-snp/report.bin")
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("recorded evidence is absent: %v", err)
	}
	got, err := sevsnp.LookupOf(must(report, err))
	if err != nil || got.Product != "Milan" && got.Product != "" || got.VLEK || got.ChipMasked() {
		t.Errorf("%+v, %v", got, err)
	}
}
