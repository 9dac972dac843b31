//go:build !linux

package device

import (
	"context"
	"fmt"

	"github.com/phalanx-network/phalanx/tee/sevsnp"
)

// Guest is the guest device at a path. SEV-SNP guests are driven under Linux alone.
type Guest struct{ Path string }

// Report fails with ErrUnavailable.
func (g Guest) Report(context.Context, [sevsnp.ReportDataSize]byte, uint32) (report, table []byte, err error) {
	return nil, nil, fmt.Errorf("%w: it needs Linux", ErrUnavailable)
}

// DeriveKey fails with ErrUnavailable.
func (g Guest) DeriveKey(context.Context, KeyRequest) ([32]byte, error) {
	return [32]byte{}, fmt.Errorf("%w: it needs Linux", ErrUnavailable)
}
