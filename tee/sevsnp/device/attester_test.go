package device_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-configfs-tsm/configfs/configfsi"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device/devicetest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

var (
	data = tee.ReportData("device-test", [32]byte{1}, []byte("body"))
	now  = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

// guest returns a plain guest.
func guest(t *testing.T) *devicetest.Guest {
	t.Helper()
	m, err := sevsnptest.New(sevsnptest.Setup{TCB: sevsnp.TCB{BootLoader: 3, SNP: 8, Microcode: 115}})
	if err != nil {
		t.Fatal(err)
	}
	g := &devicetest.Guest{
		Machine: m, Secret: [32]byte{1}, Committed: tcb(3, 0, 8, 115), Policy: devicetest.PolicyDefault,
		Measurement: [48]byte{0xa5},
	}
	g.Table = devicetest.Table(m.Collateral(), false)
	return g
}

// tcb is a TCB_VERSION of Milan or Genoa.
func tcb(bootLoader, tee, snp, microcode uint64) uint64 {
	return bootLoader | tee<<8 | snp<<48 | microcode<<56
}

func verify(t *testing.T, g *devicetest.Guest, ev tee.Evidence) (tee.Claims, error) {
	t.Helper()
	roots := tee.Roots{Kinds: []tee.KindRoots{{Kind: tee.KindSEVSNP, Keys: [][]byte{g.Machine.Root()}}}}
	return sevsnp.Verifier{}.Verify(ev, roots, now)
}

// What the attester makes, the chain's verifier believes: through either interface of the kernel, with either key.
func TestAttest(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*devicetest.Guest)
		vmpl   uint32
	}{
		"plain": {},
		"VLEK": {change: func(g *devicetest.Guest) {
			g.ByVLEK = true
			g.Table = devicetest.Table(g.Machine.CollateralVLEK(), true)
		}},
		"below an SVSM": {change: func(g *devicetest.Guest) { g.VMPL = 2 }, vmpl: 2},
	} {
		t.Run(name, func(t *testing.T) {
			g := guest(t)
			if tt.change != nil {
				tt.change(g)
			}
			for how, reports := range map[string]device.Reports{"device": g, "configfs": device.TSM{Client: devicetest.Configfs(g, device.Provider)}} {
				a := device.NewAttester(reports, tt.vmpl)
				ev, err := a.Attest(context.Background(), data)
				if err != nil {
					t.Fatal(how, err)
				}
				claims, err := verify(t, g, ev)
				if err != nil {
					t.Fatal(how, err)
				}
				if claims.ReportData != data || !bytes.Equal(claims.Measurement, g.Measurement[:]) || a.Kind() != ev.Kind {
					t.Fatalf("%s: %+v", how, claims)
				}
			}
		})
	}
}

// A device, or whoever stands between, that answers with something else is not taken at its word.
func TestAttestWrongReport(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"other report data":  func(raw []byte) []byte { raw[sevsnptest.OffsetReportData+63] ^= 1; return raw },
		"other level":        func(raw []byte) []byte { raw[sevsnptest.OffsetVMPL] = 1; return raw },
		"short":              func(raw []byte) []byte { return raw[:len(raw)-1] },
		"empty":              func([]byte) []byte { return nil },
		"long":               func(raw []byte) []byte { return append(raw, 0) },
		"longer than a page": func(raw []byte) []byte { return append(raw, make([]byte, 1<<20)...) },
	} {
		g := guest(t)
		g.Spoil = spoil
		for how, reports := range map[string]device.Reports{"device": g, "configfs": device.TSM{Client: devicetest.Configfs(g, device.Provider)}} {
			ev, err := device.NewAttester(reports, 0).Attest(context.Background(), data)
			if !errors.Is(err, device.ErrReply) || ev.Data != nil {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
}

// The certificate table is the host's: whatever it holds, the report comes through, with or without collateral.
func TestAttestHostileTable(t *testing.T) {
	good := guest(t)
	entry := func(offset, length uint32) []byte { // one entry of the VCEK, then the end
		b := make([]byte, 48, 4096)
		copy(b, good.Table[:16])
		binary.LittleEndian.PutUint32(b[16:], offset)
		binary.LittleEndian.PutUint32(b[20:], length)
		return b[:4096]
	}
	for name, table := range map[string][]byte{
		"none":                     nil,
		"no end":                   bytes.Repeat([]byte{1}, 4096),
		"cut":                      good.Table[:30],
		"empty":                    make([]byte, 4096),
		"32 bits wrap around":      entry(0xffffffff, 2),
		"32 bits wrap around long": entry(64, 0xffffffff),
		"beyond the table":         entry(4000, 97),
		"within the entries":       entry(24, 100),
		"nothing":                  entry(48, 0),
		"no certificate":           entry(48, 100),
		"too long":                 append(bytes.Clone(good.Table), make([]byte, device.MaxTable)...),
		"only the VLEK":            devicetest.Table(good.Machine.CollateralVLEK(), true),
	} {
		g := *good
		g.Table = table
		ev, err := device.NewAttester(&g, 0).Attest(context.Background(), data)
		if err != nil || len(ev.Data) != sevsnp.ReportSize || len(ev.Collateral) != 0 {
			t.Errorf("%s: collateral of %d bytes, %v", name, len(ev.Collateral), err)
		}
	}
	// A page of zeros behind the table, as the driver leaves it.
	good.Table = append(bytes.Clone(good.Table), make([]byte, 4096)...)
	ev, err := device.NewAttester(good, 0).Attest(context.Background(), data)
	if err != nil || len(ev.Collateral) == 0 {
		t.Fatal(len(ev.Collateral), err)
	}
}

func FuzzTable(f *testing.F) {
	m, err := sevsnptest.New(sevsnptest.Setup{})
	if err != nil {
		f.Fatal(err)
	}
	report, err := m.Report(func(raw []byte) { copy(raw[sevsnptest.OffsetReportData:], data[:]) })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(devicetest.Table(m.Collateral(), false))
	f.Add(devicetest.Table(m.CollateralVLEK(), true))
	f.Add(make([]byte, 48))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, table []byte) {
		ev, err := device.NewAttester(fixed{report, table}, 0).Attest(context.Background(), data)
		if err != nil || len(ev.Collateral) > tee.MaxCollateral {
			t.Fatal(err)
		}
	})
}

// fixed answers always the same.
type fixed struct{ report, table []byte }

func (f fixed) Report(context.Context, [64]byte, uint32) (report, table []byte, err error) {
	return f.report, f.table, nil
}

// meddler is configfs-tsm into which somebody else writes, times times.
type meddler struct {
	configfsi.Client
	times int
}

func (m *meddler) WriteFile(name string, b []byte) error {
	if strings.HasSuffix(name, "privlevel") && m.times > 0 {
		m.times--
		if err := m.Client.WriteFile(strings.TrimSuffix(name, "privlevel")+"inblob", make([]byte, 64)); err != nil {
			return err
		}
	}
	return m.Client.WriteFile(name, b)
}

// A report that somebody else's write has spoilt is asked for again, and given up if it never comes.
func TestConfigfsGeneration(t *testing.T) {
	for times, want := range map[int]bool{0: true, 1: true, 3: true, 4: false, 100: false} {
		m := &meddler{devicetest.Configfs(guest(t), device.Provider), times}
		_, err := device.NewAttester(device.TSM{Client: m}, 0).Attest(context.Background(), data)
		if (err == nil) != want {
			t.Errorf("%d foreign writes: %v", times, err)
		}
	}
}

// refusing is configfs-tsm that refuses to make entries.
type refusing struct {
	configfsi.Client
	err error
}

func (r refusing) MkdirTemp(string, string) (string, error) { return "", r.err }

// What is missing is said, with what to do about it.
func TestOpenReports(t *testing.T) {
	g := guest(t)
	none := filepath.Join(t.TempDir(), "sev-guest")
	for name, tt := range map[string]struct {
		tsm  configfsi.Client
		says []string
	}{
		"another platform": {devicetest.Configfs(g, "tdx_guest"), []string{`"tdx_guest"`, none, "modprobe sev-guest"}},
		"no driver":        {refusing{err: syscall.ENXIO}, []string{"modprobe sev-guest"}},
		"no permission":    {refusing{err: fs.ErrPermission}, []string{"run as root"}},
		"old kernel":       {refusing{err: fs.ErrNotExist}, []string{"Linux 6.7"}},
	} {
		_, err := device.OpenReports(device.Options{TSM: tt.tsm, Path: none})
		if !errors.Is(err, device.ErrUnavailable) {
			t.Fatalf("%s: %v", name, err)
		}
		for _, word := range tt.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", name, err, word)
			}
		}
	}
	r, err := device.OpenReports(device.Options{TSM: devicetest.Configfs(g, device.Provider), Path: none})
	if _, ok := r.(device.TSM); err != nil || !ok {
		t.Fatalf("%T %v", r, err)
	}
	// A device node serves where configfs does not.
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err = device.OpenReports(device.Options{TSM: refusing{err: fs.ErrNotExist}, Path: none})
	if _, ok := r.(device.Guest); err != nil || !ok {
		t.Fatalf("%T %v", r, err)
	}
	// It is no device, and says so.
	if _, _, err := r.Report(context.Background(), data, 0); !errors.Is(err, device.ErrUnavailable) {
		t.Fatalf("a plain file: %v", err)
	}
	if _, err := (device.Guest{Path: none}).DeriveKey(context.Background(), device.KeyRequest{}); !errors.Is(err, device.ErrUnavailable) {
		t.Fatalf("a plain file: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g := guest(t)
	for how, reports := range map[string]device.Reports{
		"fake": g, "configfs": device.TSM{Client: devicetest.Configfs(g, device.Provider)}, "ioctl": device.Guest{Path: device.DefaultPath},
	} {
		if _, err := device.NewAttester(reports, 0).Attest(ctx, data); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", how, err)
		}
	}
}
