package tdx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-configfs-tsm/configfs/configfsi"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/dcap/tdx"
	"github.com/phalanx-network/phalanx/tee/dcap/tdx/tdxtest"
)

var data = tee.ReportData("tdx-test", [32]byte{1}, []byte("body"))

func open(t *testing.T, tsm *tdxtest.TSM) *tdx.Attester {
	t.Helper()
	a, err := tdx.Open(context.Background(), tdx.Options{TSM: tsm})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What the attester makes, the chain's verifier believes, once the relay has added collateral.
func TestAttest(t *testing.T) {
	for _, version := range []int{4, 5} {
		tsm := tdxtest.New(version)
		a := open(t, tsm)
		ev, err := a.Attest(context.Background(), data)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind != tee.KindTDX || a.Kind() != ev.Kind || len(ev.Collateral) != 0 {
			t.Fatalf("%s with collateral of %d bytes", ev.Kind, len(ev.Collateral))
		}
		if trimmed, err := dcap.Trim(ev.Data); err != nil || len(trimmed) != len(ev.Data) {
			t.Fatalf("%d bytes, %d without padding: %v", len(ev.Data), len(trimmed), err)
		}
		collateral, roots, err := tsm.Collateral()
		if err != nil {
			t.Fatal(err)
		}
		ev.Collateral = collateral
		claims, err := dcap.Verifier{Of: tee.KindTDX}.Verify(ev, roots, tsm.World.Now)
		if err != nil {
			t.Fatal(err)
		}
		if claims.ReportData != data {
			t.Fatalf("version %d: %+v", version, claims)
		}
		if n := tsm.Entries(); n != 0 {
			t.Fatalf("%d entries are left", n)
		}
	}
}

// Quotes come through the host: another one, an old one or none at all is an error, and no entry is left.
func TestWrongQuote(t *testing.T) {
	build := func(kind tee.Kind, version int, bound [64]byte) []byte {
		w := dcaptest.New(kind, version)
		w.TD.ReportData, w.Enclave.ReportData = bound, bound
		ev, err := w.Build()
		if err != nil {
			t.Fatal(err)
		}
		return ev.Quote
	}
	other := data
	other[63] ^= 1
	for name, given := range map[string][]byte{
		"other report data": build(tee.KindTDX, 4, other),
		"SGX":               build(tee.KindSGX, 3, data),
		"empty":             {},
		"zeros":             make([]byte, 8<<10),
		"cut":               build(tee.KindTDX, 4, data)[:1000],
		"garbage behind":    append(build(tee.KindTDX, 4, data), 0, 1),
		"too large":         append(build(tee.KindTDX, 4, data), make([]byte, tee.MaxData)...),
	} {
		tsm := tdxtest.New(4)
		tsm.Quote = func([]byte) ([]byte, error) { return given, nil }
		ev, err := open(t, tsm).Attest(context.Background(), data)
		if !errors.Is(err, tdx.ErrReply) || ev.Data != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := tsm.Entries(); n != 0 {
			t.Errorf("%s: %d entries are left", name, n)
		}
	}
}

// What is spoilt by another writer, or busy, is asked for again; what stays so is an error.
func TestAgain(t *testing.T) {
	for name, spoil := range map[string]func(c configfsi.Client, file string) error{
		"written to": func(c configfsi.Client, file string) error {
			return c.WriteFile(path.Join(path.Dir(file), "inblob"), make([]byte, 64))
		},
		"busy":        func(configfsi.Client, string) error { return syscall.EBUSY },
		"would block": func(configfsi.Client, string) error { return syscall.EWOULDBLOCK },
	} {
		for _, times := range []int{1, 3, 4} {
			tsm, n := tdxtest.New(4), 0
			tsm.Before = func(c configfsi.Client, file string) error {
				if path.Base(file) != "outblob" || n == times {
					return nil
				}
				n++
				return spoil(c, file)
			}
			ev, err := open(t, tsm).Attest(context.Background(), data)
			if good := times < 4; good != (err == nil) || good != (ev.Data != nil) {
				t.Errorf("%s %d times: %v", name, times, err)
			}
			if n := tsm.Entries(); n != 0 {
				t.Errorf("%s %d times: %d entries are left", name, times, n)
			}
		}
	}
}

// Errors of the kernel say what to do.
func TestNoQuote(t *testing.T) {
	for errno, says := range map[syscall.Errno]string{
		syscall.EIO: "qgsd", syscall.ETIMEDOUT: "qgsd", syscall.EFBIG: "update the kernel", syscall.EINVAL: "outblob",
	} {
		tsm := tdxtest.New(4)
		tsm.Quote = func([]byte) ([]byte, error) { return nil, nil }
		tsm.Before = func(_ configfsi.Client, file string) error {
			if path.Base(file) == "outblob" {
				return &fs.PathError{Op: "read", Path: file, Err: errno}
			}
			return nil
		}
		_, err := open(t, tsm).Attest(context.Background(), data)
		if !errors.Is(err, errno) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}

// nothing is configfs-tsm in which no entry can be made.
type nothing struct {
	configfsi.Client
	err error
}

func (n nothing) MkdirTemp(dir, _ string) (string, error) {
	return "", &fs.PathError{Op: "mkdir", Path: dir, Err: n.err}
}

func TestUnavailable(t *testing.T) {
	snp := tdxtest.New(4)
	snp.Provider = "sev_guest"
	for name, tt := range map[string]struct {
		tsm  configfsi.Client
		says string
	}{
		"no configfs-tsm": {nothing{err: fs.ErrNotExist}, "Linux 6.7"},
		"no driver":       {nothing{err: syscall.ENXIO}, "modprobe tdx-guest"},
		"no permission":   {nothing{err: fs.ErrPermission}, "run as root"},
		"SEV-SNP":         {snp, `"sev_guest"`},
	} {
		if err := tdx.Probe(context.Background(), tdx.Options{TSM: tt.tsm}); !errors.Is(err, tdx.ErrUnavailable) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := snp.Entries(); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// A driver that changes behind the attester's back is noticed.
func TestOtherProviderLater(t *testing.T) {
	tsm := tdxtest.New(4)
	a := open(t, tsm)
	tsm.Provider = "sev_guest"
	if _, err := a.Attest(context.Background(), data); !errors.Is(err, tdx.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestCancelled(t *testing.T) {
	a := open(t, tdxtest.New(4))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Attest(ctx, data); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := tdx.Probe(ctx, tdx.Options{TSM: tdxtest.New(4)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Concurrent requests each get their own quote.
func TestConcurrent(t *testing.T) {
	a := open(t, tdxtest.New(4))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			bound := tee.ReportData("tdx-test", [32]byte{}, fmt.Append(nil, i))
			ev, err := a.Attest(context.Background(), bound)
			if err != nil {
				t.Error(err)
				return
			}
			if _, got, err := dcap.Bound(ev.Data); err != nil || !bytes.Equal(got[:], bound[:]) {
				t.Errorf("%d: other report data, %v", i, err)
			}
		})
	}
	wg.Wait()
}
