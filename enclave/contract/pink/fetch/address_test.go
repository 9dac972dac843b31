package fetch

import (
	"net/netip"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, v := range []struct {
		address string
		allowed bool
		why     string
	}{
		{"1.1.1.1", true, "public"},
		{"8.8.8.8", true, "public"},
		{"9.255.255.255", true, "the last before 10/8"},
		{"11.0.0.0", true, "the first after 10/8"},
		{"100.63.255.255", true, "the last before 100.64/10"},
		{"100.128.0.0", true, "the first after 100.64/10"},
		{"126.255.255.255", true, "the last before loopback"},
		{"128.0.0.1", true, "after loopback"},
		{"169.253.255.255", true, "before link-local"},
		{"172.15.255.255", true, "before 172.16/12"},
		{"172.32.0.0", true, "after 172.16/12"},
		{"192.167.255.255", true, "before 192.168/16"},
		{"198.17.255.255", true, "before benchmarks"},
		{"198.20.0.0", true, "after benchmarks"},
		{"223.255.255.255", true, "before multicast"},
		{"2606:4700:4700::1111", true, "public"},
		{"2a00:1450:4001::1", true, "public"},
		{"2001:200::1", true, "public, after the protocol assignments"},
		{"::ffff:1.1.1.1", true, "mapped, public"},

		{"0.0.0.0", false, "unspecified: the socket takes it for loopback"},
		{"0.1.2.3", false, "this network"},
		{"10.0.0.1", false, "private"},
		{"10.255.255.255", false, "private"},
		{"100.64.0.1", false, "carrier translation"},
		{"100.127.255.255", false, "carrier translation"},
		{"127.0.0.1", false, "loopback"},
		{"127.255.255.254", false, "loopback"},
		{"169.254.169.254", false, "metadata"},
		{"169.254.0.1", false, "link-local"},
		{"172.16.0.1", false, "private"},
		{"172.31.255.255", false, "private"},
		{"192.0.0.170", false, "protocol assignments"},
		{"192.0.2.1", false, "documentation"},
		{"192.88.99.1", false, "6to4 relay"},
		{"192.168.1.1", false, "private"},
		{"198.18.0.1", false, "benchmarks"},
		{"198.51.100.1", false, "documentation"},
		{"203.0.113.1", false, "documentation"},
		{"224.0.0.1", false, "multicast"},
		{"239.255.255.255", false, "multicast"},
		{"240.0.0.1", false, "reserved"},
		{"255.255.255.255", false, "broadcast"},

		{"::", false, "unspecified"},
		{"::1", false, "loopback"},
		{"::7f00:1", false, "IPv4-compatible loopback"},
		{"::ffff:127.0.0.1", false, "mapped loopback"},
		{"::ffff:10.0.0.1", false, "mapped private"},
		{"::ffff:169.254.169.254", false, "mapped metadata"},
		{"::ffff:0.0.0.0", false, "mapped unspecified"},
		{"64:ff9b::7f00:1", false, "NAT64 of loopback"},
		{"64:ff9b::808:808", false, "NAT64"},
		{"64:ff9b:1::1", false, "local NAT64"},
		{"100::1", false, "discard"},
		{"2001::1", false, "Teredo"},
		{"2001:db8::1", false, "documentation"},
		{"2002:7f00:1::", false, "6to4 of loopback"},
		{"2002:a00:1::", false, "6to4 of 10.0.0.1"},
		{"3fff::1", false, "documentation"},
		{"4000::1", false, "not assigned"},
		{"fc00::1", false, "unique local"},
		{"fd00:ec2::254", false, "unique local, metadata"},
		{"fe80::1", false, "link-local"},
		{"fe80::1%eth0", false, "link-local with a zone"},
		{"2606:4700:4700::1111%eth0", false, "a zone"},
		{"fec0::1", false, "site-local"},
		{"ff02::1", false, "multicast"},
	} {
		to := netip.AddrPortFrom(netip.MustParseAddr(v.address), 443)
		if got := (Policy{}).Allows(to); got != v.allowed {
			t.Errorf("%s (%s): allowed is %v", v.address, v.why, got)
		}
	}
	if (Policy{}).Allows(netip.AddrPort{}) {
		t.Error("no address at all is allowed")
	}
}

func TestPorts(t *testing.T) {
	for port, allowed := range map[uint16]bool{
		80: true, 443: true, 1024: true, 8443: true, 65535: true,
		0: false, 22: false, 25: false, 53: false, 111: false, 445: false, 1023: false,
	} {
		if got := (Policy{}).Allows(netip.AddrPortFrom(netip.MustParseAddr("1.1.1.1"), port)); got != allowed {
			t.Errorf("port %d: allowed is %v", port, got)
		}
	}
	p := Policy{Ports: []uint16{0, 25}}
	for port, allowed := range map[uint16]bool{0: false, 25: true, 26: false} {
		if got := p.Allows(netip.AddrPortFrom(netip.MustParseAddr("1.1.1.1"), port)); got != allowed {
			t.Errorf("port %d with an allowance: allowed is %v", port, got)
		}
	}
}

func TestAllowances(t *testing.T) {
	p := Policy{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd12::/16")}}
	for address, allowed := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "127.0.0.2": false, "::1": false, "10.0.0.1": false,
		"fd12::1": true, "fd12::1%eth0": false, "fd13::1": false, "1.1.1.1": true,
	} {
		if got := p.allowsAddress(netip.MustParseAddr(address)); got != allowed {
			t.Errorf("%s: allowed is %v", address, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	p := Policy{
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Refused:   []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("8.8.8.8/32")},
	}
	for address, allowed := range map[string]bool{
		"10.0.0.1": true, "10.1.0.1": false, "8.8.8.8": false, "::ffff:8.8.8.8": false, "8.8.8.9": true,
	} {
		if got := p.allowsAddress(netip.MustParseAddr(address)); got != allowed {
			t.Errorf("%s: allowed is %v", address, got)
		}
	}
}

// FuzzAddress holds the policy against the standard library's own judgement of addresses: whatever it knows as not
// public is refused, in every spelling.
func FuzzAddress(f *testing.F) {
	for _, a := range []string{"127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1", "8.8.8.8", "2606:4700::1"} {
		f.Add(netip.MustParseAddr(a).AsSlice())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok || !(Policy{}).allowsAddress(a) {
			return
		}
		u := a.Unmap()
		if !u.IsGlobalUnicast() || u.IsPrivate() || u.IsLoopback() || u.IsLinkLocalUnicast() || u.IsMulticast() || u.IsUnspecified() {
			t.Fatalf("%s is allowed", a)
		}
		if (Policy{}).allowsAddress(u) != (Policy{}).allowsAddress(netip.AddrFrom16(u.As16())) {
			t.Fatalf("%s and its mapped form differ", u)
		}
	})
}
