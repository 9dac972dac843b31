package light_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies keeps the trusted code small: what this package links, every enclave runs.
func TestDependencies(t *testing.T) {
	const most = 205 // packages, the standard library's included; raise it only with a reason in the commit
	forbidden := map[string]string{
		"testing":                             "test code does not belong in an enclave",
		"net":                                 "the verifier does no I/O",
		"net/http":                            "the verifier does no I/O",
		"google.golang.org/grpc":              "the verifier does no I/O",
		"github.com/stretchr/testify/require": "test code does not belong in an enclave",
		"github.com/cometbft/cometbft/types":  "it links gRPC and test code; proto/tendermint/types has the messages",
		"github.com/cometbft/cometbft/light":  "it links databases, p2p and RPC; it is the oracle of the tests",
	}
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, dep := range deps {
		if why, bad := forbidden[dep]; bad {
			t.Errorf("imports %s: %s", dep, why)
		}
		if strings.Contains(dep, "cosmos/cosmos-sdk") || strings.HasPrefix(dep, "cosmossdk.io/") {
			t.Errorf("imports %s: the enclave links no part of the Cosmos SDK", dep)
		}
	}
	if len(deps) > most {
		t.Errorf("links %d packages, over %d", len(deps), most)
	}
}

// TestGeneratorDependencies lets programs use lighttest: it may not itself import testing.
func TestGeneratorDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "./lighttest").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if dep == "testing" || dep == "flag" {
			t.Errorf("imports %s", dep)
		}
	}
}
