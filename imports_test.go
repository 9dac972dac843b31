package phalanx_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/phalanx-network/phalanx"

// layers says what each part of the tree may import of ours, by path prefix. A part that is not named here is an
// error, so that a new one has to be thought about.
var layers = []struct {
	part    string
	imports []string
	why     string
}{
	{"crypto", []string{"crypto"}, "cryptography stands on nothing of ours"},
	{"wire", []string{"wire", "crypto"}, "records are parsed by both sides and know neither"},
	{"tee", []string{"tee", "crypto"}, "verifiers run in the state machine"},
	{"light", []string{"light", "crypto"}, "the light client is trusted by enclaves and clients alike"},
	{"enclave", []string{"enclave", "light", "tee", "wire", "crypto"}, "the enclave is the trust boundary"},
	{"chain", []string{"chain", "tee", "wire", "crypto", "version"}, "validators never see inside an enclave"},
	{"client", []string{"client", "chain/x", "light", "tee", "wire", "crypto"}, "clients link verifiers and types only"},
	// tee, for the relay completes evidence with collateral: it reads what a quote says of its platform, and judges as a validator would.
	{"relay", []string{"relay", "client", "light", "tee", "wire", "crypto", "chain/x"}, "the relay reaches the enclave through RPC only"},
	{"testnet", []string{""}, ""},
	{"cmd", []string{""}, ""},
	{"bench", []string{""}, ""},
	{"examples", nil, "contracts are data"},
	{"tests", []string{"enclave/contract", "client/abi", "crypto"}, "the contracts of the tests run in the engine and speak through their ABI"},
	{"version", nil, ""},
}

// forbidden are imports that a part must never reach, directly or through others.
var forbidden = []struct {
	part, reach, why string
}{
	{"enclave", "github.com/cosmos/cosmos-sdk", "the enclave trusts no Cosmos SDK"},
	{"enclave", module + "/chain", "the enclave knows the chain by its proofs only"},
	{"enclave", module + "/client", "the enclave is no client"},
	{"enclave", module + "/relay", "the relay is untrusted"},
	{"light", "github.com/cosmos/cosmos-sdk", "the light client trusts no Cosmos SDK"},
	{"cmd/pruntime", module + "/tee/simulated", "production links no simulated platform"},
	{"cmd/pruntime", "testing", "production links no test code of ours or others"},
	{"chain", module + "/tee/simulated/device", "validators link verifiers only"},
	{"client", module + "/tee/simulated/device", "clients link verifiers only"},
	{"relay", module + "/tee/simulated/device", "relays link verifiers only"},
	{"cmd", module + "/testnet/e2e", "what is shipped links no imitated guest"},
	{"cmd/phalanx", "github.com/google/go-sev-guest/verify", "it takes the clock and the network where it is not told otherwise"},
	{"chain", module + "/tee/hardware", "validators link verifiers only"},
	{"chain", module + "/tee/sevsnp/device", "validators link verifiers only"},
	{"chain", module + "/tee/dcap/gramine", "validators link verifiers only"},
	{"client", module + "/tee/hardware", "clients link verifiers only"},
	{"client", module + "/tee/sevsnp/device", "clients link verifiers only"},
	{"client", module + "/tee/dcap/gramine", "clients link verifiers only"},
	{"chain", module + "/tee/dcap/tdx", "validators link verifiers only"},
	{"chain", module + "/tee/nitro/device", "validators link verifiers only"},
	{"chain", module + "/tee/tpm", "validators link verifiers only"},
	{"client", module + "/tee/dcap/tdx", "clients link verifiers only"},
	{"client", module + "/tee/nitro/device", "clients link verifiers only"},
	{"client", module + "/tee/tpm", "clients link verifiers only"},
	{"relay", module + "/tee/hardware", "the relay runs outside the TEE"},
	{"cmd/pruntime", "github.com/google/go-sev-guest/client", "it waits by a clock of its own and defines flags"},
	{"client", module + "/chain/app", "clients link the chain's types only"},
}

type listed struct {
	path, rest string
	imports    []string
	deps       []string
}

// list returns the packages of the module with their direct imports, tests included, and everything they link.
func list(t *testing.T) []listed {
	t.Helper()
	format := `{{.ImportPath}}|{{join .Imports ","}},{{join .TestImports ","}},{{join .XTestImports ","}}|{{join .Deps ","}}`
	out, err := exec.Command("go", "list", "-f", format, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "|")
		all = append(all, listed{
			path: f[0], rest: strings.TrimPrefix(strings.TrimPrefix(f[0], module), "/"),
			imports: strings.Split(f[1], ","), deps: strings.Split(f[2], ","),
		})
	}
	return all
}

func within(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range list(t) {
		if p.rest == "" {
			continue
		}
		i := 0
		for i < len(layers) && !within(p.rest, layers[i].part) {
			i++
		}
		if i == len(layers) {
			t.Errorf("%s belongs to no part of the architecture; give it a layer in imports_test.go", p.path)
			continue
		}
		for _, imp := range p.imports {
			rest, ours := strings.CutPrefix(imp, module+"/")
			if ours && !allowed(rest, layers[i].imports) {
				t.Errorf("%s imports %s: %s", p.path, imp, layers[i].why)
			}
		}
	}
}

func allowed(rest string, prefixes []string) bool {
	for _, p := range prefixes {
		if within(rest, p) {
			return true
		}
	}
	return false
}

func TestForbiddenReach(t *testing.T) {
	packages := list(t)
	for _, f := range forbidden {
		seen := false
		for _, p := range packages {
			if !within(p.rest, f.part) {
				continue
			}
			seen = true
			for _, dep := range p.deps {
				if within(dep, f.reach) {
					t.Errorf("%s links %s: %s", p.path, dep, f.why)
				}
			}
		}
		if !seen {
			t.Errorf("no package is within %s: the rule about it cannot fail", f.part)
		}
	}
}

func TestRolesAreApart(t *testing.T) {
	for _, p := range list(t) {
		for _, pair := range [][2]string{{"enclave/worker", "enclave/gatekeeper"}, {"enclave/gatekeeper", "enclave/worker"}} {
			if !within(p.rest, pair[0]) {
				continue
			}
			for _, imp := range p.imports {
				if within(strings.TrimPrefix(imp, module+"/"), pair[1]) {
					t.Errorf("%s imports %s: the roles never know each other", p.path, imp)
				}
			}
		}
	}
}

// TestEveryPackageHasAManual fails on a package without a package comment.
func TestEveryPackageHasAManual(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{.Doc}}|{{len .GoFiles}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "|")
		if f[len(f)-1] != "0" && f[1] == "" && !generated(f[0]) {
			t.Errorf("%s has no package comment", f[0])
		}
	}
}

func generated(path string) bool {
	return strings.HasSuffix(path, "/types") || strings.HasSuffix(path, "v1") || strings.HasSuffix(path, "v1connect")
}
