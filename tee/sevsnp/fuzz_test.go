package sevsnp

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/verify/testdata"

	"github.com/phalanx-network/phalanx/tee/reason"
)

// FuzzReport reads reports without a signature: what is taken is written back as it was, and refusals have a word.
func FuzzReport(f *testing.F) {
	f.Add(testdata.AttestationBytes)
	newer := slices.Clone(testdata.AttestationBytes)
	newer[0], newer[0x188], newer[0x189] = 3, 0x19, 0x11
	f.Add(newer)
	f.Add(newer[:len(newer)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseReport(raw)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("no word: %v", err)
			}
			return
		}
		if again, err := abi.ReportToAbiBytes(r); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x became %x, %v", raw, again, err)
		}
		var out Result
		if err := out.fill(r); err != nil && reason.Of(err) == "" {
			t.Fatalf("no word: %v", err)
		}
		if line, err := cpuProduct(r.Cpuid1EaxFms); (err == nil) != slices.Contains(products, line) {
			t.Fatalf("product %q, %v", line, err)
		}
	})
}
