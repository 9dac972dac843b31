package program

import (
	"slices"
	"testing"
)

func TestPrefixes(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.0/24":           "10.1.2.0/24",
		"127.0.0.0/8, fd00::/8": "127.0.0.0/8,fd00::/8",
		"10.1.2.3/24":           "", // bits below the mask: a slip that would allow more than was meant
		"10.1.2.3":              "",
		"":                      "",
		"all":                   "",
	} {
		var p prefixes
		err := p.Set(text)
		if (err == nil) != (want != "") || err == nil && p.String() != want {
			t.Errorf("%q: %q, %v", text, p.String(), err)
		}
	}
}

func TestPorts(t *testing.T) {
	var p ports
	for text, ok := range map[string]bool{"25": true, "0": false, "65536": false, "-1": false, "http": false, "": false} {
		if err := p.Set(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := p.Set("587, 993"); err != nil || !slices.Equal(p, []uint16{25, 587, 993}) || p.String() != "25,587,993" {
		t.Errorf("%v, %v", p, err)
	}
}
