//go:build amd64 || arm64

package device

import (
	"context"
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The layout is that of include/uapi/linux/nsm.h.
func TestABI(t *testing.T) {
	if n := unsafe.Sizeof(exchange{}); n != 32 || ioctlRaw != 0xc0200a00 {
		t.Errorf("exchange of %d bytes, ioctl %#x", n, ioctlRaw)
	}
	if at := unsafe.Offsetof(exchange{}.response); at != 16 {
		t.Errorf("response at %d", at)
	}
}

// What is no NSM device does not take the request, and the error says so.
func TestNotTheDriver(t *testing.T) {
	if _, err := (NSM{"/dev/null"}).Exchange(context.Background(), []byte{1}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, unix.ENOTTY) {
		t.Error(err)
	}
	for _, n := range []int{0, MaxRequest + 1} {
		if _, err := (NSM{"/dev/null"}).Exchange(context.Background(), make([]byte, n)); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestAnswered(t *testing.T) {
	if b, err := answered(make([]byte, 8), 8); err != nil || len(b) != 8 {
		t.Error(len(b), err)
	}
	if _, err := answered(make([]byte, 8), 9); !errors.Is(err, ErrReply) {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EACCES: ErrUnavailable, unix.EPERM: ErrUnavailable, unix.ETIMEDOUT: unix.ETIMEDOUT, unix.EIO: unix.EIO,
	} {
		if err := explain(errno); !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}
