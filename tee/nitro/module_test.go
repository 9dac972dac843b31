package nitro_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// TestAttestationRequest compares with what AWS's library sends (serde's encoding of Request::Attestation).
func TestAttestationRequest(t *testing.T) {
	const want = "a1" + "6b4174746573746174696f6e" + // {"Attestation":
		"a3" + "69757365725f64617461" + "43010203" + // {"user_data": 0x010203,
		"656e6f6e6365" + "f6" + // "nonce": null,
		"6a7075626c69635f6b6579" + "f6" // "public_key": null}}
	if got := hex.EncodeToString(nitro.AttestationRequest([]byte{1, 2, 3})); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := nitro.AttestationRequest(make([]byte, nitro.MaxBound)); len(got) == 0 {
		t.Error("the bound itself is refused")
	}
	if got := nitro.AttestationRequest(make([]byte, nitro.MaxBound+1)); got != nil {
		t.Error("over the bound")
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestAttestationResponse(t *testing.T) {
	document := []byte("document")
	attestation, field := nitrotest.Text("Attestation"), nitrotest.Text("document")
	inner := join([]byte{0xa1}, field, nitrotest.Bytes(document))
	for name, tt := range map[string]struct {
		raw  []byte
		word reason.Word // of the refusal; empty for none
	}{
		"genuine":            {join([]byte{0xa1}, attestation, inner), ""},
		"maps without sizes": {join([]byte{0xbf}, attestation, []byte{0xbf}, field, nitrotest.Bytes(document), []byte{0xff, 0xff}), ""},
		"empty":              {nil, reason.Format},
		"empty map":          {[]byte{0xa0}, reason.Format},
		"another response":   {join([]byte{0xa1}, nitrotest.Text("GetRandom"), inner), reason.Format},
		"another field":      {join([]byte{0xa1}, attestation, []byte{0xa1}, nitrotest.Text("random"), nitrotest.Bytes(document)), reason.Format},
		"no document":        {join([]byte{0xa1}, attestation, []byte{0xa0}), reason.Format},
		"empty document":     {join([]byte{0xa1}, attestation, []byte{0xa1}, field, nitrotest.Bytes(nil)), reason.Format},
		"text for bytes":     {join([]byte{0xa1}, attestation, []byte{0xa1}, field, nitrotest.Text("document")), reason.Format},
		"two responses":      {join([]byte{0xa2}, attestation, inner, attestation, inner), reason.Format},
		"something behind":   {join([]byte{0xa1}, attestation, inner, []byte{0}), reason.Trailing},
		"bare text":          {nitrotest.Text("LockPCR"), reason.Format},
		"long code":          {join([]byte{0xa1}, nitrotest.Text("Error"), nitrotest.Text(strings.Repeat("e", 65))), reason.Format},
		"over the bound": {join([]byte{0xa1}, attestation, []byte{0xa1}, field,
			nitrotest.Bytes(make([]byte, nitro.MaxDocument+1))), reason.Format},
	} {
		got, err := nitro.AttestationResponse(tt.raw)
		if tt.word != "" {
			if reason.Of(err) != tt.word || got != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, document) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestModuleError(t *testing.T) {
	for code, says := range map[string]string{"InternalError": "try again", "InvalidArgument": "argument", "Fresh\nCode": "does not know"} {
		_, err := nitro.AttestationResponse(join([]byte{0xa1}, nitrotest.Text("Error"), nitrotest.Text(code)))
		var refused *nitro.ModuleError
		if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestUserData(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a, err := nitrotest.New(now)
	if err != nil {
		t.Fatal(err)
	}
	document, err := a.Document(now, []byte("bound"), false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := nitro.UserData(document); err != nil || string(got) != "bound" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := nitro.UserData(document[:len(document)-1]); reason.Of(err) != reason.Format {
		t.Fatal(err)
	}
}

// TestResponseMutated changes a response at random, always alike: it is a document, a refusal or the module's error, and
// never a panic.
func TestResponseMutated(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	genuine := join([]byte{0xa1}, nitrotest.Text("Attestation"), []byte{0xa1}, nitrotest.Text("document"), nitrotest.Bytes([]byte("document")))
	for range 20000 {
		raw := bytes.Clone(genuine)
		for range 1 + r.IntN(3) {
			raw[r.IntN(len(raw))] = byte(r.UintN(256))
		}
		checkResponse(t, raw[:1+r.IntN(len(raw))])
	}
}

func checkResponse(t *testing.T, raw []byte) {
	t.Helper()
	document, err := nitro.AttestationResponse(raw)
	var refused *nitro.ModuleError
	switch {
	case err == nil && (len(document) == 0 || !bytes.Contains(raw, document)):
		t.Fatalf("%x: document %x", raw, document)
	case err != nil && (document != nil || reason.Of(err) == "" && !errors.As(err, &refused)):
		t.Fatalf("%x: %x, %v", raw, document, err)
	}
}

func FuzzAttestationResponse(f *testing.F) {
	inner := join([]byte{0xa1}, nitrotest.Text("document"), nitrotest.Bytes([]byte("document")))
	f.Add(join([]byte{0xa1}, nitrotest.Text("Attestation"), inner))
	f.Add(join([]byte{0xbf}, nitrotest.Text("Attestation"), inner, []byte{0xff}))
	f.Add(join([]byte{0xa1}, nitrotest.Text("Error"), nitrotest.Text("InternalError")))
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) { checkResponse(t, raw) })
}
