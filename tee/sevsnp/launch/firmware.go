package launch

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// MaxFirmware is the greatest length of a firmware in bytes.
const MaxFirmware = 64 << 20

// maxSections and maxSection bound what a firmware may ask for: OVMF has six sections, the longest below 1 MiB.
const (
	maxSections = 64
	maxSection  = 64 << 20
)

// Kinds of sections in OVMF's SEV metadata.
const (
	sectionMemory  = 1
	sectionSecrets = 2
	sectionCPUID   = 3
	sectionCAA     = 4
	sectionHashes  = 0x10
)

// guid is a GUID as firmware stores it: its first three fields little-endian.
type guid [16]byte

func mustGUID(text string) guid {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		panic("bad GUID " + text)
	}
	return guid{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

// GUIDs of OVMF's table at the end of the firmware, and of QEMU's table of hashes.
var (
	guidFooter      = mustGUID("96b582de-1fb2-45f7-baea-a366c55a082d")
	guidHashesPlace = mustGUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
	guidResetBlock  = mustGUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
	guidMetadata    = mustGUID("dc886566-984a-4798-a75e-5585a7bf67cc")
	guidHashes      = mustGUID("9438d606-4f22-4cc9-b479-a793d411fd21")
	guidKernel      = mustGUID("4de79437-abd2-427f-b835-d5b172d2045b")
	guidInitrd      = mustGUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
	guidCommandLine = mustGUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
)

type section struct {
	address, size uint64
	kind          uint32
}

// firmware is what an OVMF says about itself.
type firmware struct {
	base     uint64 // guest address of its first byte; it ends at 4 GiB
	apEntry  uint32 // where all vCPUs but the first start
	hashes   uint32 // guest address of the table of hashes, 0 for none
	sections []section
}

func parseFirmware(image []byte) (firmware, error) {
	if len(image) < pageSize || len(image) > MaxFirmware || len(image)%pageSize != 0 {
		return firmware{}, fmt.Errorf("%w: %d bytes, not whole pages up to %d", ErrFirmware, len(image), MaxFirmware)
	}
	fw := firmware{base: 1<<32 - uint64(len(image))}
	table, err := footer(image)
	if err != nil {
		return firmware{}, err
	}
	word := func(name guid) (uint32, bool) {
		b, ok := table[name]
		if !ok || len(b) < 4 {
			return 0, false
		}
		return binary.LittleEndian.Uint32(b), true
	}
	var ok bool
	if fw.apEntry, ok = word(guidResetBlock); !ok {
		return firmware{}, fmt.Errorf("%w: no SEV-ES reset block", ErrFirmware)
	}
	fw.hashes, _ = word(guidHashesPlace)
	back, ok := word(guidMetadata)
	if !ok {
		return firmware{}, fmt.Errorf("%w: no SEV metadata", ErrFirmware)
	}
	if fw.sections, err = metadata(image, back); err != nil {
		return firmware{}, err
	}
	return fw, nil
}

// footer reads OVMF's table of GUIDs, which ends 32 bytes before the end and is read backwards: each entry's length and
// GUID come after its data. Of entries with one name the first in the file counts, the last that is read.
func footer(image []byte) (map[guid][]byte, error) {
	const head = 2 + 16
	end := len(image) - 32
	if guid(image[end-16:end]) != guidFooter {
		return nil, fmt.Errorf("%w: no table of GUIDs at its end", ErrFirmware)
	}
	whole := int(binary.LittleEndian.Uint16(image[end-head:]))
	if whole < head || whole > end {
		return nil, fmt.Errorf("%w: table of GUIDs of %d bytes", ErrFirmware, whole)
	}
	rest := image[end-whole : end-head]
	table := map[guid][]byte{}
	for len(rest) >= head {
		at := len(rest) - head
		size := int(binary.LittleEndian.Uint16(rest[at:]))
		if size < head || size > len(rest) {
			return nil, fmt.Errorf("%w: entry of %d bytes in its table of GUIDs", ErrFirmware, size)
		}
		table[guid(rest[at+2:])] = rest[len(rest)-size : at]
		rest = rest[:len(rest)-size]
	}
	return table, nil
}

// metadata reads the sections that lie back bytes before the end.
func metadata(image []byte, back uint32) ([]section, error) {
	const head, item = 16, 12
	if back < head || uint64(back) > uint64(len(image)) {
		return nil, fmt.Errorf("%w: SEV metadata outside of the file", ErrFirmware)
	}
	b := image[len(image)-int(back):]
	size, version, count := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if string(b[:4]) != "ASEV" || version != 1 {
		return nil, fmt.Errorf("%w: SEV metadata are not of version 1", ErrFirmware)
	}
	if count > maxSections || uint64(size) > uint64(len(b)) || uint64(head)+uint64(count)*item > uint64(size) {
		return nil, fmt.Errorf("%w: SEV metadata of %d sections in %d bytes", ErrFirmware, count, size)
	}
	sections := make([]section, 0, count)
	for i := range int(count) {
		x := b[head+i*item:]
		s := section{
			address: uint64(binary.LittleEndian.Uint32(x)), size: uint64(binary.LittleEndian.Uint32(x[4:])),
			kind: binary.LittleEndian.Uint32(x[8:]),
		}
		switch s.kind {
		case sectionMemory, sectionSecrets, sectionCPUID, sectionCAA, sectionHashes:
		default:
			return nil, fmt.Errorf("%w: section of the unknown kind %d", ErrFirmware, s.kind)
		}
		if s.address%pageSize != 0 || s.size%pageSize != 0 || s.size == 0 || s.size > maxSection {
			return nil, fmt.Errorf("%w: section at %#x of %d bytes is not whole pages", ErrFirmware, s.address, s.size)
		}
		if (s.kind == sectionSecrets || s.kind == sectionCPUID) && s.size != pageSize {
			return nil, fmt.Errorf("%w: section of kind %d is not one page", ErrFirmware, s.kind)
		}
		sections = append(sections, s)
	}
	return sections, nil
}
