// Package gramine is the guest's side of SGX under the library OS Gramine: quotes about the enclave that calls, as
// evidence, and the processor's sealing keys, as the platform's key of package sealing. Only the enclave program links
// it.
//
//	e, err := gramine.Open(gramine.Dir(gramine.DefaultRoot))
//	keys, err := e.Keys(rand.Reader)
//	sealer := sealing.New(keys, gramine.Label, rand.Reader)
//
// Gramine offers attestation as files below /dev/attestation (its documentation, "Attestation and Secret Provisioning"):
// attestation_type must be "dcap" (sgx.remote_attestation of the manifest); what is written to user_report_data stands in
// the report and the quote that are read after. Gramine does not lock the files, so this package does, for the whole
// process.
//
// # Evidence
//
// The quote is made outside the enclave, by Intel's quoting enclave, and reaches Gramine through the host. Who this
// enclave is, is therefore read from the local report (EREPORT), which the host has no part in; a quote of another enclave
// or about other report data is an error, and so is one that is none of SGX version 3. Zeros behind the quote are cut off:
// Gramine pads. The collateral is empty; whoever relays the evidence fetches it.
//
// # Keys
//
// The processor derives the sealing keys (EGETKEY). Data keys are wrapped under the one of MRENCLAVE
// (keys/_sgx_mrenclave), by HKDF, so that the key itself encrypts nothing: another enclave gets another key, also one of
// the same signer. A hash of the key of MRSIGNER (keys/_sgx_mrsigner) names the machine. Both keys have 128 bits. The
// manifest must not use them for encrypted file systems.
//
// Gramine derives both for the security version of the processor's microcode (CPUSVN) as it is now. So **a microcode
// update that raises it makes everything sealed before unreadable** ([ErrMicrocode]), also on the way back: move the keys
// to another machine before such an update. An enclave of another signer reads what was sealed as another program's, for
// the measurement is compared first.
package gramine

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/phalanx-network/phalanx/tee"
	"github.com/phalanx-network/phalanx/tee/dcap"
)

// DefaultRoot is where Gramine has its files.
const DefaultRoot = "/dev/attestation"

// The files.
const (
	fileType       = "attestation_type"
	fileReportData = "user_report_data"
	fileTargetInfo = "target_info"
	fileReport     = "report"
	fileQuote      = "quote"
	fileEnclaveKey = "keys/_sgx_mrenclave"
	fileSignerKey  = "keys/_sgx_mrsigner"
)

// Sizes in bytes. Source: Intel SDM volume 3D, "REPORT", "TARGETINFO"; a quote has the same body behind its header.
const (
	targetInfoSize = 512
	reportSize     = 432
	quoteHeader    = 48
	bodySize       = 384
	keySize        = 16
)

// Errors of this package.
var (
	// ErrUnavailable says that the program does not run as an SGX enclave under Gramine with DCAP; the text says what to
	// do about it.
	ErrUnavailable = errors.New("no SGX enclave under Gramine with DCAP")
	// ErrReply says that a file held something else than was asked for.
	ErrReply = errors.New("gramine: the file is not what was asked for")
	// ErrMicrocode says that data was sealed under another security version of the processor's microcode.
	ErrMicrocode = errors.New("gramine: the processor's security version (CPUSVN) is not the one under which this was sealed")
)

// Files are the files of Gramine, named relative to their directory. Read returns an error if there are more than most
// bytes.
type Files interface {
	Read(name string, most int) ([]byte, error)
	Write(name string, b []byte) error
}

// Dir is the [Files] of a directory.
type Dir string

var _ Files = Dir("")

// Read reads one file.
func (d Dir) Read(name string, most int) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > most {
		return nil, fmt.Errorf("%w: %s has over %d bytes", ErrReply, name, most)
	}
	return b, nil
}

// Write overwrites a file that is there.
func (d Dir) Write(name string, b []byte) error {
	f, err := os.OpenFile(filepath.Join(string(d), filepath.FromSlash(name)), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// Probe tells whether the program runs under Gramine with DCAP. It writes nothing.
func Probe(files Files) error {
	kind, err := files.Read(fileType, 64)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w: run under gramine-sgx", ErrUnavailable, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if got := strings.TrimRight(string(kind), "\n\x00"); got != "dcap" {
		return fmt.Errorf(`%w: attestation of type %q; set sgx.remote_attestation = "dcap" in the manifest`, ErrUnavailable, got)
	}
	return nil
}

// Enclave is the enclave that runs this program.
type Enclave struct {
	files Files
	own   body
}

var _ tee.Attester = (*Enclave)(nil)

// inUse guards the files, which Gramine has once a process.
var inUse sync.Mutex

// Open reads from the enclave's own report who it is.
func Open(files Files) (*Enclave, error) {
	if err := Probe(files); err != nil {
		return nil, err
	}
	inUse.Lock()
	defer inUse.Unlock()
	var data [tee.ReportDataSize]byte
	if err := write(files, fileTargetInfo, make([]byte, targetInfoSize)); err != nil {
		return nil, err
	}
	if err := write(files, fileReportData, data[:]); err != nil {
		return nil, err
	}
	raw, err := read(files, fileReport, reportSize)
	if err != nil {
		return nil, err
	}
	if len(raw) != reportSize {
		return nil, fmt.Errorf("%w: a report of %d bytes, %d are its size", ErrReply, len(raw), reportSize)
	}
	e := &Enclave{files, readBody(raw[:bodySize])}
	if e.own.reportData != data {
		return nil, fmt.Errorf("%w: the report carries other report data", ErrReply)
	}
	return e, nil
}

// Kind returns tee.KindSGX.
func (e *Enclave) Kind() tee.Kind { return tee.KindSGX }

// Attest returns a quote as evidence, without collateral. Reading it waits for the host's quoting service and cannot be
// interrupted.
func (e *Enclave) Attest(ctx context.Context, reportData [tee.ReportDataSize]byte) (tee.Evidence, error) {
	inUse.Lock()
	defer inUse.Unlock()
	if err := ctx.Err(); err != nil {
		return tee.Evidence{}, err
	}
	if err := write(e.files, fileReportData, reportData[:]); err != nil {
		return tee.Evidence{}, err
	}
	raw, err := read(e.files, fileQuote, tee.MaxData)
	if err != nil {
		return tee.Evidence{}, fmt.Errorf("%w; is the quoting service (aesmd) running on the host?", err)
	}
	quote, err := dcap.Trim(raw)
	if err != nil {
		return tee.Evidence{}, fmt.Errorf("%w: %w", ErrReply, err)
	}
	// Trim read the header: version 3 is SGX, others are TDX.
	if !bytes.HasPrefix(quote, []byte{3, 0}) {
		return tee.Evidence{}, fmt.Errorf("%w: the quote is none of SGX", ErrReply)
	}
	got := readBody(quote[quoteHeader : quoteHeader+bodySize])
	if subtle.ConstantTimeCompare(got.reportData[:], reportData[:]) != 1 {
		return tee.Evidence{}, fmt.Errorf("%w: the quote carries other report data", ErrReply)
	}
	if got.enclave != e.own.enclave || got.attributes != e.own.attributes {
		return tee.Evidence{}, fmt.Errorf("%w: the quote is of another enclave", ErrReply)
	}
	return tee.Evidence{Kind: tee.KindSGX, Data: bytes.Clone(quote)}, nil
}

// body is what this package needs of a report body.
type body struct {
	cpuSVN     [16]byte
	attributes [16]byte
	enclave    [32]byte // MRENCLAVE
	reportData [tee.ReportDataSize]byte
}

func readBody(b []byte) body {
	return body{[16]byte(b), [16]byte(b[48:]), [32]byte(b[64:]), [tee.ReportDataSize]byte(b[320:])}
}

func read(files Files, name string, most int) ([]byte, error) {
	b, err := files.Read(name, most)
	if err != nil {
		return nil, fmt.Errorf("gramine: read %s: %w", name, err)
	}
	return b, nil
}

func write(files Files, name string, b []byte) error {
	if err := files.Write(name, b); err != nil {
		return fmt.Errorf("gramine: write %s: %w", name, err)
	}
	return nil
}
