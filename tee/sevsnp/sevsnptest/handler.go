package sevsnptest

import (
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-sev-guest/kds"
)

// Handler serves a machine's certificates and its root's revocation list as AMD's key distribution service does (document
// 57230). The list was made an hour before now and names nothing; now is asked at each request. A provider's key is not
// served, as AMD's service serves none without the provider's secret. Other chips and other levels are not found.
func Handler(m *Machine, now func() time.Time) http.Handler {
	product := kds.ProductLineOfProductName(m.setup.Product)
	mux := http.NewServeMux()
	serve := func(path string, body func() ([]byte, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			raw, err := body()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = w.Write(raw) // a client that has gone is no fault of the service
		})
	}
	fixed := func(raw []byte) func() ([]byte, error) { return func() ([]byte, error) { return raw, nil } }
	chain := func(intermediate []byte) []byte {
		return append(certificatePEM(intermediate), certificatePEM(m.Root())...)
	}
	crl := func() ([]byte, error) { return m.CRL(now().Add(-time.Hour)) }
	for key, intermediate := range map[string][]byte{"vcek": m.signer.Ask.Raw, "vlek": m.signer.Asvk.Raw} {
		serve("/"+key+"/v1/"+product+"/cert_chain", fixed(chain(intermediate)))
		serve("/"+key+"/v1/"+product+"/crl", crl)
	}
	mux.HandleFunc("GET /vcek/v1/"+product+"/"+hex.EncodeToString(m.setup.ChipID[:]), func(w http.ResponseWriter, r *http.Request) {
		level := m.setup.TCB
		for name, want := range map[string]uint8{
			"blSPL": level.BootLoader, "teeSPL": level.TEE, "snpSPL": level.SNP, "ucodeSPL": level.Microcode,
		} {
			if r.URL.Query().Get(name) != strconv.Itoa(int(want)) {
				http.NotFound(w, r)
				return
			}
		}
		_, _ = w.Write(m.signer.Vcek.Raw) // a client that has gone is no fault of the service
	})
	return mux
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
