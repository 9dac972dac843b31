package dcap

import (
	"bytes"
	"encoding/base64"
)

const (
	pemBegin = "-----BEGIN CERTIFICATE-----\n"
	pemEnd   = "-----END CERTIFICATE-----"
	pemLine  = 64 // characters of a full line
)

var base64Strict = base64.StdEncoding.Strict()

// splitPEM returns the DER of exactly n certificates and what follows them. It takes one spelling only, the one that
// Intel's service writes and encoding/pem too: full lines of 64 characters, a line feed after each, nothing between
// blocks. The line feed after the last block may be missing. Otherwise a quote could be spelled in many ways, for
// nothing signs the spelling.
func splitPEM(data []byte, n int) (ders [][]byte, rest []byte, err error) {
	for i := range n {
		body, ok := bytes.CutPrefix(data, []byte(pemBegin))
		if !ok {
			return nil, nil, refuse(ErrFormat, "no certificate %d of %d in the chain", i+1, n)
		}
		end := bytes.Index(body, []byte(pemEnd))
		if end < 0 {
			return nil, nil, refuse(ErrFormat, "certificate %d has no end", i+1)
		}
		der, ok := decodeLines(body[:end])
		if !ok {
			return nil, nil, refuse(ErrFormat, "certificate %d is not canonical PEM", i+1)
		}
		ders, data = append(ders, der), body[end+len(pemEnd):]
		if line, ok := bytes.CutPrefix(data, []byte("\n")); ok {
			data = line
		}
	}
	return ders, data, nil
}

// decodeLines decodes base64 in full lines and a last one that may be short.
func decodeLines(text []byte) ([]byte, bool) {
	if bytes.IndexByte(text, '\r') >= 0 || !bytes.HasSuffix(text, []byte("\n")) {
		return nil, false // the decoder would pass over these
	}
	lines := len(text) / (pemLine + 1)
	last := len(text) - lines*(pemLine+1) // with its line feed; 0 if the last line is full
	if last == 1 || (last > 0 && last%4 != 1) || bytes.Count(text, []byte("\n")) != lines+min(last, 1) {
		return nil, false
	}
	for i := range lines {
		if text[i*(pemLine+1)+pemLine] != '\n' {
			return nil, false
		}
	}
	out := make([]byte, base64Strict.DecodedLen(len(text)))
	n, err := base64Strict.Decode(out, text)
	return out[:n], err == nil
}
