package launch

import (
	"encoding/binary"
	"fmt"

	"github.com/phalanx-network/phalanx/tee/ovmf"
)

// MaxFirmware is the greatest length of a firmware in bytes.
const MaxFirmware = ovmf.MaxSize

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

// GUIDs of OVMF's table at the end of the firmware, and of QEMU's table of hashes.
var (
	guidHashesPlace = ovmf.MustGUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
	guidResetBlock  = ovmf.MustGUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
	guidMetadata    = ovmf.MustGUID("dc886566-984a-4798-a75e-5585a7bf67cc")
	guidHashes      = ovmf.MustGUID("9438d606-4f22-4cc9-b479-a793d411fd21")
	guidKernel      = ovmf.MustGUID("4de79437-abd2-427f-b835-d5b172d2045b")
	guidInitrd      = ovmf.MustGUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
	guidCommandLine = ovmf.MustGUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
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
	fw := firmware{base: 1<<32 - uint64(len(image))}
	table, err := ovmf.Read(image)
	if err != nil {
		return firmware{}, fmt.Errorf("%w: %w", ErrFirmware, err)
	}
	var ok bool
	if fw.apEntry, ok = table.Uint32(guidResetBlock); !ok {
		return firmware{}, fmt.Errorf("%w: no SEV-ES reset block", ErrFirmware)
	}
	fw.hashes, _ = table.Uint32(guidHashesPlace)
	back, ok := table.Uint32(guidMetadata)
	if !ok {
		return firmware{}, fmt.Errorf("%w: no SEV metadata", ErrFirmware)
	}
	if fw.sections, err = metadata(image, back); err != nil {
		return firmware{}, err
	}
	return fw, nil
}

// metadata reads the sections that lie back bytes before the end.
func metadata(image []byte, back uint32) ([]section, error) {
	const head, item = 16, 12
	b, ok := ovmf.Before(image, back, head)
	if !ok {
		return nil, fmt.Errorf("%w: SEV metadata outside of the file", ErrFirmware)
	}
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
