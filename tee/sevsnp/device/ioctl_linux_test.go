package device

import (
	"encoding/hex"
	"errors"
	"testing"
	"unsafe"

	"github.com/google/go-sev-guest/client/linuxabi"
)

// The layouts are the kernel's, as another implementation has them.
func TestABI(t *testing.T) {
	if n := unsafe.Sizeof(guestRequest{}); n != 32 || n != unsafe.Sizeof(linuxabi.SnpUserGuestRequestABI{}) {
		t.Errorf("guest request of %d bytes", n)
	}
	if n := unsafe.Sizeof(extRequest{}); n != 112 || n != unsafe.Sizeof(linuxabi.SnpExtendedReportReqABI{}) {
		t.Errorf("extended request of %d bytes", n)
	}
	if n := unsafe.Sizeof(linuxabi.SnpReportRespABI{}); n != reportResponseSize {
		t.Errorf("response of %d bytes", n)
	}
	if n := unsafe.Sizeof(linuxabi.SnpDerivedKeyRespABI{}); n != keyResponseSize {
		t.Errorf("key response of %d bytes", n)
	}
	for _, c := range [][2]uintptr{
		{ioctlReport, linuxabi.IocSnpGetReport}, {ioctlKey, linuxabi.IocSnpGetDerivedKey}, {ioctlExtReport, linuxabi.IocSnpGetExtendedReport},
	} {
		if c[0] != c[1] {
			t.Errorf("ioctl %#x, want %#x", c[0], c[1])
		}
	}
}

func TestKeyRequestLayout(t *testing.T) {
	want := linuxabi.SnpDerivedKeyReqABI{RootKeySelect: 2, GuestFieldSelect: 0x29, Vmpl: 1, GuestSVN: 7, TCBVersion: 0x7308000000000003}
	got := encodeKeyRequest(KeyRequest{RootVCEK, FieldPolicy | FieldMeasurement | FieldTCB, 1, 7, 0x7308000000000003})
	if raw := *(*[keyRequestSize]byte)(unsafe.Pointer(&want)); *got != raw {
		t.Fatalf("%s, want %s", hex.EncodeToString(got[:]), hex.EncodeToString(raw[:]))
	}
}

// Responses are the firmware's words and a length that must be a report's.
func TestReportResponse(t *testing.T) {
	resp := make([]byte, reportResponseSize)
	resp[4], resp[5] = 0xa0, 0x04 // 1184
	resp[responseHeader] = 3
	if r, err := reportIn(resp); err != nil || len(r) != 1184 || r[0] != 3 {
		t.Fatal(len(r), err)
	}
	resp[4] = 0xa1
	if _, err := reportIn(resp); !errors.Is(err, ErrReply) {
		t.Fatal(err)
	}
	resp[0] = byte(StatusInvalidParameter)
	var refused *FirmwareError
	if _, err := reportIn(resp); !errors.As(err, &refused) || refused.Status != StatusInvalidParameter {
		t.Fatal(err)
	}
}
