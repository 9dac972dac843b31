package p384

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"math/big"
	"math/rand/v2"
	"testing"
)

// private is a key and its secret number.
type private struct {
	*ecdsa.PrivateKey
	d *big.Int
}

func parse(t testing.TB, raw []byte) private {
	t.Helper()
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return private{k, new(big.Int).SetBytes(raw)}
}

// fast is what the curve of circl says alone.
func fast(k private, digest [48]byte, r, s *big.Int) bool {
	point, err := k.PublicKey.Bytes()
	return err == nil && confirmed(point, digest, r, s)
}

// keys are made of a fixed seed.
func keys(t testing.TB, n int) []private {
	t.Helper()
	rng := rand.NewChaCha8([32]byte{3})
	var out []private
	for range n {
		var raw [48]byte
		_, _ = rng.Read(raw[:])
		raw[0] &= 0x7f
		out = append(out, parse(t, raw[:]))
	}
	return out
}

// sign is textbook ECDSA with a nonce that is given.
func sign(t testing.TB, k private, digest [48]byte, nonce *big.Int) (r, s *big.Int) {
	t.Helper()
	point, err := parse(t, nonce.FillBytes(make([]byte, 48))).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	r = new(big.Int).SetBytes(point[1:49])
	r.Mod(r, order)
	s = new(big.Int).Mul(r, k.d)
	s.Add(s, new(big.Int).SetBytes(digest[:]))
	s.Mul(s, new(big.Int).ModInverse(nonce, order))
	return r, s.Mod(s, order)
}

// TestAgainstStandardLibrary gives both the same signatures, valid and not; the fast way must confirm each valid one itself.
func TestAgainstStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i, k := range keys(t, 40) {
		digest := sha512.Sum384([]byte{byte(i)})
		nonce := new(big.Int).SetUint64(rng.Uint64() | 1)
		nonce.Lsh(nonce, uint(rng.IntN(300)))
		r, s := sign(t, k, digest, nonce)
		if !ecdsa.Verify(&k.PublicKey, digest[:], r, s) {
			t.Fatal("the test signs wrongly")
		}
		negated := new(big.Int).Sub(order, s)
		for _, s := range []*big.Int{s, negated} {
			if !fast(k, digest, r, s) || !Verify(&k.PublicKey, digest, r, s) {
				t.Fatalf("key %d: a valid signature is not confirmed", i)
			}
		}
		bad := digest
		bad[rng.IntN(48)] ^= 1 << rng.IntN(8)
		one := big.NewInt(1)
		for name, ok := range map[string]bool{
			"digest": Verify(&k.PublicKey, bad, r, s),
			"r":      Verify(&k.PublicKey, digest, new(big.Int).Add(r, one), s),
			"s":      Verify(&k.PublicKey, digest, r, new(big.Int).Add(s, one)),
			"r + n":  Verify(&k.PublicKey, digest, new(big.Int).Add(r, order), s),
			"s + n":  Verify(&k.PublicKey, digest, r, new(big.Int).Add(s, order)),
			"r = 0":  Verify(&k.PublicKey, digest, new(big.Int), s),
			"s = 0":  Verify(&k.PublicKey, digest, r, new(big.Int)),
			"r < 0":  Verify(&k.PublicKey, digest, new(big.Int).Neg(r), s),
		} {
			if ok {
				t.Errorf("key %d: accepted with another %s", i, name)
			}
		}
	}
}

// TestDegenerate makes the sums in which addition formulas have exceptions: Q is G, −G or 2·G, and the multiples meet.
func TestDegenerate(t *testing.T) {
	for _, d := range []*big.Int{big.NewInt(1), new(big.Int).Sub(order, big.NewInt(1)), big.NewInt(2), new(big.Int).Sub(order, big.NewInt(2))} {
		k := parse(t, d.FillBytes(make([]byte, 48)))
		for _, e := range []int64{0, 1, 2, 3} {
			var digest [48]byte
			big.NewInt(e).FillBytes(digest[:])
			for n := int64(1); n < 6; n++ {
				r, s := sign(t, k, digest, big.NewInt(n))
				if s.Sign() == 0 {
					continue
				}
				if want := ecdsa.Verify(&k.PublicKey, digest[:], r, s); !want || Verify(&k.PublicKey, digest, r, s) != want {
					t.Errorf("d %v, e %d, nonce %d: standard library says %v", d, e, n, want)
				}
			}
			// u1·G + u2·Q is the point at infinity: e + r·d = 0.
			if inverse := new(big.Int).ModInverse(d, order); e != 0 {
				r := new(big.Int).Mul(big.NewInt(-e), inverse)
				r.Mod(r, order)
				if Verify(&k.PublicKey, digest, r, big.NewInt(5)) || fast(k, digest, r, big.NewInt(5)) {
					t.Error("infinity has an x coordinate")
				}
			}
		}
	}
}

func TestAnotherCurve(t *testing.T) {
	k := keys(t, 1)[0]
	digest := sha512.Sum384(nil)
	r, s := sign(t, k, digest, big.NewInt(77))
	other, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 5))
	if err != nil {
		t.Fatal(err)
	}
	if Verify(&other.PublicKey, digest, r, s) {
		t.Error("accepted under a key on another curve")
	}
}

// FuzzVerifyASN1 shows both any signature of one key.
func FuzzVerifyASN1(f *testing.F) {
	k := keys(f, 1)[0]
	digest := sha512.Sum384([]byte("fuzz"))
	valid, err := ecdsa.SignASN1(nil, k.PrivateKey, digest[:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid, digest[:])
	f.Add(append(append([]byte{}, valid...), 0), digest[:])
	f.Add([]byte{0x30, 6, 2, 1, 0, 2, 1, 0}, make([]byte, 48))
	f.Fuzz(func(t *testing.T, signature, raw []byte) {
		var d [48]byte
		copy(d[:], raw)
		if got, want := VerifyASN1(&k.PublicKey, d, signature), ecdsa.VerifyASN1(&k.PublicKey, d[:], signature); got != want {
			t.Fatalf("%x: %v, the standard library says %v", signature, got, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := keys(b, 1)[0]
	digest := sha512.Sum384([]byte("bench"))
	r, s := sign(b, k, digest, big.NewInt(1<<40))
	b.Run("fast", func(b *testing.B) {
		for b.Loop() {
			if !fast(k, digest, r, s) {
				b.Fatal()
			}
		}
	})
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.Verify(&k.PublicKey, digest[:], r, s) {
				b.Fatal()
			}
		}
	})
}
