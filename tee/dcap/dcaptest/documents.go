package dcaptest

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/phalanx-network/phalanx/tee"
)

// TCBInfo is Intel's TCB info, version 3, as JSON.
type TCBInfo struct {
	ID         string          `json:"id"`
	Version    int             `json:"version"`
	IssueDate  time.Time       `json:"issueDate"`
	NextUpdate time.Time       `json:"nextUpdate"`
	FMSPC      string          `json:"fmspc"`
	PCEID      string          `json:"pceId"`
	TCBType    int             `json:"tcbType"`
	Evaluation int             `json:"tcbEvaluationDataNumber"`
	Module     *Module         `json:"tdxModule,omitempty"`
	Modules    []Module        `json:"tdxModuleIdentities,omitempty"`
	Levels     []PlatformLevel `json:"tcbLevels"`
}

// Module is the identity of a TDX module.
type Module struct {
	ID             string     `json:"id,omitempty"`
	MRSIGNER       string     `json:"mrsigner"`
	Attributes     string     `json:"attributes"`
	AttributesMask string     `json:"attributesMask"`
	Levels         []ISVLevel `json:"tcbLevels,omitempty"`
}

// PlatformLevel is a TCB level of a platform.
type PlatformLevel struct {
	TCB        PlatformTCB `json:"tcb"`
	Date       time.Time   `json:"tcbDate"`
	Status     string      `json:"tcbStatus"`
	Advisories []string    `json:"advisoryIDs,omitempty"`
}

// PlatformTCB is what a platform must reach for a level.
type PlatformTCB struct {
	SGX    []Component `json:"sgxtcbcomponents"`
	PCESVN uint16      `json:"pcesvn"`
	TDX    []Component `json:"tdxtcbcomponents,omitempty"`
}

// Component is one SVN.
type Component struct {
	SVN byte `json:"svn"`
}

// ISVLevel is a TCB level of a quoting enclave or TDX module.
type ISVLevel struct {
	TCB struct {
		ISVSVN uint16 `json:"isvsvn"`
	} `json:"tcb"`
	Date       time.Time `json:"tcbDate"`
	Status     string    `json:"tcbStatus"`
	Advisories []string  `json:"advisoryIDs,omitempty"`
}

// QEIdentity is Intel's identity of a quoting enclave, version 2, as JSON.
type QEIdentity struct {
	ID             string     `json:"id"`
	Version        int        `json:"version"`
	IssueDate      time.Time  `json:"issueDate"`
	NextUpdate     time.Time  `json:"nextUpdate"`
	Evaluation     int        `json:"tcbEvaluationDataNumber"`
	MiscSelect     string     `json:"miscselect"`
	MiscSelectMask string     `json:"miscselectMask"`
	Attributes     string     `json:"attributes"`
	AttributesMask string     `json:"attributesMask"`
	MRSIGNER       string     `json:"mrsigner"`
	ISVProdID      uint16     `json:"isvprodid"`
	Levels         []ISVLevel `json:"tcbLevels"`
}

// Level returns a level of a quoting enclave or TDX module.
func Level(svn uint16, status string, date time.Time, advisories ...string) ISVLevel {
	l := ISVLevel{Date: date, Status: status, Advisories: advisories}
	l.TCB.ISVSVN = svn
	return l
}

// Components returns the JSON form of sixteen SVNs.
func Components(svns [16]byte) []Component {
	out := make([]Component, len(svns))
	for i, s := range svns {
		out[i].SVN = s
	}
	return out
}

// Dates of the default levels: a platform's are the latest.
var (
	DateNew = time.Date(2029, 11, 13, 0, 0, 0, 0, time.UTC)
	DateOld = time.Date(2028, 5, 10, 0, 0, 0, 0, time.UTC)
)

// documents fills in TCB info and QE identity that fit the machine.
func (w *World) documents() {
	issued, next := w.Now.Add(-24*time.Hour), w.Now.Add(30*24*time.Hour)
	w.TCBInfo = TCBInfo{
		ID: "SGX", Version: 3, IssueDate: issued, NextUpdate: next, Evaluation: 18,
		FMSPC: strings.ToUpper(hex.EncodeToString(w.FMSPC[:])), PCEID: hex.EncodeToString(w.PCEID[:]),
	}
	w.QEIdentity = QEIdentity{
		ID: "QE", Version: 2, IssueDate: issued, NextUpdate: next, Evaluation: 18,
		MiscSelect: "00000000", MiscSelectMask: "FFFFFFFF",
		Attributes: "11" + strings.Repeat("0", 30), AttributesMask: "FBFFFFFFFFFFFFFF" + strings.Repeat("0", 16),
		MRSIGNER: strings.ToUpper(hex.EncodeToString(w.QE.MRSIGNER[:])), ISVProdID: w.QE.ISVProdID,
		Levels: []ISVLevel{
			Level(8, "UpToDate", DateNew), Level(6, "OutOfDate", DateOld, "INTEL-SA-90001"),
			Level(4, "Revoked", DateOld, "INTEL-SA-90002"),
		},
	}
	lower := w.Components
	lower[0]--
	now, old := PlatformTCB{SGX: Components(w.Components), PCESVN: w.PCESVN}, PlatformTCB{SGX: Components(lower), PCESVN: 5}
	if w.Kind == tee.KindTDX {
		w.TCBInfo.ID, w.QEIdentity.ID = "TDX", "TD_QE"
		now.TDX, old.TDX = Components(w.TD.TEETCBSVN), Components([16]byte{3, 0, 4})
		zero := Module{
			MRSIGNER: strings.Repeat("0", 96), Attributes: strings.Repeat("0", 16), AttributesMask: strings.Repeat("F", 16),
		}
		one := zero
		one.ID = "TDX_01"
		one.Levels = []ISVLevel{
			Level(5, "UpToDate", DateNew), Level(3, "OutOfDate", DateOld, "INTEL-SA-80001"),
			Level(1, "Revoked", DateOld, "INTEL-SA-80002"),
		}
		w.TCBInfo.Module, w.TCBInfo.Modules = &zero, []Module{one}
	}
	w.TCBInfo.Levels = []PlatformLevel{
		{TCB: now, Date: DateNew, Status: "UpToDate"},
		{TCB: old, Date: DateOld, Status: "OutOfDate", Advisories: []string{"INTEL-SA-70001"}},
	}
}

// document signs the JSON of v with the TCB signing key.
func (b *builder) document(v any) (text []byte, sig [64]byte, err error) {
	if text, err = json.Marshal(v); err != nil {
		return nil, sig, err
	}
	sig, err = b.key(TCBSigning).raw(text)
	return text, sig, err
}
