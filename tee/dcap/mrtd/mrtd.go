// Package mrtd computes MRTD, the register of a TDX guest that holds the measurement of its firmware, from the firmware file.
//
//	register, err := mrtd.Of(firmware)
//
// Before a guest's first instruction the hypervisor asks the TDX module to add pages to it (TDH.MEM.PAGE.ADD) and to
// measure their content (TDH.MR.EXTEND), 256 bytes at a time; MRTD is SHA-384 over one record of 128 bytes for each request,
// with the bytes behind the record where content is measured (Intel's document 348551, "TDX Module ABI", and 344425, "TDX
// Module Base Architecture", measurement of the initial pages). Which pages, and which of them with content, the firmware says in its TDVF
// metadata (Intel's document 344991, "TDX Virtual Firmware Design Guide"); this package asks in the order of QEMU with KVM:
// section by section, page by page, each page's content straight behind its adding. Kernels before TDX was in Linux (6.16)
// added a whole section first; they give another value.
//
// Memory size, processors and disks are not in MRTD, and neither is the kernel: firmware measures it later, into the
// runtime registers (RTMR). A policy that names MRTD alone admits every program that this firmware starts. RTMR0 holds what
// the hypervisor tells the firmware, so no file alone gives it.
//
// No TDX machine was at hand; tests hold this package to the values of reproduce-mr, a public tool (testdata/golden.json).
package mrtd

import (
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/phalanx-network/phalanx/tee/ovmf"
)

// Size is the size of MRTD in bytes: SHA-384.
const Size = sha512.Size384

// ErrFirmware says that a firmware is not one that TDX guests start with.
var ErrFirmware = errors.New("no firmware for TDX")

// metadataEntry names the offset of the TDVF metadata from the end, from OvmfPkg/ResetVector of EDK II.
var metadataEntry = ovmf.MustGUID("e47a6535-984a-4798-865e-4685a7bf8ec2")

// Kinds of sections; QEMU starts a guest with no other.
const (
	sectionCode      = 0 // BFV
	sectionVariables = 1 // CFV
	sectionHandOff   = 2 // TD_HOB
	sectionTemporary = 3 // TempMem
)

// attributeExtend asks for the content of a section's pages to be measured.
const attributeExtend = 1

const (
	headSize    = 16 // signature, length, version, number of sections
	sectionSize = 32 // offset, size in the file, address, size in memory, kind, attributes
	maxSections = 64
	maxAll      = 64 << 20 // bytes of all sections together
)

type section struct {
	offset, raw      uint32
	address, size    uint64
	kind, attributes uint32
}

// Of returns the MRTD of a guest that QEMU with KVM starts with the firmware. The error is one of package ovmf, or ErrFirmware.
func Of(firmware []byte) ([Size]byte, error) {
	table, err := ovmf.Read(firmware)
	if err != nil {
		return [Size]byte{}, err
	}
	sections, err := readSections(firmware, table)
	if err != nil {
		return [Size]byte{}, err
	}
	m := measure{sha512.New384()}
	for _, s := range sections {
		content := firmware[s.offset:][:s.raw]
		for at := uint64(0); at < s.size; at += ovmf.PageSize {
			m.add(s.address + at)
			if s.attributes&attributeExtend != 0 {
				m.extend(s.address+at, content[at:at+ovmf.PageSize])
			}
		}
	}
	return [Size]byte(m.hash.Sum(nil)), nil
}

func readSections(firmware []byte, table ovmf.Table) ([]section, error) {
	offset, ok := table.Uint32(metadataEntry)
	if !ok {
		return nil, fmt.Errorf("%w: it has no TDVF metadata", ErrFirmware)
	}
	head, ok := ovmf.Before(firmware, offset, headSize)
	if !ok {
		return nil, fmt.Errorf("%w: its TDVF metadata is outside of it", ErrFirmware)
	}
	little := binary.LittleEndian
	length, version, count := little.Uint32(head[4:]), little.Uint32(head[8:]), little.Uint32(head[12:])
	if string(head[:4]) != "TDVF" || version != 1 {
		return nil, fmt.Errorf("%w: its TDVF metadata is not of version 1", ErrFirmware)
	}
	if count < 2 || count > maxSections || length != headSize+count*sectionSize || int64(length) > int64(len(head)) {
		return nil, fmt.Errorf("%w: its TDVF metadata has %d sections in %d bytes", ErrFirmware, count, length)
	}
	sections, total, measured := make([]section, count), uint64(0), false
	for i := range sections {
		raw := head[headSize+i*sectionSize:]
		s := section{
			offset: little.Uint32(raw), raw: little.Uint32(raw[4:]),
			address: little.Uint64(raw[8:]), size: little.Uint64(raw[16:]),
			kind: little.Uint32(raw[24:]), attributes: little.Uint32(raw[28:]),
		}
		if err := s.check(len(firmware)); err != nil {
			return nil, fmt.Errorf("%w: section %d: %w", ErrFirmware, i, err)
		}
		if total += s.size; total > maxAll {
			return nil, fmt.Errorf("%w: its sections have over %d bytes", ErrFirmware, maxAll)
		}
		measured = measured || s.kind == sectionCode && s.attributes&attributeExtend != 0
		sections[i] = s
	}
	if !measured {
		return nil, fmt.Errorf("%w: none of its code is measured, so MRTD would say nothing about it", ErrFirmware)
	}
	return sections, nil
}

func (s section) check(file int) error {
	fromFile := s.kind == sectionCode || s.kind == sectionVariables
	switch {
	case s.kind > sectionTemporary:
		return fmt.Errorf("QEMU starts no guest with kind %d", s.kind)
	case s.attributes&^attributeExtend != 0:
		return fmt.Errorf("attributes %#x are not known", s.attributes)
	case s.size > maxAll || s.size%ovmf.PageSize != 0 || s.address%ovmf.PageSize != 0 || s.address > 1<<52-maxAll:
		return fmt.Errorf("%#x bytes at %#x are not whole pages", s.size, s.address)
	case fromFile && (s.raw == 0 || uint64(s.raw) != s.size || uint64(s.offset)+uint64(s.raw) > uint64(file)):
		// QEMU would take what lies behind in the file for the rest of the memory.
		return fmt.Errorf("%#x bytes at %#x of the file do not fill its memory", s.raw, s.offset)
	case !fromFile && s.raw != 0:
		return fmt.Errorf("%#x bytes of the file for memory that has none of it", s.raw)
	case !fromFile && s.attributes != 0:
		// The hand-off block is the hypervisor's, and the file does not hold it.
		return errors.New("the content of memory that is not from the file is to be measured")
	case !fromFile && s.offset != 0:
		return fmt.Errorf("an offset %#x into the file without bytes there", s.offset)
	}
	return nil
}

// recordSize is the size of what one request hashes besides content, in bytes: a name, zeros, the address at 16, zeros.
const recordSize = 128

// chunk is how much content one TDH.MR.EXTEND measures, in bytes.
const chunk = 256

type measure struct{ hash hash.Hash }

func (m measure) record(name string, address uint64) {
	var r [recordSize]byte
	copy(r[:], name)
	binary.LittleEndian.PutUint64(r[16:], address)
	m.hash.Write(r[:])
}

func (m measure) add(address uint64) { m.record("MEM.PAGE.ADD", address) }

func (m measure) extend(address uint64, page []byte) {
	for at := 0; at < len(page); at += chunk {
		m.record("MR.EXTEND", address+uint64(at))
		m.hash.Write(page[at : at+chunk])
	}
}
