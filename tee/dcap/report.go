package dcap

import "encoding/binary"

// EnclaveReport is what SGX measured of an enclave. Source: Intel SDM volume 3D, "REPORT".
type EnclaveReport struct {
	CPUSVN       [16]byte
	MiscSelect   uint32
	ISVExtProdID [16]byte
	Attributes   [16]byte // FLAGS ‖ XFRM
	MRENCLAVE    [32]byte
	MRSIGNER     [32]byte
	ConfigID     [64]byte
	ISVProdID    uint16
	ISVSVN       uint16
	ConfigSVN    uint16
	ISVFamilyID  [16]byte
	ReportData   [64]byte
}

const sgxDebugFlag = 0x02 // byte 0 of ATTRIBUTES

// Debug reports whether the enclave's memory can be read from outside.
func (r *EnclaveReport) Debug() bool { return r.Attributes[0]&sgxDebugFlag != 0 }

// parseEnclaveReport reads the 384 bytes of a report body.
func parseEnclaveReport(b []byte) *EnclaveReport {
	return &EnclaveReport{
		CPUSVN:       [16]byte(b[0:]),
		MiscSelect:   binary.LittleEndian.Uint32(b[16:]),
		ISVExtProdID: [16]byte(b[32:]),
		Attributes:   [16]byte(b[48:]),
		MRENCLAVE:    [32]byte(b[64:]),
		MRSIGNER:     [32]byte(b[128:]),
		ConfigID:     [64]byte(b[192:]),
		ISVProdID:    binary.LittleEndian.Uint16(b[256:]),
		ISVSVN:       binary.LittleEndian.Uint16(b[258:]),
		ConfigSVN:    binary.LittleEndian.Uint16(b[260:]),
		ISVFamilyID:  [16]byte(b[304:]),
		ReportData:   [64]byte(b[320:]),
	}
}

// TDReport is what TDX measured of a trust domain. Source: "Intel TDX Module Base Architecture Specification", TDREPORT.
type TDReport struct {
	TEETCBSVN      [16]byte // of the TDX module that started the domain: [0] its ISVSVN, [1] its version
	MRSEAM         [48]byte
	MRSIGNERSEAM   [48]byte
	SEAMAttributes [8]byte
	TDAttributes   [8]byte
	XFAM           [8]byte
	MRTD           [48]byte
	MRCONFIGID     [48]byte
	MROWNER        [48]byte
	MROWNERCONFIG  [48]byte
	RTMR           [4][48]byte
	ReportData     [64]byte
	// V15 tells whether the report is of TDX 1.5 and has the two fields that follow.
	V15         bool
	TEETCBSVN2  [16]byte // of the TDX module that runs now
	MRSERVICETD [48]byte
}

// Debug reports whether the host can read the domain's memory: any bit of the group TUD (TD under debug) counts.
func (r *TDReport) Debug() bool { return r.TDAttributes[0] != 0 }

// migratable is the bit MIGRATABLE (29) of ATTRIBUTES, in its byte 3.
const migratable = 0x20

// Migratable reports whether a service domain may take the domain's memory to another machine. The host binds that domain,
// and a report of TDX 1.0 does not even say which it is.
func (r *TDReport) Migratable() bool { return r.TDAttributes[3]&migratable != 0 }

// parseTDReport reads the 584 bytes of a TDX 1.0 body or the 648 of a TDX 1.5 one.
func parseTDReport(b []byte) *TDReport {
	r := &TDReport{
		TEETCBSVN:      [16]byte(b[0:]),
		MRSEAM:         [48]byte(b[16:]),
		MRSIGNERSEAM:   [48]byte(b[64:]),
		SEAMAttributes: [8]byte(b[112:]),
		TDAttributes:   [8]byte(b[120:]),
		XFAM:           [8]byte(b[128:]),
		MRTD:           [48]byte(b[136:]),
		MRCONFIGID:     [48]byte(b[184:]),
		MROWNER:        [48]byte(b[232:]),
		MROWNERCONFIG:  [48]byte(b[280:]),
		ReportData:     [64]byte(b[520:]),
		V15:            len(b) == td15BodySize,
	}
	for i := range r.RTMR {
		r.RTMR[i] = [48]byte(b[328+48*i:])
	}
	if r.V15 {
		r.TEETCBSVN2 = [16]byte(b[584:])
		r.MRSERVICETD = [48]byte(b[600:])
	}
	return r
}
