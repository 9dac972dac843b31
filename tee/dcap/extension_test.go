package dcap

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// member is a pair in the SGX extension.
type member struct {
	ID    asn1.ObjectIdentifier
	Value any
}

func sgxMember(value any, arcs ...int) member { return member{append(oidSGX[:7:7], arcs...), value} }

// tcbMembers returns the eighteen members of the TCB.
func tcbMembers() []member {
	var out []member
	for i := range 17 {
		out = append(out, sgxMember(i+1, 2, i+1))
	}
	return append(out, sgxMember(make([]byte, 16), 2, 18))
}

func parseMembers(t *testing.T, values ...[]member) (*platform, error) {
	t.Helper()
	cert := new(x509.Certificate)
	for _, v := range values {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		cert.Extensions = append(cert.Extensions, pkix.Extension{Id: oidSGX, Value: der})
	}
	return parsePlatform(cert)
}

func TestSGXExtension(t *testing.T) {
	pceID, fmspc := sgxMember([]byte{1, 2}, 3), sgxMember([]byte{1, 2, 3, 4, 5, 6}, 4)
	whole := []member{sgxMember(tcbMembers(), 2), pceID, fmspc}
	p, err := parseMembers(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	if p.fmspc != [6]byte{1, 2, 3, 4, 5, 6} || p.pceID != [2]byte{1, 2} || p.components[0] != 1 || p.components[15] != 16 || p.pceSVN != 17 {
		t.Errorf("%+v", p)
	}
	tcb := func(edit func([]member) []member) []member {
		return []member{sgxMember(edit(tcbMembers()), 2), pceID, fmspc}
	}
	with := func(i int, m member) []member {
		return tcb(func(all []member) []member { all[i] = m; return all })
	}
	for name, members := range map[string][]member{
		"no TCB": {pceID, fmspc}, "no FMSPC": whole[:2], "no PCEID": {whole[0], fmspc},
		"FMSPC twice": append(whole[:3:3], fmspc), "short FMSPC": {whole[0], pceID, sgxMember([]byte{1}, 4)},
		"FMSPC is a number": {whole[0], pceID, sgxMember(6, 4)},
		"no component 16":   tcb(func(all []member) []member { return append(all[:15:15], all[16:]...) }),
		"no PCESVN":         tcb(func(all []member) []member { return append(all[:16:16], all[17]) }),
		"component twice":   with(1, sgxMember(1, 2, 1)), "component of 256": with(0, sgxMember(256, 2, 1)),
		"negative component": with(0, sgxMember(-1, 2, 1)), "PCESVN of 65536": with(16, sgxMember(65536, 2, 17)),
		"component 19": with(0, sgxMember(1, 2, 19)), "component 0": with(0, sgxMember(1, 2, 0)),
		"foreign member": with(0, sgxMember(1, 9, 1)), "short CPUSVN": with(17, sgxMember([]byte{1}, 2, 18)),
		"component is text": with(3, sgxMember([]byte{1}, 2, 4)),
	} {
		if _, err := parseMembers(t, members); Reason(err) != "format" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseMembers(t, whole, whole); Reason(err) != "format" {
		t.Errorf("two extensions: %v", err)
	}
	if _, err := parseMembers(t, append(whole, sgxMember(true, 7), sgxMember(asn1.Enumerated(1), 5))); err != nil {
		t.Errorf("members of other use: %v", err)
	}
}
