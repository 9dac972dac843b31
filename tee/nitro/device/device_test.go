package device_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/nitro"
	"github.com/phalanx-network/phalanx/tee/nitro/device"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
)

var (
	now  = time.Unix(1_800_000_000, 0)
	data = tee.ReportData("device-test", [32]byte{1}, []byte("body"))
)

func module(t *testing.T) *nitrotest.Module {
	t.Helper()
	a, err := nitrotest.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return &nitrotest.Module{Authority: a, Now: now.Add(time.Minute)}
}

// What the attester makes, the chain's verifier believes.
func TestAttest(t *testing.T) {
	m := module(t)
	a := device.NewAttester(m)
	ev, err := a.Attest(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	roots := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindNitro, Keys: [][]byte{m.Authority.Root()}}}}
	claims, err := nitro.Verifier{}.Verify(ev, roots, m.Now)
	if err != nil {
		t.Fatal(err)
	}
	if claims.ReportData != data || claims.Debug || a.Kind() != tee.KindNitro || len(ev.Collateral) != 0 {
		t.Fatalf("%+v", claims)
	}
	if !bytes.Equal(claims.Measurement, bytes.Repeat([]byte{0xc0}, 48)) {
		t.Errorf("measurement %x", claims.Measurement)
	}
}

// A module that answers with something else is an error, never evidence.
func TestReplies(t *testing.T) {
	m := module(t)
	other, err := m.Authority.Document(m.Now, make([]byte, len(data)), false)
	if err != nil {
		t.Fatal(err)
	}
	short, err := m.Authority.Document(m.Now, data[:32], false)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		answer func([]byte) ([]byte, error)
		want   error
	}{
		"other report data": {func([]byte) ([]byte, error) { return nitrotest.Response(other), nil }, device.ErrReply},
		"part of it":        {func([]byte) ([]byte, error) { return nitrotest.Response(short), nil }, device.ErrReply},
		"no document":       {func([]byte) ([]byte, error) { return nitrotest.Response([]byte("x")), nil }, device.ErrReply},
		"nothing":           {func([]byte) ([]byte, error) { return nil, nil }, device.ErrReply},
		"cut":               {func(b []byte) ([]byte, error) { return b[:len(b)-1], nil }, device.ErrReply},
		"trailing":          {func(b []byte) ([]byte, error) { return append(b, 0), nil }, device.ErrReply},
		"too long":          {func([]byte) ([]byte, error) { return make([]byte, device.MaxResponse+1), nil }, device.ErrReply},
		"broken":            {func([]byte) ([]byte, error) { return nil, broken }, broken},
	} {
		m.Answer = tt.answer
		ev, err := device.NewAttester(m).Attest(context.Background(), data)
		if !errors.Is(err, tt.want) || ev.Data != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.Answer = func([]byte) ([]byte, error) { return nitrotest.Refusal("InternalError"), nil }
	var refused *nitro.ModuleError
	if _, err := device.NewAttester(m).Attest(context.Background(), data); !errors.As(err, &refused) || errors.Is(err, device.ErrReply) {
		t.Errorf("refusal: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := device.NewAttester(module(t)).Attest(ctx, data); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := (device.NSM{Path: "/nonexistent"}).Exchange(ctx, []byte{1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Without the device the error says what to do; a file in its place is none.
func TestUnavailable(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nsm")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{missing: "modprobe nsm", file: "no device"} {
		a, err := device.Open(device.Options{Path: path})
		if a != nil || !errors.Is(err, device.ErrUnavailable) || !strings.Contains(err.Error(), says) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := (device.NSM{Path: missing}).Exchange(context.Background(), []byte{1}); !errors.Is(err, device.ErrUnavailable) {
		t.Error(err)
	}
}
