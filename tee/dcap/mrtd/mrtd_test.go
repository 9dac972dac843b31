package mrtd_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phalanx-network/phalanx/tee/dcap/mrtd"
	"github.com/phalanx-network/phalanx/tee/ovmf"
	"github.com/phalanx-network/phalanx/tee/ovmf/ovmftest"
)

// oracle makes the golden values anew. It is a program that prints the MRTD of the firmware file it is given; the values here
// are those of computeMrtd of github.com/scrtlabs/reproduce-mr, in its variant of one pass.
var oracle = flag.String("oracle", "", "a program that prints the MRTD of a firmware file: write testdata/golden.json anew")

const goldenFile = "testdata/golden.json"

var metadataEntry = ovmf.MustGUID("e47a6535-984a-4798-865e-4685a7bf8ec2")

// section is offset and size in the file, address and size in memory, kind, attributes.
type section struct {
	offset, raw      uint32
	address, size    uint64
	kind, attributes uint32
}

func metadata(sections []section) []byte {
	little := binary.LittleEndian
	block := little.AppendUint32([]byte("TDVF"), uint32(16+32*len(sections)))
	block = little.AppendUint32(little.AppendUint32(block, 1), uint32(len(sections)))
	for _, s := range sections {
		block = little.AppendUint32(little.AppendUint32(block, s.offset), s.raw)
		block = little.AppendUint64(little.AppendUint64(block, s.address), s.size)
		block = little.AppendUint32(little.AppendUint32(block, s.kind), s.attributes)
	}
	return block
}

func firmware(size int, sections ...section) []byte {
	block := metadata(sections)
	return ovmftest.Build(size, block, ovmftest.Number(metadataEntry, uint32(ovmftest.BlockEnd+len(block))))
}

// Sections as OVMF has them, of a firmware of 64 KiB.
var (
	code      = section{0x4000, 0xc000, 0xffff4000, 0xc000, 0, 1}
	variables = section{0, 0x4000, 0xffff0000, 0x4000, 1, 0}
	temporary = section{0, 0, 0x810000, 0x10000, 3, 0}
	handOff   = section{0, 0, 0x809000, 0x2000, 2, 0}
)

func firmwares() map[string][]byte {
	counted := variables
	counted.attributes = 1
	return map[string][]byte{
		"as OVMF":                  firmware(1<<16, code, variables, temporary, handOff),
		"in another order":         firmware(1<<16, handOff, temporary, variables, code),
		"variables measured too":   firmware(1<<16, code, counted, temporary, handOff),
		"elsewhere in memory":      firmware(1<<16, section{0x4000, 0xc000, 0x1ffff4000, 0xc000, 0, 1}, handOff),
		"another part of the file": firmware(1<<16, section{0x3000, 0xc000, 0xffff4000, 0xc000, 0, 1}, handOff),
		"empty sections":           firmware(1<<16, code, section{0, 0, 0, 0, 3, 0}, section{0, 0, 0, 0, 3, 0}),
	}
}

func TestGolden(t *testing.T) {
	if *oracle != "" {
		ask(t)
	}
	data, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string]string{}
	if err = json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	all := map[[mrtd.Size]byte]string{}
	for name, f := range firmwares() {
		got, err := mrtd.Of(f)
		if err != nil || hex.EncodeToString(got[:]) != golden[name] {
			t.Errorf("%s: %x, %v; reproduce-mr says %s", name, got, err, golden[name])
		}
		all[got] = name
	}
	if len(all) != len(golden) {
		t.Errorf("%d values, %d golden ones", len(all), len(golden))
	}
}

func ask(t *testing.T) {
	t.Helper()
	golden := map[string]string{}
	for name, f := range firmwares() {
		file := filepath.Join(t.TempDir(), "firmware")
		if err := os.WriteFile(file, f, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(*oracle, file).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden[name] = strings.TrimSpace(string(out))
	}
	data, err := json.MarshalIndent(golden, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(goldenFile, append(data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestEveryByteOfCodeCounts: a host that changes the firmware's code makes another MRTD. Its variables it may change: they
// are in RTMR0.
func TestEveryByteOfCodeCounts(t *testing.T) {
	data := firmware(1<<16, code, variables, temporary, handOff)
	want, err := mrtd.Of(data)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data)-ovmftest.BlockEnd-256; at += 173 {
		data[at] ^= 1
		got, err := mrtd.Of(data)
		if err != nil || (got != want) != (at >= int(code.offset)) {
			t.Fatalf("byte %#x: %v, the same: %v", at, err, got == want)
		}
		data[at] ^= 1
	}
}

func TestRefusals(t *testing.T) {
	edit := func(at int, value uint32) []byte {
		sections := []section{code, variables, temporary, handOff}
		data := firmware(1<<16, sections...)
		binary.LittleEndian.PutUint32(data[len(data)-ovmftest.BlockEnd-len(metadata(sections))+at:], value)
		return data
	}
	with := func(change func(*section), s section) []byte {
		change(&s)
		return firmware(1<<16, s, code)
	}
	many := make([]section, 65)
	for i := range many {
		many[i] = code
	}
	for name, data := range map[string][]byte{
		"no metadata":                ovmftest.Build(8192, nil),
		"metadata before it":         ovmftest.Build(8192, nil, ovmftest.Number(metadataEntry, 8193)),
		"metadata behind it":         ovmftest.Build(8192, nil, ovmftest.Number(metadataEntry, 15)),
		"signature":                  edit(0, 0),
		"length":                     edit(4, 1<<31),
		"length of more":             edit(4, 16+5*32),
		"version":                    edit(8, 2),
		"sections that are not":      edit(12, 5),
		"2^31 sections":              edit(12, 1<<31),
		"one section":                firmware(1<<16, code),
		"65 sections":                firmware(1<<17, many...),
		"no code that is measured":   firmware(1<<16, variables, temporary),
		"kind":                       with(func(s *section) { s.kind = 4 }, temporary),
		"attribute":                  with(func(s *section) { s.attributes = 2 }, temporary),
		"part of a page":             with(func(s *section) { s.size = 0x800 }, temporary),
		"between pages":              with(func(s *section) { s.address += 0x10 }, temporary),
		"beyond memory":              with(func(s *section) { s.address = 1 << 52 }, temporary),
		"address that wraps":         with(func(s *section) { s.address = 1<<64 - 4096 }, temporary),
		"too large":                  with(func(s *section) { s.size = 1 << 40 }, temporary),
		"too large together":         firmware(1<<16, code, section{0, 0, 0, 0x3000000, 3, 0}, section{0, 0, 0x4000000, 0x3000000, 3, 0}),
		"code without bytes":         with(func(s *section) { s.raw, s.size = 0, 0 }, code),
		"code that fills not all":    with(func(s *section) { s.size += 0x1000 }, code),
		"code beyond the file":       with(func(s *section) { s.offset += 0x1000 }, code),
		"code at a wrapping offset":  with(func(s *section) { s.offset = 0xfffff000 }, code),
		"bytes for temporary memory": with(func(s *section) { s.raw = 0x1000 }, temporary),
		"an offset for it":           with(func(s *section) { s.offset = 0x1000 }, temporary),
		"hand-off block measured":    with(func(s *section) { s.attributes = 1 }, handOff),
	} {
		if m, err := mrtd.Of(data); !errors.Is(err, mrtd.ErrFirmware) || m != [mrtd.Size]byte{} {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mrtd.Of(make([]byte, 4096)); !errors.Is(err, ovmf.ErrTable) {
		t.Errorf("no table: %v", err)
	}
}

// FuzzOf: no description of memory makes the reader panic or read without bound.
func FuzzOf(f *testing.F) {
	f.Add(metadata([]section{{0, 4096, 0xfffff000, 4096, 0, 1}, handOff}))
	f.Add(metadata(nil))
	f.Fuzz(func(t *testing.T, block []byte) {
		if len(block) > 2048 {
			return
		}
		data := ovmftest.Build(4096, block, ovmftest.Number(metadataEntry, uint32(ovmftest.BlockEnd+len(block))))
		m, err := mrtd.Of(data)
		if (err == nil) == (m == [mrtd.Size]byte{}) {
			t.Fatalf("%x, %v", m, err)
		}
	})
}
