package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/phalanx-network/phalanx/examples"
)

// cli runs the command line on the network's home and returns what it printed as JSON, and its exit code.
func (n *network) cli(t *testing.T, args ...string) (map[string]json.RawMessage, int) {
	t.Helper()
	var out, words bytes.Buffer
	cmd := exec.CommandContext(limit(t), binaries.Phalanx, append(args, "--home", n.home, "-o", "json")...)
	cmd.Stdout, cmd.Stderr = &out, &words
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	answer := map[string]json.RawMessage{}
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
			t.Fatalf("%q prints what is no JSON: %s", args, out.Bytes())
		}
	}
	t.Logf("%q: exit code %d %s", args, cmd.ProcessState.ExitCode(), words.Bytes())
	return answer, cmd.ProcessState.ExitCode()
}

// The command line does the whole round, and its exit codes say how it went.
func TestCommandLine(t *testing.T) {
	n := sharedNetwork(t)
	file := filepath.Join(t.TempDir(), "counter.contract")
	must(t, os.WriteFile(file, examples.Counter, 0o600))
	made, code := n.cli(t, "contract", "deploy", file, "--constructor", "new", "5", "--from", "alice")
	same(t, "exit code of deploy", code, 0)
	var id string
	must(t, json.Unmarshal(made["contract"], &id))

	called, code := n.cli(t, "contract", "call", id, "inc_by", "3", "--from", "alice")
	same(t, "exit code of call", code, 0)
	same(t, "status", called["status"], "done")
	same(t, "output", called["output"], json.RawMessage(`{"Ok":8}`))
	dry, code := n.cli(t, "contract", "call", id, "inc_by", "100", "--from", "alice", "--dry-run")
	same(t, "exit code of a dry run", code, 0)
	same(t, "its output", dry["output"], json.RawMessage(`{"Ok":108}`))
	for _, w := range n.where.Workers {
		asked, code := n.cli(t, "contract", "query", id, "get", "--from", "bob", "--worker", w.ID)
		same(t, "exit code of query", code, 0)
		same(t, "output on "+w.ID, asked["output"], json.RawMessage(`8`))
		shown, code := n.cli(t, "worker", "show", w.ID, "--verify", "--allow-simulated")
		same(t, "exit code of simulated evidence where it is allowed", code, 0)
		same(t, "the block of its evidence is verified", shown["block_proven"], true)
		_, code = n.cli(t, "worker", "show", w.ID, "--verify")
		same(t, "exit code of simulated evidence", code, 1)
	}
	overflow, code := n.cli(t, "contract", "call", id, "inc_by", "2147483647", "--from", "alice")
	same(t, "exit code of a contract's error", code, 1)
	same(t, "its output", overflow["output"], json.RawMessage(`{"Err":"Overflow"}`))
	_, code = n.cli(t, "contract", "call", id, "no_such_message", "--from", "alice")
	same(t, "exit code of an unknown message", code, 2)
	_, code = n.cli(t, "contract", "query", "0x"+id[4:]+"00", "get", "--from", "bob", "--contract-file", file)
	same(t, "exit code of a contract that is not there", code, 1)

	_, code = n.cli(t, "cluster", "deposit", "7uphx", "--payer", "bob")
	same(t, "exit code of deposit", code, 0)
	balance, code := n.cli(t, "cluster", "balance", "--from", "bob")
	same(t, "exit code of balance", code, 0)
	same(t, "Bob's balance", balance["balance"], "7")
	_, code = n.cli(t, "status")
	same(t, "exit code of status", code, 0)
	_, code = n.cli(t, "status", "--node", "http://127.0.0.1:1")
	same(t, "exit code of a node that is not there", code, 2)
}
