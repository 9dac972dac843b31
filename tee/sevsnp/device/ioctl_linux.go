package device

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// The interface of the driver sev-guest: include/uapi/linux/sev-guest.h. Each request number is
// _IOWR('S', n, struct snp_guest_request_ioctl), whose size is 32.
const (
	ioctlReport    = 3<<30 | 32<<16 | 'S'<<8
	ioctlKey       = ioctlReport + 1
	ioctlExtReport = ioctlReport + 2

	messageVersion = 1

	reportRequestSize  = 96
	reportResponseSize = 4000
	keyRequestSize     = 32
	keyResponseSize    = 64
	responseHeader     = 32 // status u32, for reports size u32, reserved

	certsSize = 16 << 10 // what the driver takes at most (SEV_FW_BLOB_MAX_SIZE), in whole pages

	vmmInvalidLength = 1 // the host has more certificates than there is room
)

// guestRequest is struct snp_guest_request_ioctl.
type guestRequest struct {
	version  uint8
	_        [7]byte
	request  unsafe.Pointer
	response unsafe.Pointer
	exitInfo uint64 // low half the firmware's error, high half the host's
}

// extRequest is struct snp_ext_report_req.
type extRequest struct {
	report [reportRequestSize]byte
	certs  unsafe.Pointer
	length uint32
	_      [4]byte
}

// Guest is the guest device at a path. It is opened for each operation. An operation that is under way cannot be
// interrupted; where the host slows guests down the driver itself waits for up to a minute.
type Guest struct{ Path string }

var (
	_ Reports = Guest{}
	_ Deriver = Guest{}
)

// Report gets a report and the host's certificate table.
func (g Guest) Report(ctx context.Context, data [sevsnp.ReportDataSize]byte, vmpl uint32) (report, table []byte, err error) {
	f, err := g.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	req := &extRequest{length: certsSize}
	copy(req.report[:], data[:])
	binary.LittleEndian.PutUint32(req.report[len(data):], vmpl)
	certs, resp := make([]byte, certsSize), make([]byte, reportResponseSize)
	req.certs = unsafe.Pointer(&certs[0])
	info, err := call(ctx, f, ioctlExtReport, unsafe.Pointer(req), resp)
	if err != nil && info>>32 == vmmInvalidLength {
		// More certificates than the driver passes on. The relay can fetch them.
		certs = nil
		_, err = call(ctx, f, ioctlReport, unsafe.Pointer(&req.report), resp)
	}
	runtime.KeepAlive(certs)
	if err != nil {
		return nil, nil, fmt.Errorf("sev-snp: report from %s: %w", g.Path, err)
	}
	report, err = reportIn(resp)
	return report, certs, err
}

// reportIn takes the report out of MSG_REPORT_RSP.
func reportIn(resp []byte) ([]byte, error) {
	if s := Status(binary.LittleEndian.Uint32(resp)); s != 0 {
		return nil, &FirmwareError{"report", s}
	}
	if n := binary.LittleEndian.Uint32(resp[4:]); n != sevsnp.ReportSize {
		return nil, fmt.Errorf("%w: a report of %d bytes, %d are its size", ErrReply, n, sevsnp.ReportSize)
	}
	return resp[responseHeader : responseHeader+sevsnp.ReportSize], nil
}

// DeriveKey has the firmware derive a key.
func (g Guest) DeriveKey(ctx context.Context, r KeyRequest) (key [32]byte, err error) {
	f, err := g.open(ctx)
	if err != nil {
		return key, err
	}
	defer f.Close()
	req, resp := encodeKeyRequest(r), make([]byte, keyResponseSize)
	defer clear(resp)
	if _, err := call(ctx, f, ioctlKey, unsafe.Pointer(req), resp); err != nil {
		return key, fmt.Errorf("sev-snp: derived key from %s: %w", g.Path, err)
	}
	if s := Status(binary.LittleEndian.Uint32(resp)); s != 0 {
		return key, &FirmwareError{"derived key", s}
	}
	return [32]byte(resp[responseHeader:]), nil
}

// encodeKeyRequest lays a request out as struct snp_derived_key_req.
func encodeKeyRequest(r KeyRequest) *[keyRequestSize]byte {
	b, le := new([keyRequestSize]byte), binary.LittleEndian
	le.PutUint32(b[0:], uint32(r.Root))
	le.PutUint64(b[8:], uint64(r.Fields))
	le.PutUint32(b[16:], r.VMPL)
	le.PutUint32(b[20:], r.GuestSVN)
	le.PutUint64(b[24:], r.TCB)
	return b
}

func (g Guest) open(ctx context.Context) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(g.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, unavailable(g.Path, err)
	}
	return f, nil
}

// call sends one request and returns the driver's exit information with the error.
func call(ctx context.Context, f *os.File, command uintptr, request unsafe.Pointer, response []byte) (uint64, error) {
	r := &guestRequest{version: messageVersion, request: request, response: unsafe.Pointer(&response[0])}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), command, uintptr(unsafe.Pointer(r)))
		runtime.KeepAlive(response)
		switch {
		case errno == 0:
			return 0, nil
		case errno == unix.EINTR && ctx.Err() == nil:
			continue
		case errno == unix.EINTR:
			return 0, ctx.Err()
		}
		return r.exitInfo, explain(errno, r.exitInfo)
	}
}

// explain says what the driver's errors mean.
func explain(errno unix.Errno, info uint64) error {
	switch {
	case errors.Is(errno, unix.ENOTTY):
		return fmt.Errorf("%w: not the driver sev-guest, or its channel to the firmware is closed after an error (%w); restart the machine",
			ErrUnavailable, errno)
	case info>>32 != 0:
		return fmt.Errorf("the host answered with error %d: %w", info>>32, errno)
	case info != 0:
		return fmt.Errorf("the firmware answered with error 0x%x: %w", uint32(info), errno)
	}
	return errno
}
