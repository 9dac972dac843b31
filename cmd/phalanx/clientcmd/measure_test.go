package clientcmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModelSignature(t *testing.T) {
	for name, want := range map[string]uint32{
		"EPYC": 0x800f12, "EPYC-v4": 0x800f12, "EPYC-Rome": 0x830f10, "EPYC-Milan-v2": 0xa00f11, "EPYC-Genoa-v1": 0xa10f10,
		"": 0, "EPYC-v": 0, "EPYC-v0": 0, "EPYC-v4-v4": 0, "epyc": 0, "host": 0,
	} {
		if got, err := modelSignature(name); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %#x, %v; want %#x", name, got, err, want)
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 4097), 0o600); err != nil {
		t.Fatal(err)
	}
	good := measureFlags{ovmf: file, kernel: file, model: "EPYC-v4", features: "1", vcpus: 1}
	for want, change := range map[string]func(*measureFlags){
		"--ovmf and --kernel":  func(f *measureFlags) { f.kernel = "" },
		"not both":             func(f *measureFlags) { f.append, f.cmdline = "a", file },
		"--vcpu-type":          func(f *measureFlags) { f.model = "host" },
		"--guest-features":     func(f *measureFlags) { f.features = "all" },
		"--initrd":             func(f *measureFlags) { f.initrd = file + ".gone" },
		"over 4096 bytes":      func(f *measureFlags) { f.cmdline = file },
		"number of vCPUs":      func(f *measureFlags) { f.vcpus = 0 },
		"not made for SEV-SNP": func(*measureFlags) {},
	} {
		f := good
		change(&f)
		if _, err := f.measure(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
