package nitro

import (
	"bytes"
	"fmt"
)

// maxCode is the length of the longest error code that is read.
const maxCode = 64

// ModuleError is a request that the Nitro Secure Module refused.
type ModuleError struct{ Code string } // as the module names it

// moduleErrors says what the codes mean. Source: ErrorCode of AWS's aws-nitro-enclaves-nsm-api.
var moduleErrors = map[string]string{
	"InvalidArgument":  "an argument is invalid",
	"InvalidIndex":     "a register does not exist",
	"InvalidResponse":  "the response does not belong to the request",
	"ReadOnlyIndex":    "a register is locked",
	"InvalidOperation": "it cannot do that",
	"BufferTooSmall":   "the document does not fit into the response",
	"InputTooLarge":    "the request is too large",
	"InternalError":    "it failed inside; try again",
}

// Error says what the code means.
func (e *ModuleError) Error() string {
	why, known := moduleErrors[e.Code]
	if !known {
		why = "for a reason that this release does not know"
	}
	return fmt.Sprintf("nitro: the module refused the request: %s (%q)", why, e.Code)
}

// AttestationRequest returns the request for a document that carries userData, at most MaxBound bytes, and neither nonce
// nor public key:
//
//	{"Attestation": {"user_data": bytes, "nonce": null, "public_key": null}}
//
// It returns nil if userData is longer.
func AttestationRequest(userData []byte) []byte {
	if len(userData) > MaxBound {
		return nil
	}
	text := func(b []byte, s string) []byte { return append(appendHead(b, majorText, uint64(len(s))), s...) }
	b := text(appendHead(nil, majorMap, 1), "Attestation")
	b = text(appendHead(b, majorMap, 3), "user_data")
	b = append(appendHead(b, majorBytes, uint64(len(userData))), userData...)
	b = append(text(b, "nonce"), cborNull)
	return append(text(b, "public_key"), cborNull)
}

// AttestationResponse returns the document out of the module's response, aliasing it:
//
//	{"Attestation": {"document": bytes}}   or   {"Error": text}
//
// The second form comes out as a [ModuleError]; any other bytes are a refusal with the word format or trailing. The
// document itself is not looked at.
func AttestationResponse(raw []byte) (document []byte, err error) {
	d := &decoder{rest: raw}
	var refused *ModuleError
	d.each("response", 1, true, func() {
		switch name := d.text("response", 32); {
		case d.err != nil:
		case name == "Error":
			refused = &ModuleError{d.text("error code", maxCode)}
		case name == "Attestation":
			d.each("attestation", 1, true, func() {
				if field := d.text("field name", 32); d.err == nil && field != "document" {
					d.fail("attestation has a field %q", field)
				}
				document = d.bytes("document", MaxDocument)
			})
		default:
			d.fail("response to another request: %q", name)
		}
	})
	d.end("response")
	if d.err == nil && refused == nil && len(document) == 0 {
		d.fail("response has no document")
	}
	switch {
	case d.err != nil:
		return nil, d.err
	case refused != nil:
		return nil, refused
	}
	return document, nil
}

// UserData reads which user data a document carries; nil if none. Nothing is verified: it tells whether a document is the
// one that was asked for. Errors carry the words of [Verify] for the document's form.
func UserData(document []byte) ([]byte, error) {
	m, err := parseMessage(document)
	if err != nil {
		return nil, err
	}
	p, err := parsePayload(m.payload)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(p.UserData), nil
}
