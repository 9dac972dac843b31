package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"syscall"

	"github.com/google/go-configfs-tsm/configfs/configfsi"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Provider is the name that the kernel's driver has in configfs-tsm.
const Provider = "sev_guest"

// reportsPath is where entries are made.
const reportsPath = configfsi.TsmPrefix + "/report"

// attempts is how often a report is asked for that somebody else's write has spoilt.
const attempts = 4

// errTorn says that an entry was written to between two reads; the kernel's ABI then asks to begin again.
var errTorn = errors.New("sev-snp: the report entry changed while it was read")

// TSM gives reports through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report). Each has an entry of its own,
// which is removed again.
type TSM struct{ Client configfsi.Client }

var _ Reports = TSM{}

// Report gets a report and the host's certificate table.
func (t TSM) Report(ctx context.Context, data [sevsnp.ReportDataSize]byte, vmpl uint32) (report, table []byte, err error) {
	for range attempts {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		report, table, err = t.once(data, vmpl)
		if !errors.Is(err, errTorn) && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EWOULDBLOCK) {
			return report, table, err
		}
	}
	return nil, nil, err
}

// once makes an entry, reads the report out of it and removes it.
func (t TSM) once(data [sevsnp.ReportDataSize]byte, vmpl uint32) (report, table []byte, err error) {
	e, err := t.entry()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, e.remove()) }()
	if err := e.isSNP(); err != nil {
		return nil, nil, err
	}
	before, err := e.generation()
	if err != nil {
		return nil, nil, err
	}
	if err := e.write("inblob", data[:]); err != nil {
		return nil, nil, err
	}
	if err := e.write("privlevel", strconv.AppendUint(nil, uint64(vmpl), 10)); err != nil {
		return nil, nil, fmt.Errorf("privilege level %d: %w", vmpl, err)
	}
	if report, err = e.read("outblob", sevsnp.ReportSize); err != nil {
		return nil, nil, err
	}
	table, err = e.read("auxblob", MaxTable)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EOPNOTSUPP) {
		table, err = nil, nil // the host offers no certificates
	}
	if err != nil {
		return nil, nil, err
	}
	after, err := e.generation()
	if err == nil && after != before+2 {
		err = errTorn
	}
	return report, table, err
}

// entry is one report's directory.
type entry struct {
	client configfsi.Client
	path   string
}

func (t TSM) entry() (entry, error) {
	p, err := t.Client.MkdirTemp(reportsPath, "phalanx")
	if err != nil {
		return entry{}, unavailable(reportsPath, err)
	}
	return entry{t.Client, p}, nil
}

func (e entry) remove() error {
	if err := e.client.RemoveAll(e.path); err != nil {
		return fmt.Errorf("sev-snp: remove %s: %w", e.path, err)
	}
	return nil
}

// isSNP checks that the entry is served by the driver of SEV-SNP: another platform's has the same files.
func (e entry) isSNP() error {
	name, err := e.read("provider", 64)
	if err != nil {
		return err
	}
	if got := string(bytes.TrimSpace(name)); got != Provider {
		return fmt.Errorf("%w: configfs-tsm is served by %q, not by %q", ErrUnavailable, got, Provider)
	}
	return nil
}

func (e entry) generation() (uint64, error) {
	b, err := e.read("generation", 32)
	if err != nil {
		return 0, err
	}
	n, err := configfsi.Kstrtouint(b, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: generation: %w", ErrReply, err)
	}
	return n, nil
}

func (e entry) read(name string, most int) ([]byte, error) {
	b, err := e.client.ReadFile(path.Join(e.path, name))
	if err != nil {
		return nil, fmt.Errorf("sev-snp: read %s: %w", name, err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("%w: %s of %d bytes, at most %d are read", ErrReply, name, len(b), most)
	}
	return b, nil
}

func (e entry) write(name string, b []byte) error {
	if err := e.client.WriteFile(path.Join(e.path, name), b); err != nil {
		return fmt.Errorf("sev-snp: write %s: %w", name, err)
	}
	return nil
}

// unavailable says what to do about a device that cannot be opened.
func unavailable(where string, err error) error {
	do := "is this an SEV-SNP guest?"
	switch {
	case errors.Is(err, fs.ErrNotExist) && where == reportsPath:
		do = "use Linux 6.7 or newer, mount configfs and load the module sev-guest (modprobe sev-guest)"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENXIO):
		do = "load the module sev-guest (modprobe sev-guest)"
	case errors.Is(err, fs.ErrPermission):
		do = "run as root, or let a udev rule give this user the device"
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // its path is said already
	}
	return fmt.Errorf("%w: %s: %w: %s", ErrUnavailable, where, err, do)
}
