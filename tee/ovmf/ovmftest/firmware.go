// Package ovmftest makes firmware files for tests: a body of fixed pseudo-random bytes, descriptions of memory, the table
// of entries, and a reset vector of zeros. Nothing of it can run.
package ovmftest

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/phalanx-network/phalanx/tee/ovmf"
)

// Entry is an entry of the table.
type Entry struct {
	Name ovmf.GUID
	Data []byte
}

// Number is an entry of four bytes.
func Number(name ovmf.GUID, value uint32) Entry {
	return Entry{name, binary.LittleEndian.AppendUint32(nil, value)}
}

var footer = ovmf.MustGUID("96b582de-1fb2-45f7-baea-a366c55a082d")

// BlockEnd is how far before a firmware's end the block that is given to Build ends.
const BlockEnd = 1024

// Build makes a firmware of size bytes, at least 4096. The block lies before the last BlockEnd bytes, so that it begins
// BlockEnd+len(block) bytes before the end; the table, in the order of the file, must fit behind it.
func Build(size int, block []byte, entries ...Entry) []byte {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range data[:size-BlockEnd] {
		data[i] = byte(r.Uint32())
	}
	copy(data[size-BlockEnd-len(block):], block)
	var table []byte
	for _, e := range append(entries, Entry{Name: footer}) {
		length := 18 + len(e.Data)
		if e.Name == footer {
			length = len(table) + 18
		}
		table = append(table, e.Data...)
		table = binary.LittleEndian.AppendUint16(table, uint16(length))
		table = append(table, e.Name[:]...)
	}
	copy(data[size-32-len(table):], table)
	return data
}
