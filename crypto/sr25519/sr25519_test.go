package sr25519

import (
	"bytes"
	"crypto/rand"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"testing"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
	"pgregory.net/rapid"

	"github.com/phalanx-network/phalanx/crypto/internal/secrettest"
	"github.com/phalanx-network/phalanx/crypto/scale"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fromHex(t testing.TB, mini string) *PrivateKey {
	t.Helper()
	k, err := FromMiniSecret(unhex(t, mini))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const aliceMini = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"

// TestSubstrateKeys holds Substrate's published pairs: sp-core's test vector, polkadot-js's test seed, and the
// development accounts as `subkey inspect` prints them.
func TestSubstrateKeys(t *testing.T) {
	for _, v := range []struct{ name, mini, public string }{
		{"sp-core", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"44a996beb1eef7bdcab976ab6d2ca26104834164ecf28fb375600576fcc6eb0f"},
		{"polkadot-js", hex.EncodeToString([]byte("12345678901234567890123456789012")),
			"741c08a06f41c596608f6774259bd9043304adfa5d3eea62760bd9be97634d63"},
		{"//Alice", aliceMini,
			"d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"},
		{"//Bob", "398f0c28f98885e046333d4a41c19cee4c37368a9832c6502f6cfd182e2aef89",
			"8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48"},
	} {
		t.Run(v.name, func(t *testing.T) {
			k := fromHex(t, v.mini)
			if got := k.Public().String(); got != "0x"+v.public {
				t.Errorf("got %s, want 0x%s", got, v.public)
			}
			sig, err := k.Sign(rand.Reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(k.Public(), nil, sig); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSubstrateSignatures holds published signatures in the context "substrate", of wasm-crypto and go-schnorrkel.
func TestSubstrateSignatures(t *testing.T) {
	for _, v := range []struct{ public, msg, sig string }{
		{"d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
			"I hereby verify that I control 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
			"1037eb7e51613d0dcf5930ae518819c87d655056605764840d9280984e1b7063c4566b55bf292fcab07b369d01095879b50517beca4d26e6a65866e25fec0d83"},
		{"f84d048da2ddae2d9d8fd6763f469566e8817a26114f39408de15547f6d47805",
			"<Bytes>message to sign</Bytes>",
			"48ce2c90e08651adfc8ecef84e916f6d1bb51ebebd16150ee12df247841a5437951ea0f9d632ca165e6ab391532e75e701be6a1caa88c8a6bcca3511f55b4183"},
		{"46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a",
			"this is a message",
			"4e172314444b8f820bb54c22e95076f220ed25373e5c178234aa6c211d29271244b947e3ff3418ff6b45fd1df1140c8cbff69fc58ee6dc96df70936a2bb74b82"},
	} {
		pk, err := ParsePublicKey(unhex(t, v.public))
		if err != nil {
			t.Fatal(err)
		}
		sig := Signature(unhex(t, v.sig))
		if err := Verify(pk, []byte(v.msg), sig); err != nil {
			t.Errorf("%q: %v", v.msg, err)
		}
		if err := Verify(pk, []byte(v.msg+"."), sig); !errors.Is(err, ErrSignature) {
			t.Errorf("another message: %v", err)
		}
	}
}

// TestSignFixedEntropy holds the bytes that @scure/sr25519 gives for the same key, message and entropy.
func TestSignFixedEntropy(t *testing.T) {
	k := fromHex(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	entropy := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	sig, err := k.Sign(bytes.NewReader(entropy), []byte("curves signs on ristretto255"))
	if err != nil {
		t.Fatal(err)
	}
	want := "0x30659dac94680407f781dd189dd7c2366b2a300c1753b6ab50dde85a702c9976" +
		"dbc1b39a008bd8608b8fdd7e20d34cb04a69a6047f2f887c6ac75ec4e191fd8c"
	if sig.String() != want {
		t.Errorf("got %s", sig)
	}
}

// TestAgainstLibrary holds key expansion and signing equal to the curve library's, byte for byte.
func TestAgainstLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mini := rapid.SliceOfN(rapid.Byte(), 32, 32).Filter(func(b []byte) bool { return !bytes.Equal(b, make([]byte, 32)) }).Draw(t, "mini")
		msg := rapid.SliceOf(rapid.Byte()).Draw(t, "msg")
		entropy := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "entropy")
		k, err := FromMiniSecret(mini)
		if err != nil {
			t.Fatal(err)
		}
		m, err := voi.NewMiniSecretKeyFromBytes(mini)
		if err != nil {
			t.Fatal(err)
		}
		pair := m.ExpandEd25519().KeyPair()
		want, err := pair.Sign(bytes.NewReader(entropy), context.NewTranscriptBytes(msg))
		if err != nil {
			t.Fatal(err)
		}
		wantBytes, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Sign(bytes.NewReader(entropy), msg)
		if err != nil || !bytes.Equal(got[:], wantBytes) {
			t.Fatalf("got %x, %v, want %x", got, err, wantBytes)
		}
		if err := Verify(k.Public(), msg, got); err != nil {
			t.Fatal(err)
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	k := fromHex(t, aliceMini)
	msg := []byte("phalanx")
	sig, err := k.Sign(rand.Reader, msg)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * SignatureSize {
		s := sig
		s[bit/8] ^= 1 << (bit % 8)
		if err := Verify(k.Public(), msg, s); !errors.Is(err, ErrSignature) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
	}
	other, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	malleable, carry := sig, 0
	malleable[63] &= 127
	for i := range 32 { // s + the group order: the same scalar, another encoding
		carry += int(malleable[32+i]) + int(order[i])
		malleable[32+i] = byte(carry)
		carry >>= 8
	}
	malleable[63] |= 128
	for name, c := range map[string]struct {
		pk  PublicKey
		msg []byte
		sig Signature
	}{
		"another key":     {other.Public(), msg, sig},
		"the zero key":    {PublicKey{}, msg, sig},
		"another message": {k.Public(), []byte("phalany"), sig},
		"zero signature":  {k.Public(), msg, Signature{}},
		"s + order":       {k.Public(), msg, malleable},
	} {
		if err := Verify(c.pk, c.msg, c.sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVerifyIdentityForgery plays the attack that the checks of a key are for: under the identity as public key, which
// the library accepts, R = s·G verifies for every message.
func TestVerifyIdentityForgery(t *testing.T) {
	var identity [32]byte
	lib, err := voi.NewPublicKeyFromBytes(identity[:])
	if err != nil {
		t.Fatalf("the library refuses the identity by now, and this test can go: %v", err)
	}
	// s = 1 and R = G.
	var sig Signature
	copy(sig[:], unhex(t, "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
	sig[32], sig[63] = 1, 128
	s, err := voi.NewSignatureFromBytes(sig[:])
	if err != nil {
		t.Fatal(err)
	}
	if !lib.Verify(context.NewTranscriptBytes([]byte("any")), s) {
		t.Fatal("the attack does not work, so this test shows nothing")
	}
	if err := Verify(PublicKey{}, []byte("any"), sig); !errors.Is(err, ErrSignature) {
		t.Errorf("forged: %v", err)
	}
	if err := VerifyBatch(rand.Reader, []Signed{{PublicKey{}, []byte("any"), sig}}); !errors.Is(err, ErrSignature) {
		t.Errorf("forged in a batch: %v", err)
	}
}

func TestIdentityRefusedAtEveryDoor(t *testing.T) {
	zero := make([]byte, 32)
	var k PublicKey
	_, parse := ParsePublicKey(zero)
	_, encode := scale.Marshal(&k)
	_, text := k.MarshalText()
	for name, err := range map[string]error{
		"ParsePublicKey": parse,
		"Scale decode":   scale.Unmarshal(zero, &k),
		"Scale encode":   encode,
		"MarshalText":    text,
		"UnmarshalText":  k.UnmarshalText([]byte("0x" + hex.EncodeToString(zero))),
		"json":           json.Unmarshal([]byte(`"0x`+hex.EncodeToString(zero)+`"`), &k),
	} {
		if !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMiniSecretRefused(t *testing.T) {
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := FromMiniSecret(bytes.Repeat([]byte{1}, n)); !errors.Is(err, ErrMiniSecret) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := FromMiniSecret(make([]byte, 32)); !errors.Is(err, ErrMiniSecret) {
		t.Errorf("zeros: %v", err)
	}
}

func TestRandomnessIsRequired(t *testing.T) {
	k := fromHex(t, aliceMini)
	for name, r := range map[string]io.Reader{"none": nil, "short": bytes.NewReader(make([]byte, 31))} {
		if _, err := Generate(r); !errors.Is(err, ErrRandom) {
			t.Errorf("Generate, %s: %v", name, err)
		}
		if _, err := k.Sign(r, nil); !errors.Is(err, ErrRandom) {
			t.Errorf("Sign, %s: %v", name, err)
		}
		if name == "short" {
			r = bytes.NewReader(make([]byte, 31))
		}
		if err := VerifyBatch(r, make([]Signed, 1)); !errors.Is(err, ErrRandom) {
			t.Errorf("VerifyBatch, %s: %v", name, err)
		}
	}
}

func TestPrivateKeyIsOpaque(t *testing.T) {
	k := fromHex(t, aliceMini)
	secrettest.Check(t, k, k.ExposeMiniSecret())
}

func TestZero(t *testing.T) {
	k := fromHex(t, aliceMini)
	public := k.Public()
	k.Zero()
	if k.ExposeMiniSecret() != nil {
		t.Error("the mini-secret outlives Zero")
	}
	if _, err := k.Sign(rand.Reader, nil); !errors.Is(err, ErrErased) {
		t.Errorf("Sign: %v", err)
	}
	if k.Public() != public {
		t.Error("the public key is gone")
	}
}

// TestZeroWhileSigning ends with the race detector's verdict: no signature is made with a key half erased.
func TestZeroWhileSigning(t *testing.T) {
	k := fromHex(t, aliceMini)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				sig, err := k.Sign(rand.Reader, []byte("m"))
				if errors.Is(err, ErrErased) {
					return
				}
				if err != nil || Verify(k.Public(), []byte("m"), sig) != nil {
					t.Errorf("a bad signature, %v", err)
					return
				}
			}
		})
	}
	k.Zero()
	wg.Wait()
}

func TestVerifyBatch(t *testing.T) {
	batch := make([]Signed, 9)
	for i := range batch {
		k, err := Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		msg := []byte{byte(i)}
		sig, err := k.Sign(rand.Reader, msg)
		if err != nil {
			t.Fatal(err)
		}
		batch[i] = Signed{k.Public(), msg, sig}
	}
	if err := VerifyBatch(rand.Reader, batch); err != nil {
		t.Error(err)
	}
	if err := VerifyBatch(rand.Reader, nil); err != nil {
		t.Errorf("empty: %v", err)
	}
	batch[2].Message = []byte("another")
	batch[5].Signature[63] &= 127
	batch[7].Key = PublicKey{}
	err := VerifyBatch(rand.Reader, batch)
	var bad *BatchError
	if !errors.As(err, &bad) || !errors.Is(err, ErrSignature) {
		t.Fatal(err)
	}
	if got := bad.Invalid; len(got) != 3 || got[0] != 2 || got[1] != 5 || got[2] != 7 {
		t.Errorf("invalid: %v", got)
	}
}

func TestPublicKeyText(t *testing.T) {
	k := fromHex(t, aliceMini).Public()
	var _ encoding.TextUnmarshaler = &k
	b, err := json.Marshal(map[PublicKey]PublicKey{k: k})
	if err != nil {
		t.Fatal(err)
	}
	var got map[PublicKey]PublicKey
	if err := json.Unmarshal(b, &got); err != nil || got[k] != k {
		t.Errorf("%s: %v", b, err)
	}
}

func FuzzPublicKey(f *testing.F) {
	k := fromHex(f, aliceMini).Public()
	f.Add(k.Bytes())
	f.Add(make([]byte, 32))
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Add(k.Bytes()[:31])
	f.Fuzz(func(t *testing.T, b []byte) {
		var k PublicKey
		if err := scale.Unmarshal(b, &k); err != nil {
			if !k.IsZero() && !errors.Is(err, scale.ErrTrailing) {
				t.Fatal("a refused key was left")
			}
			return
		}
		if again := scale.MustMarshal(&k); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
		parsed, err := ParsePublicKey(b)
		if err != nil || parsed != k || k.IsZero() {
			t.Fatalf("ParsePublicKey gives %v, %v", parsed, err)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	k := fromHex(b, aliceMini)
	msg := make([]byte, 256)
	for b.Loop() {
		if _, err := k.Sign(rand.Reader, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	k := fromHex(b, aliceMini)
	msg := make([]byte, 256)
	sig, err := k.Sign(rand.Reader, msg)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Verify(k.Public(), msg, sig); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyBatch64(b *testing.B) {
	k := fromHex(b, aliceMini)
	batch := make([]Signed, 64)
	for i := range batch {
		msg := []byte{byte(i)}
		sig, err := k.Sign(rand.Reader, msg)
		if err != nil {
			b.Fatal(err)
		}
		batch[i] = Signed{k.Public(), msg, sig}
	}
	for b.Loop() {
		if err := VerifyBatch(rand.Reader, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// TestExpandedSecrets holds schnorrkel's form of an expanded secret, as its SecretKey::to_bytes writes it for the
// mini-secret 0x07…07.
func TestExpandedSecrets(t *testing.T) {
	const expanded = "a535c7bfff6f541c20d5d8c4bd3ed35ca3a5800b091545d1c98f69493907050f" +
		"9c7d6db3506d65dbac7c052aaee4857425210c9bc54030c826e54055983452a5"
	mini := fromHex(t, "0707070707070707070707070707070707070707070707070707070707070707")
	if got := hex.EncodeToString(mini.ExposeExpandedSecret()); got != expanded {
		t.Errorf("expanded: %s", got)
	}
	input := unhex(t, expanded)
	k, err := FromExpandedSecret(input)
	if err != nil {
		t.Fatal(err)
	}
	clear(input) // the caller's to erase
	if k.Public() != mini.Public() || k.ExposeMiniSecret() != nil || hex.EncodeToString(k.ExposeExpandedSecret()) != expanded {
		t.Error("not the same key")
	}
	sig, err := k.Sign(rand.Reader, []byte("m"))
	if err != nil || Verify(mini.Public(), []byte("m"), sig) != nil {
		t.Errorf("its signature: %v", err)
	}
	k.Zero()
	if _, err := k.Sign(rand.Reader, nil); !errors.Is(err, ErrErased) || k.ExposeExpandedSecret() != nil {
		t.Errorf("after Zero: %v", err)
	}
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	for name, b := range map[string][]byte{
		"none": nil, "a mini-secret": make([]byte, 32), "65 bytes": make([]byte, 65), "zeros": make([]byte, 64),
		"scalar zero": append(make([]byte, 32), bytes.Repeat([]byte{1}, 32)...), "the order": append(order, make([]byte, 32)...),
	} {
		if _, err := FromExpandedSecret(b); !errors.Is(err, ErrExpandedSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
