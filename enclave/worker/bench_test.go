package worker_test

import (
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/enclave/enclavetest"
	"github.com/phalanx-network/phalanx/light/lighttest"
)

func newBench(b *testing.B) *enclavetest.Bench {
	b.Helper()
	x, err := enclavetest.NewBench(b.TempDir(), example(b, "counter"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(x.Worker.Stop)
	return x
}

// compare runs operations and their parts in turn, so that both see the same machine, and reports what one took, and
// that as a multiple of the sum of its parts.
func compare(b *testing.B, n int, whole func(int) (time.Duration, error), parts func(int) (enclavetest.Parts, error)) {
	b.Helper()
	const rounds = 10
	var took, sum time.Duration
	for range b.N {
		for range rounds {
			p, err := parts(n)
			if err != nil {
				b.Fatal(err)
			}
			sum += p.Sum()
			d, err := whole(n)
			if err != nil {
				b.Fatal(err)
			}
			took += d / time.Duration(n)
		}
	}
	of := time.Duration(b.N) * rounds
	b.ReportMetric(float64((took / of).Nanoseconds()), "ns/op")
	b.ReportMetric(float64((sum / of).Nanoseconds()), "parts-ns")
	b.ReportMetric(float64(took)/float64(sum), "ratio")
}

// BenchmarkQuery is a query's server-side time, beside the sum of its parts.
func BenchmarkQuery(b *testing.B) {
	x := newBench(b)
	compare(b, 100, x.Query, x.QueryParts)
}

// BenchmarkCommand is a command's server-side time in deliveries of many, the disk included, beside the sum of its
// parts.
func BenchmarkCommand(b *testing.B) {
	x := newBench(b)
	compare(b, 256, x.Command, x.CommandParts)
}

// BenchmarkCatchUp is 100,000 empty blocks; headers and proofs are made before.
func BenchmarkCatchUp(b *testing.B) {
	for range b.N {
		b.StopTimer()
		n := enclavetest.NewNode(b.TempDir(), lighttest.Config{Validators: 50, RotateEvery: 1000})
		c, err := n.PrepareCatchUp(100_000)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := c.Run(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(float64(c.Headers()), "headers")
		n.Worker.Stop()
	}
}
