package tpm_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sealing"
	"github.com/phalanx-network/phalanx/tee/sealing/sealingtest"
	"github.com/phalanx-network/phalanx/tee/tpm"
	"github.com/phalanx-network/phalanx/tee/tpm/tpmtest"
)

var aad = []byte("bound to this")

// pcr is the register that tests extend: 16 is for debugging and can be reset.
const pcr = 16

func open(t testing.TB, m *tpmtest.Machine, pcrs ...uint) *sealing.Sealer {
	t.Helper()
	k, err := tpm.Open(context.Background(), tpm.Options{Dial: m.Dial, PCRs: pcrs})
	if err != nil {
		t.Fatal(err)
	}
	return sealing.New(k, tpm.Label, rand.Reader)
}

func seal(t testing.TB, s tee.Sealer) []byte {
	t.Helper()
	b, err := s.Seal(context.Background(), []byte("secret"), aad)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unseals(t testing.TB, s tee.Sealer, sealed []byte) {
	t.Helper()
	back, err := s.Unseal(context.Background(), sealed, aad)
	if err != nil || string(back) != "secret" {
		t.Fatalf("%q, %v", back, err)
	}
}

func refuses(t testing.TB, s tee.Sealer, sealed []byte, want error) {
	t.Helper()
	if back, err := s.Unseal(context.Background(), sealed, aad); !errors.Is(err, want) || back != nil {
		t.Fatalf("%q, %v; want %v", back, err, want)
	}
}

// on runs commands of the test's own.
func on(t testing.TB, m *tpmtest.Machine, f func(transport.TPM)) {
	t.Helper()
	d, err := m.Dial()
	if err != nil {
		t.Fatal(err)
	}
	f(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// done runs one command that must succeed.
func done[R any](t testing.TB, f func(transport.TPM, ...tpm2.Session) (R, error), d transport.TPM) R {
	t.Helper()
	r, err := f(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func null(h tpm2.TPMHandle) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: h, Auth: tpm2.PasswordAuth(nil)}
}

func extend(t testing.TB, m *tpmtest.Machine, n uint) {
	t.Helper()
	digest := sha256.Sum256([]byte("event"))
	on(t, m, func(d transport.TPM) {
		done(t, tpm2.PCRExtend{PCRHandle: null(tpm2.TPMHandle(n)), Digests: tpm2.TPMLDigestValues{
			Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: digest[:]}},
		}}.Execute, d)
	})
}

// leftovers returns the loaded objects and sessions.
func leftovers(t testing.TB, m *tpmtest.Machine) (n int) {
	t.Helper()
	on(t, m, func(d transport.TPM) {
		for _, kind := range []tpm2.TPMHandle{0x80000000, 0x02000000, 0x03000000} {
			r := done(t, tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(kind), PropertyCount: 64}.Execute, d)
			handles, err := r.CapabilityData.Data.Handles()
			if err != nil {
				t.Fatal(err)
			}
			n += len(handles.Handle)
		}
	})
	return n
}

// persist makes the storage root key persistent, which also makes tests faster.
func persist(t testing.TB, m *tpmtest.Machine, template tpm2.TPMTPublic) {
	t.Helper()
	on(t, m, func(d transport.TPM) {
		r := done(t, tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}.Execute, d)
		done(t, tpm2.EvictControl{Auth: null(tpm2.TPMRHOwner), PersistentHandle: 0x81000001,
			ObjectHandle: tpm2.NamedHandle{Handle: r.ObjectHandle, Name: r.Name}}.Execute, d)
		done(t, tpm2.FlushContext{FlushHandle: r.ObjectHandle}.Execute, d)
	})
}

// The whole suite of sealers, with every bit of a sealed value changed.
func TestSealer(t *testing.T) {
	here, other := tpmtest.Start(t), tpmtest.Start(t)
	persist(t, here, tpm2.ECCSRKTemplate)
	changed := tpmtest.Start(t)
	extend(t, changed, 4)
	sealingtest.Run(t, func() tee.Sealer { return open(t, here) },
		sealingtest.Elsewhere{Name: "another machine", Sealer: open(t, other), Want: tee.ErrOtherMachine},
		sealingtest.Elsewhere{Name: "another machine and boot", Sealer: open(t, changed), Want: tee.ErrOtherMachine},
		sealingtest.Elsewhere{Name: "other registers", Sealer: open(t, here, 0, 7), Want: tee.ErrOtherMeasurement},
	)
	if n := leftovers(t, here); n != 0 {
		t.Errorf("%d objects and sessions are left in the TPM", n)
	}
}

// What is sealed outlives a restart and opens only in the same state of each register that it is bound to.
func TestBoots(t *testing.T) {
	m := tpmtest.Start(t)
	sealed := seal(t, open(t, m))
	m.Restart()
	unseals(t, open(t, m), sealed)
	extend(t, m, 1) // not among the defaults
	unseals(t, open(t, m), sealed)
	for _, n := range tpm.DefaultPCRs() {
		extend(t, m, n)
		refuses(t, open(t, m), sealed, tee.ErrOtherMeasurement)
		m.Restart()
	}
	unseals(t, open(t, m), sealed)
	if n := leftovers(t, m); n != 0 {
		t.Errorf("%d objects and sessions are left in the TPM", n)
	}
}

// More registers than the TPM reads at once.
func TestManyRegisters(t *testing.T) {
	m := tpmtest.Start(t)
	all := make([]uint, 24)
	for i := range all {
		all[i] = uint(i)
	}
	s := open(t, m, all...)
	sealed := seal(t, s)
	unseals(t, s, sealed)
	extend(t, m, 23)
	refuses(t, s, sealed, tee.ErrOtherMeasurement)
}

// A program of another boot knows the registers of this one and makes an object that opens in it, with a data key of its
// own. Without the TPM's word that it was made here, it is not taken.
func TestPlanted(t *testing.T) {
	m := tpmtest.Start(t)
	good := open(t, m, pcr)
	genuine := seal(t, good)
	unseals(t, good, genuine)
	extend(t, m, pcr) // the other boot
	planted := seal(t, plant(t, m, genuine))
	refuses(t, good, planted, tee.ErrOtherMeasurement)
	on(t, m, func(d transport.TPM) { done(t, tpm2.PCRReset{PCRHandle: null(pcr)}.Execute, d) })
	unseals(t, good, genuine)
	refuses(t, good, planted, tee.ErrSealDamaged)
}

// The persistent root key is used if it has the standard form; another key in its place is not.
func TestPersistentRoot(t *testing.T) {
	m := tpmtest.Start(t)
	sealed := seal(t, open(t, m))
	persist(t, m, tpm2.ECCSRKTemplate)
	unseals(t, open(t, m), sealed) // the same key
	other := tpmtest.Start(t)
	persist(t, other, tpm2.RSASRKTemplate)
	s := open(t, other)
	sealed = seal(t, s)
	other.Restart()
	unseals(t, s, sealed)
	if n := leftovers(t, m) + leftovers(t, other); n != 0 {
		t.Errorf("%d objects and sessions are left in the TPMs", n)
	}
}

// A TPM that was cleared is another machine.
func TestCleared(t *testing.T) {
	m := tpmtest.Start(t)
	sealed := seal(t, open(t, m))
	on(t, m, func(d transport.TPM) { done(t, tpm2.Clear{AuthHandle: null(tpm2.TPMRHLockout)}.Execute, d) })
	refuses(t, open(t, m), sealed, tee.ErrOtherMachine)
}

// Wrong passwords for something else lock the TPM; what is sealed opens all the same.
func TestLockout(t *testing.T) {
	m := tpmtest.Start(t)
	s := open(t, m)
	sealed := seal(t, s)
	on(t, m, func(d transport.TPM) {
		template := tpm2.ECCSRKTemplate
		template.ObjectAttributes.NoDA = false
		r := done(t, tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("password")}}}}.Execute, d)
		for i := 0; ; i++ {
			_, err := tpm2.Create{
				ParentHandle: tpm2.AuthHandle{Handle: r.ObjectHandle, Name: r.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))},
				InPublic:     tpm2.New2B(tpm2.ECCSRKTemplate),
			}.Execute(d)
			if errors.Is(err, tpm2.TPMRCLockout) {
				break
			}
			if i == 100 {
				t.Fatalf("no lockout: %v", err)
			}
		}
		done(t, tpm2.FlushContext{FlushHandle: r.ObjectHandle}.Execute, d)
	})
	unseals(t, s, sealed)
	unseals(t, s, seal(t, s))
}

func TestConcurrent(t *testing.T) {
	m := tpmtest.Start(t)
	one, two := open(t, m), open(t, m)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			a, b := one, two
			if i%2 == 0 {
				a, b = two, one
			}
			sealed, err := a.Seal(context.Background(), []byte("secret"), aad)
			if err != nil {
				t.Error(err)
				return
			}
			if back, err := b.Unseal(context.Background(), sealed, aad); err != nil || string(back) != "secret" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := leftovers(t, m); n != 0 {
		t.Errorf("%d objects and sessions are left in the TPM", n)
	}
}

// spy records what passes between program and TPM.
type spy struct {
	transport.TPMCloser
	seen *bytes.Buffer
}

func (s spy) Send(command []byte) ([]byte, error) {
	s.seen.Write(command)
	response, err := s.TPMCloser.Send(command)
	s.seen.Write(response)
	return response, err
}

// Who listens on the bus does not see the data key.
func TestBus(t *testing.T) {
	m := tpmtest.Start(t)
	var seen bytes.Buffer
	k, err := tpm.Open(context.Background(), tpm.Options{Dial: func() (transport.TPMCloser, error) {
		d, err := m.Dial()
		return spy{d, &seen}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	key := bytes.Repeat([]byte("key!"), 8)
	wrapped, err := k.Wrap(context.Background(), key, aad)
	if err != nil {
		t.Fatal(err)
	}
	back, err := k.Unwrap(context.Background(), wrapped, aad)
	if err != nil || !bytes.Equal(back, key) {
		t.Fatal(err)
	}
	if seen.Len() < 1000 || bytes.Contains(seen.Bytes(), key[:8]) || bytes.Contains(wrapped, key[:8]) {
		t.Fatalf("%d bytes passed, the key among them", seen.Len())
	}
}

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{filepath.Join(t.TempDir(), "tpmrm0"): "give the machine a TPM", file: "no device"} {
		if err := tpm.Probe(context.Background(), tpm.Options{Path: path}); !errors.Is(err, tpm.ErrUnavailable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, pcrs := range [][]uint{{}, {24}} {
		if _, err := tpm.Open(context.Background(), tpm.Options{Path: file, PCRs: pcrs}); err == nil || errors.Is(err, tpm.ErrUnavailable) {
			t.Errorf("PCRs %v: %v", pcrs, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tpm.Probe(ctx, tpm.Options{Path: file}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func BenchmarkSeal(b *testing.B) {
	s := open(b, tpmtest.Start(b))
	for b.Loop() {
		seal(b, s)
	}
}

func BenchmarkUnseal(b *testing.B) {
	s := open(b, tpmtest.Start(b))
	sealed := seal(b, s)
	for b.Loop() {
		unseals(b, s, sealed)
	}
}
