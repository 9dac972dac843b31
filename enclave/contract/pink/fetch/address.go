package fetch

import (
	"net/netip"
	"slices"
)

// Policy says where requests may go. The zero value allows every address of the public internet, on the ports 80, 443
// and from 1024 on: the other low ports belong to other protocols.
type Policy struct {
	// Addresses are allowed by the operator although they are not public: of a service in its own network, or loopback in
	// a test. An allowance holds for all contracts of the worker.
	Addresses []netip.Prefix
	// Refused are addresses that the operator takes out again, public or not: those of its own machines. It counts before
	// Addresses.
	Refused []netip.Prefix
	// Ports are allowed by the operator below 1024.
	Ports []uint16
}

// Allows reports whether a connection to an address may be opened.
func (p Policy) Allows(to netip.AddrPort) bool {
	return p.allowsPort(to.Port()) && p.allowsAddress(to.Addr())
}

func (p Policy) allowsPort(port uint16) bool {
	if port >= 1024 || port == 80 || port == 443 {
		return true
	}
	return port != 0 && slices.Contains(p.Ports, port)
}

func (p Policy) allowsAddress(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1 to the socket
	switch {
	case within(a, p.Refused):
		return false
	case within(a, p.Addresses):
		return true
	case a.Is6() && !globalUnicast.Contains(a):
		return false
	}
	return !within(a, reserved)
}

func within(a netip.Addr, blocks []netip.Prefix) bool {
	return slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.Contains(a) })
}

// globalUnicast is the part of IPv6 that IANA assigns addresses of the public internet from. Outside it are loopback,
// unspecified, IPv4-compatible, NAT64, unique local, link-local, site-local and multicast addresses, and what is not
// assigned.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// reserved are the blocks of IANA's special-purpose registries (RFC 6890 and later) that are not the public internet, or
// lead elsewhere than they say.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' translation
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, metadata of clouds
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which embeds IPv4 addresses
	netip.MustParsePrefix("3fff::/20"),       // documentation
}
