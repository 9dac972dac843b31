package launch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/tee/ovmf"
)

var oracle = flag.String("oracle", "", "program sev-snp-measure, which every case is compared with")

// sample is a firmware of the form of OVMF's AmdSev build: metadata, then the table of GUIDs, then 32 bytes.
func sample(size int, sections []section, hashesAt uint32) []byte {
	image := make([]byte, size)
	for i := range image {
		image[i] = byte(i*7 + i>>8)
	}
	meta := []byte("ASEV")
	meta = binary.LittleEndian.AppendUint32(meta, uint32(16+12*len(sections)))
	meta = binary.LittleEndian.AppendUint32(meta, 1)
	meta = binary.LittleEndian.AppendUint32(meta, uint32(len(sections)))
	for _, s := range sections {
		for _, x := range []uint32{uint32(s.address), uint32(s.size), s.kind} {
			meta = binary.LittleEndian.AppendUint32(meta, x)
		}
	}
	const back = 2048
	copy(image[size-back:], meta)
	var table []byte
	entry := func(name ovmf.GUID, data []byte) {
		table = append(table, data...)
		table = binary.LittleEndian.AppendUint16(table, uint16(len(data)+18))
		table = append(table, name[:]...)
	}
	entry(guidHashesPlace, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, hashesAt), 0x400))
	entry(guidResetBlock, binary.LittleEndian.AppendUint32(nil, 0x0080b004))
	entry(guidMetadata, binary.LittleEndian.AppendUint32(nil, back))
	table = binary.LittleEndian.AppendUint16(table, uint16(len(table)+18))
	footer := ovmf.MustGUID("96b582de-1fb2-45f7-baea-a366c55a082d")
	table = append(table, footer[:]...)
	copy(image[size-32-len(table):], table)
	return image
}

var amdSev = []section{
	{0x800000, 0x9000, sectionMemory}, {0x80a000, 0x3000, sectionMemory}, {0x80d000, 0x1000, sectionSecrets},
	{0x80e000, 0x1000, sectionCPUID}, {0x80f000, 0x1000, sectionCAA}, {0x810000, 0x1000, sectionHashes}, {0x811000, 0xf000, sectionMemory},
}

type vector struct {
	name, model string
	change      func(*Guest)
	want        string
}

func (v vector) guest() Guest {
	g := Guest{
		Firmware: sample(64<<10, amdSev, 0x810c00), VCPUs: 2, Signature: Models[v.model], Features: 1,
		Kernel: []byte("a kernel"), Initrd: bytes.Repeat([]byte("initrd "), 1000), CommandLine: "console=ttyS0 quiet",
	}
	if v.change != nil {
		v.change(&g)
	}
	return g
}

// vectors were made by sev-snp-measure 0.0.13 from the same files; TestOracle compares again.
var vectors = []vector{
	{"as it is", "EPYC", nil, "5c68a750907c055232e5b2bedbd927483a2d80370b8ae74b07143fe9103795ba01a9a6b9cefdd3634e1447c122321aaa"},
	{"one vCPU", "EPYC", func(g *Guest) { g.VCPUs = 1 }, "f2340a6006b91109dccf1125f7b191ca3860f9561cd3acb73a52b5fd70dd455a7bb69c8e2a3000d64984ad1cb4fedb6e"},
	{"64 vCPUs", "EPYC-Genoa", func(g *Guest) { g.VCPUs = 64 }, "5a6a8b4af3ba34d68d408612738dcc1a73e1810eb73f01c2f66669bfc80bc04d3ff17e27a78042a0af41495551fc862e"},
	{"Rome", "EPYC-Rome", nil, "e480a4b79ccba9fc4d46949e156dee88c3f787c5c26e58bd28d7369c16372e47e32acf36699f0aba838669eb420f898c"},
	{"Milan", "EPYC-Milan", nil, "a4ee90171be89ab97338dfa5361866c01e661ddbdc4f4c504eeeb54b37c9602863bd2b16987aa6073acf9adde3f9784f"},
	{"features", "EPYC-Milan", func(g *Guest) { g.Features = 0x21 }, "050d6a8a599c012d20f9ce713e34e1954f03267db2e42ac16a0aac68b3ef2937499dbc69b63a59a12b5db820347ec717"},
	{"no initrd", "EPYC", func(g *Guest) { g.Initrd = nil }, "ae559ea4282f66308eb7b191694ef5ac176eed3c98db3b8cc4db6393552f8b53b2f31476db35c1bdb4f95a225979d81d"},
	{"no command line", "EPYC", func(g *Guest) { g.CommandLine = "" }, "b0a7fd45ab7faf1e8c080af0963386db7c7d87e6c1c9306eb75a4436c384df4e68eccda68c9e0450cd4cff4e59976236"},
	{"another command line", "EPYC", func(g *Guest) { g.CommandLine += " " }, "15c7503b9bae0bbf7892b23ad03ba2233e211d999b94e83c60397ecbf8a9995c06b2c240c638200a7623f5fdaf3a3228"},
	{"from disk", "EPYC", func(g *Guest) { g.Kernel, g.Initrd, g.CommandLine = nil, nil, "" }, "e5b5a55f6a5e43db6764f3e2901bb4891729034deb63d0d5cd67cef89dc0f5c33a7254a162835cfbfd12c9c81dd00123"},
}

func TestVectors(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range vectors {
		got, err := Compute(v.guest())
		if err != nil || hex.EncodeToString(got[:]) != v.want {
			t.Errorf("%s: %x, %v; want %s", v.name, got, err, v.want)
		}
		if seen[v.want] {
			t.Errorf("%s: the measurement of another guest", v.name)
		}
		seen[v.want] = true
	}
}

// TestOracle compares with the public program on the same files, and on a real firmware if OVMF names one.
func TestOracle(t *testing.T) {
	if *oracle == "" {
		t.Skip("run with -oracle sev-snp-measure (PyPI: sev-snp-measure) to compare with it")
	}
	firmwares := []string{""}
	if real := os.Getenv("OVMF"); real != "" {
		firmwares = append(firmwares, real)
	}
	for _, fw := range firmwares {
		for _, v := range vectors {
			g := v.guest()
			if fw != "" {
				var err error
				if g.Firmware, err = os.ReadFile(fw); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Compute(g)
			if want := ask(t, g); err != nil || hex.EncodeToString(got[:]) != want {
				t.Errorf("%s %s: %x, %v; oracle %s", fw, v.name, got, err, want)
			}
		}
	}
}

func ask(t *testing.T, g Guest) string {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{
		"--mode", "snp", "--vcpus", fmt.Sprint(g.VCPUs), "--vcpu-sig", fmt.Sprint(g.Signature),
		"--guest-features", fmt.Sprint(g.Features), "--ovmf", file("ovmf", g.Firmware),
	}
	if g.Kernel != nil {
		args = append(args, "--kernel", file("kernel", g.Kernel), "--append", g.CommandLine)
		if g.Initrd != nil {
			args = append(args, "--initrd", file("initrd", g.Initrd))
		}
	}
	out, err := exec.Command(*oracle, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestOrdinaryFirmware: Debian's OVMF.fd checks no kernel, so no kernel is measured with it.
func TestOrdinaryFirmware(t *testing.T) {
	real, err := os.ReadFile("../../ovmf/testdata/debian-13-ovmf-2025.02-8+deb13u1.tail")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"a kernel": ErrHashes, "": nil} {
		g := Guest{Firmware: real, VCPUs: 1, Signature: Models["EPYC"], Features: 1}
		if name != "" {
			g.Kernel = []byte(name)
		}
		if _, err = Compute(g); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	with := func(change func(*Guest)) Guest { return vector{model: "EPYC", change: change}.guest() }
	for name, c := range map[string]struct {
		guest Guest
		want  error
	}{
		"no vCPU":          {with(func(g *Guest) { g.VCPUs = 0 }), ErrVCPUs},
		"too many":         {with(func(g *Guest) { g.VCPUs = MaxVCPUs + 1 }), ErrVCPUs},
		"no SNP":           {with(func(g *Guest) { g.Features = 0x20 }), ErrFeatures},
		"no kernel":        {with(func(g *Guest) { g.Kernel = nil }), ErrKernel},
		"no firmware":      {with(func(g *Guest) { g.Firmware = nil }), ErrFirmware},
		"odd firmware":     {with(func(g *Guest) { g.Firmware = g.Firmware[:5000] }), ErrFirmware},
		"other firmware":   {with(func(g *Guest) { g.Firmware = make([]byte, 8192) }), ErrFirmware},
		"no hash section":  {with(func(g *Guest) { g.Firmware = sample(64<<10, amdSev[:5], 0x810c00) }), ErrHashes},
		"no hash place":    {with(func(g *Guest) { g.Firmware = sample(64<<10, amdSev, 0) }), ErrHashes},
		"place elsewhere":  {with(func(g *Guest) { g.Firmware = sample(64<<10, amdSev, 0x810fff) }), ErrHashes},
		"unknown section":  {with(func(g *Guest) { g.Firmware = sample(64<<10, []section{{0x800000, 0x1000, 7}}, 0) }), ErrFirmware},
		"endless section":  {with(func(g *Guest) { g.Firmware = sample(64<<10, []section{{0, 0xfffff000, 1}}, 0) }), ErrFirmware},
		"section of bytes": {with(func(g *Guest) { g.Firmware = sample(64<<10, []section{{0, 0x1001, 1}}, 0) }), ErrFirmware},
	} {
		if got, err := Compute(c.guest); !errors.Is(err, c.want) || got != [Size]byte{} {
			t.Errorf("%s: %x, %v; want %v", name, got, err, c.want)
		}
	}
}

// FuzzFirmware shows that no file makes the reader panic or take long.
func FuzzFirmware(f *testing.F) {
	f.Add(sample(8192, amdSev, 0x810c00))
	f.Add(sample(4096, nil, 0))
	f.Add(make([]byte, 4096))
	real, err := os.ReadFile("../../ovmf/testdata/debian-13-ovmf-2025.02-8+deb13u1.tail")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(real)
	f.Fuzz(func(t *testing.T, image []byte) {
		fw, err := parseFirmware(image)
		if err != nil && !errors.Is(err, ErrFirmware) {
			t.Fatal(err)
		}
		if err == nil && (len(fw.sections) > maxSections || fw.base+uint64(len(image)) != 1<<32) {
			t.Fatalf("%+v", fw)
		}
	})
}
