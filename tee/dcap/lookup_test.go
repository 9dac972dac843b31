package dcap_test

import (
	"bytes"
	"testing"

	"github.com/phalanx-network/phalanx/tee/dcap"
)

// TestLookup says before verification what verification then finds.
func TestLookup(t *testing.T) {
	for _, s := range subjects(t) {
		got, err := dcap.LookupOf(s.quote)
		want := dcap.Lookup{Kind: s.want.Kind, FMSPC: s.want.FMSPC, Processor: s.want.ProcessorCA}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", s.name, got, err, want)
		}
		l := layoutOf(&s)
		for at, reason := range map[int]string{0: "format", l.chain + 6: "format", l.chain + 6 + 28: "format", l.end - 1: ""} {
			changed := bytes.Clone(s.quote)
			changed[at] ^= 0x40
			if _, err := dcap.LookupOf(changed); dcap.Reason(err) != reason {
				t.Errorf("%s: byte %d: %v, want %q", s.name, at, err, reason)
			}
		}
	}
}

func TestTrim(t *testing.T) {
	for _, s := range subjects(t) {
		got, err := dcap.Trim(s.quote)
		if err != nil || !bytes.Equal(got, s.quote[:s.want.TrimmedQuote]) {
			t.Errorf("%s: %d bytes, %v", s.name, len(got), err)
		}
		if again, err := dcap.Trim(got); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s, again: %d bytes, %v", s.name, len(again), err)
		}
		if _, err := dcap.Trim(append(bytes.Clone(s.quote), 1)); dcap.Reason(err) != "trailing" {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

// TestBound reads before verification what verification then says.
func TestBound(t *testing.T) {
	for _, s := range subjects(t) {
		kind, data, err := dcap.Bound(s.quote)
		if err != nil || kind != s.want.Kind || data != s.want.ReportData {
			t.Errorf("%s: %s, %x, %v", s.name, kind, data, err)
		}
		if _, _, err := dcap.Bound(s.quote[:100]); dcap.Reason(err) != "format" {
			t.Errorf("%s, cut: %v", s.name, err)
		}
	}
}
