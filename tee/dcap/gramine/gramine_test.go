package gramine_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
	"github.com/phalanx-network/phalanx/tee/dcap/dcaptest"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine/graminetest"
)

var data = tee.ReportData("gramine-test", [32]byte{1}, []byte("body"))

// What the enclave attests, the chain's verifier believes, once the relay has added collateral.
func TestAttest(t *testing.T) {
	f := graminetest.New()
	e, err := gramine.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := e.Attest(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	if len(ev.Collateral) != 0 || ev.Kind != tee.KindSGX || e.Kind() != ev.Kind || ev.Data[len(ev.Data)-1] != 0 {
		// The PCK chain ends in a zero; what is behind it is gone.
		t.Fatalf("evidence: %v, collateral of %d bytes", ev.Kind, len(ev.Collateral))
	}
	if trimmed, err := dcap.Trim(ev.Data); err != nil || len(trimmed) != len(ev.Data) {
		t.Fatalf("%d bytes, %d without padding: %v", len(ev.Data), len(trimmed), err)
	}
	collateral, roots, err := f.Collateral()
	if err != nil {
		t.Fatal(err)
	}
	ev.Collateral = collateral
	claims, err := dcap.Verifier{Of: tee.KindSGX}.Verify(ev, roots, f.World.Now)
	if err != nil {
		t.Fatal(err)
	}
	if claims.ReportData != data || !bytes.Equal(claims.Measurement, f.World.Enclave.MRENCLAVE[:]) {
		t.Fatalf("%+v", claims)
	}
}

// The quote comes through the host: one of another enclave, an old one or none at all is an error.
func TestAttestWrongQuote(t *testing.T) {
	other := dcaptest.New(tee.KindSGX, 3)
	other.Enclave.MRENCLAVE[0] ^= 1
	other.Enclave.ReportData = data
	debug := dcaptest.New(tee.KindSGX, 3)
	debug.Enclave.Attributes[0] |= 2
	debug.Enclave.ReportData = data
	stale := dcaptest.New(tee.KindSGX, 3)
	tdx := dcaptest.New(tee.KindTDX, 4)
	tdx.TD.ReportData = data
	quote := func(w *dcaptest.World) []byte {
		ev, err := w.Build()
		if err != nil {
			t.Fatal(err)
		}
		return ev.Quote
	}
	for name, given := range map[string][]byte{
		"another enclave":   quote(other),
		"a debug enclave":   quote(debug),
		"other report data": quote(stale),
		"TDX":               quote(tdx),
		"empty":             {},
		"cut":               quote(stale)[:1000],
		"garbage behind":    append(quote(stale), 1),
		"huge":              make([]byte, tee.MaxData+1),
	} {
		f := graminetest.New()
		e, err := gramine.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Spoil = func(name string, b []byte) []byte {
			if name == "quote" {
				return given
			}
			return b
		}
		if ev, err := e.Attest(context.Background(), data); !errors.Is(err, gramine.ErrReply) || ev.Data != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is missing is said, with what to do about it.
func TestOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*graminetest.Enclave)
		want   error
		says   string
	}{
		"no Gramine":     {func(e *graminetest.Enclave) { e.Missing = map[string]bool{"attestation_type": true} }, gramine.ErrUnavailable, "gramine-sgx"},
		"no attestation": {func(e *graminetest.Enclave) { e.Type = "none" }, gramine.ErrUnavailable, `sgx.remote_attestation = "dcap"`},
		"EPID":           {func(e *graminetest.Enclave) { e.Type = "epid" }, gramine.ErrUnavailable, "epid"},
		"long type":      {func(e *graminetest.Enclave) { e.Type = strings.Repeat("dcap", 100) }, gramine.ErrUnavailable, "bytes"},
		"no report":      {func(e *graminetest.Enclave) { e.Missing = map[string]bool{"report": true} }, fs.ErrNotExist, "report"},
		"short report":   {spoil("report", func(b []byte) []byte { return b[:431] }), gramine.ErrReply, "431"},
		"stale report":   {spoil("report", func(b []byte) []byte { b[320] = 1; return b }), gramine.ErrReply, "other report data"},
	} {
		f := graminetest.New()
		tt.change(f)
		if _, err := gramine.Open(f); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func spoil(file string, change func([]byte) []byte) func(*graminetest.Enclave) {
	return func(e *graminetest.Enclave) {
		e.Spoil = func(name string, b []byte) []byte {
			if name == file {
				return change(b)
			}
			return b
		}
	}
}

// Gramine has one report data for the process; concurrent callers must each get their own.
func TestConcurrent(t *testing.T) {
	f := graminetest.New()
	e, err := gramine.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			mine := tee.ReportData("gramine-test", [32]byte{byte(i)}, nil)
			for range 3 {
				if _, err := e.Attest(context.Background(), mine); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestCancelled(t *testing.T) {
	e, err := gramine.Open(graminetest.New())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Attest(ctx, data); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// The files of a directory are read within bounds and never created.
func TestDir(t *testing.T) {
	root := t.TempDir()
	d := gramine.Dir(root)
	if err := gramine.Probe(d); !errors.Is(err, gramine.ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "attestation_type"), []byte("dcap"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := gramine.Probe(d); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Read("attestation_type", 4); err != nil || string(b) != "dcap" {
		t.Fatal(b, err)
	}
	if _, err := d.Read("attestation_type", 3); !errors.Is(err, gramine.ErrReply) {
		t.Fatal(err)
	}
	if err := d.Write("user_report_data", []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "user_report_data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Write("user_report_data", data[:]); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Read("user_report_data", 64); err != nil || !bytes.Equal(b, data[:]) {
		t.Fatal(err)
	}
}
