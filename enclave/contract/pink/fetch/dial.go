package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// connect opens the connection of a request: it resolves the name once, judges each address and dials an address that
// was judged, never the name.
func (f *Client) connect(ctx context.Context, host, service string) (net.Conn, error) {
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, ErrURL
	}
	addresses, err := f.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var allowed []netip.AddrPort
	for _, a := range addresses {
		if to := netip.AddrPortFrom(a.Unmap(), uint16(port)); f.policy.Allows(to) {
			allowed = append(allowed, to)
		}
	}
	if len(allowed) == 0 {
		return nil, ErrNotAllowed
	}
	var failed []error
	for _, to := range allowed[:min(len(allowed), f.limits.Attempts)] {
		conn, err := f.dial(ctx, to)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("connect: %w", errors.Join(failed...))
}

// resolve gives the addresses of a host: itself, where it is one.
func (f *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addresses, err := f.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	return addresses, nil
}

func dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to.String())
}
