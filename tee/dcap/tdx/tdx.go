// Package tdx is the guest's side of Intel TDX: quotes about the trust domain that the program runs in, as evidence. Only
// the enclave program links it.
//
//	attester, err := tdx.Open(ctx, tdx.Options{})
//	evidence, err := attester.Attest(ctx, reportData)
//
// Quotes come through configfs-tsm (Linux 6.7 and newer, Documentation/ABI/testing/configfs-tsm-report): in an entry made
// for the purpose, 64 bytes are written to inblob and a quote is read from outblob. The kernel has the TDX module measure
// the domain and the host's quoting service sign what it measured. So the host can refuse and delay, and what it returns
// is taken for a quote only if it has the form of one of TDX and carries the report data that was asked for; whether it
// is genuine is for the verifier (package dcap) to say.
//
// Kernels hand out a buffer of fixed size: the zeros behind the quote are cut off. The collateral is empty; whoever relays
// the evidence fetches it.
//
// An entry that was written to in between (generation) or is busy is tried again, a few times, with an entry of its own.
//
// TDX derives no keys for a domain: nothing here seals. See docs/spec/sealing.md for what does.
package tdx

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"github.com/google/go-configfs-tsm/configfs/configfsi"
	"github.com/google/go-configfs-tsm/configfs/linuxtsm"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// Provider is the name that the kernel's driver has in configfs-tsm.
const Provider = "tdx_guest"

// reportsPath is where entries are made.
const reportsPath = configfsi.TsmPrefix + "/report"

// attempts is how often a quote is asked for that somebody else's write has spoilt.
const attempts = 4

// Errors of this package.
var (
	// ErrUnavailable says that the program runs in no trust domain, or that its kernel gives no quotes; the text says
	// what to do about it.
	ErrUnavailable = errors.New("no TDX guest")
	// ErrReply says that the kernel answered with something else than it was asked for.
	ErrReply = errors.New("tdx: the reply is not what was asked for")
)

// errTorn says that an entry was written to between two reads; the kernel's ABI then asks to begin again.
var errTorn = errors.New("tdx: the report entry changed while it was read")

// Options say where quotes come from.
type Options struct {
	TSM configfsi.Client // nil for the kernel's configfs-tsm
}

// Attester makes evidence out of quotes. It may be used concurrently: each quote has an entry of its own.
type Attester struct{ client configfsi.Client }

var _ tee.Attester = (*Attester)(nil)

// Open returns an attester if the driver of TDX serves configfs-tsm. To see that, it makes an entry and removes it. The
// error wraps [ErrUnavailable] and says what to do.
func Open(ctx context.Context, o Options) (*Attester, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.TSM == nil {
		client, err := linuxtsm.MakeClient()
		if err != nil {
			return nil, unavailable(err)
		}
		o.TSM = client
	}
	a := &Attester{o.TSM}
	e, err := a.entry()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.isTDX(), e.remove()); err != nil {
		return nil, err
	}
	return a, nil
}

// Probe tells whether [Open] would succeed, and if not why.
func Probe(ctx context.Context, o Options) error {
	_, err := Open(ctx, o)
	return err
}

// Kind returns tee.KindTDX.
func (a *Attester) Kind() tee.Kind { return tee.KindTDX }

// Attest returns a quote as evidence, without collateral. Reading it waits for the host's quoting service, for up to a
// minute, and cannot be interrupted. Errors wrap [ErrReply] or [ErrUnavailable], or come from the kernel.
func (a *Attester) Attest(ctx context.Context, reportData [tee.ReportDataSize]byte) (tee.Evidence, error) {
	raw, err := a.quote(ctx, reportData)
	if err != nil {
		return tee.Evidence{}, err
	}
	quote, err := dcap.Trim(raw)
	if err != nil {
		return tee.Evidence{}, fmt.Errorf("%w: %w", ErrReply, err)
	}
	kind, carried, err := dcap.Bound(quote)
	if err != nil {
		return tee.Evidence{}, fmt.Errorf("%w: %w", ErrReply, err)
	}
	if kind != tee.KindTDX {
		return tee.Evidence{}, fmt.Errorf("%w: a quote of %s", ErrReply, kind)
	}
	if subtle.ConstantTimeCompare(carried[:], reportData[:]) != 1 {
		return tee.Evidence{}, fmt.Errorf("%w: the quote carries other report data", ErrReply)
	}
	return tee.Evidence{Kind: tee.KindTDX, Data: bytes.Clone(quote)}, nil
}

// quote asks until a quote comes out whole.
func (a *Attester) quote(ctx context.Context, data [tee.ReportDataSize]byte) (raw []byte, err error) {
	for range attempts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		raw, err = a.once(data)
		if !errors.Is(err, errTorn) && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EWOULDBLOCK) {
			return raw, err
		}
	}
	return nil, fmt.Errorf("after %d attempts: %w", attempts, err)
}

// once makes an entry, reads the quote out of it and removes it.
func (a *Attester) once(data [tee.ReportDataSize]byte) (raw []byte, err error) {
	e, err := a.entry()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.remove()) }()
	if err := e.isTDX(); err != nil {
		return nil, err
	}
	before, err := e.generation()
	if err != nil {
		return nil, err
	}
	if err := e.client.WriteFile(path.Join(e.path, "inblob"), data[:]); err != nil {
		return nil, fmt.Errorf("tdx: write inblob: %w", err)
	}
	if raw, err = e.read("outblob", tee.MaxData); err != nil {
		return nil, noQuote(err)
	}
	after, err := e.generation()
	if err == nil && after != before+1 {
		err = errTorn
	}
	return raw, err
}

// entry is one report's directory.
type entry struct {
	client configfsi.Client
	path   string
}

func (a *Attester) entry() (entry, error) {
	p, err := a.client.MkdirTemp(reportsPath, "phalanx")
	if err != nil {
		return entry{}, unavailable(err)
	}
	return entry{a.client, p}, nil
}

func (e entry) remove() error {
	if err := e.client.RemoveAll(e.path); err != nil {
		return fmt.Errorf("tdx: remove %s: %w", e.path, err)
	}
	return nil
}

// isTDX checks that the entry is served by the driver of TDX: another platform's has the same files.
func (e entry) isTDX() error {
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
		return nil, fmt.Errorf("tdx: read %s: %w", name, err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("%w: %s of %d bytes, at most %d are read", ErrReply, name, len(b), most)
	}
	return b, nil
}

// noQuote says what to do about a quote that the kernel does not give.
func noQuote(err error) error {
	do := ""
	switch {
	case errors.Is(err, syscall.EFBIG):
		do = "the quote is larger than the kernel passes on; update the kernel"
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EINTR):
		do = "is the host's quoting service (qgsd) running, and does the machine's configuration name it (quote-generation-socket, or vsock port 4050)?"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, do)
}

// unavailable says what to do about configfs-tsm if no entry can be made in it.
func unavailable(err error) error {
	do := "is this a TDX guest?"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		do = "use Linux 6.7 or newer, mount configfs and load the module tdx-guest (modprobe tdx-guest)"
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		do = "load the module tdx-guest (modprobe tdx-guest)"
	case errors.Is(err, fs.ErrPermission):
		do = "run as root"
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // its path is said already
	}
	return fmt.Errorf("%w: %s: %w: %s", ErrUnavailable, reportsPath, err, do)
}
