package program

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// defaultStage is where Linux has a file system in memory.
const defaultStage = "/dev/shm"

// prefixes is a flag that may be given again and again: addresses as CIDR, separated by commas.
type prefixes []netip.Prefix

// String implements flag.Value.
func (p *prefixes) String() string {
	var words []string
	for _, x := range *p {
		words = append(words, x.String())
	}
	return strings.Join(words, ",")
}

// Set implements flag.Value.
func (p *prefixes) Set(text string) error {
	for _, word := range strings.Split(text, ",") {
		x, err := netip.ParsePrefix(strings.TrimSpace(word))
		if err != nil {
			return fmt.Errorf("want addresses as CIDR, such as 10.1.2.0/24: %w", err)
		}
		if x != x.Masked() {
			return fmt.Errorf("%s has bits below its mask; did you mean %s?", x, x.Masked())
		}
		*p = append(*p, x)
	}
	return nil
}

// ports is a flag of port numbers, separated by commas, that may be given again and again.
type ports []uint16

// String implements flag.Value.
func (p *ports) String() string {
	var words []string
	for _, x := range *p {
		words = append(words, strconv.Itoa(int(x)))
	}
	return strings.Join(words, ",")
}

// Set implements flag.Value.
func (p *ports) Set(text string) error {
	for _, word := range strings.Split(text, ",") {
		x, err := strconv.ParseUint(strings.TrimSpace(word), 10, 16)
		if err != nil || x == 0 {
			return fmt.Errorf("want a port from 1 to 65535, not %q", word)
		}
		*p = append(*p, uint16(x))
	}
	return nil
}
