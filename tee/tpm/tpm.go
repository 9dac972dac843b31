package tpm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/phalanx-network/phalanx/tee/sealing"
)

// Label names the platform in what is sealed.
const Label = "tpm2"

// DefaultPath is the node of Linux's resource manager, which keeps the users of a TPM apart.
const DefaultPath = "/dev/tpmrm0"

// DefaultPCRs returns the registers that keys are bound to; the package comment says what they measure.
func DefaultPCRs() []uint { return []uint{0, 2, 4, 7, 9, 11, 12, 13} }

// maxPCR is the highest register.
const maxPCR = 23

// maxResponse is the size of the largest response that is read, in bytes: the interface's own bound.
const maxResponse = 4096

// Errors of this package.
var (
	// ErrUnavailable says that there is no TPM 2.0 that the program may use; the text says what to do about it.
	ErrUnavailable = errors.New("no TPM 2.0")
	// ErrReply says that the TPM answered with something else than it was asked for.
	ErrReply = errors.New("tpm: the reply is not what was asked for")
)

// Options say which TPM and what to bind to.
type Options struct {
	Path string // empty for DefaultPath
	PCRs []uint // of the bank SHA-256, each at most 23; nil for DefaultPCRs
	// Dial, if set, opens the TPM instead of Path.
	Dial func() (transport.TPMCloser, error)
}

// Keys is a TPM as a [sealing.KeySource]. The TPM is opened for each operation, so that nothing is held between them and
// the resource manager clears what a crash leaves. An operation consists of up to eight commands, which cannot be
// interrupted; they take milliseconds, on a discrete TPM up to a second.
type Keys struct {
	dial      func() (transport.TPMCloser, error)
	selection selection
}

var _ sealing.KeySource = (*Keys)(nil)

// Open returns the TPM's keys. It opens the TPM once and reads the registers, so that an error comes now rather than at
// the first seal. Errors wrap [ErrUnavailable] if there is none.
func Open(ctx context.Context, o Options) (*Keys, error) {
	pcrs := o.PCRs
	if pcrs == nil {
		pcrs = DefaultPCRs()
	}
	s, err := selectionOf(pcrs)
	if err != nil {
		return nil, err
	}
	k := &Keys{o.Dial, s}
	if k.dial == nil {
		path := o.Path
		if path == "" {
			path = DefaultPath
		}
		k.dial = func() (transport.TPMCloser, error) { return openDevice(path) }
	}
	err = k.with(ctx, func(d transport.TPM) error {
		_, err := readPCRs(d, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Probe tells whether [Open] would succeed, and if not why. It changes nothing.
func Probe(ctx context.Context, o Options) error {
	_, err := Open(ctx, o)
	return err
}

// with opens the TPM for one operation.
func (k *Keys) with(ctx context.Context, use func(transport.TPM) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := k.dial()
	if err != nil {
		return err
	}
	defer func() {
		if closing := d.Close(); closing != nil && err == nil {
			err = fmt.Errorf("tpm: close: %w", closing)
		}
	}()
	return use(d)
}

// device is a TPM behind a node: one write is a command, one read its response.
type device struct{ file *os.File }

func openDevice(path string) (transport.TPMCloser, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, unavailable(path, err)
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return nil, errors.Join(fmt.Errorf("%w: %s is no device", ErrUnavailable, path), err, f.Close())
	}
	return device{f}, nil
}

// Send passes one command to the TPM.
func (d device) Send(command []byte) ([]byte, error) {
	if _, err := d.file.Write(command); err != nil {
		return nil, fmt.Errorf("tpm: send: %w", err)
	}
	b := make([]byte, maxResponse)
	n, err := d.file.Read(b)
	if err != nil {
		return nil, fmt.Errorf("tpm: receive: %w", err)
	}
	return b[:n], nil
}

// Close gives the node back.
func (d device) Close() error { return d.file.Close() }

var _ io.Closer = device{}

// unavailable says what to do about a device that cannot be opened.
func unavailable(path string, err error) error {
	do := "is it in use?"
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		do = "give the machine a TPM 2.0 and its kernel the driver (tpm_tis or tpm_crb)"
	case errors.Is(err, fs.ErrPermission):
		do = "run as root, or add this user to the group tss"
	case errors.Is(err, syscall.EBUSY):
		do = "another program holds it; use the resource manager " + DefaultPath
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // its path is said already
	}
	return fmt.Errorf("%w: %s: %w: %s", ErrUnavailable, path, err, do)
}

// selection is a set of registers: bit n%8 of byte n/8 is PCR n.
type selection [3]byte

func selectionOf(pcrs []uint) (s selection, err error) {
	for _, n := range pcrs {
		if n > maxPCR {
			return s, fmt.Errorf("tpm: there is no PCR %d", n)
		}
		s[n/8] |= 1 << (n % 8)
	}
	if s == (selection{}) {
		return s, errors.New("tpm: keys must be bound to at least one PCR")
	}
	return s, nil
}

func (s selection) list() tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: append([]byte(nil), s[:]...)}}}
}

// readPCRs returns SHA-256 of the registers' values in order. The TPM gives at most eight at a time.
func readPCRs(d transport.TPM, s selection) (digest [sha256.Size]byte, err error) {
	h := sha256.New()
	for left := s; left != (selection{}); {
		r, err := tpm2.PCRRead{PCRSelectionIn: left.list()}.Execute(d)
		if err != nil {
			return digest, fmt.Errorf("tpm: read PCRs: %w", err)
		}
		next, err := left.without(r)
		if err != nil {
			return digest, err
		}
		for _, value := range r.PCRValues.Digests {
			if len(value.Buffer) != sha256.Size {
				return digest, fmt.Errorf("%w: a PCR of %d bytes", ErrReply, len(value.Buffer))
			}
			h.Write(value.Buffer)
		}
		left = next
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// without returns the registers that an answer left out. It must hold the lowest ones, or the order would be lost.
func (s selection) without(r *tpm2.PCRReadResponse) (selection, error) {
	var got []byte
	for _, bank := range r.PCRSelectionOut.PCRSelections {
		if bank.Hash == tpm2.TPMAlgSHA256 {
			got = bank.PCRSelect
		}
	}
	n, gap := 0, false
	for pcr := range uint(maxPCR + 1) {
		at, bit := pcr/8, byte(1)<<(pcr%8)
		asked, have := s[at]&bit != 0, int(at) < len(got) && got[at]&bit != 0
		if have && (!asked || gap) {
			return s, fmt.Errorf("%w: PCR %d out of order", ErrReply, pcr)
		}
		gap = gap || asked && !have
		if have {
			n++
			s[at] &^= bit
		}
	}
	if n == 0 {
		return s, fmt.Errorf("%w: the TPM has no SHA-256 bank with these PCRs; enable it in the firmware", ErrUnavailable)
	}
	if n != len(r.PCRValues.Digests) {
		return s, fmt.Errorf("%w: %d values of %d PCRs", ErrReply, len(r.PCRValues.Digests), n)
	}
	return s, nil
}
