// Package graminetest imitates the files of Gramine in an SGX enclave for tests: quotes of the genuine format under
// dcaptest's root, and sealing keys that depend on what the processor mixes into them.
package graminetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine"
)

// Enclave is an enclave and the machine that it runs on.
type Enclave struct {
	World   *dcaptest.World // its Enclave is this one
	Machine [32]byte        // the processor's secret
	Type    string          // of attestation
	Missing map[string]bool // files that are not there

	// Spoil, if set, changes what a file gives.
	Spoil func(name string, b []byte) []byte

	data, target []byte
}

var _ gramine.Files = (*Enclave)(nil)

// New returns an enclave of dcaptest's. Its quotes are padded as Gramine pads them.
func New() *Enclave {
	w := dcaptest.New(tee.KindSGX, 3)
	w.Padding = 512
	return &Enclave{World: w, Machine: [32]byte{1}, Type: "dcap"}
}

// Read reads a file.
func (e *Enclave) Read(name string, most int) ([]byte, error) {
	b, err := e.content(name)
	if err != nil {
		return nil, err
	}
	if e.Spoil != nil {
		b = e.Spoil(name, b)
	}
	if len(b) > most {
		return nil, fmt.Errorf("%w: %d bytes", gramine.ErrReply, len(b))
	}
	return b, nil
}

// Write writes a file.
func (e *Enclave) Write(name string, b []byte) error {
	switch {
	case e.Missing[name]:
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case name == "user_report_data" && len(b) == tee.ReportDataSize:
		e.data = append([]byte(nil), b...)
	case name == "target_info" && len(b) == 512:
		e.target = append([]byte(nil), b...)
	default:
		return fmt.Errorf("%d bytes to %s", len(b), name)
	}
	return nil
}

func (e *Enclave) content(name string) ([]byte, error) {
	if e.Missing[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	switch name {
	case "attestation_type":
		return []byte(e.Type), nil
	case "report":
		return e.report()
	case "quote":
		return e.quote()
	case "keys/_sgx_mrenclave":
		return e.key("mrenclave", e.World.Enclave.MRENCLAVE[:]), nil
	case "keys/_sgx_mrsigner":
		return e.key("mrsigner", e.World.Enclave.MRSIGNER[:]), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// quote makes the quote about what was written to user_report_data.
func (e *Enclave) quote() ([]byte, error) {
	copy(e.World.Enclave.ReportData[:], e.data)
	ev, err := e.World.Build()
	if err != nil {
		return nil, err
	}
	return ev.Quote, nil
}

// report is the local report: the same body as in the quote, a key id and a MAC.
func (e *Enclave) report() ([]byte, error) {
	if e.target == nil {
		return nil, fmt.Errorf("no target_info was written")
	}
	quote, err := e.quote()
	if err != nil {
		return nil, err
	}
	return append(quote[48:48+384:48+384], make([]byte, 48)...), nil
}

// key derives as EGETKEY does for Gramine: the policy's measurement, the attributes and the security versions.
func (e *Enclave) key(policy string, measured []byte) []byte {
	r := &e.World.Enclave
	h := hmac.New(sha256.New, e.Machine[:])
	fmt.Fprintf(h, "%s %x %x %x %d %d", policy, measured, r.CPUSVN, r.Attributes, r.ISVProdID, r.ISVSVN)
	return h.Sum(nil)[:16]
}

// Collateral returns what the relay would fetch, and the root.
func (e *Enclave) Collateral() (collateral []byte, roots tee.Roots, err error) {
	ev, err := e.World.Build()
	if err != nil {
		return nil, roots, err
	}
	if collateral, err = json.Marshal(ev.Collateral); err != nil {
		return nil, roots, err
	}
	for _, root := range ev.Roots {
		roots.Kinds = []tee.KindRoots{{Kind: tee.KindSGX, Keys: [][]byte{root.Raw}}}
	}
	return collateral, roots, nil
}
