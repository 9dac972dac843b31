package clientcmd

import (
	"bytes"
	"strings"
	"testing"
)

// Identities of gatekeepers are keys that exist, each once, however they are spelt.
func TestIdentitiesOf(t *testing.T) {
	const one, other = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76", "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919"
	for name, x := range map[string]struct {
		words []string
		want  string // in the error; empty for none
	}{
		"one":               {[]string{"0x" + one}, ""},
		"two":               {[]string{"0x" + one, "0x" + other}, ""},
		"twice":             {[]string{"0x" + one, "0x" + other, "0x" + one}, "comes twice"},
		"twice, two ways":   {[]string{"0x" + one, "0x" + strings.ToUpper(one)}, "comes twice"},
		"the identity":      {[]string{"0x" + strings.Repeat("00", 32)}, "identity"},
		"a process's name":  {[]string{"gatekeeper-0"}, "gatekeeper-0"},
		"short":             {[]string{"0x" + one[2:]}, "identity"},
		"terminal controls": {[]string{"\x1b[2J"}, `\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := identitiesOf(x.words)
			switch {
			case x.want == "" && err != nil:
				t.Fatal(err)
			case x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want) || ExitCode(err) != 2):
				t.Fatalf("%v, exit code %d; want %q and 2", err, ExitCode(err), x.want)
			case x.want == "" && (len(got) != len(x.words) || bytes.Equal(got[0], got[len(got)-1]) != (len(got) == 1)):
				t.Fatalf("read %x", got)
			}
		})
	}
}
