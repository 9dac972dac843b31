package worker_test

import (
	"runtime"
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

// against reports what one operation took, and that as a multiple of its parts in the same run.
func against(b *testing.B, took time.Duration, n int, parts enclavetest.Parts) {
	b.Helper()
	each := took / time.Duration(n)
	b.ReportMetric(float64(each.Nanoseconds()), "ns/op")
	b.ReportMetric(float64(parts.Sum().Nanoseconds()), "parts-ns")
	b.ReportMetric(float64(each)/float64(parts.Sum()), "ratio")
	b.Logf("%d: %s each; parts %+v", n, each, parts)
}

// BenchmarkQuery is a query's server-side time, beside the sum of its parts.
func BenchmarkQuery(b *testing.B) {
	x := newBench(b)
	for range b.N {
		const n = 1000
		parts, err := x.QueryParts(n)
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		took, err := x.Query(n)
		if err != nil {
			b.Fatal(err)
		}
		against(b, took, n, parts)
	}
}

// BenchmarkCommand is a command's server-side time in deliveries of many, beside the sum of its parts.
func BenchmarkCommand(b *testing.B) {
	x := newBench(b)
	for range b.N {
		const n = 1024
		parts, err := x.CommandParts(n)
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		took, err := x.Command(n)
		if err != nil {
			b.Fatal(err)
		}
		against(b, took, n, parts)
	}
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
