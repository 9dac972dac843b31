// Package launch computes the measurement that an SEV-SNP guest will have, from the files that its host starts it with.
//
// The secure processor starts with a digest of zeros and, for each page that the host puts into the guest, replaces it by
// SHA-384 of a PAGE_INFO structure: digest so far, SHA-384 of the page, length, type, address (SEV Secure Nested Paging
// Firmware ABI, 56860, "SNP_LAUNCH_UPDATE"). QEMU puts in, in this order: the firmware; the sections that the firmware's
// metadata ask for, among them the page with the hashes of kernel, initrd and command line; the state of each vCPU (AMD64
// Architecture Programmer's Manual 2, table B-4). All of it decides the result: another number of vCPUs, another model of
// vCPU or a byte more on the command line is another measurement.
//
// It holds for QEMU with KVM, without an SVSM. Other monitors start vCPUs in another state.
package launch

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/tee/ovmf"
)

// Size is the length of a measurement in bytes: SHA-384's.
const Size = sha512.Size384

// MaxVCPUs is the greatest number of vCPUs that is computed; KVM starts no more.
const MaxVCPUs = 4096

// SNPActive is the bit of SEV_FEATURES that every SNP guest has: SNP itself.
const SNPActive = 1

// Errors of Compute. Those of the firmware wrap ErrFirmware.
var (
	ErrFirmware = errors.New("firmware is not made for SEV-SNP")
	ErrVCPUs    = fmt.Errorf("number of vCPUs is not 1 to %d", MaxVCPUs)
	ErrFeatures = errors.New("guest features lack bit 0, SNP active")
	ErrHashes   = errors.New("firmware has no place for the hashes of the kernel: use OVMF's AmdSev build")
	ErrKernel   = errors.New("initrd or command line without a kernel")
)

// Page types of SNP_LAUNCH_UPDATE.
const (
	pageNormal  = 1
	pageVMSA    = 2
	pageZero    = 3
	pageSecrets = 5
	pageCPUID   = 6
)

const (
	pageSize = ovmf.PageSize
	// vmsaAddress is where the firmware books the vCPUs' pages: the last page below 2^48.
	vmsaAddress = 0xFFFFFFFFF000
)

// Guest is what a host starts a guest with.
type Guest struct {
	Firmware []byte // OVMF, whole pages, at most MaxFirmware
	VCPUs    int    // 1 to MaxVCPUs
	// Signature is CPUID Fn0000_0001_EAX of the model of vCPU: family, model and stepping; see [Models].
	Signature uint32
	// Features is SEV_FEATURES: bit 0 must be set; QEMU's default is 1.
	Features uint64
	// Kernel, Initrd and CommandLine are the files of a direct boot with kernel-hashes=on. A nil Kernel is a boot from disk,
	// whose measurement says nothing about what runs in the guest.
	Kernel, Initrd []byte
	CommandLine    string // without the zero byte that QEMU adds
}

// Compute returns the measurement that the guest's report will have.
func Compute(g Guest) ([Size]byte, error) {
	var d digest
	switch {
	case g.VCPUs < 1 || g.VCPUs > MaxVCPUs:
		return d, ErrVCPUs
	case g.Features&SNPActive == 0:
		return d, ErrFeatures
	case g.Kernel == nil && (g.Initrd != nil || g.CommandLine != ""):
		return d, ErrKernel
	}
	fw, err := parseFirmware(g.Firmware)
	if err != nil {
		return d, err
	}
	for at := 0; at < len(g.Firmware); at += pageSize {
		d.page(pageNormal, fw.base+uint64(at), g.Firmware[at:at+pageSize])
	}
	if err := d.sections(fw, g); err != nil {
		return digest{}, err
	}
	// The first vCPU starts at the reset vector, the others where the firmware says.
	const reset = 0xFFFFFFF0
	entry := uint32(reset)
	for i := range g.VCPUs {
		vmsa := vcpu(entry, g.Signature, g.Features)
		d.page(pageVMSA, vmsaAddress, vmsa[:])
		if i == 0 {
			entry = fw.apEntry
		}
	}
	return d, nil
}

type digest [Size]byte

// page adds a page with its content.
func (d *digest) page(kind byte, address uint64, content []byte) {
	d.add(kind, address, sha512.Sum384(content))
}

// add extends the digest by one PAGE_INFO. Pages without content have a digest of zeros. All permissions of the higher
// VMPLs are zero, and it is no page of a migration image.
func (d *digest) add(kind byte, address uint64, content [Size]byte) {
	const length = 2*Size + 16
	info := make([]byte, 0, length)
	info = append(info, d[:]...)
	info = append(info, content[:]...)
	info = binary.LittleEndian.AppendUint16(info, length)
	info = append(info, kind, 0, 0, 0, 0, 0)
	info = binary.LittleEndian.AppendUint64(info, address)
	*d = sha512.Sum384(info)
}

// sections adds what the firmware's metadata ask for, in their order.
func (d *digest) sections(fw firmware, g Guest) error {
	hashed := false
	for _, s := range fw.sections {
		switch {
		case s.kind == sectionHashes && g.Kernel != nil:
			if fw.hashes == 0 || uint64(fw.hashes) < s.address || uint64(fw.hashes)+hashesLen > s.address+s.size || s.size != pageSize {
				return ErrHashes
			}
			table := hashes(g)
			var content [pageSize]byte
			copy(content[uint64(fw.hashes)-s.address:], table[:])
			d.page(pageNormal, s.address, content[:])
			hashed = true
		case s.kind == sectionSecrets:
			d.add(pageSecrets, s.address, [Size]byte{})
		case s.kind == sectionCPUID:
			d.add(pageCPUID, s.address, [Size]byte{})
		default:
			for at := uint64(0); at < s.size; at += pageSize {
				d.add(pageZero, s.address+at, [Size]byte{})
			}
		}
	}
	if g.Kernel != nil && !hashed {
		return ErrHashes
	}
	return nil
}

// hashesLen is the length of the table of hashes: header of 18 bytes, three entries of 50, padded to a multiple of 16.
const hashesLen = 176

// hashes is the table that QEMU hands to the firmware, which refuses files that are not those.
func hashes(g Guest) [hashesLen]byte {
	const entry, whole = 16 + 2 + sha256.Size, 16 + 2 + 3*(16+2+sha256.Size)
	b := make([]byte, 0, hashesLen)
	b = append(b, guidHashes[:]...)
	b = binary.LittleEndian.AppendUint16(b, whole)
	for _, x := range []struct {
		name ovmf.GUID
		data []byte
	}{
		{guidCommandLine, append([]byte(g.CommandLine), 0)},
		{guidInitrd, g.Initrd},
		{guidKernel, g.Kernel},
	} {
		sum := sha256.Sum256(x.data)
		b = append(b, x.name[:]...)
		b = binary.LittleEndian.AppendUint16(b, entry)
		b = append(b, sum[:]...)
	}
	var table [hashesLen]byte
	copy(table[:], b)
	return table
}
