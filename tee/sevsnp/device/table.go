package device

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/phalanx-network/phalanx/tee/certchain"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// A certificate table: entries of GUID [16], offset u32 and length u32, little-endian, from the table's start; an entry
// of zeros; the certificates. Source: "SEV-ES Guest-Hypervisor Communication Block Standardization", document 56421,
// section 4.1.8.1.
const (
	tableEntrySize  = 24
	maxTableEntries = 32
)

// guid names an entry; its bytes stand in the order of the text.
type guid [16]byte

func mustGUID(text string) (g guid) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || copy(g[:], b) != len(g) {
		panic("device: GUID " + text)
	}
	return g
}

// The entries that are of use. The intermediate is the ASK or the ASVK.
var (
	guidVCEK         = mustGUID("63da758d-e664-4564-adc5-f4b93be8accd")
	guidVLEK         = mustGUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1")
	guidIntermediate = mustGUID("4ab7b379-bbac-4fe4-a02f-05aef327c782")
)

// readTable returns the certificates of a host's table, aliasing it; nil for a table that breaks the format anywhere.
func readTable(table []byte) map[guid][]byte {
	n, ok := entries(table)
	if !ok {
		return nil
	}
	found := make(map[guid][]byte, n)
	for i := range n {
		e := table[i*tableEntrySize:]
		name, offset, length := guid(e), binary.LittleEndian.Uint32(e[16:]), binary.LittleEndian.Uint32(e[20:])
		end := uint64(offset) + uint64(length) // a sum of 32 bits would wrap around
		if int(offset) < (n+1)*tableEntrySize || length == 0 || end > uint64(len(table)) || found[name] != nil {
			return nil
		}
		found[name] = table[offset:end:end]
	}
	return found
}

// entries counts the entries before the one of zeros.
func entries(table []byte) (n int, ok bool) {
	if len(table) > MaxTable {
		return 0, false
	}
	for n <= maxTableEntries && len(table) >= (n+1)*tableEntrySize {
		if [tableEntrySize]byte(table[n*tableEntrySize:]) == ([tableEntrySize]byte{}) {
			return n, true
		}
		n++
	}
	return 0, false
}

// collateral picks what a report's verification needs out of a host's certificate table: the certificate of the key
// that signed, and its authority's where it is there. ok is false where the table has none that can be read; the
// certificates are not verified.
func collateral(signer signingKey, table []byte) (c sevsnp.Collateral, ok bool) {
	certs := readTable(table)
	key := guidVCEK
	if signer == signedByVLEK {
		key = guidVLEK
	}
	if _, err := certchain.Parse("endorsement key", certs[key]); err != nil {
		return c, false
	}
	c.EndorsementKey = certs[key]
	if _, err := certchain.Parse("intermediate", certs[guidIntermediate]); err == nil {
		c.Intermediate = certs[guidIntermediate]
	}
	return c, true
}
