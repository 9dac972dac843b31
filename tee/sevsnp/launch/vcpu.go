package launch

import "encoding/binary"

// vcpu is the page with the state in which QEMU with KVM starts a vCPU at entry: a processor after reset, with what KVM
// sets for itself (EFER.SVME, CR4.MCE). The layout is table B-4 of AMD's manual; what is not named is zero.
func vcpu(entry, signature uint32, features uint64) [pageSize]byte {
	var p [pageSize]byte
	segment := func(at int, selector, attributes uint16, limit uint32, base uint64) {
		binary.LittleEndian.PutUint16(p[at:], selector)
		binary.LittleEndian.PutUint16(p[at+2:], attributes)
		binary.LittleEndian.PutUint32(p[at+4:], limit)
		binary.LittleEndian.PutUint64(p[at+8:], base)
	}
	const data, code, ldt, tss, all = 0x93, 0x9b, 0x82, 0x8b, 0xffff
	segment(0x00, 0, data, all, 0)                             // ES
	segment(0x10, 0xf000, code, all, uint64(entry&0xffff0000)) // CS
	segment(0x20, 0, data, all, 0)                             // SS
	segment(0x30, 0, data, all, 0)                             // DS
	segment(0x40, 0, data, all, 0)                             // FS
	segment(0x50, 0, data, all, 0)                             // GS
	segment(0x60, 0, 0, all, 0)                                // GDTR
	segment(0x70, 0, ldt, all, 0)                              // LDTR
	segment(0x80, 0, 0, all, 0)                                // IDTR
	segment(0x90, 0, tss, all, 0)                              // TR
	for _, r := range []struct {
		at    int
		value uint64
	}{
		{0x0d0, 0x1000},                 // EFER
		{0x148, 0x40},                   // CR4
		{0x158, 0x10},                   // CR0
		{0x160, 0x400},                  // DR7
		{0x168, 0xffff0ff0},             // DR6
		{0x170, 2},                      // RFLAGS
		{0x178, uint64(entry & 0xffff)}, // RIP
		{0x268, 0x0007040600070406},     // PAT
		{0x310, uint64(signature)},      // RDX
		{0x3b0, features},               // SEV_FEATURES
		{0x3e8, 1},                      // XCR0
	} {
		binary.LittleEndian.PutUint64(p[r.at:], r.value)
	}
	binary.LittleEndian.PutUint32(p[0x408:], 0x1f80) // MXCSR
	binary.LittleEndian.PutUint16(p[0x410:], 0x037f) // x87 control word
	return p
}

// Models are QEMU's models of vCPU that have SEV-SNP's processors as theirs, with their CPUID signature. A model's versions
// (EPYC-v4, EPYC-Milan-v2) have the same signature.
var Models = map[string]uint32{
	"EPYC":       signature(23, 1, 2),
	"EPYC-Rome":  signature(23, 49, 0),
	"EPYC-Milan": signature(25, 1, 1),
	"EPYC-Genoa": signature(25, 17, 0),
}

// signature is CPUID Fn0000_0001_EAX (AMD, CPUID Specification, 25481) of a family from 15 on.
func signature(family, model, stepping uint32) uint32 {
	return (family-15)<<20 | model>>4<<16 | 15<<8 | model&15<<4 | stepping
}
