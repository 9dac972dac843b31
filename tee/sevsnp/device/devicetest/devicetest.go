// Package devicetest imitates an SEV-SNP guest and its firmware for tests: reports in the genuine format under a test
// root, and derived keys that depend on what the firmware's specification says they depend on. The imitation follows
// AMD's document 56860; it cannot show that real firmware does.
package devicetest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path"

	"github.com/google/go-configfs-tsm/configfs/configfsi"
	"github.com/google/go-configfs-tsm/configfs/faketsm"
	"github.com/google/go-sev-guest/abi"
	"github.com/google/uuid"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
	"github.com/phalanx-network/phalanx/tee/sevsnp/device"
	"github.com/phalanx-network/phalanx/tee/sevsnp/sevsnptest"
)

// Offsets in a report that sevsnptest has no need of.
const (
	OffsetGuestSVN     = 0x04
	OffsetCommittedTCB = 0x1e0
)

// PolicyDefault is the guest policy of sevsnptest's reports: simultaneous multithreading, and a bit that is always one.
const PolicyDefault = 1<<17 | 1<<16

// Guest is a guest on a machine with its firmware. The zero fields are those of a plain guest; change them as a host
// would.
type Guest struct {
	Machine     *sevsnptest.Machine
	Secret      [32]byte // the chip's
	Committed   uint64   // TCB_VERSION below which the firmware cannot go back
	Measurement [sevsnp.MeasurementSize]byte
	Policy      uint64
	GuestSVN    uint32
	VMPL        uint32 // at which the guest runs
	ByVLEK      bool   // reports are signed by the VLEK, which is loaded
	NoKeySelect bool   // old firmware: no VLEK, no KEY_SEL
	NoVCEK      bool   // firmware that refuses to derive of the VCEK
	Table       []byte // certificate table; nil for none

	// Spoil, if set, changes a report after it was signed: a device that answers with something else.
	Spoil func(raw []byte) []byte
}

var (
	_ device.Reports = (*Guest)(nil)
	_ device.Deriver = (*Guest)(nil)
)

// Report returns a signed report.
func (g *Guest) Report(ctx context.Context, data [sevsnp.ReportDataSize]byte, vmpl uint32) (report, table []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if vmpl < g.VMPL || vmpl > 3 {
		return nil, nil, &device.FirmwareError{Request: "report", Status: device.StatusInvalidParameter}
	}
	report, err = g.Machine.Report(func(raw []byte) {
		le := binary.LittleEndian
		le.PutUint32(raw[OffsetGuestSVN:], g.GuestSVN)
		le.PutUint64(raw[sevsnptest.OffsetPolicy:], g.Policy)
		le.PutUint32(raw[sevsnptest.OffsetVMPL:], vmpl)
		copy(raw[sevsnptest.OffsetReportData:], data[:])
		copy(raw[sevsnptest.OffsetMeasurement:], g.Measurement[:])
		le.PutUint64(raw[OffsetCommittedTCB:], g.Committed)
		if g.ByVLEK {
			le.PutUint32(raw[sevsnptest.OffsetSigner:], sevsnptest.SignerVLEK)
		}
	})
	if err == nil && g.Spoil != nil {
		report = g.Spoil(report)
	}
	return report, g.Table, err
}

// DeriveKey derives as the firmware does: the root and every selected field are in the key, and so are the selection
// itself and the privilege level.
func (g *Guest) DeriveKey(ctx context.Context, r device.KeyRequest) (key [32]byte, err error) {
	if err := ctx.Err(); err != nil {
		return key, err
	}
	refuse := func(s device.Status) ([32]byte, error) {
		return [32]byte{}, &device.FirmwareError{Request: "derived key", Status: s}
	}
	const fields = device.FieldPolicy | device.FieldImageID | device.FieldFamilyID | device.FieldMeasurement |
		device.FieldGuestSVN | device.FieldTCB
	if r.Fields&^fields != 0 || r.VMPL < g.VMPL || r.VMPL > 3 || r.GuestSVN > g.GuestSVN || !within(r.TCB, g.Committed) {
		return refuse(device.StatusInvalidParameter)
	}
	root, status := g.root(r.Root)
	if status != 0 {
		return refuse(status)
	}
	le, mixed := binary.LittleEndian, []byte{}
	mixed = le.AppendUint64(mixed, uint64(r.Fields))
	mixed = le.AppendUint32(mixed, r.VMPL)
	if r.Fields&device.FieldPolicy != 0 {
		mixed = le.AppendUint64(mixed, g.Policy)
	}
	if r.Fields&device.FieldMeasurement != 0 {
		mixed = append(mixed, g.Measurement[:]...)
	}
	if r.Fields&device.FieldGuestSVN != 0 {
		mixed = le.AppendUint32(mixed, r.GuestSVN)
	}
	if r.Fields&device.FieldTCB != 0 {
		mixed = le.AppendUint64(mixed, r.TCB)
	}
	return mac(root[:], mixed), nil
}

// root is the key that a request chooses. The VLEK's depends on the provider alone, not on the chip.
func (g *Guest) root(r device.RootKey) (key [32]byte, s device.Status) {
	if r > 7 || g.NoKeySelect && r > 1 {
		return key, device.StatusInvalidParameter
	}
	if r&device.RootVMRK != 0 {
		return key, device.StatusInvalidKey // no migration agent
	}
	switch r {
	case device.RootDefault:
		if g.ByVLEK {
			return g.root(device.RootVLEK)
		}
		return mac(g.Secret[:], []byte("vcek")), 0
	case device.RootVCEK:
		if g.NoVCEK {
			return key, device.StatusInvalidKey
		}
		return mac(g.Secret[:], []byte("vcek")), 0
	case device.RootVLEK:
		if !g.ByVLEK {
			return key, device.StatusInvalidKey
		}
		return mac([]byte("test cloud"), []byte("vlek")), 0
	}
	return key, device.StatusInvalidParameter
}

// within reports whether no part of a TCB_VERSION is above most's.
func within(tcb, most uint64) bool {
	for range 8 {
		if tcb&0xff > most&0xff {
			return false
		}
		tcb, most = tcb>>8, most>>8
	}
	return true
}

func mac(key, text []byte) (out [32]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	h.Sum(out[:0])
	return out
}

// Table returns a certificate table with a machine's certificates, as a host gives it.
func Table(c *sevsnp.Collateral, vlek bool) []byte {
	key := abi.VcekGUID
	if vlek {
		key = abi.VlekGUID
	}
	t := abi.CertTable{Entries: []abi.CertTableEntry{
		{GUID: uuid.MustParse(key), RawCert: c.EndorsementKey},
		{GUID: uuid.MustParse(abi.AskGUID), RawCert: c.Intermediate},
	}}
	return t.Marshal()
}

// Configfs returns configfs-tsm as the kernel serves it for g, under the name provider.
func Configfs(g *Guest, provider string) configfsi.Client {
	s := faketsm.ReportV7(uint(g.VMPL))
	attribute := s.ReadAttr
	s.ReadAttr = func(e *faketsm.ReportEntry, name string) ([]byte, error) {
		switch name {
		case "auxblob":
			return g.Table, nil
		case "outblob":
			return g.outblob(e)
		}
		return attribute(e, name)
	}
	return named{&faketsm.Client{Subsystems: map[string]configfsi.Client{"report": s}}, provider}
}

// named answers for the attribute provider, which the kernel serves from the start and the fake only after a write.
type named struct {
	*faketsm.Client
	provider string
}

// ReadFile reads an attribute.
func (n named) ReadFile(name string) ([]byte, error) {
	if path.Base(name) == "provider" {
		return []byte(n.provider + "\n"), nil
	}
	return n.Client.ReadFile(name)
}

// outblob makes the report that an entry's inputs ask for.
func (g *Guest) outblob(e *faketsm.ReportEntry) ([]byte, error) {
	in := e.InAttrs["inblob"].Value
	if len(in) != sevsnp.ReportDataSize {
		return nil, fmt.Errorf("inblob of %d bytes", len(in))
	}
	var vmpl uint32
	if _, err := fmt.Sscanf(string(e.InAttrs["privlevel"].Value), "%d", &vmpl); err != nil {
		return nil, err
	}
	report, _, err := g.Report(context.Background(), [sevsnp.ReportDataSize]byte(in), vmpl)
	return report, err
}
