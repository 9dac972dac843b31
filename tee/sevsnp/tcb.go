package sevsnp

import (
	"encoding/binary"
	"fmt"

	"github.com/phalanx-network/phalanx/tee/reason"
)

// TCB is the security patch level of a platform's parts, as Milan and Genoa number them. Levels only mean something
// against those of the same product.
type TCB struct {
	BootLoader uint8 `json:"boot_loader"`
	TEE        uint8 `json:"tee"`
	SNP        uint8 `json:"snp"`
	Microcode  uint8 `json:"microcode"`
}

// AtLeast reports whether no part of t is below its level in least.
func (t TCB) AtLeast(least TCB) bool {
	return t.BootLoader >= least.BootLoader && t.TEE >= least.TEE && t.SNP >= least.SNP && t.Microcode >= least.Microcode
}

// String returns the levels by name.
func (t TCB) String() string {
	return fmt.Sprintf("boot loader %d, tee %d, snp %d, microcode %d", t.BootLoader, t.TEE, t.SNP, t.Microcode)
}

// parseTCB reads a TCB_VERSION, whose bytes 2 to 5 are reserved.
func parseTCB(name string, v uint64) (TCB, error) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	if v&0x0000_ffff_ffff_0000 != 0 {
		return TCB{}, reason.New(reason.Format, "%s TCB %x has reserved bytes set", name, b)
	}
	return TCB{BootLoader: b[0], TEE: b[1], SNP: b[6], Microcode: b[7]}, nil
}
