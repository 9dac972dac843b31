package rpc

import (
	"net"
	"os"
	"syscall"
)

// listenPrivate makes the socket with a mask that denies everybody else, so that there is no moment in which another
// user could connect.
func listenPrivate(path string) (net.Listener, error) {
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
