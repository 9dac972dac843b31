package sevsnp

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/google/go-sev-guest/abi"
	spb "github.com/google/go-sev-guest/proto/sevsnp"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/reason"
)

// Lengths in bytes.
const (
	ReportSize      = abi.ReportSize      // 1184
	MeasurementSize = abi.MeasurementSize // 48, SHA-384
	ReportDataSize  = abi.ReportDataSize  // 64
	ChipIDSize      = abi.ChipIDSize      // 64
)

const (
	minVersion = 2
	maxVersion = 3
)

// Result is what a verified report says.
type Result struct {
	Version int    // 2 or 3
	Product string // "Milan" or "Genoa"
	Signer  string // "VCEK" or "VLEK"
	CSP     string // the provider that AMD certified the VLEK for; empty with a VCEK

	Measurement [MeasurementSize]byte // SHA-384 of the guest's first memory
	ReportData  [ReportDataSize]byte
	HostData    [32]byte // what the host put beside the guest; the guest's launch proves nothing about it
	FamilyID    [16]byte
	ImageID     [16]byte
	IDKeyDigest [48]byte // SHA-384 of the key that signed the ID block; zero without one
	AuthorKey   [48]byte // SHA-384 of the author's key; zero without one
	ReportID    [32]byte // names the guest as long as it runs
	ChipID      [ChipIDSize]byte
	ChipMasked  bool   // the host hides the chip: ChipID is zero
	GuestSVN    uint32 // security version, which the ID block gives
	VMPL        uint32 // privilege level that asked for the report, 0 (highest) to 3

	Policy       GuestPolicy
	PlatformInfo uint64 // PLATFORM_INFO as it is

	Reported  TCB // that the signing key was derived for: the level the platform vouches for
	Current   TCB // that runs
	Committed TCB // below which the platform cannot go back
	Launch    TCB // that ran when the guest was started
	// Expires is the earliest end of the certificates and lists that were relied on, in UTC. The same report and collateral
	// are refused after it.
	Expires time.Time
	// UpToDate says that Reported is at least Options.MinTCB; always true without one.
	UpToDate bool
	// CRLChecked says that a revocation list of the root was there and names nothing on the path.
	CRLChecked bool
}

// Debug reports whether the host may read and change the guest's memory: by its debugger, or by a migration agent. The
// host chooses the agent, which gets the memory whole, and nothing in a report vouches for it.
func (r *Result) Debug() bool { return r.Policy.Debug || r.Policy.Migration }

// Status returns "UpToDate" or "OutOfDate". AMD signs no list of levels, so there are no more words and no advisories.
func (r *Result) Status() string {
	if r.UpToDate {
		return "UpToDate"
	}
	return "OutOfDate"
}

// GuestPolicy is what the guest's owner demanded of the platform at launch.
type GuestPolicy struct {
	Raw          uint64 // all bits, those without a field included
	ABIMajor     uint8  // least version of the firmware's interface
	ABIMinor     uint8
	SMT          bool // the guest's cores may share theirs with others
	Migration    bool // a migration agent may take the guest elsewhere
	Debug        bool
	SingleSocket bool
}

// Registers returns what the guest was measured as, and how it was started: its policy (8 bytes, the highest first) and the
// privilege level of who asked (1 byte). Names are in lower case, and in order.
func (r *Result) Registers() []tee.Register {
	return []tee.Register{
		{Name: "author_key_digest", Value: r.AuthorKey[:]}, {Name: "family_id", Value: r.FamilyID[:]},
		{Name: "guest_policy", Value: binary.BigEndian.AppendUint64(nil, r.Policy.Raw)},
		{Name: "host_data", Value: r.HostData[:]}, {Name: "id_key_digest", Value: r.IDKeyDigest[:]},
		{Name: "image_id", Value: r.ImageID[:]}, {Name: tee.RegisterMeasurement, Value: r.Measurement[:]},
		{Name: "vmpl", Value: []byte{byte(r.VMPL)}},
	}
}

// parseReport reads a report. Every bit of it is in the returned value: the report that go-sev-guest writes out of it is
// the same, so that no two reports mean the same thing.
func parseReport(raw []byte) (*spb.Report, error) {
	if len(raw) > ReportSize {
		return nil, reason.New(reason.Trailing, "report has %d bytes, %d are its size", len(raw), ReportSize)
	}
	if len(raw) < ReportSize {
		return nil, reason.New(reason.Format, "report has %d bytes, %d are its size", len(raw), ReportSize)
	}
	if v := binary.LittleEndian.Uint32(raw); v < minVersion || v > maxVersion {
		return nil, reason.New(reason.Version, "report version %d, %d and %d are known", v, minVersion, maxVersion)
	}
	if algo := abi.SignatureAlgo(raw); algo != abi.SignEcdsaP384Sha384 {
		return nil, reason.New(reason.Algorithm, "report is signed with algorithm %d, not ECDSA P-384 with SHA-384", algo)
	}
	r, err := abi.ReportToProto(raw)
	if err != nil {
		return nil, reason.New(reason.Format, "report: %v", err)
	}
	if r.LaunchMitVector|r.CurrentMitVector != 0 {
		return nil, reason.New(reason.Format, "report of version %d has fields of version 5", r.Version)
	}
	if r.Vmpl > 3 {
		return nil, reason.New(reason.Format, "privilege level %d", r.Vmpl)
	}
	again, err := abi.ReportToAbiBytes(r)
	if err != nil || !bytes.Equal(again, raw) {
		return nil, reason.New(reason.Format, "report has reserved bits set")
	}
	return r, nil
}

// fill copies a parsed report into a result.
func (out *Result) fill(r *spb.Report) error {
	out.Version = int(r.Version)
	for _, f := range []struct{ to, from []byte }{
		{out.Measurement[:], r.Measurement}, {out.ReportData[:], r.ReportData}, {out.HostData[:], r.HostData},
		{out.FamilyID[:], r.FamilyId}, {out.ImageID[:], r.ImageId}, {out.IDKeyDigest[:], r.IdKeyDigest},
		{out.AuthorKey[:], r.AuthorKeyDigest}, {out.ReportID[:], r.ReportId}, {out.ChipID[:], r.ChipId},
	} {
		copy(f.to, f.from)
	}
	out.ChipMasked = out.ChipID == [ChipIDSize]byte{}
	out.GuestSVN, out.VMPL, out.PlatformInfo = r.GuestSvn, r.Vmpl, r.PlatformInfo
	policy, err := abi.ParseSnpPolicy(r.Policy)
	if err != nil {
		return reason.New(reason.Format, "guest policy: %v", err)
	}
	out.Policy = GuestPolicy{
		Raw: r.Policy, ABIMajor: policy.ABIMajor, ABIMinor: policy.ABIMinor, SMT: policy.SMT,
		Migration: policy.MigrateMA, Debug: policy.Debug, SingleSocket: policy.SingleSocket,
	}
	for _, f := range []struct {
		name string
		to   *TCB
		from uint64
	}{
		{"reported", &out.Reported, r.ReportedTcb}, {"current", &out.Current, r.CurrentTcb},
		{"committed", &out.Committed, r.CommittedTcb}, {"launch", &out.Launch, r.LaunchTcb},
	} {
		if *f.to, err = parseTCB(f.name, f.from); err != nil {
			return err
		}
	}
	return nil
}

// cpuProduct names the product of a family and model, which reports carry from version 3 on. Genoa's roots also serve
// its smaller siblings of the models A0h to AFh.
func cpuProduct(fms uint32) (string, error) {
	family, model, _ := abi.FmsFromCpuid1Eax(fms)
	switch {
	case family == 0x19 && model <= 0x0f:
		return "Milan", nil
	case family == 0x19 && (model>>4 == 0x1 || model>>4 == 0xa):
		return "Genoa", nil
	}
	return "", reason.New(reason.Product, "processor family %02xh, model %02xh", family, model)
}
