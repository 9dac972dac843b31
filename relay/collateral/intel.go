package collateral

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// Paths of the service's API, version 4.
const (
	pathPCKCRL  = "/sgx/certification/v4/pckcrl"
	pathRootCRL = "/sgx/certification/v4/rootcacrl" // of a PCCS only
)

// clientsBase is what Intel's own clients have at the end of a PCCS's address (pccs_url of sgx_default_qcnl.conf).
const clientsBase = "/sgx/certification/v4"

// withoutVersion returns a base URL without that, so that an address can be taken over from their configuration.
func withoutVersion(base string) string {
	return strings.TrimSuffix(strings.TrimSuffix(base, "/"), clientsBase)
}

// Names of the headers with the issuer chains; the second is that of version 3, which some caches write.
var (
	chainsPCKCRL   = []string{"SGX-PCK-CRL-Issuer-Chain"}
	chainsTCB      = []string{"TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"}
	chainsIdentity = []string{"SGX-Enclave-Identity-Issuer-Chain"}
)

const (
	maxTCBInfo  = 96 << 10
	maxIdentity = 16 << 10
)

// technologies are the service's names of a kind: in paths, and in the documents.
var technologies = map[tee.Kind]struct{ path, info, identity string }{
	tee.KindSGX: {"sgx", "SGX", "QE"},
	tee.KindTDX: {"tdx", "TDX", "TD_QE"},
}

// completeIntel fetches what a quote needs.
func completeIntel(ctx context.Context, r *run, ev tee.Evidence) (tee.Evidence, error) {
	lookup, err := dcap.LookupOf(ev.Data)
	if err != nil {
		return ev, err
	}
	if lookup.Kind != ev.Kind {
		return ev, fmt.Errorf("%w: evidence of %s has a quote of %s", dcap.ErrFormat, ev.Kind, lookup.Kind)
	}
	var docs [4]*document
	for i, q := range r.intelRequests(lookup) {
		if docs[i], err = r.get(ctx, q); err != nil {
			return ev, err
		}
	}
	root, pck, info, identity := docs[0], docs[1], docs[2], docs[3]
	c := &dcap.Collateral{
		RootCRL: root.body, PCKCRL: pck.body, PCKCRLChain: pck.chain,
		TCBInfo: info.body, TCBInfoSignature: info.signature, TCBInfoChain: info.chain,
		QEIdentity: identity.body, QEIdentitySignature: identity.signature, QEIdentityChain: identity.chain,
	}
	text, err := json.Marshal(c)
	if err != nil {
		return ev, fmt.Errorf("collateral: %w", err)
	}
	r.expiry.Evaluation = uint32(min(info.number, identity.number))
	ev.Collateral = text
	return ev, nil
}

// intelRequests are those for the root's list, the PCK CA's list, TCB info and QE identity.
func (r *run) intelRequests(l dcap.Lookup) [4]*request {
	t := technologies[l.Kind]
	fmspc := hex.EncodeToString(l.FMSPC[:])
	ca, authority := "platform", "Intel SGX PCK Platform CA"
	if l.Processor {
		ca, authority = "processor", "Intel SGX PCK Processor CA"
	}
	at := func(path string, pairs ...string) *url.URL {
		u := r.intel.JoinPath(path)
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		u.RawQuery = v.Encode()
		return u
	}
	base := "/" + t.path + "/certification/v4"
	const unknown = "check the base URL of Intel's service"
	return [4]*request{
		{
			name: "intel-root-crl", url: r.root, limit: 2*maxCRL + 1<<10, parse: parseCRLAnswer("Intel SGX Root CA", maxCRL, false), hint: unknown,
		}, {
			name: "intel-pck-crl-" + ca, url: at(pathPCKCRL, "ca", ca, "encoding", "der"), limit: 2*maxCRL + 1<<10,
			chains: chainsPCKCRL, parse: parseCRLAnswer(authority, maxCRL, true), hint: unknown,
		}, {
			name: "intel-" + t.path + "-tcb-" + fmspc, url: at(base+"/tcb", "fmspc", fmspc, "update", r.cfg.Update),
			limit: maxTCBInfo, chains: chainsTCB, parse: parseSigned("tcbInfo", t.info, fmspc),
			hint: "the service knows no platform of FMSPC " + fmspc + "; is this a production platform, and registered with its PCCS?",
		}, {
			name: "intel-" + t.path + "-qe-identity", url: at(base+"/qe/identity", "update", r.cfg.Update),
			limit: maxIdentity, chains: chainsIdentity, parse: parseSigned("enclaveIdentity", t.identity, ""), hint: unknown,
		},
	}
}

// signedHead is what is read of TCB info and QE identity here. Their judge is package tee/dcap.
type signedHead struct {
	ID         string    `json:"id"`
	IssueDate  time.Time `json:"issueDate"`
	NextUpdate time.Time `json:"nextUpdate"`
	FMSPC      string    `json:"fmspc"`
	Evaluation uint32    `json:"tcbEvaluationDataNumber"`
}
