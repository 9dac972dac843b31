package dcaptest

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// Handler serves the collateral of one quote as Intel's provisioning certification service does, version 4 of its API, and
// what a PCCS adds to it: the root's list in hexadecimal at /sgx/certification/v4/rootcacrl. The list is at
// /IntelSGXRootCA.der too, in DER, as at Intel's distribution point. Platforms other than the quote's are not found.
func Handler(quote []byte, c *dcap.Collateral) (http.Handler, error) {
	l, err := dcap.LookupOf(quote)
	if err != nil {
		return nil, err
	}
	technology, ca := "sgx", "platform"
	if l.Kind == tee.KindTDX {
		technology = "tdx"
	}
	if l.Processor {
		ca = "processor"
	}
	mux := http.NewServeMux()
	serve := func(path, header string, chain, body []byte, query ...string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i+1 < len(query); i += 2 {
				if !strings.EqualFold(r.URL.Query().Get(query[i]), query[i+1]) {
					http.NotFound(w, r)
					return
				}
			}
			if header != "" {
				w.Header().Set(header, url.PathEscape(string(chain)))
			}
			_, _ = w.Write(body) // a client that has gone is no fault of the service
		})
	}
	signed := func(member string, object []byte, signature [64]byte) []byte {
		return fmt.Appendf(nil, "{%q:%s,\"signature\":%q}", member, object, hex.EncodeToString(signature[:]))
	}
	base := "/" + technology + "/certification/v4"
	serve("/sgx/certification/v4/pckcrl", "SGX-PCK-CRL-Issuer-Chain", c.PCKCRLChain, c.PCKCRL, "ca", ca, "encoding", "der")
	serve("/sgx/certification/v4/rootcacrl", "", nil, []byte(hex.EncodeToString(c.RootCRL)))
	serve("/IntelSGXRootCA.der", "", nil, c.RootCRL)
	serve(base+"/tcb", "TCB-Info-Issuer-Chain", c.TCBInfoChain, signed("tcbInfo", c.TCBInfo, c.TCBInfoSignature),
		"fmspc", hex.EncodeToString(l.FMSPC[:]))
	serve(base+"/qe/identity", "SGX-Enclave-Identity-Issuer-Chain", c.QEIdentityChain,
		signed("enclaveIdentity", c.QEIdentity, c.QEIdentitySignature))
	return mux, nil
}
