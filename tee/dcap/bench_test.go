package dcap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
)

// bareChecks returns the check of every signature on the path alone.
func bareChecks(tb testing.TB, s *subject) func() error {
	tb.Helper()
	c, err := dcap.ParseCollateral(s.collateral)
	if err != nil {
		tb.Fatal(err)
	}
	check, err := dcaptest.Bare(s.quote, c)
	if err != nil {
		tb.Fatal(err)
	}
	return check
}

// BenchmarkVerify measures a full verification from bytes, collateral parsed and lists searched, beside the bare
// signature checks, and the ratio of the two. Run it with -cpu 1.
func BenchmarkVerify(b *testing.B) {
	for _, s := range subjects(b) {
		checks := bareChecks(b, &s)
		full := func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.verify(s.quote, s.collateral); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(s.name+"/full", full)
		b.Run(s.name+"/bare", func(b *testing.B) {
			for b.Loop() {
				if err := checks(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRatio alternates full verifications and bare checks, so that both see the same machine, and reports the
// median of each and how many times the bare checks a verification costs.
func BenchmarkRatio(b *testing.B) {
	for _, s := range subjects(b) {
		checks := bareChecks(b, &s)
		b.Run(s.name, func(b *testing.B) {
			var full, bare []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := s.verify(s.quote, s.collateral); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if err := checks(); err != nil {
					b.Fatal(err)
				}
				full, bare = append(full, middle.Sub(start)), append(bare, time.Since(middle))
			}
			slices.Sort(full)
			slices.Sort(bare)
			f, c := full[len(full)/2], bare[len(bare)/2]
			b.ReportMetric(f.Seconds()*1e3, "ms-full")
			b.ReportMetric(c.Seconds()*1e3, "ms-bare")
			b.ReportMetric(f.Seconds()/c.Seconds(), "ratio")
		})
	}
}
