package sealing_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sealing/sealingtest"
)

// platform derives keys as a machine would: from its secret and the program.
func platform(machine, program string) *sealing.Derived {
	return &sealing.Derived{
		Measurement: []byte(program), Parameters: []byte("v1"), Rand: rand.Reader,
		Machine: func(_ context.Context, p []byte) ([16]byte, error) {
			name := sum("name", machine, string(p))
			return [16]byte(name[:]), nil
		},
		Derive: func(_ context.Context, p []byte) ([32]byte, error) {
			return sum("key", machine, program, string(p)), nil
		},
	}
}

func sum(parts ...string) [32]byte { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }

func TestDerived(t *testing.T) {
	open := func(machine, program string) tee.Sealer {
		return sealing.New(platform(machine, program), "test", rand.Reader)
	}
	sealingtest.Run(t, func() tee.Sealer { return open("one", "good") },
		sealingtest.Elsewhere{Name: "another machine", Sealer: open("two", "good"), Want: tee.ErrOtherMachine},
		sealingtest.Elsewhere{Name: "another program", Sealer: open("one", "bad"), Want: tee.ErrOtherMeasurement},
		sealingtest.Elsewhere{Name: "another platform", Sealer: sealing.New(platform("one", "good"), "other", rand.Reader), Want: tee.ErrOtherMachine},
	)
}

func TestMemory(t *testing.T) {
	memory := func() sealing.KeySource {
		source, err := sealing.Memory(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	source := memory()
	sealingtest.Run(t, func() tee.Sealer { return sealing.New(source, "memory", rand.Reader) },
		sealingtest.Elsewhere{Name: "another process", Sealer: sealing.New(memory(), "memory", rand.Reader), Want: tee.ErrOtherMachine})
}

// golden is the format of version 1; it never changes. Keys, salts and the plaintext are of counting bytes.
const golden = "0104746573746800" + // version, label, length of the wrapped key
	"04676f6f64027631" + // measurement, parameters
	"77599f0434d658c93a8f45b1357b1388" + // machine
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" + // salt
	"c13c324239de11adbb0537e79fd28d620f820a3c3acb2d972590c4a1de79128c058fe99e90181a923ca7c12bc77d2df5" + // data key
	"7ed0d4b7db58e6c57c771edc4a82c1f90964ec7d1162f733f9" // data

// counting is a reader of 0, 1, 2, …
type counting byte

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(*c)
		*c++
	}
	return len(b), nil
}

func TestGolden(t *testing.T) {
	p := platform("one", "good")
	p.Rand = new(counting)
	b, err := sealing.New(p, "test", new(counting)).Seal(context.Background(), []byte("plaintext"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("sealed:\n%s, want\n%s", got, golden)
	}
	raw, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	back, err := sealing.New(platform("one", "good"), "test", rand.Reader).Unseal(context.Background(), raw, []byte("aad"))
	if err != nil || string(back) != "plaintext" {
		t.Fatal(err)
	}
}

// An attacker with two files cannot put the key of one before the data of the other, nor move either to another label or
// another use.
func TestSpliced(t *testing.T) {
	s := sealing.New(platform("one", "good"), "test", rand.Reader)
	seal := func(s *sealing.Sealer, aad string) []byte {
		b, err := s.Seal(context.Background(), []byte("secret"), []byte(aad))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, two := seal(s, "a"), seal(s, "a")
	cut := 8 + int(binary.LittleEndian.Uint16(one[6:]))
	other := seal(sealing.New(platform("one", "good"), "tset", rand.Reader), "a")
	copy(other[2:6], "test")
	for name, b := range map[string][]byte{
		"another file's data": slices.Concat(one[:cut], two[cut:]), "another label": other, "another use": seal(s, "b"),
	} {
		if plaintext, err := s.Unseal(context.Background(), b, []byte("a")); !errors.Is(err, tee.ErrSealDamaged) || plaintext != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A platform that fails, and one that gives too much or too little, yield errors and no sealed data.
func TestSource(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		source source
		want   error
	}{
		"fails":             {source{err: broken}, broken},
		"wraps too much":    {source{wrapped: make([]byte, sealing.MaxWrapped+1)}, nil},
		"wraps as much":     {source{wrapped: make([]byte, sealing.MaxWrapped), key: make([]byte, 31)}, tee.ErrSealDamaged},
		"another data key":  {source{key: make([]byte, 32)}, tee.ErrSealDamaged},
		"a longer data key": {source{key: make([]byte, 33)}, tee.ErrSealDamaged},
	} {
		s := sealing.New(tt.source, "test", rand.Reader)
		b, err := s.Seal(context.Background(), []byte("secret"), nil)
		if err == nil {
			_, err = s.Unseal(context.Background(), b, nil)
		}
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := sealing.New(platform("one", "good"), "test", iotest.ErrReader(broken))
	if _, err := s.Seal(context.Background(), nil, nil); !errors.Is(err, broken) {
		t.Errorf("no randomness: %v", err)
	}
	if _, err := sealing.Memory(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("no randomness: %v", err)
	}
}

type source struct {
	wrapped, key []byte
	err          error
}

func (s source) Wrap(context.Context, []byte, []byte) ([]byte, error)   { return s.wrapped, s.err }
func (s source) Unwrap(context.Context, []byte, []byte) ([]byte, error) { return s.key, s.err }

func TestLabels(t *testing.T) {
	for label, fine := range map[string]bool{
		"a": true, "sev-snp": true, "tpm2": true, strings.Repeat("a", 32): true,
		"": false, "A": false, "a b": false, "a\x00": false, "ä": false, strings.Repeat("a", 33): false,
	} {
		func() {
			defer func() {
				if (recover() == nil) != fine {
					t.Errorf("label %q", label)
				}
			}()
			sealing.New(nil, label, nil)
		}()
	}
}

// No formatting shows the key of memory.
func TestPrintsNoSecret(t *testing.T) {
	source, err := sealing.Memory(new(counting))
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32) // the bytes that counting gave after the name
	for i := range key {
		key[i] = byte(16 + i)
	}
	s := sealing.New(source, "memory", new(counting))
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		for _, x := range []any{source, s, *s} {
			out := fmt.Sprintf(verb, x)
			if strings.Contains(out, hex.EncodeToString(key[:8])) || bytes.Contains([]byte(out), key[:8]) ||
				strings.Contains(out, strings.Trim(fmt.Sprint(key[:8]), "[]")) {
				t.Fatalf("%s: %s", verb, out)
			}
		}
	}
}

// Mutations of several bytes, by a fixed seed, never open and never give an error that is none of the three.
func TestMutations(t *testing.T) {
	s := sealing.New(platform("one", "good"), "test", rand.Reader)
	b, err := s.Seal(context.Background(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for range 20_000 {
		changed := slices.Clone(b)
		for range 1 + r.IntN(4) {
			switch i := r.IntN(len(changed)); r.IntN(3) {
			case 0:
				changed[i] = byte(r.Uint32())
			case 1:
				changed = slices.Delete(changed, i, i+1)
			case 2:
				changed = slices.Insert(changed, i, byte(r.Uint32()))
			}
		}
		if !bytes.Equal(changed, b) {
			refused(t, s, changed)
		}
	}
}

func refused(t *testing.T, s *sealing.Sealer, b []byte) {
	t.Helper()
	plaintext, err := s.Unseal(context.Background(), b, nil)
	if plaintext != nil || !errors.Is(err, tee.ErrSealDamaged) && !errors.Is(err, tee.ErrOtherMachine) && !errors.Is(err, tee.ErrOtherMeasurement) {
		t.Fatalf("%x: %v", b, err)
	}
}

func FuzzUnseal(f *testing.F) {
	s := sealing.New(platform("one", "good"), "test", rand.Reader)
	b, err := s.Seal(context.Background(), []byte("secret"), []byte("other use"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:40])
	f.Add([]byte{})
	f.Add([]byte{1, 4, 't', 'e', 's', 't', 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) { refused(t, s, b) })
}

// Benchmark seals and unseals 4 KiB, without a device's part.
func Benchmark(b *testing.B) {
	s := sealing.New(platform("one", "good"), "test", rand.Reader)
	plaintext := make([]byte, 4<<10)
	sealed, err := s.Seal(context.Background(), plaintext, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Seal(context.Background(), plaintext, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unseal", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Unseal(context.Background(), sealed, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
