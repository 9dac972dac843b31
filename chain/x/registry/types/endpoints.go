package types

import (
	"net/url"
	"slices"

	errorsmod "cosmossdk.io/errors"

	"github.com/phalanx-network/phalanx/wire"
)

// CheckEndpoints checks a list of a worker's addresses: absolute http or https URLs with a host, without user, query or
// fragment, none twice, within wire's bounds.
func CheckEndpoints(list []string) error {
	if len(list) > wire.MaxEndpoints {
		return errorsmod.Wrapf(ErrEndpoint, "%d of them, at most %d", len(list), wire.MaxEndpoints)
	}
	for i, text := range list {
		if len(text) > wire.MaxEndpointLength {
			return errorsmod.Wrapf(ErrEndpoint, "number %d has %d bytes, at most %d", i, len(text), wire.MaxEndpointLength)
		}
		u, err := url.Parse(text)
		if err != nil {
			return errorsmod.Wrapf(ErrEndpoint, "number %d is no URL", i)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
			return errorsmod.Wrapf(ErrEndpoint, "number %d is no http or https URL with a host", i)
		}
		if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.String() != text {
			return errorsmod.Wrapf(ErrEndpoint, "number %d is not in its plain form", i)
		}
		if slices.Contains(list[:i], text) {
			return errorsmod.Wrapf(ErrEndpoint, "number %d is given twice", i)
		}
	}
	return nil
}
