package e2e

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/chain/app/genesis"
	registrytypes "github.com/phalanx-network/phalanx/chain/x/registry/types"
	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/attestation"
	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/reason"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/testnet"
)

// snpDelay is how many blocks what governance decides waits.
const snpDelay = 3

// snpPolicy believes the guests' measurement on a Milan that is not below the floor.
func snpPolicy() *tee.Policy {
	return &tee.Policy{
		Accept: []tee.Acceptance{{
			Kind: tee.KindSEVSNP, Programs: []tee.Program{tee.Exactly(snpMeasurement[:])}, MinTCB: []tee.TCBFloor{floor}, RequireCRL: true,
		}},
		Statuses: []tee.TCBStatus{tee.TCBUpToDate}, MinConfidence: tee.ConfidenceBest,
	}
}

// snpNetwork is a network without the simulated platform: the registry is that of production but for AMD's root, in whose
// place a test root stands, and for the delay of what governance decides.
func snpNetwork(t *testing.T, g *guests, s *service, root []byte) *network {
	t.Helper()
	registry, err := genesis.HardwareRegistry(snpPolicy())
	must(t, err)
	registry.Params.Delay = snpDelay
	registry.Params.Roots = scale.MustMarshal(&tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: [][]byte{root}}}})
	program, err := snpProgram()
	must(t, err)
	h := g.hardware(program, s)
	h.Registry = registry
	n, err := start(testnet.Options{
		Home: filepath.Join(scratch, "snp-net"), Workers: 2, BlockTime: 100 * time.Millisecond, MarkInterval: 40, Hardware: h,
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.stop()) })
	return n
}

// A network believes SEV-SNP evidence of genuine format under the root that its genesis names; governance names its gatekeeper;
// keys are sealed by SEV-SNP's sealer, and survive a restart. What is revoked or too old is refused, the same evidence
// under AMD's own roots is refused, and clients can tell.
func TestSNPNetwork(t *testing.T) {
	needPrograms(t)
	g := startGuests(t)
	first := g.add(t, "gatekeeper-0", levels)
	g.add(t, "worker-0", levels)
	g.add(t, "worker-1", levels)
	s := g.serve(t)
	n := snpNetwork(t, g, s, first.Root())

	var p registrytypes.QueryParamsResponse
	must(t, n.node.Query(limit(t), "/phalanx.registry.v1.Query/Params", &registrytypes.QueryParamsRequest{}, &p))
	if p.Params.Network.Simulated || p.Params.Authority != "" || p.Params.Delay != snpDelay {
		t.Fatalf("it is no network as in production: %+v", p.Params.Network)
	}
	c := n.counter(t)
	c.add(t, 3)
	c.exact(t, n.workers...)
	n.snpShown(t, first.Root())
	n.snpUnderProductionRoots(t, n.workers[0])
	if s.lists.Load() == 0 {
		t.Error("no revocation list was fetched")
	}

	n.restart(t, "worker-0")
	n.awaitRunning(t, n.workers[0])
	c.add(t, 1)
	c.exact(t, n.workers...)

	n.snpGovernance(t)
	program, err := snpProgram()
	must(t, err)
	g.add(t, "old", low)
	n.refusedBecause(t, n.joiner(t, g, program, "old", "alice", s.URL), "TCB status is not accepted: OutOfDate")
	g.add(t, "revoked", levels)
	n.refusedBecause(t, n.joiner(t, g, program, "revoked", "bob", g.serve(t, sevsnptest.SerialASK).URL), "revoked")
}

// refusedBecause waits until a relay's log says why the chain refused the registration, and checks that the registry has nobody
// new.
func (n *network) refusedBecause(t *testing.T, log, why string) {
	t.Helper()
	eventually(t, func(context.Context) error {
		raw, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, "refused=") && strings.Contains(line, why) {
				t.Logf("the relay says: %s", line)
				return nil
			}
		}
		return fmt.Errorf("the relay does not say %q; its log:\n%s", why, raw[max(0, len(raw)-2000):])
	})
	ids, err := n.client.Workers(limit(t))
	must(t, err)
	same(t, "registered enclaves", len(ids), len(n.workers)+1)
}

// snpShown checks what the command line says of a worker's evidence: accepted under the network's own root, refused under
// AMD's.
func (n *network) snpShown(t *testing.T, root []byte) {
	t.Helper()
	policy, err := json.Marshal(attestation.Policy{
		Accept:     []attestation.Rule{{Kind: "sev-snp", Measurements: []attestation.Registers{{"measurement": hex.EncodeToString(snpMeasurement[:])}}}},
		Statuses:   []string{"UpToDate"},
		TCBFloors:  map[string]tee.Levels{floor.Product: floor.Levels},
		RequireCRL: true,
		Roots:      map[string]string{"sev-snp": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))},
	})
	must(t, err)
	file := filepath.Join(t.TempDir(), "policy.json")
	must(t, os.WriteFile(file, policy, 0o600))
	for _, x := range []struct {
		args    []string
		code    int
		verdict attestation.Verdict
		reason  string
	}{
		{[]string{"--policy", file}, 0, attestation.Accepted, ""},
		{nil, 1, attestation.Refused, string(reason.Chain)},
	} {
		answer, code := n.cli(t, append([]string{"worker", "show", "worker-0", "--verify"}, x.args...)...)
		var r attestation.Report
		must(t, json.Unmarshal(answer["evidence"], &r))
		same(t, "exit code", code, x.code)
		same(t, "verdict", r.Verdict, x.verdict)
		same(t, "reason", r.Reason, x.reason)
	}
}

// snpUnderProductionRoots judges a worker's registration, as it stands in the chain, as a network would whose genesis is that of
// production: with the same policy, it is refused for its chain and nothing else.
func (n *network) snpUnderProductionRoots(t *testing.T, worker sr25519.PublicKey) {
	t.Helper()
	found, err := n.client.VerifyWorker(limit(t), worker, client.Judging{})
	must(t, err)
	production, err := genesis.HardwareRegistry(snpPolicy())
	must(t, err)
	var here registrytypes.QueryParamsResponse
	must(t, n.node.Query(limit(t), "/phalanx.registry.v1.Query/Params", &registrytypes.QueryParamsRequest{}, &here))
	question := tee.Question{
		ReportData: [tee.ReportDataSize]byte(found.Evidence.Data[sevsnptest.OffsetReportData:]), Now: found.RegisteredAt(),
	}
	for name, x := range map[string]struct {
		params registrytypes.Params
		why    reason.Word
	}{"this network's genesis": {here.Params, ""}, "production's": {production.Params, reason.Chain}} {
		trust, err := registrytypes.ParseTrust(x.params.Policy, x.params.Roots, x.params.GatekeeperConfidence, false)
		must(t, err)
		_, err = tee.Verify(tee.Verifiers{sevsnp.Verifier{}}, found.Evidence, question, trust.Policy, trust.Roots)
		if reason.Of(err) != x.why || (err == nil) != (x.why == "") {
			t.Errorf("under %s: %v", name, err)
		}
	}
}

// snpGovernance names the gatekeepers by the command line: the proposal does nothing by itself, and passes when the validator
// has voted.
func (n *network) snpGovernance(t *testing.T) {
	t.Helper()
	named, err := n.client.Gatekeepers(limit(t))
	must(t, err)
	same(t, "gatekeepers", len(named.Record.Members), 1)
	answer, code := n.cli(t, "gatekeeper", "name", named.Record.Members[0].String(), "--payer", "alice")
	same(t, "exit code of the proposal", code, 0)
	id := string(answer["proposal"])
	same(t, "its number", id, "2")
	_, code = n.cli(t, "proposal", "vote", id, "yes", "--payer", "validator-node-0")
	same(t, "exit code of the vote", code, 0)
	eventually(t, func(ctx context.Context) error {
		list, err := n.client.Gatekeepers(ctx)
		if err == nil && list.Record.Since <= named.Record.Since {
			err = fmt.Errorf("the gatekeepers are those since %d", list.Record.Since)
		}
		return err
	})
}
