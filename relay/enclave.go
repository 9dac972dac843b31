package relay

import (
	"context"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

const (
	enclaveTimeout = 5 * time.Minute // of one call; an Advance executes its messages
	enclaveAnswer  = 16 << 20        // bytes of an answer
)

// dialEnclave returns the client of the enclave's relay door. It does not connect yet.
func dialEnclave(socket string) Enclave {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 8,
	}
	client := &http.Client{Transport: transport, Timeout: enclaveTimeout}
	return enclavev1connect.NewRelayServiceClient(client, "http://enclave", connect.WithReadMaxBytes(enclaveAnswer))
}
