package device

import (
	"context"
	"errors"
	"fmt"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// DefaultPath is the node of Linux's driver sev-guest.
const DefaultPath = "/dev/sev-guest"

// MaxTable is the size of a certificate table that is read, in bytes; the kernel's own bound is 16 KiB.
const MaxTable = 64 << 10

// Errors of this package.
var (
	// ErrUnavailable says that the machine does not offer what was asked; the text says what to do about it.
	ErrUnavailable = errors.New("no device of SEV-SNP")
	// ErrReply says that the device answered with something else than it was asked for.
	ErrReply = errors.New("sev-snp: the device's reply is not what was asked for")
	// ErrOlderFirmware says that data was sealed under newer firmware than the machine has committed.
	ErrOlderFirmware = errors.New("sev-snp: sealed under newer firmware than this machine has now")
)

// Reports gives reports about the guest that calls, at a privilege level from 0 (highest) to 3. The certificate table may
// be empty. Neither may be believed to fit.
type Reports interface {
	Report(ctx context.Context, data [sevsnp.ReportDataSize]byte, vmpl uint32) (report, table []byte, err error)
}

// Deriver derives keys, as the firmware does. Errors of the firmware itself are [FirmwareError]s.
type Deriver interface {
	DeriveKey(ctx context.Context, r KeyRequest) ([32]byte, error)
}

// KeyRequest says what a derived key is made of: MSG_KEY_REQ.
type KeyRequest struct {
	Root     RootKey
	Fields   Fields
	VMPL     uint32 // always mixed in; not above the caller's own privilege
	GuestSVN uint32 // mixed in with FieldGuestSVN
	TCB      uint64 // TCB_VERSION, mixed in with FieldTCB; at most the committed one, part by part
}

// RootKey is the first word of MSG_KEY_REQ: bit 0 chooses the VMRK, bits 1 and 2 (KEY_SEL) the endorsement key.
type RootKey uint32

// The roots.
const (
	RootDefault RootKey = 0      // the VLEK where one is loaded, else the VCEK
	RootVMRK    RootKey = 1      // the migration agent's
	RootVCEK    RootKey = 1 << 1 // the chip's own; firmware without VLEK support refuses it
	RootVLEK    RootKey = 2 << 1 // the cloud provider's
)

// Fields is GUEST_FIELD_SELECT: what else is mixed into a key.
type Fields uint64

// The fields.
const (
	FieldPolicy Fields = 1 << iota
	FieldImageID
	FieldFamilyID
	FieldMeasurement
	FieldGuestSVN
	FieldTCB
)

// Status is the firmware's answer to a guest message.
type Status uint32

// The statuses that have a meaning here.
const (
	StatusInvalidParameter Status = 0x16
	StatusInvalidKey       Status = 0x27
)

// FirmwareError is a request that the firmware refused.
type FirmwareError struct {
	Request string // "report" or "derived key"
	Status  Status
}

// Error says which request and why.
func (e *FirmwareError) Error() string {
	why := "status 0x%x"
	switch e.Status {
	case StatusInvalidParameter:
		why = "invalid parameter (0x%x)"
	case StatusInvalidKey:
		why = "the key that was selected does not exist (0x%x)"
	}
	return fmt.Sprintf("sev-snp: the firmware refused the %s: "+why, e.Request, uint32(e.Status))
}
