package clientcmd

import (
	"regexp"
	"strings"
)

var negativeNumber = regexp.MustCompile(`^-[0-9]+$`)

// Arguments returns a command line in which the negative numbers among a contract's arguments are not taken for flags:
// each gets a space before it, which the commands take away again. A number behind a flag is left to the flag.
func Arguments(line []string) []string {
	if len(line) == 0 || line[0] != "contract" {
		return line
	}
	out := append([]string(nil), line...)
	for i := 1; i < len(out) && out[i] != "--"; i++ {
		if negativeNumber.MatchString(out[i]) && !strings.HasPrefix(out[i-1], "-") {
			out[i] = " " + out[i]
		}
	}
	return out
}

// plain takes away what [Arguments] has added.
func plain(args []string) []string {
	out := append([]string(nil), args...)
	for i, a := range out {
		if number, spaced := strings.CutPrefix(a, " "); spaced && negativeNumber.MatchString(number) {
			out[i] = number
		}
	}
	return out
}
