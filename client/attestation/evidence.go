// Package attestation judges attestation evidence outside of a chain: a quote, report or document that somebody holds in
// a file, against a policy of their own.
//
//	report := attestation.Judge(file, collateral, attestation.DefaultPolicy(), attestation.Question{Now: time.Now()})
//	report.Verdict // Accepted, Refused or Undecided
//
// The verification itself is that of packages tee/dcap, tee/sevsnp and tee/nitro, which validators run. This package tells
// the kinds apart, reads collateral and policies as people keep them, and says the outcome in words.
package attestation

import (
	"bytes"
	"encoding/hex"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// Evidence is evidence whose kind is known by its first bytes. Nothing else of it has been looked at.
type Evidence struct {
	Kind    tee.Kind
	Version int // of the format, as its header has it; 1 for Nitro documents, which have none
	Data    []byte
}

// maxVersion bounds the versions by which reports and quotes are recognized, known or not.
const maxVersion = 15

// Detect tells the kind of evidence in a file, which holds its bytes or, with white space and 0x allowed, hexadecimal
// digits. The error has the word format.
func Detect(file []byte) (*Evidence, error) {
	data := unhex(file)
	if len(data) > tee.MaxData {
		return nil, reason.New(reason.Format, "%d bytes, at most %d are read", len(data), tee.MaxData)
	}
	if len(data) < 8 {
		return nil, reason.New(reason.Format, "%d bytes are no quote, report or document", len(data))
	}
	e := &Evidence{Data: data}
	switch version := int(data[0]); {
	case bytes.HasPrefix(data, []byte{0x84}) || bytes.HasPrefix(data, []byte{0xd2, 0x84}):
		e.Kind, e.Version = tee.KindNitro, 1
	case data[1] != 0 || data[3] != 0 || version == 0 || version > maxVersion:
		return nil, reason.New(reason.Format, "begins like no quote, report or document: %x", data[:8])
	case data[2] == 0: // the version has four bytes in reports, and two in quotes, before a key type above 0
		e.Kind, e.Version = tee.KindSEVSNP, version
	case data[4] == 0x81:
		e.Kind, e.Version = tee.KindTDX, version
	default:
		e.Kind, e.Version = tee.KindSGX, version
	}
	return e, nil
}

// unhex decodes a file of hexadecimal digits and returns every other file as it is.
func unhex(file []byte) []byte {
	text := bytes.Join(bytes.Fields(file), nil)
	if rest, ok := bytes.CutPrefix(text, []byte("0x")); ok {
		text = rest
	}
	out := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(out, text); err != nil || len(text) == 0 {
		return file
	}
	return out
}
