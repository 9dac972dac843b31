package sevsnp

import (
	"encoding/binary"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// TCB is the security patch level of a platform's parts.
type TCB = tee.Levels

// parseTCB reads a TCB_VERSION, whose bytes 2 to 5 are reserved.
func parseTCB(name string, v uint64) (TCB, error) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	if v&0x0000_ffff_ffff_0000 != 0 {
		return TCB{}, reason.New(reason.Format, "%s TCB %x has reserved bytes set", name, b)
	}
	return TCB{BootLoader: b[0], TEE: b[1], SNP: b[6], Microcode: b[7]}, nil
}
