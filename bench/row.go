package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Row is one figure. Value and Reference are in Unit; Ratio is the one divided by the other. Lower is better in all.
type Row struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Reference float64 `json:"reference"`
	Ratio     float64 `json:"ratio"`
}

// goals are the ratios that the network is built to keep, by row; other rows are for information.
var goals = map[string]float64{
	"devnet_ready": 1, "command_receipt": 1, "query": 1, "catchup": 1, "idle_rss": 1,
	"query_vs_parts": 1.5, "command_vs_parts": 1.5, "pool": 0.5, "catchup_busy": 1.5,
	"ink_call": 1.3, "quickjs_loop": 1.5, "queries_two_cores": 1 / 1.7, "contract_idle": 1, "state_read": 1,
	"attest_sgx": 1, "attest_tdx": 1, "attest_snp": 1, "attest_nitro": 1,
	"attest_sgx_vs_bare": 1.5, "attest_tdx_vs_bare": 1.5, "attest_snp_vs_bare": 1.5, "attest_nitro_vs_bare": 1.5,
}

var heading = fmt.Sprintf("%-22s %12s %12s  %-4s %8s", "row", "value", "reference", "unit", "ratio")

// String is the row as the table shows it.
func (r Row) String() string {
	line := fmt.Sprintf("%-22s %12.4g %12.4g  %-4s %8.2f", r.Name, r.Value, r.Reference, r.Unit, r.Ratio)
	goal, ok := goals[r.Name]
	switch {
	case !ok:
		return line
	case r.Ratio > goal:
		return fmt.Sprintf("%s   over its goal of %.3g", line, goal)
	}
	return fmt.Sprintf("%s   within %.3g", line, goal)
}

// report is bench.json.
type report struct {
	Commit string `json:"commit"`
	Go     string `json:"go"`
	CPUs   int    `json:"cpus"`
	Rows   []Row  `json:"rows"`
}

func write(path string, rows []Row) error {
	if rows == nil {
		rows = []Row{}
	}
	raw, err := json.MarshalIndent(report{commit(), runtime.Version(), runtime.NumCPU(), rows}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// commit names what was measured, with -dirty if a tracked file differs from it.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown" // no repository, or no git: the figures are still good
	}
	name := strings.TrimSpace(string(head))
	changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
	if err != nil || len(changed) > 0 {
		name += "-dirty"
	}
	return name
}
