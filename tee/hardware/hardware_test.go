package hardware

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-configfs-tsm/configfs/configfsi"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine"
	"github.com/phalanx-network/phalanx/tee/dcap/gramine/graminetest"
	"github.com/phalanx-network/phalanx/tee/dcap/tdx"
	"github.com/phalanx-network/phalanx/tee/dcap/tdx/tdxtest"
	nsm "github.com/phalanx-network/phalanx/tee/nitro/device"
	"github.com/phalanx-network/phalanx/tee/nitro/nitrotest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device/devicetest"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
	"github.com/phalanx-network/phalanx/tee/tpm"
	"github.com/phalanx-network/phalanx/tee/tpm/tpmtest"
)

// nothing is configfs-tsm that is not there.
type nothing struct{ configfsi.Client }

func (nothing) MkdirTemp(dir, _ string) (string, error) {
	return "", &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
}

// bare is a machine without a TEE.
func bare(t *testing.T) Options {
	dir := t.TempDir()
	return Options{
		Gramine: gramine.Dir(filepath.Join(dir, "attestation")),
		SNP:     device.Options{TSM: nothing{}, Path: filepath.Join(dir, "sev-guest")},
		TDX:     tdx.Options{TSM: nothing{}},
		Nitro:   nsm.Options{Path: filepath.Join(dir, "nsm")},
		TPM:     tpm.Options{Path: filepath.Join(dir, "tpmrm0")},
		Rand:    rand.Reader,
	}
}

func snp(t *testing.T) *devicetest.Guest {
	t.Helper()
	m, err := sevsnptest.New(sevsnptest.Setup{})
	if err != nil {
		t.Fatal(err)
	}
	return &devicetest.Guest{Machine: m, Policy: devicetest.PolicyDefault, Secret: [32]byte{1}}
}

// Each platform is found where it is, under auto and by its name, attests under its kind and seals.
func TestFind(t *testing.T) {
	for name, tt := range map[string]struct {
		here    func(*Options)
		sealing string
		kind    tee.Kind
		says    string
	}{
		"sgx": {func(o *Options) { o.Gramine = graminetest.New() }, "gramine", tee.KindSGX, "Gramine"},
		"sev-snp": {func(o *Options) {
			g := snp(t)
			o.SNP.TSM, o.deriver = devicetest.Configfs(g, device.Provider), g
		}, "sev-snp", tee.KindSEVSNP, "configfs-tsm"},
	} {
		for _, want := range []string{"", Auto, name} {
			o := bare(t)
			o.Want = want
			tt.here(&o)
			f, err := Find(context.Background(), o)
			if err != nil {
				t.Fatal(name, want, err)
			}
			if f.Platform != name || f.Sealing != tt.sealing || !strings.Contains(f.Words, tt.says) || len(f.Warnings) != 0 {
				t.Errorf("%s, asked for %q: %+v", name, want, f)
			}
			data := tee.ReportData("hardware-test", [32]byte{}, nil)
			if ev, err := f.Attester.Attest(context.Background(), data); err != nil || ev.Kind != tt.kind {
				t.Errorf("%s: evidence of %s, %v", name, ev.Kind, err)
			}
			sealed, err := f.Sealer.Seal(context.Background(), []byte("secret"), nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Find(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := again.Sealer.Unseal(context.Background(), sealed, nil); err != nil || !bytes.Equal(back, []byte("secret")) {
				t.Errorf("%s, asked for %q, after a restart: %v", name, want, err)
			}
		}
	}
}

// Where nothing seals, the platform is found and attests, and that its keys are not sealed is said.
func TestFindUnsealed(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	authority, err := nitrotest.New(now)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		here func(*Options)
		kind tee.Kind
	}{
		"tdx": {func(o *Options) {
			tsm := tdxtest.New(5)
			o.TDX.TSM, o.SNP.TSM = tsm, tsm // one kernel, which is no SEV-SNP guest's
			o.Seal = "memory"
		}, tee.KindTDX},
		"nitro": {func(o *Options) { o.module = &nitrotest.Module{Authority: authority, Now: now} }, tee.KindNitro},
	} {
		for _, want := range []string{Auto, name} {
			o := bare(t)
			o.Want = want
			tt.here(&o)
			f, err := Find(context.Background(), o)
			if err != nil {
				t.Fatal(name, want, err)
			}
			if f.Platform != name || f.Sealing != "memory" || len(f.Warnings) != 1 {
				t.Errorf("%s, asked for %q: %+v", name, want, f)
			}
			if ev, err := f.Attester.Attest(context.Background(), tee.ReportData("hardware-test", [32]byte{}, nil)); err != nil || ev.Kind != tt.kind {
				t.Errorf("%s: evidence of %s, %v", name, ev.Kind, err)
			}
		}
	}
}

// TDX is sealed by a TPM where there is one, with a warning, and by nothing else unasked.
func TestTDXNeedsTPM(t *testing.T) {
	o := bare(t)
	o.TDX.TSM = tdxtest.New(4)
	if _, err := Find(context.Background(), o); !errors.Is(err, ErrSealer) || !errors.Is(err, tpm.ErrUnavailable) || !strings.Contains(err.Error(), "(memory)") {
		t.Fatal(err)
	}
	o.TPM.Dial = tpmtest.Start(t).Dial
	var sealed []byte
	for range 2 { // the second time as after a restart
		f, err := Find(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if f.Platform != "tdx" || f.Sealing != "tpm" || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "not from the host") {
			t.Fatalf("%+v", f)
		}
		if sealed == nil {
			if sealed, err = f.Sealer.Seal(context.Background(), []byte("secret"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if back, err := f.Sealer.Unseal(context.Background(), sealed, nil); err != nil || string(back) != "secret" {
			t.Fatalf("%q, %v", back, err)
		}
	}
}

// Memory is never chosen for a platform that seals, serves where it is asked for, and is warned of.
func TestMemory(t *testing.T) {
	o := bare(t)
	o.Gramine, o.Seal = graminetest.New(), "memory"
	f, err := Find(context.Background(), o)
	if err != nil || f.Sealing != "memory" || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "nothing is sealed") {
		t.Fatalf("%+v %v", f, err)
	}
	sealed, err := f.Sealer.Seal(context.Background(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = Find(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Sealer.Unseal(context.Background(), sealed, nil); !errors.Is(err, tee.ErrOtherMachine) {
		t.Fatalf("after a restart: %v", err)
	}
}

// What was tried is listed, each with what was in the way.
func TestNone(t *testing.T) {
	_, err := Find(context.Background(), bare(t))
	if !errors.Is(err, ErrNone) {
		t.Fatal(err)
	}
	for _, p := range platforms {
		if !strings.Contains(err.Error(), "\n  "+p.name+": ") {
			t.Errorf("%s is not in: %v", p.name, err)
		}
	}
	o := bare(t)
	o.Want, o.Gramine = "sev-snp", graminetest.New()
	if _, err = Find(context.Background(), o); !errors.Is(err, ErrNone) || strings.Contains(err.Error(), "sgx") {
		t.Errorf("the platform that was not asked for: %v", err)
	}
}

// A platform whose keys cannot be had is no platform: nothing weaker takes their place.
func TestNoSealer(t *testing.T) {
	o := bare(t)
	o.SNP.TSM = devicetest.Configfs(snp(t), device.Provider) // and no /dev/sev-guest
	_, err := Find(context.Background(), o)
	if !errors.Is(err, ErrSealer) || !errors.Is(err, device.ErrUnavailable) || !strings.Contains(err.Error(), "modprobe sev-guest") {
		t.Fatal(err)
	}
	o = bare(t)
	o.Gramine, o.Seal = graminetest.New(), "sev-snp"
	if _, err := Find(context.Background(), o); !errors.Is(err, ErrSealer) || !strings.Contains(err.Error(), "does not serve on sgx") {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	for _, o := range []Options{{Want: "simulated"}, {Want: "SGX"}, {Seal: "none"}, {Want: "sgx", Seal: "x"}} {
		if err := o.Check(); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "auto") {
			t.Errorf("%+v: %v", o, err)
		}
		o.Rand = rand.Reader
		if _, err := Find(context.Background(), o); !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := (Options{}).Check(); err != nil {
		t.Error(err)
	}
	if _, err := Find(context.Background(), Options{}); err == nil {
		t.Error("without randomness")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, bare(t)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Every sealer that a platform names exists, each sealer serves somewhere, and memory is nobody's first choice where
// there is another.
func TestTables(t *testing.T) {
	used := map[string]bool{}
	for _, p := range platforms {
		if len(p.seals) > 1 && p.seals[0] == "memory" {
			t.Errorf("%s forgets by default", p.name)
		}
		for _, name := range p.seals {
			used[name] = true
			if _, err := choose(name, p); err != nil {
				t.Error(err)
			}
		}
	}
	for _, name := range Sealers() {
		if name != Auto && !used[name] {
			t.Errorf("%s serves nowhere", name)
		}
	}
	if names := Platforms(); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Error("a name twice")
	}
}
