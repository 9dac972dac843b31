//go:build amd64 || arm64

package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctlRaw is NSM_IOCTL_RAW: _IOWR(0x0A, 0, struct nsm_raw), whose size is 32.
const ioctlRaw = 3<<30 | 32<<16 | 0x0a<<8

// vector is struct nsm_iovec; the address has 64 bits also on the machines that this file is built for.
type vector struct {
	address unsafe.Pointer
	length  uint64
}

// exchange is struct nsm_raw. The driver puts the response's length into response.length.
type exchange struct{ request, response vector }

// NSM is the [Module] behind a node. The node is opened for each request, which cannot be interrupted: the driver itself
// gives up after two minutes.
type NSM struct{ Path string }

var _ Module = NSM{}

// Exchange passes one request to the module.
func (m NSM) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(request) == 0 || len(request) > MaxRequest {
		return nil, fmt.Errorf("nitro: a request of %d bytes, 1 to %d are sent", len(request), MaxRequest)
	}
	f, err := os.OpenFile(m.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, unavailable(m.Path, err)
	}
	defer f.Close()
	response := make([]byte, MaxResponse)
	raw := &exchange{
		request:  vector{unsafe.Pointer(&request[0]), uint64(len(request))},
		response: vector{unsafe.Pointer(&response[0]), uint64(len(response))},
	}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), ioctlRaw, uintptr(unsafe.Pointer(raw)))
		runtime.KeepAlive(request)
		runtime.KeepAlive(response)
		switch {
		case errno == 0:
			return answered(response, raw.response.length)
		case errors.Is(errno, unix.EINTR) && ctx.Err() == nil:
			continue
		case errors.Is(errno, unix.EINTR):
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("nitro: request to %s: %w", m.Path, explain(errno))
	}
}

// answered cuts the response to the length that the driver tells.
func answered(response []byte, length uint64) ([]byte, error) {
	if length > uint64(len(response)) {
		return nil, fmt.Errorf("%w: a response of %d bytes in room for %d", ErrReply, length, len(response))
	}
	return response[:length], nil
}

// explain says what the driver's errors mean.
func explain(errno unix.Errno) error {
	switch {
	case errors.Is(errno, unix.ENOTTY):
		return fmt.Errorf("%w: not the driver nsm: %w", ErrUnavailable, errno)
	case errors.Is(errno, unix.EACCES), errors.Is(errno, unix.EPERM):
		return fmt.Errorf("%w: the driver asks for CAP_SYS_ADMIN; run as root: %w", ErrUnavailable, errno)
	case errors.Is(errno, unix.ETIMEDOUT):
		return fmt.Errorf("the module did not answer; try again: %w", errno)
	}
	return errno
}
