package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// step is something that is timed: run does it once, for the i-th sample.
type step struct {
	name string
	run  func(i int) error
}

// medians times each step n times and returns the median of each. The steps take turns, so that what else the machine
// does meets them alike. Samples before the first are warm-up and run with a negative i.
func medians(ctx context.Context, n int, steps ...step) ([]time.Duration, error) {
	took := make([][]time.Duration, len(steps))
	for i := -warmup(n); i < n; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for k, s := range steps {
			start := time.Now()
			err := s.run(i)
			d := time.Since(start)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if i >= 0 {
				took[k] = append(took[k], d)
			}
		}
	}
	out := make([]time.Duration, len(steps))
	for k := range steps {
		out[k] = median(took[k])
	}
	return out, nil
}

// warmup is how many samples of n are thrown away.
func warmup(n int) int { return n / 10 }

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	if n := len(d); n%2 == 0 {
		return (d[n/2-1] + d[n/2]) / 2
	}
	return d[len(d)/2]
}

// cpuUsed is the processors' time that this process has had.
func cpuUsed() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no way to fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuTime is the processors' time that a step takes, of n in a row.
func cpuTime(n int, s step) (time.Duration, error) {
	before := cpuUsed()
	for i := range n {
		if err := s.run(i); err != nil {
			return 0, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return (cpuUsed() - before) / time.Duration(n), nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func sum(d ...time.Duration) (total time.Duration) {
	for _, x := range d {
		total += x
	}
	return total
}

// explain prints the parts of a row, for whoever wants to make it better.
func (b *bench) explain(steps []step, d []time.Duration) {
	for k, s := range steps {
		fmt.Printf("    %-28s %10.1f µs\n", s.name, micros(d[k]))
	}
}
