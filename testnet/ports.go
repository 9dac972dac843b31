package testnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports of a network's processes. They lie below those that systems give to outgoing connections by themselves (32768
// on Linux, 49152 elsewhere): a port that was found free there may be some connection's before its process listens.
const (
	firstPort = 10_000
	lastPort  = 31_999
)

// given are the ports that this process has given to networks, each once: another network may be about to listen on one.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// freeAddress finds a loopback address that nobody listens on.
func freeAddress() (string, error) {
	given.Lock()
	defer given.Unlock()
	var last error
	for range 256 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if given.ports[port] {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return "", err
		}
		given.ports[port] = true
		return address, nil
	}
	return "", errors.Join(errors.New("no free port was found"), last)
}
