package pink

import (
	"bytes"
	"testing"

	"github.com/phalanx-network/phalanx/crypto/scale"
)

var schemeNames = []string{"ed25519", "sr25519", "ecdsa"}

func kindOf(t *testing.T, name string) byte {
	t.Helper()
	for i, n := range schemeNames {
		if n == name {
			return byte(i)
		}
	}
	t.Fatalf("no scheme %s", name)
	return 0
}

// vec encodes a Vec<u8>.
func vec(b []byte) []byte { return append(scale.AppendCompact(nil, uint64(len(b))), b...) }

// join concatenates, as SCALE does with the arguments of a function.
func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestSign holds signatures and keys to those of sp-core.
func TestSign(t *testing.T) {
	x, _ := worker(t)
	for _, v := range vectors.Signatures {
		kind := []byte{kindOf(t, v.Scheme)}
		secret, message, public, signature := unhex(v.Secret), unhex(v.Message), unhex(v.Public), unhex(v.Signature)
		modes(t, func(t *testing.T, env *environment) {
			gives(t, x, env, "get_public_key", join(kind, vec(secret)), 0, vec(public))
			check := func(signature []byte, want byte) {
				t.Helper()
				gives(t, x, env, "verify", join(kind, vec(public), vec(message), vec(signature)), 0, []byte{want})
			}
			check(signature, 1)
			_, signed := run(t, x, env, "sign", join(kind, vec(secret), vec(message)))
			own := signed[len(signed)-len(signature):]
			if v.Scheme == "sr25519" {
				check(own, 1) // the nonce is random
			} else if !bytes.Equal(own, signature) {
				t.Errorf("%s: signed %x, want %x", v.Scheme, own, signature)
			}
			for _, i := range []int{0, 31, 32, 63, len(signature) - 1} {
				bad := bytes.Clone(signature)
				bad[i] ^= 1
				check(bad, 0)
			}
			gives(t, x, env, "verify", join(kind, vec(public), vec(append(message, 1)), vec(signature)), 0, []byte{0})
			gives(t, x, env, "verify", join(kind, vec(bytes.Repeat([]byte{0xff}, len(public))), vec(message), vec(signature)), 0, []byte{0})
		})
	}
}

func TestVerify(t *testing.T) {
	x, _ := worker(t)
	modes(t, func(t *testing.T, env *environment) {
		gives(t, x, env, "verify", args("verify"), 0, []byte{0})
		for kind, s := range schemes {
			public, signature := make([]byte, s.public), make([]byte, s.signature)
			for _, n := range []int{0, s.public - 1, s.public + 1} {
				traps(t, x, env, "verify", join([]byte{byte(kind)}, vec(make([]byte, n)), vec(nil), vec(signature)), "invalid public key")
			}
			for _, n := range []int{0, s.signature - 1, s.signature + 1} {
				traps(t, x, env, "verify", join([]byte{byte(kind)}, vec(public), vec(nil), vec(make([]byte, n))), "invalid signature")
			}
		}
	})
}

// TestEd25519IsZIP215: Substrate accepts keys of small order, where the standard library, which checks without the
// cofactor, accepts some messages and not others.
func TestEd25519IsZIP215(t *testing.T) {
	x, _ := worker(t)
	public := unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
	signature := append([]byte{1}, make([]byte, 63)...)
	for i := range byte(16) {
		gives(t, x, command(), "verify", join([]byte{0}, vec(public), vec([]byte{i}), vec(signature)), 0, []byte{1})
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	x, _ := worker(t)
	order := unhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	seven := func(n int) []byte { return bytes.Repeat([]byte{7}, n) }
	for _, v := range []struct {
		name   string
		secret []byte
		bad    [3]bool // by scheme
	}{
		{"32 bytes", seven(32), [3]bool{false, false, false}},
		{"none", nil, [3]bool{true, true, true}},
		{"31 bytes", seven(31), [3]bool{true, true, true}},
		{"33 bytes", seven(33), [3]bool{true, true, true}},
		{"64 bytes", seven(64), [3]bool{true, false, true}},
		{"65 bytes", seven(65), [3]bool{true, true, true}},
		{"zeros", make([]byte, 32), [3]bool{false, true, true}},
		{"64 zeros", make([]byte, 64), [3]bool{true, true, true}},
		{"order of secp256k1", order, [3]bool{false, false, true}},
		{"scalar not canonical", bytes.Repeat([]byte{0xff}, 64), [3]bool{true, true, true}},
	} {
		for kind, bad := range v.bad {
			modes(t, func(t *testing.T, env *environment) {
				get, sign := join([]byte{byte(kind)}, vec(v.secret)), join([]byte{byte(kind)}, vec(v.secret), vec([]byte("m")))
				if bad {
					traps(t, x, env, "get_public_key", get, "invalid key")
					traps(t, x, env, "sign", sign, "invalid key")
					return
				}
				run(t, x, env, "get_public_key", get)
				run(t, x, env, "sign", sign)
			})
		}
	}
}

func TestPrehashed(t *testing.T) {
	x, _ := worker(t)
	for _, v := range vectors.Prehashed {
		secret, hash, public, signature, high := unhex(v.Secret), unhex(v.Hash), unhex(v.Public), unhex(v.Signature), unhex(v.HighS)
		modes(t, func(t *testing.T, env *environment) {
			gives(t, x, env, "ecdsa_sign_prehashed", join(vec(secret), hash), 0, signature)
			gives(t, x, env, "ecdsa_verify_prehashed", join(signature, hash, public), 0, []byte{1})
			gives(t, x, env, "ecdsa_verify_prehashed", join(high, hash, public), 0, []byte{1}) // as sp-core
			for _, i := range []int{0, 32, 64} {
				bad := bytes.Clone(signature)
				bad[i] ^= 1
				gives(t, x, env, "ecdsa_verify_prehashed", join(bad, hash, public), 0, []byte{0})
			}
			// The last is what the byte that the library wants overflows from.
			for _, v := range []byte{4, 27, 28, 31, 224, 225, 255, signature[64] - 4} {
				bad := bytes.Clone(signature)
				bad[64] = v
				gives(t, x, env, "ecdsa_verify_prehashed", join(bad, hash, public), 0, []byte{0})
			}
		})
	}
	modes(t, func(t *testing.T, env *environment) {
		traps(t, x, env, "ecdsa_sign_prehashed", join(vec(make([]byte, 32)), make([]byte, 32)), "invalid key")
		gives(t, x, env, "ecdsa_verify_prehashed", args("ecdsa_verify_prehashed"), 0, []byte{0})
		gives(t, x, env, "ecdsa_verify_prehashed", make([]byte, 130), 0, []byte{0})
	})
}

// TestSr25519SignaturesOfOneCommandDiffer: a nonce is never used twice, not even for the same message.
func TestSr25519SignaturesOfOneCommandDiffer(t *testing.T) {
	x, _ := worker(t)
	env, again := command(), command()
	_, a := run(t, x, env, "sign", args("sign/1"))
	_, b := run(t, x, env, "sign", args("sign/1"))
	_, c := run(t, x, again, "sign", args("sign/1"))
	if bytes.Equal(a, b) || !bytes.Equal(a, c) {
		t.Errorf("%x, %x, and on another worker %x", a, b, c)
	}
}

// TestDeriveSr25519Key freezes the derivation: contracts hold funds under these keys.
func TestDeriveSr25519Key(t *testing.T) {
	x, _ := worker(t)
	for _, v := range []struct{ salt, key string }{
		{"", "90acd0b8665ea847a7189bd288a36056de23358cb91da472c214221dbc123f0dcffcbe5c22da8255260704cd6eab06ac4fcd2c0cbd72e8df8913c8f07d2bb2d5"},
		{"salt", "aa446b5b71d6438756aaea5d31233005a33be8501956ec0aeec20b2dd584990a9b95cd661fa14c2d1319e592712d39dcc2c293da15fcc980e82b22cfb451b6ec"},
		{"a spoon of salt", "ee977374ca297a2522897c270f93a128dd7797487cc3eb7292c7b106fa41f108a9dce0ad1331bee82141953bc3634abfebe81cf6b42670858c1bf3eadba30321"},
	} {
		modes(t, func(t *testing.T, env *environment) {
			gives(t, x, env, "derive_sr25519_key", vec([]byte(v.salt)), 0, vec(unhex(v.key)))
		})
	}
	other := query()
	other.secret[0] ^= 1
	_, a := run(t, x, query(), "derive_sr25519_key", vec(nil))
	_, b := run(t, x, other, "derive_sr25519_key", vec(nil))
	if bytes.Equal(a, b) {
		t.Error("two contracts have one key")
	}
}

// TestDerivedKeysWork does what contracts do: a key of 64 bytes for sr25519, its first half as a seed of the others.
func TestDerivedKeysWork(t *testing.T) {
	x, _ := worker(t)
	_, out := run(t, x, query(), "derive_sr25519_key", args("derive_sr25519_key"))
	key := out[2:]
	for kind, secret := range [][]byte{key[:32], key, key[:32]} {
		k := []byte{byte(kind)}
		_, public := run(t, x, query(), "get_public_key", join(k, vec(secret)))
		_, signature := run(t, x, query(), "sign", join(k, vec(secret), vec([]byte("m"))))
		gives(t, x, command(), "verify", join(k, public, vec([]byte("m")), signature), 0, []byte{1})
	}
}

// TestExpandedKeys: schnorrkel writes the expansion of a mini-secret as we do, and both forms are one key.
func TestExpandedKeys(t *testing.T) {
	x, _ := worker(t)
	mini, expanded := unhex(vectors.Expanded.Mini), unhex(vectors.Expanded.Expanded)
	key, err := sr25519Key(mini)
	if err != nil || !bytes.Equal(key.ExposeExpandedSecret(), expanded) {
		t.Errorf("expanded: %v", err)
	}
	_, a := run(t, x, query(), "get_public_key", join([]byte{1}, vec(mini)))
	_, b := run(t, x, query(), "get_public_key", join([]byte{1}, vec(expanded)))
	if !bytes.Equal(a, b) {
		t.Errorf("%x and %x", a, b)
	}
}

func BenchmarkSchemes(b *testing.B) {
	secret, message := bytes.Repeat([]byte{7}, 32), make([]byte, 4096)
	for kind, s := range schemes {
		public, err := s.publicOf(secret)
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{0, len(message)} {
			signature, err := s.sign(secret, message[:n], randomness{query()})
			if err != nil {
				b.Fatal(err)
			}
			name := schemeNames[kind] + map[int]string{0: "/short", len(message): "/4096"}[n]
			b.Run(name+"/sign", func(b *testing.B) {
				for b.Loop() {
					s.sign(secret, message[:n], randomness{query()})
				}
			})
			b.Run(name+"/verify", func(b *testing.B) {
				for b.Loop() {
					s.verify(public, message[:n], signature)
				}
			})
		}
	}
	b.Run("derive", func(b *testing.B) {
		for b.Loop() {
			deriveKey(secret, message[:32])
		}
	})
}
