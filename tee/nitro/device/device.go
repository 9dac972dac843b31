// Package device is the enclave's side of AWS Nitro Enclaves: attestation documents from the Nitro Secure Module, as
// evidence. Only the enclave program links it.
//
//	attester, err := device.Open(device.Options{})
//	evidence, err := attester.Attest(ctx, reportData)
//
// The module is reached through one ioctl of the node /dev/nsm, which passes a request in CBOR and gets a response in CBOR
// (AWS's aws-nitro-enclaves-nsm-api; include/uapi/linux/nsm.h); both forms are in package nitro. Linux has the driver
// since version 6.8, and lets a process with CAP_SYS_ADMIN use it; AWS's own enclave kernels have had it before.
//
// A document carries the report data as its user data, and neither nonce nor public key. It brings its certificates, so
// there is no collateral. They live about three hours: evidence that waits longer is refused by the chain.
//
// A Nitro enclave has no key of its own and no disk: nothing here seals.
package device

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/nitro"
)

// DefaultPath is the module's node.
const DefaultPath = "/dev/nsm"

// Bounds of the driver in bytes (NSM_REQUEST_MAX_SIZE, NSM_RESPONSE_MAX_SIZE).
const (
	MaxRequest  = 4 << 10
	MaxResponse = 12 << 10
)

// Errors of this package. A request that the module refuses is a [nitro.ModuleError].
var (
	// ErrUnavailable says that the program runs in no Nitro enclave; the text says what to do about it.
	ErrUnavailable = errors.New("no Nitro enclave")
	// ErrReply says that the module answered with something else than it was asked for.
	ErrReply = errors.New("nitro: the module's reply is not what was asked for")
)

// Module exchanges one request, at most MaxRequest bytes, for a response. What it returns is not believed to fit.
type Module interface {
	Exchange(ctx context.Context, request []byte) ([]byte, error)
}

// Options say where the device is.
type Options struct {
	Path string // empty for DefaultPath
}

func (o Options) path() string {
	if o.Path == "" {
		return DefaultPath
	}
	return o.Path
}

// Probe tells whether the program can reach a Nitro Secure Module: it opens the device and closes it. The error wraps
// [ErrUnavailable] and says what to do.
func Probe(o Options) error {
	f, err := os.OpenFile(o.path(), os.O_RDWR, 0)
	if err != nil {
		return unavailable(o.path(), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unavailable(o.path(), err)
	}
	if info.Mode()&fs.ModeCharDevice == 0 {
		return fmt.Errorf("%w: %s is no device", ErrUnavailable, o.path())
	}
	return nil
}

// Open returns an attester on the module's device. Errors are those of [Probe].
func Open(o Options) (*Attester, error) {
	if err := Probe(o); err != nil {
		return nil, err
	}
	return NewAttester(NSM{o.path()}), nil
}

// Attester makes evidence out of documents. It may be used concurrently if its module may.
type Attester struct{ module Module }

var _ tee.Attester = (*Attester)(nil)

// NewAttester returns an attester over a module.
func NewAttester(m Module) *Attester { return &Attester{m} }

// Kind returns tee.KindNitro.
func (a *Attester) Kind() tee.Kind { return tee.KindNitro }

// Attest returns a document as evidence, without collateral. Errors wrap [ErrReply] or [ErrUnavailable], or are a
// [nitro.ModuleError].
func (a *Attester) Attest(ctx context.Context, reportData [tee.ReportDataSize]byte) (tee.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return tee.Evidence{}, err
	}
	response, err := a.module.Exchange(ctx, nitro.AttestationRequest(reportData[:]))
	if err != nil {
		return tee.Evidence{}, err
	}
	if len(response) > MaxResponse {
		return tee.Evidence{}, fmt.Errorf("%w: a response of %d bytes, at most %d are read", ErrReply, len(response), MaxResponse)
	}
	document, err := nitro.AttestationResponse(response)
	if refused, ok := errors.AsType[*nitro.ModuleError](err); ok {
		return tee.Evidence{}, refused
	}
	if err != nil {
		return tee.Evidence{}, fmt.Errorf("%w: %w", ErrReply, err)
	}
	carried, err := nitro.UserData(document)
	if err != nil {
		return tee.Evidence{}, fmt.Errorf("%w: %w", ErrReply, err)
	}
	if subtle.ConstantTimeCompare(carried, reportData[:]) != 1 {
		return tee.Evidence{}, fmt.Errorf("%w: the document carries other report data", ErrReply)
	}
	return tee.Evidence{Kind: tee.KindNitro, Data: bytes.Clone(document)}, nil
}

// unavailable says what to do about a device that cannot be opened.
func unavailable(path string, err error) error {
	do := "is this a Nitro enclave?"
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		do = "run in a Nitro enclave whose kernel has the driver nsm (modprobe nsm)"
	case errors.Is(err, fs.ErrPermission):
		do = "run as root"
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // its path is said already
	}
	return fmt.Errorf("%w: %s: %w: %s", ErrUnavailable, path, err, do)
}
