package ovmf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/phalanx-network/phalanx/tee/ovmf"
	"github.com/phalanx-network/phalanx/tee/ovmf/ovmftest"
)

var (
	one = ovmf.MustGUID("11111111-2222-3333-4444-555555555555")
	two = ovmf.MustGUID("dc886566-984a-4798-a75e-5585a7bf67cc")
)

func TestGUID(t *testing.T) {
	want := ovmf.GUID{0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc}
	if two != want {
		t.Fatalf("%x, want %x", two, want)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	ovmf.MustGUID("dc886566-984a-4798-a75e-5585a7bf67c")
}

func TestRead(t *testing.T) {
	table, err := ovmf.Read(ovmftest.Build(8192, nil, ovmftest.Entry{Name: one, Data: []byte("data")}, ovmftest.Number(two, 7), ovmftest.Entry{}))
	if err != nil || len(table) != 3 || string(table[one]) != "data" {
		t.Fatalf("%v, %v", table, err)
	}
	if n, ok := table.Uint32(two); !ok || n != 7 {
		t.Fatalf("%d, %v", n, ok)
	}
	for _, name := range []ovmf.GUID{{}, {1}} {
		if n, ok := table.Uint32(name); ok || n != 0 {
			t.Fatalf("%x: %d", name, n)
		}
	}
}

// TestDebian reads the last page of Debian 13's OVMF.fd (ovmf 2025.02-8+deb13u1, BSD-2-Clause-Patent).
func TestDebian(t *testing.T) {
	tail, err := os.ReadFile("testdata/debian-13-ovmf-2025.02-8+deb13u1.tail")
	if err != nil {
		t.Fatal(err)
	}
	table, err := ovmf.Read(tail)
	if err != nil || len(table) != 5 {
		t.Fatalf("%d entries, %v", len(table), err)
	}
	offset, ok := table.Uint32(two)
	block, inside := ovmf.Before(tail, offset, 16)
	if !ok || !inside || !bytes.HasPrefix(block, []byte("ASEV")) {
		t.Fatalf("%#x, %v, %v: no SEV metadata there", offset, ok, inside)
	}
}

func TestRefusals(t *testing.T) {
	good := ovmftest.Build(4096, nil, ovmftest.Number(one, 1), ovmftest.Number(two, 2))
	length := func(before int, value uint16) []byte {
		data := bytes.Clone(good)
		binary.LittleEndian.PutUint16(data[len(data)-32-before:], value)
		return data
	}
	for name, test := range map[string]struct {
		data []byte
		err  error
	}{
		"nothing":                  {nil, ovmf.ErrSize},
		"no whole page":            {good[1:], ovmf.ErrSize},
		"too long":                 {make([]byte, ovmf.MaxSize+ovmf.PageSize), ovmf.ErrSize},
		"no table":                 {make([]byte, 4096), ovmf.ErrTable},
		"table shorter than head":  {length(18, 17), ovmf.ErrTable},
		"table longer than file":   {length(18, 0xffff), ovmf.ErrTable},
		"table cut in an entry":    {length(18, 18+22+5), ovmf.ErrTable},
		"entry without a length":   {length(36, 0), ovmf.ErrTable},
		"entry beyond the table":   {length(36, 100), ovmf.ErrTable},
		"bytes before first entry": {length(36, 21), ovmf.ErrTable},
		"entry there twice":        {ovmftest.Build(4096, nil, ovmftest.Number(one, 1), ovmftest.Number(one, 2)), ovmf.ErrTable},
	} {
		if table, err := ovmf.Read(test.data); !errors.Is(err, test.err) || table != nil {
			t.Errorf("%s: %v, want %v", name, err, test.err)
		}
	}
}

func TestBefore(t *testing.T) {
	data := make([]byte, 64)
	for _, test := range []struct {
		offset uint32
		least  int
		want   int
		ok     bool
	}{{64, 64, 64, true}, {16, 16, 16, true}, {65, 1, 0, false}, {15, 16, 0, false}, {1<<32 - 1, 1, 0, false}, {0, 1, 0, false}} {
		if got, ok := ovmf.Before(data, test.offset, test.least); ok != test.ok || len(got) != test.want {
			t.Errorf("%+v: %d bytes, %v", test, len(got), ok)
		}
	}
}

// FuzzRead: no file makes the reader panic, and what it finds lies inside of the file.
func FuzzRead(f *testing.F) {
	f.Add(ovmftest.Build(4096, nil, ovmftest.Number(one, 1), ovmftest.Number(two, 2))[3500:])
	tail, err := os.ReadFile("testdata/debian-13-ovmf-2025.02-8+deb13u1.tail")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tail[3000:])
	f.Fuzz(func(t *testing.T, end []byte) {
		data := make([]byte, 4096)
		copy(data[max(0, len(data)-len(end)):], end)
		table, err := ovmf.Read(data)
		if err != nil {
			return
		}
		total := 0
		for name, entry := range table {
			total += len(entry) + 18
			if !bytes.Contains(data, append(bytes.Clone(entry), byte(len(entry)+18), byte((len(entry)+18)>>8), name[0])) {
				t.Fatalf("%x: its data is not before its head", name)
			}
		}
		if total > len(data) {
			t.Fatalf("%d bytes of entries", total)
		}
	})
}
