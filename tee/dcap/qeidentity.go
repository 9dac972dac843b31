package dcap

import (
	"encoding/binary"
	"fmt"
)

// qeIdentity is what Intel's quoting enclave must be, version 2. Source: "Intel PCS API specification", version 4, Get
// Quoting Enclave Identity.
type qeIdentity struct {
	dated
	// miscSelect and its mask are written as they lie in memory, little endian.
	miscSelect, miscMask [4]byte
	attributes, mask     [16]byte
	mrSigner             [32]byte
	isvProdID            uint16
	levels               []isvLevel
}

// parseQEIdentity reads the signed object.
func parseQEIdentity(data []byte) (*qeIdentity, error) {
	q, r := new(qeIdentity), &jsonReader{data: data}
	hexes := map[string][]byte{
		"miscselect": q.miscSelect[:], "miscselectMask": q.miscMask[:],
		"attributes": q.attributes[:], "attributesMask": q.mask[:], "mrsigner": q.mrSigner[:],
	}
	required := append([]string{"isvprodid"}, datedFields...)
	for name := range hexes {
		required = append(required, name)
	}
	r.object(func(name string) bool {
		out, isHex := hexes[name]
		switch {
		case isHex:
			r.hex(out)
		case name == "isvprodid":
			q.isvProdID = uint16(r.uint(0xffff))
		case name == "tcbLevels":
			r.array(func() { q.levels = append(q.levels, r.isvLevel()) })
		default:
			return q.read(r, name)
		}
		return true
	}, required...)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("QE identity: %w", err)
	}
	if q.version != 2 {
		return nil, refuse(ErrFormat, "QE identity of version %d", q.version)
	}
	return q, nil
}

// level checks that a report is of the quoting enclave and returns its level.
func (q *qeIdentity) level(report *EnclaveReport) (*isvLevel, error) {
	misc := report.MiscSelect & binary.LittleEndian.Uint32(q.miscMask[:])
	if misc != binary.LittleEndian.Uint32(q.miscSelect[:]) {
		return nil, refuse(ErrQE, "MISCSELECT is another")
	}
	for i, a := range report.Attributes {
		if a&q.mask[i] != q.attributes[i] {
			return nil, refuse(ErrQE, "ATTRIBUTES are others")
		}
	}
	if report.MRSIGNER != q.mrSigner {
		return nil, refuse(ErrQE, "MRSIGNER is another")
	}
	if report.ISVProdID != q.isvProdID {
		return nil, refuse(ErrQE, "ISVPRODID is %d, expected %d", report.ISVProdID, q.isvProdID)
	}
	return isvMatch("quoting enclave", q.levels, report.ISVSVN)
}
