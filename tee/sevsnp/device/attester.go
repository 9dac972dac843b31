package device

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/google/go-configfs-tsm/configfs/configfsi"
	"github.com/google/go-configfs-tsm/configfs/linuxtsm"

	"github.com/phalanx-network/phalanx/crypto/scale"
	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Options say where the devices are.
type Options struct {
	TSM  configfsi.Client // nil for the kernel's configfs-tsm
	Path string           // the ioctl device; empty for DefaultPath
}

func (o Options) path() string {
	if o.Path == "" {
		return DefaultPath
	}
	return o.Path
}

// Guest returns the ioctl device, which derives keys.
func (o Options) Guest() Guest { return Guest{Path: o.path()} }

// OpenReports returns what gives reports on this machine: configfs-tsm if the driver of SEV-SNP serves it, else the
// ioctl device. It makes and removes an entry in configfs-tsm to see who serves it. The error wraps [ErrUnavailable],
// names both and says what to do.
func OpenReports(o Options) (Reports, error) {
	tsm, err := openTSM(o.TSM)
	if err == nil {
		return tsm, nil
	}
	f, ioctlErr := os.OpenFile(o.path(), os.O_RDWR, 0)
	if ioctlErr != nil {
		return nil, fmt.Errorf("%w; %w", err, unavailable(o.path(), ioctlErr))
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sev-snp: %w", err)
	}
	return o.Guest(), nil
}

func openTSM(client configfsi.Client) (TSM, error) {
	if client == nil {
		var err error
		if client, err = linuxtsm.MakeClient(); err != nil {
			return TSM{}, unavailable(reportsPath, err)
		}
	}
	t := TSM{client}
	e, err := t.entry()
	if err != nil {
		return TSM{}, err
	}
	return t, errors.Join(e.isSNP(), e.remove())
}

// Attester makes evidence out of reports.
type Attester struct {
	reports Reports
	vmpl    uint32
}

var _ tee.Attester = (*Attester)(nil)

// NewAttester returns an attester that asks for reports at the privilege level vmpl: 0 but for a guest that runs below a
// service module of its own (SVSM).
func NewAttester(reports Reports, vmpl uint32) *Attester { return &Attester{reports, vmpl} }

// Kind returns tee.KindSEVSNP.
func (a *Attester) Kind() tee.Kind { return tee.KindSEVSNP }

// Attest returns a report as evidence. Its collateral is SCALE of [sevsnp.Collateral] with the host's certificates, or
// empty where the host offers none that can be read; whoever relays the evidence then adds it.
func (a *Attester) Attest(ctx context.Context, reportData [tee.ReportDataSize]byte) (tee.Evidence, error) {
	raw, table, err := a.reports.Report(ctx, reportData, a.vmpl)
	if err != nil {
		return tee.Evidence{}, err
	}
	f, err := readFacts(raw, reportData, a.vmpl)
	if err != nil {
		return tee.Evidence{}, err
	}
	ev := tee.Evidence{Kind: tee.KindSEVSNP, Data: raw}
	if c, ok := collateral(f.signer, table); ok {
		ev.Collateral = scale.MustMarshal(&c)
	}
	return ev, nil
}

// signingKey is SIGNING_KEY of a report.
type signingKey uint8

const (
	signedByVCEK signingKey = 0
	signedByVLEK signingKey = 1
)

// facts are the fields of a report that this package needs. Offsets: table ATTESTATION_REPORT of document 56860.
type facts struct {
	policy       uint64
	signer       signingKey
	measurement  [sevsnp.MeasurementSize]byte
	committedTCB uint64
}

// readFacts reads a report of this guest and checks that it is the one that was asked for.
func readFacts(raw []byte, data [sevsnp.ReportDataSize]byte, vmpl uint32) (facts, error) {
	if len(raw) != sevsnp.ReportSize {
		return facts{}, fmt.Errorf("%w: a report of %d bytes, %d are its size", ErrReply, len(raw), sevsnp.ReportSize)
	}
	le := binary.LittleEndian
	if subtle.ConstantTimeCompare(raw[0x50:0x50+len(data)], data[:]) != 1 {
		return facts{}, fmt.Errorf("%w: the report carries other report data", ErrReply)
	}
	if got := le.Uint32(raw[0x30:]); got != vmpl {
		return facts{}, fmt.Errorf("%w: the report is of privilege level %d, not %d", ErrReply, got, vmpl)
	}
	f := facts{
		policy: le.Uint64(raw[0x08:]), signer: signingKey(le.Uint32(raw[0x48:]) >> 2 & 7),
		committedTCB: le.Uint64(raw[0x1e0:]),
	}
	copy(f.measurement[:], raw[0x90:])
	return f, nil
}
