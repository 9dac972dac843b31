package dcaptest

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// quote makes the quote without padding.
func (b *builder) quote(ca Role) ([]byte, error) {
	signed := b.signedPart()
	signature, err := b.key(Attestation).raw(signed)
	if err != nil {
		return nil, err
	}
	key, err := b.key(Attestation).public()
	if err != nil {
		return nil, err
	}
	qe := b.QE
	bound := sha256.Sum256(append(append([]byte{}, key...), b.QEAuth...))
	qe.ReportData = [64]byte{}
	copy(qe.ReportData[:], bound[:])
	report := enclaveBytes(&qe)
	qeSignature, err := b.key(PCK).raw(report)
	if err != nil {
		return nil, err
	}
	certified := append(report, qeSignature[:]...)
	certified = binary.LittleEndian.AppendUint16(certified, uint16(len(b.QEAuth)))
	certified = append(certified, b.QEAuth...)
	certified = appendSized(certified, 5, append(b.pem(PCK, ca, Root), 0))

	auth := append(signature[:], key...)
	if b.Version == 3 {
		auth = append(auth, certified...)
	} else {
		auth = appendSized(auth, 6, certified)
	}
	out := binary.LittleEndian.AppendUint32(signed, uint32(len(auth)))
	return append(out, auth...), nil
}

// appendSized appends certification data: its type, size and bytes.
func appendSized(out []byte, kind uint16, data []byte) []byte {
	out = binary.LittleEndian.AppendUint16(out, kind)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
	return append(out, data...)
}

// signedPart is the header and body.
func (b *builder) signedPart() []byte {
	header := make([]byte, 48)
	binary.LittleEndian.PutUint16(header, uint16(b.Version))
	binary.LittleEndian.PutUint16(header[2:], 2) // ECDSA on P-256
	if b.Kind == tee.KindTDX {
		binary.LittleEndian.PutUint32(header[4:], 0x81)
	}
	copy(header[12:], []byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07})
	switch {
	case b.Kind == tee.KindSGX:
		return append(header, enclaveBytes(&b.Enclave)...)
	case b.Version == 4:
		return append(header, tdBytes(&b.TD, false)...)
	case b.V15:
		return appendSized(header, 3, tdBytes(&b.TD, true))
	}
	return appendSized(header, 2, tdBytes(&b.TD, false))
}

func enclaveBytes(r *dcap.EnclaveReport) []byte {
	out := make([]byte, 384)
	copy(out, r.CPUSVN[:])
	binary.LittleEndian.PutUint32(out[16:], r.MiscSelect)
	copy(out[32:], r.ISVExtProdID[:])
	copy(out[48:], r.Attributes[:])
	copy(out[64:], r.MRENCLAVE[:])
	copy(out[128:], r.MRSIGNER[:])
	copy(out[192:], r.ConfigID[:])
	binary.LittleEndian.PutUint16(out[256:], r.ISVProdID)
	binary.LittleEndian.PutUint16(out[258:], r.ISVSVN)
	binary.LittleEndian.PutUint16(out[260:], r.ConfigSVN)
	copy(out[304:], r.ISVFamilyID[:])
	copy(out[320:], r.ReportData[:])
	return out
}

func tdBytes(r *dcap.TDReport, v15 bool) []byte {
	parts := [][]byte{
		r.TEETCBSVN[:], r.MRSEAM[:], r.MRSIGNERSEAM[:], r.SEAMAttributes[:], r.TDAttributes[:], r.XFAM[:],
		r.MRTD[:], r.MRCONFIGID[:], r.MROWNER[:], r.MROWNERCONFIG[:],
		r.RTMR[0][:], r.RTMR[1][:], r.RTMR[2][:], r.RTMR[3][:], r.ReportData[:],
	}
	if v15 {
		parts = append(parts, r.TEETCBSVN2[:], r.MRSERVICETD[:])
	}
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
