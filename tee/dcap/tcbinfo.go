package dcap

import (
	"fmt"
	"strings"
	"time"

	"github.com/phalanx-network/phalanx/tee"
)

// dated is the head that TCB info and QE identity have in common.
type dated struct {
	id         string
	version    uint32
	issued     time.Time
	next       time.Time
	evaluation uint32 // tcbEvaluationDataNumber
}

var datedFields = []string{"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "tcbLevels"}

func (d *dated) read(r *jsonReader, name string) bool {
	switch name {
	case "id":
		d.id = r.text()
	case "version":
		d.version = r.uint(1 << 16)
	case "issueDate":
		d.issued = r.time()
	case "nextUpdate":
		d.next = r.time()
	case "tcbEvaluationDataNumber":
		d.evaluation = r.uint(1 << 30)
	default:
		return false
	}
	return true
}

// verdict is what a TCB level says of those who reach it.
type verdict struct {
	status     tee.TCBStatus
	date       time.Time
	advisories []string
}

var verdictFields = []string{"tcb", "tcbDate", "tcbStatus"}

func (v *verdict) read(r *jsonReader, name string) bool {
	switch name {
	case "tcbDate":
		v.date = r.time()
	case "tcbStatus":
		v.status = r.status()
	case "advisoryIDs":
		r.array(func() { v.advisories = append(v.advisories, r.text()) })
	default:
		return false
	}
	return true
}

// status reads one of the seven words.
func (r *jsonReader) status() tee.TCBStatus {
	word := r.text()
	for s := tee.TCBUpToDate; s <= tee.TCBRevoked; s++ {
		if word == s.String() {
			return s
		}
	}
	r.fail("unknown TCB status")
	return tee.TCBRevoked
}

// platformLevel is a TCB level of a platform.
type platformLevel struct {
	verdict
	sgx    [16]byte
	tdx    [16]byte
	hasTDX bool
	pceSVN uint16
}

// isvLevel is a TCB level of a QE or TDX module.
type isvLevel struct {
	verdict
	isvSVN uint16
}

// moduleIdentity is what a TDX module must be.
type moduleIdentity struct {
	id               string // "TDX_" and the version in hexadecimal
	mrSigner         [48]byte
	attributes, mask [8]byte
	levels           []isvLevel
}

// tcbInfo is Intel's TCB info, version 3. Source: "Intel PCS API specification", version 4, Get TCB Info.
type tcbInfo struct {
	dated
	fmspc   [6]byte
	pceID   [2]byte
	tcbType uint32
	module  *moduleIdentity // of module version 0
	modules []moduleIdentity
	levels  []platformLevel
}

// parseTCBInfo reads the signed object.
func parseTCBInfo(data []byte) (*tcbInfo, error) {
	t, r := new(tcbInfo), &jsonReader{data: data}
	r.object(func(name string) bool {
		switch name {
		case "fmspc":
			r.hex(t.fmspc[:])
		case "pceId":
			r.hex(t.pceID[:])
		case "tcbType":
			t.tcbType = r.uint(1 << 16)
		case "tdxModule":
			t.module = new(moduleIdentity)
			t.module.read(r, "mrsigner", "attributes", "attributesMask")
		case "tdxModuleIdentities":
			r.array(func() {
				var m moduleIdentity
				m.read(r, "id", "mrsigner", "attributes", "attributesMask", "tcbLevels")
				t.modules = append(t.modules, m)
			})
		case "tcbLevels":
			r.array(func() { t.levels = append(t.levels, r.platformLevel()) })
		default:
			return t.read(r, name)
		}
		return true
	}, append([]string{"fmspc", "pceId", "tcbType"}, datedFields...)...)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("TCB info: %w", err)
	}
	if t.version != 3 || t.tcbType != 0 {
		return nil, refuse(ErrFormat, "TCB info of version %d and TCB type %d", t.version, t.tcbType)
	}
	return t, nil
}

func (m *moduleIdentity) read(r *jsonReader, required ...string) {
	r.object(func(name string) bool {
		switch name {
		case "id":
			m.id = r.text()
		case "mrsigner":
			r.hex(m.mrSigner[:])
		case "attributes":
			r.hex(m.attributes[:])
		case "attributesMask":
			r.hex(m.mask[:])
		case "tcbLevels":
			r.array(func() { m.levels = append(m.levels, r.isvLevel()) })
		default:
			return false
		}
		return true
	}, required...)
}

func (r *jsonReader) isvLevel() (l isvLevel) {
	r.object(func(name string) bool {
		if name != "tcb" {
			return l.read(r, name)
		}
		r.object(func(name string) bool {
			if name == "isvsvn" {
				l.isvSVN = uint16(r.uint(0xffff))
				return true
			}
			return false
		}, "isvsvn")
		return true
	}, verdictFields...)
	return l
}

func (r *jsonReader) platformLevel() (l platformLevel) {
	r.object(func(name string) bool {
		if name != "tcb" {
			return l.read(r, name)
		}
		r.object(func(name string) bool {
			switch name {
			case "sgxtcbcomponents":
				r.components(&l.sgx)
			case "tdxtcbcomponents":
				l.hasTDX = true
				r.components(&l.tdx)
			case "pcesvn":
				l.pceSVN = uint16(r.uint(0xffff))
			default:
				return false
			}
			return true
		}, "sgxtcbcomponents", "pcesvn")
		return true
	}, verdictFields...)
	return l
}

// components reads exactly sixteen objects with an SVN each.
func (r *jsonReader) components(out *[16]byte) {
	n := 0
	r.array(func() {
		r.object(func(name string) bool {
			if name != "svn" || n >= len(out) {
				return false
			}
			out[n] = byte(r.uint(0xff))
			return true
		}, "svn")
		n++
	})
	if r.err == nil && n != len(out) {
		r.fail("not sixteen TCB components")
	}
}

// reaches reports whether SVNs from index first on are all at least those of a level.
func reaches(have, level *[16]byte, first int) bool {
	for i := first; i < len(have); i++ {
		if have[i] < level[i] {
			return false
		}
	}
	return true
}

// platformLevel returns the first level, in Intel's order, that the platform reaches: by the SGX components and PCESVN
// of the PCK certificate, and for TDX by the TEE TCB SVNs of the report too. The first two of those are for the TDX
// module, which has levels of its own from version 1 on. sgx is the first level that it reaches without looking at the
// latter.
func (t *tcbInfo) platformLevel(p *platform, td *TDReport) (match, sgx *platformLevel, err error) {
	for i := range t.levels {
		l := &t.levels[i]
		if !reaches(&p.components, &l.sgx, 0) || p.pceSVN < l.pceSVN {
			continue
		}
		if sgx == nil {
			sgx = l
		}
		if td == nil {
			return l, sgx, nil
		}
		if !l.hasTDX {
			return nil, nil, refuse(ErrFormat, "TCB info has a level without TDX components")
		}
		first := 0
		if td.TEETCBSVN[1] > 0 {
			first = 2
		}
		if reaches(&td.TEETCBSVN, &l.tdx, first) {
			return l, sgx, nil
		}
	}
	return nil, nil, refuse(ErrTCB, "platform reaches none of %d levels", len(t.levels))
}

// identity returns the identity of a TDX module's version, or nil.
func (t *tcbInfo) identity(version byte) *moduleIdentity {
	id := fmt.Sprintf("TDX_%02X", version)
	for i := range t.modules {
		if strings.EqualFold(t.modules[i].id, id) {
			return &t.modules[i]
		}
	}
	return nil
}

// moduleLevel checks that the TDX module is one of Intel's and returns its level. Version 0 has none: its SVN is part
// of the platform's.
func (t *tcbInfo) moduleLevel(td *TDReport) (*isvLevel, error) {
	version := td.TEETCBSVN[1]
	m := t.module
	if version > 0 {
		m = t.identity(version)
	}
	if m == nil {
		return nil, refuse(ErrModule, "TCB info knows no TDX module of version %d", version)
	}
	if td.MRSIGNERSEAM != m.mrSigner {
		return nil, refuse(ErrModule, "TDX module has another signer")
	}
	for i, a := range td.SEAMAttributes {
		// Intel's own library takes a module without attributes only; no other has been published.
		if a != 0 || a&m.mask[i] != m.attributes[i] {
			return nil, refuse(ErrModule, "TDX module has other attributes")
		}
	}
	if version == 0 {
		return nil, nil
	}
	return isvMatch("TDX module", m.levels, uint16(td.TEETCBSVN[0]))
}

// isvMatch returns the first level, in Intel's order, that an ISVSVN reaches.
func isvMatch(what string, levels []isvLevel, svn uint16) (*isvLevel, error) {
	for i := range levels {
		if l := &levels[i]; svn >= l.isvSVN {
			switch l.status {
			case tee.TCBUpToDate, tee.TCBOutOfDate, tee.TCBRevoked:
				return l, nil
			}
			return nil, refuse(ErrFormat, "%s with the status %s, which is for platforms", what, l.status)
		}
	}
	return nil, refuse(ErrTCB, "%s of SVN %d reaches none of %d levels", what, svn, len(levels))
}
