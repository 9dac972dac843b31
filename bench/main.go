// Command bench measures Phalanx and prints a table: a row for each figure, with a reference that was measured in the
// same run or that the network must keep, and the ratio of the two. It also writes bench.json, which holds the same rows
// with the commit, the Go release and the number of processors.
//
//	make bench                                # builds the programs and measures everything
//	go run ./bench -only query_vs_parts,pool  # some rows; a group's name means all of its rows
//	go run ./bench -quick                     # fewer samples, for a look
//
// Run it from the source tree's root, after `make build`: the rows of the group devnet come from real processes. The
// other groups drive the real parts in this process. docs/bench.md says what each row means.
//
// Rows that cannot be measured are named on standard error, and the exit code is then 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
)

// group is rows that share a setup.
type group struct {
	name string
	rows []string
	run  func(context.Context, *bench) error
}

// The groups, the quick ones first. The network comes last, so that nothing else runs beside it.
var groups = []group{
	{"crypto", []string{"sign", "verify", "ecdh", "envelope_seal", "envelope_open"}, cryptoRows},
	{"light", []string{"header_1", "header_50", "proof"}, lightRows},
	{"engine", []string{"engine_call", "ink_call", "metering", "quickjs_loop", "pool"}, engineRows},
	{"attestation", []string{
		"attest_sgx", "attest_sgx_vs_bare", "attest_tdx", "attest_tdx_vs_bare", "attest_snp", "attest_snp_vs_bare",
		"attest_nitro", "attest_nitro_vs_bare",
	}, attestationRows},
	{"state", []string{"state_root", "state_append"}, stateRows},
	{"worker", []string{"query_vs_parts", "command_vs_parts", "command_vs_all_parts", "command_cpu"}, workerRows},
	{"scale", []string{"queries_two_cores", "contract_idle", "state_read"}, scaleRows},
	{"behind", []string{"catchup", "catchup_busy", "catchup_own", "catchup_every_header"}, catchupRows},
	{"devnet", []string{"devnet_ready", "idle_rss", "command_receipt", "query", "push", "loaded_rss"}, devnetRows},
}

// bench is a run.
type bench struct {
	quick bool
	only  []string // names of rows and groups; empty for all
	bin   string   // folder of the programs
	dir   string   // scratch space
	rows  []Row
}

// samples is how often something is measured: n times, or a part of that in a quick run.
func (b *bench) samples(n int) int {
	if b.quick {
		return max(n/10, 1)
	}
	return n
}

// wants reports whether any of the rows is asked for.
func (b *bench) wants(names ...string) bool {
	return len(b.only) == 0 || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(b.only, n) })
}

// add keeps a row and prints it.
func (b *bench) add(name string, value float64, unit string, reference float64) {
	r := Row{Name: name, Value: value, Unit: unit, Reference: reference, Ratio: value / reference}
	if !b.wants(name) {
		return
	}
	b.rows = append(b.rows, r)
	fmt.Println(r)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "names of rows or groups, separated by commas (default all)")
	out := flags.String("out", "bench.json", "file to write; empty for none")
	flags.StringVar(&b.bin, "bin", "bin", "folder of phalanx and pruntime-sim")
	flags.BoolVar(&b.quick, "quick", false, "fewer samples")
	profile := flags.String("cpuprofile", "", "file for a CPU profile of this process")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.only, err = selection(*only); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "phalanx-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if *profile != "" {
		stop, started := startProfile(*profile)
		if started != nil {
			return started
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	fmt.Println(heading)
	failed := b.measure(ctx)
	if *out != "" {
		if err := write(*out, b.rows); err != nil {
			return err
		}
	}
	return failed
}

// startProfile writes a CPU profile until the function that it returns is called.
func startProfile(path string) (stop func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// measure runs the groups that are asked for. One that fails does not keep the others from being measured.
func (b *bench) measure(ctx context.Context) error {
	var errs error
	for _, g := range groups {
		if !b.wants(g.rows...) {
			continue
		}
		if err := g.run(ctx, b); err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s (%s): %w", g.name, strings.Join(b.missing(g), ", "), err))
		}
		if ctx.Err() != nil {
			return errors.Join(errs, ctx.Err())
		}
	}
	return errs
}

// missing are a group's rows that are asked for and were not measured.
func (b *bench) missing(g group) []string {
	var out []string
	for _, name := range g.rows {
		have := slices.ContainsFunc(b.rows, func(r Row) bool { return r.Name == name })
		if b.wants(name) && !have {
			out = append(out, name)
		}
	}
	return out
}

// selection returns the rows that a list of rows and groups names.
func selection(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	var out []string
	for _, name := range strings.Split(list, ",") {
		found := false
		for _, g := range groups {
			if g.name == name && !slices.Contains(g.rows, name) {
				out, found = append(out, g.rows...), true
			} else if slices.Contains(g.rows, name) {
				out, found = append(out, name), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no row or group is called %q", name)
		}
	}
	return out, nil
}
