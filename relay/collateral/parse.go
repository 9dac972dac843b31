package collateral

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/phalanx-network/phalanx/tee/certchain"
)

// maxCRL is the size of Intel's lists, in bytes of DER. In hexadecimal one of them fits into evidence beside the rest.
const maxCRL = 96 << 10

// chainLength is how many certificates an issuer chain of Intel's has: the signer's and the root's.
const chainLength = 2

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrAnswer}, args...)...)
}

// splitSigned takes apart {"<member>": {…}, "signature": "…"}. The object is returned byte for byte, for it was signed
// so. Names match in their exact case and occur once; other members are passed over.
func splitSigned(body []byte, member string) (object []byte, signature [64]byte, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, signature, malformed("it is no JSON object")
	}
	seen := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, signature, malformed("JSON: %v", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, signature, malformed("JSON: %v", err)
		}
		key, _ := name.(string)
		if _, twice := seen[key]; twice || len(seen) == 16 {
			return nil, signature, malformed("it has a member twice, or too many")
		}
		seen[key] = value
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, signature, malformed("JSON is not whole")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, signature, malformed("something follows the JSON")
	}
	object = seen[member]
	if len(object) == 0 || object[0] != '{' {
		return nil, signature, malformed("it has no object %q", member)
	}
	var text string
	if err := json.Unmarshal(seen["signature"], &text); err != nil || len(text) != hex.EncodedLen(len(signature)) {
		return nil, signature, malformed("its signature is not %d bytes in hexadecimal", len(signature))
	}
	if _, err := hex.Decode(signature[:], []byte(text)); err != nil {
		return nil, signature, malformed("its signature is not hexadecimal")
	}
	return object, signature, nil
}

// parseSigned returns the parser of a signed document with an identifier, and of a platform if fmspc is not empty.
func parseSigned(member, id, fmspc string) func(answer) (*document, error) {
	return func(a answer) (*document, error) {
		object, signature, err := splitSigned(a.body, member)
		if err != nil {
			return nil, err
		}
		var head signedHead
		if err := json.Unmarshal(object, &head); err != nil {
			return nil, malformed("%s: %v", member, err)
		}
		if head.ID != id {
			return nil, malformed("it is of %.16q, %q was asked for", head.ID, id)
		}
		if !strings.EqualFold(head.FMSPC, fmspc) {
			return nil, malformed("it is for FMSPC %.16q, %q was asked for", head.FMSPC, fmspc)
		}
		if !head.NextUpdate.After(head.IssueDate) || head.IssueDate.IsZero() {
			return nil, malformed("its dates make no sense")
		}
		chain, ends, err := parseChain(a.chain)
		if err != nil {
			return nil, err
		}
		return &document{
			body: object, signature: signature, chain: chain, number: uint64(head.Evaluation),
			begins: head.IssueDate, ends: earlier(head.NextUpdate, ends),
		}, nil
	}
}

// parseChain reads the header with an issuer chain: PEM, escaped as in URLs. It returns PEM in the one spelling that
// package tee/dcap takes, and the earliest end.
func parseChain(header []byte) (chain []byte, ends time.Time, err error) {
	if len(header) > maxChainHeader {
		return nil, ends, malformed("issuer chain is over %d bytes", maxChainHeader)
	}
	text, err := url.PathUnescape(string(header))
	if err == nil && strings.Contains(text, "-----BEGIN+CERTIFICATE-----") { // spaces as in forms
		text, err = url.QueryUnescape(string(header))
	}
	if err != nil {
		return nil, ends, malformed("issuer chain is not escaped as in URLs")
	}
	rest := []byte(text)
	for range chainLength {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, ends, malformed("issuer chain has not %d certificates in PEM", chainLength)
		}
		cert, err := certchain.Parse("issuer chain", block.Bytes)
		if err != nil {
			return nil, ends, malformed("%w", err)
		}
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
		ends = earlier(ends, cert.NotAfter)
	}
	if len(bytes.Trim(rest, " \r\n\x00")) != 0 {
		return nil, ends, malformed("something follows the issuer chain")
	}
	return chain, ends, nil
}

// parseCRLAnswer returns the parser of the revocation list, at most limit bytes, of the authority with a common name, with
// its issuer chain or without.
func parseCRLAnswer(authority string, limit int, chained bool) func(answer) (*document, error) {
	return func(a answer) (*document, error) {
		der, err := derOf(a.body, "X509 CRL")
		if err != nil {
			return nil, err
		}
		if len(der) > limit {
			return nil, malformed("revocation list of %d bytes, at most %d are taken", len(der), limit)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil || len(list.Raw) != len(der) {
			return nil, malformed("it is no revocation list")
		}
		if list.Issuer.CommonName != authority {
			return nil, malformed("it is the list of %.64q, that of %q was asked for", list.Issuer.CommonName, authority)
		}
		if list.NextUpdate.IsZero() || !list.NextUpdate.After(list.ThisUpdate) {
			return nil, malformed("the revocation list has no end")
		}
		d := &document{body: der, begins: list.ThisUpdate, ends: list.NextUpdate}
		if list.Number != nil && list.Number.IsUint64() {
			d.number = list.Number.Uint64()
		}
		if !chained {
			return d, nil
		}
		chain, ends, err := parseChain(a.chain)
		if err != nil {
			return nil, err
		}
		d.chain, d.ends = chain, earlier(d.ends, ends)
		return d, nil
	}
}

// derOf returns DER that is spelled as such, in hexadecimal as a PCCS does, or in PEM.
func derOf(body []byte, kind string) ([]byte, error) {
	text := bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		block, rest := pem.Decode(text)
		if block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) != 0 {
			return nil, malformed("it is not one %s in PEM", kind)
		}
		return block.Bytes, nil
	case len(text) >= 2 && text[0] == '3' && text[1] == '0':
		der := make([]byte, hex.DecodedLen(len(text)))
		if _, err := hex.Decode(der, text); err != nil {
			return nil, malformed("it is neither DER nor hexadecimal")
		}
		return der, nil
	}
	return body, nil
}
