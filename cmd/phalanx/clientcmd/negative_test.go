package clientcmd

import (
	"slices"
	"testing"
)

func TestArguments(t *testing.T) {
	for _, x := range []struct{ line, want []string }{
		{[]string{"contract", "call", "0x1", "inc_by", "-5"}, []string{"contract", "call", "0x1", "inc_by", " -5"}},
		{[]string{"contract", "deploy", "f", "-5", "-6", "--from", "a"}, []string{"contract", "deploy", "f", " -5", " -6", "--from", "a"}},
		{[]string{"contract", "call", "--gas", "-5"}, []string{"contract", "call", "--gas", "-5"}},
		{[]string{"contract", "call", "0x1", "m", "--", "-5"}, []string{"contract", "call", "0x1", "m", "--", "-5"}},
		{[]string{"contract", "call", "0x1", "m", "-o", "json"}, []string{"contract", "call", "0x1", "m", "-o", "json"}},
		{[]string{"node", "start", "-5"}, []string{"node", "start", "-5"}},
		{nil, nil},
	} {
		got := Arguments(x.line)
		if !slices.Equal(got, x.want) {
			t.Errorf("%q becomes %q, want %q", x.line, got, x.want)
		}
		if !slices.Equal(plain(got), x.line) {
			t.Errorf("%q comes back as %q", x.line, plain(got))
		}
	}
	if got := plain([]string{" -x", " 5", "- 5"}); !slices.Equal(got, []string{" -x", " 5", "- 5"}) {
		t.Errorf("what was not added is taken away: %q", got)
	}
}
