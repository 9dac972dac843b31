package dcap

import (
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of the SGX extension in a PCK certificate. Source: "Intel SGX PCK Certificate and Certificate
// Revocation List Profile Specification", section 1.3.5.
var (
	oidSGX = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

	oidTCB   = append(oidSGX[:len(oidSGX):len(oidSGX)], 2)
	oidPCEID = append(oidSGX[:len(oidSGX):len(oidSGX)], 3)
	oidFMSPC = append(oidSGX[:len(oidSGX):len(oidSGX)], 4)
)

const (
	tcbPCESVN = 17 // last arc below oidTCB; 1 to 16 are the components
	tcbCPUSVN = 18
)

// platform is what a PCK certificate says of the machine.
type platform struct {
	fmspc      [6]byte
	pceID      [2]byte
	components [16]byte // SGX TCB component SVNs
	pceSVN     uint16
}

// parsePlatform reads the SGX extension of a PCK certificate. Members that this package does not use are passed over;
// those that it does must occur once.
func parsePlatform(cert *x509.Certificate) (*platform, error) {
	var found [][]byte
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidSGX) {
			found = append(found, e.Value)
		}
	}
	if len(found) != 1 {
		return nil, refuse(ErrFormat, "PCK certificate with %d SGX extensions", len(found))
	}
	p, input := new(platform), cryptobyte.String(found[0])
	var list cryptobyte.String
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, refuse(ErrFormat, "SGX extension is no sequence")
	}
	counts := [3]int{}
	ok := eachMember(list, func(id asn1.ObjectIdentifier, value cryptobyte.String) bool {
		switch {
		case id.Equal(oidTCB):
			counts[0]++
			return p.readTCB(value)
		case id.Equal(oidPCEID):
			counts[1]++
			return readOctets(value, p.pceID[:])
		case id.Equal(oidFMSPC):
			counts[2]++
			return readOctets(value, p.fmspc[:])
		}
		return true
	})
	if !ok || counts != [3]int{1, 1, 1} {
		return nil, refuse(ErrFormat, "SGX extension is malformed or lacks a member")
	}
	return p, nil
}

// eachMember visits a list of pairs of identifier and value. It returns false if the list is malformed or f is.
func eachMember(list cryptobyte.String, f func(asn1.ObjectIdentifier, cryptobyte.String) bool) bool {
	for !list.Empty() {
		var pair cryptobyte.String
		var id asn1.ObjectIdentifier
		if !list.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&id) || !f(id, pair) {
			return false
		}
	}
	return true
}

func readOctets(value cryptobyte.String, out []byte) bool {
	var octets cryptobyte.String
	if !value.ReadASN1(&octets, cbasn1.OCTET_STRING) || !value.Empty() || len(octets) != len(out) {
		return false
	}
	copy(out, octets)
	return true
}

// readTCB reads sixteen components and the PCESVN, each once. CPUSVN says the same again in the platform's own form.
func (p *platform) readTCB(value cryptobyte.String) bool {
	var list cryptobyte.String
	if !value.ReadASN1(&list, cbasn1.SEQUENCE) || !value.Empty() {
		return false
	}
	var seen [tcbCPUSVN + 1]bool
	ok := eachMember(list, func(id asn1.ObjectIdentifier, value cryptobyte.String) bool {
		if len(id) != len(oidTCB)+1 || !id[:len(oidTCB)].Equal(oidTCB) {
			return false
		}
		arc := id[len(oidTCB)]
		if arc < 1 || arc > tcbCPUSVN || seen[arc] {
			return false
		}
		seen[arc] = true
		var n uint16
		switch {
		case arc == tcbCPUSVN:
			var cpuSVN [16]byte
			return readOctets(value, cpuSVN[:])
		case !value.ReadASN1Integer(&n) || !value.Empty():
			return false
		case arc == tcbPCESVN:
			p.pceSVN = n
			return true
		}
		p.components[arc-1] = byte(n)
		return n <= 0xff
	})
	for _, s := range seen[1:tcbCPUSVN] {
		ok = ok && s
	}
	return ok
}
