//go:build unix && !linux

package testnet

import "syscall"

// processAttributes keeps a child out of the terminal's process group, so that Ctrl-C reaches the parent alone. This
// system has no death signal: children of a parent that was killed live on.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
