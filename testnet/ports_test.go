package testnet

import (
	"net"
	"strconv"
	"testing"
)

// TestFreeAddress: addresses can be listened on, none is given twice, and none is in the range of outgoing connections.
func TestFreeAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 300 {
		address, err := freeAddress()
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		port, err := strconv.Atoi(text)
		if err != nil || port < firstPort || port > lastPort || seen[address] {
			t.Fatalf("%s: %v", address, err)
		}
		seen[address] = true
	}
}
