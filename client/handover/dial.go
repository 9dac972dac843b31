package handover

import (
	"context"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/phalanx-network/phalanx/wire/enclavev1/enclavev1connect"
)

const (
	callTimeout = 2 * time.Minute // an Advance of the relay, which executes messages, may have to end first
	maxAnswer   = 1 << 20         // bytes
)

// Dial returns the client of a pRuntime's door for its relay, at a Unix socket. It does not connect yet.
func Dial(socket string) Enclave {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	client := &http.Client{Transport: transport, Timeout: callTimeout}
	return enclavev1connect.NewRelayServiceClient(client, "http://enclave", connect.WithReadMaxBytes(maxAnswer))
}
