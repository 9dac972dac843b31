package contract

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/crypto/sr25519"
)

// order is that of secp256k1.
var order = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")

// TestEcdsaRecover: published signatures give the published key; what is no signature gives code 11 and writes nothing.
func TestEcdsaRecover(t *testing.T) {
	w := newWorld(t)
	changed := func(change func(s []byte)) []byte {
		s := bytes.Clone(publishedSignature)
		change(s)
		return s
	}
	v := func(v byte) []byte { return changed(func(s []byte) { s[64] = v }) }
	// s and order-s are signatures of the same key, with the other recovery id.
	mirrored := changed(func(s []byte) {
		borrow := 0
		for i := 31; i >= 0; i-- {
			d := int(order[i]) - int(s[32+i]) - borrow
			borrow = 0
			if d < 0 {
				d, borrow = d+256, 1
			}
			s[32+i] = byte(d)
		}
		s[64] ^= 1
	})
	cases := map[string]struct {
		signature []byte
		want      int32
		key       string
	}{
		"published":        {publishedSignature, 0, string(publishedKey)},
		"with 27 added":    {v(28), 0, string(publishedKey)},
		"high s":           {mirrored, 0, string(publishedKey)},
		"v is 4":           {v(4), 11, ""},
		"v is 26":          {v(26), 11, ""},
		"v is 31":          {v(31), 11, ""},
		"v is 255":         {v(255), 11, ""},
		"r too high for 2": {v(3), 11, ""},
		"r is 0":           {changed(func(s []byte) { clear(s[:32]) }), 11, ""},
		"s is 0":           {changed(func(s []byte) { clear(s[32:64]) }), 11, ""},
		"r is the order":   {changed(func(s []byte) { copy(s, order) }), 11, ""},
		"s is the order":   {changed(func(s []byte) { copy(s[32:], order) }), 11, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w.t = t
			s := new(script).host("seal0", "ecdsa_recover", c.signature, publishedHash, outAt).
				host("seal2", "set_storage", "key", 3, outAt, 33)
			code := w.codes(s)[0]
			got, _ := w.value(alice, "key")
			if c.key == "" {
				c.key = string(make([]byte, 33))
			}
			requireEqual(t, "code and key", []any{code, hex.EncodeToString([]byte(got))}, []any{c.want, hex.EncodeToString([]byte(c.key))})
		})
	}
}

// TestEcdsaToEthAddress has well-known addresses: that of the secret 1, and the first of a common development mnemonic.
func TestEcdsaToEthAddress(t *testing.T) {
	w := newWorld(t)
	for key, want := range map[string]string{
		"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798": "7e5f4552091a69125d5dfcb7b8c2659029395bdf",
		"038318535b54105d4a7aae60c08fc45f9687181b4fdfc625bd1a753fa7397fed75": "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
		"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798": "",
		"020000000000000000000000000000000000000000000000000000000000000005": "", // not on the curve
		"02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f": "", // not below the field's order
		"000000000000000000000000000000000000000000000000000000000000000000": "",
	} {
		s := new(script).host("seal0", "ecdsa_to_eth_address", fromHex(key), outAt).
			host("seal2", "set_storage", "address", 7, outAt, 20)
		code := int32(0)
		if want == "" {
			code, want = codeEcdsaRecoveryFailed, hex.EncodeToString(make([]byte, 20))
		}
		requireEqual(t, key, w.codes(s)[0], code)
		got, _ := w.value(alice, "address")
		requireEqual(t, key, hex.EncodeToString([]byte(got)), want)
	}
}

// TestSr25519Verify: a signature in the context "substrate" holds for its key and message alone.
func TestSr25519Verify(t *testing.T) {
	w := newWorld(t)
	secret, err := sr25519.FromMiniSecret(slices.Repeat([]byte{9}, sr25519.MiniSecretSize))
	if err != nil {
		t.Fatal(err)
	}
	public := secret.Public()
	key := scale.MustMarshal(&public)
	for _, message := range []string{"", "message", string(make([]byte, 5000))} {
		signature, err := secret.Sign(rand.Reader, []byte(message))
		if err != nil {
			t.Fatal(err)
		}
		check := func(signature, key []byte, message string, want int32) {
			t.Helper()
			s := new(script).host("seal0", "sr25519_verify", signature, key, len(message), message)
			requireEqual(t, "code", w.codes(s), []int32{want})
		}
		flip := func(b []byte, i int, bit byte) []byte {
			b = bytes.Clone(b)
			b[i] ^= bit
			return b
		}
		check(signature[:], key, message, codeSuccess)
		check(flip(signature[:], 0, 1), key, message, codeSr25519VerifyFailed)
		check(flip(signature[:], 40, 1), key, message, codeSr25519VerifyFailed)
		check(flip(signature[:], 63, 0x80), key, message, codeSr25519VerifyFailed) // the mark of schnorrkel signatures
		check(signature[:], flip(key, 3, 1), message, codeSr25519VerifyFailed)
		check(signature[:], make([]byte, 32), message, codeSr25519VerifyFailed) // the identity
		check(signature[:], key, message+"x", codeSr25519VerifyFailed)
	}
}
