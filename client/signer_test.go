package client_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/client"
	"github.com/phalanx-network/phalanx/client/account"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// TestSr25519Signer signs with a bare key and prints the signer by every verb.
func TestSr25519Signer(t *testing.T) {
	mini := bytes.Repeat([]byte{0xa7}, sr25519.MiniSecretSize)
	key, err := sr25519.FromMiniSecret(mini)
	if err != nil {
		t.Fatal(err)
	}
	s := client.Sr25519(key)
	sig, err := s.Sign(rand.Reader, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sig.Verify(s.Identity(), []byte("text")); err != nil {
		t.Error(err)
	}
	if sig.Verify(s.Identity(), []byte("other")) == nil {
		t.Error("the signature holds for another text")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		text := fmt.Sprintf(verb, s)
		if strings.Contains(text, hex.EncodeToString(mini[:4])) || strings.Contains(text, "167 167 167") {
			t.Errorf("%s shows the key: %s", verb, text)
		}
	}
}

// TestAccountSignerPrintsNoSecret prints the signer of an account by every verb.
func TestAccountSignerPrintsNoSecret(t *testing.T) {
	a, err := account.FromMnemonic("bottom drive obey lake curtain smoke basket hold race lonely fit walk")
	if err != nil {
		t.Fatal(err)
	}
	s := client.Of(a)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		text := fmt.Sprintf(verb, s)
		if strings.Contains(text, "bottom") || strings.Contains(text, hex.EncodeToString([]byte("bott"))) || strings.Contains(text, "98 111 116 116") {
			t.Errorf("%s shows the words: %s", verb, text)
		}
	}
}
