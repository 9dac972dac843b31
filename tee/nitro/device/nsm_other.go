//go:build !linux || !(amd64 || arm64)

package device

import (
	"context"
	"fmt"
)

// NSM is the module behind a node. Nitro enclaves run Linux on amd64 and arm64 alone.
type NSM struct{ Path string }

// Exchange fails with ErrUnavailable.
func (m NSM) Exchange(context.Context, []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: it needs Linux on amd64 or arm64", ErrUnavailable)
}
