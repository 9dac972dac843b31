package nitro

import (
	"bytes"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// fields are those of a genuine document but for the certificates, which differ between runs.
func fields(f *testing.F) []nitrotest.Field {
	f.Helper()
	a, err := nitrotest.New(time.Unix(1_800_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	all := a.Fields(time.Unix(1_800_000_000, 0), make([]byte, 64), false)
	for i := range all {
		switch all[i].Name {
		case "certificate":
			all[i].Value = nitrotest.Bytes([]byte("certificate"))
		case "cabundle":
			all[i].Value = append(nitrotest.Head(4, 2), append(nitrotest.Bytes([]byte("root")), nitrotest.Bytes([]byte("next"))...)...)
		}
	}
	return all
}

// FuzzPayload reads payloads: what is taken is complete and within its bounds, and refusals have a word.
func FuzzPayload(f *testing.F) {
	f.Add(nitrotest.Payload(fields(f)))
	f.Add([]byte{0xbf, 0xff})
	f.Add([]byte{0xa1, 0x64, 'p', 'c', 'r', 's', 0xbf, 0x00})
	f.Add(append([]byte{0xbf, 0x65, 'n', 'o', 'n', 'c', 'e'}, bytes.Repeat([]byte{0x81}, 100)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parsePayload(raw)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("no word: %v", err)
			}
			return
		}
		if p.ModuleID == "" || len(p.PCRs) == 0 || len(p.PCRs) > PCRs || len(p.authority) > MaxAuthority ||
			len(p.UserData)+len(p.Nonce)+len(p.PublicKey) > 3*MaxBound || p.Timestamp.UnixMilli() <= 0 {
			t.Fatalf("%+v", p.Result)
		}
	})
}

// FuzzMessage reads frames: each message has one.
func FuzzMessage(f *testing.F) {
	frame := func(payload, signature []byte) []byte {
		b := append([]byte{0x84}, nitrotest.Bytes(nitrotest.ES384)...)
		return append(append(append(b, 0xa0), nitrotest.Bytes(payload)...), nitrotest.Bytes(signature)...)
	}
	f.Add(frame([]byte("payload"), make([]byte, 96)))
	f.Add(frame(make([]byte, 300), make([]byte, 96)))
	f.Add([]byte{0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x41, 0xbf, 0x40})
	f.Fuzz(func(t *testing.T, document []byte) {
		m, err := parseMessage(document)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("no word: %v", err)
			}
			return
		}
		if again := frame(m.payload, m.signature); !bytes.Equal(again, document) {
			t.Fatalf("%x is also %x", document, again)
		}
	})
}
