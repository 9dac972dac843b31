package attestation

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
)

const networkPolicy = `{
  "accept": [
    {"kind": "tdx", "measurements": [{"rtmr2": "02", "mrtd": "0A", "rtmr0": "00", "rtmr1": "01"}], "min_evaluation": 18, "max_age": 600},
    {"kind": "sev-snp", "measurements": ["aa", {"measurement": "bb", "host_data": "cc"}]}
  ],
  "statuses": ["UpToDate", "SWHardeningNeeded"],
  "tcb_floors": {"Milan": {"snp": 23}, "Genoa": {"boot_loader": 9}},
  "min_evaluation": 17, "require_crl": true, "min_confidence": 2, "gatekeeper_confidence": 1
}`

func TestPolicyForChain(t *testing.T) {
	p := must(ParseForChain([]byte(networkPolicy)))
	c := must(p.Chain())
	if err := c.Policy.Validate(); err != nil {
		t.Fatal(err)
	}
	tdx, snp := c.Policy.Accept[0], c.Policy.Accept[1]
	if tdx.Kind != tee.KindTDX || snp.Kind != tee.KindSEVSNP || tdx.MinEvaluation != 18 || tdx.MaxAge != 600 || !snp.RequireCRL {
		t.Fatalf("%+v", c.Policy)
	}
	registers := tdx.Programs[0].Registers
	if len(registers) != 4 || registers[0].Name != "mrtd" || !bytes.Equal(registers[0].Value, []byte{10}) || registers[3].Name != "rtmr2" {
		t.Fatalf("%+v", registers)
	}
	if len(snp.MinTCB) != 2 || snp.MinTCB[0].Product != "Genoa" || snp.MinTCB[1].Levels.SNP != 23 || len(snp.Programs) != 2 {
		t.Fatalf("%+v", snp)
	}
	if len(c.Policy.Statuses) != 2 || c.Policy.MinConfidence != 2 || c.GatekeeperConfidence != 1 {
		t.Fatalf("%+v", c)
	}
	if len(c.Roots.Of(tee.KindTDX)) != 1 || len(c.Roots.Of(tee.KindSEVSNP)) != 2 || c.Roots.Of(tee.KindNitro) != nil {
		t.Fatalf("roots: %+v", c.Roots)
	}
	// As people write it, and back: the same.
	again := must(ParseForChain(must(json.Marshal(FromChain(c)))))
	back := must(again.Chain())
	if !bytes.Equal(scale.MustMarshal(&back.Policy), scale.MustMarshal(&c.Policy)) ||
		!bytes.Equal(scale.MustMarshal(&back.Roots), scale.MustMarshal(&c.Roots)) || back.GatekeeperConfidence != 1 {
		t.Fatalf("became %+v", back)
	}
}

func TestPoliciesThatNoChainTakes(t *testing.T) {
	for _, bad := range []string{
		`{"accept":[{"kind":"tdx"}]}`,                                // any program
		`{"accept":[{"kind":"tdx","measurements":[{"mrtd":"00"}]}]}`, // any kernel
		`{"accept":[{"kind":"sgx-dcap-v3","measurements":[{"mrsigner":"00"}]}]}`,
		`{"accept":[{"kind":"tpm","measurements":["00"]}]}`,
		`{"accept":[{"kind":"sev-snp","measurements":["00","00"]}]}`,
		`{"accept":[{"kind":"sev-snp","measurements":["` + strings.Repeat("00", 65) + `"]}]}`,
		`{"min_tcb":{"snp":1}}`, `{"allow_simulated":true}`, `{"gatekeeper_confidence":6}`, `{"min_confidence":6}`,
		`{"accept":[{"kind":"sev-snp","measurements":["00"]}],"tcb_floors":{"Rome":{}}}`, `{} {}`, `{"unknown":1}`,
		`{"statuses":["Revoked"]}`,
	} {
		if p, err := ParseForChain([]byte(bad)); !errors.Is(err, tee.ErrPolicy) {
			t.Errorf("%s: %+v, %v", bad, p, err)
		}
	}
}

func TestFloorsByProduct(t *testing.T) {
	p := must(ParsePolicy([]byte(`{"tcb_floors":{"Milan":{"snp":23}}}`)))
	for product, want := range map[string]bool{"Milan": true, "Genoa": false} {
		if p.reaches(product, tee.Levels{SNP: 23}) != want || p.reaches(product, tee.Levels{SNP: 22}) {
			t.Error(product)
		}
	}
}
