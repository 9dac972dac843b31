// Package ovmf reads what OVMF, the UEFI firmware of virtual machines, tells the program that starts a guest: the table of
// named entries at the end of its file. What a processor measures of a guest before its first instruction follows from the
// file and these entries, so the packages that compute expected measurements begin here.
//
// The table ends 32 bytes before the end of the file, where the reset vector is. Each entry is its data, then its length in
// two bytes, little-endian and with these 18 bytes, then a GUID; it is read from its end to its start. The last entry names
// the table and its length. The source is OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm of EDK II.
//
// A firmware comes from a distribution or a builder, so nothing in it is believed: sizes are bounded before they are used,
// and an entry that is there twice is refused, for two readers could choose differently.
package ovmf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// PageSize is the size of a page of guest memory, in bytes.
const PageSize = 4096

// Top is the guest address at which a firmware ends: four gigabytes.
const Top = 1 << 32

// Sizes of a firmware, in bytes; it is whole pages.
const (
	MinSize = PageSize
	MaxSize = 16 << 20
)

const (
	vectorSize = 32 // behind the table
	headSize   = 18 // length and GUID of an entry
)

// Errors.
var (
	ErrSize  = errors.New("no firmware: it must be whole pages of 4096 bytes, 16 MiB at most")
	ErrTable = errors.New("no OVMF firmware: its table is missing or damaged")
)

// GUID is a name in the firmware's table, in the byte order of the file.
type GUID [16]byte

// MustGUID reads the usual form of a GUID, whose first three groups are numbers, little-endian in the file. It is for
// constants: it panics on anything else.
func MustGUID(text string) GUID {
	var a uint32
	var b, c uint16
	var d, e uint64
	if n, err := fmt.Sscanf(text, "%08x-%04x-%04x-%04x-%012x", &a, &b, &c, &d, &e); n != 5 || err != nil || len(text) != 36 {
		panic("ovmf: no GUID: " + text)
	}
	var g GUID
	binary.LittleEndian.PutUint32(g[0:], a)
	binary.LittleEndian.PutUint16(g[4:], b)
	binary.LittleEndian.PutUint16(g[6:], c)
	binary.BigEndian.PutUint64(g[8:], d<<48|e)
	return g
}

// footer names the table itself.
var footer = MustGUID("96b582de-1fb2-45f7-baea-a366c55a082d")

// Table is the entries of a firmware's table by their name. The data is the firmware's own, not a copy.
type Table map[GUID][]byte

// Read reads the table of a firmware file. The error is ErrSize or ErrTable, with what is wrong.
func Read(firmware []byte) (Table, error) {
	if len(firmware) < MinSize || len(firmware) > MaxSize || len(firmware)%PageSize != 0 {
		return nil, ErrSize
	}
	end := len(firmware) - vectorSize
	name, size := head(firmware, end)
	if name != footer {
		return nil, ErrTable
	}
	if size < headSize || size > end {
		return nil, fmt.Errorf("%w: it says that it is %d bytes long", ErrTable, size)
	}
	entries := firmware[end-size : end-headSize]
	table := Table{}
	for at := len(entries); at > 0; {
		if at < headSize {
			return nil, fmt.Errorf("%w: %d bytes before its first entry", ErrTable, at)
		}
		name, size := head(entries, at)
		if size < headSize || size > at {
			return nil, fmt.Errorf("%w: entry %x says that it is %d bytes long", ErrTable, name, size)
		}
		if _, twice := table[name]; twice {
			return nil, fmt.Errorf("%w: entry %x is there twice", ErrTable, name)
		}
		table[name] = entries[at-size : at-headSize : at-headSize]
		at -= size
	}
	return table, nil
}

// head reads the name and whole length of the entry that ends at end, which is at least headSize.
func head(data []byte, end int) (GUID, int) {
	h := data[end-headSize : end]
	return GUID(h[2:]), int(binary.LittleEndian.Uint16(h))
}

// Uint32 reads an entry that is one number of four bytes, little-endian; more bytes behind it are let pass, as the programs
// that start guests do. It says false where the entry is missing or shorter.
func (t Table) Uint32(name GUID) (uint32, bool) {
	data := t[name]
	if len(data) < 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(data), true
}

// Before returns the part of the firmware from offset bytes before its end on, as the entries that point to descriptions of
// memory count, and false where there are not least bytes there.
func Before(firmware []byte, offset uint32, least int) ([]byte, bool) {
	if int64(offset) > int64(len(firmware)) || int64(offset) < int64(least) {
		return nil, false
	}
	return firmware[len(firmware)-int(offset):], true
}
