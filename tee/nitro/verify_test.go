package nitro_test

import (
	"bytes"
	"crypto/x509"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee/nitro"
	nt "github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/reason"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now   = start.Add(time.Hour)
	bound = bytes.Repeat([]byte{7}, 64)
)

// must unwraps what cannot fail in a test's set-up.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func under(a *nt.Authority) nitro.Options {
	return nitro.Options{Now: now, Roots: [][]byte{a.Root()}}
}

func refusedFor(t *testing.T, name string, err error, want reason.Word) {
	t.Helper()
	if reason.Of(err) != want {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func TestVerify(t *testing.T) {
	a := must(nt.New(start))
	r, err := nitro.Verify(must(a.Document(now, bound, false)), under(a))
	if err != nil {
		t.Fatal(err)
	}
	if r.ModuleID != "i-0test-enc0" || !r.Timestamp.Equal(now) || r.Digest != "SHA384" || !bytes.Equal(r.UserData, bound) ||
		r.Nonce != nil || r.PublicKey != nil || len(r.PCRs) != 16 || r.PCRs[15][0] != 0xcf || r.Measurement()[47] != 0xc0 || r.Debug() {
		t.Errorf("%+v", r)
	}
	if r, err = nitro.Verify(must(a.Document(now, nil, true)), under(a)); err != nil || !r.Debug() {
		t.Errorf("debug: %+v, %v", r, err)
	}
	definite := append(nt.Head(5, 9), nt.Payload(a.Fields(now, bound, false))[1:]...)
	definite = definite[:len(definite)-1]
	if _, err := nitro.Verify(must(a.Sign(nt.ES384, definite)), under(a)); err != nil {
		t.Errorf("a map with its length: %v", err)
	}
}

// TestSignedButRefused shows payloads that the enclave's key really signed.
func TestSignedButRefused(t *testing.T) {
	a := must(nt.New(start))
	set := func(name string, value []byte) []byte {
		fields := a.Fields(now, bound, false)
		fields[slices.IndexFunc(fields, func(f nt.Field) bool { return f.Name == name })].Value = value
		return nt.Payload(fields)
	}
	without := func(name string) []byte {
		return nt.Payload(slices.DeleteFunc(a.Fields(now, bound, false), func(f nt.Field) bool { return f.Name == name }))
	}
	with := func(name string, value []byte) []byte {
		return nt.Payload(append(a.Fields(now, bound, false), nt.Field{Name: name, Value: value}))
	}
	good := nt.Payload(a.Fields(now, bound, false))
	pcr := func(n uint64, size int) []byte { return append(nt.Head(0, n), nt.Bytes(make([]byte, size))...) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	nested := append(bytes.Repeat([]byte{0x81}, 4000), 0xf6)
	tests := []struct {
		name    string
		payload []byte
		want    reason.Word
	}{
		{"empty", nil, reason.Format},
		{"no map", nt.Text("x"), reason.Format},
		{"cut", good[:len(good)-1], reason.Format},
		{"trailing", append(slices.Clone(good), 0), reason.Trailing},
		{"key twice", with("nonce", nt.Null()), reason.Format},
		{"unknown key", with("debug", nt.Null()), reason.Format},
		{"key that is no text", join([]byte{0xbf}, nt.Bytes([]byte("nonce")), nt.Null(), []byte{0xff}), reason.Format},
		{"key that is not UTF-8", with("\xff", nt.Null()), reason.Format},
		{"no module", without("module_id"), reason.Format},
		{"empty module", set("module_id", nt.Text("")), reason.Format},
		{"no digest", without("digest"), reason.Format},
		{"SHA-256", set("digest", nt.Text("SHA256")), reason.Algorithm},
		{"no time", without("timestamp"), reason.Format},
		{"time 0", set("timestamp", nt.Head(0, 0)), reason.Format},
		{"time out of range", set("timestamp", nt.Head(0, 1<<63)), reason.Format},
		{"negative time", set("timestamp", []byte{0x20}), reason.Format},
		{"no registers", without("pcrs"), reason.Format},
		{"no PCR0", set("pcrs", join(nt.Head(5, 1), pcr(1, 48))), reason.Format},
		{"PCR0 twice", set("pcrs", join(nt.Head(5, 2), pcr(0, 48), pcr(0, 48))), reason.Format},
		{"PCR32", set("pcrs", join(nt.Head(5, 2), pcr(0, 48), pcr(32, 48))), reason.Format},
		{"short PCR", set("pcrs", join(nt.Head(5, 1), pcr(0, 32))), reason.Format},
		{"long PCR", set("pcrs", join(nt.Head(5, 1), pcr(0, 64))), reason.Format},
		{"33 registers", set("pcrs", nt.Head(5, 33)), reason.Format},
		{"registers without a length", set("pcrs", join([]byte{0xbf}, pcr(0, 48), []byte{0xff})), reason.Format},
		{"user data without a length", set("user_data", join([]byte{0x5f}, nt.Bytes(bound), []byte{0xff})), reason.Format},
		{"user data in a long form", set("user_data", join([]byte{0x59, 0, 64}, bound)), reason.Format},
		{"user data of 1 KiB and a byte", set("user_data", nt.Bytes(make([]byte, nitro.MaxBound+1))), reason.Format},
		{"user data of 4 GiB", set("user_data", []byte{0x5a, 0xff, 0xff, 0xff, 0xff}), reason.Format},
		{"user data of 2^64-1", set("user_data", bytes.Repeat([]byte{0xff}, 9)), reason.Format},
		{"tagged", set("nonce", []byte{0xc0, 0xf6}), reason.Format},
		{"nested", set("nonce", nested), reason.Format},
		{"undefined", set("nonce", []byte{0xf7}), reason.Format},
		{"no certificate", set("certificate", nt.Bytes(nil)), reason.Format},
		{"no bundle", set("cabundle", nt.Head(4, 0)), reason.Chain},
		{"bundle of nine", set("cabundle", nt.Head(4, 9)), reason.Format},
		{"bundle that starts elsewhere", set("cabundle", join(nt.Head(4, 1), nt.Bytes([]byte("x")))), reason.Chain},
		{"root alone", set("cabundle", join(nt.Head(4, 1), nt.Bytes(a.Root()))), reason.Chain},
		{"root as the enclave", set("certificate", nt.Bytes(a.Root())), reason.Chain},
		{"garbage in the bundle", set("cabundle", join(nt.Head(4, 2), nt.Bytes(a.Root()), nt.Bytes([]byte("x")))), reason.Format},
	}
	for _, tt := range tests {
		_, err := nitro.Verify(must(a.Sign(nt.ES384, tt.payload)), under(a))
		refusedFor(t, tt.name, err, tt.want)
	}
	for name, header := range map[string][]byte{"ES256": {0xa1, 1, 0x26}, "none": {0xa0}, "empty": {}, "long form": {0xa1, 0x18, 1, 0x38, 0x22}} {
		_, err := nitro.Verify(must(a.Sign(header, good)), under(a))
		refusedFor(t, "header "+name, err, reason.Algorithm)
	}
}

// TestFrame changes what lies around the payload: one document has one encoding.
func TestFrame(t *testing.T) {
	a := must(nt.New(start))
	good := must(a.Document(now, bound, false))
	payload := nt.Payload(a.Fields(now, bound, false))
	head := []byte{0x84, 0x44, 0xa1, 0x01, 0x38, 0x22}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	signature := good[len(good)-98:]
	tests := []struct {
		name     string
		document []byte
		want     reason.Word
	}{
		{"put together again", join(head, []byte{0xa0}, nt.Bytes(payload), signature), ""},
		{"nothing", nil, reason.Format},
		{"tag 18", append([]byte{0xd2}, good...), reason.Format},
		{"array without a length", join([]byte{0x9f}, good[1:], []byte{0xff}), reason.Format},
		{"array in a long form", join([]byte{0x98, 4}, good[1:]), reason.Format},
		{"three parts", join([]byte{0x83}, good[1:]), reason.Format},
		{"five parts", join([]byte{0x85}, good[1:], nt.Null()), reason.Format},
		{"unprotected header", join(head, []byte{0xa1, 1, 0x38, 0x22}, nt.Bytes(payload), signature), reason.Format},
		{"payload in a long form", join(head, []byte{0xa0, 0x5a, 0, 0, byte(len(payload) >> 8), byte(len(payload))}, payload, signature), reason.Format},
		{"payload apart", join(head, []byte{0xa0}, nt.Null(), signature), reason.Format},
		{"short signature", join(head, []byte{0xa0}, nt.Bytes(payload), nt.Bytes(signature[3:])), reason.Format},
		{"trailing zero", append(slices.Clone(good), 0), reason.Trailing},
		{"huge", append(slices.Clone(good), make([]byte, nitro.MaxDocument)...), reason.Format},
	}
	for _, tt := range tests {
		_, err := nitro.Verify(tt.document, under(a))
		refusedFor(t, tt.name, err, tt.want)
	}
}

func TestPath(t *testing.T) {
	a, b := must(nt.New(start)), must(nt.New(start))
	good := must(a.Document(now, bound, false))
	foreign := must(b.Sign(nt.ES384, nt.Payload(a.Fields(now, bound, false))))
	tests := []struct {
		name     string
		document []byte
		options  nitro.Options
		want     reason.Word
	}{
		{"AWS's root", good, nitro.Options{Now: now}, reason.Chain},
		{"another root of the name", good, under(b), reason.Chain},
		{"no roots", good, nitro.Options{Now: now, Roots: [][]byte{}}, reason.Chain},
		{"second of two roots", good, nitro.Options{Now: now, Roots: [][]byte{b.Root(), a.Root()}}, ""},
		{"before", good, nitro.Options{Now: start.Add(-time.Second), Roots: under(a).Roots}, reason.Expired},
		{"after three hours", good, nitro.Options{Now: start.Add(3*time.Hour + time.Second), Roots: under(a).Roots}, reason.Expired},
		{"time not given", good, nitro.Options{Roots: under(a).Roots}, reason.Expired},
		{"signed by another enclave", foreign, under(a), reason.Signature},
	}
	for _, tt := range tests {
		_, err := nitro.Verify(tt.document, tt.options)
		refusedFor(t, tt.name, err, tt.want)
	}
}

// TestFlippedBytes flips a bit of every third byte of documents, and of each at both ends. Nothing may pass.
func TestFlippedBytes(t *testing.T) {
	a := must(nt.New(start))
	for name, s := range samples(t, a) {
		words := map[reason.Word]int{}
		for i := range s.document {
			if i > 20 && i < len(s.document)-100 && i%3 != 0 {
				continue
			}
			bad := slices.Clone(s.document)
			bad[i] ^= 1 << (i % 8)
			_, err := nitro.Verify(bad, s.options)
			if reason.Of(err) == "" {
				t.Fatalf("%s: byte %d: %v", name, i, err)
			}
			words[reason.Of(err)]++
		}
		for _, w := range []reason.Word{reason.Format, reason.Algorithm, reason.Chain, reason.Signature} {
			if words[w] == 0 {
				t.Errorf("%s: no change was refused for %q: %v", name, w, words)
			}
		}
	}
}

func TestRandomMutations(t *testing.T) {
	a := must(nt.New(start))
	good := must(a.Document(now, bound, false))
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		bad := slices.Clone(good)
		for range 1 + rng.IntN(4) {
			at, n := rng.IntN(len(bad)), rng.IntN(20)
			switch rng.IntN(3) {
			case 0:
				bad[at] = byte(rng.Uint32())
			case 1:
				bad = slices.Delete(bad, at, min(at+n, len(bad)))
			case 2:
				bad = slices.Insert(bad, at, slices.Clone(good[:n])...)
			}
			if len(bad) == 0 {
				break
			}
		}
		if _, err := nitro.Verify(bad, under(a)); reason.Of(err) == "" && !bytes.Equal(bad, good) {
			t.Fatalf("%x: %v", bad, err)
		}
	}
}

type sample struct {
	document []byte
	options  nitro.Options
}

// samples returns a made document and, where it is there, the real one beside the repository.
func samples(t testing.TB, a *nt.Authority) map[string]sample {
	t.Helper()
	all := map[string]sample{"made": {must(a.Document(now, bound, false)), under(a)}}
	real, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "attestation", "nitro", "document.cbor"))
	if err != nil {
		t.Logf("the real sample is absent: %v", err)
		return all
	}
	all["real"] = sample{real, nitro.Options{Now: time.UnixMilli(1766678659346)}}
	return all
}

func TestSample(t *testing.T) {
	s, ok := samples(t, must(nt.New(start)))["real"]
	if !ok {
		t.Skip("no shared/attestation/nitro beside the repository")
	}
	r, err := nitro.Verify(s.document, s.options)
	if err != nil || r.Debug() || len(r.PCRs) != 16 || len(r.UserData) != 64 || !r.Timestamp.Equal(s.options.Now) {
		t.Fatalf("%+v, %v", r, err)
	}
	late := s.options
	late.Now = late.Now.Add(4 * time.Hour)
	_, err = nitro.Verify(s.document, late)
	refusedFor(t, "four hours later", err, reason.Expired)
}

func TestEmbeddedRoot(t *testing.T) {
	root := must(x509.ParseCertificate(nitro.Roots()[0]))
	if err := root.CheckSignatureFrom(root); err != nil || root.Subject.CommonName != "aws.nitro-enclaves" {
		t.Errorf("%s: %v", root.Subject, err)
	}
	nitro.Roots()[0][0] ^= 1
	if nitro.Roots()[0][0] != 0x30 {
		t.Error("a caller may change the embedded root")
	}
}

// BenchmarkVerify measures the whole, and the bare checks: the same signatures on certificates that are parsed
// beforehand. The real document has one authority more than the made one, as all of AWS's have.
func BenchmarkVerify(b *testing.B) {
	a := must(nt.New(start))
	for name, s := range samples(b, a) {
		b.Run(name+"/whole", func(b *testing.B) {
			for b.Loop() {
				must(nitro.Verify(s.document, s.options))
			}
		})
		check := must(nt.Bare(s.document))
		b.Run(name+"/bare", func(b *testing.B) {
			for b.Loop() {
				if err := check(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
