package nitro

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// Bounds of documents.
const (
	MaxDocument  = 32 << 10 // bytes
	MaxBound     = 1 << 10  // bytes each of user data, nonce and public key
	MaxAuthority = 8        // certificates in the bundle, the root included
	PCRs         = 32       // registers
	PCRSize      = 48       // bytes of one, SHA-384
)

const (
	maxModuleID = 256
	maxFields   = 16
	signature   = 96 // bytes: r and s of P-384
)

// protected is the only header that documents have: algorithm ES384 (ECDSA with SHA-384).
var protected = []byte{0xa1, 0x01, 0x38, 0x22}

// Result is what a verified document says.
type Result struct {
	Version   int       // always 1: documents have no version, and this package knows one form
	ModuleID  string    // names the enclave: instance and enclave number
	Timestamp time.Time // when the Nitro module made it, in milliseconds
	Digest    string    // always "SHA384"
	// PCRs are the registers that the document shows, by number. PCR0 measures the image and is always there; the rest
	// are as AWS's manual has them: 1 kernel, 2 application, 3 role, 4 instance, 8 signer.
	PCRs      map[int][PCRSize]byte
	UserData  []byte // at most MaxBound bytes, nil if the enclave gave none; so are the next two
	Nonce     []byte
	PublicKey []byte
	// Expires is the earliest end of the certificates that were relied on, in UTC. The document is refused after it.
	Expires time.Time
}

// Measurement returns PCR0, which covers the whole image.
func (r *Result) Measurement() [PCRSize]byte { return r.PCRs[0] }

// Registers returns the registers that the document shows, by name ("pcr0" and so on), in the order of names.
func (r *Result) Registers() []tee.Register {
	out := make([]tee.Register, 0, len(r.PCRs)+1)
	for i, value := range r.PCRs {
		out = append(out, tee.Register{Name: fmt.Sprintf("pcr%d", i), Value: value[:]})
	}
	image := r.Measurement()
	out = append(out, tee.Register{Name: tee.RegisterMeasurement, Value: image[:]})
	tee.SortRegisters(out)
	return out
}

// Debug reports whether the enclave was started in debug mode, in which the host reads its console and the registers of
// the image are zero.
func (r *Result) Debug() bool { return r.PCRs[0] == [PCRSize]byte{} }

// message is a COSE_Sign1 message in its parts.
type message struct{ payload, signature []byte }

func parseMessage(document []byte) (*message, error) {
	if len(document) > MaxDocument {
		return nil, reason.New(reason.Format, "document has %d bytes, at most %d are allowed", len(document), MaxDocument)
	}
	d := &decoder{rest: document}
	if n := d.array("document", 4); d.err == nil && n != 4 {
		d.fail("document has %d parts, not 4", n)
	}
	header := d.bytes("protected header", 64)
	if d.err == nil && !bytes.Equal(header, protected) {
		return nil, reason.New(reason.Algorithm, "protected header %x is not that of ES384", header)
	}
	if !d.skip(cborEmptyMap) {
		d.fail("unprotected header is not empty")
	}
	m := &message{payload: d.bytes("payload", MaxDocument), signature: d.bytes("signature", signature)}
	if d.err == nil && len(m.signature) != signature {
		d.fail("signature has %d bytes, not %d", len(m.signature), signature)
	}
	d.end("document")
	return m, d.err
}

// signedText returns the Sig_structure of RFC 9052, section 4.4, without external data.
func (m *message) signedText() []byte {
	b := append(make([]byte, 0, len(m.payload)+32), 0x84)
	b = append(appendHead(b, majorText, uint64(len("Signature1"))), "Signature1"...)
	b = append(appendHead(b, majorBytes, uint64(len(protected))), protected...)
	b = append(b, cborEmptyBytes)
	return append(appendHead(b, majorBytes, uint64(len(m.payload))), m.payload...)
}

// payload is a parsed payload: the result, and the certificates in DER.
type payload struct {
	Result
	leaf      []byte
	authority [][]byte // from the root down
}

func parsePayload(raw []byte) (*payload, error) {
	p := &payload{Result: Result{Version: 1, PCRs: map[int][PCRSize]byte{}}}
	d := &decoder{rest: raw}
	fields := map[string]func(){
		"module_id":   func() { p.ModuleID = d.text("module_id", maxModuleID) },
		"digest":      func() { p.Digest = d.text("digest", 16) },
		"timestamp":   func() { p.Timestamp = time.UnixMilli(int64(d.uint("timestamp", math.MaxInt64))).UTC() },
		"pcrs":        func() { d.each("pcrs", PCRs, false, func() { p.register(d) }) },
		"certificate": func() { p.leaf = d.bytes("certificate", certchain.MaxCertificate) },
		"cabundle":    func() { p.bundle(d) },
		"public_key":  func() { p.PublicKey = bytes.Clone(d.optionalBytes("public_key", MaxBound)) },
		"user_data":   func() { p.UserData = bytes.Clone(d.optionalBytes("user_data", MaxBound)) },
		"nonce":       func() { p.Nonce = bytes.Clone(d.optionalBytes("nonce", MaxBound)) },
	}
	seen := map[string]bool{}
	d.each("payload", maxFields, true, func() {
		name := d.text("field name", 32)
		read := fields[name]
		if d.err == nil && (read == nil || seen[name]) {
			d.fail("field %q is unknown or comes twice", name)
		}
		if d.err != nil {
			return
		}
		seen[name] = true
		read()
	})
	d.end("payload")
	if d.err != nil {
		return nil, d.err
	}
	return p, p.complete(seen)
}

// complete checks what every document must have.
func (p *payload) complete(seen map[string]bool) error {
	for _, name := range []string{"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"} {
		if !seen[name] {
			return reason.New(reason.Format, "field %q is missing", name)
		}
	}
	if p.Digest != "SHA384" {
		return reason.New(reason.Algorithm, "registers are made with %q, not SHA384", p.Digest)
	}
	if _, ok := p.PCRs[0]; !ok || p.ModuleID == "" || p.Timestamp.UnixMilli() == 0 {
		return reason.New(reason.Format, "PCR0, module_id or timestamp is empty")
	}
	return nil
}

// register reads one entry of pcrs.
func (p *payload) register(d *decoder) {
	n := int(d.uint("PCR number", PCRs-1))
	value := d.bytes("PCR", PCRSize)
	_, twice := p.PCRs[n]
	if d.err == nil && (twice || len(value) != PCRSize) {
		d.fail("PCR%d comes twice or has %d bytes", n, len(value))
	}
	if d.err == nil {
		p.PCRs[n] = [PCRSize]byte(value)
	}
}

// bundle reads cabundle.
func (p *payload) bundle(d *decoder) {
	for range d.array("cabundle", MaxAuthority) {
		p.authority = append(p.authority, d.bytes("cabundle", certchain.MaxCertificate))
	}
}
