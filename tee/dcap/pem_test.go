package dcap

import (
	"bytes"
	"encoding/pem"
	"testing"
)

// TestPEMIsCanonical splits what pem.Encode writes, for bodies around a line's length, and nothing else: what is taken
// is what pem.Encode would write for the result.
func TestPEMIsCanonical(t *testing.T) {
	for n := 1; n < 200; n++ {
		der := bytes.Repeat([]byte{0xa5, byte(n)}, n)[:n]
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		got, rest, err := splitPEM(append(bytes.Clone(text), "rest"...), 1)
		if err != nil || !bytes.Equal(got[0], der) || string(rest) != "rest" {
			t.Fatalf("%d bytes: %v, rest %q", n, err, rest)
		}
		if got, _, err = splitPEM(bytes.TrimSuffix(text, []byte("\n")), 1); err != nil || !bytes.Equal(got[0], der) {
			t.Fatalf("%d bytes without the last line feed: %v", n, err)
		}
		for at := range text[:len(text)-1] {
			for _, c := range []byte("\n\r =A-\x00") {
				changed := bytes.Clone(text)
				if changed[at] == c {
					continue
				}
				changed[at] = c
				got, _, err := splitPEM(changed, 1)
				if err == nil && !bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: got[0]}), changed) {
					t.Fatalf("%d bytes: byte %d as %q is another spelling:\n%s", n, at, c, changed)
				}
			}
		}
	}
}

func TestPEMRefused(t *testing.T) {
	one := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: make([]byte, 100)}))
	headed := string(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: []byte{1},
	}))
	for name, text := range map[string]string{
		"nothing": "", "another type": string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}})),
		"one of two": one, "space between": one + " " + one, "line between": one + "\n" + one, "text before": "x\n" + one + one,
		"carriage returns": string(bytes.ReplaceAll([]byte(one+one), []byte("\n"), []byte("\r\n"))),
		"headers":          one + headed,
		"no body":          one + pemBegin + pemEnd + "\n", "empty line": one + pemBegin + "\n" + pemEnd + "\n",
		"no end": one + pemBegin + "AAAA\n",
	} {
		if _, _, err := splitPEM([]byte(text), 2); Reason(err) != "format" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
